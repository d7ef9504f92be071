"""What a data set is: its card, its tiles, and how they become arrays."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from segkit import rasters
from segkit.classes import ClassScheme
from segkit.datasets import readers
from segkit.datasets.readers import DatasetError, Rows

#: Pixels read at once from a GeoTIFF, in strips of whole chunks of rows. Parts of a split.
STRIP, CHUNK, SUBSETS = 2**22, 256, ("train", "validation", "test")
#: What stays together under each rule of a split: a column of the table of patches, or nothing.
RULES = {"patch": None, "image": "tile", "group": "group"}


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
        spread: of colors and texture over the tiles (see `domain`); empty until they are stored.
    """

    dataset: str
    scheme: ClassScheme
    bands: Sequence[str] = ("red", "green", "blue")
    dtype: str = "uint8"
    ranges: Sequence[tuple[float, float]] = ()
    gsd: float | None = None
    parts: bool = False
    fingerprint: str = ""
    spread: Mapping = field(default_factory=dict, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "bands", tuple(self.bands))
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
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
        return json.dumps(asdict(self), default=np.generic.item)

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
        values: what each class is in masks of numbers; 0, 1, 2 … by default.
        pure: whether each channel of a color is 0 or 255, and what lies between is cut at 128.
    """

    card: Card
    tiles: Sequence[Tile]
    recolor: Mapping[tuple[int, int, int], str] = field(default_factory=dict)
    values: Sequence[int] = ()
    pure: bool = False

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.card.dataset

    @property
    def scheme(self) -> ClassScheme:
        """The classes of the masks."""
        return self.card.scheme

    def files(self) -> str:
        """Return a digest of the card, and of names, groups, sizes and times of all files."""
        parts = [(x.id, x.group, path) for x in self.tiles for path in (x.image, x.mask)]
        known = [(*x, p.resolve(), p.stat().st_size, p.stat().st_mtime_ns) for *x, p in parts]
        told = repr((self.card, self.recolor, self.values, self.pure, known))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def training(self) -> set[str]:
        """Return the ids of those tiles that the default split trains on; of all if too few."""
        listed = pd.DataFrame(list(self.tiles)).rename(columns={"id": "tile"})
        with suppress(ValueError):
            return {*listed["tile"][deal(listed, self.card.parts) == 0]}
        return {*listed["tile"]}

    def read(self, tile: Tile, rows: Rows = None) -> tuple[np.ndarray, np.ndarray, int]:
        """Read one tile.

        Args:
            tile: which one.
            rows: the first row, and the one after the last, where image and mask are GeoTIFFs; all
                of them by default.

        Returns:
            image (H, W, bands) as the card's dtype, mask uint8 (H, W), and the number of pixels
            that were recolored.

        Raises:
            DatasetError: a broken file, a wrong mode, other bands than the card's, values of no
                class, or image and mask of different size.
            UnknownColorError: a color that neither the scheme nor `recolor` knows.
        """
        sizes = [readers.size(path) for path in (tile.image, tile.mask)]
        if sizes[0] != sizes[1]:
            both = f"the mask is {sizes[1]}, its image {sizes[0]} (rows, columns)"
            raise DatasetError(f"{tile.mask}: {both}. Nothing is resized: put the right one there.")
        image, (mask, recolored) = readers.read_image(tile.image, rows), self._mask(tile.mask, rows)
        bands, count = len(self.card.bands), image.shape[2]
        if (count, image.dtype) != (bands, self.card.dtype):
            first = f"the data set has {bands} of {self.card.dtype} (name them in dataset.toml)"
            raise DatasetError(f"{tile.image}: {count} bands of {image.dtype}, but {first}")
        return image, mask, recolored

    def strips(self, tile: Tile) -> Iterator[tuple]:
        """Read one tile in strips of rows that fit into memory.

        Yields:
            The strip's first row, and what `read` returns; all rows at once where the tile is
            small, or no pair of GeoTIFFs.
        """
        height, width = readers.size(tile.image)
        step = max(CHUNK, STRIP // width // CHUNK * CHUNK)
        whole = {p.suffix.lower() for p in (tile.image, tile.mask)} - set(readers.RASTERS)
        for row in range(0, height, height if whole else step):
            yield row, *self.read(tile, None if whole else (row, min(row + step, height)))

    def _mask(self, path: Path, rows: Rows) -> tuple[np.ndarray, int]:
        """Read class indices from colors or numbers; how many pixels were recolored."""
        found, recolored = readers.read_mask(path, rows, palette=not self.values), 0
        if found.ndim == 2:
            return self._indices(found, path), 0
        if found.shape[2] != 3 or found.dtype != np.uint8:
            many = f"{found.shape[2]} bands of {found.dtype}"
            raise DatasetError(f"{path}: {many}, neither numbers in one band nor RGB colors")
        found = found.copy()
        if self.pure:
            cut = np.where(found < 128, np.uint8(0), np.uint8(255))
            found, recolored = cut, int((cut != found).any(axis=-1).sum())
        for color, name in self.recolor.items():
            where = (found == color).all(axis=-1)
            found[where] = self.scheme.colors[self.scheme.names.index(name)]
            recolored += int(where.sum())
        return self.scheme.decode(found, source=path), recolored

    def _indices(self, found: np.ndarray, path: Path) -> np.ndarray:
        """Turn a mask of numbers (H, W) into class indices uint8."""
        values = np.array(self.values or range(len(self.scheme)))
        if {len(values), len({*values.tolist()})} != {len(self.scheme)} or values.min() < 0:
            many = f"{len(self.scheme)} classes need as many different values ≥ 0"
            raise DatasetError(f"{path}: {many}")
        if not np.isin(found, values).all():
            strange = np.setdiff1d(found, values)[:5].tolist()
            known = f"a mask of this data set holds whole numbers: {', '.join(map(str, values))}"
            raise DatasetError(f"{path}: {found.dtype} with {strange}, but {known}")
        class_of = np.zeros(values.max() + 1, np.uint8)
        class_of[values] = range(len(values))
        return class_of[found.astype(np.int64)]


def card_of(path: Path, **known) -> Card:
    """Return a card whose bands, dtype and pixel size are those of an image file, or as said."""
    chip = path.suffix.lower() in readers.CHIPS
    read = {"dtype": readers.read_image(path).dtype.name} if chip else {}
    found = read or readers.described(path, rasters.facts)
    return Card(**found | {"dtype": found["dtype"].replace("float64", "float32")} | known)


def deal(listed, parts: bool, by="image", fractions=(0.7, 0.15, 0.15), seed=0) -> np.ndarray:
    """Deal patches, or whole tiles, out to `SUBSETS` (see `patches.split`).

    Args:
        listed: a table with the columns tile and group.
        parts: whether the images of a group are numbered parts.
        by, fractions, seed: as in `patches.split`.

    Returns:
        uint8 (N,): the subset of each row.
    """
    if by not in RULES:
        raise ValueError(f"by={by!r}: choose one of {', '.join(RULES)}")
    if len(fractions) != 3 or min(fractions) < 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise ValueError(f"fractions {fractions}: three numbers from 0 on that sum to 1")
    rng, subset = np.random.default_rng(seed), np.zeros(len(listed), np.uint8)
    unit = listed[RULES[by]] if RULES[by] else pd.Series(listed.index)
    few = listed.groupby("group")["tile"].nunique().min() < len(SUBSETS)
    stratum = listed["group"] if by == "image" and not few else np.zeros(len(listed))
    for name in np.unique(stratum):
        inside = stratum == name
        names, still = np.unique(unit[inside]), by == "image" and parts
        order = np.roll(sorted(names, key=len), -int(seed)) if still else rng.permutation(names)
        subset[inside] = pd.Series(dealt(len(order), fractions), order)[unit[inside]]
    return subset


def dealt(count: int, fractions) -> np.ndarray:
    """Deal so many units out: the last to test, those before to validation, the rest to train."""
    if count < np.count_nonzero(fractions):
        raise ValueError(f"{count} image(s) or group(s) cannot fill {fractions}: try (1, 0, 0)")
    counts = [max(1, round(f * count)) if f else 0 for f in fractions[1:]]
    if not fractions[0]:
        counts[int(np.argmax(counts))] += count - sum(counts)
    while sum(counts) > count - bool(fractions[0]):
        counts[int(np.argmax(counts))] -= 1
    return np.repeat(np.arange(3), [count - sum(counts), *counts])
