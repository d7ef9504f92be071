"""One confusion matrix, every score read from it.

Taught in notebook 06. Convention: pixels are counted over the whole set, then divided once. Ignored
pixels change nothing. A class that is in neither truth nor prediction is NaN and left out of means.
"""

import keras
import numpy as np
import pandas as pd

from segkit.classes import ClassScheme

#: Pixels counted at once: what a processor's cache holds.
CHUNK = 2**19


def confusion(y_true, y_pred, classes: int, ignore_index: int | None = None) -> np.ndarray:
    """Count pixels by true and predicted class.

    Args:
        y_true, y_pred: integer class indices of the same shape.
        classes: number of classes.
        ignore_index: pixels whose truth is this class are left out.

    Returns:
        int64 (classes, classes); rows are truth, columns prediction.

    Raises:
        ValueError: shapes differ, or an index is no class.
    """
    y_true, y_pred, classes = np.asarray(y_true), np.asarray(y_pred), int(classes)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"truth is {y_true.shape}, but prediction {y_pred.shape}")
    y_true, y_pred = y_true.ravel(), y_pred.ravel()
    if ignore_index is not None:
        counted = y_true != ignore_index
        y_true, y_pred = y_true[counted], y_pred[counted]
    for name, labels in (("truth", y_true), ("prediction", y_pred)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"the {name} is {labels.dtype}: class indices are integers")
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            ends = f"{labels.min()} to {labels.max()}"
            raise ValueError(f"the {name} runs from {ends}, not 0 to {classes - 1}")
    number, total = np.uint8 if classes**2 <= 256 else np.int64, np.zeros(classes**2, np.int64)
    for i in range(0, y_true.size, CHUNK):
        true, claimed = (x[i : i + CHUNK].astype(number, copy=False) for x in (y_true, y_pred))
        total += np.bincount(true * number(classes) + claimed, minlength=classes**2)
    return total.reshape(classes, classes)


def scores(confusion: np.ndarray, scheme: ClassScheme | None = None) -> pd.DataFrame:
    """Read the scores of each class from a confusion matrix.

    Args:
        confusion: (C, C), rows = truth.
        scheme: gives the rows their names, and the ignored class its NaN.

    Returns:
        One row per class; columns iou, dice, precision, recall, f1 (0–1) and pixels (of truth). A
        class in neither truth nor prediction is NaN; one only in one of them is 0.
    """
    confusion = counted(confusion, scheme)
    hit, truth, claimed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    dice = 2 * hit / np.maximum(truth + claimed, 1)
    table = pd.DataFrame({"iou": hit / np.maximum(truth + claimed - hit, 1), "dice": dice})
    table["precision"] = hit / np.maximum(claimed, 1)
    table["recall"], table["f1"] = hit / np.maximum(truth, 1), dice
    table[absent(truth + claimed, scheme)] = np.nan
    return table.assign(pixels=truth).set_axis(named(len(table), scheme))


def summary(confusion: np.ndarray, scheme: ClassScheme | None = None) -> dict[str, float]:
    """Return mean IoU and mean F1 over the classes that count, and the pixel accuracy."""
    table, confusion = scores(confusion, scheme), counted(confusion, scheme)
    total = confusion.sum()
    means = {"miou": float(table["iou"].mean()), "mean_f1": float(table["f1"].mean())}
    return means | {"accuracy": float(np.trace(confusion) / total) if total else float("nan")}


def named(classes: int, scheme: ClassScheme | None) -> pd.Index:
    """Return the names of the classes, or their numbers, as the index of a table."""
    return pd.Index(scheme.names if scheme else range(classes), name="class")


def absent(pixels: np.ndarray, scheme: ClassScheme | None) -> np.ndarray:
    """Return which classes have no score: nowhere a pixel, or ignored."""
    return (pixels == 0) | (np.arange(len(pixels)) == (scheme.ignore_index if scheme else None))


def counted(confusion: np.ndarray, scheme: ClassScheme | None) -> np.ndarray:
    """Empty the row of the ignored class: pixels whose truth it is change nothing."""
    counted = np.array(confusion, np.int64)
    if not np.array_equal(counted, confusion):
        raise ValueError("a confusion matrix holds counts, not shares")
    if scheme and scheme.ignore_index is not None:
        counted[..., scheme.ignore_index, :] = 0
    return counted


@keras.saving.register_keras_serializable("segkit")
class MeanIoU(keras.metrics.IoU):
    """Mean IoU over all that was seen since the last reset, as in `summary`.

    It is updated with indices (B, H, W) and probabilities (B, H, W, C).

    Args:
        classes: number of classes.
        ignore_index: the class whose pixels are left out.
        name: shown in the training log.
    """

    def __init__(self, classes: int, ignore_index: int | None = None, name="miou", **kwargs):
        counted = [c for c in range(classes) if c != ignore_index]
        how = {"ignore_class": ignore_index, "sparse_y_pred": False, "name": name}
        super().__init__(classes, counted, **how, **kwargs)
        self.classes, self.ignore_index = classes, ignore_index

    def get_config(self):
        """Return what builds the same metric anew."""
        return {"classes": self.classes, "ignore_index": self.ignore_index, "name": self.name}
