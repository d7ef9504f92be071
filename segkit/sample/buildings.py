"""Houses: where they stand on their lots, and what their roofs look like from above."""

import numpy as np

from .blocks import Lots
from .city import Quarter
from .grounds import Field
from .lattice import choose, hashed, uniform
from .surface import Canvas
from .surface import Material as M

_PARAPET = 0.7  # meters
_WALL = 0.5  # meters, garden wall
_UNIT = 3.0  # meters, one unit of machinery on a roof
_MACHINE = 1.2  # meters high
_RIB = 1.6  # meters between the ribs of a metal roof
_SKYLIGHT_STEP = 11.0  # meters between skylights
_STAIRWELL = 2.6  # meters, height of a house on the roof


def houses(lots: Lots, canvas: Canvas, style: Quarter, key: int, sun: tuple, buildable) -> None:
    """Build on the lots of a quarter.

    Args:
        lots: pixels (N,) of the quarter.
        canvas: flat canvas of the same pixels.
        style: of the quarter.
        key: of the quarter.
        sun: unit vector towards the sun along u and v.
        buildable: bool, one for each row of `lots.lot`.
    """
    chance = [hashed(key + salt, lots.identity) for salt in (101, 102, 103, 104)]
    courts = uniform(hashed(key + 113, lots.identity), 0) < 0.03
    stands = buildable & (uniform(chance[0], 0) >= style.vacant) & ~courts
    edge, du, dv, half_u, half_v = _footprint(lots, chance, style)
    inside = lots.lot.of(stands) & (edge < 0) & (lots.inside > 1.0)
    height = lots.lot.of(_between(style.height, uniform(chance[2], 0)))
    roof = lots.lot.of(choose(uniform(chance[2], 1), style.roofs))
    tone = lots.lot.of(0.86 + 0.24 * uniform(chance[2], 2)).astype(np.float32)
    warmth = lots.lot.of(14 * uniform(chance[2], 3) - 7)
    tone = tone * _relief(lots, chance[3], du, dv, half_u, half_v, style, sun)
    canvas.paint(inside, roof, tone, height, warmth)
    _on_the_roof(lots, canvas, inside, edge, height, chance[3], du, dv, key)


def _between(limits: tuple[float, float], chance: np.ndarray) -> np.ndarray:
    low, high = limits
    return (low + (high - low) * chance).astype(np.float32)


def _footprint(lots: Lots, chance, style: Quarter):
    """Return distance to the walls (below 0 inside), offsets from the middle, and half sizes."""
    half_u = lots.width / 2 * _between(style.covered, uniform(chance[0], 1))
    half_v = lots.depth / 2 * _between(style.covered, uniform(chance[0], 2))
    shift_u = (lots.width / 2 - half_u) * (1.6 * uniform(chance[0], 3) - 0.8)
    shift_v = (lots.depth / 2 - half_v) * (1.6 * uniform(chance[1], 0) - 0.8)
    du, dv = lots.u - lots.lot.of(shift_u), lots.v - lots.lot.of(shift_v)
    wide, deep = lots.lot.of(half_u), lots.lot.of(half_v)
    box = np.maximum(np.abs(du) - wide, np.abs(dv) - deep)
    return np.maximum(box, _cut_away(lots, chance[1], du, dv, half_u, half_v)), du, dv, wide, deep


def _cut_away(lots: Lots, chance, du, dv, half_u, half_v) -> np.ndarray:
    """Return how far each pixel is into a missing corner or a courtyard; below 0 outside both."""
    form = uniform(chance, 1)
    size = 0.25 + 0.3 * uniform(chance, 2)
    side_u = np.where(uniform(chance, 3) < 0.5, -1, 1)
    side_v = np.where(uniform(chance, 3) * 2 % 1 < 0.5, -1, 1)
    corner, court = form < 0.5, form > 0.82
    center_u, center_v = (np.where(corner, s * h, 0).astype(np.float32)
                          for s, h in ((side_u, half_u), (side_v, half_v)))  # fmt: skip
    size = np.where(corner, 1.5 * size, np.where(court, 0.8 * size, -9)).astype(np.float32)
    cut_u = lots.lot.of(half_u * size) - np.abs(du - lots.lot.of(center_u))
    cut_v = lots.lot.of(half_v * size) - np.abs(dv - lots.lot.of(center_v))
    return np.minimum(cut_u, cut_v)


def _relief(lots, chance, du, dv, half_u, half_v, style: Quarter, sun) -> np.ndarray:
    """Return how bright each part of the roof is for its slope towards the sun."""
    across = np.where(half_u > half_v, np.sign(dv) * sun[1], np.sign(du) * sun[0])
    if style.ribbed:
        way = np.where(half_u > half_v, du, dv)
        rib = np.where(np.abs(way / _RIB - np.floor(way / _RIB) - 0.5) < 0.25, 0.04, 0)
        step = way / _SKYLIGHT_STEP - np.floor(way / _SKYLIGHT_STEP)
        return (1 + 0.09 * across - rib + np.where(step < 0.1, 0.12, 0)).astype(np.float32)
    hipped = lots.lot.of(uniform(chance, 0) < style.hipped)
    end = np.abs(du) - half_u > np.abs(dv) - half_v
    slope = np.where(end, np.sign(du) * sun[0], np.sign(dv) * sun[1])
    return np.where(hipped, 1 + 0.22 * slope, 1).astype(np.float32)


def _on_the_roof(lots, canvas, inside, edge, height, chance, du, dv, key) -> None:
    """Add parapets, stairwells and machinery."""
    rim = inside & (edge > -_PARAPET)
    canvas.shadow(rim, 1.14)
    x, y = np.floor(du / _UNIT).astype(np.int64), np.floor(dv / _UNIT).astype(np.int64)
    own = lots.lot.of((chance >> np.uint64(40)).astype(np.int64))
    unit = uniform(hashed(key + 105, x + own, y))
    machine = inside & (edge < -1.5) & (unit < 0.10)
    canvas.shadow(machine, np.where(unit < 0.05, 0.72, 1.2))
    np.add(canvas.height, np.float32(_MACHINE), out=canvas.height, where=machine)
    stair_u, stair_v = (lots.lot.of(8 * uniform(chance, f) - 4) for f in (2, 3))
    stair = inside & (np.abs(du - stair_u) < 2.4) & (np.abs(dv - stair_v) < 3.0)
    np.add(canvas.height, np.float32(_STAIRWELL), out=canvas.height, where=stair)
    canvas.shadow(stair, 1.05)


def _for_leisure(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Add pools behind houses, and courts for sports."""
    chance = hashed(key + 113, lots.identity)
    kind = lots.lot.of(uniform(chance, 0))
    at_u, at_v = (np.abs(axis) / lots.lot.of(size) for axis, size in
                  ((lots.u, lots.width), (lots.v, lots.depth)))  # fmt: skip
    court = where & (kind < 0.03) & (at_u < 0.40) & (at_v < 0.42)
    canvas.paint(court, M.COURT, 1.0, warmth=lots.lot.of(60 * uniform(chance, 1) - 25))
    line = np.minimum(np.abs(at_u - 0.36), np.abs(at_v - 0.38)) < 0.012
    canvas.paint(court & line, M.COURT, 1.7)
    beside = np.abs(lots.u - lots.lot.of(lots.width * (uniform(chance, 2) - 0.5) * 0.8))
    pool = where & (kind > 0.92) & (beside < 2.2) & (np.abs(at_v - 0.40) < 0.03)
    canvas.paint(pool, M.POOL)


def gardens(lots: Lots, canvas: Canvas, style: Quarter, key: int, field: Field, buildable) -> None:
    """Cover the open part of the lots: soil, paving, lawn, and a wall around."""
    chance = hashed(key + 111, lots.identity)
    lived_in = lots.lot.of(buildable) & (lots.inside > 0)
    paved = lots.lot.of(uniform(chance, 0) < 0.35)
    tone = lots.lot.of(0.88 + 0.24 * uniform(chance, 1))
    canvas.paint(lived_in, style.ground, tone)
    canvas.paint(lived_in & paved, M.PAVING, tone)
    patch = field(11, 112) + lots.lot.of(2 * uniform(chance, 2) - 1)
    green = lived_in & (patch > 1.9 - 2.9 * style.garden) & ~paved
    canvas.paint(green, M.LAWN, tone)
    _for_leisure(lots, canvas, lived_in, key)
    if not style.grown and not style.ribbed:
        beside = lots.lot.of(lots.width / 2) - np.abs(lots.u)
        to_wall = np.minimum(beside, lots.lot.of(lots.depth / 2) - np.abs(lots.v))
        wall = lived_in & ((to_wall < _WALL) | (np.abs(lots.inside - 1.2) < _WALL))
        canvas.paint(wall, M.WALL, 0.95, height=1.8)
