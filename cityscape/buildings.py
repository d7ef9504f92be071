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
_STAIRWELL_HALF, _STAIRWELL_OFF = (2.4, 3.0), 4  # meters: half its sides; from the middle at most
_SETBACK = 1.0  # meters between a house and the edge of the block
_SHIFT = 0.8  # of the spare room on a lot: how far a house stands from the middle at most
_CORNERED, _COURTYARD = 0.5, 0.82  # chance: a corner is missing below, there is a court above
_CUT = (0.25, 0.3)  # of half a side that is cut away: the least, and how much more
_CUT_CORNER, _CUT_COURT, _CUT_NOTHING = 1.5, 0.8, -9  # times that
_ROOF_TONE, _GARDEN_TONE = (0.86, 0.24), (0.88, 0.24)  # brightness: least, and how much more
_ROOF_WARMTH = 7  # gray levels, greatest
_SHEET_SLOPE, _HIP_SLOPE = 0.09, 0.22  # brightness that a slope towards the sun gains
_RIBBED, _RIB_SHADE = 0.25, 0.04  # half a rib, of the way to the next; brightness that it loses
_SKYLIGHT, _SKYLIGHT_TONE = 0.1, 0.12  # width, of the way to the next; brightness that it gains
_RIM_TONE, _STAIRWELL_TONE = 1.14, 1.05  # brightness of a parapet and a stairwell
_MACHINES, _MACHINE_EDGE = 0.10, 1.5  # odds for each unit; meters from the walls
_DARK_MACHINES, _MACHINE_TONES = 0.05, (0.72, 1.2)  # odds of a dark one; brightness, dark, pale
_COURTS, _NO_POOL, _PAVED = 0.03, 0.92, 0.35  # odds for a lot: court, no pool, paved
_COURT, _COURT_LINE = (0.40, 0.42), (0.36, 0.38)  # of the lot: half a court, half its lines' way
_LINE, _LINE_TONE = 0.012, 1.7  # of the lot, half a line's width; brightness
_COURT_WARMTH = (-25, 60)  # gray levels: the least, and how much more
_POOL, _POOL_SHIFT = 2.2, 0.8  # meters, half its width; share of the lot it is strewn over
_POOL_BACK, _POOL_DEPTH = 0.40, 0.03  # of the lot's depth: from the middle, half the pool's
_LAWN_SIZE = 11  # meters, lattice of the noise that lawns follow
_NO_LAWN, _LAWN_GAIN = 1.9, 2.9  # noise above which lawn grows, and what `garden` takes off it
_WALL_INSIDE, _WALL_TONE, _WALL_HEIGHT = 1.2, 0.95, 1.8  # meters; brightness; meters


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
    courts = uniform(hashed(key + 113, lots.identity), 0) < _COURTS
    stands = buildable & (uniform(chance[0], 0) >= style.vacant) & ~courts
    edge, du, dv, half_u, half_v = _footprint(lots, chance, style)
    inside = lots.lot.of(stands) & (edge < 0) & (lots.inside > _SETBACK)
    height = lots.lot.of(_between(style.height, uniform(chance[2], 0)))
    roof = lots.lot.of(choose(uniform(chance[2], 1), style.roofs))
    tone = lots.lot.of(_ROOF_TONE[0] + _ROOF_TONE[1] * uniform(chance[2], 2)).astype(np.float32)
    warmth = lots.lot.of(_ROOF_WARMTH * (2 * uniform(chance[2], 3) - 1))
    tone = tone * _relief(lots, chance[3], du, dv, half_u, half_v, style, sun)
    canvas.paint(inside, roof, tone, height, warmth)
    _on_the_roof(lots, canvas, inside, edge, chance[3], du, dv, key)


def _between(limits: tuple[float, float], chance: np.ndarray) -> np.ndarray:
    low, high = limits
    return (low + (high - low) * chance).astype(np.float32)


def _footprint(lots: Lots, chance, style: Quarter):
    """Return distance to the walls (below 0 inside), offsets from the middle, and half sizes."""
    half_u = lots.width / 2 * _between(style.covered, uniform(chance[0], 1))
    half_v = lots.depth / 2 * _between(style.covered, uniform(chance[0], 2))
    shift_u = (lots.width / 2 - half_u) * (2 * _SHIFT * uniform(chance[0], 3) - _SHIFT)
    shift_v = (lots.depth / 2 - half_v) * (2 * _SHIFT * uniform(chance[1], 0) - _SHIFT)
    du, dv = lots.u - lots.lot.of(shift_u), lots.v - lots.lot.of(shift_v)
    wide, deep = lots.lot.of(half_u), lots.lot.of(half_v)
    box = np.maximum(np.abs(du) - wide, np.abs(dv) - deep)
    return np.maximum(box, _cut_away(lots, chance[1], du, dv, half_u, half_v)), du, dv, wide, deep


def _cut_away(lots: Lots, chance, du, dv, half_u, half_v) -> np.ndarray:
    """Return how far each pixel is into a missing corner or a courtyard; below 0 outside both."""
    form = uniform(chance, 1)
    size = _CUT[0] + _CUT[1] * uniform(chance, 2)
    side_u = np.where(uniform(chance, 3) < 0.5, -1, 1)
    side_v = np.where(uniform(chance, 3) * 2 % 1 < 0.5, -1, 1)
    corner, court = form < _CORNERED, form > _COURTYARD
    center_u, center_v = (np.where(corner, s * h, 0).astype(np.float32)
                          for s, h in ((side_u, half_u), (side_v, half_v)))  # fmt: skip
    size = np.where(corner, _CUT_CORNER * size, np.where(court, _CUT_COURT * size, _CUT_NOTHING))
    size = size.astype(np.float32)
    cut_u = lots.lot.of(half_u * size) - np.abs(du - lots.lot.of(center_u))
    cut_v = lots.lot.of(half_v * size) - np.abs(dv - lots.lot.of(center_v))
    return np.minimum(cut_u, cut_v)


def _relief(lots, chance, du, dv, half_u, half_v, style: Quarter, sun) -> np.ndarray:
    """Return how bright each part of the roof is for its slope towards the sun."""
    across = np.where(half_u > half_v, np.sign(dv) * sun[1], np.sign(du) * sun[0])
    if style.ribbed:
        way = np.where(half_u > half_v, du, dv)
        from_rib = np.abs(way / _RIB - np.floor(way / _RIB) - 0.5)
        rib = np.where(from_rib < _RIBBED, _RIB_SHADE, 0)
        step = way / _SKYLIGHT_STEP - np.floor(way / _SKYLIGHT_STEP)
        skylight = np.where(step < _SKYLIGHT, _SKYLIGHT_TONE, 0)
        return (1 + _SHEET_SLOPE * across - rib + skylight).astype(np.float32)
    hipped = lots.lot.of(uniform(chance, 0) < style.hipped)
    end = np.abs(du) - half_u > np.abs(dv) - half_v
    slope = np.where(end, np.sign(du) * sun[0], np.sign(dv) * sun[1])
    return np.where(hipped, 1 + _HIP_SLOPE * slope, 1).astype(np.float32)


def _on_the_roof(lots, canvas, inside, edge, chance, du, dv, key) -> None:
    """Add parapets, stairwells and machinery."""
    rim = inside & (edge > -_PARAPET)
    canvas.shadow(rim, _RIM_TONE)
    x, y = np.floor(du / _UNIT).astype(np.int64), np.floor(dv / _UNIT).astype(np.int64)
    own = lots.lot.of((chance >> np.uint64(40)).astype(np.int64))
    unit = uniform(hashed(key + 105, x + own, y))
    machine = inside & (edge < -_MACHINE_EDGE) & (unit < _MACHINES)
    canvas.shadow(machine, np.where(unit < _DARK_MACHINES, *_MACHINE_TONES))
    np.add(canvas.height, np.float32(_MACHINE), out=canvas.height, where=machine)
    at = [lots.lot.of(_STAIRWELL_OFF * (2 * uniform(chance, f) - 1)) for f in (2, 3)]
    half_u, half_v = _STAIRWELL_HALF
    stair = inside & (np.abs(du - at[0]) < half_u) & (np.abs(dv - at[1]) < half_v)
    np.add(canvas.height, np.float32(_STAIRWELL), out=canvas.height, where=stair)
    canvas.shadow(stair, _STAIRWELL_TONE)


def _for_leisure(lots: Lots, canvas: Canvas, where: np.ndarray, key: int) -> None:
    """Add pools behind houses, and courts for sports."""
    chance = hashed(key + 113, lots.identity)
    kind = lots.lot.of(uniform(chance, 0))
    at_u, at_v = (np.abs(axis) / lots.lot.of(size) for axis, size in
                  ((lots.u, lots.width), (lots.v, lots.depth)))  # fmt: skip
    court = where & (kind < _COURTS) & (at_u < _COURT[0]) & (at_v < _COURT[1])
    warmth = _COURT_WARMTH[0] + _COURT_WARMTH[1] * uniform(chance, 1)
    canvas.paint(court, M.COURT, 1.0, warmth=lots.lot.of(warmth))
    from_line = np.minimum(np.abs(at_u - _COURT_LINE[0]), np.abs(at_v - _COURT_LINE[1]))
    canvas.paint(court & (from_line < _LINE), M.COURT, _LINE_TONE)
    middle = lots.lot.of(lots.width * (uniform(chance, 2) - 0.5) * _POOL_SHIFT)
    pool = where & (kind > _NO_POOL) & (np.abs(lots.u - middle) < _POOL)
    pool &= np.abs(at_v - _POOL_BACK) < _POOL_DEPTH
    canvas.paint(pool, M.POOL)


def gardens(lots: Lots, canvas: Canvas, style: Quarter, key: int, field: Field, buildable) -> None:
    """Cover the open part of the lots: soil, paving, lawn, and a wall around."""
    chance = hashed(key + 111, lots.identity)
    lived_in = lots.lot.of(buildable) & (lots.inside > 0)
    paved = lots.lot.of(uniform(chance, 0) < _PAVED)
    tone = lots.lot.of(_GARDEN_TONE[0] + _GARDEN_TONE[1] * uniform(chance, 1))
    canvas.paint(lived_in, style.ground, tone)
    canvas.paint(lived_in & paved, M.PAVING, tone)
    patch = field(_LAWN_SIZE, 112) + lots.lot.of(2 * uniform(chance, 2) - 1)
    green = lived_in & (patch > _NO_LAWN - _LAWN_GAIN * style.garden) & ~paved
    canvas.paint(green, M.LAWN, tone)
    _for_leisure(lots, canvas, lived_in, key)
    if not style.grown and not style.ribbed:
        beside = lots.lot.of(lots.width / 2) - np.abs(lots.u)
        to_wall = np.minimum(beside, lots.lot.of(lots.depth / 2) - np.abs(lots.v))
        wall = lived_in & ((to_wall < _WALL) | (np.abs(lots.inside - _WALL_INSIDE) < _WALL))
        canvas.paint(wall, M.WALL, _WALL_TONE, height=_WALL_HEIGHT)
