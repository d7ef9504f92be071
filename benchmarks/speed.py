"""Say how fast this machine trains, so that a time measured on it can be compared.

    python -m benchmarks.speed      (or: make speed; `make test` prints it beside its time)

The figure is the processor time, on all cores, that the width-16 U-Net takes for one 128-pixel crop
of a training step. What a step of another network costs is measured beside it, in turns.
"""

import itertools
import os
import time
from collections.abc import Callable

import keras
import numpy as np

from segkit import models, training
from segkit.classes import DUBAI

BATCH, STEPS, FIRST = 16, 20, 2
#: Milliseconds on the machine that minutes by "pace" are counted on.
PACE = 16


def processor_time() -> float:
    """Return seconds of processor time, as if this process had all its cores for itself."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return time.process_time() / own


def pace(cost: float) -> Callable[[], float]:
    """Return a clock that is asked before and after each step, and says that it took `cost` s."""
    return itertools.count(0, cost).__next__


def yardstick() -> Callable[[], float]:
    """Return a function that trains the width-16 U-Net for a step, and says its seconds per crop.

    The seconds are those of processor time.
    """
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (BATCH, 128, 128, 3)).astype(np.float32)
    masks = rng.integers(0, 6, (BATCH, 128, 128), np.uint8)
    model = models.unet(6, width=16)
    model.compile(keras.optimizers.AdamW(1e-3), training.default_loss(DUBAI))

    def step() -> float:
        began = processor_time()
        model.train_on_batch(images, masks)
        return (processor_time() - began) / BATCH

    for _ in range(FIRST):  # the first ones build the program
        step()
    return step


class Cost(keras.callbacks.Callback):
    """Train for some steps, each followed by one of the yardstick.

    Attributes:
        per_step: seconds of a step on a machine where the yardstick's crop takes `PACE`, once
            trained.
        milliseconds: what the yardstick's crop takes here, once trained.
    """

    def __init__(self):
        super().__init__()
        self.yardstick, self.pairs = yardstick(), []

    def on_train_batch_begin(self, batch, logs=None):
        self.began = processor_time()

    def on_train_batch_end(self, batch, logs=None):
        self.pairs.append((processor_time() - self.began, self.yardstick()))
        if len(self.pairs) == FIRST + STEPS:
            own, crop = np.median(self.pairs[FIRST:], axis=0)
            self.per_step, self.milliseconds = PACE / 1000 * own / crop, 1000 * crop
            self.model.stop_training = True


def milliseconds() -> float:
    """Train for some steps; return the milliseconds of processor time per crop."""
    training.setup(seed=0)
    step = yardstick()
    return 1000 * float(np.mean([step() for _ in range(STEPS)]))


def main() -> None:
    """Print the figure."""
    print(f"the width-16 U-Net trains here at {milliseconds():.0f} ms per 128-pixel crop")


if __name__ == "__main__":
    main()
