"""Train one model for a stated time, score it, and append one row to the scoreboard.

    python -m benchmarks.train --dataset dubai --model unet --width 16 --minutes 10 --seed 0
    python -m benchmarks.train --dataset dubai --model reference --split patch --minutes 40

Ours learns from random crops of the whole training images (`--split patch`: of the training
patches); the best epoch is not picked, the last one counts. `--model reference` is another course's
recipe (see reference.py). The minutes are those of training: neither scoring nor the first step,
which builds the program, counts. With `--clock cpu` a minute is one of processor time on all cores,
so that other work on the same machine takes little away. With `--clock pace` a minute is one on a
machine where the width-16 U-Net takes 16 ms for a 128-pixel crop, and it is counted in steps: what
a step costs beside that U-Net is measured once, with nothing else running, by the same command with
`--measure`, and kept in results/costs.csv. So equal minutes are equal crops on every machine.
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
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from benchmarks import options as given
from benchmarks import reference, score, scoreboard, speed, tables, variety
from segkit import __version__, datasets, models, patches, pipeline, store, training
from segkit.files import alone, work_root

#: Steps between two printed lines.
STEPS_PER_LINE = 100
#: What `--model` names, built for a number of classes and the options.
MODELS = {
    "unet": lambda classes, options: models.unet(classes, options.width, stride=options.stride),
    "attention_unet": lambda classes, options: models.attention_unet(classes, options.width),
    "deeplabv3plus": lambda classes, options: models.deeplabv3plus(
        classes, _weights(options), variant={"b4": "resnet50"}.get(options.variant, options.variant)
    ),
    "efficientnet_unet": lambda classes, options: models.efficientnet_unet(
        classes, _weights(options), options.variant
    ),
    "reference": lambda classes, _: reference.unet(classes),
}

#: Set to BF16, it lets oneDNN multiply in bfloat16 where the processor can; sums stay float32.
PRODUCTS = "TF_SET_ONEDNN_FPMATH_MODE"
CLOCKS = {"wall": time.perf_counter, "cpu": speed.processor_time}


class Watch(keras.callbacks.Callback):
    """Score the model on the held-out patches at stated times, which takes no training time.

    Attributes:
        rows: minutes, images, miou and accuracy at each of them.
        images, seconds: seen and used so far, over all trainings of this model.
    """

    def __init__(self, options: argparse.Namespace, patches_h5: Path):
        super().__init__()
        self.times = [60 * minutes for minutes in sorted(options.score_at)]
        self.patches_h5, self.split, self.rows = patches_h5, options.split, []
        self.images = self.seconds = 0

    def on_train_begin(self, logs=None):
        self.before = self.images, self.seconds

    def on_train_batch_end(self, batch, logs=None):
        self.images = self.before[0] + logs["images"]
        self.seconds = used = self.before[1] + logs["seconds"]
        if self.times and used >= self.times[0]:
            found = score.quick_scores(self.model, self.patches_h5, self.split)
            row = {"minutes": round(used / 60, 2), "images": round(self.images), **found}
            self.rows.append(row)
            self.times = [later for later in self.times if later > used]
            print({k: round(v, 4) for k, v in row.items()}, flush=True)


def _weights(options: argparse.Namespace) -> str | None:
    return None if options.weights == "none" else options.weights


def data(dataset: str, split: str) -> tuple[Path, Path]:
    """Make the stores that are not there yet; return tiles.h5 and patches.h5.

    The patches of a split by patch are cropped from the top left, as courses do: they share no
    pixel. Those of the other splits lose no pixel.
    """
    folder = work_root() / "benchmarks" / Path(dataset).name
    edges = "drop" if split == "patch" else "keep"
    tiles_h5, patches_h5 = folder / "tiles.h5", folder / f"patches_{edges}.h5"
    with alone(folder):  # runs that begin together make them once
        found = datasets.find(dataset)
        if not _today(tiles_h5, store.FORMAT, "files", found.files()):
            store.build(found, tiles_h5)
        if not _today(patches_h5, patches.FORMAT, "card", store.attributes(tiles_h5)["card"]):
            patches.cut(tiles_h5, patches_h5, edges=edges)
        if split in given.FRACTIONS:
            patches.split(patches_h5, by=split, fractions=given.FRACTIONS[split])
        elif split not in (folds := patches.leave_one_out(patches_h5)):
            raise ValueError(f"no split {split!r}: {dataset} has {', '.join(folds)}")
    return tiles_h5, patches_h5


def _today(path: Path, kind: str, key: str, value: str) -> bool:
    """Return whether a store is there, whole, of today's format, and made of today's data."""
    with contextlib.suppress(FileNotFoundError, ValueError), store.opened(path, kind) as file:
        return file.attrs[key] == value
    return False


def drawn(tiles: list[str], share: float, seed: int) -> list[str]:
    """Draw a share of the training images; seeds draw others, and all models of a seed the same."""
    order = np.random.default_rng(seed).permutation(tiles)
    return sorted(order[: max(1, round(share * len(tiles)))].tolist())


def train(
    options: argparse.Namespace, tiles_h5: Path, patches_h5: Path, now: Callable[[], float], *more
) -> tuple[keras.Model, Watch]:
    """Train the chosen model for the stated minutes of a clock; `more` are callbacks."""
    scheme = store.scheme(tiles_h5)
    model, watch = MODELS[options.model](len(scheme), options), Watch(options, patches_h5)
    if options.model == "reference":
        there = len(patches.members(patches_h5, "train", options.split))
        size = there / math.ceil(there / reference.BATCH_SIZE)  # each pass's last batch is smaller
        clock = training.Clock(options.minutes, None, size, now)
        reference.fit(model, patches_h5, options.split, [clock, watch, *more])
        return model, watch
    how = {"batch_size": options.batch_size, "seed": options.seed}
    if options.split == "patch":
        crops = pipeline.batches(patches_h5, "train", split="patch", augment=True, **how)
        crops = variety.cropped(crops, options.crop)
    else:
        crops = pipeline.crops(
            tiles_h5,
            drawn(patches.tiles(patches_h5, "train", options.split), options.share, options.seed),
            variety.reach(options.crop, options.scales) if options.scales else options.crop,
            **how | {"batch_size": options.batch_size * options.candidates},
        )
    if options.candidates > 1:
        crops = variety.chosen(crops, options.candidates, scheme)
    if options.scales:
        crops = variety.scaled(crops, options.crop, options.scales)
    if options.tint:
        crops = variety.tinted(crops, options.tint)
    learned = dataclasses.replace(scheme, ignore_index=None) if options.six else scheme
    loss = training.default_loss(learned, options.dice)
    if options.smoothing:
        loss = variety.smoothed(loss, options.smoothing, learned.ignore_index)
    digest = hashlib.sha256(repr(given.recipe(command())).encode()).hexdigest()[:8]
    path = patches_h5.with_name(f"{options.model}-{options.split}-{digest}.keras")
    how = {
        "steps": STEPS_PER_LINE,
        "clock": now,
        "loss": loss,
        "callbacks": [watch, *more],
        "optimizer": variety.stepping(model, options.average, options.encoder_rate),
        "record": {"split": options.split, "command": command()},
    }
    rate, minutes = options.learning_rate, options.minutes
    if options.frozen:
        models.freeze(model)
        warm = options.frozen * minutes
        training.fit(model, crops, None, learned, path, minutes=warm, learning_rate=rate, **how)
        rate, minutes = options.fine_rate or rate, minutes - warm
    if options.model in given.PRETRAINED:
        models.unfreeze(model, options.learning, norms=not options.still_norms)
    training.fit(model, crops, None, learned, path, minutes=minutes, learning_rate=rate, **how)
    return model, watch


def measure(options: argparse.Namespace, tiles_h5: Path, patches_h5: Path, device) -> None:
    """Measure what a step of the chosen training costs, and append it to the table of costs."""
    found = speed.Cost()
    options = argparse.Namespace(**{**vars(options), "minutes": math.inf, "frozen": 0})
    train(options, tiles_h5, patches_h5, time.perf_counter, found)
    row = {
        "date": datetime.now(UTC).date().isoformat(),
        "step": given.costly(options),
        "ms per step": 1000 * found.per_step,
        "yardstick here, ms per crop": found.milliseconds,
        "hardware": device.name,
        "command": command(),
    }
    print("\n".join(f"{key:>28}  {value}" for key, value in row.items()))
    tables.append(given.COSTS, [row])


def known_cost(options: argparse.Namespace) -> float:
    """Return the seconds of a step from the table of costs.

    Raises:
        ValueError: it was not measured yet.
    """
    table = pd.read_csv(given.COSTS).drop_duplicates("step", keep="last")
    table = table.set_index("step")["ms per step"]
    if (step := given.costly(options)) not in table:
        raise ValueError(f"what a step costs is not known ({step}): first run this with --measure")
    return table[step] / 1000


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
    if options.measure:
        return measure(options, tiles_h5, patches_h5, device)
    cost = known_cost(options) if options.clock == "pace" else None
    now = speed.pace(cost) if cost else CLOCKS[options.clock]
    model, watch = train(options, tiles_h5, patches_h5, now)
    width = f", width {options.width}" if options.model in ("unet", "attention_unet") else ""
    width += f", {options.variant}" if options.variant != "b4" else ""
    width += f", stride {options.stride}" if options.stride > 1 else ""
    six = ", six classes learned" if options.six or options.model == "reference" else ""
    mode = os.environ.get(PRODUCTS)
    tta = score.quick_scores(model, patches_h5, options.split, tta=True) if options.tta else {}
    row = {
        "date": datetime.now(UTC).date().isoformat(),
        "dataset": options.dataset,
        "fingerprint": store.card(tiles_h5).fingerprint,
        "split": f"{options.split}, seed 0",
        "scored_on": " and ".join(score.held_out(patches_h5, options.split)),
        "model": options.model + width + six,
        "parameters": model.count_params(),
        "pretrained": {"none": "no", "imagenet": "ImageNet"}[options.weights],
        "minutes": options.minutes,
        "clock": options.clock,
        "images_seen": round(watch.images),
        "seed": options.seed,
        "hardware": f"{device.name}, {1000 * cost:.0f} ms per step" if cost else device.name,
        "precision": f"{device.precision}, products in {mode}" if mode else device.precision,
        "version": f"segkit {__version__}, Python {platform.python_version()}",
        **score.all_scores(model, patches_h5, options.split),
        "miou, turned and flipped": tta.get("miou"),
        "accuracy, turned and flipped": tta.get("accuracy"),
        "convention": score.CONVENTION,
        "command": command(),
    }
    print("\n".join(f"{key:>28}  {value}" for key, value in row.items()))
    tables.append(board, [row])
    key = {name: row[name] for name in ("date", "model", "seed", "split", "command")}
    tables.append(options.results / "curves.csv", [{**key, **found} for found in watch.rows])


if __name__ == "__main__":
    os.environ.setdefault("SEGKIT_PROGRESS", "0")
    main()
