"""The plan of the city: quarters, and the main roads on their borders."""

import math
from dataclasses import dataclass

import numpy as np

from .city import DESERT, GARDENS, HARBOR, OLD_TOWN, TOWERS, VILLAS, City
from .lattice import choose, hashed, noise, uniform
from .water import creek, sea

SPACING = 760.0  # meters between the middles of quarters
_JITTER = 0.26  # of the spacing
_BEND = 34.0  # meters that main roads swing to and fro
_BEND_LENGTH = 420.0  # meters
_OFFSHORE = -140.0  # meters: quarters whose middle lies farther out are open sea
_ROADSIDE = 44.0  # meters: no main road reaches farther from its border
OPEN_SEA = 255  # kind of a quarter that is none
TRACK, AVENUE, HIGHWAY = 1, 2, 3  # ranks of main roads; 0 where there is none
_HIGHWAYS = 0.32  # odds that a main road is a highway
_WEAR = (0.85, 0.65)  # brightness of asphalt: the least, and how much more
_SHARP = 0.05  # least squared sine of a corner: borders that hardly meet divide by this
_AROUND = 2  # quarters that a box needs beyond its own on each side
#: how often each kind of quarter comes, relative to the others.
_INLAND_ODDS = {HARBOR: 0.5, OLD_TOWN: 3, VILLAS: 5, TOWERS: 2.2, GARDENS: 2.2, DESERT: 5}
_COAST_ODDS = {HARBOR: 5, OLD_TOWN: 1.5, VILLAS: 2, TOWERS: 3, GARDENS: 0.5, DESERT: 0.8}
_COAST_REACH = 480.0  # meters from the sea


def bend(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return plan coordinates (float64 meters): the plan is straight, the world is bent."""
    east = _BEND * noise(x, y, _BEND_LENGTH, seed + 21)
    south = _BEND * noise(x, y, _BEND_LENGTH, seed + 22)
    return x + east, y + south


@dataclass(frozen=True)
class Site:
    """The middle of a quarter, in plan coordinates."""

    key: int
    x: float
    y: float
    kind: int


def sites(x0: float, y0: float, x1: float, y1: float, city: City) -> list[Site]:
    """Return all quarters that can reach into a box of the plan, or border on one that does."""
    columns, rows = (
        np.arange(math.floor(low / SPACING) - _AROUND, math.floor(high / SPACING) + _AROUND + 1)
        for low, high in ((x0, x1), (y0, y1))
    )
    column, row = (grid.ravel() for grid in np.meshgrid(columns, rows))
    chance = hashed(city.seed + 31, row, column)
    x = (column + 0.5 + _JITTER * (2.0 * uniform(chance, 0) - 1)) * SPACING
    y = (row + 0.5 + _JITTER * (2.0 * uniform(chance, 1) - 1)) * SPACING
    kind = kinds(x, y, uniform(chance, 2), city.seed)
    keys = (chance >> np.uint64(2)).astype(np.int64)
    columns = (values.tolist() for values in (keys, x, y, kind))
    return [Site(*values) for values in zip(*columns, strict=True)]


def kinds(x: np.ndarray, y: np.ndarray, chance: np.ndarray, seed: int) -> np.ndarray:
    """Choose what each quarter is by its place on the coast: uint8 index into `city.quarters`."""
    offshore = sea(x, y, seed)
    near = offshore < _COAST_REACH
    kind = np.where(near, choose(chance, _COAST_ODDS), choose(chance, _INLAND_ODDS))
    return np.where(offshore < _OFFSHORE, OPEN_SEA, kind).astype(np.uint8)


@dataclass
class Plan:
    """Which quarter each pixel is in, and where the borders are that main roads run on.

    Attributes:
        sites: quarters that matter here.
        home: uint8 (H, W) index into `sites` of the pixel's own quarter.
        pixels: flat indices (N,) of the pixels near a border; what follows is for these.
        across: float32 meters to the border with the nearest other quarter.
        along: float32 meters along that border.
        corner: float32 meters to the point where three quarters meet.
        level: uint8 rank of the road on the border: 0 none, 1 track, 2 avenue, 3 highway.
        side: float32, 1 or −1, which side of the border.
        wear: float32, brightness of the asphalt.
    """

    sites: list[Site]
    home: np.ndarray
    pixels: np.ndarray
    across: np.ndarray
    along: np.ndarray
    corner: np.ndarray
    level: np.ndarray
    side: np.ndarray
    wear: np.ndarray


def plan(x: np.ndarray, y: np.ndarray, city: City) -> Plan:
    """Lay out the quarters over plan coordinates (H, W)."""
    near = _relevant(sites(x.min(), y.min(), x.max(), y.max(), city), x, y)
    borders = _Borders.between(near)
    home, neighbor = _nearest(near, x.ravel(), y.ravel())
    across = borders.across(home * len(near) + neighbor, x.ravel(), y.ravel())[2]
    pixels = np.flatnonzero(across < _ROADSIDE)
    x, y, across, a, b = (values.ravel()[pixels] for values in (x, y, across, home, neighbor))
    third, _ = _nearest(near, x, y, without=(a, b))
    here, beyond = a * len(near) + b, a * len(near) + third
    level, side, wear = (np.take(table, here) for table in _road_tables(near, city.seed))
    ax, ay, _ = borders.across(here, x, y)
    bx, by, other = borders.across(beyond, x, y)
    cosine = ax * bx + ay * by
    sine2 = np.maximum(1 - cosine * cosine, np.float32(_SHARP))
    corner = np.sqrt((across * across + other * other - 2 * across * other * cosine) / sine2)
    along = borders.along(here, x, y)
    return Plan(near, home, pixels, across, along, corner, level, side, wear)


def _relevant(candidates: list[Site], x: np.ndarray, y: np.ndarray) -> list[Site]:
    """Drop quarters too far off to be among the three nearest of any pixel."""
    middle_x, middle_y = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    reach = math.sqrt((x.max() - x.min()) ** 2 + (y.max() - y.min()) ** 2)
    distance = [math.sqrt((s.x - middle_x) ** 2 + (s.y - middle_y) ** 2) for s in candidates]
    limit = sorted(distance)[2] + reach
    order = sorted(range(len(distance)), key=distance.__getitem__)
    return [candidates[i] for i in order if distance[i] <= limit]


def _nearest(near: list[Site], x, y, without=()) -> tuple[np.ndarray, np.ndarray]:
    """Return for each pixel (N,) the indices of its two nearest sites."""
    best, runner_up = (np.full(x.shape, np.inf) for _ in range(2))
    first, second = (np.zeros(x.shape, np.intp) for _ in range(2))
    for index, site in enumerate(near):
        distance, south = x - site.x, y - site.y
        distance *= distance
        distance += np.multiply(south, south, out=south)
        for taken in without:
            distance[taken == index] = np.inf
        close = distance < runner_up
        if close.any():
            np.copyto(runner_up, distance, where=close)
            np.copyto(second, index, where=close)
            swap = np.flatnonzero(runner_up < best)
            best[swap], runner_up[swap] = runner_up[swap], best[swap]
            first[swap], second[swap] = second[swap], first[swap]
    return first, second


@dataclass
class _Borders:
    """For each pair of sites (flat tables) the unit vector from one to the other, and its foot.

    Attributes:
        east, south: float64, the unit vector.
        middle: float64, the middle between both along the unit vector, meters.
        foot: float64, the same at a right angle to it.
    """

    east: np.ndarray
    south: np.ndarray
    middle: np.ndarray
    foot: np.ndarray

    @classmethod
    def between(cls, near: list[Site]) -> "_Borders":
        x, y = (np.array([getattr(s, axis) for s in near]) for axis in "xy")
        dx, dy = (np.subtract.outer(axis, axis).T for axis in (x, y))
        length = np.sqrt(dx * dx + dy * dy)
        np.fill_diagonal(length, 1)
        east, south = dx / length, dy / length
        half_x, half_y = np.add.outer(x, x) / 2, np.add.outer(y, y) / 2
        tables = east, south, half_x * east + half_y * south, half_x * south - half_y * east
        return cls(*(table.ravel() for table in tables))

    def across(self, pair, x, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the unit vector of each pixel's pair, and float32 meters to their border."""
        east, south = np.take(self.east, pair), np.take(self.south, pair)
        distance = np.take(self.middle, pair) - x * east - y * south
        return east.astype(np.float32), south.astype(np.float32), distance.astype(np.float32)

    def along(self, pair, x, y) -> np.ndarray:
        """Return float32 meters along the border of each pixel's pair."""
        east, south = np.take(self.east, pair), np.take(self.south, pair)
        return (np.take(self.foot, pair) - x * south + y * east).astype(np.float32)


def _road_tables(near: list[Site], seed: int) -> tuple[np.ndarray, ...]:
    """Return for each pair of sites the road's rank, the first site's side, and the wear."""
    keys = np.array([s.key for s in near])
    low, high = np.minimum.outer(keys, keys), np.maximum.outer(keys, keys)
    chance = uniform(hashed(seed + 33, low, high))
    level = np.where(chance < _HIGHWAYS, HIGHWAY, AVENUE)
    desert = np.array([s.kind == DESERT for s in near])
    level[np.logical_and.outer(desert, desert)] = TRACK
    water = np.array([s.kind == OPEN_SEA for s in near])
    level[np.logical_or.outer(water, water)] = 0
    side = np.where(np.less.outer(keys, keys), 1, -1)
    wear = _WEAR[0] + _WEAR[1] * (chance * 8 % 1)
    return level.astype(np.uint8), side.astype(np.float32), wear.astype(np.float32)


def clearance(x: np.ndarray, y: np.ndarray, home: Site, near: list[Site]) -> np.ndarray:
    """Return how far points (N,) of the plan lie inside the quarter of `home`, float32 meters."""
    least = np.full(x.shape, np.inf)
    for site in near:
        dx, dy = site.x - home.x, site.y - home.y
        length = math.sqrt(dx * dx + dy * dy)
        if length > 0:
            middle_x, middle_y = (site.x + home.x) / 2, (site.y + home.y) / 2
            least = np.minimum(least, ((middle_x - x) * dx + (middle_y - y) * dy) / length)
    return least.astype(np.float32)


def on_land(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return about how far points (N,) are from the sea and creeks, float32 meters."""
    return np.minimum(sea(x, y, seed), creek(x, y, seed))
