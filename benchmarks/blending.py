"""Three other ways to map a scene, from their descriptions, to compare with `scenes.predict`.

`smooth` is the blending that is copied most: the whole scene in memory, mirrored at its border,
turned and flipped eight ways, each cut into half-overlapping windows that a squared spline weighs.
As there, all windows of a view are cut before the first is predicted, and all eight results are
kept until they are averaged. `summed` adds the probabilities of half-overlapping windows up over
the whole scene, and divides by how many there were. `patchwork` is plain patchify and unpatchify:
no overlap, no blending.
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
    answers = _predicted(model, grid.reshape(-1, *grid.shape[2:]), batch_size).argmax(axis=-1)
    answers = answers.astype(np.uint8).reshape(*grid.shape[:2], window, window)
    return patches.unpatchify(answers, image.shape[:2])


def smooth(model, source: str | Path, window: int = 256, batch_size: int = 8) -> np.ndarray:
    """Return class indices (H, W): eight turns and flips of the whole scene, blended."""
    image, edge = read(source), window // 2
    height, width = image.shape[:2]
    more = [(edge, edge + -length % window) for length in (height, width)]
    padded = np.pad(image, [*more, (0, 0)], mode="reflect")
    views = [(turns, flip) for turns in range(4) for flip in (1, -1)]
    turned = [np.rot90(padded, turns)[:, ::flip] for turns, flip in views]
    blended = [_windowed(model, view, window, batch_size) for view in turned]
    undone = [
        np.rot90(found[:, ::flip], -turns)
        for found, (turns, flip) in zip(blended, views, strict=True)
    ]
    mean = np.mean(undone, axis=0)[edge : edge + height, edge : edge + width]
    return mean.argmax(axis=-1).astype(np.uint8)


def summed(model, source: str | Path, window: int = 256, batch_size: int = 8) -> np.ndarray:
    """Return class indices (H, W): windows that overlap by half, all weighed alike."""
    image = read(source)
    rows, columns = (patches.starts(length, window, 0.5) for length in image.shape[:2])
    places, total = [(row, column) for row in rows for column in columns], None
    count = np.zeros((*image.shape[:2], 1), np.float32)
    for i in range(0, len(places), batch_size):
        some = places[i : i + batch_size]
        cut = np.stack([image[r : r + window, c : c + window] for r, c in some])
        answers = models.predict(model, cut)
        if total is None:
            total = np.zeros((*image.shape[:2], answers.shape[-1]), np.float32)
        for (row, column), answer in zip(some, answers, strict=True):
            total[row : row + window, column : column + window] += answer
            count[row : row + window, column : column + window] += 1
    return (total / count).argmax(axis=-1).astype(np.uint8)


def _windowed(model, image: np.ndarray, window: int, batch_size: int) -> np.ndarray:
    """Return blended probabilities float64 (H, W, classes) of one view."""
    weight, step = _spline(window), window // 2
    places = [
        (row, column)
        for row in range(0, image.shape[0] - window + 1, step)
        for column in range(0, image.shape[1] - window + 1, step)
    ]
    cut = np.stack([image[r : r + window, c : c + window] for r, c in places])
    answers = _predicted(model, cut, batch_size) * weight
    total = np.zeros((*image.shape[:2], answers.shape[-1]))
    for (row, column), answer in zip(places, answers, strict=True):
        total[row : row + window, column : column + window] += answer
    return total / 4  # windows that overlap by half lie four deep


def _predicted(model, windows: np.ndarray, batch_size: int) -> np.ndarray:
    """Return float32 probabilities (N, window, window, classes)."""
    batches = range(0, len(windows), batch_size)
    return np.concatenate([models.predict(model, windows[i : i + batch_size]) for i in batches])


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
