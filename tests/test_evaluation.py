"""Predictions counted: every pixel once, one tile at a time."""

import dataclasses

import keras
import numpy as np
import pytest

from segkit import evaluation, patches, store, training
from segkit.classes import LANDSLIDE


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
        matrix = evaluation.evaluate(constant(1), path, "test")
        truth = np.zeros(6, np.int64)
        for name in patches.tiles(path, "test"):
            truth += np.bincount(store.read(tiles_h5, name)[1].ravel(), minlength=6)
        assert np.array_equal(matrix[:, 1], truth) and matrix.sum() == truth.sum()
        assert truth.sum() == sum(
            listed.loc[name, "height"] * listed.loc[name, "width"]
            for name in patches.tiles(path, "test")
        )


def test_the_counts_of_patches_tiles_and_groups_are_the_same_pixels(patches_h5):
    whole = evaluation.evaluate(constant(2), patches_h5, "test")
    for unit, count in (("image", 3), ("group", 3), ("patch", None)):
        names, matrices = evaluation.evaluate_each(constant(2), patches_h5, "test", unit=unit)
        assert np.array_equal(matrices.sum(axis=0), whole)
        assert len(names) == len(set(names)) == (count or len(patches.members(patches_h5, "test")))
    assert list(evaluation.evaluate_each(constant(2), patches_h5, "test")[0]) == [
        "Tile 1",
        "Tile 2",
        "Tile 3",
    ]


def test_an_empty_subset_is_refused(patches_h5):
    name = patches.leave_one_out(patches_h5)[0]
    with pytest.raises(ValueError, match="empty"):
        evaluation.evaluate(constant(2), patches_h5, "validation", name)


def test_names_of_before_still_work(patches_h5):
    assert training.evaluate is evaluation.evaluate
    pair = [
        evaluation.evaluate_each(constant(2), patches_h5, "test", unit=u) for u in ("tile", "image")
    ]
    assert all(np.array_equal(*both) for both in zip(*pair, strict=True))
    with pytest.raises(ValueError, match="patch, image or group"):
        evaluation.evaluate_each(constant(2), patches_h5, "test", unit="pixel")


def test_a_model_of_other_classes_is_refused(patches_h5):
    model = constant(1)
    model.card = dataclasses.replace(store.card(patches_h5), scheme=LANDSLIDE)
    with pytest.raises(ValueError, match="the model knows .*Landslide"):
        evaluation.evaluate(model, patches_h5, "test")
    model.card = store.card(patches_h5)
    assert evaluation.evaluate(model, patches_h5, "test").sum() > 0
