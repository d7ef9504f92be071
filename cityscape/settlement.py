"""One quarter, built on its pixels: streets, uses of the blocks, gardens and houses."""

import math
from dataclasses import dataclass

import numpy as np

from . import blocks, buildings, grounds, quarters, roads
from .city import DESERT, HARBOR, City
from .lattice import choose, hashed, uniform
from .sensor import shadow_steps
from .surface import Canvas

DRY = 3.0  # meters from the water to where anything is built
_CLEAR_SHORE = 14.0  # meters between a house and the water
_CLEAR_ROAD = 27.0  # meters between a lot and the middle of a main road
_DOCKS = (30.0, 60.0)  # meters: blocks whose middle is so far inland, give or take, are docks
_USES = ("built", "park", "empty", "site", "parking", "basin")
BUILT, PARK, EMPTY, SITE, PARKING, BASIN = range(len(_USES))


@dataclass(frozen=True)
class _Frame:
    """A quarter's own directions u and v, in the plan."""

    site: quarters.Site
    cosine: float
    sine: float

    def turn(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 meters along u and v of points of the plan."""
        dx, dy = (x - self.site.x).astype(np.float32), (y - self.site.y).astype(np.float32)
        return self.cosine * dx + self.sine * dy, self.cosine * dy - self.sine * dx

    def back(self, u, v) -> tuple[np.ndarray, np.ndarray]:
        """Return plan coordinates of points along u and v."""
        x = self.site.x + self.cosine * u - self.sine * v
        return x, self.site.y + self.sine * u + self.cosine * v

    def sun(self, city: City) -> tuple[float, float]:
        """Return the unit vector towards the sun along u and v."""
        south, east, _ = shadow_steps(city)
        length = math.sqrt(south * south + east * east)
        east, south = east / length, south / length
        return self.cosine * east + self.sine * south, self.cosine * south - self.sine * east


def settle(
    canvas: Canvas, x, y, field: grounds.Field, site: quarters.Site, near, city: City
) -> None:
    """Build a quarter.

    Args:
        canvas: flat canvas (N,) of the pixels in the quarter, shore included.
        x, y: float64 plan coordinates (N,).
        field: smooth noise for the pixels.
        site: the quarter.
        near: all quarters around, itself included.
        city: which world.
    """
    style, key = city.quarters[site.kind], site.key
    frame = _Frame(site, *blocks.rotation(key))
    lots = (blocks.grown if style.grown else blocks.planned)(*frame.turn(x, y), style, key)
    table = _uses(lots, frame, city)
    use, dry = lots.block.of(table), canvas.shore > DRY
    paved = use != EMPTY if site.kind == DESERT else np.True_
    roads.streets(lots, canvas, dry & paved, style, key)
    roads.tracks(lots, canvas, dry & ~paved)
    built = (table[lots.home] == BUILT) & _free(lots, frame, near, city)
    if built.any():
        buildings.gardens(lots, canvas, style, key, field, built)
        buildings.houses(lots, canvas, style, key, frame.sun(city), built)
    _fill(lots, canvas, use, dry, field, site)


def _uses(lots: blocks.Lots, frame: _Frame, city: City) -> np.ndarray:
    """Choose a use for each block: uint8, one for each row of `lots.block`."""
    site, odds = frame.site, city.quarters[frame.site.kind].uses
    chance = uniform(hashed(site.key + 5, *lots.block.coordinates()))
    use = choose(chance, {_USES.index(name): odd for name, odd in odds.items()})
    if site.kind == HARBOR:
        inland = quarters.on_land(*frame.back(lots.block_x, lots.block_y), city.seed)
        use[np.abs(inland - _DOCKS[0]) < _DOCKS[1]] = BASIN
    return use


def _free(lots: blocks.Lots, frame: _Frame, near, city: City) -> np.ndarray:
    """Return which lots lie clear of water and main roads: bool, one for each row of `lots.lot`."""
    x, y = frame.back(lots.x, lots.y)
    from_road = quarters.clearance(x, y, frame.site, near) - np.maximum(lots.width, lots.depth) / 2
    from_water = quarters.on_land(x, y, city.seed) - lots.width / 2
    return (from_road > _CLEAR_ROAD) & (from_water > _CLEAR_SHORE)


def _fill(lots: blocks.Lots, canvas: Canvas, use, dry, field: grounds.Field, site) -> None:
    """Cover the blocks that are not built on."""
    inside = lots.inside > 0
    basin = inside & (use == BASIN)
    park, building_site, parking = (inside & dry & (use == kind) for kind in (PARK, SITE, PARKING))
    if basin.any():
        grounds.basins(lots, canvas, basin, site.key)
    if park.any():
        grounds.parks(lots, canvas, park, field)
    if building_site.any():
        grounds.sites(lots, canvas, building_site, field, site.key)
    if parking.any():
        pave = grounds.container_yards if site.kind == HARBOR else grounds.parking
        pave(lots, canvas, parking, site.key)
