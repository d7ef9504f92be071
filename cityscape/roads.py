"""Main roads on the borders of quarters, streets inside, and the cars on both."""

import numpy as np

from .blocks import Lots
from .city import Quarter
from .lattice import hashed, uniform
from .quarters import AVENUE, HIGHWAY, TRACK, Plan
from .surface import Canvas
from .surface import Material as M

LANE = 3.5  # meters
_LANES = np.array([0, 0, 2, 4], np.float32)  # lanes in one direction by the road's rank
_MEDIAN = np.array([0, 0, 1.6, 3.5], np.float32)  # meters, half of it
_TRACK_WIDTH = 4.5  # meters, half of it
_RUT, _RUT_WIDTH = 1.6, 0.8  # meters from the middle of a track to a rut's, and half its width
_SHOULDER = 1.6  # meters
_EDGING, _BARE, _VERGE = 0.4, 1.2, 6.0  # meters beyond the shoulder: curb, unplanted, verge
_STRETCH, _PLANTED = 60.0, 0.6  # meters of verge that are alike; odds that they are planted
_VERGE_TONE, _STRIP_TONE, _MEDIAN_TONE, _RUT_TONE = 1.08, 0.85, 0.9, 0.93  # brightness
_DASH, _DASHED = 9.0, 0.4  # meters from dash to dash, and the share of it that is painted
_MARK = 0.28  # meters, half a marking's width
_FIRST_LINE = 1.0  # meters from the median: nearer to it no line is dashed
_ROUNDABOUT = 25.0  # meters
_ISLAND, _ISLAND_RIM = 11.0, 0.7  # meters
_CAR_STEP = 8.0  # meters of lane that hold at most one car
_CAR = (2.4, 1.05)  # meters, half a car's length and width
_CAR_PLACE = (0.35, 0.3)  # of the step, a car's middle: the least, and how much more
_CAR_HEIGHT = 1.4  # meters
_TRAFFIC = 0.16  # odds that a step of lane holds a car
_PARKED_STEP, _PARKED = 6.5, 0.3  # meters of curb for one car, and odds that it is there
_FROM_CURB = 1.2  # meters from the curb to a parked car's middle
_WHITE, _SILVER, _RED = 0.5, 0.7, 0.95  # chance: white below, silver below, red above
_CAR_TONES, _CAR_WARMTH = (1.55, 1.1, 0.35), 60  # brightness by color; gray levels if red
_BANK = 1.2  # meters between a block and the track beside it
_BANK_WIDTH, _BANK_TONE = 0.7, 0.76  # meters, half of it; brightness
_WHEELS = (2.0, 0.3, 0.4)  # meters from bank to middle, from there to a wheel, half its width
_WHEEL_TONE = 0.84  # brightness of the ground under wheels
_SIDEWALK, _SIDEWALK_TONE = 1.6, 0.96  # meters; brightness
_STREET_WEAR = (0.8, 0.7)  # brightness of a quarter's streets: the least, and how much more


def main_roads(plan: Plan, canvas: Canvas, dry: np.ndarray, seed: int) -> None:
    """Paint the main roads with verges and cars; arrays (N,) as `plan.pixels`."""
    edge = _MEDIAN[plan.level] + _LANES[plan.level] * LANE
    paved = plan.level >= AVENUE
    lane = plan.across - _MEDIAN[plan.level]
    verge = dry & paved & (plan.across < edge + _SHOULDER + _VERGE)
    canvas.paint(verge, M.GARDEN_SOIL, _VERGE_TONE)
    strip = verge & (plan.across > edge + _SHOULDER + _BARE) & _planted(plan, seed)
    canvas.paint(strip, M.DRY_GRASS, _STRIP_TONE)
    canvas.paint(dry & paved & (plan.across < edge + _SHOULDER + _EDGING), M.PAVING, 1.0)
    road = dry & paved & (plan.across < edge + _SHOULDER)
    canvas.paint(road, M.ASPHALT, plan.wear)
    number = np.floor(lane / LANE)
    from_line = np.abs(lane - LANE * np.rint(lane / LANE))
    dashed = (plan.along / _DASH - np.floor(plan.along / _DASH)) < _DASHED
    side_line = (np.abs(lane - _LANES[plan.level] * LANE) < _MARK) | (np.abs(lane) < _MARK)
    mark = road & (side_line | ((from_line < _MARK) & dashed & (lane > _FIRST_LINE)))
    canvas.paint(mark, M.MARKING)
    canvas.paint(road & (lane < -_MARK) & (plan.level == AVENUE), M.PAVING, label=-1)
    canvas.paint(road & (lane < -_MARK) & (plan.level == HIGHWAY), M.DRY_GRASS, _MEDIAN_TONE)
    _traffic(plan, canvas, road & (lane > 0) & (number < _LANES[plan.level]), lane, number, seed)
    _roundabouts(plan, canvas, dry & paved)
    track = dry & (plan.level == TRACK) & (plan.across < _TRACK_WIDTH)
    canvas.paint(track, M.TRACK)
    canvas.tone[track & (np.abs(plan.across - _RUT) < _RUT_WIDTH)] = _RUT_TONE


def _planted(plan: Plan, seed: int) -> np.ndarray:
    stretch = np.floor(plan.along / _STRETCH).astype(np.int64)
    return uniform(hashed(seed + 201, stretch, (plan.side > 0).astype(np.int64))) < _PLANTED


def _traffic(plan: Plan, canvas: Canvas, lanes, lane, number, seed: int) -> None:
    cell = np.floor(plan.along / _CAR_STEP)
    line = (number + 1) * plan.side
    chance = hashed(seed + 202, cell.astype(np.int64), line.astype(np.int64))
    middle = _CAR_STEP * (_CAR_PLACE[0] + _CAR_PLACE[1] * uniform(chance, 1))
    from_car = np.abs(plan.along - cell * _CAR_STEP - middle)
    beside = np.abs(lane - (number + 0.5) * LANE)
    car = lanes & (uniform(chance, 0) < _TRAFFIC) & (from_car < _CAR[0]) & (beside < _CAR[1])
    park_cars(canvas, car, uniform(chance, 2))


def park_cars(canvas: Canvas, car: np.ndarray, chance: np.ndarray) -> None:
    """Paint cars white, silver, dark or red; the class below them stays."""
    white, silver, dark = _CAR_TONES
    tone = np.where(chance < _WHITE, white, np.where(chance < _SILVER, silver, dark))
    warmth = np.where(chance > _RED, _CAR_WARMTH, 0)
    canvas.paint(car, M.CAR, tone, _CAR_HEIGHT, warmth, label=-1)


def _roundabouts(plan: Plan, canvas: Canvas, where: np.ndarray) -> None:
    ring = where & (plan.corner < _ROUNDABOUT)
    canvas.paint(ring, M.ASPHALT, plan.wear, height=0)
    canvas.paint(ring & (plan.corner < _ISLAND + _ISLAND_RIM), M.PAVING)
    canvas.paint(ring & (plan.corner < _ISLAND), M.LAWN)


def streets(lots: Lots, canvas: Canvas, where: np.ndarray, style: Quarter, key: int) -> None:
    """Paint the streets of a quarter (N,) with pavements and parked cars."""
    canvas.paint(where & (lots.inside < 0), M.PAVING, _SIDEWALK_TONE)
    road = where & (lots.inside < -_SIDEWALK)
    wear = _STREET_WEAR[0] + _STREET_WEAR[1] * float(uniform(hashed(key + 213))[0])
    canvas.paint(road, M.WORN_ASPHALT if style.grown or style.ribbed else M.STREET, wear)
    step = np.floor(lots.along / _PARKED_STEP)
    own = lots.block.of(hashed(key + 212, *lots.block.coordinates()).view(np.int64))
    chance = hashed(key + 211, own, step.astype(np.int64))
    at_curb = np.abs(lots.inside + _SIDEWALK + _FROM_CURB) < _CAR[1]
    along = np.abs(lots.along - (step + 0.5) * _PARKED_STEP) < _CAR[0]
    parked = road & at_curb & along & (uniform(chance, 0) < _PARKED)
    park_cars(canvas, parked, uniform(chance, 1))


def tracks(lots: Lots, canvas: Canvas, where: np.ndarray) -> None:
    """Paint streets that are only graded sand between low banks (N,)."""
    track = where & (lots.inside < -_BANK)
    canvas.paint(track, M.TRACK, 1.0)
    canvas.shadow(where & (np.abs(lots.inside + _BANK) < _BANK_WIDTH), _BANK_TONE)
    middle, wheel, width = _WHEELS
    from_middle = np.abs(lots.inside + _BANK + middle)
    canvas.shadow(track & (np.abs(from_middle - wheel) < width), _WHEEL_TONE)
