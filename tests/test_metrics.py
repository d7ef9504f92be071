"""Scores against scikit-learn and against tables a reader can count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from classroom import measures
from segkit import metrics, models
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


@given(st.integers(2, 20), st.integers(0, 10_000), st.integers(1, 400))
def test_as_scikit_learn_says(classes, seed, pixels):
    rng = np.random.default_rng(seed)
    truth, answer = rng.integers(0, classes, (2, pixels))
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


@pytest.mark.parametrize("classes", [6, 16, 17])
@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_a_large_picture_is_counted_in_chunks(classes, kind):
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, classes, (2, 1001, 1003)).astype(kind)
    matrix = metrics.confusion(truth, answer, classes)
    assert truth.size > metrics.CHUNK and matrix.dtype == np.int64
    assert np.array_equal(matrix, sklearn.confusion_matrix(truth.ravel(), answer.ravel()))


def test_the_number_of_classes_may_be_a_small_integer_of_numpy():
    labels = np.array([0, 19, 19], np.uint8)
    assert metrics.confusion(labels, labels, labels.max() + 1).trace() == 3


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
    with pytest.raises(ValueError, match=r"truth is \(4,\), but prediction \(3,\)"):
        metrics.confusion(np.zeros(4, int), np.zeros(3, int), 2)
    with pytest.raises(ValueError, match="but prediction"):
        metrics.confusion(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
    with pytest.raises(ValueError, match="counts, not shares"):
        metrics.scores(np.array([[0.5, 0.1], [0.2, 0.2]]))
    with pytest.raises(ValueError, match="takes two tiles"):
        measures.bootstrap(np.ones((1, 2, 2), int))
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


def pictures(n=40, classes=4, seed=0):
    """Return n pairs of masks whose classes are not all in each, and their confusion matrices."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, rng.integers(1, classes + 1, (n, 1, 1)), (n, 8, 8))
    answer = np.where(rng.random((n, 8, 8)) < 0.6, truth, rng.integers(0, classes, (n, 8, 8)))
    matrices = [metrics.confusion(t, a, classes) for t, a in zip(truth, answer, strict=True)]
    return truth, answer, np.stack(matrices)


@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_the_batch_mean_is_that_of_segmentation_models(batch_size):
    truth, answer, matrices = pictures()
    score = models.segmentation_models().metrics.IOUScore(smooth=measures.SMOOTH)
    one_hot = np.eye(4, dtype=np.float32)
    theirs = [
        float(score(one_hot[truth[i : i + batch_size]], one_hot[answer[i : i + batch_size]]))
        for i in range(0, len(truth), batch_size)
    ]
    ours = measures.conventions(matrices, batch_size=batch_size)["batch mean"]
    assert ours == pytest.approx(np.mean(theirs), abs=1e-6)


def test_five_ious_of_two_pictures_by_hand():
    """Two pictures of four pixels; class 2 is only in the first, class 1 only in the second."""
    matrices = np.array([[[1, 0, 1], [0, 0, 0], [0, 0, 2]], [[2, 1, 0], [0, 1, 0], [0, 0, 0]]])
    found = measures.conventions(matrices, batch_size=1)
    first, second = (1 / 2, 2 / 3), (2 / 3, 1 / 2)  # classes 0 and 2; classes 0 and 1
    assert found["data set"] == pytest.approx((3 / 5 + 1 / 2 + 2 / 3) / 3)
    assert found["image mean"] == pytest.approx((sum(first) / 2 + sum(second) / 2) / 2)
    absent = (sum(first) + 1) / 3 + (sum(second) + 1) / 3
    assert found["image mean, absent as 1"] == pytest.approx(absent / 2)
    assert found["batch mean"] == pytest.approx(absent / 2, abs=1e-4)
    assert found["micro"] == pytest.approx((3 + 1 + 2) / (5 + 2 + 3))


def test_the_data_set_convention_is_the_summary():
    _, _, matrices = pictures(classes=3)
    for scheme in (None, THREE):
        found = measures.conventions(matrices, scheme)["data set"]
        assert found == pytest.approx(metrics.summary(matrices.sum(axis=0), scheme)["miou"])


def test_ignored_pixels_change_no_convention():
    truth, answer, matrices = pictures(classes=3)
    other = np.where(truth == 2, 0, answer)
    changed = [metrics.confusion(t, a, 3) for t, a in zip(truth, other, strict=True)]
    assert measures.conventions(matrices, THREE) == measures.conventions(np.stack(changed), THREE)


def test_the_bootstrap_draws_whole_tiles():
    same = np.repeat(np.array([[[8, 2], [3, 7]]]), 6, axis=0)
    miou = metrics.summary(same[0])["miou"]
    assert measures.bootstrap(same) == pytest.approx((miou, miou))
    good, bad = np.diag([9, 9]), np.array([[0, 9], [9, 0]])
    low, high = measures.bootstrap(np.stack([good] * 4 + [bad] * 4))
    assert low < 1 / 3 < high  # half of the pixels right: 9 of 27 for both classes
    few = measures.bootstrap(np.stack([good, bad]))
    many = measures.bootstrap(np.stack([good, bad] * 50))
    assert few[1] - few[0] > many[1] - many[0] > 0


def test_the_bootstrap_draws_the_same_tiles_for_both_models():
    good, bad = np.diag([9, 9]), np.array([[0, 9], [9, 0]])
    first, second = np.stack([good, good, bad, bad]), np.stack([good, bad, bad, bad])
    assert measures.bootstrap(first, minus=first) == (0, 0)
    low, high = measures.bootstrap(first, minus=second)
    assert low == 0  # the tile that differs is not drawn at times, and never loses
    # all four draws hit it in one of 256: the score 1 minus 0; three of them: 3/5 more (27 of 45)
    assert high == pytest.approx(0.6, abs=0.11)
    assert measures.bootstrap(second, minus=first) == pytest.approx((-high, 0))
    with pytest.raises(ValueError, match="the same of both"):
        measures.bootstrap(first, minus=second[:2])


@pytest.mark.parametrize("scheme", [None, THREE])
def test_the_interval_covers_what_it_says(scheme):
    """Of 200 sets of tiles that differ, the 90 % interval holds the true mean IoU in about 180.

    Drawn from pixels instead, as if each were a tile of its own, it does so far less often.
    """
    rng, hits, by_pixel = np.random.default_rng(0), 0, 0
    truth = np.array([[600, 300, 100], [200, 700, 100], [50, 150, 800]])
    true = metrics.summary(truth, scheme)["miou"]
    pixels = np.eye(9, dtype=int).reshape(9, 3, 3)
    for trial in range(200):
        tiles = rng.poisson(truth * rng.gamma(2, 0.5, (30, 3, 3)))
        low, high = measures.bootstrap(tiles, scheme, level=0.9, draws=400, seed=trial)
        hits += low <= true <= high
        drawn = rng.choice(9, 300, p=tiles.sum(axis=0).ravel() / tiles.sum())
        low, high = measures.bootstrap(pixels[drawn], scheme, 0.9, 200, trial)
        width = (high - low) * (300 / tiles.sum()) ** 0.5 / 2
        by_pixel += abs(metrics.summary(tiles.sum(axis=0), scheme)["miou"] - true) <= width
    assert 165 <= hits <= 195 and by_pixel < 120


def test_a_border_by_hand():
    """Left half 0, right half 1; the answer puts the border one or three columns further right."""
    truth, near, far = (np.tile(np.arange(12) >= edge, (6, 1)).astype(int) for edge in (5, 6, 8))
    counts = measures.boundary_counts(truth, near, 2, tolerance=1)
    assert counts.tolist() == [[6, 6, 6, 6], [6, 6, 6, 6]]
    assert measures.boundary_f1(counts).tolist() == [1, 1]
    missed = measures.boundary_counts(truth, far, 2, tolerance=2)
    assert missed[:, 1].tolist() == [0, 0] and measures.boundary_f1(missed).tolist() == [0, 0]
    assert measures.boundary_f1(measures.boundary_counts(truth, far, 2)).tolist() == [1, 1]
    ignored = truth.copy()
    ignored[:, 4:6] = 2
    assert not measures.boundary_counts(ignored, near, 3, ignore_index=2)[:, 0].any()
    nothing = np.zeros((4, 4), int)
    assert measures.boundary_f1(measures.boundary_counts(nothing, nothing, 2)).isna().all()


def test_the_distance_to_a_border_by_hand():
    mask = np.tile(np.arange(7) >= 3, (2, 1)).astype(int)
    assert measures.distance_to_border(mask)[0].tolist() == [2, 1, 0, 0, 1, 2, 3]
    assert np.isinf(measures.distance_to_border(mask, ignore_index=1)).all()
    assert np.isinf(measures.distance_to_border(np.zeros((2, 2), int))).all()


def test_calibration_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    truth = np.array([0, 1, 1, 1])
    table = measures.reliability(truth, probabilities, bins=10)
    assert table["pixels"].tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 2]
    gap = abs(1 - 0.6) + abs(1 - 0.8) + abs(1 - 1.8)
    assert measures.calibration_error(table) == pytest.approx(gap / 4)
    halves = [
        measures.reliability(truth[s], probabilities[s], bins=10) for s in (np.s_[:2], np.s_[2:])
    ]
    assert (halves[0] + halves[1]).equals(table)
    assert measures.reliability(truth, probabilities, ignore_index=0)["pixels"].sum() == 3
    certain = measures.reliability(np.array([0]), np.array([[1.0, 0.0]]))
    assert measures.calibration_error(certain) == 0 and certain["pixels"].iloc[-1] == 1
