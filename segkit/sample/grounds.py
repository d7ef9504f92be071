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
_RIPPLE = 3.0  # meters
_WET = 5.0  # meters from the water
_BEACH = 26.0  # meters
_QUAY = 6.0  # meters
_BERTH = 52.0  # meters
_POND_SLOPE = 90.0  # meters from the bank for each unit of the noise that digs the pond

#: a function of lattice size (meters) and salt that returns smooth noise for the pixels, [−1, 1].
Field = Callable[[float, int], np.ndarray]


def sand(canvas: Canvas, x: np.ndarray, y: np.ndarray, shore: np.ndarray, seed: int) -> None:
    """Cover the window (H, W) with sand: pale and dark patches, tracks, a beach."""
    patch = octaves(x, y, 130, seed + 301, 4)
    stain = octaves(x, y, 46, seed + 306, 4)
    dunes = noise(x, y, 420, seed + 317).clip(-0.2, 1) + 0.2
    relief = octaves(x, y, 16, seed + 311, 3) + 3 * dunes * noise(0.55 * x, y, 26, seed + 318)
    light = np.zeros_like(relief)
    light[1:, 1:] = relief[1:, 1:] - relief[:-1, :-1]
    step = float(x[0, 1] - x[0, 0])
    tone = 0.95 + 0.20 * patch + 0.07 * stain - light * np.float32(0.14 / step)
    canvas.tone[...] = tone
    canvas.warmth[...] = 13 * noise(x, y, 500, seed + 316) + 7 * patch
    ragged = 0.10 * relief + 0.07 * noise(x, y, 2.5, seed + 319)
    stain += ragged
    canvas.paint(stain + 0.6 * patch > 0.54, M.GRAVEL, 1.0 + 0.15 * relief)
    canvas.paint(stain - 0.7 * patch > 0.66, M.DARK_SOIL, 1.1 + 0.2 * relief)
    damp = noise(x, y, 75, seed + 326) + 0.3 * stain + ragged - (0.004 * shore).clip(0, 0.45)
    canvas.paint(damp > 0.10, M.DAMP, 1 + 0.1 * relief)
    for salt, east, south in ((321, 0.25, 1.0), (323, 1.0, 0.3)):
        rut = np.abs(noise(x * east, y * south, 150, seed + salt) + 0.02 * stain)
        canvas.shadow(np.abs(rut - 0.014) < 0.005, 0.86)
    canvas.paint(shore < _BEACH, M.SAND, 1.06 + 0.04 * relief)
    canvas.shadow(shore < _WET, 0.8)


def parks(lots: Lots, canvas: Canvas, where: np.ndarray, field: Field) -> None:
    """Lay lawns with winding paths, ponds and bunkers; flat arrays (N,)."""
    lie = field(58, 331) + 0.5 * field(23, 332)
    dry = field(34, 333)
    canvas.paint(where, M.LAWN, 1 + 0.12 * dry, height=0)
    canvas.paint(where & (dry + 0.4 * lie > 0.12), M.DRY_GRASS, 1 + 0.1 * lie)
    canvas.paint(where & (np.abs(lie - 0.12) < 0.045), M.PAVING, 1.1)
    canvas.paint(where & (lie < -0.80), M.SAND, 0.95)
    pond = where & (lie < -0.86)
    canvas.paint(pond, M.WATER, 1.0)
    np.copyto(canvas.shore, (lie + 0.86) * _POND_SLOPE - 12, where=pond)
    canvas.paint(where & (lie > 0.95), M.BUNKER, 1.0)
    canvas.paint(where & (np.abs(lots.inside - 3) < 1.0), M.PAVING, 1.1)


def sites(lots: Lots, canvas: Canvas, where: np.ndarray, field: Field, key: int) -> None:
    """Turn blocks into building sites: dug-up ground, slabs with columns, piles."""
    churned = field(9, 341) + field(4, 342)
    canvas.paint(where, M.GRAVEL, 1.15 + 0.14 * churned, height=0)
    chance = hashed(key + 343, lots.identity)
    slab = where & lots.lot.of(uniform(chance, 0) < 0.4)
    slab &= (np.abs(lots.u) < lots.lot.of(lots.width * 0.42)) & (
        np.abs(lots.v) < lots.lot.of(lots.depth * 0.42)
    )
    canvas.paint(slab, M.CONCRETE, 1 + 0.1 * churned, height=1.5)
    steps = [
        lots.lot.of(_COLUMN_STEP[0] + _COLUMN_STEP[1] * uniform(chance, field)) for field in (1, 2)
    ]
    across = [axis / step for axis, step in zip((lots.u, lots.v), steps, strict=True)]
    at = [np.abs(axis - np.rint(axis)) for axis in across]
    column = slab & (np.maximum(*at) < _COLUMN) & (churned > _UNBUILT)
    canvas.tone[column] = 0.68
    canvas.height[column] = 4
    fence = where & (np.abs(lots.inside - 1.0) < 0.5)
    canvas.paint(fence, M.WALL, 0.8, height=2)


def basins(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Turn blocks into docks: quays all around, ships along them, unlabeled by annotators."""
    canvas.paint(where, M.PAVING, 1.05, height=0)
    flooded = where & (lots.inside > _QUAY)
    canvas.paint(flooded, M.WATER, height=-1.5)
    np.copyto(canvas.shore, -60 - lots.inside, where=flooded)
    berth = np.floor(lots.along / _BERTH)
    own = lots.block.of(hashed(key + 371, *lots.block.coordinates()).view(np.int64))
    chance = hashed(key + 372, own, berth.astype(np.int64))
    aft = (lots.along / _BERTH - berth - 0.5) * (2 + uniform(chance, 1))
    beam = 3 + 4 * uniform(chance, 2)
    off = np.abs(lots.inside - _QUAY - 1.5 - beam)
    ship = flooded & (uniform(chance, 0) < 0.5) & (off < beam * (1 - aft * aft * aft * aft))
    deck = np.where(off < beam * 0.5, 0.8 + 0.4 * uniform(chance, 3), 0.62)
    canvas.paint(ship, M.SHIP, np.where(np.abs(aft + 0.6) < 0.2, 1.2, deck), 5)


def parking(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Turn blocks into car parks: rows of spaces, some of them taken."""
    canvas.paint(where, M.PARKING, 1.0, height=0)
    row = np.floor(lots.v / _STALL_ROWS)
    from_row = np.abs(lots.v - (row + 0.5) * _STALL_ROWS)
    stall = np.floor(lots.u / _STALL[0])
    from_stall = np.abs(lots.u - (stall + 0.5) * _STALL[0])
    spaces = where & (lots.inside > 4) & (from_row < _STALL[1])
    line = spaces & (from_stall > _STALL[0] / 2 - 0.2)
    canvas.paint(line, M.PARKING, 1.35)
    own = lots.lot.of(lots.identity)
    bay = stall + 4096 * np.where(lots.v > (row + 0.5) * _STALL_ROWS, 1, 0) + 8192 * row
    chance = hashed(key + 352, own, bay.astype(np.int64))
    taken = spaces & (uniform(chance, 0) < 0.55) & (from_stall < 0.95)
    park_cars(canvas, taken & (np.abs(from_row - 2.7) < 2.2), uniform(chance, 1))


def container_yards(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Stack containers in rows of all colors; annotators leave them unlabeled."""
    canvas.paint(where, M.GRAVEL, 0.95, height=0)
    chance = hashed(key + 361, lots.identity)
    stack = where & lots.lot.of(uniform(chance, 0) < 0.4) & (lots.inside > 6)
    stack &= np.abs(lots.v) < lots.lot.of(lots.depth * 0.36)
    column, row = np.floor(lots.u / _BOX[0]), np.floor(lots.v / _BOX[1])
    own = lots.lot.of(chance.view(np.int64))
    color = hashed(key + 362, own, column.astype(np.int64), row.astype(np.int64))
    gap = np.abs(lots.v - (row + 0.5) * _BOX[1]) > 1.2
    tone = np.where(gap, 0.5, 0.6 + 0.9 * uniform(color, 0))
    canvas.paint(stack, M.CONTAINER, tone, 2.6 + 2.6 * (uniform(color, 2) < 0.4),
                 90 * uniform(color, 1) - 45)  # fmt: skip


def water(canvas: Canvas, shore: np.ndarray) -> None:
    """Flood what lies below the shore line; arrays (H, W)."""
    canvas.shore[...] = shore
    canvas.paint(shore < 0, M.WATER, 1.0, height=0)
