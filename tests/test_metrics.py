"""Scores against scikit-learn and against tables a reader can count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from segkit import metrics
from segkit.classes import DUBAI, ClassScheme

THREE = ClassScheme("three", "abc", [(0, 0, 0), (1, 1, 1), (2, 2, 2)], ignore_index=2)


def test_nine_pixels_by_hand():
    truth = np.array([[0, 0, 0], [1, 1, 2], [2, 2, 2]])
    answer = np.array([[0, 0, 1], [1, 1, 2], [2, 1, 1]])
    matrix = metrics.confusion(truth, answer, 3)
    assert matrix.tolist() == [[2, 1, 0], [0, 2, 0], [0, 2, 2]]
    table = metrics.scores(matrix)
    assert table["iou"].tolist() == pytest.approx([2 / 3, 2 / 5, 2 / 4])
    assert table["precision"].tolist() == pytest.approx([1, 2 / 5, 1])
    assert table["recall"].tolist() == pytest.approx([2 / 3, 1, 2 / 4])
    assert metrics.summary(matrix)["accuracy"] == pytest.approx(6 / 9)


@given(st.integers(2, 7), st.integers(0, 10_000))
def test_as_scikit_learn_says(classes, seed):
    rng = np.random.default_rng(seed)
    truth, answer = rng.integers(0, classes, (2, 400))
    matrix = metrics.confusion(truth, answer, classes)
    labels = list(range(classes))
    assert np.array_equal(matrix, sklearn.confusion_matrix(truth, answer, labels=labels))
    assert matrix.dtype == np.int64
    table = metrics.scores(matrix)
    how = {"average": None, "labels": labels, "zero_division": 0}
    for column, score in (
        ("iou", sklearn.jaccard_score),
        ("f1", sklearn.f1_score),
        ("precision", sklearn.precision_score),
        ("recall", sklearn.recall_score),
    ):
        assert np.abs(table[column] - score(truth, answer, **how)).max() < 1e-12
    assert metrics.summary(matrix)["accuracy"] == pytest.approx(
        sklearn.accuracy_score(truth, answer), abs=1e-12
    )


def test_ignored_pixels_change_nothing():
    truth, answer = np.random.default_rng(0).integers(0, 6, (2, 50, 50))
    other = np.where(truth == 5, 0, answer)
    matrices = [metrics.confusion(truth, a, 6, ignore_index=5) for a in (answer, other)]
    assert np.array_equal(*matrices) and matrices[0].sum() == (truth != 5).sum()
    everything = metrics.confusion(truth, answer, 6)
    assert metrics.scores(everything, DUBAI).equals(metrics.scores(matrices[0], DUBAI))
    assert metrics.summary(everything, DUBAI) == metrics.summary(matrices[0], DUBAI)
    assert metrics.summary(everything) != metrics.summary(everything, DUBAI)


def test_an_absent_class_is_nan_and_not_one():
    table = metrics.scores(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert np.isnan(table["iou"][2]) and table["iou"].mean() == pytest.approx((3 / 4 + 4 / 5) / 2)
    only_claimed = metrics.scores(np.array([[3, 1], [0, 0]]))
    assert only_claimed["iou"][1] == 0 and only_claimed["precision"][1] == 0
    assert np.isnan(metrics.summary(np.zeros((2, 2)))["miou"])


def test_what_is_no_pair_of_masks_is_refused():
    with pytest.raises(ValueError, match="4 true pixels"):
        metrics.confusion(np.zeros(4, int), np.zeros(3, int), 2)
    with pytest.raises(ValueError, match="prediction runs from 0 to 2"):
        metrics.confusion(np.zeros(3, int), np.arange(3), 2)
    with pytest.raises(ValueError, match="integers"):
        metrics.confusion(np.zeros(2, int), np.array([0.2, 0.8]), 2)


@pytest.mark.parametrize("ignored", [None, 2])
def test_the_keras_metric_equals_the_table(ignored):
    rng = np.random.default_rng(0)
    metric, total = metrics.MeanIoU(3, ignored), np.zeros((3, 3), np.int64)
    for _ in range(3):
        truth = rng.integers(0, 3, (2, 8, 8)).astype(np.uint8)
        probabilities = rng.dirichlet(np.ones(3), (2, 8, 8)).astype(np.float32)
        metric.update_state(truth, probabilities)
        total += metrics.confusion(truth, probabilities.argmax(-1), 3)
    scheme = THREE if ignored else None
    assert float(metric.result()) == pytest.approx(metrics.summary(total, scheme)["miou"], abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0
    assert metrics.MeanIoU.from_config(metric.get_config()).ignore_index == ignored
