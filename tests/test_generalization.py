"""What notebook 09 does to a model and to pictures of another city."""

import keras
import numpy as np
import pytest

from classroom import generalization
from segkit import classes, models, training


class Bright:
    """Says class 1 where a pixel is brighter than 128, and class 0 elsewhere."""

    def predict_on_batch(self, images):
        bright = (np.asarray(images)[..., 0] > 128).astype(np.float32)
        return np.stack([1 - bright, bright], axis=-1)


@pytest.fixture
def halves():
    """Return an image (96, 64, 3), dark above and bright below, and its mask."""
    mask = np.zeros((96, 64), np.uint8)
    mask[48:] = 1
    return np.repeat(255 * mask[..., None], 3, axis=-1), mask


def test_an_answer_has_the_size_of_the_image_at_any_factor(halves):
    image, mask = halves
    for factor in (0.5, 1.0, 2.0):
        found = generalization.answer(Bright(), image, factor)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, mask)
    counts = generalization.judged(Bright(), [halves], classes.LANDSLIDE, 0.5)
    np.testing.assert_array_equal(counts, [[[48 * 64, 0], [0, 48 * 64]]])
    dark = generalization.judged(Bright(), [halves], classes.LANDSLIDE, change=lambda x: x / 2)
    np.testing.assert_array_equal(dark, [[[48 * 64, 0], [48 * 64, 0]]])


def test_a_mask_that_shrinks_holds_the_classes_that_it_held():
    rng = np.random.default_rng(0)
    mask = rng.choice([0, 3, 5], (90, 70)).astype(np.uint8)
    ((image, small),) = generalization.shrunk([(np.zeros((90, 70, 3)), mask)], 0.6)
    assert image.shape == (54, 42, 3) and small.shape == (54, 42)
    assert set(np.unique(small)) == {0, 3, 5}


def test_matched_pictures_have_the_histogram_of_home():
    rng = np.random.default_rng(0)
    here = rng.normal(100, 10, (200, 200, 3)).clip(0, 255)
    there = (here * 0.5 + 90).clip(0, 255)
    theirs, ours = (generalization.quantiles([one]) for one in (there, here))
    assert theirs.shape == (101, 3)
    found = generalization.matched(there, theirs, ours)
    inner = np.abs(here - 100) < 20  # beyond the outermost percentiles nobody knows
    np.testing.assert_allclose(found[inner], here[inner], atol=0.5)


def test_patches_to_label_are_windows_of_images_and_the_seed_draws_them():
    numbers = np.arange(250 * 300).reshape(250, 300)
    pairs = [(numbers[..., None], numbers), (-numbers[..., None], -numbers)]
    found = generalization.patches_of(pairs, 5, seed=1)
    assert len(found) == 5
    for image, mask in found:
        assert mask.shape == (generalization.PATCH,) * 2
        np.testing.assert_array_equal(image[..., 0], mask)
    signs = [np.sign(mask.sum()) for _, mask in found]
    assert set(signs[:2]) == {-1, 1}  # one from each image, before any comes twice
    again = generalization.patches_of(pairs, 5, seed=1)
    other = generalization.patches_of(pairs, 5, seed=2)
    assert all((a[1] == b[1]).all() for a, b in zip(found, again, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(found, other, strict=True))


@pytest.fixture
def small(monkeypatch):
    """Make patches of 32 pixels, and return a narrow network with nothing learned."""
    monkeypatch.setattr(generalization, "PATCH", 32)
    training.setup(seed=0)
    return models.efficientnet_unet(2, None, "lite0")


def test_adapted_norms_hold_the_mean_of_what_they_have_seen_and_no_weight_moves(small):
    rng = np.random.default_rng(0)
    images = [rng.normal(90, 20, (32, 32, 3)).astype(np.float32) for _ in range(8)]
    norms = [x for x in models.encoder_layers(small) if "Normalization" in type(x).__name__]
    weights = [w.numpy() for w in small.trainable_weights]
    generalization.adapt_norms(small, images, steps=3)
    for before, after in zip(weights, small.trainable_weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())
    stem = models.encoder_layers(small)
    first = next(i for i, layer in enumerate(stem) if layer is norms[0])
    inner = next(x for x in small.layers if isinstance(x, keras.Model))
    seen = keras.Model(inner.inputs, stem[first].input)
    scaled = next(x for x in small.layers if isinstance(x, keras.layers.Rescaling))
    drawn = np.random.default_rng(0)
    batches = [np.stack([images[i] for i in drawn.choice(8, 8)]) for _ in range(3)]
    means = [np.asarray(seen(scaled(batch))).mean(axis=(0, 1, 2)) for batch in batches]
    found = norms[0].moving_mean.numpy()
    np.testing.assert_allclose(found, np.mean(means, axis=0), atol=1e-4)


def test_a_few_labels_are_learned(monkeypatch):
    woken = []
    monkeypatch.setattr(models, "unfreeze", lambda model, **how: woken.append(how))
    monkeypatch.setattr(generalization, "RATE", 1e-2)
    rng, mask = np.random.default_rng(0), np.zeros((32, 32), np.uint8)
    mask[:, 16:] = 1
    image = (60 + 120 * mask[..., None] + rng.normal(0, 5, (32, 32, 3))).clip(0, 255)
    training.setup(seed=0)
    model = models.unet(2, 4, depth=1)
    generalization.fine_tune(model, [(image, mask)], classes.LANDSLIDE, steps=25)
    counts = generalization.judged(model, [(image, mask)], classes.LANDSLIDE)[0]
    assert np.trace(counts) > 0.9 * mask.size
    assert woken == [{"norms": False}]
