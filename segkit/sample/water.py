"""Where the water is: a sea in the north-west, and creeks that wind inland."""

import numpy as np

from .lattice import noise, octaves

_SEAWARD = (0.6, 0.8)  # unit vector from the sea inland: east, south
_COAST_BEND = 230.0  # meters that the coast swings to and fro
_CREEK_WIDTH = 42.0  # meters, half of it
_BRIDGED = 60.0  # meters: bridges reach so far over a creek's bank, and end so far from the sea
_CREEK_SLOPE = 620.0  # meters from the creek's middle to where its noise would be 1


def shore(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return about how far the next water's edge is.

    Args:
        x: eastward meters, (1, W) or (N,).
        y: southward meters, (H, 1) or (N,).
        seed: of the city.

    Returns:
        float32 meters from any water, below 0 in it, and whether a bridge may stand here.
    """
    ragged = 14 * noise(x, y, 70, seed + 11) + 4 * noise(x, y, 17, seed + 12)
    open_sea, inlet = sea(x, y, seed), creek(x, y, seed)
    edge = np.minimum(open_sea, inlet) + ragged
    return edge, (inlet < _BRIDGED) & (open_sea > _BRIDGED)


def sea(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return about how far the open sea is, float32 meters, below 0 in it."""
    straight = (x * _SEAWARD[0] + y * _SEAWARD[1]).astype(np.float32)
    return straight + _COAST_BEND * octaves(x, y, 1300, seed + 1, 3)


def creek(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Return about how far the next creek is, float32 meters, below 0 in it."""
    course = np.abs(noise(x, y, 2300, seed + 5) + 0.12 * noise(x, y, 420, seed + 6))
    width = _CREEK_WIDTH * (1 + 0.8 * noise(x, y, 600, seed + 7))
    return (course * _CREEK_SLOPE - width).astype(np.float32)
