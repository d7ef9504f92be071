"""Trees, palms and shrubs: at most one in each cell of a lattice, where the ground allows."""

import numpy as np

from .lattice import hashed, noise, uniform
from .surface import VEGETATION, Canvas
from .surface import Material as M

#: odds that a cell on this material holds a tree.
_ODDS = np.zeros(len(M), np.float32)
for _material, _odds in (
    (M.LAWN, 0.30), (M.DRY_GRASS, 0.22), (M.GARDEN_SOIL, 0.13), (M.PAVING, 0.05), (M.SAND, 0.012),
    (M.MANGROVE, 0.85), (M.GRAVEL, 0.01), (M.PARKING, 0.04),
):  # fmt: skip
    _ODDS[_material] = _odds
#: side of the lattice cell, least and greatest radius, share of the odds; meters.
_LAYERS = ((7.5, 1.9, 3.6, 1.0), (5.0, 1.1, 2.3, 0.7))
REACH = 4.0  # meters: nothing grows farther than this from its middle
_TOO_HIGH = 0.5  # meters: roofs, walls and cars bear no trees
_CROWN = 2.5  # meters: crowns hang over what is lower
_BAY, _RAGGED = 1.8, 0.5  # meters from bay to bay of a crown, and how deep bays cut
_PALMS = 0.3  # share of palms
_NOTICED = 2.1  # meters of radius from which annotators draw a tree
_CROWN_TONE = (1.22, -0.5, 0.3)  # brightness: of the top, towards the rim, by chance
_SHRUB_CELL, _SHRUB_HEIGHT = 6.0, 0.8  # meters
_SHRUB_RADIUS = (0.5, 1.0)  # meters: the least, and how much more
_SHRUB_PLACE = (0.3, 0.4)  # of the cell, a shrub's middle: the least, and how much more
_SHRUBS, _SHRUB_SIZE = (0.10, 0.16), 190  # odds in a cell: mean, and by noise; meters, its lattice
_BELT = ((34, 310), (9, 37))  # meters that mangroves spread inland; meters, lattice of the noise
_BELT_EDGES = (-3, 10)  # meters: how far out they stand; what the belt falls short of its noise
_REED, _REED_SIZE = 0.2, 6  # brightness by noise; meters, its lattice


def trees(canvas: Canvas, x: np.ndarray, y: np.ndarray, seed: int) -> None:
    """Plant trees on the canvas (H, W) by what covers the ground at their middle."""
    ground = np.where(canvas.height < _TOO_HIGH, _ODDS[canvas.material], np.float32(0))
    for layer, (size, least, greatest, share) in enumerate(_LAYERS):
        column, row = np.floor(x / size).astype(np.int64), np.floor(y / size).astype(np.int64)
        columns = np.arange(column.min(), column.max() + 1)
        rows = np.arange(row.min(), row.max() + 1)
        chance = hashed(seed + 401 + layer, rows[:, None], columns[None, :])
        radius = least + (greatest - least) * uniform(chance, 0)
        east, south = ((size / 2 - radius) * (2 * uniform(chance, f) - 1) for f in (1, 2))
        middle_x = (columns + 0.5) * size + east
        middle_y = (rows[:, None] + 0.5) * size + south
        stands = uniform(chance, 3) < share * _at(ground, middle_x, middle_y, x, y)
        row, column = row - row.min(), column - column.min()
        pixels = np.flatnonzero(stands[row[:, 0]][:, column[0]])
        if not len(pixels):
            continue
        at = np.unravel_index(pixels, ground.shape)
        cell = row[at[0], 0], column[0, at[1]]
        dx, dy = x[0, at[1]] - middle_x[cell], y[at[0], 0] - middle_y[cell]
        part = canvas.take(pixels)
        bays = noise(x[0, at[1]], y[at[0], 0], _BAY, seed + 411 + layer)
        _crowns(part, dx, dy, bays, radius[cell], chance[cell])
        canvas.put(pixels, part)


def _at(values: np.ndarray, at_x, at_y, x, y) -> np.ndarray:
    """Return the values (H, W) of the pixels at some points; 0 outside the window."""
    step = x[0, 1] - x[0, 0]
    column = np.floor((at_x - x[0, 0]) / step + 0.5).astype(np.intp)
    row = np.floor((at_y - y[0, 0]) / step + 0.5).astype(np.intp)
    height, width = values.shape
    within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where(within, values[row.clip(0, height - 1), column.clip(0, width - 1)], 0)


def _crowns(canvas: Canvas, dx, dy, bays, radius, chance) -> None:
    """Paint ragged crowns (N,), brighter towards the top, lower towards the rim."""
    ragged = 1 + _RAGGED * (1 + bays)
    near = (ragged * (dx * dx + dy * dy) / (radius * radius)).astype(np.float32)
    crown = (near < 1) & (canvas.height < _CROWN)
    palm = uniform(chance, 1) < _PALMS
    tone = _CROWN_TONE[0] + _CROWN_TONE[1] * near + _CROWN_TONE[2] * uniform(chance, 3)
    label = np.where(radius > _NOTICED, np.uint8(VEGETATION), canvas.label)
    canvas.paint(crown, np.where(palm, np.uint8(M.PALM), np.uint8(M.CANOPY)), tone,
                 radius * (2 - near), 0, label)  # fmt: skip


def mangroves(canvas: Canvas, x, y, shore: np.ndarray, seed: int) -> None:
    """Line stretches of the shore with mangrove and reed."""
    (broad, broad_size), (fine, fine_size) = _BELT
    belt = broad * noise(x, y, broad_size, seed + 421) + fine * noise(x, y, fine_size, seed + 422)
    here = (shore > _BELT_EDGES[0]) & (shore < belt - _BELT_EDGES[1])
    canvas.paint(here, M.MANGROVE, 1 + _REED * noise(x, y, _REED_SIZE, seed + 423))


def shrubs(canvas: Canvas, x, y, seed: int) -> None:
    """Scatter desert shrubs, too small for an annotator."""
    column, row = (np.floor(v / _SHRUB_CELL).astype(np.int64) for v in (x, y))
    columns, rows = (np.arange(i.min(), i.max() + 1) for i in (column, row))
    chance = hashed(seed + 431, rows[:, None], columns[None, :])
    radius = _SHRUB_RADIUS[0] + _SHRUB_RADIUS[1] * uniform(chance, 0)
    least, more = _SHRUB_PLACE
    middle_x = (columns + least + more * uniform(chance, 1)) * _SHRUB_CELL
    middle_y = (rows[:, None] + least + more * uniform(chance, 2)) * _SHRUB_CELL
    cell = row - rows[0], column - columns[0]
    dx, dy = x - middle_x[cell], y - middle_y[cell]
    density = _SHRUBS[0] + _SHRUBS[1] * noise(x, y, _SHRUB_SIZE, seed + 432)
    here = (dx * dx + dy * dy < (radius * radius)[cell]) & (uniform(chance, 3)[cell] < density)
    canvas.paint(here & (canvas.material == M.SAND), M.SHRUB, 1.0, _SHRUB_HEIGHT)
