"""Rank simple methods and a small U-Net on one data set, and write results/ranking_<dataset>.csv.

    python -m benchmarks.ranking --dataset sample
    python -m benchmarks.ranking --dataset dubai

Training: parts 1 to 7 of each tile; scored: parts 8 and 9, each pixel once, unlabeled left out.
"color and texture" is a random forest on RGB and on its mean and deviation over 5×5 pixels.
"""

import argparse
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

from benchmarks.train import data
from classroom import course
from segkit import metrics, models, patches, pipeline, store, training

RESULTS = Path(__file__).parent / "results"
#: Pixels that the random forests learn from, and their neighborhood in pixels.
SAMPLES, NEIGHBORHOOD = 60_000, 5
#: Minutes of training for the U-Net and for "the same with more".
MINUTES = (1, 3)


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


def forest_counts(tiles_h5: Path, train: list, held_out: list, features, scheme) -> np.ndarray:
    """Train a random forest on pixels of the training tiles; count on the held-out ones."""
    rng, chosen, labels = np.random.default_rng(0), [], []
    for name in train:
        image, mask = store.read(tiles_h5, name)
        known = np.flatnonzero(mask.ravel() != scheme.ignore_index)
        drawn = rng.choice(known, min(len(known), SAMPLES // len(train)), replace=False)
        chosen.append(features(image)[drawn])
        labels.append(mask.ravel()[drawn])
    forest = RandomForestClassifier(60, min_samples_leaf=5, n_jobs=-1, random_state=0)
    forest.fit(np.concatenate(chosen), np.concatenate(labels))
    total = 0
    for name in held_out:
        image, mask = store.read(tiles_h5, name)
        total += metrics.confusion(mask.ravel(), forest.predict(features(image)), len(scheme))
    return total


def majority_counts(tiles_h5: Path, train: list, held_out: list, scheme) -> np.ndarray:
    """Always answer the most frequent class of the training tiles."""

    def pixels(names: list) -> np.ndarray:
        masks = (store.read(tiles_h5, name)[1] for name in names)
        return sum(np.bincount(mask.ravel(), minlength=len(scheme)) for mask in masks)

    matrix, seen = np.zeros((len(scheme),) * 2, np.int64), pixels(train)
    if scheme.ignore_index is not None:
        seen[scheme.ignore_index] = 0
    matrix[:, seen.argmax()] = pixels(held_out)
    return matrix


def unet_counts(
    tiles_h5: Path, patches_h5: Path, train: list, scheme, minutes: float
) -> tuple[np.ndarray, int]:
    """Train the U-Net of the quick profile for some minutes; count, and crops seen."""
    training.setup(seed=0)
    quick = course.QUICK
    crops = pipeline.crops(tiles_h5, train, quick.crop, quick.batch_size)
    model = models.unet(len(scheme), quick.width)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unet.keras"
        history = training.fit(model, crops, None, scheme, path, steps=100, minutes=minutes)
    found = (training.evaluate(model, patches_h5, subset) for subset in ("validation", "test"))
    return sum(found), int(history["images"].iloc[-1])


def main() -> None:
    """Run all methods and write one row each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="sample")
    options = parser.parse_args()
    tiles_h5, patches_h5 = data(options.dataset, "image")
    card = store.card(tiles_h5)
    scheme = card.scheme
    train = patches.tiles(patches_h5, "train")
    held_out = [x for subset in ("validation", "test") for x in patches.tiles(patches_h5, subset)]
    counts = {"majority": majority_counts(tiles_h5, train, held_out, scheme)}
    for name, features in (("color only", color), ("color and texture", color_and_texture)):
        counts[name] = forest_counts(tiles_h5, train, held_out, features, scheme)
    seen = {}
    for minutes in MINUTES:
        name = f"U-Net width {course.QUICK.width}, {minutes} min"
        counts[name], seen[name] = unet_counts(tiles_h5, patches_h5, train, scheme, minutes)
    rows = {name: metrics.summary(matrix, scheme) for name, matrix in counts.items()}
    table = pd.DataFrame(rows).T.round(4).rename_axis("method").reset_index()
    table = table.assign(
        crops_seen=table["method"].map(seen).astype("Int64"),
        dataset=options.dataset,
        fingerprint=card.fingerprint,
        split="image, parts 8 and 9",
        convention="data-set level, real classes, unlabeled ignored",
        seed=0,
        hardware=training.setup().name,
        python=platform.python_version(),
        date=datetime.now(UTC).date().isoformat(),
        command=f"python -m benchmarks.ranking --dataset {options.dataset}",
    )
    table.to_csv(RESULTS / f"ranking_{options.dataset}.csv", index=False)
    print(table[["method", "miou", "mean_f1", "accuracy"]].to_string(index=False))


if __name__ == "__main__":
    main()
