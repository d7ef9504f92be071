"""Distances: near what was learned from, far from what is not; kept in the card; warned of."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from segkit import classes, domain, rasters, scenes
from segkit.datasets import Card


def picture(rng, side=300, gain=1.0, shift=0.0):
    """Draw noise with some structure, uint8 (side, side, 3)."""
    coarse = np.repeat(np.repeat(rng.normal(0, 30, (side // 10, side // 10, 3)), 10, 0), 10, 1)
    noisy = 120 + coarse + rng.normal(0, 8, (side, side, 3))
    return (noisy * gain + shift).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def known():
    """Return the spread of the windows of forty pictures."""
    rng = np.random.default_rng(0)
    return domain.spread([one for _ in range(40) for one in domain.describe(picture(rng))])


def test_a_window_is_described_as_worked_out_by_hand():
    ramp = np.repeat(np.arange(8.0)[:, None], 8, axis=1)[..., None]  # one step down per row
    (found,) = domain.describe(ramp)
    expected = [3.5, np.sqrt(5.25), np.log1p(1), np.log1p(2), np.log1p(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_is_no_number_or_too_small_is_not_described():
    strip = np.zeros((300, 600, 4))
    assert len(domain.describe(strip)) == domain.ACROSS
    assert all(len(one) == 15 for one in domain.describe(strip))
    strip[0, 0] = np.nan
    assert len(domain.describe(strip)) == domain.ACROSS - 1
    assert domain.describe(strip[:4]) == []


def test_windows_that_are_all_alike_are_told_from_others():
    rng = np.random.default_rng(0)
    known = domain.spread(domain.describe(picture(rng))[:1] * 120)
    assert np.isfinite(known["scale"]).all()
    assert (domain.distances(known, domain.describe(picture(rng, shift=30))) > 1).all()


def test_few_windows_say_nothing():
    rng = np.random.default_rng(0)
    few = [one for _ in range(10) for one in domain.describe(picture(rng))]
    assert len(few) < domain.FEWEST and domain.spread(few) == {}


@pytest.mark.parametrize(
    ("change", "least"),
    [({"gain": 0.5}, 2), ({"shift": 60}, 2), ({"gain": 1.6, "shift": -70}, 2)],
)
def test_what_looks_otherwise_lies_far(known, change, least):
    rng = np.random.default_rng(1)
    near = [one for _ in range(10) for one in domain.describe(picture(rng))]
    far = [one for _ in range(10) for one in domain.describe(picture(rng, **change))]
    assert np.median(domain.distances(known, near)) < 1
    assert np.median(domain.distances(known, far)) > least


class Model:
    """Says that all is of the first class."""

    input_shape, scheme = (None, None, None, 3), classes.DUBAI

    def predict_on_batch(self, images):
        return np.eye(len(self.scheme), dtype=np.float32)[np.zeros(images.shape[:3], int)]


def test_a_scene_that_looks_otherwise_is_warned_of(known, tmp_path):
    model, rng = Model(), np.random.default_rng(2)
    model.card = Card("made up", classes.DUBAI, spread=known)
    assert Card.from_json(model.card.to_json()) == model.card
    assert "spread" not in repr(model.card)

    def mapped(name, **change):
        path = tmp_path / name
        how = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": 300, "height": 300}
        with rasters.opened(path, "w", **how) as raster:
            raster.write(np.moveaxis(picture(rng, **change), -1, 0))
        scenes.predict(model, path, tmp_path / "map.tif")

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        mapped("alike.tif")
    with pytest.warns(UserWarning, match=r"pale.tif looks unlike .* notebook 09"):
        mapped("pale.tif", shift=80)
    model.card = replace(model.card, spread={})
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        mapped("unknown.tif", shift=80)
