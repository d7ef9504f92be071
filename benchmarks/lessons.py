"""Record, with three seeds, what notebooks 05, 06 and 10 show with one.

    python -m benchmarks.lessons landslides     losses for a rare class, on the embedded mountains
    python -m benchmarks.lessons neighbors      the leak of patches that overlap, in the city
    python -m benchmarks.lessons slides         losses, gates and bands, on more chips, for longer

All train by classroom.recipes, the first two for several lengths. A row that is there is not made
again.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from benchmarks import score, tables
from benchmarks.options import RESULTS
from benchmarks.train import data
from classroom import course, measures, recipes
from segkit import datasets, metrics, models, patches, store, training
from segkit.files import work_root

SEEDS = (0, 1, 2)
#: What of a lesson varies: passes through its data, or an arm.
VARIED = {
    "landslides": ("passes", (10, 30)),
    "neighbors": ("passes", (2, 4, 8)),
    "slides": (
        "arm",
        (
            "focal Tversky and weighted",
            "cross-entropy",
            "focal Tversky",
            "attention gates",
            "red, green, blue alone",
        ),
    ),
}


def landslides(passes: int, seed: int) -> Iterator[dict]:
    """Train by each loss; say what of the landslides in chips held out is found."""
    train, test = recipes.chips()
    for name, loss in recipes.rare_losses(train[1]).items():
        matrix = recipes.landslides(train, test, loss, seed, passes)
        yield {"loss": name, **metrics.scores(matrix).loc[1, ["iou", "precision", "recall"]]}


def neighbors(passes: int, seed: int) -> Iterator[dict]:
    """Train without and with patches that overlap the test's; say what that adds, and how surely.

    The interval draws the test patches, the same for both.
    """
    tiles_h5, _ = data("sample", "image")
    with tempfile.TemporaryDirectory() as folder:
        cut = {"size": recipes.LEAK_SIZE, "overlap": recipes.LEAK_OVERLAP}
        patches_h5 = patches.cut(tiles_h5, Path(folder, "patches.h5"), **cut)
        found, scheme = recipes.leak_trial(patches_h5, seed, passes), store.scheme(tiles_h5)
    scores = {k: metrics.summary(v.sum(axis=0), scheme)["miou"] for k, v in found.items()}
    low, high = measures.bootstrap(found["with"], scheme, minus=found["without"])
    patch_count = len(found["with"])
    told = {"fingerprint": store.card(tiles_h5).fingerprint, "convention": score.CONVENTION}
    yield {"test patches": patch_count, **scores, "gap low (95 %)": low, "gap high": high, **told}


def slides(arm: str, seed: int) -> Iterator[dict]:
    """Train one network of notebook 10, in the quick profile; score it on the test chips.

    The arms differ from "focal Tversky and weighted" in one thing: the loss, the gates, the bands.
    """
    folder = work_root() / "benchmarks" / "mountains"
    tiles_h5, patches_h5 = folder / "tiles.h5", folder / "patches.h5"
    if not patches_h5.exists():
        store.build(datasets.find("mountains"), tiles_h5)
        patches.cut(tiles_h5, patches_h5, size=128)
        patches.split(patches_h5, by="image")
    images, masks = patches.read(patches_h5, patches.members(patches_h5, "train"))
    losses = recipes.slide_losses(masks)
    card, blend = store.card(patches_h5), "focal Tversky and weighted"
    seen = np.array([band in ("red", "green", "blue") for band in card.bands], np.float32)
    keep = seen if arm.startswith("red") else np.ones_like(seen)
    build = models.attention_unet if arm == "attention gates" else models.unet
    with tempfile.TemporaryDirectory() as folder:
        model, _ = recipes.landslide_net(
            course.QUICK, patches_h5, Path(folder, "m.keras"), losses.get(arm, losses[blend]),
            seed, build, keep,
        )  # fmt: skip
    said = {}
    for subset in ("validation", "test"):
        images, masks = patches.read(patches_h5, patches.members(patches_h5, subset))
        found = models.predict(model, card.scaled(images) * keep)[..., 1]
        said[subset] = masks == 1, found
    threshold = measures.best_threshold(*said["validation"])
    truth, found = said["test"]
    counts = metrics.confusion(truth.astype(int), (found >= 0.5).astype(int), 2)
    yield {
        **metrics.scores(counts).loc[1, ["f1", "precision", "recall"]],
        "threshold": threshold,
        "f1 at threshold": measures.f1(truth, found >= threshold),
        "average precision": average_precision_score(truth.ravel(), found.ravel()),
    }


LESSONS = {"landslides": landslides, "neighbors": neighbors, "slides": slides}


def main() -> None:
    """Record what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lesson", choices=LESSONS)
    lesson, device = parser.parse_args().lesson, training.setup()
    table = RESULTS / f"{lesson}.csv"
    name, settings = VARIED[lesson]
    known = pd.read_csv(table)[[name, "seed"]].to_numpy().tolist() if table.exists() else []
    for seed in SEEDS:
        for setting in settings:
            if [setting, seed] in known:
                continue
            for row in LESSONS[lesson](setting, seed):
                about = {name: setting, "seed": seed, **row, "hardware": device.name}
                about |= tables.told(f"python -m benchmarks.lessons {lesson}")
                print(about, flush=True)
                tables.append(table, [about])


if __name__ == "__main__":
    main()
