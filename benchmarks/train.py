"""Train one model for a stated time, score it, and append one row to the scoreboard.

    python -m benchmarks.train --dataset dubai --model unet --width 16 --minutes 10 --seed 0
    python -m benchmarks.train --dataset dubai --model reference --split patch --minutes 40

Ours learns from random crops of the whole training images (`--split patch`: of the training
patches); the best epoch is not picked, the last one counts. `--model reference` is another course's
recipe (see reference.py). The minutes are those of training: neither scoring nor the first step,
which builds the program, counts. With `--clock cpu` a minute is one of processor time on all cores,
so that other work on the same machine takes little away.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import math
import os
import platform
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import keras

from benchmarks import options as given
from benchmarks import reference, score, scoreboard
from segkit import __version__, datasets, models, patches, pipeline, store, training
from segkit.files import work_root

#: Steps between two printed lines.
STEPS_PER_LINE = 100
#: What `--model` names, built for a number of classes and the options.
MODELS = {
    "unet": lambda classes, options: models.unet(classes, options.width, stride=options.stride),
    "attention_unet": lambda classes, options: models.attention_unet(classes, options.width),
    "deeplabv3plus": lambda classes, _: models.deeplabv3plus(classes, weights=None),
    "efficientnet_unet": lambda classes, _: models.efficientnet_unet(classes, weights=None),
    "reference": lambda classes, _: reference.unet(classes),
}


def processor_time() -> float:
    """Return seconds of processor time, as if this process had all its cores for itself."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return time.process_time() / own


CLOCKS = {"wall": time.perf_counter, "cpu": processor_time}


class Watch(keras.callbacks.Callback):
    """Score the model on the held-out patches at stated times, which takes no training time.

    Attributes:
        rows: minutes, images, miou and accuracy at each of them.
        images: images seen so far.
    """

    def __init__(self, options: argparse.Namespace, patches_h5: Path):
        super().__init__()
        self.times = [60 * minutes for minutes in sorted(options.score_at)]
        self.patches_h5, self.split, self.rows = patches_h5, options.split, []

    def on_train_batch_end(self, batch, logs=None):
        self.images, used = logs["images"], logs["seconds"]
        if self.times and used >= self.times[0]:
            found = score.quick_scores(self.model, self.patches_h5, self.split)
            row = {"minutes": round(used / 60, 2), "images": round(self.images), **found}
            self.rows.append(row)
            self.times = [later for later in self.times if later > used]
            print({k: round(v, 4) for k, v in row.items()}, flush=True)


def data(dataset: str, split: str) -> tuple[Path, Path]:
    """Make the stores that are not there yet; return tiles.h5 and patches.h5.

    The patches of a split by patch are cropped from the top left, as courses do: they share no
    pixel. Those of the other splits lose no pixel.
    """
    folder = work_root() / "benchmarks" / Path(dataset).name
    edges = "drop" if split == "patch" else "keep"
    tiles_h5, patches_h5 = folder / "tiles.h5", folder / f"patches_{edges}.h5"
    if not _today(tiles_h5, store.FORMAT):
        store.build(datasets.find(dataset), tiles_h5)
    if not _today(patches_h5, patches.FORMAT):
        patches.cut(tiles_h5, patches_h5, edges=edges)
    patches.split(patches_h5, by=split, fractions=given.FRACTIONS[split])
    return tiles_h5, patches_h5


def _today(path: Path, kind: str) -> bool:
    """Return whether a store is there, whole and of today's format."""
    with contextlib.suppress(FileNotFoundError, ValueError), store.opened(path, kind):
        return True
    return False


def train(
    options: argparse.Namespace, tiles_h5: Path, patches_h5: Path
) -> tuple[keras.Model, Watch]:
    """Train the chosen model for the stated minutes."""
    scheme = store.scheme(tiles_h5)
    model, watch = MODELS[options.model](len(scheme), options), Watch(options, patches_h5)
    if options.model == "reference":
        there = len(patches.members(patches_h5, "train", options.split))
        size = there / math.ceil(there / reference.BATCH_SIZE)  # each pass's last batch is smaller
        clock = training.Clock(options.minutes, None, size, CLOCKS[options.clock])
        reference.fit(model, patches_h5, options.split, [clock, watch])
        return model, watch
    how = {"batch_size": options.batch_size, "seed": options.seed}
    if options.split == "patch":
        crops = pipeline.batches(
            patches_h5, "train", split="patch", augment=True, crop=options.crop, **how
        )
    else:
        crops = pipeline.crops(
            tiles_h5,
            patches.tiles(patches_h5, "train", options.split),
            options.crop,
            candidates=options.candidates,
            **how,
        )
    learned = dataclasses.replace(scheme, ignore_index=None) if options.six else scheme
    digest = hashlib.sha256(repr(given.recipe(command())).encode()).hexdigest()[:8]
    path = patches_h5.with_name(f"{options.model}-{options.split}-{digest}.keras")
    training.fit(
        model,
        crops,
        None,
        learned,
        path,
        steps=STEPS_PER_LINE,
        minutes=options.minutes,
        clock=CLOCKS[options.clock],
        learning_rate=options.learning_rate,
        loss=training.default_loss(learned, options.dice),
        callbacks=[watch],
        average=options.average,
        record={"split": options.split, "command": command()},
    )
    return model, watch


def command() -> str:
    """Return the command line as it is recorded."""
    return f"python -m benchmarks.train {shlex.join(sys.argv[1:])}"


def main() -> None:
    """Train, score, append."""
    options = given.read(description=__doc__)
    board = options.results / "scoreboard.csv"
    scoreboard.check(board)
    device = training.setup(seed=options.seed)
    tiles_h5, patches_h5 = data(options.dataset, options.split)
    model, watch = train(options, tiles_h5, patches_h5)
    width = f", width {options.width}" if options.model in ("unet", "attention_unet") else ""
    width += f", stride {options.stride}" if options.stride > 1 else ""
    six = ", six classes learned" if options.six or options.model == "reference" else ""
    tta = score.quick_scores(model, patches_h5, options.split, tta=True) if options.tta else {}
    row = {
        "date": datetime.now(UTC).date().isoformat(),
        "dataset": options.dataset,
        "fingerprint": store.card(tiles_h5).fingerprint,
        "split": f"{options.split}, seed 0",
        "scored_on": " and ".join(score.held_out(patches_h5, options.split)),
        "model": options.model + width + six,
        "parameters": model.count_params(),
        "pretrained": "no",
        "minutes": options.minutes,
        "clock": options.clock,
        "images_seen": round(watch.images),
        "seed": options.seed,
        "hardware": device.name,
        "precision": device.precision,
        "version": f"segkit {__version__}, Python {platform.python_version()}",
        **score.all_scores(model, patches_h5, options.split),
        "miou, turned and flipped": tta.get("miou"),
        "accuracy, turned and flipped": tta.get("accuracy"),
        "convention": score.CONVENTION,
        "command": command(),
    }
    print("\n".join(f"{key:>28}  {value}" for key, value in row.items()))
    scoreboard.append(board, [row])
    key = {name: row[name] for name in ("date", "model", "seed", "split", "command")}
    scoreboard.append(options.results / "curves.csv", [{**key, **found} for found in watch.rows])


if __name__ == "__main__":
    os.environ.setdefault("SEGKIT_PROGRESS", "0")
    main()
