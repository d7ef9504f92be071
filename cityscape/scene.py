"""Any window of the city, painted from the ground up and photographed."""

import math

import affine
import numpy as np

from . import grounds, plants, quarters, roads, sensor, water
from .city import CITY, City
from .lattice import noise
from .quarters import OPEN_SEA
from .settlement import DRY, settle
from .surface import Canvas

_OPTICS = 6  # pixels that blur and a slipping outline reach
_LARGEST = 512  # pixels: larger windows are rendered in parts of this size


def transform(row: int, column: int, city: City = CITY) -> affine.Affine:
    """Return the affine transform from pixels of a window at (row, column) to EPSG:32640."""
    east, north = city.origin
    left, top = east + column * city.pixel, north - row * city.pixel
    return affine.Affine(city.pixel, 0.0, left, 0.0, -city.pixel, top)


def render(
    row: int, column: int, height: int, width: int, city: City = CITY
) -> tuple[np.ndarray, np.ndarray]:
    """Render a window of the world.

    Two windows show the same pixels where they overlap.

    Args:
        row, column: world pixel of the upper left corner; may be negative.
        height, width: pixels, at least 1.
        city: which world and sensor.

    Returns:
        image uint8 (height, width, 3) and mask uint8 (height, width) of class indices.
    """
    image = np.empty((height, width, 3), np.uint8)
    mask = np.empty((height, width), np.uint8)
    for top in range(0, height, _LARGEST):
        for left in range(0, width, _LARGEST):
            part = np.s_[top : top + _LARGEST, left : left + _LARGEST]
            size = image[part].shape[:2]
            image[part], mask[part] = _render(row + top, column + left, *size, city)
    return image, mask


def _render(row: int, column: int, height: int, width: int, city: City):
    up, left, down, right = _margins(city)
    x, y = _places(row - up, column - left, row + height + down, column + width + right, city)
    canvas = paint(x, y, city)
    lost = sensor.shade(canvas.height, city)
    near = np.s_[up - _OPTICS : up + height + _OPTICS, left - _OPTICS : left + width + _OPTICS]
    canvas, lost, x, y = canvas.crop(near), lost[near], x[:, near[1]], y[near[0]]
    exposed = sensor.expose(canvas, lost, x, y, city)
    image = sensor.develop(exposed, x, y, city)
    mask = sensor.annotate(canvas.label, x, y, city)
    inner = np.s_[_OPTICS : _OPTICS + height, _OPTICS : _OPTICS + width]
    return image[inner], mask[inner]


def _places(top: int, left: int, bottom: int, right: int, city: City):
    """Return meters eastward (1, W) and southward (H, 1) of the middles of world pixels."""
    columns, rows = np.arange(left, right)[None, :], np.arange(top, bottom)[:, None]
    return (columns + 0.5) * city.pixel, (rows + 0.5) * city.pixel


def _margins(city: City) -> tuple[int, int, int, int]:
    """Return pixels to render beyond the window: up, left, down, right."""
    around = math.ceil(plants.REACH / city.pixel) + _OPTICS
    row, column, _ = sensor.shadow_steps(city)
    reach = [math.ceil(step * sensor.shadow_reach(city)) for step in (-row, -column, row, column)]
    return tuple(around + max(0, step) for step in reach)


def paint(x: np.ndarray, y: np.ndarray, city: City, furnished: bool = True) -> Canvas:
    """Paint the exact ground truth of a grid.

    Args:
        x: eastward meters (1, W).
        y: southward meters (H, 1).
        city: which world.
        furnished: whether trees and shrubs are painted too.

    Returns:
        canvas (H, W).
    """
    canvas = Canvas.blank((y.shape[0], x.shape[1]))
    shore, bridged = water.shore(x, y, city.seed)
    grounds.sand(canvas, x, y, shore, city.seed)
    if furnished:
        plants.shrubs(canvas, x, y, city.seed)
    plants.mangroves(canvas, x, y, shore, city.seed)
    grounds.water(canvas, shore)
    plan_x, plan_y = quarters.bend(x, y, city.seed)
    plan = quarters.plan(plan_x, plan_y, city)
    for index, site in enumerate(plan.sites):
        pixels = np.flatnonzero(plan.home == index)
        if site.kind != OPEN_SEA and len(pixels):
            part = canvas.take(pixels)
            place = np.take(plan_x, pixels), np.take(plan_y, pixels)
            settle(part, *place, _field(x, y, pixels, city), site, plan.sites, city)
            canvas.put(pixels, part)
    roadside = canvas.take(plan.pixels)
    firm = np.take((shore > DRY) | bridged, plan.pixels)
    roads.main_roads(plan, roadside, firm, city.seed)
    canvas.put(plan.pixels, roadside)
    if furnished:
        plants.trees(canvas, x, y, city.seed)
    return canvas


def _field(x, y, pixels: np.ndarray, city: City) -> grounds.Field:
    return lambda size, salt: np.take(noise(x, y, size, city.seed + salt), pixels)
