"""Score what needs no network, and append to results/baselines.csv: what every network has to beat.

    python -m benchmarks.baselines              the embedded city
    python -m benchmarks.baselines dubai

Learned from parts 1 to 7 of each tile; scored on parts 8 and 9, each pixel once, unlabeled left
out. "color and texture" is a random forest on RGB and on its mean and deviation over 5×5 pixels.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

from benchmarks import score, tables
from benchmarks.options import RESULTS
from benchmarks.train import data
from segkit import metrics, patches, store

TABLE = RESULTS / "baselines.csv"
#: Pixels that the random forests learn from, and their neighborhood in pixels.
SAMPLES, NEIGHBORHOOD = 60_000, 5


def color(image: np.ndarray) -> np.ndarray:
    """Return the three colors of each pixel, (pixels, 3)."""
    return image.reshape(-1, 3)


def color_and_texture(image: np.ndarray) -> np.ndarray:
    """Return colors, and their mean and deviation around each pixel, (pixels, 9)."""
    image = image.astype(np.float32)
    around = (NEIGHBORHOOD, NEIGHBORHOOD, 1)
    mean = uniform_filter(image, around)
    deviation = np.sqrt(np.maximum(uniform_filter(image**2, around) - mean**2, 0))
    return np.concatenate([image, mean, deviation], axis=-1).reshape(-1, 9)


def learned(tiles_h5: Path, train: list, features: Callable, scheme) -> Callable:
    """Train a random forest on pixels of the training tiles; return what answers for an image."""
    rng, chosen, labels = np.random.default_rng(0), [], []
    for name in train:
        image, mask = store.read(tiles_h5, name)
        known = np.flatnonzero(mask.ravel() != scheme.ignore_index)
        drawn = rng.choice(known, min(len(known), SAMPLES // len(train)), replace=False)
        chosen.append(features(image)[drawn])
        labels.append(mask.ravel()[drawn])
    forest = RandomForestClassifier(60, min_samples_leaf=5, n_jobs=-1, random_state=0)
    forest.fit(np.concatenate(chosen), np.concatenate(labels))
    return lambda image: forest.predict(features(image))


def majority(tiles_h5: Path, train: list, scheme) -> Callable:
    """Return what always answers the most frequent class of the training tiles."""
    seen = sum(
        np.bincount(store.read(tiles_h5, name)[1].ravel(), minlength=len(scheme)) for name in train
    )
    if scheme.ignore_index is not None:
        seen[scheme.ignore_index] = 0
    return lambda image: np.full(image.shape[0] * image.shape[1], seen.argmax())


def main() -> None:
    """Score all on one data set, a row each."""
    dataset = sys.argv[1] if len(sys.argv) > 1 else "sample"
    tiles_h5, patches_h5 = data(dataset, "image")
    card = store.card(tiles_h5)
    scheme, train = card.scheme, patches.tiles(patches_h5, "train")
    held_out = [x for subset in ("validation", "test") for x in patches.tiles(patches_h5, subset)]
    ways = {"majority": majority(tiles_h5, train, scheme)}
    for name, features in (("color", color), ("color and texture", color_and_texture)):
        ways[name] = learned(tiles_h5, train, features, scheme)
    rows = []
    for name, answer in ways.items():
        total = 0
        for tile in held_out:
            image, mask = store.read(tiles_h5, tile)
            total += metrics.confusion(mask.ravel(), answer(image), len(scheme))
        row = {"dataset": dataset, "fingerprint": card.fingerprint, "split": "image, seed 0"}
        row |= {"scored_on": "validation and test", "method": name}
        row |= metrics.summary(total, scheme) | {"convention": score.CONVENTION}
        rows.append(row | tables.told(f"python -m benchmarks.baselines {dataset}"))
    tables.append(TABLE, rows)
    print(pd.DataFrame(rows)[["method", "miou", "mean_f1", "accuracy"]].to_string(index=False))


if __name__ == "__main__":
    main()
