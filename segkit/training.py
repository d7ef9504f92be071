"""Device and precision set-up, fit, resume, evaluate, run record.

Taught in notebook 05.
"""

import json
import math
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from segkit import __version__, losses, metrics, models, patches, store
from segkit.classes import ClassScheme
from segkit.files import shown, whole

WEIGHT_DECAY = 1e-4
# A last, smaller batch makes TensorFlow build its program once more; that is no news either.
tf.get_logger().setLevel("ERROR")


@dataclass(frozen=True)
class Device:
    """What the training runs on.

    Attributes:
        name: of the GPU, or the number of CPU cores.
        gpus: how many there are.
        precision: Keras' dtype policy, such as "float32" or "mixed_bfloat16".
    """

    name: str
    gpus: int
    precision: str


def setup(seed: int = 0, precision: str = "auto") -> Device:
    """Set seeds, GPU memory and precision, once at the top of a notebook.

    Args:
        seed: of Python, NumPy and TensorFlow.
        precision: a Keras dtype policy, or "auto": float32 on a CPU, mixed_float16 on a GPU, and
            mixed_bfloat16 on one that has it (compute capability 8 and up).
    """
    keras.utils.set_random_seed(seed)
    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    for gpu in gpus:
        with suppress(RuntimeError):  # in use already, so it grows already, or never will
            tf.config.experimental.set_memory_growth(gpu, True)
    if precision == "auto":
        modern = details.get("compute_capability", (0, 0)) >= (8, 0)
        precision = ("mixed_bfloat16" if modern else "mixed_float16") if gpus else "float32"
    keras.config.set_dtype_policy(precision)
    name = details.get("device_name") or f"CPU, {os.cpu_count()} cores"
    return Device(name, len(gpus), precision)


def default_loss(scheme: ClassScheme, dice: float = 0.5) -> Callable:
    """Cross-entropy and, with this weight, Dice; the ignored class left out."""
    ignored = {"ignore_index": scheme.ignore_index}
    parts = (losses.weighted_crossentropy, losses.dice)
    return losses.blend(*(partial(part, **ignored) for part in parts), weights=(1.0, dice))


#: What an epoch's row holds and its printed line leaves out.
NOT_SHOWN = ("learning_rate", "steps", "seconds")


class EpochLine(keras.callbacks.Callback):
    """Print one short line per epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{k} {v:.3f}" for k, v in logs.items() if k not in NOT_SHOWN)
        seconds = time.perf_counter() - self.began
        print(
            f"epoch {epoch + 1:>2}/{self.params['epochs']}  {scores}  {seconds:.0f} s", flush=True
        )


class Clock(keras.callbacks.Callback):
    """Count the steps and seconds of training, and add them to each epoch's row.

    Only training counts, not validation; nor does the first step, which builds the graph.

    Attributes:
        now: a function that tells the time in seconds.
        used: seconds of training so far.
        steps: batches so far.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        super().__init__()
        self.now, self.used, self.steps = now, 0.0, 0

    def on_train_begin(self, logs=None):
        self.building = True

    def on_train_batch_begin(self, batch, logs=None):
        self.began = self.now()

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if not self.building:
            self.used += self.now() - self.began
        self.building = False

    def on_epoch_end(self, epoch, logs=None):
        logs.update(steps=self.steps, seconds=self.used)


class TimeBudget(Clock):
    """Lower the learning rate along a cosine over a number of minutes, then stop.

    A learning rate of None leaves the optimizer's as it is.

    Attributes:
        images: images seen so far.
    """

    def __init__(
        self,
        minutes: float,
        learning_rate: float | None,
        batch_size: int,
        now: Callable[[], float] = time.perf_counter,
    ):
        super().__init__(now)
        self.budget, self.peak, self.batch_size = 60 * minutes, learning_rate, batch_size

    @property
    def images(self) -> int:
        return self.steps * self.batch_size

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        if self.peak is None:
            return
        done = min(1.0, self.used / self.budget)
        self.model.optimizer.learning_rate = self.peak * (1 + math.cos(math.pi * done)) / 2

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self.used >= self.budget:
            self.model.stop_training = True


def fit(
    model: keras.Model,
    train: tf.data.Dataset,
    validation: tf.data.Dataset | None,
    scheme: ClassScheme,
    path: str | Path,
    epochs: int,
    steps: int | None = None,
    learning_rate: float = 1e-3,
    loss: Callable | None = None,
    patience: int | None = None,
    resume: bool = False,
    callbacks: list[keras.callbacks.Callback] | None = None,
    record: dict | None = None,
    average: float | None = None,
) -> pd.DataFrame:
    """Train, keep the best epoch, and save the model with its record.

    AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with a cosine schedule. Every epoch is
    kept in `<path without suffix>.run/`, so that an interrupted run can go on.

    Args:
        model: takes the images and returns probabilities.
        train, validation: batches of (images, masks); the best epoch is that of the highest
            validation mIoU, or the last one without validation.
        scheme: the classes; its ignored class counts in no loss and no score.
        path: where the model goes: a `.keras` file, with a `.json` beside it.
        epochs: passes, each of `steps` batches.
        steps: batches per epoch; needed for endless data.
        learning_rate: the highest; it falls to 0 along a cosine over all epochs.
        loss: of (truth, probabilities); `default_loss` if None.
        patience: stop after so many epochs without a better validation mIoU.
        resume: go on where an interrupted run to the same path stood.
        callbacks: more Keras callbacks.
        record: whatever else the model's `.json` should say.
        average: keep a running mean of the weights, of which so much stays at each step (0.99, for
            example), and end with that (Polyak and Juditsky 1992); only without validation,
            which would keep the weights of one epoch.

    Returns:
        One row per epoch: loss, miou, val_loss, val_miou; steps and seconds of training so far.
    """
    if average is not None and validation is not None:
        raise ValueError("average: without validation only, which keeps one epoch's weights")
    path, began = Path(path), time.perf_counter()
    folder = path.with_suffix(".run")
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    total = epochs * (steps or int(train.cardinality()))
    given = callbacks or []
    timed = any(isinstance(callback, TimeBudget) for callback in given)
    given = given if timed else [Clock(), *given]
    if resume and (folder / "epochs.csv").exists():
        last = pd.read_csv(folder / "epochs.csv").iloc[-1]
        for clock in (callback for callback in given if isinstance(callback, Clock)):
            clock.used, clock.steps = last["seconds"], int(last["steps"])
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, max(1, total))
    model.compile(
        keras.optimizers.AdamW(
            learning_rate if timed else decay,
            weight_decay=WEIGHT_DECAY,
            use_ema=average is not None,
            ema_momentum=0.99 if average is None else average,
        ),
        loss=loss or default_loss(scheme),
        metrics=[metrics.MeanIoU(len(scheme), scheme.ignore_index)],
    )
    model.optimizer.build(model.trainable_variables)  # else the graph is traced twice
    kept = _keepers(folder, patience, resume) if validation is not None else []
    backup = keras.callbacks.BackupAndRestore(folder / "backup")
    log = keras.callbacks.CSVLogger(folder / "epochs.csv", append=resume)
    model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        callbacks=[*given, backup, log, *kept, EpochLine()],
        verbose=0,
    )
    if kept:
        model.load_weights(folder / "best.weights.h5")
    history = pd.read_csv(folder / "epochs.csv")
    shutil.rmtree(folder)
    seconds = {"seconds": round(time.perf_counter() - began, 1), "epochs": len(history)}
    save(model, path, scheme, **seconds, **(record or {}))
    return history


def _keepers(folder: Path, patience: int | None, resume: bool) -> list[keras.callbacks.Callback]:
    """Keep the weights of the best epoch; stop when none better comes."""
    watched = {"monitor": "val_miou", "mode": "max"}
    log, best = folder / "epochs.csv", None
    if resume and log.exists():
        best = pd.read_csv(log)["val_miou"].max()
    keepers = [
        keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=best,
            **watched,
        )
    ]
    if patience is not None:
        keepers.append(keras.callbacks.EarlyStopping(patience=patience, **watched))
    return keepers


def save(model: keras.Model, path: str | Path, scheme: ClassScheme, **record) -> Path:
    """Save a model and, beside it, all that is needed to use it with nothing else known."""
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"{path.name}: a model's file ends in .keras")
    plain = keras.Model(model.inputs, model.outputs, name=model.name)
    record = {
        "scheme": scheme.to_dict(),
        "parameters": model.count_params(),
        **record,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "with": {
            "segkit": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
    }
    with whole(path) as part, whole(path.with_suffix(".json")) as note:
        plain.save(part)
        note.write_text(json.dumps(record, indent=1), encoding="utf-8")
    model.scheme, model.record = scheme, record
    return path


def load(path: str | Path) -> keras.Model:
    """Load a model that `fit` or `save` wrote; `.scheme` and `.record` come with it.

    Raises:
        FileNotFoundError: the model or its `.json` is missing.
    """
    path = Path(path)
    for needed in (path, path.with_suffix(".json")):
        if not needed.exists():
            raise FileNotFoundError(f"{shown(needed)} does not exist: train the model first")
    model = models.sized(keras.models.load_model(path, compile=False))
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    model.scheme, model.record = ClassScheme(**record["scheme"]), record
    return model


def answers(
    model: keras.Model,
    patches_h5: str | Path,
    subset: str,
    split: str = "tile-part",
    batch_size: int = 16,
    tta: bool = False,
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Predict the patches of a subset, one after the other.

    Args:
        model: takes (B, S, S, C) of 0–255, returns probabilities.
        patches_h5, subset, split: see `pipeline.batches`.
        batch_size: patches predicted at once.
        tta: average over the eight turns and flips.

    Yields:
        The patch's position in the file; its mask uint8 (S, S); probabilities float32 (S, S, C);
        and, bool (S, S), which pixels lie in the tile and came in no patch before.
    """
    found, seen = patches.members(patches_h5, subset, split), {}
    with store.opened(patches_h5, patches.FORMAT) as file:
        for first in range(0, len(found), batch_size):
            chosen = found[first : first + batch_size]
            images = file["images"][chosen].astype(np.float32)
            for i, probabilities in zip(chosen, models.predict(model, images, tta), strict=True):
                yield int(i), file["masks"][i], probabilities, _unseen(seen, file, i)


def evaluate(
    model: keras.Model,
    patches_h5: str | Path,
    subset: str,
    split: str = "tile-part",
    batch_size: int = 16,
    tta: bool = False,
) -> np.ndarray:
    """Count every pixel of a subset once, however much its patches overlap.

    Returns:
        int64 (C, C) confusion matrix, rows = truth, the ignored class's row included;
        `metrics.scores` and `metrics.summary` leave it out.
    """
    return evaluate_each(model, patches_h5, subset, split, "tile", batch_size, tta)[1].sum(axis=0)


def evaluate_each(
    model: keras.Model,
    patches_h5: str | Path,
    subset: str,
    split: str = "tile-part",
    unit: str = "group",
    batch_size: int = 16,
    tta: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Count as `evaluate` does, but patch by patch, image by image, or group by group.

    Args:
        unit: "patch", "tile" (an image) or "group" (of images).

    Returns:
        The units' names (N,): positions in the file, or ids; and int64 (N, C, C).
    """
    units, matrices = [], []
    with store.opened(patches_h5, patches.FORMAT) as file:
        classes = len(store.scheme(file))
        names = np.arange(len(file["tile"])) if unit == "patch" else file[unit].asstr()[:]
    for i, mask, found, new in answers(model, patches_h5, subset, split, batch_size, tta):
        units.append(names[i])
        matrices.append(metrics.confusion(mask[new], found.argmax(axis=-1)[new], classes))
    return gathered(units, matrices)


def gathered(units: list, counts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Add up the counts of each unit; return the units' names and one sum for each."""
    if not counts:
        raise ValueError("the subset is empty: the split gave it no patches")
    names, place = np.unique(units, return_inverse=True)
    total = np.zeros((len(names), *counts[0].shape), counts[0].dtype)
    np.add.at(total, place, counts)
    return names, total


def _unseen(seen: dict, file, i: int) -> np.ndarray:
    """Return which pixels of patch i lie in its tile and came in no patch before it."""
    tile, shape = file["tile"][i], (file["height"][i], file["width"][i])
    counted = seen.setdefault(tile, np.zeros(shape, bool))
    size = file["masks"].shape[1]
    area = counted[file["row"][i] :, file["column"][i] :][:size, :size]
    new = np.zeros((size, size), bool)
    new[: area.shape[0], : area.shape[1]] = ~area
    area[:] = True
    return new
