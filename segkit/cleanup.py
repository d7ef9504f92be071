"""Clean a class map as the field does it: majority filter, opening and closing, smallest area.

Every function takes class indices uint8 (H, W), leaves pixels without data as they are, and returns
a new array. Cleaning trades small true things for small false ones: score before and after.
"""

import numpy as np
from rasterio.features import sieve
from scipy import ndimage

from segkit.rasters import NODATA


def majority(mask: np.ndarray, size: int = 5) -> np.ndarray:
    """Give each pixel the most frequent class of the square around it.

    A pixel whose own class is among the most frequent keeps it; else the lowest number wins.

    Args:
        mask: uint8 (H, W).
        size: pixels of the square, both ways; an odd number.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size={size}: an odd number of pixels, such as 5")
    best, most = mask.copy(), np.zeros(mask.shape, np.float32)
    for klass in np.unique(mask[mask != NODATA]):
        inside = (mask == klass).astype(np.float32)
        share = ndimage.uniform_filter(inside, size, mode="constant") + inside * 0.5 / size**2
        more = share > most + 0.1 / size**2  # half a pixel settles ties, a tenth is rounding
        best[more], most[more] = klass, share[more]
    return np.where(mask == NODATA, mask, best)


def opening(mask: np.ndarray, klass: int, radius: int = 1) -> np.ndarray:
    """Take away what is thinner than a disk of a class; it goes to the nearest other class."""
    inside = (mask == klass) & (mask != NODATA)
    lost = inside & ~_morphed(ndimage.binary_opening, inside, radius)
    if not (others := ~inside & (mask != NODATA)).any():
        return mask.copy()
    where = ndimage.distance_transform_edt(~others, return_distances=False, return_indices=True)
    return np.where(lost, mask[tuple(where)], mask)


def closing(mask: np.ndarray, klass: int, radius: int = 1) -> np.ndarray:
    """Fill gaps in a class that are thinner than a disk."""
    closed = _morphed(ndimage.binary_closing, (mask == klass) & (mask != NODATA), radius)
    return np.where(closed & (mask != NODATA), klass, mask).astype(mask.dtype)


def minimum_area(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Merge areas of fewer pixels into their largest neighbor (minimum mapping unit; GDAL's sieve).

    Args:
        mask: uint8 (H, W).
        pixels: areas with fewer go; connected by sides, not by corners. Specks among nothing but
            specks stay: there is no area to join.
    """
    if not 2 <= pixels < mask.size:
        return mask.copy()
    return sieve(mask, size=pixels, connectivity=4, mask=mask != NODATA)


def _morphed(operation, inside: np.ndarray, radius: int) -> np.ndarray:
    """Open or close an area as if it went on beyond the picture's edge."""
    if radius < 1:
        raise ValueError(f"radius={radius}: 1 pixel or more")
    wide, across = 2 * radius, np.arange(-radius, radius + 1)
    disk = across**2 + across[:, None] ** 2 <= (radius + 0.5) ** 2
    return operation(np.pad(inside, wide, mode="edge"), disk)[wide:-wide, wide:-wide]
