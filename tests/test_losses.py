"""Losses against numbers worked out by hand."""

import numpy as np
import pytest

from segkit import losses

TRUTH = np.array([[[0, 0, 0, 1]]])
ANSWER = np.broadcast_to(np.float32([0.8, 0.2]), (1, 1, 4, 2))


def test_crossentropy_by_hand():
    plain = -(3 * np.log(0.8) + np.log(0.2)) / 4
    assert float(losses.weighted_crossentropy(TRUTH, ANSWER)) == pytest.approx(plain, abs=1e-6)
    weighted = -(3 * np.log(0.8) + 3 * np.log(0.2)) / 6
    found = float(losses.weighted_crossentropy(TRUTH, ANSWER, class_weights=(1, 3)))
    assert found == pytest.approx(weighted, abs=1e-6)


def test_dice_by_hand():
    # class 0: hit 2.4, missed 0.6, false 0.8; class 1: hit 0.2, missed 0.8, false 0.6
    by_hand = 1 - np.mean([(4.8 + 1) / (4.8 + 1.4 + 1), (0.4 + 1) / (0.4 + 1.4 + 1)])
    assert float(losses.dice(TRUTH, ANSWER)) == pytest.approx(by_hand, abs=1e-6)


def test_focal_tversky_by_hand():
    tversky = [(2.4 + 1) / (2.4 + 0.42 + 0.24 + 1), (0.2 + 1) / (0.2 + 0.56 + 0.18 + 1)]
    by_hand = np.mean([(1 - t) ** 0.75 for t in tversky])
    assert float(losses.focal_tversky(TRUTH, ANSWER)) == pytest.approx(by_hand, abs=1e-6)


ALL = [losses.dice, losses.focal_tversky, losses.weighted_crossentropy]


@pytest.mark.parametrize("loss", ALL)
def test_ignored_pixels_change_nothing(loss):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (2, 4, 4))
    answer = rng.dirichlet(np.ones(3), (2, 4, 4)).astype(np.float32)
    truth[:, 0] = 2
    other = answer.copy()
    other[:, 0] = rng.dirichlet(np.ones(3), (2, 4))
    first, second = (float(loss(truth, a, ignore_index=2)) for a in (answer, other))
    assert first == pytest.approx(second, abs=1e-6)
    assert first != pytest.approx(float(loss(truth, answer)), abs=1e-4)


@pytest.mark.parametrize("loss", ALL)
def test_a_perfect_answer_costs_nothing_and_one_hot_is_the_same(loss):
    truth = np.random.default_rng(1).integers(0, 3, (1, 8, 8))
    one_hot = np.eye(3, dtype=np.float32)[truth]
    assert float(loss(truth, one_hot)) == pytest.approx(0, abs=1e-4)
    soft = (one_hot + 0.1) / 1.3
    assert float(loss(truth, soft)) == pytest.approx(float(loss(one_hot, soft)), abs=1e-6)
    assert float(loss(truth, soft)) > float(loss(truth, one_hot))
    assert float(loss(truth[..., None], soft)) == float(loss(truth, soft))


def test_classes_of_many_pixels_are_counted_rightly():
    side = 4200  # float32 counts one by one up to 2^24, 4096 × 4096
    truth, answer = np.zeros((1, side, side), np.uint8), np.zeros((1, side, side, 2), np.float32)
    answer[..., 0] = 1
    assert float(losses.dice(truth, answer)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("loss", ALL[:2])
def test_a_picture_may_have_any_shape(loss):
    rng = np.random.default_rng(2)
    truth, answer = rng.integers(0, 3, 24), rng.dirichlet(np.ones(3), 24).astype(np.float32)
    found = [
        float(loss(truth.reshape(shape), answer.reshape(*shape, 3)))
        for shape in ((24,), (2, 12), (1, 4, 6), (2, 2, 2, 3))
    ]
    assert found == pytest.approx([found[0]] * 4, abs=1e-6)


def test_blend_adds_up():
    blended = losses.blend(losses.dice, losses.focal_tversky, weights=(0.6, 0.4))
    parts = [float(loss(TRUTH, ANSWER)) for loss in (losses.dice, losses.focal_tversky)]
    assert float(blended(TRUTH, ANSWER)) == pytest.approx(0.6 * parts[0] + 0.4 * parts[1])
    with pytest.raises(ValueError, match="3 losses"):
        losses.blend(*ALL)


def test_balanced_weights_by_hand():
    assert losses.balanced_weights([3, 1], power=0) == [1, 1]
    assert losses.balanced_weights([3, 1], power=1) == pytest.approx([2 / 3, 2])
    assert losses.balanced_weights([0.9, 0.1]) == pytest.approx(losses.balanced_weights([9, 1]))
    small = np.array([2**31 - 1, 2**31 - 1], np.int32)
    assert losses.balanced_weights(small) == pytest.approx([1, 1])
    weights = losses.balanced_weights([980, 20, 0])
    assert weights[2] == 0 and weights[1] == pytest.approx(7 * weights[0])
    assert (980 * weights[0] + 20 * weights[1]) / 1000 == pytest.approx(1)
