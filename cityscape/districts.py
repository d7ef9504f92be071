"""The districts of the scene, as a town hall hands them out: outlines with names, in degrees."""

import zlib
from pathlib import Path

import affine
import numpy as np
from scipy import ndimage

from . import quarters, water
from .city import CITY, CRS, City
from .dataset import scene_window
from .folders import whole_folder
from .quarters import OPEN_SEA
from .scene import transform

VERSION = 1
FILE = "districts.gpkg"
#: Town halls give longitude and latitude, whatever CRS a scene has.
DEGREES = "EPSG:4326"
_STEP = 4  # pixels of the scene between two places that are looked at
_LEAST = 2.0  # hectares: what is smaller goes to the neighbor that it borders on most
_SMOOTH = 6.0  # meters: corners go whose triangle is smaller than a square of this side
#: What each kind of quarter is called; several of a kind get a point of the compass, too.
_CALLED = ("Harbor", "Old Town", "Villas", "Towers", "Gardens", "Sands")
_WINDS = ("East", "North", "West", "South")


def write_districts(folder: str | Path, city: City = CITY) -> Path:
    """Make the outlines of the scene's districts, `districts.gpkg`, whole or not at all.

    A district is a quarter of the city, or its part on one bank of a creek, as far as the scene
    shows it. All of them together cover the scene without a gap or an overlap, but for the open
    sea, which is no district.

    Args:
        folder: where it goes; a finished one of this version and city is left as it is.
        city: which world.

    Returns:
        The folder. Columns of the file: name, kind, and geometry in EPSG:4326.

    Raises:
        FileExistsError: the folder holds something else.
    """
    stamp = {"version": VERSION, "kind": "districts", "city": zlib.crc32(repr(city).encode())}
    return whole_folder(folder, stamp, lambda part: _write(part / FILE, city))


def _write(path: Path, city: City) -> None:
    import geopandas
    import shapely
    from rasterio.features import shapes

    numbers, kinds, place = _lay_out(city)
    found = shapes(numbers.astype(np.int32), mask=numbers > 0, transform=place)
    outlines, which = zip(*((shapely.geometry.shape(g), int(n)) for g, n in found), strict=True)
    outlines = shapely.coverage_simplify(outlines, _SMOOTH)  # neighbors move together
    kind = [kinds[number] for number in which]
    middles = [(outline.centroid.x, outline.centroid.y) for outline in outlines]
    columns = {"name": _names(kind, middles), "kind": [city.quarters[k].name for k in kind]}
    table = geopandas.GeoDataFrame(columns, geometry=list(outlines), crs=CRS)
    table.to_crs(DEGREES).to_file(path, driver="GPKG")


def _lay_out(city: City) -> tuple[np.ndarray, dict[int, int], affine.Affine]:
    """Number the districts on a coarse grid of the scene.

    Returns:
        int64 (H, W) numbers from 1, 0 in the open sea; the kind of each; the grid's transform.
    """
    row, column, height, width = scene_window(city)
    down, right = -(-height // _STEP), -(-width // _STEP)
    x = (column + (np.arange(right)[None, :] + 0.5) * _STEP) * city.pixel
    y = (row + (np.arange(down)[:, None] + 0.5) * _STEP) * city.pixel
    plan = quarters.plan(*quarters.bend(x, y, city.seed), city)
    home, kind = plan.home.reshape(down, right), np.array([site.kind for site in plan.sites])
    side = 2 * home + water.bank(x, y, city.seed)
    numbers, last = np.zeros(home.shape, np.int64), 0
    for value in np.unique(side[kind[home] != OPEN_SEA]):
        parts, count = ndimage.label(side == value)
        numbers[parts > 0] = last + parts[parts > 0]
        last += count
    numbers = _without_slivers(numbers, _LEAST * 10_000 / (_STEP * city.pixel) ** 2)
    kinds = {n: _most(kind[home[numbers == n]]) for n in np.unique(numbers[numbers > 0]).tolist()}
    pixel, _, west, _, _, north, *_ = transform(row, column, city)
    return numbers, kinds, affine.Affine(pixel * _STEP, 0, west, 0, -pixel * _STEP, north)


def _without_slivers(numbers: np.ndarray, least: float) -> np.ndarray:
    """Give districts of fewer cells to the neighbor that they border on most, smallest first."""
    numbers, alone = numbers.copy(), set()
    while True:
        count = np.bincount(numbers.ravel())
        small = [n for n in np.argsort(count) if n and 0 < count[n] < least and n not in alone]
        if not small:
            return numbers
        inside = numbers == small[0]
        around = numbers[ndimage.binary_dilation(inside) & ~inside & (numbers > 0)]
        if len(around):
            numbers[inside] = _most(around)
        else:
            alone.add(small[0])


def _most(values: np.ndarray) -> int:
    """Return the most frequent of whole numbers from 0."""
    return int(np.bincount(values.ravel()).argmax())


def _names(kinds: list[int], middles: list[tuple[float, float]]) -> list[str]:
    """Name districts after their kind; of several, after the side of their common middle, too."""
    names = []
    for kind, middle in zip(kinds, middles, strict=True):
        alike = [m for k, m in zip(kinds, middles, strict=True) if k == kind]
        east, north = np.subtract(middle, np.mean(alike, axis=0))
        wind = _WINDS[round(np.degrees(np.arctan2(north, east)) / 90) % 4]
        name = f"{_CALLED[kind]} {wind}" if len(alike) > 1 else _CALLED[kind]
        again = sum(other.split(" (")[0] == name for other in names)
        names.append(f"{name} ({again + 1})" if again else name)
    return names
