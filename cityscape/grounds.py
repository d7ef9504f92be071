"""Ground that no house stands on: sand, parks, building sites, parking, container yards, water."""

from collections.abc import Callable

import numpy as np

from .blocks import Lots
from .lattice import hashed, noise, octaves, uniform
from .roads import park_cars
from .surface import Canvas
from .surface import Material as M

_STALL = (2.6, 5.2)  # meters, one parking space
_STALL_ROWS = 17.0  # meters: two rows of spaces and the way between them
_COLUMN_STEP = (3.5, 4.0)  # meters between the columns of a shell: the least, and how much more
_COLUMN = 0.16  # of that, half a column
_UNBUILT = -0.4  # churned ground below this bears no columns yet
_BOX = (6.4, 2.6)  # meters, a shipping container and the gap beside it
_WET, _WET_TONE = 5.0, 0.8  # meters from the water; brightness
_BEACH, _BEACH_TONE = 26.0, (1.06, 0.04)  # meters; brightness, and what relief adds to it
_PATCHES, _STAINS, _SWAMPS, _TINTS = 130, 46, 75, 500  # meters, lattices of noise
_DUNES, _WAVES, _RELIEF, _CRUMBS = 420, 26, 16, 2.5  # meters, likewise
_FLAT, _WAVE, _SQUEEZE = 0.2, 3, 0.55  # noise above −this has waves; their strength, and stretch
_SAND_TONES = (0.95, 0.20, 0.07, 0.14)  # brightness: all, by patch, by stain, by meters of slope
_WARMTHS = (13, 7)  # gray levels: by tint, by patch
_RAGGED = (0.10, 0.07)  # how far relief and crumbs fray the outline of stains
#: material, noise above which it lies bare, share of the patches in it, tone, tone by relief.
_STAINED = ((M.GRAVEL, 0.54, 0.6, 1.0, 0.15), (M.DARK_SOIL, 0.66, -0.7, 1.1, 0.2))
_DAMP, _DAMP_STAIN, _DAMP_RELIEF = 0.10, 0.3, 0.1  # noise above; shares of stain and relief in it
_DRYING = (0.004, 0.45)  # noise that a meter inland takes off, and the most
#: salt of each set of wheel tracks, and how far its lattice is squeezed east and south.
_TRACKS = ((321, 0.25, 1.0), (323, 1.0, 0.3))
_TRACK_SIZE, _TRACK_BEND = 150, 0.02  # meters, its lattice; how far stains bend it, in noise
_RUT, _RUT_WIDTH, _RUT_TONE = 0.014, 0.005, 0.86  # noise where it runs, half width; brightness
_QUAY, _FENDER = 6.0, 1.5  # meters: its width, and the gap between it and a ship
_BERTH = 52.0  # meters
_POND_SLOPE = 90.0  # meters from the bank for each unit of the noise that digs the pond
_POND_SHORE = -12  # meters from the shore: a pond is as deep as water there
_LIE, _HILLOCKS, _DRY = 58, 23, 34  # meters, lattices of a park's noise
_PATH, _HOLLOW, _POND, _BUNKER = 0.12, -0.80, -0.86, 0.95  # lie of the land: where these are
_PATH_WIDTH, _PATH_TONE = 0.045, 1.1  # half of it, in lie of the land; brightness
_DRY_SPOT, _DRY_LIE = 0.12, 0.4  # noise above which grass is dry; share of the lie in it
_WALK, _WALK_WIDTH = 3, 1.0  # meters from a park's edge to the path around; half its width
_SLABS, _SLAB, _SLAB_HEIGHT = 0.4, 0.42, 1.5  # odds for a lot; of its side, half of it; meters
_COLUMN_TONE, _COLUMN_HEIGHT = 0.68, 4  # brightness; meters
_FENCE, _FENCE_WIDTH, _FENCE_HEIGHT = 1.0, 0.5, 2  # meters from the edge, half width, height
_BASIN, _BASIN_SHORE = -1.5, -60  # meters: the water's height; it is as deep as so far out at sea
_SHIPS, _BEAM, _SHIP_HEIGHT = 0.5, (3, 4), 5  # odds at a berth; meters, half: least, more; meters
_BRIDGE = (-0.6, 0.2, 1.2)  # of half a ship: its middle, half its length; brightness
_DECK, _DECK_TONE, _RAIL_TONE = 0.5, (0.8, 0.4), 0.62  # of the beam; brightness: least, more
_STALL_LINE, _STALL_TONE, _TAKEN = 0.2, 1.35, 0.55  # meters; brightness; odds of a car
_PARKED = (0.95, 2.7, 2.2)  # meters: half a car's width, its middle from the row's, half its length
_PARKING_EDGE, _YARD_EDGE = 4, 6  # meters from the edge of the block that stay empty
_STACKS, _STACK = 0.4, 0.36  # odds for a lot; of its depth, half a stack
_BOX_WIDTH, _BOX_HEIGHT, _DOUBLE = 1.2, 2.6, 0.4  # meters, half; meters; odds of two boxes high
_BOX_TONE, _GAP_TONE, _BOX_WARMTH = (0.6, 0.9), 0.5, 45  # brightness: least, more; gray levels

#: a function of lattice size (meters) and salt that returns smooth noise for the pixels, [−1, 1].
Field = Callable[[float, int], np.ndarray]


def sand(canvas: Canvas, x: np.ndarray, y: np.ndarray, shore: np.ndarray, seed: int) -> None:
    """Cover the window (H, W) with sand: pale and dark patches, tracks, a beach."""
    patch = octaves(x, y, _PATCHES, seed + 301, 4)
    stain = octaves(x, y, _STAINS, seed + 306, 4)
    dunes = noise(x, y, _DUNES, seed + 317).clip(-_FLAT, 1) + _FLAT
    waves = _WAVE * dunes * noise(_SQUEEZE * x, y, _WAVES, seed + 318)
    relief = octaves(x, y, _RELIEF, seed + 311, 3) + waves
    light = np.zeros_like(relief)
    light[1:, 1:] = relief[1:, 1:] - relief[:-1, :-1]
    step = float(x[0, 1] - x[0, 0])
    base, by_patch, by_stain, by_slope = _SAND_TONES
    tone = base + by_patch * patch + by_stain * stain
    canvas.tone[...] = tone - light * np.float32(by_slope / step)
    canvas.warmth[...] = _WARMTHS[0] * noise(x, y, _TINTS, seed + 316) + _WARMTHS[1] * patch
    ragged = _RAGGED[0] * relief + _RAGGED[1] * noise(x, y, _CRUMBS, seed + 319)
    stain += ragged
    for material, limit, share, tone, by_relief in _STAINED:
        canvas.paint(stain + share * patch > limit, material, tone + by_relief * relief)
    inland = (_DRYING[0] * shore).clip(0, _DRYING[1])
    damp = noise(x, y, _SWAMPS, seed + 326) + _DAMP_STAIN * stain + ragged - inland
    canvas.paint(damp > _DAMP, M.DAMP, 1 + _DAMP_RELIEF * relief)
    for salt, east, south in _TRACKS:
        track = noise(x * east, y * south, _TRACK_SIZE, seed + salt)
        from_middle = np.abs(track + _TRACK_BEND * stain)
        canvas.shadow(np.abs(from_middle - _RUT) < _RUT_WIDTH, _RUT_TONE)
    canvas.paint(shore < _BEACH, M.SAND, _BEACH_TONE[0] + _BEACH_TONE[1] * relief)
    canvas.shadow(shore < _WET, _WET_TONE)


def parks(lots: Lots, canvas: Canvas, where: np.ndarray, field: Field) -> None:
    """Lay lawns with winding paths, ponds and bunkers; flat arrays (N,)."""
    lie = field(_LIE, 331) + 0.5 * field(_HILLOCKS, 332)
    dry = field(_DRY, 333)
    canvas.paint(where, M.LAWN, 1 + 0.12 * dry, height=0)
    canvas.paint(where & (dry + _DRY_LIE * lie > _DRY_SPOT), M.DRY_GRASS, 1 + 0.1 * lie)
    canvas.paint(where & (np.abs(lie - _PATH) < _PATH_WIDTH), M.PAVING, _PATH_TONE)
    canvas.paint(where & (lie < _HOLLOW), M.SAND, 0.95)
    pond = where & (lie < _POND)
    canvas.paint(pond, M.WATER, 1.0)
    np.copyto(canvas.shore, (lie - _POND) * _POND_SLOPE + _POND_SHORE, where=pond)
    canvas.paint(where & (lie > _BUNKER), M.BUNKER, 1.0)
    canvas.paint(where & (np.abs(lots.inside - _WALK) < _WALK_WIDTH), M.PAVING, _PATH_TONE)


def sites(lots: Lots, canvas: Canvas, where: np.ndarray, field: Field, key: int) -> None:
    """Turn blocks into building sites: dug-up ground, slabs with columns, piles."""
    churned = field(9, 341) + field(4, 342)
    canvas.paint(where, M.GRAVEL, 1.15 + 0.14 * churned, height=0)
    chance = hashed(key + 343, lots.identity)
    slab = where & lots.lot.of(uniform(chance, 0) < _SLABS)
    slab &= np.abs(lots.u) < lots.lot.of(lots.width * _SLAB)
    slab &= np.abs(lots.v) < lots.lot.of(lots.depth * _SLAB)
    canvas.paint(slab, M.CONCRETE, 1 + 0.1 * churned, height=_SLAB_HEIGHT)
    steps = [
        lots.lot.of(_COLUMN_STEP[0] + _COLUMN_STEP[1] * uniform(chance, field)) for field in (1, 2)
    ]
    across = [axis / step for axis, step in zip((lots.u, lots.v), steps, strict=True)]
    at = [np.abs(axis - np.rint(axis)) for axis in across]
    column = slab & (np.maximum(*at) < _COLUMN) & (churned > _UNBUILT)
    canvas.tone[column] = _COLUMN_TONE
    canvas.height[column] = _COLUMN_HEIGHT
    fence = where & (np.abs(lots.inside - _FENCE) < _FENCE_WIDTH)
    canvas.paint(fence, M.WALL, 0.8, height=_FENCE_HEIGHT)


def basins(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Turn blocks into docks: quays all around, ships along them, unlabeled by annotators."""
    canvas.paint(where, M.PAVING, 1.05, height=0)
    flooded = where & (lots.inside > _QUAY)
    canvas.paint(flooded, M.WATER, height=_BASIN)
    np.copyto(canvas.shore, _BASIN_SHORE - lots.inside, where=flooded)
    berth = np.floor(lots.along / _BERTH)
    own = lots.block.of(hashed(key + 371, *lots.block.coordinates()).view(np.int64))
    chance = hashed(key + 372, own, berth.astype(np.int64))
    aft = (lots.along / _BERTH - berth - 0.5) * (2 + uniform(chance, 1))
    beam = _BEAM[0] + _BEAM[1] * uniform(chance, 2)
    off = np.abs(lots.inside - _QUAY - _FENDER - beam)
    ship = flooded & (uniform(chance, 0) < _SHIPS) & (off < beam * (1 - aft * aft * aft * aft))
    deck = _DECK_TONE[0] + _DECK_TONE[1] * uniform(chance, 3)
    tone = np.where(off < beam * _DECK, deck, _RAIL_TONE)
    tone = np.where(np.abs(aft - _BRIDGE[0]) < _BRIDGE[1], _BRIDGE[2], tone)
    canvas.paint(ship, M.SHIP, tone, _SHIP_HEIGHT)


def parking(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Turn blocks into car parks: rows of spaces, some of them taken."""
    canvas.paint(where, M.PARKING, 1.0, height=0)
    row = np.floor(lots.v / _STALL_ROWS)
    from_row = np.abs(lots.v - (row + 0.5) * _STALL_ROWS)
    stall = np.floor(lots.u / _STALL[0])
    from_stall = np.abs(lots.u - (stall + 0.5) * _STALL[0])
    spaces = where & (lots.inside > _PARKING_EDGE) & (from_row < _STALL[1])
    line = spaces & (from_stall > _STALL[0] / 2 - _STALL_LINE)
    canvas.paint(line, M.PARKING, _STALL_TONE)
    own = lots.lot.of(lots.identity)
    bay = stall + 4096 * np.where(lots.v > (row + 0.5) * _STALL_ROWS, 1, 0) + 8192 * row
    chance = hashed(key + 352, own, bay.astype(np.int64))
    half_width, middle, half_length = _PARKED
    taken = spaces & (uniform(chance, 0) < _TAKEN) & (from_stall < half_width)
    park_cars(canvas, taken & (np.abs(from_row - middle) < half_length), uniform(chance, 1))


def container_yards(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Stack containers in rows of all colors; annotators leave them unlabeled."""
    canvas.paint(where, M.GRAVEL, 0.95, height=0)
    chance = hashed(key + 361, lots.identity)
    stack = where & lots.lot.of(uniform(chance, 0) < _STACKS) & (lots.inside > _YARD_EDGE)
    stack &= np.abs(lots.v) < lots.lot.of(lots.depth * _STACK)
    column, row = np.floor(lots.u / _BOX[0]), np.floor(lots.v / _BOX[1])
    own = lots.lot.of(chance.view(np.int64))
    color = hashed(key + 362, own, column.astype(np.int64), row.astype(np.int64))
    gap = np.abs(lots.v - (row + 0.5) * _BOX[1]) > _BOX_WIDTH
    tone = np.where(gap, _GAP_TONE, _BOX_TONE[0] + _BOX_TONE[1] * uniform(color, 0))
    height = _BOX_HEIGHT + _BOX_HEIGHT * (uniform(color, 2) < _DOUBLE)
    canvas.paint(stack, M.CONTAINER, tone, height, _BOX_WARMTH * (2 * uniform(color, 1) - 1))


def water(canvas: Canvas, shore: np.ndarray) -> None:
    """Flood what lies below the shore line; arrays (H, W)."""
    canvas.shore[...] = shore
    canvas.paint(shore < 0, M.WATER, 1.0, height=0)
