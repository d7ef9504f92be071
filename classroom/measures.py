"""What the course measures beside a confusion matrix: borders, confidence, seams, cost.

Tables of several images are added, and divided at the end.

Taught in notebooks 04 and 06 to 08.
"""

import math
from itertools import cycle

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy import ndimage

from segkit import metrics, plots
from segkit.classes import ClassScheme
from segkit.patches import starts
from segkit.rasters import NODATA

#: What segmentation-models adds above and below its fraction of pixels.
SMOOTH = 1e-5


def flops(model: keras.Model, height: int, width: int) -> int:
    """Count the floating-point operations of all convolutions for one image of this size.

    Plain, depthwise and transposed ones count, each once, and dense layers on pixels. A
    multiplication and an addition count as two; normalization and activations are left out.
    """
    total = 0
    for network in [model, *(x for x in model.layers if isinstance(x, keras.Model))]:
        convolutions = [x for x in network.layers if hasattr(x, "kernel")]
        if not convolutions:
            continue
        probe = keras.Model(network.inputs, [x.output for x in convolutions])
        shapes = probe.compute_output_shape((1, height, width, network.input_shape[-1]))
        for layer, (_, rows, columns, _) in zip(convolutions, shapes, strict=True):
            places = rows * columns
            if isinstance(layer, layers.Conv2DTranspose):
                places //= math.prod(layer.strides)  # its kernel stands on the places of its input
            total += 2 * math.prod(layer.kernel.shape) * places
    return total


def conventions(
    confusions: np.ndarray, scheme: ClassScheme | None = None, batch_size: int = 16
) -> dict[str, float]:
    """Return what other courses and libraries call the IoU of the same predictions.

    Args:
        confusions: (N, C, C), one matrix per image, in the order of evaluation.
        scheme: its ignored class counts nowhere.
        batch_size: images per batch of the batch mean.

    Returns:
        "data set": `metrics.summary`, the convention of this course. "image mean": the mean over
        images of each one's mean over the classes in it. "image mean, absent as 1": a class in
        neither truth nor prediction of an image counts as found. "batch mean": as `IOUScore` of
        segmentation-models, which smooths, so that there, too, an absent class counts as 1.
        "micro": all classes' hits over all classes' unions.
    """
    batches = np.add.reduceat(confusions, range(0, len(confusions), batch_size))
    hit, union = overlaps(batches, scheme)
    images = iou(confusions, scheme)
    return {
        "data set": metrics.summary(confusions.sum(axis=0), scheme)["miou"],
        "image mean": float(np.nanmean(mean(images))),
        "image mean, absent as 1": float(np.nan_to_num(images, nan=1.0).mean()),
        "batch mean": float(((hit + SMOOTH) / (union + SMOOTH)).mean()),
        "micro": float(hit.sum() / union.sum()),
    }


def distance_to_border(mask: np.ndarray, ignore_index: int | None = None) -> np.ndarray:
    """Return how far each pixel lies from the nearest border between two classes.

    Args:
        mask: integer class indices (H, W).
        ignore_index: this class makes no border.

    Returns:
        float32 (H, W) in pixels: 0 on both sides of a border; infinite where there is none.
    """
    ignored = mask == ignore_index
    edges = (_borders(mask == klass, ignored) for klass in np.unique(mask))
    border = np.logical_or.reduce(list(edges))
    if not border.any():
        return np.full(mask.shape, np.inf, np.float32)
    return ndimage.distance_transform_edt(~border).astype(np.float32)


def seam_ratio(mask: np.ndarray, window: int, overlap: float = 0.0) -> float:
    """Return how much more often neighbors differ across window borders than elsewhere.

    Args:
        mask: class indices (H, W) that were predicted window by window.
        window, overlap: how; see `patches.starts`.

    Returns:
        Share of neighboring pixels of different classes on both sides of a window's border, over
        that share everywhere else: 1 where nothing shows where the windows lay. NaN without any
        border or any difference elsewhere.
    """
    differ, compared = np.zeros(2), np.zeros(2)  # elsewhere, across borders
    for labels in (mask, mask.T):
        first = np.array(starts(labels.shape[1], window, overlap))
        borders = np.isin(np.arange(1, labels.shape[1]), [first, first + window]).astype(int)
        known = (labels[:, 1:] != NODATA) & (labels[:, :-1] != NODATA)
        changes = (labels[:, 1:] != labels[:, :-1]) & known
        differ += np.bincount(borders, changes.sum(axis=0), 2)
        compared += np.bincount(borders, known.sum(axis=0), 2)
    if not compared.all() or not differ[0]:
        return float("nan")
    elsewhere, across = differ / compared
    return float(across / elsewhere)


def best_threshold(truth: np.ndarray, probability: np.ndarray) -> float:
    """Return the threshold, in steps of 0.01, at which the F1 of a class is highest.

    Args:
        truth: bool, which pixels are of the class.
        probability: of the same shape, 0–1.
    """
    steps = np.arange(0.01, 1, 0.01)
    return float(max(steps, key=lambda step: f1(truth, probability >= step)))


def f1(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the F1 of one class from two bool arrays; 0 where there is nothing at all."""
    return float(2 * (truth & found).sum() / max(truth.sum() + found.sum(), 1))


def boundary_counts(
    y_true: np.ndarray, y_pred: np.ndarray, classes: int, ignore_index=None, tolerance: float = 3
) -> np.ndarray:
    """Count border pixels and those that have a counterpart nearby; counts of images add up.

    A border pixel touches a pixel of another class on one of its four sides. The picture's edge and
    ignored pixels make no border.

    Args:
        y_true, y_pred: integer class indices (H, W).
        classes: number of classes.
        ignore_index: pixels whose truth is this class are left out.
        tolerance: how far, in pixels, a counterpart of the same class may lie.

    Returns:
        int64 (classes, 4): true border pixels, those found; claimed border pixels, those confirmed.
    """
    ignored = y_true == ignore_index  # None is no pixel's class
    counts = np.zeros((classes, 4), np.int64)
    for klass in range(classes):
        true, claimed = (_borders(labels == klass, ignored) for labels in (y_true, y_pred))
        found, confirmed = true & _near(claimed, tolerance), claimed & _near(true, tolerance)
        counts[klass] = [x.sum() for x in (true, found, claimed, confirmed)]
    return counts


def boundary_f1(counts: np.ndarray, scheme: ClassScheme | None = None) -> pd.Series:
    """Read the boundary F-score of each class (Csurka et al. 2013) from `boundary_counts`, 0–1.

    NaN: the ignored class, and a class with a border in neither truth nor prediction.
    """
    true, found, claimed, confirmed = np.asarray(counts, np.float64).T
    recall, precision = found / np.maximum(true, 1), confirmed / np.maximum(claimed, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    f1[metrics.absent(true + claimed, scheme)] = np.nan
    return pd.Series(f1, metrics.named(len(f1), scheme), name="f1")


def reliability(
    y_true: np.ndarray, probabilities: np.ndarray, ignore_index: int | None = None, bins: int = 15
) -> pd.DataFrame:
    """Count, by how sure the model was, how often it was right; tables of images add up.

    Args:
        y_true: class indices (…).
        probabilities: (…, C); the highest one is the confidence.
        ignore_index: pixels whose truth is this class are left out.
        bins: equal steps of confidence from 0 to 1.

    Returns:
        One row per bin, from the least confident; columns pixels, right (pixels), and confidence
        (its sum over the pixels).
    """
    counted = y_true != ignore_index
    confidence = probabilities.max(axis=-1)[counted].astype(np.float64)
    right = (probabilities.argmax(axis=-1) == y_true)[counted]
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    weights = {"pixels": None, "right": right, "confidence": confidence}
    return pd.DataFrame({k: np.bincount(place, w, minlength=bins) for k, w in weights.items()})


def calibration_error(table: pd.DataFrame) -> float:
    """Return the expected calibration error of `reliability` (Guo et al. 2017, arXiv:1706.04599).

    The mean gap between confidence and share of right answers, over the bins, each weighed by its
    pixels; 0 is best.
    """
    gap = (table["right"] - table["confidence"]).abs().sum()
    return float(gap / max(table["pixels"].sum(), 1))


def _borders(inside: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Return the pixels of an area that touch another one."""
    return inside & ~ignored & ~ndimage.binary_erosion(inside | ignored, border_value=1)


def _near(border: np.ndarray, tolerance: float) -> np.ndarray:
    """Return which pixels lie within so many pixels of a border."""
    if not border.any():
        return border
    return ndimage.distance_transform_edt(~border) <= tolerance


@plots.styled
def plot_intervals(table: pd.DataFrame, xlabel: str) -> Figure:
    """Draw scores with their confidence intervals, one line for each row.

    Args:
        table: one row for each model, its name as index; columns score, low, high, and, for one
            color each, group. A row without an interval gets a point alone.
        xlabel: what the score is.
    """
    groups = table["group"] if "group" in table else pd.Series("", table.index)
    figure, ax = plt.subplots(figsize=(7.5, 0.8 + 0.28 * len(table)))
    for color, group in zip(cycle(plots.LINE_COLORS), groups.unique(), strict=False):
        rows = np.flatnonzero(groups == group)
        chosen = table.iloc[rows]
        ax.hlines(rows, chosen["low"], chosen["high"], color=color, alpha=0.5, linewidth=4)
        ax.plot(chosen["score"], rows, "o", color=color, label=group or None, markersize=6)
    ax.set_yticks(range(len(table)), table.index, fontsize=8)
    ax.set(xlabel=xlabel, ylim=(len(table) - 0.5, -0.5))
    ax.grid(axis="x", alpha=0.3)
    if groups.any():
        figure.legend(loc="outside lower center", ncols=3)
    return figure


@plots.styled
def plot_reliability(tables: dict[str, pd.DataFrame]) -> Figure:
    """Draw how often models were right against how sure they were, one line for each.

    Args:
        tables: name → `reliability`.
    """
    figure, ax = plt.subplots(figsize=(4.6, 3.8))
    ax.plot([0, 1], [0, 1], ":", color="0.5", label="as sure as right")
    for color, (name, table) in zip(cycle(plots.LINE_COLORS), tables.items(), strict=False):
        filled = table[table["pixels"] > table["pixels"].sum() / 1000]  # fewer say nothing
        sure, right = (filled[column] / filled["pixels"] for column in ("confidence", "right"))
        ax.plot(sure, right, "o-", color=color, label=name)
    ax.set(xlabel="confidence", ylabel="share of right pixels", xlim=(0, 1), ylim=(0, 1))
    ax.legend()
    return figure


@plots.styled
def plot_confusion(matrix: np.ndarray, scheme: ClassScheme) -> Figure:
    """Draw a confusion matrix, each row as shares of its true class."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, ax = plt.subplots(figsize=(5.2, 4.4))
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        color = "white" if share > 0.5 else "black"
        ax.text(j, i, f"{share:.2f}", ha="center", va="center", fontsize=8, color=color)
    ax.set_xticks(range(len(scheme)), scheme.names, rotation=35, ha="right")
    ax.set_yticks(range(len(scheme)), scheme.names)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.spines[:].set_visible(False)
    return figure


def bootstrap(
    confusions: np.ndarray, scheme=None, level=0.95, draws=2000, seed=0, minus=None
) -> tuple[float, float]:
    """Return a confidence interval of the mean IoU: what other tiles might have given.

    Pixels of one tile are not independent of each other; tiles nearly are. So whole tiles are drawn
    with replacement (Efron 1979), their matrices added, and the mean IoU taken, many times. Few
    tiles give an interval that is too short, and no interval speaks of another training run.

    Args:
        confusions: (N, C, C), one matrix per tile or group of tiles.
        scheme: its ignored class counts nowhere.
        level: share of the draws between the two ends.
        draws: how many times.
        seed: of the draws.
        minus: another model's matrices (N, C, C) of the same tiles; the interval is then that of
            the difference, the same tiles drawn for both.

    Raises:
        ValueError: fewer than two matrices; matrices of other tiles.
    """
    n, classes = confusions.shape[:2]
    if n < 2 or (minus is not None and minus.shape != confusions.shape):
        raise ValueError(f"{n} tile(s): an interval takes two tiles, and the same of both models")
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws)

    def drawn(matrices: np.ndarray) -> np.ndarray:
        sums = times @ matrices.reshape(n, -1)
        return mean(iou(sums.reshape(draws, classes, classes), scheme))

    found = drawn(confusions) - (0 if minus is None else drawn(minus))
    low, high = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def overlaps(confusion: np.ndarray, scheme: ClassScheme | None) -> tuple[np.ndarray, np.ndarray]:
    """Return hits and unions (…, K) of matrices (…, C, C), for the K classes that count."""
    confusion = metrics.counted(confusion, scheme)
    ignored = scheme.ignore_index if scheme else None
    kept = [c for c in range(confusion.shape[-1]) if c != ignored]
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(axis=-1) + confusion.sum(axis=-2) - hit
    return hit[..., kept], union[..., kept]


def iou(confusion: np.ndarray, scheme: ClassScheme | None) -> np.ndarray:
    """Return the IoU of the classes that count (…, K); NaN: in neither truth nor prediction."""
    hit, union = overlaps(confusion, scheme)
    return np.where(union > 0, hit / np.maximum(union, 1), np.nan)


def mean(iou: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that are there, NaN where none is."""
    return np.ma.masked_invalid(iou).mean(axis=-1).filled(np.nan)


def gate_maps(model: keras.Model, image: np.ndarray) -> list[np.ndarray]:
    """Return what the gates of an Attention U-Net let through.

    Args:
        model: from `attention_unet`.
        image: (H, W, channels), 0–255; height and width are multiples of `STEP`.

    Returns:
        One float32 array for each level, from the finest (H, W) to the coarsest, 0–1.
    """
    names = [layer.name for layer in model.layers if layer.name.startswith("gate_")]
    if not names:
        raise ValueError(f"{model.name} has no gates: build it by attention_unet")
    probe = keras.Model(model.inputs[0], [model.get_layer(name).output for name in sorted(names)])
    found = probe(np.asarray(image, np.float32)[None])
    return [
        ops.convert_to_numpy(ops.cast(x, "float32"))[0, ..., 0] for x in keras.tree.flatten(found)
    ]
