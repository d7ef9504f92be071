"""Mountains with landslides, 14 bands and a mask, laid out like Landslide4Sense."""

import math
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy import ndimage

from segkit.files import progress as bar

from .folders import whole_folder
from .lattice import hashed, noise, octaves, uniform

VERSION = 2
FOLDER = Path("landslide", "landslide4sense")
SIZE, PIXEL = 128, 10.0  # pixels of a chip's side, meters
_MARGIN = 40  # pixels drawn around a chip, so that slides can enter it
_APART = 30_000.0  # meters from one chip to the next
_VALLEYS, _SPURS, _WARP = 1700.0, 560.0, 300.0  # meters: their spacing, and how far both are bent
_ROUGHNESS = (1, 0.42, 0.17, 0.07, 0.03)  # of spurs, and of spurs half as far apart, and so on
_CREST, _ROUND, _SMOOTH = 0.7, 0.06, 0.8  # of the relief: spurs, valley floors, what is even
_PLATEAU, _RANGES, _RANGES_SIZE = 1250, 650, 20_000  # meters: mean height, its swing, lattice
_RELIEF = 460.0  # meters from the valley floors to the highest crests, about
_SUN = (-0.5, -0.5, 0.7071)  # towards the sun: east, south, up
_TREE_LINE = 1900.0  # meters above the sea
_RIVER, _BED, _TRACK = 9.0, 26.0, 7.0  # meters from the middle to the edge
_FIELD = (150.0, 70.0)  # meters
_PATCHES, _SPECKLES = 400, 90  # meters, lattices of growth
_TREE_LINE_BEND = 350  # meters that growth moves the tree line
_CLEARING, _BARREN = 0.45, -0.8  # growth noise: meadow above, dry grass below
_DRY_LINE, _FARM_LINE = 250, -400  # meters above the tree line: dry grass above, fields below
_FARM_SLOPE, _FARM_GROWTH, _PLOUGHED = 0.22, -0.25, 0.4  # rise over run; growth noise; odds bare
_CRAG, _CRAG_NOISE, _CRAG_HEIGHT = 0.85, 0.35, 2500  # rise over run; its noise; meters for 1 of it
_CONTOURS, _TRACK_SLOPES = 200, (0.1, 0.6)  # meters from track to track; rise over run
_SOURCES = 17  # pixels between places where a slide may start
_START, _STOP = 0.55, 0.14  # rise over run: a slide starts above, and comes to rest below
_LENGTH, _HALF_WIDTH = (14.0, 42.0), (1.5, 2.1)  # pixels: the least, and how much more
_FRAY, _FRAY_SIZE = 0.5, 60  # of a slide's edge; meters, lattice
_BARE, _REGROWN, _REGROWN_SIZE = (0.4, 0.6), 0.25, 50  # share: least, more; lost; meters, lattice
_CALM, _STORM = 0.15, 0.60  # share of chips with no slide; see Mountains.storm

#: reflectance × 1000 in the bands B1 … B12 of Sentinel-2, and its spread within the material.
_SPECTRA = {
    "forest": (22, 26, 44, 30, 68, 190, 235, 255, 88, 1, 125, 58, 0.22),
    "meadow": (32, 42, 74, 66, 118, 230, 268, 285, 96, 1, 212, 125, 0.14),
    "dry grass": (48, 62, 96, 116, 152, 205, 232, 248, 86, 1, 282, 200, 0.14),
    "field": (72, 94, 131, 174, 190, 200, 207, 214, 76, 1, 315, 281, 0.20),
    "rock": (80, 101, 131, 163, 176, 186, 192, 198, 70, 2, 286, 253, 0.28),
    "gravel": (78, 101, 137, 176, 191, 199, 205, 211, 75, 2, 306, 273, 0.22),
    "track": (77, 98, 132, 170, 186, 194, 200, 206, 73, 2, 302, 268, 0.16),
    "water": (46, 54, 56, 40, 34, 26, 22, 18, 8, 1, 12, 8, 0.12),
    "scar": (74, 96, 134, 178, 194, 202, 208, 214, 76, 2, 318, 286, 0.20),
}
_FOREST, _MEADOW, _DRY, _BARE_FIELD, _ROCK, _GRAVEL, _TRACKS, _WATER, _SCAR = range(len(_SPECTRA))
_TABLE = np.array(list(_SPECTRA.values())) / np.array([1000.0] * 12 + [1.0])
_AIR = np.array((90, 66, 42, 24, 20, 14, 12, 10, 5, 2, 3, 2)) / 1000  # reflectance of clear air
_BLUR = (3, 0.5, 0.5, 0.5, 1, 1, 1, 0.5, 3, 3, 1, 1)  # pixels: bands of 60, 10 and 20 meters
_GRAIN, _GRAIN_BY_AIR = 0.003, 0.9  # reflectance, greatest noise of the sensor; share from air
_SHADOW_LIGHT = 0.25  # share of the light that comes from the sky
#: strength, and meters of lattice, of uneven ground: broad, fine, and in its color.
_BROAD, _FINE, _HUE = (0.6, 500), (0.8, 40), (0.2, 160)
#: what each band is divided by: reflectance of B1 … B12, slope in degrees, elevation in meters.
_BAND_MEAN = (
    0.123, 0.107, 0.104, 0.085, 0.111, 0.19, 0.22, 0.233, 0.082, 0.003, 0.163, 0.105, 24.5, 1400,
)  # fmt: skip


@dataclass(frozen=True)
class Mountains:
    """Which chips of which mountains.

    Attributes:
        count: how many chips.
        seed: another seed, other mountains.
        storm: greatest share, in a chip, of the places where a slide may start that do slide.
    """

    count: int
    seed: int = 0
    storm: float = _STORM


#: About one pixel in fifty slid.
MOUNTAINS = Mountains(count=150, storm=0.32)


def write_landslides(
    folder: str | Path, count=40, seed=0, storm: float = _STORM, progress: bool = False
) -> Path:
    """Make the data set, whole or not at all.

    `TrainData/img/image_<n>.h5` holds `img`, float64 (128, 128, 14), each band divided by a
    fixed mean: B1 … B12 of Sentinel-2, slope, elevation. `TrainData/mask/mask_<n>.h5` holds
    `mask`, uint8 (128, 128), 1 for landslide. A pixel is 10 m. n counts from 1.

    Args:
        folder: the root of the data; a finished set of this version, count and seed stays as it is.
        count: how many chips; the first ones are the same for every count.
        seed: which mountains.
        storm: see `Mountains`.
        progress: whether to show a progress bar.

    Returns:
        The set's own folder, `landslide/landslide4sense` under the root.

    Raises:
        ValueError: a count below 1.
        FileExistsError: that folder holds something else.
    """
    if count < 1:
        raise ValueError(f"count is {count}: ask for at least 1 chip")
    stamp = {"version": f"mountains {VERSION}, {count} chips", "seed": int(seed), "pixel": PIXEL}
    stamp |= {"storm": float(storm)}

    def write(part: Path) -> None:
        numbers = range(1, count + 1)
        for number in bar(numbers, "making the mountains") if progress else numbers:
            _write_chip(part / "TrainData", number, seed, storm)

    return whole_folder(Path(folder) / FOLDER, stamp, write)


def _write_chip(folder: Path, number: int, seed: int, storm: float) -> None:
    image, mask = chip(number, seed, storm)
    for kind, name, values in (("img", "image", image), ("mask", "mask", mask)):
        path = folder / kind / f"{name}_{number}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file[kind] = values


def chip(number: int, seed: int = 0, storm: float = _STORM) -> tuple[np.ndarray, np.ndarray]:
    """Draw one chip: image float64 (128, 128, 14), mask uint8 (128, 128)."""
    steps = (np.arange(-_MARGIN, SIZE + _MARGIN) + 0.5) * PIXEL
    x, y, key = steps[None, :] + number * _APART, steps[:, None], seed * 1000
    elevation, river = _terrain(x, y, key)
    south, east = np.gradient(elevation, PIXEL)
    steepness = np.sqrt(south * south + east * east)
    bare, scar = _slides(x, y, south, east, number, key, storm)
    ground = _cover(x, y, elevation, steepness, river, key)
    light = (_SUN[2] - _SUN[0] * east - _SUN[1] * south) / np.sqrt(1 + steepness * steepness)
    bands = _expose(x, y, ground, bare, light, key)
    bands += [np.degrees(np.arctan(steepness)), elevation]
    image = np.stack(bands, -1) / _BAND_MEAN
    middle = np.s_[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return image[middle], scar[middle].astype(np.uint8)


def _terrain(x, y, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Return elevation above the sea and distance to the next river, meters, float64 (H, W).

    Bent noise changes its sign along the rivers; ridges of finer noise grow with the height.
    """
    bend = [_WARP * octaves(x, y, _VALLEYS / 2, key + 10 * k, 2) for k in range(2)]
    bent_x = (0.8 * x + 0.6 * y + bend[0]).ravel()  # turned, so that no valley follows the grid
    bent_y = (0.8 * y - 0.6 * x + bend[1]).ravel()
    shape = y.size, x.size
    valley = noise(bent_x, bent_y, _VALLEYS, key + 20).reshape(shape).astype(np.float64)
    south, east = np.gradient(valley, PIXEL)
    rise = np.abs(valley)
    river = rise / (np.sqrt(south * south + east * east) + 1e-6)
    ridges = sum(
        share * (_CREST - np.abs(noise(bent_x, bent_y, _SPURS / 2**k, key + 30 + k)))
        for k, share in enumerate(_ROUGHNESS)
    )
    rise = rise * rise / (rise + _ROUND) * (_SMOOTH + ridges.reshape(shape))
    plateau = _PLATEAU + _RANGES * noise(x, y, _RANGES_SIZE, key + 40)
    return plateau + _RELIEF * rise, river


def _cover(x, y, elevation, steepness, river, key: int) -> np.ndarray:
    """Return what grows or lies on the ground: uint8 (H, W), row of the table of spectra."""
    patches = octaves(x, y, _PATCHES, key + 50, 4)
    fine = octaves(x, y, _SPECKLES, key + 60, 3)
    height = elevation + _TREE_LINE_BEND * patches
    ground = np.where(patches + 0.3 * fine > _CLEARING, _MEADOW, _FOREST).astype(np.uint8)
    ground[height > _TREE_LINE] = _MEADOW
    ground[(height > _TREE_LINE + _DRY_LINE) | (patches + fine < _BARREN)] = _DRY
    lots = hashed(key + 70, np.floor((y + x / 2) / _FIELD[1]), np.floor((x - y / 2) / _FIELD[0]))
    farmed = (steepness < _FARM_SLOPE) & (height < _TREE_LINE + _FARM_LINE)
    farmed &= patches > _FARM_GROWTH
    ground[farmed] = np.where(uniform(lots) < _PLOUGHED, _BARE_FIELD, _MEADOW)[farmed]
    crag = steepness + _CRAG_NOISE * fine + _CRAG_NOISE * patches
    crag = crag + (elevation - _TREE_LINE) / _CRAG_HEIGHT
    ground[crag > _CRAG] = _ROCK
    level = np.abs(elevation % _CONTOURS - _CONTOURS / 2)  # tracks keep to a height
    passable = (steepness > _TRACK_SLOPES[0]) & (steepness < _TRACK_SLOPES[1])
    ground[(level < _TRACK * steepness) & passable] = _TRACKS
    ground[river < _BED * (1 + fine + patches)] = _GRAVEL
    ground[river < _RIVER * (1 + patches)] = _WATER
    return ground


def _slides(x, y, south, east, number: int, key: int, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the bare share of the ground, float64 in 0–1, and whether it slid, bool; (H, W)."""
    bare, scar = np.zeros(south.shape), np.zeros(south.shape, bool)
    here, cells = np.array([number]), np.indices([s // _SOURCES + 1 for s in south.shape])
    luck = float(uniform(hashed(key + 80, here))[0])
    storm = most * max(0.0, luck - _CALM) / (1 - _CALM)
    edge = 1 + _FRAY * octaves(x, y, _FRAY_SIZE, key + 81, 2)
    draws = hashed(key + 91, here, *cells)
    for place in np.argwhere(uniform(hashed(key + 90, here, *cells)) < storm):
        down, right, length, width = (float(uniform(draws[*place], f)) for f in range(4))
        start = (place[0] + down) * _SOURCES, (place[1] + right) * _SOURCES
        path = _descend(south, east, *start, _LENGTH[0] + _LENGTH[1] * length * length)
        if len(path) < _LENGTH[0] / 2:
            continue
        tongue = _tongue(path, _HALF_WIDTH[0] + _HALF_WIDTH[1] * width, south.shape) < edge
        bare[tongue] = _BARE[0] + _BARE[1] * right  # older ones are overgrown
        scar |= tongue
    regrown = octaves(x, y, _REGROWN_SIZE, key + 82, 2).clip(0, 1)
    return bare * (1 - _REGROWN * regrown), scar


def _descend(south, east, row: float, column: float, longest: float) -> list[tuple]:
    """Follow the steepest way down, with some inertia; rows and columns, one per pixel of way."""
    path, down, right = [], 0.0, 0.0
    while len(path) < longest:
        place = round(row), round(column)
        if min(place) < 0 or max(place) >= len(south):
            break
        fall = -float(south[place]), -float(east[place])
        steepness = math.sqrt(fall[0] * fall[0] + fall[1] * fall[1])
        if steepness < (_STOP if path else _START):
            break
        down, right = 2 * down + fall[0] / steepness, 2 * right + fall[1] / steepness
        pace = math.sqrt(down * down + right * right) + 1e-9
        down, right = down / pace, right / pace
        path.append((row, column))
        row, column = row + down, column + right
    return path


def _tongue(path: list[tuple], half_width: float, shape: tuple[int, int]) -> np.ndarray:
    """Return squared distance from a path over its squared half-width, which grows to the foot."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    nearest = np.full(shape, np.inf)
    for step, (row, column) in enumerate(path):
        t = step / len(path)
        radius = half_width * (0.8 - 0.9 * t + 1.7 * t * t)
        square = (rows - row) * (rows - row) + (columns - column) * (columns - column)
        np.minimum(nearest, square / (radius * radius), out=nearest)
    return nearest


def _expose(x, y, ground, bare, light, key: int) -> list[np.ndarray]:
    """Return what the sensor sees in B1 … B12: reflectance, float64 (H, W) each."""
    texture = _BROAD[0] * octaves(x, y, _BROAD[1], key + 100, 3)
    texture = texture + _FINE[0] * octaves(x, y, _FINE[1], key + 110, 2)
    hue = _HUE[0] * octaves(x, y, _HUE[1], key + 115, 3)  # tilts the spectrum, as minerals do
    sun = _SHADOW_LIGHT + (1 - _SHADOW_LIGHT) * light.clip(0, None) / _SUN[2]
    rows, columns = (np.floor(v / PIXEL) for v in (y, x))
    bands = []
    for band, blur in enumerate(_BLUR):
        tone = texture + hue * (band - 5.5)
        seen = [_TABLE[g, band] * (1 + _TABLE[g, -1] * tone) for g in (ground, _SCAR)]
        seen = (seen[0] + bare * (seen[1] - seen[0])) * sun + _AIR[band]
        grain = 2 * uniform(hashed(key + 120 + band, rows, columns)) - 1
        share = _AIR[band] / _AIR[0] * _GRAIN_BY_AIR + 0.1  # darker bands are less noisy
        bands.append(ndimage.gaussian_filter(seen, blur) + _GRAIN * share * grain)
    return bands
