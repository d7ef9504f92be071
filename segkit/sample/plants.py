"""Trees, palms and shrubs: one at most in each cell of a lattice, where the ground lets them grow."""

import numpy as np

from .lattice import hashed, noise, uniform
from .surface import Canvas
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
_SHRUB_CELL = 6.0  # meters


def trees(canvas: Canvas, x: np.ndarray, y: np.ndarray, seed: int) -> None:
    """Plant trees on the canvas (H, W) by what covers the ground at their middle."""
    ground = canvas.material.copy()
    for layer, (size, least, greatest, share) in enumerate(_LAYERS):
        key = seed + 401 + 10 * layer
        column, row = np.floor(x / size).astype(np.int64), np.floor(y / size).astype(np.int64)
        chance = hashed(key, *np.meshgrid(_span(row), _span(column), indexing="ij"))
        radius = least + (greatest - least) * uniform(chance, 0)
        middle_x = (_span(column) + 0.5) * size + (size / 2 - radius) * (2 * uniform(chance, 1) - 1)
        middle_y = (_span(row)[:, None] + 0.5) * size + (size / 2 - radius) * (
            2 * uniform(chance, 2) - 1
        )
        stands = _rooted(ground, canvas, middle_x, middle_y, x, y, uniform(chance, 3) / share)
        radius = np.where(stands, radius, 0).astype(np.float32)
        cell = np.ix_(row[:, 0] - row.min(), column[0] - column.min())
        _crowns(canvas, x - middle_x[cell], y - middle_y[cell], radius[cell], chance[cell])


def _span(index: np.ndarray) -> np.ndarray:
    return np.arange(index.min(), index.max() + 1)


def _rooted(ground, canvas, middle_x, middle_y, x, y, chance) -> np.ndarray:
    """Return whether the ground at each middle bears a tree; none outside the window."""
    step = float(x[0, 1] - x[0, 0])
    column = np.floor((middle_x - x[0, 0]) / step + 0.5).astype(np.intp)
    row = np.floor((middle_y - y[0, 0]) / step + 0.5).astype(np.intp)
    height, width = ground.shape
    within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clip(0, width - 1), row.clip(0, height - 1)
    return within & (chance < _ODDS[ground[row, column]]) & (canvas.height[row, column] < 0.5)


def _crowns(canvas: Canvas, dx, dy, radius, chance) -> None:
    """Paint round crowns, brighter towards the top, lower towards the rim."""
    dx, dy = dx.astype(np.float32), dy.astype(np.float32)
    near = (dx * dx + dy * dy) / np.maximum(radius * radius, np.float32(1e-3))
    crown = near < 1
    palm = uniform(chance, 1) < 0.3
    material = np.where(palm, np.uint8(M.PALM), np.uint8(M.CANOPY))
    tone = 1.22 - 0.5 * near + 0.3 * uniform(chance, 3)
    height = radius * (2.0 - near)
    big = crown & (radius > 2.1)
    label = np.where(big, np.uint8(3), canvas.label)
    canvas.paint(crown & (canvas.height < 2.5), material, tone, height, 0, label)


def mangroves(canvas: Canvas, x, y, shore: np.ndarray, seed: int) -> None:
    """Line stretches of the shore with mangrove and reed."""
    belt = 34 * noise(x, y, 310, seed + 421) + 9 * noise(x, y, 37, seed + 422) - 10
    canvas.paint((shore > -3) & (shore < belt), M.MANGROVE, 1 + 0.2 * noise(x, y, 6, seed + 423))


def shrubs(canvas: Canvas, x, y, seed: int) -> None:
    """Scatter desert shrubs, too small for an annotator."""
    column, row = np.floor(x / _SHRUB_CELL), np.floor(y / _SHRUB_CELL)
    chance = hashed(seed + 431, row.astype(np.int64), column.astype(np.int64))
    radius = 0.5 + 1.0 * uniform(chance, 0)
    dx = x - (column + 0.3 + 0.4 * uniform(chance, 1)) * _SHRUB_CELL
    dy = y - (row + 0.3 + 0.4 * uniform(chance, 2)) * _SHRUB_CELL
    density = 0.10 + 0.16 * noise(x, y, 190, seed + 432)
    here = (uniform(chance, 3) < density) & (dx * dx + dy * dy < radius * radius)
    canvas.paint(here & (canvas.material == M.SAND), M.SHRUB, 1.0, 0.8)
