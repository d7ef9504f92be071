"""Streets inside a quarter, the blocks between them, and the lots inside a block."""

import math
from dataclasses import dataclass

import numpy as np

from .city import Quarter
from .lattice import Cells, hashed, uniform

_ROUNDING = 5.0  # meters, radius of a block's corners
_SITE_JITTER = 0.30  # of the block: how irregular grown blocks are
_TURNS = 24  # quarters are turned by one of so many angles


@dataclass
class Lots:
    """A quarter's pixels (N,), and where in their street, block and lot they lie.

    Attributes:
        inside: float32 meters from the edge of the block, below 0 in the street.
        along: float32 meters along the street nearest by.
        block: cells of the blocks.
        lot: cells of the lots.
        home: row of the lot's block in the table of blocks, one for each row of `lot`.
        identity: int64, one for each row of `lot`, the same in every window.
        u, v: float32 meters from the middle of the lot, along its width and its depth.
        width, depth: float32 meters, one for each row of `lot`.
        x, y: float32 meters of the lot's middle, one for each row of `lot`.
        block_x, block_y: float32 meters of the block's middle, one for each row of `block`.
    """

    inside: np.ndarray
    along: np.ndarray
    block: Cells
    lot: Cells
    home: np.ndarray
    identity: np.ndarray
    u: np.ndarray
    v: np.ndarray
    width: np.ndarray
    depth: np.ndarray
    x: np.ndarray
    y: np.ndarray
    block_x: np.ndarray
    block_y: np.ndarray


def rotation(key: int) -> tuple[float, float]:
    """Return cosine and sine of a quarter's direction, rounded alike everywhere."""
    angle = math.pi / 2 * (key % _TURNS) / _TURNS
    return round(math.cos(angle), 6), round(math.sin(angle), 6)


def planned(u: np.ndarray, v: np.ndarray, style: Quarter, key: int) -> Lots:
    """Lay out straight streets, some never built, with lots in rows back to back.

    Args:
        u, v: float32 meters (N,), turned into the quarter's direction.
        style: of the quarter.
        key: of the quarter.
    """
    length, width = style.block
    column, row = np.floor(u / length).astype(np.int64), np.floor(v / width).astype(np.int64)
    cells = Cells(row, column)
    rows, columns = cells.coordinates()
    left, right = (_margin(style, key, rows, columns + step, 0) for step in (0, 1))
    top, bottom = (_margin(style, key, rows + step, columns, 1) for step in (0, 1))
    half_u, half_v = (length - left - right) / 2, (width - top - bottom) / 2
    middle_u = (columns * length + left + half_u).astype(np.float32)
    middle_v = (rows * width + top + half_v).astype(np.float32)
    a, b = u - cells.of(middle_u), v - cells.of(middle_v)
    inside, along = _rounded(a, b, cells.of(half_u), cells.of(half_v))
    return _lots_in_rows(style, cells, a, b, inside, along, half_u, half_v, middle_u, middle_v)


def _margin(style: Quarter, key: int, rows, columns, direction: int) -> np.ndarray:
    """Return half a street's width where the street along this edge was built, else 0."""
    built = uniform(hashed(key + direction, rows, columns)) >= style.missing
    return np.where(built, np.float32(style.street), np.float32(0))


def _rounded(a, b, half_u, half_v) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance into a rectangle with round corners, and the way along its edge."""
    beyond_u, beyond_v = np.abs(a) - (half_u - _ROUNDING), np.abs(b) - (half_v - _ROUNDING)
    out_u, out_v = np.maximum(beyond_u, 0), np.maximum(beyond_v, 0)
    corner = np.sqrt(out_u * out_u + out_v * out_v)
    inside = _ROUNDING - corner - np.minimum(np.maximum(beyond_u, beyond_v), 0)
    return inside, np.where(beyond_u > beyond_v, b, a)


def _lots_in_rows(style, cells, a, b, inside, along, half_u, half_v, middle_u, middle_v) -> Lots:
    """Cut each block into whole lots of nearly the wanted size."""
    count_u = np.maximum(np.rint(2 * half_u / style.lot[0]), 1).astype(np.float32)
    count_v = np.maximum(np.rint(2 * half_v / style.lot[1]), 1).astype(np.float32)
    lot_u, lot_v = 2 * half_u / count_u, 2 * half_v / count_v
    p = np.floor((a + cells.of(half_u)) / cells.of(lot_u))
    q = np.floor((b + cells.of(half_v)) / cells.of(lot_v))
    lot = Cells(cells.row, p.astype(np.int64), q.astype(np.int64))
    blocks, ps, qs = lot.coordinates()
    lot_middle_u = ((ps + 0.5) * lot_u[blocks] - half_u[blocks]).astype(np.float32)
    lot_middle_v = ((qs + 0.5) * lot_v[blocks] - half_v[blocks]).astype(np.float32)
    return Lots(
        inside, along, cells, lot, blocks, _identity(cells, blocks, ps, qs),
        a - lot.of(lot_middle_u), b - lot.of(lot_middle_v),
        lot_u[blocks], lot_v[blocks],
        middle_u[blocks] + lot_middle_u, middle_v[blocks] + lot_middle_v, middle_u, middle_v,
    )  # fmt: skip


def _identity(cells: Cells, blocks, ps, qs) -> np.ndarray:
    return hashed(0, *(axis[blocks] for axis in cells.coordinates()), ps, qs).view(np.int64)


def grown(u: np.ndarray, v: np.ndarray, style: Quarter, key: int) -> Lots:
    """Let streets run between irregular blocks, each with lots in a direction of its own."""
    size_u, size_v = style.block
    column, row = np.floor(u / size_u).astype(np.int64), np.floor(v / size_v).astype(np.int64)
    around = Cells(np.concatenate([row - 1, row + 1]), np.concatenate([column - 1, column + 1]))
    rows, columns = around.coordinates()
    site_u, site_v = _sites(rows, columns, style, key)
    row_step = int(columns.max() - columns.min()) + 1
    home = (row - rows.min()) * row_step + (column - columns.min())
    nearest, inside, along = _nearest_border(u, v, site_u, site_v, home, row_step, style)
    block = Cells(rows[nearest], columns[nearest])
    return _turned_lots(u, v, style, key, block, inside, along)


def _sites(rows, columns, style: Quarter, key: int) -> tuple[np.ndarray, np.ndarray]:
    chance = hashed(key, rows, columns)
    site_u = (columns + 0.5 + _SITE_JITTER * (2.0 * uniform(chance, 0) - 1)) * style.block[0]
    site_v = (rows + 0.5 + _SITE_JITTER * (2.0 * uniform(chance, 1) - 1)) * style.block[1]
    return site_u.astype(np.float32), site_v.astype(np.float32)


def _nearest_border(u, v, site_u, site_v, home, row_step, style):
    """Return each pixel's block, its distance into the block and its way along the border."""
    best = runner_up = np.full(u.shape, np.inf, np.float32)
    first = second = home
    for step in (a * row_step + b for a in (-1, 0, 1) for b in (-1, 0, 1)):
        candidate = home + step
        du, dv = u - site_u[candidate], v - site_v[candidate]
        distance = du * du + dv * dv
        closer, close = distance < best, distance < runner_up
        second = np.where(closer, first, np.where(close, candidate, second))
        runner_up = np.where(closer, best, np.where(close, distance, runner_up))
        first = np.where(closer, candidate, first)
        best = np.where(closer, distance, best)
    du, dv = site_u[second] - site_u[first], site_v[second] - site_v[first]
    length = np.sqrt(du * du + dv * dv)
    inside = (runner_up - best) / (2 * length) - style.street
    along = ((u - site_u[first]) * dv - (v - site_v[first]) * du) / length
    return first, inside.astype(np.float32), along.astype(np.float32)


def _turned_lots(u, v, style: Quarter, key: int, block: Cells, inside, along) -> Lots:
    rows, columns = block.coordinates()
    site_u, site_v = _sites(rows, columns, style, key)
    turns = np.array([rotation(k) for k in range(_TURNS)], np.float32)
    turn = hashed(key + 3, rows, columns) % np.uint64(_TURNS)
    cosine, sine = turns[turn.astype(np.intp)].T
    du, dv = u - block.of(site_u), v - block.of(site_v)
    c, s = block.of(cosine), block.of(sine)
    a, b = c * du + s * dv, c * dv - s * du
    width, depth = style.lot
    p, q = np.floor(a / width).astype(np.int64), np.floor(b / depth).astype(np.int64)
    lot = Cells(block.row, p, q)
    blocks, ps, qs = lot.coordinates()
    middle_a = ((ps + 0.5) * width).astype(np.float32)
    middle_b = ((qs + 0.5) * depth).astype(np.float32)
    c, s = cosine[blocks], sine[blocks]
    return Lots(
        inside, along, block, lot, blocks, _identity(block, blocks, ps, qs),
        a - lot.of(middle_a), b - lot.of(middle_b),
        np.full(len(blocks), width, np.float32), np.full(len(blocks), depth, np.float32),
        site_u[blocks] + c * middle_a - s * middle_b, site_v[blocks] + s * middle_a + c * middle_b,
        site_u, site_v,
    )  # fmt: skip
