"""Where the water is: a sea in the north-west, and creeks that wind inland."""

import numpy as np

from .lattice import noise, octaves

_SEAWARD = (0.6, 0.8)  # unit vector from the sea inland: east, south
_COAST_BEND, _COAST_SIZE = 230.0, 1300.0  # meters that the coast swings to and fro; lattice
_CREEK_WIDTH = 42.0  # meters, half of it
_BRIDGED = 60.0  # meters: bridges reach so far over a creek's bank, and end so far from the sea
_CREEK_SLOPE = 620.0  # meters from the creek's middle to where its noise would be 1
_CREEK_SIZE = 2300.0  # meters, lattice of that noise
_MEANDER, _NARROWS = (0.12, 420.0), (0.8, 600.0)  # noise, share of the width; meters, lattices
_COVES, _NOTCHES = (14.0, 70.0), (4.0, 17.0)  # meters that the edge swings; meters, lattices


def shore(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return about how far the next water's edge is.

    Args:
        x: eastward meters, (1, W) or (N,).
        y: southward meters, (H, 1) or (N,).
        seed: of the city.

    Returns:
        float32 meters from any water, below 0 in it, and whether a bridge may stand here.
    """
    ragged = _COVES[0] * noise(x, y, _COVES[1], seed + 11)
    ragged = ragged + _NOTCHES[0] * noise(x, y, _NOTCHES[1], seed + 12)
    open_sea, inlet = sea(x, y, seed), creek(x, y, seed)
    edge = np.minimum(open_sea, inlet) + ragged
    return edge, (inlet < _BRIDGED) & (open_sea > _BRIDGED)


def sea(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return about how far the open sea is, float32 meters, below 0 in it."""
    straight = (x * _SEAWARD[0] + y * _SEAWARD[1]).astype(np.float32)
    return straight + _COAST_BEND * octaves(x, y, _COAST_SIZE, seed + 1, 3)


def creek(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return about how far the next creek is, float32 meters, below 0 in it."""
    width = _CREEK_WIDTH * (1 + _NARROWS[0] * noise(x, y, _NARROWS[1], seed + 7))
    return (np.abs(_course(x, y, seed)) * _CREEK_SLOPE - width).astype(np.float32)


def bank(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return on which of the two sides of the creeks' middle places lie, bool."""
    return _course(x, y, seed) > 0


def _course(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return float32 noise that is 0 along the middle of the creeks, and of two signs beside it."""
    meander = _MEANDER[0] * noise(x, y, _MEANDER[1], seed + 6)
    return noise(x, y, _CREEK_SIZE, seed + 5) + meander
