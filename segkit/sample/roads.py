"""Main roads on the borders of quarters, streets inside, and the cars on both."""

import numpy as np

from .blocks import Lots
from .city import Quarter
from .lattice import hashed, uniform
from .quarters import Plan
from .surface import Canvas
from .surface import Material as M

LANE = 3.5  # meters
_LANES = np.array([0, 0, 2, 4], np.float32)  # lanes in one direction by the road's rank
_MEDIAN = np.array([0, 0, 1.6, 3.5], np.float32)  # meters, half of it
_TRACK_WIDTH = 4.5  # meters, half of it
_SHOULDER = 1.6  # meters
_DASH = 9.0  # meters from dash to dash
_MARK = 0.28  # meters, half a marking's width
_ROUNDABOUT = 25.0  # meters
_ISLAND = 11.0  # meters
_CAR_STEP = 8.0  # meters of lane that hold at most one car
_CAR = (2.4, 1.05)  # meters, half a car's length and width
_TRAFFIC = 0.16
_BANK = 1.2  # meters between a block and the track beside it
_SIDEWALK = 1.6  # meters


def main_roads(plan: Plan, canvas: Canvas, dry: np.ndarray, seed: int) -> None:
    """Paint the main roads with verges and cars; arrays (N,) as `plan.pixels`."""
    edge = _MEDIAN[plan.level] + _LANES[plan.level] * LANE
    paved = plan.level >= 2
    lane = plan.across - _MEDIAN[plan.level]
    verge = dry & paved & (plan.across < edge + _SHOULDER + 6)
    canvas.paint(verge, M.GARDEN_SOIL, 1.08)
    strip = verge & (plan.across > edge + _SHOULDER + 1.2) & _planted(plan, seed)
    canvas.paint(strip, M.DRY_GRASS, 0.85)
    canvas.paint(dry & paved & (plan.across < edge + _SHOULDER + 0.4), M.PAVING, 1.0)
    road = dry & paved & (plan.across < edge + _SHOULDER)
    canvas.paint(road, M.ASPHALT, plan.wear)
    number = np.floor(lane / LANE)
    from_line = np.abs(lane - LANE * np.rint(lane / LANE))
    dashed = (plan.along / _DASH - np.floor(plan.along / _DASH)) < 0.4
    side_line = (np.abs(lane - _LANES[plan.level] * LANE) < _MARK) | (np.abs(lane) < _MARK)
    mark = road & (side_line | ((from_line < _MARK) & dashed & (lane > 1)))
    canvas.paint(mark, M.MARKING)
    canvas.paint(road & (lane < -_MARK) & (plan.level == 2), M.PAVING, label=-1)
    canvas.paint(road & (lane < -_MARK) & (plan.level == 3), M.DRY_GRASS, 0.9)
    _traffic(plan, canvas, road & (lane > 0) & (number < _LANES[plan.level]), lane, number, seed)
    _roundabouts(plan, canvas, dry & paved)
    track = dry & (plan.level == 1) & (plan.across < _TRACK_WIDTH)
    canvas.paint(track, M.TRACK)
    canvas.tone[track & (np.abs(plan.across - 1.6) < 0.8)] = 0.93


def _planted(plan: Plan, seed: int) -> np.ndarray:
    stretch = np.floor(plan.along / 60).astype(np.int64)
    return uniform(hashed(seed + 201, stretch, (plan.side > 0).astype(np.int64))) < 0.6


def _traffic(plan: Plan, canvas: Canvas, lanes, lane, number, seed: int) -> None:
    cell = np.floor(plan.along / _CAR_STEP)
    line = (number + 1) * plan.side
    chance = hashed(seed + 202, cell.astype(np.int64), line.astype(np.int64))
    middle = _CAR_STEP * (0.35 + 0.3 * uniform(chance, 1))
    from_car = np.abs(plan.along - cell * _CAR_STEP - middle)
    beside = np.abs(lane - (number + 0.5) * LANE)
    car = lanes & (uniform(chance, 0) < _TRAFFIC) & (from_car < _CAR[0]) & (beside < _CAR[1])
    park_cars(canvas, car, uniform(chance, 2))


def park_cars(canvas: Canvas, car: np.ndarray, chance: np.ndarray) -> None:
    """Paint cars white, silver, dark or red; the class below them stays."""
    tone = np.where(chance < 0.5, 1.55, np.where(chance < 0.7, 1.1, 0.35))
    canvas.paint(car, M.CAR, tone, height=1.4, warmth=np.where(chance > 0.95, 60, 0), label=-1)


def _roundabouts(plan: Plan, canvas: Canvas, where: np.ndarray) -> None:
    ring = where & (plan.corner < _ROUNDABOUT)
    canvas.paint(ring, M.ASPHALT, plan.wear, height=0)
    canvas.paint(ring & (plan.corner < _ISLAND + 0.7), M.PAVING)
    canvas.paint(ring & (plan.corner < _ISLAND), M.LAWN)


def streets(lots: Lots, canvas: Canvas, where: np.ndarray, style: Quarter, key: int) -> None:
    """Paint the streets of a quarter (N,) with pavements and parked cars."""
    canvas.paint(where & (lots.inside < 0), M.PAVING, 0.96)
    road = where & (lots.inside < -_SIDEWALK)
    wear = 0.8 + 0.7 * float(uniform(hashed(key + 213))[0])
    canvas.paint(road, M.WORN_ASPHALT if style.grown or style.ribbed else M.STREET, wear)
    step = np.floor(lots.along / 6.5)
    own = lots.block.of(hashed(key + 212, *lots.block.coordinates()).view(np.int64))
    chance = hashed(key + 211, own, step.astype(np.int64))
    at_curb = np.abs(lots.inside + _SIDEWALK + 1.2) < _CAR[1]
    along = np.abs(lots.along - (step + 0.5) * 6.5) < _CAR[0]
    park_cars(canvas, road & at_curb & along & (uniform(chance, 0) < 0.3), uniform(chance, 1))


def tracks(lots: Lots, canvas: Canvas, where: np.ndarray) -> None:
    """Paint streets that are only graded sand between low banks (N,)."""
    track = where & (lots.inside < -_BANK)
    canvas.paint(track, M.TRACK, 1.0)
    canvas.shadow(where & (np.abs(lots.inside + _BANK) < 0.7), 0.76)
    canvas.shadow(track & (np.abs(np.abs(lots.inside + _BANK + 2.0) - 0.3) < 0.4), 0.84)
