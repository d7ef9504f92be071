"""Train on one GPU by Keras on JAX: images a second, share of the card's peak, and the score.

    KERAS_BACKEND=jax python -m benchmarks.gpu work/dubai/patches.h5
    KERAS_BACKEND=jax python -m benchmarks.gpu work/dubai/patches.h5 --minutes 2 --batch-sizes 16 64

It needs no TensorFlow. Each precision with each batch size trains a U-Net of its own on the
training patches, turned and flipped, for so many minutes by the clock; the test patches score it.
Each is a row of results/gpu.csv. *Network alone* repeats the step on one batch that lies on the
card: what lacks is input. On a CPU it runs as well, and says so in its rows.
"""

import argparse
import importlib.metadata
import itertools
import shlex
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import keras
import numpy as np

from benchmarks import tables
from benchmarks.options import RESULTS
from classroom import measures
from segkit import losses, metrics, models, patches, store

TABLE = RESULTS / "gpu.csv"
#: Tera-operations a second of a card's dense matrix units, by its maker's data sheet: in float32
#: as JAX multiplies by default (TF32, where the card has it), and in 16 bits.
PEAKS = {
    "H200": (494.5, 989), "H100": (494.5, 989), "A100": (156, 312), "L4": (60, 121),
    "T4": (8.1, 65), "V100": (15.7, 125), "P100": (9.3, 18.7),
}  # fmt: skip
#: A step computes the network once, and its gradients at about twice that cost.
PASSES = 3
STEPS, TIMED = 25, 20


class Clock(keras.callbacks.Callback):
    """End a training after some minutes, without the first step, which builds the program."""

    def __init__(self, minutes: float):
        super().__init__()
        self.minutes, self.began, self.steps = minutes, None, 0

    def on_train_batch_end(self, batch, logs=None):
        if self.began is None:
            self.began = time.perf_counter()
            return
        self.steps += 1
        self.seconds = time.perf_counter() - self.began
        self.model.stop_training = self.seconds > 60 * self.minutes


def drawn(images: np.ndarray, masks: np.ndarray, size: int, seed: int) -> Iterator[tuple]:
    """Draw batches without end, uint8, each turned and flipped in one of eight ways."""
    rng = np.random.default_rng(seed)
    while True:
        chosen = np.sort(rng.choice(len(images), size))
        turns, flip = rng.integers(4), 2 * rng.integers(2) - 1
        batch = (np.rot90(x[chosen], turns, (1, 2))[:, :, ::flip] for x in (images, masks))
        yield tuple(np.ascontiguousarray(x) for x in batch)


def card() -> tuple[str, tuple | None]:
    """Return the name of what JAX computes on, and its peaks; None where nobody has told them."""
    import jax

    name = jax.devices()[0].device_kind
    return name, next((peak for known, peak in PEAKS.items() if known in name), None)


def trial(data: dict, scheme, width: int, precision: str, size: int, minutes: float) -> dict:
    """Train and score one network; return what goes into its row.

    Args:
        data: "train" and "test", each images uint8 (N, S, S, bands) and masks uint8 (N, S, S).
        scheme: the classes.
        width: of the U-Net.
        precision: a Keras dtype policy.
        size: patches in a batch.
        minutes: of training.
    """
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    images, masks = data["train"]
    model = models.unet(len(scheme), width, channels=images.shape[-1])
    ignored = {"ignore_index": scheme.ignore_index}
    parts = (partial(part, **ignored) for part in (losses.weighted_crossentropy, losses.dice))
    model.compile(keras.optimizers.AdamW(1e-3), losses.blend(*parts, weights=(1.0, 0.5)))
    watch = Clock(minutes)
    how = {"steps_per_epoch": STEPS, "epochs": 10**6, "verbose": 0}
    model.fit(drawn(images, masks, size, seed=0), callbacks=[watch], **how)
    count = np.zeros((len(scheme),) * 2, np.int64)
    for first in range(0, len(data["test"][0]), size):
        seen, truth = (part[first : first + size] for part in data["test"])
        found = models.predict(model, seen.astype(np.float32)).argmax(axis=-1)
        count += metrics.confusion(truth, found, len(scheme), scheme.ignore_index)
    still = tuple(map(keras.ops.convert_to_tensor, next(drawn(images, masks, size, seed=1))))
    alone = Clock(np.inf)
    how |= {"steps_per_epoch": TIMED, "epochs": 1}
    model.fit((still for _ in itertools.count()), callbacks=[alone], **how)
    work = PASSES * measures.flops(model, *images.shape[1:3])
    name, peaks = card()
    rate = size * alone.steps / alone.seconds
    share = rate * work / (1e12 * peaks[precision != "float32"]) if peaks else np.nan
    return {
        "precision": precision, "batch size": size, "width": width, "minutes": minutes,
        "images seen": size * watch.steps, "images a second": size * watch.steps / watch.seconds,
        "network alone": rate, "share of peak": share,
        **{key: metrics.summary(count, scheme)[key] for key in ("miou", "accuracy")},
        "hardware": name,
    }  # fmt: skip


def main() -> None:
    """Record what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("patches_h5", type=Path, help="what patches.cut wrote, split by image")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--table", type=Path, default=TABLE)
    given = parser.parse_args()
    if keras.backend.backend() != "jax":
        parser.error("set KERAS_BACKEND=jax")
    known = store.card(given.patches_h5)
    members = {name: patches.members(given.patches_h5, name) for name in ("train", "test")}
    data = {k: patches.read(given.patches_h5, chosen) for k, chosen in members.items()}
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("segkit", "keras", "jax"))
    about = {"dataset": known.dataset, "fingerprint": known.fingerprint}
    about |= {"date": datetime.now(UTC).date().isoformat(), "version": ", ".join(versions)}
    about["command"] = f"KERAS_BACKEND=jax python -m benchmarks.gpu {shlex.join(sys.argv[1:])}"
    for precision, size in itertools.product(given.precisions, given.batch_sizes):
        row = trial(data, known.scheme, given.width, precision, size, given.minutes)
        print(row, flush=True)
        tables.append(given.table, [row | about])


if __name__ == "__main__":
    main()
