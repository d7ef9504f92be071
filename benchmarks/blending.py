"""Two other ways to map a scene, from their descriptions, to compare with `scenes.predict`.

`smooth` is the blending that is copied most: the whole scene in memory, mirrored at its border,
turned and flipped eight ways, each cut into half-overlapping windows that a squared spline weighs.
`patchwork` is plain patchify and unpatchify: no overlap, no blending.
"""

from pathlib import Path

import numpy as np
import rasterio
from scipy.signal.windows import triang

from segkit import models, patches


def read(source: str | Path) -> np.ndarray:
    """Return a whole scene as float32 (H, W, 3)."""
    with rasterio.open(source) as scene:
        return np.moveaxis(scene.read((1, 2, 3)), 0, -1).astype(np.float32)


def patchwork(model, source: str | Path, window: int = 256, batch_size: int = 8) -> np.ndarray:
    """Return class indices (H, W): windows side by side."""
    image = read(source)
    grid = patches.patchify(image, window)
    flat = grid.reshape(-1, *grid.shape[2:])
    answers = [
        models.predict(model, flat[i : i + batch_size]).argmax(axis=-1).astype(np.uint8)
        for i in range(0, len(flat), batch_size)
    ]
    return patches.unpatchify(
        np.concatenate(answers).reshape(*grid.shape[:2], window, window), image.shape[:2]
    )


def smooth(model, source: str | Path, window: int = 256, batch_size: int = 8) -> np.ndarray:
    """Return class indices (H, W): eight turns and flips of the whole scene, blended."""
    image, edge, total = read(source), window // 2, 0
    height, width = image.shape[:2]
    more = [(edge, edge + -length % window) for length in (height, width)]
    padded = np.pad(image, [*more, (0, 0)], mode="reflect")
    for turns in range(4):
        for flip in (1, -1):
            turned = np.rot90(padded, turns)[:, ::flip]
            blended = _windowed(model, np.ascontiguousarray(turned), window, batch_size)
            total = total + np.rot90(blended[:, ::flip], -turns)
    return total[edge : edge + height, edge : edge + width].argmax(axis=-1).astype(np.uint8)


def _windowed(model, image: np.ndarray, window: int, batch_size: int) -> np.ndarray:
    """Return blended probabilities (H, W, classes) of one view."""
    weight, step, total = _spline(window), window // 2, None
    places = [
        (row, column)
        for row in range(0, image.shape[0] - window + 1, step)
        for column in range(0, image.shape[1] - window + 1, step)
    ]
    for first in range(0, len(places), batch_size):
        chosen = places[first : first + batch_size]
        batch = np.stack([image[r : r + window, c : c + window] for r, c in chosen])
        found = models.predict(model, batch)
        if total is None:
            total = np.zeros((*image.shape[:2], found.shape[-1]), np.float32)
        for (row, column), probability in zip(chosen, found, strict=True):
            total[row : row + window, column : column + window] += weight * probability
    return total


def _spline(window: int) -> np.ndarray:
    """Return (window, window, 1): a spline of order two, squared over both directions."""
    across = triang(window)
    outer = (abs(2 * across) ** 2) / 2
    inner = 1 - (abs(2 * (across - 1)) ** 2) / 2
    quarter = window // 4
    outer[quarter:-quarter] = 0
    inner[:quarter] = inner[-quarter:] = 0
    spline = (outer + inner) / np.average(outer + inner)
    return np.outer(spline, spline).astype(np.float32)[..., None]
