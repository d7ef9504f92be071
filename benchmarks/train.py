"""Train one model for a stated time, score it, and append one row to the scoreboard.

    python -m benchmarks.train --dataset dubai --model unet --width 16 --minutes 10 --seed 0

Random crops from the whole training images; the best epoch is not picked, the last one counts.
With `--clock cpu` a minute is one of processor time on all cores, so that other work on the same
machine takes nothing away.
Scores are data-set level: one confusion matrix over all pixels of the subset, each counted once,
unlabeled pixels left out.
"""

import argparse
import csv
import os
import platform
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from segkit import __version__, datasets, metrics, models, patches, pipeline, store, training
from segkit.files import work_root

SCOREBOARD = Path(__file__).parent / "results" / "scoreboard.csv"
#: Steps between two printed lines.
STEPS_PER_LINE = 100


#: What `--model` names, built for a number of classes and the options.
MODELS = {
    "unet": lambda classes, options: models.unet(classes, options.width),
    "attention_unet": lambda classes, options: models.attention_unet(classes, options.width),
    "deeplabv3plus": lambda classes, _: models.deeplabv3plus(classes, weights=None),
    "efficientnet_unet": lambda classes, _: models.efficientnet_unet(classes, weights=None),
}


def processor_time() -> float:
    """Return seconds of processor time, as if this process had all cores for itself."""
    return time.process_time() / os.cpu_count()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--model", default="unet", choices=list(MODELS))
    parser.add_argument("--width", type=int, default=16, help="filters of a U-Net's first block")
    parser.add_argument("--split", default="tile-part", choices=["tile-part", "tile"])
    parser.add_argument("--minutes", type=float, default=10, help="of training; scoring is extra")
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"])
    parser.add_argument("--crop", type=int, default=128, help="pixels of a training crop")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=SCOREBOARD)
    return parser.parse_args()


def data(options: argparse.Namespace) -> tuple[Path, Path]:
    """Make the stores that are not there yet; return tiles.h5 and patches.h5."""
    folder = work_root() / "benchmarks" / options.dataset
    tiles_h5, patches_h5 = folder / "tiles.h5", folder / "patches.h5"
    if not tiles_h5.exists():
        store.build(datasets.find(options.dataset), tiles_h5)
    if not patches_h5.exists():
        patches.cut(tiles_h5, patches_h5)
    patches.split(patches_h5, by=options.split)
    return tiles_h5, patches_h5


def main() -> None:
    """Train, score, append."""
    options = arguments()
    device = training.setup(seed=options.seed)
    tiles_h5, patches_h5 = data(options)
    with store.opened(tiles_h5) as file:
        scheme, fingerprint = store.scheme(file), file.attrs["fingerprint"]
    train_tiles = patches.tiles(patches_h5, "train", options.split)
    train = pipeline.crops(
        tiles_h5, train_tiles, options.crop, options.batch_size, seed=options.seed
    )
    model = MODELS[options.model](len(scheme), options)
    now = processor_time if options.clock == "cpu" else time.perf_counter
    clock = training.TimeBudget(options.minutes, options.learning_rate, options.batch_size, now)
    training.fit(
        model,
        train,
        None,
        scheme,
        work_root()
        / "benchmarks"
        / options.dataset
        / f"{options.model}-{options.width}-{options.seed}.keras",
        epochs=10_000,
        steps=STEPS_PER_LINE,
        learning_rate=options.learning_rate,
        callbacks=[clock],
    )
    width = f", width {options.width}" if options.model in ("unet", "attention_unet") else ""
    counts = {
        subset: training.evaluate(model, patches_h5, subset, options.split)
        for subset in ("validation", "test")
    }
    counts["validation+test"] = counts["validation"] + counts["test"]
    row = {
        "date": datetime.now(UTC).date().isoformat(),
        "dataset": options.dataset,
        "fingerprint": fingerprint,
        "split": f"{options.split}, seed 0",
        "model": options.model + width,
        "parameters": model.count_params(),
        "pretrained": "no",
        "minutes": options.minutes,
        "clock": options.clock,
        "images_seen": clock.images,
        "seed": options.seed,
        "hardware": device.name,
        "precision": device.precision,
        "version": f"segkit {__version__}, Python {platform.python_version()}",
        **_scores(counts, scheme),
        "convention": "data-set level, real classes, unlabeled ignored",
        "command": f"python -m benchmarks.train {shlex.join(sys.argv[1:])}",
    }
    append(options.results, row)
    print("\n".join(f"{key:>28}  {value}" for key, value in row.items()))


def _scores(counts: dict, scheme) -> dict:
    found = {}
    for subset, matrix in counts.items():
        for key, value in metrics.summary(matrix, scheme).items():
            found[f"{key} ({subset})"] = round(value, 4)
    for name, value in metrics.scores(counts["validation+test"], scheme)["iou"].dropna().items():
        found[f"iou {name} (validation+test)"] = round(value, 4)
    return found


def append(path: Path, row: dict) -> None:
    """Add a row to a CSV; a file with other columns is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    if not new:
        with path.open(newline="", encoding="utf-8") as file:
            if (header := next(csv.reader(file))) != list(row):
                raise ValueError(f"{path} has other columns: {sorted(set(header) ^ set(row))}")
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    os.environ.setdefault("SEGKIT_PROGRESS", "0")
    main()
