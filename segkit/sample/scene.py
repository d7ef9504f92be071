"""Any window of the city, painted from the ground up and photographed."""

import math

import affine
import numpy as np

from . import blocks, buildings, grounds, plants, quarters, roads, sensor, water
from .city import CITY, DESERT, HARBOR, City
from .lattice import choose, hashed, noise, uniform
from .quarters import OPEN_SEA
from .surface import Canvas

_DRY = 3.0  # meters from the water to where anything is built
_DOCKS = (30.0, 60.0)  # meters: blocks whose middle is so far inland, give or take, are docks
_CLEAR_SHORE = 14.0  # meters between a house and the water
_OPTICS = 6  # pixels that blur and a slipping outline reach
_LARGEST = 512  # pixels: larger windows are rendered in parts of this size


def transform(row: int, column: int, city: City = CITY) -> affine.Affine:
    """Return the affine transform from pixels of a window at (row, column) to EPSG:32640."""
    east, north = city.origin
    corner = affine.Affine.translation(east + column * city.pixel, north - row * city.pixel)
    return corner * affine.Affine.scale(city.pixel, -city.pixel)


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
    rows = np.arange(row - up, row + height + down)[:, None]
    columns = np.arange(column - left, column + width + right)[None, :]
    x, y = (columns + 0.5) * city.pixel, (rows + 0.5) * city.pixel
    canvas = paint(x, y, city)
    exposed = sensor.expose(canvas, x, y, city)
    mask = sensor.annotate(canvas.label, x, y, city)
    inner = np.s_[up : up + height, left : left + width]
    image = sensor.develop(exposed, rows, columns, city)[inner]
    return image, mask[inner]


def _margins(city: City) -> tuple[int, int, int, int]:
    """Return pixels to render beyond the window: up, left, down, right."""
    around = math.ceil(plants.REACH / city.pixel) + _OPTICS
    row, column, _ = sensor.shadow_steps(city)
    reach = [math.ceil(step * sensor.shadow_reach(city)) for step in (-row, -column, row, column)]
    return tuple(around + max(0, step) for step in reach)


def paint(
    x: np.ndarray, y: np.ndarray, city: City, furnished: bool = True
) -> Canvas:
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
            _settle(part, *place, _field(x, y, pixels, city), site, plan, city)
            canvas.put(pixels, part)
    roadside = canvas.take(plan.pixels)
    firm = np.take((shore > _DRY) | bridged, plan.pixels)
    roads.main_roads(plan, roadside, firm, city.seed)
    canvas.put(plan.pixels, roadside)
    if furnished:
        plants.trees(canvas, x, y, city.seed)
    return canvas


def _field(x, y, pixels: np.ndarray, city: City) -> grounds.Field:
    return lambda size, salt: np.take(noise(x, y, size, city.seed + salt), pixels)


def _settle(canvas: Canvas, x, y, field: grounds.Field, site: quarters.Site, plan: quarters.Plan, city: City):
    """Build one quarter on its pixels: flat canvas and plan coordinates (N,)."""
    style = city.quarters[site.kind]
    dry = canvas.shore > _DRY
    cosine, sine = blocks.rotation(site.key)
    du, dv = (x - site.x).astype(np.float32), (y - site.y).astype(np.float32)
    u, v = cosine * du + sine * dv, cosine * dv - sine * du
    lay_out = blocks.grown if style.grown else blocks.planned
    lots = lay_out(u, v, style, site.key)

    def to_plan(east, south):
        return site.x + cosine * east - sine * south, site.y + sine * east + cosine * south

    use = _uses(lots, style, site)
    if site.kind == HARBOR:
        inland = quarters.on_land(*to_plan(lots.block_x, lots.block_y), city.seed)
        use[np.abs(inland - _DOCKS[0]) < _DOCKS[1]] = _USES.index("basin")
    lot_x, lot_y = to_plan(lots.x, lots.y)
    clear = quarters.clearance(lot_x, lot_y, site, plan.sites) - np.maximum(lots.width, lots.depth) / 2
    free = (clear > 27) & (quarters.on_land(lot_x, lot_y, city.seed) > _CLEAR_SHORE + lots.width / 2)
    inside = lots.inside > 0
    name = lots.block.of(use)
    paved = name != _USES.index("empty") if site.kind == DESERT else np.True_
    roads.streets(lots, canvas, dry & paved, style, site.key)
    roads.tracks(lots, canvas, dry & ~paved)
    built = free & (use[_block_row(lots)] == 0)
    if built.any():
        buildings.gardens(lots, canvas, style, site.key, field, built)
        buildings.houses(lots, canvas, style, site.key, _sun(city, cosine, sine), built)
    _fill(lots, canvas, inside, dry, name, field, site)


_USES = ("built", "park", "empty", "site", "parking", "basin")


def _uses(lots: blocks.Lots, style, site) -> np.ndarray:
    """Choose a use for each block: uint8 index into `_USES`."""
    odds = {_USES.index(name): odd for name, odd in style.uses.items()}
    return choose(uniform(hashed(site.key + 5, *lots.block.coordinates())), odds)


def _block_row(lots: blocks.Lots) -> np.ndarray:
    """Return the row in the table of blocks for each row in the table of lots."""
    return lots.lot.coordinates()[0]


def _fill(lots, canvas, inside, dry, name, field, site) -> None:
    """Cover the blocks that are not built on."""
    park, building_site, parking, basin = (
        inside & (name == _USES.index(use)) for use in ("park", "site", "parking", "basin")
    )
    park, building_site, parking = park & dry, building_site & dry, parking & dry
    if basin.any():
        grounds.basins(lots, canvas, basin, site.key)
    if park.any():
        grounds.parks(lots, canvas, park, field)
    if building_site.any():
        grounds.sites(lots, canvas, building_site, field, site.key)
    if parking.any() and site.kind == HARBOR:
        grounds.container_yards(lots, canvas, parking, site.key)
    elif parking.any():
        grounds.parking(lots, canvas, parking, site.key)


def _sun(city: City, cosine: float, sine: float) -> tuple[float, float]:
    """Return the direction of the sun along a quarter's u and v."""
    row, column, _ = sensor.shadow_steps(city)
    length = math.sqrt(row * row + column * column)
    east, south = column / length, row / length
    return cosine * east + sine * south, cosine * south - sine * east
