"""Say how fast this machine trains, so that a time measured on it can be compared.

    python -m benchmarks.speed      (or: make speed; `make test` prints it beside its time)

The figure is the processor time, on all cores, that the width-16 U-Net takes for one 128-pixel crop
of a training step.
"""

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


def pace(measured: float) -> Callable[[], float]:
    """Return a clock of processor time as on a machine of `PACE`, for one of so many ms."""
    return lambda: processor_time() * PACE / measured


def milliseconds() -> float:
    """Train for some steps; return the milliseconds of processor time per crop."""
    training.setup(seed=0)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (BATCH, 128, 128, 3)).astype(np.float32)
    masks = rng.integers(0, 6, (BATCH, 128, 128), np.uint8)
    model = models.unet(6, width=16)
    model.compile(keras.optimizers.AdamW(1e-3), training.default_loss(DUBAI))
    for step in range(FIRST + STEPS):  # the first ones build the program
        if step == FIRST:
            began = processor_time()
        model.train_on_batch(images, masks)
    return 1000 * (processor_time() - began) / (BATCH * STEPS)


def main() -> None:
    """Print the figure."""
    print(f"the width-16 U-Net trains here at {milliseconds():.0f} ms per 128-pixel crop")


if __name__ == "__main__":
    main()
