"""A city nobody has seen: the seed decides where it lies, what is built, and who looks at it."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import uniform_filter

from segkit.classes import DUBAI

from .city import City
from .scene import paint

#: Meters around the origin that are searched for places, and between two looks.
_REACH, _STEP = 2600, 25
#: Meters: side of the scene, usual side of a tile's nine parts together (the largest is 90 more),
#: and the gap between them by these sides.
_SCENE, _TILE, _GAP = 1024, 750, 60
_TILES = 6
_REAL = [k for k in range(len(DUBAI.names)) if k != DUBAI.ignore_index]


def invented(seed: int) -> City:
    """Invent a city with its own plan, sun, air and sensor.

    The scene is put where the rarest of the classes has the largest share, and the tiles around it,
    where most classes meet; none of them shows ground of another.

    Args:
        seed: another seed, another city; the same seed, the same city.
    """
    rng = np.random.default_rng([seed, 1])
    city = City(
        seed=int(rng.integers(max(1_000_000, seed))),  # as hard to guess as the seed itself
        origin=tuple(
            float(1000 * rng.integers(low, high)) for low, high in ((250, 700), (2600, 2900))
        ),
        sun=(float(rng.integers(115, 246)), float(rng.integers(36, 61))),
        light=tuple(rng.uniform(0.94, 1.05, 3).round(3).tolist()),
        haze=round(rng.uniform(0.01, 0.05), 3),
        dust=round(rng.uniform(0.25, 0.45), 3),
        contrast=round(rng.uniform(1.0, 1.25), 3),
        noise=round(rng.uniform(2, 4), 3),
    )
    steps = np.arange(-_REACH, _REACH, _STEP) + _STEP / 2
    label = paint(steps[None, :], steps[:, None], city, furnished=False).label
    there = np.stack([label == k for k in _REAL]).astype(float)
    rarest = _around(there, _SCENE).min(axis=0)
    taken = [(_best(rarest, steps, [], _SCENE), _SCENE)]
    shares = _around(there, _TILE)
    mixed = -(shares * np.log(np.maximum(shares, 1e-9))).sum(axis=0)
    while len(taken) <= _TILES:
        taken.append((_best(mixed, steps, taken, _TILE), _TILE))
    (scene, _), *tiles = taken
    return replace(city, scene=scene, places=tuple(place for place, _ in tiles))


def _around(there: np.ndarray, side: float) -> np.ndarray:
    """Return each class's share of a square around each point."""
    cells = round(side / _STEP)
    return np.stack([uniform_filter(one, cells, mode="constant") for one in there])


def _best(score: np.ndarray, steps: np.ndarray, taken: list, side: float) -> tuple[float, float]:
    """Return the place of the highest score, meters east and south, that touches none taken."""
    edge = np.abs(steps) <= _REACH - side / 2
    free = edge[:, None] & edge[None, :]
    for (x, y), other in taken:
        apart = (side + other) / 2 + _GAP
        free &= (np.abs(steps[None, :] - x) >= apart) | (np.abs(steps[:, None] - y) >= apart)
    row, column = np.unravel_index(np.where(free, score, -1).argmax(), score.shape)
    return float(steps[column]), float(steps[row])
