"""How far a picture lies from those that a model has learned from: its colors, its texture.

Taught in notebook 09. Nothing here asks the model, which may be sure where it is wrong.
"""

from collections.abc import Mapping

import numpy as np

#: Pixels of a window, both ways, and how many are looked at across a strip of a picture.
WINDOW, ACROSS = 256, 4
#: Bands that are described, and how far apart two pixels lie that are compared.
BANDS, STEPS = 3, (1, 2, 4)
#: Fewer windows say nothing of their spread. This share of them lies nearer than 1. Share by which
#: the numbers are taken to vary alone, so that few windows do not claim too much.
FEWEST, USUAL, SHRINKAGE = 100, 0.95, 0.02


def describe(strip: np.ndarray) -> list[np.ndarray]:
    """Describe some windows of a strip of a picture (H, W, bands); those not all numbers are none.

    Returns:
        Per window, float32 (15,) for three bands: mean and deviation of each, and
        log(1 + d), where d is the mean difference between pixels that lie 1 apart, across and down
        together; so for 2 and 4.
    """
    found = []
    for column in np.unique(np.linspace(0, max(0, strip.shape[1] - WINDOW), ACROSS).astype(int)):
        window = strip[:WINDOW, column : column + WINDOW, :BANDS].astype(np.float32)
        if np.isfinite(window).all() and min(window.shape[:2]) > max(STEPS):
            across = [np.abs(window[:, k:] - window[:, :-k]).mean(axis=(0, 1)) for k in STEPS]
            down = [np.abs(window[k:] - window[:-k]).mean(axis=(0, 1)) for k in STEPS]
            plain = [window.mean(axis=(0, 1)), window.std(axis=(0, 1))]
            found.append(np.concatenate([*plain, *np.log1p(np.add(across, down))]))
    return found


def spread(described: list[np.ndarray]) -> dict[str, list]:
    """Return how descriptions spread, as a card keeps it; empty where they are too few."""
    if len(described) < FEWEST:
        return {}
    values = np.array(described, np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-6
    together = np.cov((values - mean) / deviation, rowvar=False)
    together += SHRINKAGE * (np.eye(len(mean)) - together)
    scale = np.linalg.cholesky(np.linalg.inv(together)) / deviation[:, None]
    usual = max(np.quantile(np.linalg.norm((values - mean) @ scale, axis=1), USUAL), 1e-6)
    return {"mean": mean.tolist(), "scale": (scale / usual).tolist()}


def distances(known: Mapping, described: list[np.ndarray]) -> np.ndarray:
    """Return how far windows lie outside (N,): 95 % of those learned from lie nearer than 1.

    The distance is that of Mahalanobis (1936), which knows which numbers vary together.
    """
    return np.linalg.norm((np.array(described) - known["mean"]) @ np.array(known["scale"]), axis=1)
