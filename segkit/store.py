"""Tiles in HDF5: write once, atomically; read any window.

Taught in notebook 01. A store holds `/tiles/<id>/image` (H, W, C) in the data's own dtype and
`/tiles/<id>/mask` uint8 (H, W), with the attributes `group`, `crs`, `transform` and `source`; the
card is an attribute of the file.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import rasterio

from segkit import domain
from segkit.classes import ClassScheme
from segkit.datasets import Card, Dataset, DatasetError, Tile, georeference, nodata, size
from segkit.files import progress, shown, whole
from segkit.rasters import CACHE_MB

FORMAT = "segkit tiles 2"
#: Each format, and the call that makes such a file.
MAKERS = {FORMAT: "store.build", "segkit patches 2": "patches.cut"}
#: Rows and columns of one chunk: a window read touches only the chunks below it.
CHUNK = 256
#: Pixels of each training tile, evenly spread, from which the range of each band is measured, and
#: of all of them; the percentiles that become 0 and 255: a few outliers do not darken all else.
SAMPLE, MOST, PERCENTILES = 20_000, 4_000_000, (0.5, 99.5)


def build(dataset: Dataset, path: str | Path, strips: Callable | None = None) -> Path:
    """Write all tiles of a data set into one HDF5 file, whole or not at all.

    Args:
        dataset: what `datasets.find` gave.
        path: where the store goes; an older one there is replaced once the new one is complete.
        strips: reads a tile as `dataset.strips` does, which it is by default.

    Returns:
        `path`. Its card is the data set's, with the fingerprint of all pixels and, where pixels
        are not uint8, the range of each band, measured on the tiles that the default split trains
        on (all of them where they are too few to split); and how colors and texture spread.

    Raises:
        DatasetError, UnknownColorError: a tile cannot be read; any older store is left as it was.
    """
    if not len(dataset.tiles):
        raise DatasetError(f"{dataset.name}: a data set without tiles")
    training = dataset.training()
    digest, samples, looks, recolored = hashlib.sha256(repr(dataset.scheme).encode()), [], [], 0
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB), whole(path) as part, h5py.File(part, "w") as file:
        for tile in progress(dataset.tiles, "tiles.h5"):
            stored = _created(file, dataset.card, tile)
            digest.update(tile.id.encode())
            lost = None if dataset.card.ranges else nodata(tile.image)
            step = max(1, round((stored["mask"].size / min(SAMPLE, MOST // len(training))) ** 0.5))
            for row, image, mask, changed in (strips or dataset.strips)(tile):
                digest.update(image.tobytes() + mask.tobytes())
                if not dataset.card.ranges and tile.id in training:
                    pixels = image[::step, ::step].reshape(-1, image.shape[2])
                    samples.append(np.where(pixels == lost, np.float32(np.nan), pixels))
                looks += domain.describe(image)
                stored["image"][row : row + len(image)] = image
                stored["mask"][row : row + len(mask)] = mask
                stored.attrs["recolored_pixels"] += changed
            recolored += int(stored.attrs["recolored_pixels"])
        ranges = _ranges(samples) if samples else dataset.card.ranges
        known = {"fingerprint": digest.hexdigest()[:16], "ranges": ranges}
        card = dataclasses.replace(dataset.card, **known, spread=domain.spread(looks)).to_json()
        file.attrs.update(card=card, files=dataset.files(), recolored_pixels=recolored)
        file.attrs["format"] = FORMAT
    return Path(path)


def _ranges(samples: list[np.ndarray]) -> list[tuple[float, float]]:
    """Measure what becomes 0 and 255 in each band of some pixels (N, bands)."""
    bands = [band[np.isfinite(band)] for band in np.concatenate(samples).T]
    if not all(map(len, bands)):
        raise DatasetError("a band holds no number in any tile: leave it out")
    ends = [np.percentile(band.astype(float), PERCENTILES) for band in bands]
    return [(low, max(high, low + 1e-6 * abs(low) + 1e-30)) for low, high in ends]


def _created(file: h5py.File, card: Card, tile: Tile) -> h5py.Group:
    """Return the group of a tile: what it comes from, and two arrays to be filled."""
    group, (height, width) = file.create_group(f"tiles/{tile.id}"), size(tile.image)
    chunks, shape, bands = (min(CHUNK, height), min(CHUNK, width)), (height, width), len(card.bands)
    # Photographs hardly shrink and would be slower to read; masks shrink fifty-fold.
    group.create_dataset("image", (*shape, bands), card.dtype, chunks=(*chunks, bands))
    group.create_dataset("mask", shape, "u1", chunks=chunks, compression=1)
    (crs, transform), source = georeference(tile.image), "/".join(tile.image.parts[-3:])
    group.attrs.update(group=tile.group, crs=crs or "", transform=transform or (), source=source)
    group.attrs["recolored_pixels"] = 0
    return group


@contextmanager
def opened(path: str | Path, expected: str | None = None) -> Iterator[h5py.File]:
    """Open a file of tiles or of patches for reading, and refuse what is no complete one.

    Args:
        path: what `build` or `patches.cut` wrote.
        expected: `store.FORMAT` or `patches.FORMAT`; either by default.

    Raises:
        FileNotFoundError: there is none; says which call makes one.
        ValueError: the file is broken, incomplete or of another kind.
    """
    path, maker = Path(path), " or ".join([MAKERS[expected]] if expected else MAKERS.values())
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)} does not exist: make it with {maker}(…)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        told = f"{shown(path)} cannot be read as HDF5 ({error})"
        raise ValueError(f"{told}: close it elsewhere, or use {maker}(…)") from error
    with file:
        if file.attrs.get("format") not in ([expected] if expected else MAKERS):
            kind, wanted = file.attrs.get("format"), expected or " or ".join(MAKERS)
            raise ValueError(f"{shown(path)}: format {kind!r}, not {wanted}; use {maker}(…)")
        yield file


def attributes(path: str | Path) -> dict:
    """Return the attributes of a file of tiles or of patches."""
    with opened(path) as file:
        return dict(file.attrs)


def card(path: str | Path | h5py.File) -> Card:
    """Return the card that a file of tiles or of patches carries; an opened one will do."""
    found = path.attrs if isinstance(path, h5py.File) else attributes(path)
    return Card.from_json(found["card"])


def scheme(path: str | Path | h5py.File) -> ClassScheme:
    """Return the class scheme that a file of tiles or of patches carries."""
    return card(path).scheme


def index(path: str | Path) -> pd.DataFrame:
    """List the tiles: columns group, height, width (pixels), crs, recolored_pixels; index id."""
    columns = ["group", "height", "width", "crs", "recolored_pixels"]
    with opened(path, FORMAT) as file:
        tiles = [({"id": k, **x.attrs}, *x["mask"].shape) for k, x in file["tiles"].items()]
    rows = [known | {"height": height, "width": width} for known, height, width in tiles]
    return pd.DataFrame(rows).set_index("id")[columns]


def read(path: str | Path, tile_id: str, row=0, column=0, height=None, width=None) -> tuple:
    """Read a window of a tile; all of it by default.

    Args:
        path: the store.
        tile_id: which tile.
        row, column: upper left pixel of the window.
        height, width: its size in pixels; to the tile's border by default.

    Returns:
        image (height, width, C) in the data's own dtype, and mask uint8 (height, width).

    Raises:
        KeyError: no tile of that id.
        IndexError: the window leaves the tile.
    """
    with opened(path, FORMAT) as file:
        if tile_id not in file["tiles"]:
            raise KeyError(f"no tile {tile_id!r} in {shown(path)}; store.index lists them")
        return window(file["tiles"][tile_id], row, column, height, width)


def window(tile: h5py.Group, row: int, column: int, height=None, width=None) -> tuple:
    """Read a window of an opened tile; see `read`."""
    rows, columns = tile["mask"].shape
    height = rows - row if height is None else height
    width = columns - column if width is None else width
    if min(row, column, height, width) < 0 or row + height > rows or column + width > columns:
        where = f"{height}×{width} at row {row}, column {column}"
        raise IndexError(f"window of {where} leaves the tile {tile.name} of {rows}×{columns}")
    area = np.s_[row : row + height, column : column + width]
    return tile["image"][area], tile["mask"][area]
