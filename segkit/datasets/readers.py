"""Images and masks as arrays, from JPEG, PNG, GeoTIFF and HDF5, whole or some rows of them."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import rasterio
from PIL import Image
from rasterio.windows import Window

from segkit import rasters

RASTERS, CHIPS = (".tif", ".tiff"), (".h5", ".hdf5")
SUFFIXES = (".jpg", ".jpeg", ".png", *RASTERS, *CHIPS)
#: What the pixels of an image may be; float64 becomes float32.
PIXEL_TYPES = ("uint8", "uint16", "int16", "float32")
#: Rows of a GeoTIFF: the first, and the one after the last.
Rows = tuple[int, int] | None


class DatasetError(ValueError):
    """A file of a data set is not what it should be; the message names the file."""


def read_image(path: Path, rows: Rows = None) -> np.ndarray:
    """Read an image (H, W, C) in its own dtype; PNG and JPEG must be RGB, others have any bands.

    Args:
        path: JPEG, PNG, GeoTIFF, or HDF5 that holds one array (H, W, C).
        rows: of a GeoTIFF, the rows to read; all of them by default.

    Raises:
        DatasetError: no such file, a broken one, or pixels of another type.
    """
    image = np.atleast_3d(_read(path, rows, ("RGB",)))
    image = image.astype(np.float32) if image.dtype == np.float64 else image
    if image.dtype.name not in PIXEL_TYPES:
        raise DatasetError(f"{path}: pixels are {image.dtype}, none of {', '.join(PIXEL_TYPES)}")
    return image


def read_mask(path: Path, rows: Rows = None, palette: bool = True) -> np.ndarray:
    """Read a mask: class numbers (H, W) where the file has one band, else colors (H, W, 3).

    Args:
        path, rows: as in `read_image`.
        palette: read a PNG with a palette as colors; as the numbers that it stores if False.
    """
    mask = _read(path, rows, ("RGB", "P", "L", "1"), palette)
    return mask[..., 0] if mask.ndim == 3 and mask.shape[2] == 1 else mask


def read_rgb_mask(path: Path) -> np.ndarray:
    """Read a color mask as uint8 (H, W, 3), alike from an RGB and from a palette file."""
    return read_mask(path).copy()


def size(path: Path) -> tuple[int, int]:
    """Return an image's height and width; its pixels are not read."""
    if path.suffix.lower() in RASTERS:
        return described(path, lambda raster: raster.shape)
    with _opened(path) as found:
        return found.shape[:2] if isinstance(found, h5py.Dataset) else found.size[::-1]


def described(path: Path, job: Callable):
    """Open a file with rasterio and do something with it; a broken one is a DatasetError."""
    try:
        with rasters.opened(path) as raster:
            return job(raster)
    except (rasterio.errors.RasterioError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}). Download it again.") from error


def nodata(path: Path) -> float | None:
    """Return the number that stands for no data in an image file, where it names one."""
    return None if path.suffix.lower() in CHIPS else described(path, lambda raster: raster.nodata)


def georeference(path: Path) -> tuple[str | None, tuple | None]:
    """Return the CRS (as "EPSG:…" or WKT) and the six transform numbers of a file, or None."""
    if path.suffix.lower() in CHIPS:
        return None, None
    crs, transform = described(path, lambda raster: (raster.crs, raster.transform))
    return (crs.to_string(), tuple(transform)[:6]) if crs else (None, None)


def _read(path: Path, rows: Rows, modes: tuple[str, ...], palette: bool = True) -> np.ndarray:
    if path.suffix.lower() in RASTERS:

        def pixels(raster):
            first, last = rows or (0, raster.height)
            window = Window(0, first, raster.width, last - first)
            # What has no data is no number; but in masks, 0 may be both a class and no data.
            floats = "P" not in modes and raster.dtypes[0].startswith("float")
            return np.ma.filled(raster.read(window=window, masked=floats), np.nan)

        return np.moveaxis(described(path, pixels), 0, -1)
    with _opened(path) as picture:
        if isinstance(picture, h5py.Dataset):
            return picture[:].astype(picture.dtype.newbyteorder("="), copy=False)
        lossy = picture.format == "JPEG" and picture.mode == "L"  # no class number survives that
        if picture.mode not in modes or lossy or ";16" in str(picture.tile):
            wanted = f"{' or '.join(modes)} in 8 bits; save it so, masks as PNG"
            raise DatasetError(f"{path}: {picture.format}, mode {picture.mode!r}, not {wanted}")
        return np.asarray(picture.convert("RGB") if palette and picture.mode == "P" else picture)


@contextmanager
def _opened(path: Path):
    """Open a picture, or the only array of an HDF5 file; what cannot be read is a DatasetError."""
    try:
        with (h5py.File if path.suffix.lower() in CHIPS else Image.open)(path) as file:
            yield _only_array(path, file) if isinstance(file, h5py.File) else file
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except (OSError, SyntaxError, RuntimeError, KeyError, Image.DecompressionBombError) as error:
        told = f"{path}: broken or cut off, or too large ({error})"
        raise DatasetError(f"{told}. Download it again, or save it as GeoTIFF.") from error


def _only_array(path: Path, file: h5py.File) -> h5py.Dataset:
    found = [part for part in file.values() if isinstance(part, h5py.Dataset)]
    if len(found) != 1 or found[0].ndim not in (2, 3):
        raise DatasetError(f"{path}: holds {', '.join(file) or 'nothing'}, not one image")
    return found[0]
