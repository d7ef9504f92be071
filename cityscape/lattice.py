"""Chance that depends on the place alone: hashes of whole numbers, and noise made from them.

Everything in the city is a function of world coordinates. Only +, −, ×, ÷ and the square root
touch floating point numbers, because these are rounded alike on every machine.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_FIELD_BITS = 16


def hashed(key: int, *coordinates: np.ndarray) -> np.ndarray:
    """Hash whole numbers with SplitMix64 (Steele, Lea and Flood 2014).

    Args:
        key: what the chance is for; another key gives independent chance. The numbers that
            callers add to a seed or key (`seed + 301`) mean nothing but "another chance".
        *coordinates: integer arrays that broadcast together.

    Returns:
        uint64 array of the broadcast shape, all 64 bits well mixed.
    """
    state = np.full(1, int(key) % 2**64, np.uint64)
    for coordinate in coordinates:
        state = _mix(state ^ np.asarray(coordinate).astype(np.int64).view(np.uint64) * _GOLDEN)
    return _mix(state)


def _mix(state: np.ndarray) -> np.ndarray:
    state = state + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def uniform(hashes: np.ndarray, field: int = 0) -> np.ndarray:
    """Read one of the four 16-bit fields of a hash as float32 in [0, 1)."""
    shifted = hashes >> np.uint64(field * _FIELD_BITS)
    return (shifted & np.uint64(0xFFFF)).astype(np.float32) * np.float32(1 / 2**_FIELD_BITS)


def noise(x: np.ndarray, y: np.ndarray, size: float, key: int) -> np.ndarray:
    """Smooth value noise.

    Args:
        x: eastward meters, ascending (1, W) for a grid or (N,) for points.
        y: southward meters, ascending (H, 1) for a grid or (N,) for points.
        size: meters from one lattice point to the next.
        key: which noise.

    Returns:
        float32 (H, W) or (N,) in [−1, 1].
    """
    column, right = _split(x, size)
    row, lower = _split(y, size)
    first_row, first_column = row.min(), column.min()
    rows = np.arange(first_row, row.max() + 2)
    columns = np.arange(first_column, column.max() + 2)
    table = uniform(hashed(key, rows[:, None], columns[None, :])) * 2 - 1
    row, column = row - first_row, column - first_column
    if y.ndim == 2:
        across = _blend(table[:, column[0]], table[:, column[0] + 1], right)
        return _down(across, row[:, 0], lower)
    upper_row = _blend(table[row, column], table[row, column + 1], right)
    return _blend(
        upper_row, _blend(table[row + 1, column], table[row + 1, column + 1], right), lower
    )


def octaves(x, y, size: float, key: int, count: int = 3) -> np.ndarray:
    """Add noise of half the size and half the strength, `count` times in all; [−1, 1]."""
    total = noise(x, y, size, key)
    for octave in range(1, count):
        layer = noise(x, y, size / 2**octave, key + octave)
        layer *= np.float32(1 / 2**octave)
        total += layer
    total *= np.float32(1 / (2 - 2.0 ** (1 - count)))
    return total


def _split(position: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into lattice index and a smooth weight (float32) towards the next."""
    scaled = position / size
    index = np.floor(scaled)
    part = (scaled - index).astype(np.float32)
    return index.astype(np.int64), part * part * (3 - 2 * part)


def _blend(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    blend = b - a
    blend *= weight
    blend += a
    return blend


def _down(lines: np.ndarray, row: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Blend lattice lines (lines, W) into pixel rows: ascending `row` (H,), weights (H, 1)."""
    blend, step = np.empty((len(row), lines.shape[1]), np.float32), np.diff(lines, axis=0)
    ends = np.append(np.flatnonzero(np.diff(row)) + 1, len(row))
    first = 0
    for last in ends.tolist():
        part, line = blend[first:last], row[first]
        np.multiply(weight[first:last], step[line], out=part)
        part += lines[line]
        first = last
    return blend


class Cells:
    """The cells that some pixels lie in, as a small table with one row for each cell.

    What is decided once for a cell (a lot's house, a block's use) is computed in the table and
    then handed to the pixels with `of`.
    """

    def __init__(self, *indices: np.ndarray):
        """Take one whole number array (N,) for each dimension of the lattice."""
        self._low = [int(index.min()) for index in indices]
        self._size = [
            int(index.max()) - low + 1 for index, low in zip(indices, self._low, strict=True)
        ]
        flat = indices[0] - self._low[0]
        for index, low, size in zip(indices[1:], self._low[1:], self._size[1:], strict=True):
            flat = flat * size + (index - low)
        self.row = flat.astype(np.intp)

    def coordinates(self) -> list[np.ndarray]:
        """Return the lattice coordinates of all rows, one int64 (rows,) per dimension."""
        grids = np.indices(self._size).reshape(len(self._size), -1)
        return [grid + low for grid, low in zip(grids, self._low, strict=True)]

    def of(self, table: np.ndarray) -> np.ndarray:
        """Return for every pixel the value of its cell."""
        return np.take(table, self.row)


def choose(chance: np.ndarray, weights: dict[int, float]) -> np.ndarray:
    """Pick keys of `weights` with these odds: uint8 array of the shape of `chance` in [0, 1)."""
    limits = np.cumsum(np.array(list(weights.values()), np.float64))
    position = np.searchsorted(limits / limits[-1], chance, side="right")
    return np.array(list(weights), np.uint8)[position.clip(max=len(weights) - 1)]
