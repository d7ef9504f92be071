"""A whole scene, window by window, blended, in constant memory.

Taught in notebook 07.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from segkit import models
from segkit.classes import ClassScheme
from segkit.files import progress, whole
from segkit.patches import patchify, starts

#: In a map, the value of pixels that the scene has no data for.
NODATA = 255
#: GDAL's own cache, in MB; without a bound it grows with the scene.
RASTER_CACHE_MB = 64
BLOCK = 256
OVERVIEWS = (2, 4, 8, 16)


def blending_window(size: int) -> np.ndarray:
    """Return float32 (size, size) weights: highest in the middle, low but never 0 at the border."""
    across = np.sin(np.pi * (np.arange(size, dtype=np.float32) + 0.5) / size) ** 2
    return np.outer(across, across)


def predict(
    model,
    source: str | Path,
    target: str | Path,
    window: int = 256,
    overlap: float = 0.5,
    batch_size: int = 8,
    tta: bool = False,
    bands: tuple[int, ...] | None = None,
    scaling: tuple[float, float] | None = None,
) -> Path:
    """Turn a scene into a class map that lies exactly where the scene lies.

    One row of windows at a time is read, predicted, blended and written, so that memory depends on
    the scene's width, not on its height.

    Args:
        model: takes (B, window, window, bands) of 0–255, returns probabilities; its `.scheme`
            (see `training.load`) gives the map its names and colors.
        source: any raster that rasterio opens.
        target: the map: GeoTIFF, uint8 class indices, 255 where the scene has no data; CRS and
            transform are the scene's.
        window: pixels of a window, both ways; a multiple of 32.
        overlap: share of a window that the next one repeats.
        batch_size: windows predicted at once.
        tta: average over the eight turns and flips of each window; eight times the work.
        bands: which bands to read, from 1; the first ones by default.
        scaling: (low, high) values of the source that become 0 and 255; needed unless it is uint8.

    Returns:
        `target`.

    Raises:
        ValueError: band count, data type or window size do not fit.
    """
    target = Path(target)
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=RASTER_CACHE_MB):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(source) as scene, whole(target) as part:
            bands = _checked_bands(scene, model, bands, scaling, window)
            with rasterio.open(part, "w", **_profile(scene)) as written:
                for row, indices in _rows(
                    model, scene, bands, scaling, window, overlap, batch_size, tta
                ):
                    area = Window(0, row, scene.width, len(indices))
                    written.write(np.where(_valid(scene, area), indices, NODATA), 1, window=area)
                _describe(written, getattr(model, "scheme", None))
            with rasterio.open(part, "r+") as written:
                fitting = [k for k in OVERVIEWS if k * BLOCK <= max(scene.width, scene.height)]
                written.build_overviews(fitting, Resampling.nearest)
    return target


def _rows(model, scene, bands, scaling, window, overlap, batch_size, tta):
    """Yield (first row, uint8 class indices (rows, width)) from the top of the scene down."""
    weight = blending_window(window)[..., None]
    rows, columns = starts(scene.height, window, overlap), starts(scene.width, window, overlap)
    total = np.zeros((window, max(scene.width, window), 1), np.float32)
    for row, following in zip(progress(rows, "map"), [*rows[1:], scene.height], strict=True):
        strip = patchify(_strip(scene, row, window, bands, scaling), window, overlap)[0]
        for first in range(0, len(columns), batch_size):
            found = models.predict(model, strip[first : first + batch_size], tta)
            if total.shape[-1] != found.shape[-1]:
                total = np.zeros((*total.shape[:2], found.shape[-1]), np.float32)
            for column, probability in zip(columns[first:], found, strict=False):
                total[:, column : column + window] += weight * probability
        done = following - row
        yield row, total[:done, : scene.width].argmax(axis=-1).astype(np.uint8)
        total = np.concatenate([total[done:], np.zeros_like(total[:done])])


def _strip(scene, row: int, window: int, bands, scaling) -> np.ndarray:
    """Read float32 (rows, width, bands), 0–255; fewer rows than a window in a low scene."""
    area = Window(0, row, scene.width, min(window, scene.height - row))
    strip = np.moveaxis(scene.read(bands, window=area), 0, -1).astype(np.float32)
    if scaling:
        low, high = scaling
        strip = np.nan_to_num((strip - low) * (255 / (high - low))).clip(0, 255)
    return strip


def _valid(scene, area: Window) -> np.ndarray:
    """Return where the scene has data, bool (rows, width)."""
    return scene.dataset_mask(window=area) > 0


def _checked_bands(scene, model, bands, scaling, window: int) -> tuple[int, ...]:
    wanted = getattr(model, "input_shape", (None,) * 4)[-1] or len(bands or (1, 2, 3))
    bands = tuple(bands or range(1, wanted + 1))
    if len(bands) != wanted or max(bands) > scene.count or min(bands) < 1:
        raise ValueError(
            f"{scene.name}: bands {bands} of {scene.count}, but the model takes {wanted}. "
            "Choose with bands=(…), counted from 1."
        )
    if scene.dtypes[0] != "uint8" and scaling is None:
        raise ValueError(
            f"{scene.name}: pixels are {scene.dtypes[0]}. State which values become 0 and 255, "
            "for instance scaling=(0, 3000)."
        )
    if window < 32 or window % 32:
        raise ValueError(f"window={window}: a multiple of 32, such as {max(32, window // 32 * 32)}")
    return bands


def _profile(scene) -> dict:
    return {
        "driver": "GTiff",
        "width": scene.width,
        "height": scene.height,
        "count": 1,
        "dtype": "uint8",
        "crs": scene.crs,
        "transform": scene.transform,
        "nodata": NODATA,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
    }


def _describe(written, scheme: ClassScheme | None) -> None:
    """Give the map its color table and its class names."""
    if scheme is None:
        return
    colors = {i: (*color, 255) for i, color in enumerate(scheme.colors)}
    written.write_colormap(1, {**colors, NODATA: (0, 0, 0, 0)})
    written.update_tags(scheme=json.dumps(scheme.to_dict()))


def scheme_of(map_tif: str | Path) -> ClassScheme | None:
    """Return the class scheme that a map carries, or None."""
    with rasterio.open(map_tif) as raster:
        stored = raster.tags().get("scheme")
    return ClassScheme(**json.loads(stored)) if stored else None
