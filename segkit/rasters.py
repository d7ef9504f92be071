"""Class maps and other rasters on disk: no-data, bands, pixel size, read, write, warp.

Taught in notebook 07.
"""

import contextlib
import json
import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
import rasterio.shutil
from pyproj import Geod, Transformer
from rasterio import windows
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.merge import merge
from rasterio.vrt import WarpedVRT

from segkit.classes import ClassScheme
from segkit.files import whole

#: In a map, the value of pixels that the scene has no data for.
NODATA = 255
#: Pixels on a side of the squares that a map is stored in.
BLOCK = 256
#: The longer side of a picture that is read from a raster, in pixels.
LONGEST_SIDE = 1500
#: GDAL's own cache, in MB; without a bound it grows with the scene.
CACHE_MB = 64
#: The ellipsoid that lengths and areas are measured on.
EARTH = Geod(ellps="WGS84")


def opened(path: str | Path, mode: str = "r", **profile):
    """Open a raster as `rasterio.open` does; one without a place is fine."""
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        return rasterio.open(path, mode, **profile)


def band_names(raster) -> tuple[str, ...]:
    """Return the names of an opened raster's bands: stated, or red, green, blue, or "band 1" …"""
    known = {c: c.name for c in (ColorInterp.red, ColorInterp.green, ColorInterp.blue)}
    pairs = enumerate(zip(raster.descriptions, raster.colorinterp, strict=True), 1)
    return tuple((s or "").strip().lower() or known.get(c, f"band {i}") for i, (s, c) in pairs)


def facts(raster) -> dict:
    """Return what a card says of an opened raster: bands, dtype, gsd."""
    return {"bands": band_names(raster), "dtype": raster.dtypes[0], "gsd": pixel_size(raster)}


def pixel_size(raster) -> float | None:
    """Return the meters that a pixel in the middle of an opened raster is wide on the ground.

    None without a CRS, and where it says nothing of the ground: a drawing's own, a place off Earth.
    """
    if raster.crs is None or not (raster.crs.is_projected or raster.crs.is_geographic):
        return None
    row, columns = raster.height // 2, raster.width // 2 + np.arange(2)
    ends = raster.xy([row, row], columns, offset="ul")
    with contextlib.suppress(RuntimeError):  # another body's
        meters = EARTH.line_length(*to_degrees(raster.crs).transform(*ends))
        return round(meters, 4) if math.isfinite(meters) else None


def to_degrees(crs) -> Transformer:
    """Return what turns x and y of a CRS into longitude and latitude."""
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def scheme_of(map_tif: str | Path) -> ClassScheme | None:
    """Return the class scheme that a map carries, or None."""
    with opened(map_tif) as raster:
        stored = raster.tags().get("scheme")
    return ClassScheme(**json.loads(stored)) if stored else None


def read(raster, window=None) -> tuple[np.ndarray, np.ndarray]:
    """Read a class map, or a window of it, from an opened raster.

    Returns:
        Class indices uint8 (H, W), and where they are known, bool (H, W).

    Raises:
        ValueError: several bands, or pixels of another type.
    """
    if raster.dtypes != ("uint8",):
        raise ValueError(f"{raster.name}: bands of {raster.dtypes}; a class map has one, of uint8")
    return raster.read(1, window=window), raster.read_masks(1, window=window) > 0


def write(indices: np.ndarray, like: str | Path, target: str | Path) -> Path:
    """Write a class map that lies where another one lies, with its classes and colors.

    Args:
        indices: uint8 (H, W) class indices, 255 where there is no data.
        like: a class map of the same height and width.
        target: a cloud-optimized GeoTIFF.

    Returns:
        `target`.

    Raises:
        ValueError: another height or width, or not uint8.
    """
    with opened(like) as raster:
        if indices.shape != raster.shape or indices.dtype != np.uint8:
            raise ValueError(f"{indices.dtype} {indices.shape}, but {like} is uint8 {raster.shape}")
        with MemoryFile() as memory, whole(target) as part:
            with created(memory.name, raster) as written:
                written.write(indices, 1)
                written.update_tags(**raster.tags())
                with contextlib.suppress(ValueError):  # a map without colors of its own
                    written.write_colormap(1, raster.colormap(1))
            cloud_optimized(memory.name, part)
    return Path(target)


def created(path: str | Path, like, **profile):
    """Open a new plain GeoTIFF of uint8 that lies where an opened raster lies."""
    place = {key: like.profile[key] for key in ("width", "height", "crs", "transform")}
    how = {"driver": "GTiff", "dtype": "uint8", "nodata": NODATA, "count": 1}
    how["photometric"] = "minisblack"  # else four layers would be red, green, blue and opacity
    return opened(path, "w", **how | place | profile)


def cloud_optimized(plain: str | Path, target: str | Path) -> None:
    """Copy a raster of bytes as a cloud-optimized GeoTIFF: tiled, compressed, with overviews."""
    how = {"compress": "deflate", "blocksize": BLOCK, "overview_resampling": "nearest"}
    rasterio.shutil.copy(plain, target, driver="COG", bigtiff="IF_SAFER", **how)


def mosaic(maps: Iterable[str | Path], target: str | Path, crs=None) -> Path:
    """Join class maps into one; where they overlap, the first that has data counts.

    Args:
        maps: paths or addresses of maps with the same classes.
        target: a cloud-optimized GeoTIFF.
        crs: of the result; that of the first map by default. Maps of another one are warped.

    Returns:
        `target`.

    Raises:
        ValueError: maps with different classes.
    """
    with contextlib.ExitStack() as files, TemporaryDirectory() as folder, whole(target) as part:
        found = [files.enter_context(opened(one)) for one in maps]
        crs, tags, plain = crs or found[0].crs, found[0].tags(), Path(folder, "plain.tif")
        if any(one.tags().get("scheme") != tags.get("scheme") for one in found):
            raise ValueError("these maps have different classes")
        turned = [WarpedVRT(x, crs=crs, nodata=NODATA) if x.crs != crs else x for x in found]
        merge(turned, nodata=NODATA, dst_path=plain, dst_kwds={"driver": "GTiff", "tiled": False})
        with opened(plain, "r+") as joined:
            joined.update_tags(**tags)
        cloud_optimized(plain, part)
    return Path(target)


def warped(path: str | Path, crs, bounds=None, resampling=Resampling.bilinear) -> tuple | None:
    """Read a raster as a picture in another CRS, its longer side at most `LONGEST_SIDE` pixels.

    Args:
        path: a raster with a CRS; of three bands and more the first are red, green, blue.
        crs: of the picture.
        bounds: west, south, east, north in `crs` of the part to read; all of it by default.
        resampling: nearest for classes.

    Returns:
        uint8 (H, W, 4), red, green, blue and alpha; of classes, uint8 (H, W, 1) with 255 where
        there is no data; and its west, south, east, north. None where it lies outside the bounds.

    Raises:
        ValueError: the raster has no CRS.
    """
    with rasterio.open(path) as raster:
        if raster.crs is None:
            raise ValueError(f"{path} has no CRS: nobody knows where on a map it lies")
        classes, alpha = resampling == Resampling.nearest, ColorInterp.alpha in raster.colorinterp
        how = {"nodata": NODATA} if classes else {"add_alpha": not alpha}
        with WarpedVRT(raster, crs=crs, resampling=resampling, **how) as turned:
            part = windows.from_bounds(*(bounds or turned.bounds), turned.transform)
            part = windows.crop(part, turned.height, turned.width)
            if not part.width * part.height:
                return None
            part = windows.round_window_to_full_blocks(part, [(1, 1)], turned.height, turned.width)
            colors = [1, 2, 3] if raster.count >= 3 else [1, 1, 1]
            seen = [1] if classes else [*colors, turned.colorinterp.index(ColorInterp.alpha) + 1]
            pixels = shrunk(turned, seen, LONGEST_SIDE, part, resampling)
            pixels = np.uint8(pixels) if classes else as_bytes(pixels)
            return np.moveaxis(pixels, 0, -1), turned.window_bounds(part)


def shrunk(raster, bands, longest, window=None, resampling=Resampling.nearest, clear=False):
    """Read bands (bands, H, W) of an opened raster or a window, its longer side so long at most.

    With `clear`, one more band follows where pixels have no data: 0 there, else 255.
    """
    area = window or raster
    shrink = min(1, longest / max(area.height, area.width))
    size = [max(1, round(length * shrink)) for length in (area.height, area.width)]
    how = {"window": window, "resampling": resampling}
    pixels = raster.read(bands, out_shape=(len(bands), *size), **how)
    known = clear and raster.dataset_mask(out_shape=tuple(size), **how)
    return np.concatenate([pixels, known[None]]) if clear and not known.all() else pixels


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (bands, H, W) as uint8; other types are stretched from 2 to 98 percent."""
    if pixels.dtype == np.uint8 or (len(pixels) == 4 and not pixels[3].any()):
        return pixels.astype(np.uint8)
    low, high = np.nanpercentile(pixels[:3, pixels[3] > 0] if len(pixels) == 4 else pixels, (2, 98))
    stretched = np.nan_to_num((pixels - low) * (255 / max(high - low, 1e-12))).clip(0, 255)
    stretched[3:] = 255 * (pixels[3:] > 0)
    return stretched.astype(np.uint8)
