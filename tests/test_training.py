"""Fit, keep, resume, save, load."""

import contextlib
import json
from functools import partial
from pathlib import Path

import helpers
import keras
import numpy as np
import pytest

from segkit import metrics, models, patches, pipeline, tracking, training
from segkit.classes import DUBAI

#: What keeps a running mean of the weights, and ends with that.
AVERAGED = partial(training.AdamW, use_ema=True, ema_momentum=0.5)


class Stop(keras.callbacks.Callback):
    """Interrupt at the start of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def net(filters=4):
    """Return a small network with dropout, which draws from a seed of its own."""
    keras.utils.set_random_seed(5)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(filters, 3, padding="same")(image)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    return keras.Model(image, models.probabilities(x, 6))


@pytest.fixture
def data(tiles_h5, patches_h5):
    """Crops to train on and a validation subset."""
    crops = pipeline.crops(tiles_h5, patches.tiles(patches_h5, "train"), 32, 4)
    return crops, pipeline.batches(patches_h5, "validation", 8)


def test_a_trained_model_comes_back_with_its_scheme(data, tmp_path):
    model = models.unet(6, width=4, depth=2)
    path = tmp_path / "models" / "unet.keras"
    history = training.fit(model, *data, DUBAI, path, epochs=2, steps=3, record={"seed": 7})
    assert list(history.columns[:1]) == ["epoch"] and list(history["steps"]) == [3, 6]
    assert 0 < history["seconds"][0] < history["seconds"][1]
    assert sorted(p.name for p in path.parent.iterdir()) == ["unet.json", "unet.keras"]
    assert list(history["images"]) == [12, 24]
    again = training.load(path)
    assert again.scheme == DUBAI and again.record["seed"] == 7
    assert again.card == data[0].card and again.card.dataset == "dubai"
    assert models.unet(**{k: v for k, v in again.record["options"].items() if k != "model"})
    image = np.full((1, 32, 32, 3), 99, np.float32)
    assert np.array_equal(again.predict_on_batch(image), model.predict_on_batch(image))


def test_the_best_epoch_is_kept(data, tmp_path):
    model = net()
    history = training.fit(model, *data, DUBAI, tmp_path / "m.keras", 4, 3, learning_rate=0.05)
    metric = metrics.MeanIoU(6, 5)
    for images, masks in data[1]:
        metric.update_state(masks, model(images))
    assert float(metric.result()) == pytest.approx(history["val_miou"].max(), abs=1e-4)


def same(model, other):
    """Return whether two models have the same weights, bit for bit."""
    return all(map(np.array_equal, model.get_weights(), other.get_weights()))


def feeds(kind, tiles_h5, patches_h5):
    """Return a data set to train on that draws at random: endless, or once through."""
    if kind == "crops":
        return pipeline.crops(tiles_h5, patches.tiles(patches_h5, "train"), 32, 4)
    return pipeline.batches(patches_h5, "validation", 4, augment=True)


@pytest.mark.parametrize("kind", ["crops", "batches"])
@pytest.mark.parametrize("how", [{"patience": 9}, {"optimizer": AVERAGED}])
def test_a_resumed_training_ends_as_one_that_was_not(
    kind, how, tiles_h5, patches_h5, tmp_path, capsys
):
    train = feeds(kind, tiles_h5, patches_h5)
    validation = pipeline.batches(patches_h5, "test", 8) if "patience" in how else None
    steps = 3 if kind == "crops" else None
    plan = {"epochs": 5, "steps": steps, "learning_rate": 0.02, **how}
    model, whole = net(), tmp_path / "whole.keras"
    history = training.fit(model, train, validation, DUBAI, whole, **plan)
    path = tmp_path / "m.keras"
    for epoch in (2, 3):
        with pytest.raises(KeyboardInterrupt):
            stop = {"callbacks": [Stop(epoch)], "resume": epoch > 2}
            training.fit(net(), train, validation, DUBAI, path, **plan, **stop)
        assert not path.exists()
    capsys.readouterr()
    resumed = net()
    again = training.fit(resumed, train, validation, DUBAI, path, resume=True, **plan)
    assert capsys.readouterr().out.startswith("epoch  4/5")
    assert same(model, resumed) and same(training.load(whole), training.load(path))
    columns = [name for name in history if name != "seconds"]
    assert again[columns].equals(history[columns])
    assert not path.with_suffix(".run").exists()


def test_data_of_unknown_length_are_gone_through_and_resumed(data, tmp_path):
    train, plan = data[0].take(3), {"epochs": 3, "steps": 3, "learning_rate": 0.02}
    model, path = net(), tmp_path / "m.keras"
    history = training.fit(model, train, None, DUBAI, tmp_path / "whole.keras", **plan)
    with pytest.raises(KeyboardInterrupt):
        training.fit(net(), train, None, DUBAI, path, callbacks=[Stop(1)], **plan)
    again = training.fit(resumed := net(), train, None, DUBAI, path, resume=True, **plan)
    assert again["steps"].tolist() == history["steps"].tolist() == [3, 6, 9]
    assert same(model, resumed)


def test_a_finished_run_is_not_trained_again(data, tmp_path, capsys):
    model, path, plan = net(), tmp_path / "m.keras", {"epochs": 2, "steps": 1}
    history = training.fit(model, *data, DUBAI, path, **plan)
    made, capsys = path.stat().st_mtime_ns, (capsys.readouterr(), capsys)[1]
    other = net()
    again = training.fit(other, *data, DUBAI, path, resume=True, **plan)
    assert same(model, other) and path.stat().st_mtime_ns == made
    assert "epoch" not in capsys.readouterr().out
    assert again["loss"].tolist() == history["loss"].tolist()
    training.fit(other, *data, DUBAI, path, resume=True, epochs=1, steps=1)  # another plan
    assert path.stat().st_mtime_ns != made
    training.fit(net(filters=5), *data, DUBAI, path, resume=True, epochs=1, steps=1)
    assert training.load(path).count_params() == net(filters=5).count_params()  # another network


@pytest.mark.parametrize("left", [b"", b"PK half a file", None])
def test_a_broken_backup_is_named(data, tmp_path, left):
    path, plan = tmp_path / "m.keras", {"epochs": 3, "steps": 1}
    with pytest.raises(KeyboardInterrupt):
        training.fit(net(), *data, DUBAI, path, callbacks=[Stop(1)], **plan)
    state = path.with_suffix(".run") / training.STATE
    state.write_bytes(state.read_bytes()[:-40] if left is None else left)
    with pytest.raises(ValueError, match="or a broken one.*resume=False"):
        training.fit(net(), *data, DUBAI, path, resume=True, **plan)


def test_a_backup_is_written_by_time(data, tmp_path, monkeypatch):
    seen = set()

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if (state := tmp_path / "m.run" / training.STATE).exists():
                seen.add(state.stat().st_mtime_ns)

    training.fit(net(), *data, DUBAI, tmp_path / "m.keras", 4, 1, callbacks=[Look()])
    assert not seen
    monkeypatch.setattr(training, "BACK_UP_EVERY_S", 0)
    training.fit(net(), *data, DUBAI, tmp_path / "m.keras", 4, 1, callbacks=[Look()])
    assert len(seen) == 4


def test_an_interrupted_run_of_another_network_is_named(data, tmp_path):
    path, plan = tmp_path / "m.keras", {"epochs": 3, "steps": 1}
    with pytest.raises(KeyboardInterrupt):
        training.fit(net(), *data, DUBAI, path, callbacks=[Stop(1)], **plan)
    with pytest.raises(ValueError, match="another network.*resume=False"):
        training.fit(net(filters=5), *data, DUBAI, path, resume=True, **plan)
    training.fit(net(filters=5), *data, DUBAI, path, **plan)


def test_a_run_that_stopped_early_is_not_trained_on(data, tmp_path, monkeypatch):
    plan = {"epochs": 30, "steps": 1, "learning_rate": 0.0, "patience": 1}
    path, model = tmp_path / "m.keras", net()
    history = training.fit(model, *data, DUBAI, tmp_path / "whole.keras", **plan)

    def fail(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="disk full"):
        broken.setattr(training, "save", fail)
        broken.setattr(training, "BACK_UP_EVERY_S", 0)
        training.fit(net(), *data, DUBAI, path, **plan)
    resumed = net()
    again = training.fit(resumed, *data, DUBAI, path, resume=True, **plan)
    assert len(again) == len(history) < 30 and same(model, resumed)


class Ask(keras.callbacks.Callback):
    """Ask for an end at the beginning of a batch, or of an epoch."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_train_batch_begin(self, batch, logs=None):
        self.model.stop_training |= self.at == "batch" and batch == 1

    def on_epoch_begin(self, epoch, logs=None):
        self.model.stop_training |= self.at == "epoch" and epoch == 1


@pytest.mark.parametrize(("at", "steps"), [("batch", [2]), ("epoch", [3, 4])])
def test_whoever_asks_for_an_end_gets_it(at, steps, data, tmp_path):
    plan = {"epochs": 4, "steps": 3, "callbacks": [Ask(at)]}
    found = training.fit(net(), data[0], None, DUBAI, tmp_path / "m.keras", **plan)
    assert found["steps"].tolist() == steps


class Break(keras.callbacks.Callback):
    """Break off in the second validation."""

    def __init__(self):
        super().__init__()
        self.begun = 0

    def on_test_begin(self, logs=None):
        self.begun += 1
        if self.begun == 2:
            raise KeyboardInterrupt


def test_a_run_broken_off_in_its_last_validation_is_not_finished(data, tmp_path):
    ticks = iter(range(10_000))
    plan = {"minutes": 3 / 60, "steps": 2, "clock": lambda: next(ticks)}
    with pytest.raises(KeyboardInterrupt):
        training.fit(net(), *data, DUBAI, tmp_path / "m.keras", callbacks=[Break()], **plan)
    whole = training.fit(net(), *data, DUBAI, tmp_path / "whole.keras", **plan)
    found = training.fit(net(), *data, DUBAI, tmp_path / "m.keras", resume=True, **plan)
    assert len(whole) == 2 and len(found) >= 2


@pytest.mark.parametrize("every", [0, 60])
def test_an_end_by_a_callback_of_ones_own_is_remembered(every, data, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "BACK_UP_EVERY_S", every)
    early = keras.callbacks.EarlyStopping("val_loss", min_delta=99, patience=1)
    plan = {"epochs": 6, "steps": 1, "callbacks": [early]}
    with monkeypatch.context() as full:
        full.setattr(training, "save", None)
        with pytest.raises(TypeError):
            training.fit(net(), *data, DUBAI, tmp_path / "m.keras", **plan)
    found = training.fit(net(), *data, DUBAI, tmp_path / "m.keras", resume=True, **plan)
    assert len(found) == 2


def test_a_run_killed_at_its_last_word_is_finished_later(data, tmp_path, monkeypatch):
    plain = tracking.write

    def killed(run, **told):
        if told.get("state") == "finished":
            raise KeyboardInterrupt
        plain(run, **told)

    plan = {"epochs": 2, "steps": 1}
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            training.fit(net(), *data, DUBAI, tmp_path / "m.keras", **plan)
    training.fit(net(), *data, DUBAI, tmp_path / "m.keras", resume=True, **plan)
    (run,) = tracking.read(tmp_path / "runs")
    assert run["state"] == "finished" and run["fingerprint"] and len(run["history"]) == 2


def test_two_trainings_to_one_path_exclude_each_other(data, tmp_path):
    class Other(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            training.fit(net(), *data, DUBAI, tmp_path / "m.keras", epochs=1, steps=1)

    with pytest.raises(RuntimeError, match="another process"):
        training.fit(net(), *data, DUBAI, tmp_path / "m.keras", 1, 1, callbacks=[Other()])


def test_early_stopping(data, tmp_path):
    plan = {"epochs": 50, "steps": 1, "learning_rate": 0.0, "patience": 2}
    history = training.fit(net(), *data, DUBAI, tmp_path / "m.keras", **plan)
    assert len(history) < 50


def test_minutes_end_the_training(data, tmp_path):
    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs)

    model, seen = net(), []
    plan = {"minutes": 0.02, "steps": 5, "callbacks": [Watch()]}
    history = training.fit(model, data[0], None, DUBAI, tmp_path / "m.keras", **plan)
    assert history["seconds"].iloc[-1] >= 1.2 and float(model.optimizer.learning_rate) < 1e-3
    assert [logs["images"] for logs in seen] == [4 * n for n in range(1, len(seen) + 1)]
    assert seen[-1]["seconds"] == history["seconds"].iloc[-1]


def test_what_cannot_be_saved_or_scored_is_refused_before_the_training(data, tmp_path):
    for plan in ({}, {"epochs": 1, "minutes": 1}):
        with pytest.raises(ValueError, match="epochs=… or minutes=…"):
            training.fit(net(), data[0], None, DUBAI, tmp_path / "m.keras", **plan)
    with pytest.raises(ValueError, match="a path ending in .keras"):
        training.fit(net(), data[0], None, DUBAI, tmp_path / "m", epochs=1)
    with pytest.raises(ValueError, match="5 answers, but 6 classes"):
        training.fit(models.unet(5, 4, 2), data[0], None, DUBAI, tmp_path / "m.keras", epochs=1)


def test_a_record_takes_numbers_of_numpy_and_its_own_words_win(data, tmp_path):
    path = tmp_path / "m.keras"
    odd = {"model": "mine", "path": Path("x"), "options": "none", "sizes": np.arange(2)}
    how = {"steps": np.int64(1), "record": {"n": np.float32(0.5), "epochs": 7, **odd}}
    history = training.fit(net(), data[0], None, DUBAI, path, epochs=1, **how)
    assert training.load(path).record["n"] == 0.5 and training.load(path).record["epochs"] == 1
    assert training.load(path).record["sizes"] == [0, 1] and training.load(path).options == {}
    tracking.note(history.attrs["run"], test=np.float32(0.25))
    assert tracking.read([history.attrs["run"]])[0]["scores"] == {"test": 0.25}


def test_a_finished_run_gives_the_model_its_classes_and_options(data, tmp_path):
    path = tmp_path / "m.keras"
    training.fit(net(), data[0], None, DUBAI, path, epochs=1, steps=1)
    again = net()
    training.fit(again, data[0], None, DUBAI, path, epochs=1, steps=1, resume=True)
    assert again.scheme == DUBAI
    small = training.save(models.unet(6, width=4, depth=2), tmp_path / "u.keras", DUBAI)
    assert training.load(small).options["width"] == 4


class Weights(keras.callbacks.Callback):
    """Remember the first kernel after each step."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(keras.ops.convert_to_numpy(self.model.trainable_weights[0]))


def test_a_running_mean_of_the_weights_is_what_is_kept(data, tmp_path):
    model, seen = net(), Weights()
    plan = {"epochs": 1, "steps": 3, "callbacks": [seen], "optimizer": AVERAGED}
    training.fit(model, data[0], None, DUBAI, tmp_path / "m.keras", **plan)
    first, second, third = seen.seen
    mean = (first + second) / 2
    assert np.allclose(model.trainable_weights[0], (mean + third) / 2, atol=1e-6)
    assert not np.allclose(model.trainable_weights[0], third, atol=1e-6)


def pretrained_net():
    """Return a small network with the parts of one that has a pretrained encoder."""
    keras.utils.set_random_seed(5)
    row = models.ENCODERS["lite0"]
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="near_the_image")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name=row.last)(x)
    network = keras.Model(image, keras.layers.Conv2D(6, 1, name="decoder")(x), name=row.key)
    outputs = keras.layers.Softmax()(network(keras.layers.Rescaling(1 / 255)(image)))
    return keras.Model(image, outputs), network


def test_the_encoder_thaws_from_its_end_and_its_norms_may_stay():
    model, network = pretrained_net()

    def learns():
        return [layer.name for layer in network.layers if layer.trainable and layer.weights]

    first, last = "near_the_image", models.ENCODERS["lite0"].last
    assert learns() == [first, "norm", last, "decoder"]
    models.freeze(model)
    assert learns() == ["decoder"]
    models.unfreeze(model, share=0.5)  # of image, convolution, norm, convolution
    assert learns() == ["norm", last, "decoder"]
    models.unfreeze(model, norms=False)
    assert learns() == [first, last, "decoder"]
    models.unfreeze(model)
    assert learns() == [first, "norm", last, "decoder"]


def test_overfitting_one_batch(data):
    images, masks = next(iter(data[0].take(1)))
    masks = np.repeat((images.numpy().mean(axis=-1) > 128)[:1], 4, axis=0).astype(np.uint8)
    images = np.repeat(images[:1], 4, axis=0)
    keras.utils.set_random_seed(0)
    model = models.unet(6, width=8, depth=1)
    model.compile(keras.optimizers.AdamW(1e-2), training.default_loss(DUBAI))
    model.fit(images, masks, epochs=40, verbose=0)
    right = model.predict(images, verbose=0).argmax(axis=-1) == masks
    assert right.mean() > 0.95


def test_a_model_and_its_record_never_disagree(tmp_path, monkeypatch):
    """Whatever the moment of a kill: each step of a save is the last one once."""
    path = tmp_path / "m.keras"
    saved = [models.unet(3, width, 1) for width in (2, 3)]
    counts = [model.count_params() for model in saved]
    steps, last = [], [None]

    def step(operation):
        def wrapped(*given, **named):
            steps.append(operation.__name__)
            if len(steps) == last[0]:
                raise KeyboardInterrupt
            return operation(*given, **named)

        return wrapped

    def save(number, until=None):
        steps.clear()
        last[0] = until
        with contextlib.suppress(KeyboardInterrupt):
            training.save(saved[number], path, DUBAI, number=number)
        last[0] = None
        return len(steps)

    for operation in (Path.replace, Path.unlink):
        monkeypatch.setattr(Path, operation.__name__, step(operation))
    save(0)
    numbers = []
    for until in range(1, save(1) + 1):
        save(0)
        save(1, until)
        found, note = training.load(path), path.with_suffix(".json")
        numbers.append(found.record["number"])
        assert found.count_params() == found.record["parameters"] == counts[numbers[-1]]
        assert not note.exists() or json.loads(note.read_text()) == found.record
    assert numbers == sorted(numbers) and set(numbers) == {0, 1}


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train it first \(there: "):
        training.load(tmp_path / "none.keras")
    path = training.save(models.unet(3, 4, 1), tmp_path / "m.keras", DUBAI)
    assert json.loads(path.with_suffix(".json").read_text())["scheme"]["name"] == "dubai"
    path.with_suffix(".json").unlink()
    assert training.load(path).scheme == DUBAI  # the record lies in the model, too
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="no whole model"):
        training.load(path)
    training.save(models.unet(3, 4, 1), path, DUBAI)
    half, whole = path.stat().st_size // 2, path.read_bytes()
    path.write_bytes(
        whole[:half] + bytes(255 - x for x in whole[half : half + 80]) + whole[half + 80 :]
    )
    with pytest.raises(ValueError, match="no whole model"):
        training.load(path)
    models.unet(3, 4, 1).save(path)
    with pytest.raises(ValueError, match="has no record"):
        training.load(path)
    with pytest.raises(FileNotFoundError, match="models/no-such.keras"):
        training.load("no-such")
    with pytest.raises(ValueError, match="ends in .keras"):
        training.save(models.unet(3, 4, 1), tmp_path / "m.h5", DUBAI)


def test_setup_is_the_same_for_a_seed():
    answers = []
    for _ in range(2):
        device = training.setup(seed=3)
        answers.append(np.asarray(models.unet(3, 4, 1)(np.full((1, 32, 32, 3), 9.0))))
    assert device.precision == "float32" or device.gpus
    assert np.array_equal(*answers)


DEVICES = """
import sys
from pathlib import Path
import numpy as np
from segkit import models, pipeline, store, training
tiles_h5, folder = map(Path, sys.argv[1:])
for devices in (2, 1):  # parts of a CPU can be asked for only before all else
    training.setup(seed=1, devices=devices)
    scheme, ids = store.scheme(tiles_h5), store.index(tiles_h5).index
    crops = pipeline.crops(tiles_h5, ids, 32, 8, seed=3)
    model, path = models.unet(len(scheme), 4, 2), folder / f"{devices}.keras"
    history = training.fit(model, crops, None, scheme, path, epochs=10, steps=5)
    print("losses", *history["loss"])
    if devices == 2:
        print("answers", len(models.predict(model, np.full((3, 32, 32, 3), 99, np.float32))))
"""


def test_two_devices_learn_what_one_learns(tiles_h5, tmp_path):
    done = helpers.python(DEVICES, tiles_h5, tmp_path).communicate()[0]
    lines = [line.split()[1:] for line in done.splitlines() if line.startswith("losses")]
    two, one = (np.array(line, float) for line in lines)
    assert len(one) == 10 and np.ptp(one) > 0.01
    assert "answers 3\n" in done  # each image once, however many devices there are
    assert np.abs(two - one).max() < 1e-4
    twins = [training.load(tmp_path / f"{devices}.keras") for devices in (2, 1)]
    image = np.full((1, 32, 32, 3), 99, np.float32)
    assert np.allclose(*(model.predict_on_batch(image) for model in twins), atol=1e-2)
