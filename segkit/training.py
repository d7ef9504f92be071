"""Device and precision set-up, fit, exact resume, run record.

Taught in notebook 05.
"""

import dataclasses
import hashlib
import json
import math
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras.optimizers.schedules import CosineDecay

from segkit import losses, metrics, pipeline, tracking
from segkit.classes import ClassScheme
from segkit.evaluation import answers, evaluate, evaluate_each  # noqa: F401
from segkit.files import alone, shown, whole
from segkit.models.files import environment, load, read_record, save, tell

#: The optimizer of all trainings: Loshchilov and Hutter 2019, arXiv:1711.05101.
AdamW = partial(keras.optimizers.AdamW, weight_decay=1e-4)
#: Steps of an epoch where nothing says how many, and epochs of a training by the clock.
STEPS, ENDLESS = 50, 10**6
#: An epoch's end is written to this file when so many seconds have passed since the last one.
STATE, BACK_UP_EVERY_S = "epoch.npz", 60
# A last, smaller batch makes TensorFlow build its program once more; that is no news either.
tf.get_logger().setLevel("ERROR")


#: What the training runs on: the GPU's name, or the number of CPU cores; how many GPUs there are;
#: Keras' dtype policy, such as "float32" or "mixed_bfloat16".
Device = namedtuple("Device", "name gpus precision")


def setup(seed: int = 0, precision: str = "auto", devices: int = 1) -> Device:
    """Set seeds, precision and devices, once at the top of a notebook.

    Args:
        seed: of Python, NumPy and TensorFlow.
        precision: a Keras dtype policy, or "auto": float32 on a CPU, mixed_float16 on a GPU, and
            mixed_bfloat16 on one that has it (compute capability 8 and up).
        devices: how many GPUs, or, without one, parts of the CPU, share each batch of models that
            are built afterwards, whose size is a multiple of them: the first batch of validation
            patches, too. Parts of a CPU must be asked for before TensorFlow has begun.

    Returns:
        What the machine has; printed, it says so.

    Raises:
        RuntimeError: TensorFlow has begun already, with fewer devices.
    """
    keras.utils.set_random_seed(seed)
    setup.seed, gpus = seed, tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    if precision == "auto":
        modern = details.get("compute_capability", (0, 0)) >= (8, 0)
        precision = ("mixed_bfloat16" if modern else "mixed_float16") if gpus else "float32"
    keras.config.set_dtype_policy(precision)
    name = details.get("device_name") or f"CPU, {os.cpu_count()} cores"
    if devices > 1 and not gpus:
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    names = [f"{'GPU' if gpus else 'CPU'}:{i}" for i in range(devices)]
    together = tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(names, together) if devices > 1 else None
    tf.distribute.experimental_set_strategy(strategy)
    return Device(name, len(gpus), precision)


def default_loss(scheme: ClassScheme, dice: float = 0.5) -> Callable:
    """Cross-entropy and, with this weight, Dice; the ignored class left out."""
    ignored = {"ignore_index": scheme.ignore_index}
    parts = (losses.weighted_crossentropy, losses.dice)
    return losses.blend(*(partial(part, **ignored) for part in parts), weights=(1.0, dice))


class Clock(keras.callbacks.Callback):
    """Count the steps, images and seconds of training, and tell them to the callbacks after it.

    Only training counts, not validation; nor does the first step, which builds the graph. Each
    epoch prints one line, with all the seconds that it took.

    Args:
        minutes: stop after so many; None: never.
        learning_rate: falls from here to 0 along a cosine over the minutes; None leaves it alone.
        per_step: images in a batch, on average; None: unknown.
        now: a function that tells the time in seconds.
    """

    def __init__(self, minutes=None, learning_rate=None, per_step=None, now=time.perf_counter):
        super().__init__()
        self.budget, self.peak = 60 * minutes if minutes else math.inf, learning_rate
        self.per_step, self.now, self.used, self.steps = per_step, now, 0.0, 0

    def told(self) -> dict[str, float]:
        """Return steps, seconds and, where a batch's size is known, images so far."""
        images = {"images": self.steps * self.per_step} if self.per_step else {}
        return {"steps": self.steps, "seconds": self.used, **images}

    def on_train_begin(self, logs=None):
        self.building, self.epoch_began = True, time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if self.peak is not None:
            done = min(1.0, self.used / self.budget)
            self.model.optimizer.learning_rate = self.peak * (1 + math.cos(math.pi * done)) / 2
        self.began = self.now()

    def on_train_batch_end(self, batch, logs=None):
        self.used += 0 if self.building else self.now() - self.began
        self.steps, self.building = self.steps + 1, False
        if self.used >= self.budget:
            self.model.stop_training = True
        ({} if logs is None else logs).update(self.told())

    def on_epoch_end(self, epoch, logs=None):
        scores = "  ".join(f"{k} {v:.3f}" for k, v in logs.items() if k.endswith(("loss", "miou")))
        of = "" if math.isfinite(self.budget) else f"/{self.params['epochs']}"
        began, self.epoch_began = self.epoch_began, time.perf_counter()
        print(f"epoch {epoch + 1:>2}{of}  {scores}  {self.epoch_began - began:.0f} s", flush=True)
        logs.update(self.told())


class Keeper(keras.callbacks.EarlyStopping):
    """Keep the best epoch's weights, stop when none better comes, and keep what a resume needs.

    Each epoch's end (weights, optimizer, best epoch, clock, rows) is kept in memory, and written
    when it is due or when the training breaks off. Without validation the last epoch is the best.

    Attributes:
        rows: one dictionary for each epoch so far.
    """

    def __init__(self, folder: Path, clock: Clock, patience: int | None, run: Path):
        super().__init__("val_miou", 0, patience or ENDLESS, 0, "max", restore_best_weights=True)
        self.path, self.clock, self.since, self.run = folder / STATE, clock, time.monotonic(), run
        self.rows, self.state, self.before = [], None, {}

    def restore(self, model: keras.Model) -> int:
        """Set a model and the clock to what was written; return the epochs that are done."""
        self.set_model(model)
        self.changing = [*model.variables, *model.optimizer.variables]  # from step to step
        if not self.path.exists():
            return 0
        state, arrays = {"variables": 0}, []
        with suppress(Exception), np.load(self.path) as file:  # cut off, or none: told below
            state = json.loads(str(file["state"]))
            arrays = [file[f"arr_{i}"] for i in range(state["arrays"])]
        mine, kept = self.changing, state["variables"]
        if [list(v.shape) for v in mine] != [list(a.shape) for a in arrays[:kept]]:
            told = "holds an interrupted training of another network or another optimizer, or a"
            how = "broken one: build the same, or begin with resume=False"
            raise ValueError(f"{shown(self.path.parent)} {told} {how}")
        for variable, array in zip(mine, arrays[:kept], strict=True):
            variable.assign(array)
        self.rows, best = state["rows"], arrays[kept:] or None
        self.before = {**state["best"], "best_weights": best}
        self.clock.used, self.clock.steps = state["seconds"], state["steps"]
        return state["epochs"] if state["stopped"] else len(self.rows)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        vars(self).update(self.before)

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor in logs:
            super().on_epoch_end(epoch, logs)
        self.rows.append({"epoch": epoch, **{k: float(v) for k, v in logs.items()}})
        tracking.write(self.run, history=self.rows)
        changing = [keras.ops.convert_to_numpy(v).copy() for v in self.changing]
        arrays = [*changing, *(self.best_weights or [])]
        state = {"rows": self.rows, "variables": len(changing), "arrays": len(arrays)}
        state["epochs"] = int(self.params["epochs"])
        state["best"] = {k: vars(self).get(k) for k in ("best", "wait", "best_epoch")}
        self.state = ({**state, **self.clock.told()}, arrays)
        if time.monotonic() - self.since >= BACK_UP_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write the last epoch's end, if there is one.

        Whether it stopped there is asked only now, as callbacks after this one may stop it, too;
        a stop that comes in a later epoch's batches does not count.
        """
        if self.state:
            state, arrays = self.state
            state["stopped"] = self.model.stop_training and state["steps"] == self.clock.steps
            with whole(self.path) as part:
                np.savez(part, *arrays, state=json.dumps(state, default=float))
        self.since = time.monotonic()


def fit(
    model: keras.Model, train: tf.data.Dataset, validation: tf.data.Dataset | None,
    scheme: ClassScheme, path: str | Path, epochs: int | None = None, steps: int | None = None,
    learning_rate: float = 1e-3, loss: Callable | None = None, patience: int | None = None,
    resume: bool = False, callbacks: list[keras.callbacks.Callback] | None = None,
    record: dict | None = None, optimizer: Callable = AdamW, minutes: float | None = None,
    clock: Callable[[], float] = time.perf_counter, track: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Train for epochs or for minutes, keep the best epoch, and save the model with its record.

    What an interrupted run needs to go on exactly where it stood is kept in
    `<path without suffix>.run/`; what was done and how it went, in `runs/<id>/` (see `tracking`).

    Args:
        model: takes the images and returns probabilities.
        train, validation: batches of (images, masks of class indices); the best epoch is that of
            the highest validation mIoU, or the last one without validation.
        scheme: the classes; its ignored class counts in no loss and no score.
        path: where the model goes: a `.keras` file, with a `.json` beside it.
        epochs: at most so many passes, each of `steps` batches.
        steps: batches per epoch; by default once through the data, or 50 where their number is not
            known, as of endless ones.
        learning_rate: the highest; it falls to 0 along a cosine over all epochs, or minutes.
        loss: of (truth, probabilities); `default_loss` if None.
        patience: stop after so many epochs without a better validation mIoU; None or 0: never.
        resume: go on where an interrupted run to the same path stood, by the same draws; a finished
            one is loaded, not trained again.
        callbacks: more Keras callbacks; after each batch their logs hold steps, images, seconds.
        record: whatever else the model's `.json` and the run's record should say.
        optimizer: makes one of a learning rate that is a number or a schedule. A running mean of
            its weights (`use_ema`) is what stays without validation; else the best epoch's own.
        minutes: train for so long, by `clock`, in place of a number of epochs.
        clock: a function that tells the time in seconds, such as `time.process_time`.
        track: "tensorboard" or "wandb" (of the extra `tracking`): draws the run while it goes on.

    Returns:
        One row per epoch: epoch, loss, miou, val_loss, val_miou; steps, seconds and images of
        training so far. Its `.attrs["run"]` is the run's folder, where anything was trained.

    Raises:
        ValueError: neither epochs nor minutes, or both; no `.keras` file; a network with more or
            fewer answers than the scheme has classes; an interrupted run of another network.
        RuntimeError: another process trains to the same path.
    """
    if max(epochs or 0, minutes or 0) <= 0 or epochs and minutes or Path(path).suffix != ".keras":
        raise ValueError("for how long? State epochs=… or minutes=…, and a path ending in .keras")
    if model.output_shape[-1] != len(scheme):
        raise ValueError(f"{model.output_shape[-1]} answers, but {len(scheme)} classes")
    path, length, source = Path(path), int(train.cardinality()), pipeline.origin(train)
    steps, folder = steps or (length if length > 0 else STEPS), path.with_suffix(".run")
    run = {"epochs": epochs, "minutes": minutes, "steps": steps, "learning_rate": learning_rate}
    per_step = source.images_per_step if source else train.element_spec[0].shape[0]
    watch = Clock(minutes, learning_rate if minutes else None, per_step, clock)
    with alone(folder, wait=False):
        if resume and not folder.exists() and _finished(path, run, model.count_params()):
            model.set_weights(load(path).get_weights())
            tell(model, read_record(path))
            print(f"{shown(path)}: this run is finished; nothing is trained again")
            return pd.DataFrame(read_record(path)["history"])
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        rate = CosineDecay(learning_rate, epochs * steps) if epochs else learning_rate
        score = [metrics.MeanIoU(len(scheme), scheme.ignore_index)]
        model.compile(optimizer(rate), _shared(model, loss or default_loss(scheme)), metrics=score)
        model.optimizer.build(model.trainable_variables)  # else the graph is traced twice
        if source:
            source.restart()
        card = dataclasses.replace(source.card, scheme=scheme) if source else None
        options = run | {"patience": patience, "images_per_step": per_step}
        options |= {"loss": getattr(loss or default_loss, "__name__", "of your own")}
        options |= {"seed": vars(setup).get("seed"), **vars(model).get("options", {})}
        options |= {"trainable": len(model.trainable_variables), **(record or {})}
        data = card and {"name": card.dataset, "fingerprint": card.fingerprint}
        told = {"data": data, "options": options, "environment": environment()}
        place = tracking.begin(path.absolute(), folder / "run", **told)
        how = {"validation_data": validation, "epochs": epochs or ENDLESS, "steps_per_epoch": steps}
        more = [*(callbacks or []), *tracking.callbacks(track, place)]
        rows = _learn(model, train.repeat(), Keeper(folder, watch, patience, place), more, how)
        told = {"epochs": len(rows), "seconds": round(watch.used, 1), "run": run, "history": rows}
        own = {k: record[k] for k in record or () if k not in ("model", "path", "scheme", "card")}
        save(model, path, scheme, card, **own | told)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        tracking.write(place, state="finished", fingerprint=digest)
        shutil.rmtree(folder)
    history = pd.DataFrame(rows)
    history.attrs["run"] = str(place)
    return history


def _shared(model: keras.Model, loss: Callable) -> Callable:
    """Return a loss whose sum over the devices is its mean over them; norms see the whole batch."""
    devices = tf.distribute.get_strategy().num_replicas_in_sync
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = devices > 1

    def everywhere(part):  # what one device has, beside what the others have
        here = tf.distribute.get_replica_context()
        return here.all_gather(part, 0) if here else part

    return loss if devices == 1 else lambda *both: loss(*map(everywhere, both)) / devices


def _finished(path: Path, *made) -> bool:
    """Return whether a model lies there that just this run has made, of so many weights."""
    with suppress(OSError, ValueError):
        return tuple(map(read_record(path).get, ("run", "parameters"))) == made
    return False


def _learn(model, feed, keeper: Keeper, callbacks: list, how: dict) -> list[dict]:
    """Train from where the last writing stands; return one row for each epoch."""
    done, clock = keeper.restore(model), keeper.clock
    how |= {"initial_epoch": done, "callbacks": [clock, keeper, *callbacks], "shuffle": False}
    try:
        model.fit(feed.skip(clock.steps), verbose=0, **how)
    finally:
        keeper.write()
    return keeper.rows
