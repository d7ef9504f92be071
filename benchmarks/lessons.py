"""Record, with three seeds, what notebooks 05 and 06 show with one.

    python -m benchmarks.lessons landslides     losses for a rare class, on the embedded mountains
    python -m benchmarks.lessons neighbors      the leak of patches that overlap, in the city

Both train by classroom.recipes, for several lengths. A row that is there is not made again.
"""

import argparse
import platform
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from benchmarks import scoreboard
from benchmarks.options import RESULTS
from benchmarks.train import data
from classroom import measures, recipes
from segkit import __version__, metrics, patches, store, training

SEEDS = (0, 1, 2)
#: How often a training goes through its data.
PASSES = {"landslides": (10, 30), "neighbors": (2, 4, 8)}


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
    yield {"test patches": patch_count, **scores, "gap low (95 %)": low, "gap high": high}


LESSONS = {"landslides": landslides, "neighbors": neighbors}


def main() -> None:
    """Record what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lesson", choices=LESSONS)
    lesson, device = parser.parse_args().lesson, training.setup()
    table = RESULTS / f"{lesson}.csv"
    known = pd.read_csv(table)[["passes", "seed"]].to_numpy().tolist() if table.exists() else []
    for seed in SEEDS:
        for passes in PASSES[lesson]:
            if [passes, seed] in known:
                continue
            for row in LESSONS[lesson](passes, seed):
                about = {"passes": passes, "seed": seed, **row, "hardware": device.name}
                about["version"] = f"segkit {__version__}, Python {platform.python_version()}"
                about["date"] = datetime.now(UTC).date().isoformat()
                about["command"] = f"python -m benchmarks.lessons {lesson}"
                print(about, flush=True)
                scoreboard.append(table, [about])


if __name__ == "__main__":
    main()
