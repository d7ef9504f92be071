"""Registry of data sets: what each is, where it lies, how its images and masks pair up.

Taught in notebook 01. `data/README.md` says how to get each of them.
"""

import csv
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from segkit import sample
from segkit.classes import DUBAI, ClassScheme, _code
from segkit.files import REPOSITORY, data_root, shown, work_root

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
BLACK = (0, 0, 0)


class DatasetNotFound(FileNotFoundError):
    """A data set is not where it should be; the message says how to get it."""


class DatasetError(ValueError):
    """A file of a data set is not what it should be; the message names the file."""


@dataclass(frozen=True)
class Tile:
    """One source image with its mask.

    Attributes:
        id: unique name within the data set; no slash in it.
        group: what must not be split over training, validation and test under `by="tile"`.
        image: path of the image.
        mask: path of the mask.
    """

    id: str
    group: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Dataset:
    """Tiles that share a class scheme.

    Attributes:
        name: registry name, or the folder's name.
        scheme: the classes of the masks.
        tiles: all tiles, sorted by id.
        recolor: colors outside the scheme that are read, on purpose, as a named class.
    """

    name: str
    scheme: ClassScheme
    tiles: Sequence[Tile]
    recolor: Mapping[tuple[int, int, int], str] = field(default_factory=dict)

    def read(self, tile: Tile) -> tuple[np.ndarray, np.ndarray, int]:
        """Read one tile.

        Returns:
            image uint8 (H, W, C), mask uint8 (H, W), and the number of pixels that were recolored.

        Raises:
            DatasetError: a broken file, a wrong mode, or image and mask of different size.
            UnknownColorError: a color that neither the scheme nor `recolor` knows.
        """
        image, rgb_mask = read_image(tile.image), read_rgb_mask(tile.mask)
        if image.shape[:2] != rgb_mask.shape[:2]:
            raise DatasetError(
                f"{tile.mask}: the mask is {rgb_mask.shape[:2]}, its image {image.shape[:2]} "
                "(rows, columns). Put the right mask beside the image; nothing is resized silently."
            )
        recolored = 0
        for color, name in self.recolor.items():
            where = _code(rgb_mask) == _code(np.array(color))
            rgb_mask[where] = self.scheme.colors[self.scheme.names.index(name)]
            recolored += int(where.sum())
        return image, self.scheme.decode(rgb_mask, source=tile.mask), recolored


def find(name: str, root: str | Path | None = None) -> Dataset:
    """Find a data set on disk.

    Args:
        name: "sample" (the embedded city, made on the spot), "dubai", or the path of a folder with
            `images/`, `masks/` and `classes.csv` (columns name, r, g, b and, optionally, ignore).
        root: the folder that holds the data sets; `SEGKIT_DATA` or `data/` by default.

    Raises:
        DatasetNotFound: says where it was looked for and how to get it.
        DatasetError: an image has no mask, or a mask no image.
    """
    if name in REGISTRY:
        return REGISTRY[name](Path(root) if root else None)
    for folder in (Path(root or data_root()) / name, REPOSITORY / name, Path(name)):
        if (folder / "images").is_dir():
            return _folder_of_pairs(folder)
    raise DatasetNotFound(
        f"no data set {name!r}: choose one of {', '.join(REGISTRY)}, or give a folder that holds "
        f"images/, masks/ and classes.csv (looked in {shown(Path(root or data_root()) / name)})"
    )


def read_image(path: Path) -> np.ndarray:
    """Read an image as uint8 (H, W, C); PNG and JPEG must be RGB, GeoTIFF may have more bands."""
    if path.suffix.lower() in (".tif", ".tiff"):
        image = _with_rasterio(path, lambda raster: np.moveaxis(raster.read(), 0, -1))
    else:
        image = _with_pillow(path, ("RGB",))
    if image.dtype != np.uint8:
        raise DatasetError(f"{path}: pixels are {image.dtype}; scale them to uint8, 0–255, first")
    return image


def read_rgb_mask(path: Path) -> np.ndarray:
    """Read a color mask as uint8 (H, W, 3), alike from an RGB and from a palette file."""
    return _with_pillow(path, ("RGB", "P")).copy()


def georeference(path: Path) -> tuple[str | None, tuple | None]:
    """Return the CRS (as "EPSG:…" or WKT) and the six transform numbers of a file, or None."""
    crs, transform = _with_rasterio(path, lambda raster: (raster.crs, raster.transform))
    if not crs:
        return None, None
    return crs.to_string(), tuple(transform)[:6]


def _with_pillow(path: Path, modes: tuple[str, ...]) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            if picture.mode not in modes:
                raise DatasetError(
                    f"{path}: mode {picture.mode!r}, expected {' or '.join(modes)}. "
                    "Save it as an RGB image, masks in the colors of the scheme."
                )
            return np.asarray(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{path}: broken or cut off ({error}). Download it again.") from error


def _with_rasterio(path: Path, job: Callable):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as raster:
                return job(raster)
    except rasterio.errors.RasterioError as error:
        raise DatasetError(f"{path}: cannot be read ({error}). Download it again.") from error


def _dubai(root: Path | None) -> Dataset:
    root = root or data_root()
    for folder in (root / "dubai", root):
        if (folder / "Semantic segmentation dataset").is_dir():
            return _dubai_layout("dubai", folder / "Semantic segmentation dataset")
    raise DatasetNotFound(
        f"the Dubai tiles are not in {shown(root / 'dubai')}. Download "
        "https://www.kaggle.com/datasets/humansintheloop/"
        "semantic-segmentation-of-aerial-imagery, unzip it there so that "
        f"'{shown(root / 'dubai' / 'Semantic segmentation dataset' / 'Tile 1')}' exists, "
        "or point SEGKIT_DATA at the folder that holds dubai/. See data/README.md."
    )


def _sample(root: Path | None) -> Dataset:
    """The embedded city: made on first use, beside what the course makes of it."""
    folder = (root or work_root()) / "sample" / "city"
    sample.write(folder, progress=True)
    return _dubai_layout("sample", folder / "Semantic segmentation dataset")


def _dubai_layout(name: str, folder: Path) -> Dataset:
    """`Tile 1/images/image_part_001.jpg` beside `Tile 1/masks/image_part_001.png`."""
    tiles = []
    for tile in sorted(folder.glob("Tile *"), key=_natural):
        prefix = tile.name.lower().replace(" ", "")
        for image, mask in _pairs(tile / "images", tile / "masks"):
            part = image.stem.removeprefix("image_").replace("_", "")
            tiles.append(Tile(f"{prefix}_{part}", tile.name, image, mask))
    if not tiles:
        raise DatasetNotFound(f"{folder} holds no 'Tile …' folder: unzip the data set again")
    return Dataset(name, DUBAI, tuple(tiles), recolor={BLACK: "Unlabeled"})


def _folder_of_pairs(folder: Path) -> Dataset:
    scheme = _read_scheme(folder / "classes.csv")
    pairs = _pairs(folder / "images", folder / "masks")
    tiles = tuple(Tile(image.stem, image.stem, image, mask) for image, mask in pairs)
    return Dataset(folder.resolve().name, scheme, tiles)


def _read_scheme(path: Path) -> ClassScheme:
    if not path.exists():
        raise DatasetNotFound(f"{path} is missing: a CSV with the columns name, r, g, b, ignore")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    missing = {"name", "r", "g", "b"} - set(rows[0] if rows else ())
    if missing:
        raise DatasetError(f"{path}: no column {', '.join(sorted(missing))}")
    ignored = [i for i, row in enumerate(rows) if row.get("ignore") in ("1", "yes")]
    if len(ignored) > 1:
        raise DatasetError(f"{path}: one class at most can be ignored, not {len(ignored)}")
    colors = [(int(row["r"]), int(row["g"]), int(row["b"])) for row in rows]
    names = [row["name"] for row in rows]
    return ClassScheme(path.parent.resolve().name, names, colors, ignored[0] if ignored else None)


def _pairs(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Pair image and mask files by name; never by their order in a listing."""
    image_of, mask_of = _by_stem(images), _by_stem(masks)
    for stem in sorted(image_of.keys() ^ mask_of.keys()):
        if stem in image_of:
            raise DatasetError(f"{image_of[stem]}: no mask of that name in {masks}")
        raise DatasetError(f"{mask_of[stem]}: no image of that name in {images}")
    return [(image_of[stem], mask_of[stem]) for stem in sorted(image_of, key=_natural)]


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetNotFound(f"{folder} is missing")
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
            if path.stem in found:
                raise DatasetError(f"{path}: {found[path.stem].name} has the same name")
            found[path.stem] = path
    return found


def _natural(path: Path | str) -> list:
    """Sort "Tile 2" before "Tile 10"."""
    return [
        int(p) if p.isdigit() else p for p in re.split(r"(\d+)", str(getattr(path, "name", path)))
    ]


REGISTRY = {"sample": _sample, "dubai": _dubai}
