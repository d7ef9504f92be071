"""What a data set is: its card, its tiles, how they are read, how images and masks pair up."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

from segkit import rasters
from segkit.classes import ClassScheme

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
RASTER_SUFFIXES = (".tif", ".tiff")
#: What the pixels of an image may be; float64 becomes float32.
PIXEL_TYPES = ("uint8", "uint16", "int16", "float32")


class DatasetNotFound(FileNotFoundError):
    """A data set is not where it should be; the message says how to get it."""


class DatasetError(ValueError):
    """A file of a data set is not what it should be; the message names the file."""


@dataclass(frozen=True)
class Card:
    """What travels with the pixels: from the data set through both stores to model and map.

    Attributes:
        dataset: name of the data set.
        scheme: its classes.
        bands: name of each band, in order.
        dtype: of the pixels: uint8, uint16, int16 or float32.
        ranges: for each band, the two values that become 0 and 255; empty until measured.
        gsd: ground sample distance, meters a pixel is wide; None where nobody knows.
        parts: whether the images of a group are numbered parts, the last of them held out.
        fingerprint: of all pixels and classes; empty until they are stored.
    """

    dataset: str
    scheme: ClassScheme
    bands: Sequence[str] = ("red", "green", "blue")
    dtype: str = "uint8"
    ranges: Sequence[tuple[float, float]] = ()
    gsd: float | None = None
    parts: bool = False
    fingerprint: str = ""

    def __post_init__(self):
        object.__setattr__(self, "bands", tuple(self.bands))
        known = self.ranges or (((0, 255),) * len(self.bands) if self.dtype == "uint8" else ())
        object.__setattr__(self, "ranges", tuple((float(a), float(b)) for a, b in known))
        if self.ranges and len(self.ranges) != len(self.bands):
            raise ValueError(f"{len(self.bands)} bands, but {len(self.ranges)} ranges")

    def scaled(self, image: np.ndarray) -> np.ndarray:
        """Turn pixels (..., bands) of any type into float32, 0–255; not a number becomes 0."""
        plain = image.dtype == np.uint8 and set(self.ranges) == {(0.0, 255.0)}
        image = np.asarray(image, np.float32)
        if plain:
            return image
        low, high = np.array(self.ranges, np.float32).T
        return np.nan_to_num((image - low) * (255 / (high - low))).clip(0, 255)

    def to_json(self) -> str:
        """Return the card as text; `Card.from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """Read what `to_json` wrote."""
        found = json.loads(text)
        return cls(**{**found, "scheme": ClassScheme(**found["scheme"])})


@dataclass(frozen=True)
class Tile:
    """One source image with its mask.

    Attributes:
        id: unique name within the data set; no slash in it.
        group: what must not be split over training, validation and test under `by="group"`.
        image: path of the image.
        mask: path of the mask.
    """

    id: str
    group: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Dataset:
    """Tiles that share a card.

    Attributes:
        card: name, classes, bands.
        tiles: all tiles, sorted by id.
        recolor: colors outside the scheme that are read, on purpose, as a named class.
    """

    card: Card
    tiles: Sequence[Tile]
    recolor: Mapping[tuple[int, int, int], str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.card.dataset

    @property
    def scheme(self) -> ClassScheme:
        """The classes of the masks."""
        return self.card.scheme

    def files(self) -> str:
        """Return a digest of names, sizes and times of all files: another one, other data."""
        paths = [path for tile in self.tiles for path in (tile.image, tile.mask)]
        known = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
        return hashlib.sha256(repr(known).encode()).hexdigest()[:16]

    def read(self, tile: Tile) -> tuple[np.ndarray, np.ndarray, int]:
        """Read one tile.

        Returns:
            image (H, W, bands) as the card's dtype, mask uint8 (H, W), and the number of pixels
            that were recolored.

        Raises:
            DatasetError: a broken file, a wrong mode, other bands than the card's, or image and
                mask of different size.
            UnknownColorError: a color that neither the scheme nor `recolor` knows.
        """
        image, (mask, recolored) = read_image(tile.image), self._mask(tile.mask)
        if image.shape[:2] != mask.shape:
            sizes = f"the mask is {mask.shape}, its image {image.shape[:2]} (rows, columns)"
            raise DatasetError(
                f"{tile.mask}: {sizes}. Nothing is resized: put the right one there."
            )
        bands, count = len(self.card.bands), image.shape[2]
        if (count, image.dtype) != (bands, self.card.dtype):
            first = f"the first image of the data set has {bands} of {self.card.dtype}"
            raise DatasetError(f"{tile.image}: {count} bands of {image.dtype}, but {first}")
        return image, mask, recolored

    def _mask(self, path: Path) -> tuple[np.ndarray, int]:
        """Read class indices from colors, or from a GeoTIFF of one band that holds them."""
        if path.suffix.lower() in RASTER_SUFFIXES:
            found = read_image(path)
            if found.shape[2] == 1:
                if found.dtype != np.uint8 or found.max() >= len(self.scheme):
                    here = f"values up to {found.max()} of {found.dtype}"
                    raise DatasetError(f"{path}: {here}, not uint8, 0 to {len(self.scheme) - 1}")
                return found[..., 0], 0
        rgb_mask, recolored = read_rgb_mask(path), 0
        for color, name in self.recolor.items():
            where = (rgb_mask == color).all(axis=-1)
            rgb_mask[where] = self.scheme.colors[self.scheme.names.index(name)]
            recolored += int(where.sum())
        return self.scheme.decode(rgb_mask, source=path), recolored


def described(path: Path, **known) -> Card:
    """Return a card whose bands, dtype and pixel size are those of an image file."""
    names, dtype, gsd = with_rasterio(
        path,
        lambda raster: (rasters.band_names(raster), raster.dtypes[0], rasters.pixel_size(raster)),
    )
    return Card(bands=names, dtype="float32" if dtype == "float64" else dtype, gsd=gsd, **known)


def read_image(path: Path) -> np.ndarray:
    """Read an image (H, W, C) in its own dtype; PNG and JPEG must be RGB, GeoTIFF has any bands."""
    if path.suffix.lower() not in RASTER_SUFFIXES:
        return _with_pillow(path, ("RGB",))
    image = with_rasterio(path, lambda raster: np.moveaxis(raster.read(), 0, -1))
    image = image.astype(np.float32) if image.dtype == np.float64 else image
    if image.dtype.name not in PIXEL_TYPES:
        raise DatasetError(f"{path}: pixels are {image.dtype}, none of {', '.join(PIXEL_TYPES)}")
    return image


def read_rgb_mask(path: Path) -> np.ndarray:
    """Read a color mask as uint8 (H, W, 3), alike from an RGB and from a palette file."""
    if path.suffix.lower() in RASTER_SUFFIXES:
        return read_image(path)
    return _with_pillow(path, ("RGB", "P")).copy()


def georeference(path: Path) -> tuple[str | None, tuple | None]:
    """Return the CRS (as "EPSG:…" or WKT) and the six transform numbers of a file, or None."""
    crs, transform = with_rasterio(path, lambda raster: (raster.crs, raster.transform))
    return (crs.to_string(), tuple(transform)[:6]) if crs else (None, None)


def _with_pillow(path: Path, modes: tuple[str, ...]) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            if picture.mode not in modes:
                wanted = f"{' or '.join(modes)}; save it so, masks in the colors of the scheme"
                raise DatasetError(f"{path}: mode {picture.mode!r}, expected {wanted}")
            return np.asarray(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{path}: broken or cut off ({error}). Download it again.") from error


def with_rasterio(path: Path, job: Callable):
    """Open a file with rasterio and do something with it; a broken one is a DatasetError."""
    try:
        with rasters.opened(path) as raster:
            return job(raster)
    except rasterio.errors.RasterioError as error:
        raise DatasetError(f"{path}: cannot be read ({error}). Download it again.") from error


def pairs(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Pair image and mask files by name; never by their order in a listing."""
    image_of, mask_of = _by_stem(images), _by_stem(masks)
    for stem in sorted(image_of.keys() ^ mask_of.keys()):
        if stem in image_of:
            raise DatasetError(f"{image_of[stem]}: no mask of that name in {masks}")
        raise DatasetError(f"{mask_of[stem]}: no image of that name in {images}")
    return [(image_of[stem], mask_of[stem]) for stem in sorted(image_of, key=natural)]


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


def natural(path: Path | str) -> list:
    """Sort "Tile 2" before "Tile 10"."""
    parts = re.split(r"(\d+)", str(getattr(path, "name", path)))
    return [int(part) if part.isdigit() else part for part in parts]
