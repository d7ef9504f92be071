"""Fit, keep, resume, load, evaluate."""

import json

import keras
import numpy as np
import pytest

from segkit import metrics, models, patches, pipeline, store, training
from segkit.classes import DUBAI


class Stop(keras.callbacks.Callback):
    """Interrupt at the start of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


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
    again = training.load(path)
    assert again.scheme == DUBAI and again.record["seed"] == 7
    image = np.full((1, 32, 32, 3), 99, np.float32)
    assert np.array_equal(again.predict_on_batch(image), model.predict_on_batch(image))


def test_the_best_epoch_is_kept(data, tmp_path):
    model = models.unet(6, width=4, depth=2)
    history = training.fit(model, *data, DUBAI, tmp_path / "m.keras", 4, 3, learning_rate=0.05)
    metric = metrics.MeanIoU(6, 5)
    for images, masks in data[1]:
        metric.update_state(masks, model(images))
    assert float(metric.result()) == pytest.approx(history["val_miou"].max(), abs=1e-4)


def test_an_interrupted_training_goes_on(data, tmp_path, capsys):
    path, plan = tmp_path / "m.keras", {"epochs": 4, "steps": 2}
    with pytest.raises(KeyboardInterrupt):
        training.fit(models.unet(6, 4, 2), *data, DUBAI, path, callbacks=[Stop(2)], **plan)
    assert not path.exists()
    capsys.readouterr()
    history = training.fit(models.unet(6, 4, 2), *data, DUBAI, path, resume=True, **plan)
    assert "epoch  3/4" in capsys.readouterr().out.splitlines()[0]
    assert history["epoch"].tolist() == [0, 1, 2, 3] and path.exists()
    assert np.diff(history["steps"]).tolist() == [history["steps"][0]] * 3


def test_early_stopping(data, tmp_path):
    plan = {"epochs": 50, "steps": 1, "learning_rate": 0.0, "patience": 2}
    history = training.fit(models.unet(6, 4, 2), *data, DUBAI, tmp_path / "m.keras", **plan)
    assert len(history) < 50


def test_a_time_budget_ends_the_training(data, tmp_path):
    clock = training.TimeBudget(minutes=0.02, learning_rate=1e-3, batch_size=4)
    model = models.unet(6, 4, 2)
    plan = {"epochs": 10_000, "steps": 5, "callbacks": [clock]}
    training.fit(model, data[0], None, DUBAI, tmp_path / "m.keras", **plan)
    assert clock.used >= 1.2 and clock.images == 4 * clock.steps
    assert float(model.optimizer.learning_rate) < 1e-3


class Weights(keras.callbacks.Callback):
    """Remember the first kernel after each step."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(np.array(self.model.trainable_weights[0]))


def test_a_running_mean_and_the_best_epoch_exclude_each_other(data, tmp_path):
    with pytest.raises(ValueError, match="without validation"):
        training.fit(models.unet(6, 4), *data, DUBAI, tmp_path / "m.keras", 1, 1, average=0.5)


def test_a_running_mean_of_the_weights_is_what_is_kept(data, tmp_path):
    model, seen = models.unet(6, width=4, depth=2), Weights()
    plan = {"epochs": 1, "steps": 3, "callbacks": [seen], "average": 0.5}
    training.fit(model, data[0], None, DUBAI, tmp_path / "m.keras", **plan)
    first, second, third = seen.seen
    mean = (first + second) / 2
    assert np.allclose(model.trainable_weights[0], (mean + third) / 2, atol=1e-6)
    assert not np.allclose(model.trainable_weights[0], third, atol=1e-6)


def test_overfitting_one_batch(data):
    images, masks = next(iter(data[0].take(1)))
    masks = np.repeat((images.numpy().mean(axis=-1) > 128)[:1], 4, axis=0).astype(np.uint8)
    images = np.repeat(images[:1], 4, axis=0)
    keras.utils.set_random_seed(0)
    model = models.unet(6, width=8, depth=2)
    model.compile(keras.optimizers.AdamW(5e-3), training.default_loss(DUBAI))
    model.fit(images, masks, epochs=60, verbose=0)
    right = model.predict(images, verbose=0).argmax(axis=-1) == masks
    assert right.mean() > 0.95


def constant(klass):
    """Return a model that always answers one class."""
    image = keras.Input((None, None, 3))
    probability = keras.layers.Lambda(
        lambda x: keras.ops.one_hot(keras.ops.cast(x[..., 0] * 0, "int32") + klass, 6)
    )
    return keras.Model(image, probability(image))


def test_evaluate_counts_every_pixel_of_a_subset_once(tiles_h5, patches_h5, tmp_path):
    listed = store.index(tiles_h5)
    for overlap, size in ((0.5, 32), (0.0, 96)):
        path = patches.cut(tiles_h5, tmp_path / f"{size}.h5", size=size, overlap=overlap)
        patches.split(path)
        matrix = training.evaluate(constant(1), path, "test")
        truth = np.zeros(6, np.int64)
        for name in patches.tiles(path, "test"):
            truth += np.bincount(store.read(tiles_h5, name)[1].ravel(), minlength=6)
        assert np.array_equal(matrix[:, 1], truth) and matrix.sum() == truth.sum()
        assert truth.sum() == sum(
            listed.loc[name, "height"] * listed.loc[name, "width"]
            for name in patches.tiles(path, "test")
        )


def test_the_counts_of_patches_tiles_and_groups_are_the_same_pixels(patches_h5):
    whole = training.evaluate(constant(2), patches_h5, "test")
    for unit, count in (("tile", 3), ("group", 3), ("patch", None)):
        names, matrices = training.evaluate_each(constant(2), patches_h5, "test", unit=unit)
        assert np.array_equal(matrices.sum(axis=0), whole)
        assert len(names) == len(set(names)) == (count or len(patches.members(patches_h5, "test")))
    assert list(training.evaluate_each(constant(2), patches_h5, "test")[0]) == [
        "Tile 1",
        "Tile 2",
        "Tile 3",
    ]


def test_an_empty_subset_is_refused(patches_h5):
    name = patches.leave_one_out(patches_h5)[0]
    with pytest.raises(ValueError, match="empty"):
        training.evaluate(constant(2), patches_h5, "validation", name)


def test_a_model_without_its_record_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="train the model first"):
        training.load(tmp_path / "none.keras")
    path = training.save(models.unet(3, 4, 1), tmp_path / "m.keras", DUBAI)
    assert json.loads(path.with_suffix(".json").read_text())["scheme"]["name"] == "dubai"
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match="m.json"):
        training.load(path)
    with pytest.raises(ValueError, match="ends in .keras"):
        training.save(models.unet(3, 4, 1), tmp_path / "m.h5", DUBAI)


def test_setup_is_the_same_for_a_seed():
    answers = []
    for _ in range(2):
        device = training.setup(seed=3)
        answers.append(np.asarray(models.unet(3, 4, 1)(np.full((1, 32, 32, 3), 9.0))))
    assert device.precision == "float32" or device.gpus
    assert np.array_equal(*answers)
