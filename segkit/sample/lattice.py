"""Chance that depends on the place alone: hashes of whole numbers, and noise made from them.

Everything in the city is a function of world coordinates. Only +, −, ×, ÷ and the square root
touch floating point numbers, because these are rounded alike on every machine.
"""

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_FIELD_BITS = 16
_SHARES = 2**17  # steps of an interpolation weight: 16 + 17 + 17 binary digits fit a float64


def hashed(key: int, *coordinates: np.ndarray) -> np.ndarray:
    """Hash whole numbers with SplitMix64 (Steele, Lea and Flood 2014).

    Args:
        key: what the chance is for; another key gives independent chance.
        *coordinates: integer arrays that broadcast together.

    Returns:
        uint64 array of the broadcast shape, all 64 bits well mixed.
    """
    state = np.full(1, key % 2**64, np.uint64)
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
        x: eastward meters, (1, W) for a grid or (N,) for points.
        y: southward meters, (H, 1) for a grid or (N,) for points.
        size: meters from one lattice point to the next.
        key: which noise.

    Returns:
        float32 (H, W) or (N,) in [−1, 1].
    """
    return octaves(x, y, size, key, 1)


def octaves(x, y, size: float, key: int, count: int = 3) -> np.ndarray:
    """Add noise of half the size and half the strength, `count` times in all (up to 4); [−1, 1]."""
    add = _on_grid if y.ndim == 2 else _at_points
    total = add(x, y, [(size / 2**octave, key + octave, 0.5**octave) for octave in range(count)])
    return total.astype(np.float32) / np.float32(2 - 2.0 ** (1 - count))


def _on_grid(x: np.ndarray, y: np.ndarray, layers: list) -> np.ndarray:
    """Add layers (size, key, strength) of noise: lattice values times the shares of each pixel."""
    upright, across = [], []
    for size, key, strength in layers:
        (down, rows), (right, columns) = _weights(y[:, 0], size), _weights(x[0], size)
        upright.append(down @ (_table(key, rows, columns) * strength))
        across.append(right)
    return np.hstack(upright) @ np.hstack(across).T


def _at_points(x: np.ndarray, y: np.ndarray, layers: list) -> np.ndarray:
    """Add layers (size, key, strength) of noise at points (N,)."""
    total = np.zeros(x.shape)
    for size, key, strength in layers:
        (column, right), (row, down) = _split(x, size), _split(y, size)
        rows, columns = (np.arange(i.min(), i.max() + 2) for i in (row, column))
        table = _table(key, rows, columns) * strength
        row, column = row - rows[0], column - columns[0]
        for i, share in ((row, 1 - down), (row + 1, down)):
            total += share * ((1 - right) * table[i, column] + right * table[i, column + 1])
    return total


def _table(key: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the noise at the lattice points, float64 (rows, columns) in [−1, 1)."""
    return uniform(hashed(key, rows[:, None], columns[None, :])).astype(np.float64) * 2 - 1


def _weights(position: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each lattice line in each position, (N, lines), and the lines.

    Shares and noise are whole multiples of powers of two, few enough digits for the sums of the
    matrix product to be exact: no machine can round them otherwise.
    """
    index, share = _split(position, size)
    lines = np.arange(index.min(), index.max() + 2)
    weights, each = np.zeros((len(index), len(lines))), np.arange(len(index))
    weights[each, index - lines[0]] = 1 - share
    weights[each, index - lines[0] + 1] = share
    return weights, lines


def _split(position: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into lattice index (int64) and a smooth share (float64) of the next."""
    scaled = position / size
    index = np.floor(scaled)
    part = scaled - index
    share = np.rint(part * part * (3 - 2 * part) * _SHARES) / _SHARES
    return index.astype(np.int64), share


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
