"""One confusion matrix, every score read from it.

Taught in notebook 06. Convention: pixels are counted over the whole set, then divided once. Ignored
pixels change nothing. A class that is in neither truth nor prediction is NaN and left out of means.
"""

import keras
import numpy as np
import pandas as pd
from keras import ops

from segkit.classes import ClassScheme


def confusion(
    y_true: np.ndarray, y_pred: np.ndarray, classes: int, ignore_index: int | None = None
) -> np.ndarray:
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
    y_true, y_pred = np.asarray(y_true).ravel(), np.asarray(y_pred).ravel()
    if y_true.shape != y_pred.shape:
        raise ValueError(f"{y_true.size} true pixels, but {y_pred.size} predicted ones")
    if ignore_index is not None:
        counted = y_true != ignore_index
        y_true, y_pred = y_true[counted], y_pred[counted]
    for name, labels in (("truth", y_true), ("prediction", y_pred)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"the {name} is {labels.dtype}: class indices are integers")
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f"the {name} runs from {labels.min()} to {labels.max()}, not 0 to {classes - 1}"
            )
    pairs = y_true.astype(np.int64) * classes + y_pred
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def scores(confusion: np.ndarray, scheme: ClassScheme | None = None) -> pd.DataFrame:
    """Read the scores of each class from a confusion matrix.

    Args:
        confusion: (C, C), rows = truth.
        scheme: gives the rows their names, and the ignored class its NaN.

    Returns:
        One row per class; columns iou, dice, precision, recall, f1 (0–1) and pixels (of truth). A
        class in neither truth nor prediction is NaN; one only in one of them is 0.
    """
    confusion = _counted(confusion, scheme)
    hit, truth, claimed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    table = pd.DataFrame(
        {
            "iou": hit / np.maximum(truth + claimed - hit, 1),
            "dice": 2 * hit / np.maximum(truth + claimed, 1),
            "precision": hit / np.maximum(claimed, 1),
            "recall": hit / np.maximum(truth, 1),
            "f1": 2 * hit / np.maximum(truth + claimed, 1),
        },
        index=pd.Index(scheme.names if scheme else range(len(confusion)), name="class"),
    )
    absent = (truth + claimed) == 0
    if scheme and scheme.ignore_index is not None:
        absent[scheme.ignore_index] = True
    table[absent] = np.nan
    table["pixels"] = truth
    return table


def summary(confusion: np.ndarray, scheme: ClassScheme | None = None) -> dict[str, float]:
    """Return mean IoU and mean F1 over the classes that count, and the pixel accuracy."""
    table, confusion = scores(confusion, scheme), _counted(confusion, scheme)
    total = confusion.sum()
    return {
        "miou": float(table["iou"].mean()),
        "mean_f1": float(table["f1"].mean()),
        "accuracy": float(np.trace(confusion) / total) if total else float("nan"),
    }


def _counted(confusion: np.ndarray, scheme: ClassScheme | None) -> np.ndarray:
    """Empty the row of the ignored class: pixels whose truth it is change nothing."""
    confusion = np.array(confusion, np.int64)
    if scheme and scheme.ignore_index is not None:
        confusion[scheme.ignore_index] = 0
    return confusion


@keras.saving.register_keras_serializable("segkit")
class MeanIoU(keras.metrics.Metric):
    """Mean IoU over all that was seen since the last reset, as in `summary`.

    Args:
        classes: number of classes.
        ignore_index: the class whose pixels are left out.
        name: shown in the training log.
    """

    def __init__(self, classes: int, ignore_index: int | None = None, name="miou", **kwargs):
        super().__init__(name=name, **kwargs)
        self.classes, self.ignore_index = classes, ignore_index
        # One number per pair of classes. int32 holds 2·10⁹ pixels; float32 stops at 1.7·10⁷.
        self.counts = self.add_variable((classes, classes), "zeros", dtype="int32", name="counts")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch: indices (B, H, W) and probabilities (B, H, W, C)."""
        y_true = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        y_pred = ops.reshape(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), (-1,))
        # An ignored pixel gets a pair number beyond the last, which bincount's slice leaves out.
        ignored = self.classes**2
        pairs = y_true * self.classes + y_pred
        if self.ignore_index is not None:
            pairs = ops.where(y_true == self.ignore_index, ignored, pairs)
        counts = ops.bincount(pairs, minlength=ignored + 1)[:ignored]
        self.counts.assign_add(ops.cast(ops.reshape(counts, self.counts.shape), "int32"))

    def result(self):
        """Return the mean over classes in truth or prediction, the ignored one left out."""
        counts = ops.cast(self.counts, "float32")
        hit = ops.diagonal(counts)
        union = ops.sum(counts, axis=0) + ops.sum(counts, axis=1) - hit
        present = union > 0
        if self.ignore_index is not None:
            present = ops.logical_and(present, ops.arange(self.classes) != self.ignore_index)
        iou = ops.where(present, hit / ops.maximum(union, 1.0), 0.0)
        return ops.sum(iou) / ops.maximum(ops.sum(ops.cast(present, "float32")), 1.0)

    def reset_state(self):
        """Forget all that was seen."""
        self.counts.assign(ops.zeros_like(self.counts))

    def get_config(self):
        """Return what builds the same metric anew."""
        return {**super().get_config(), "classes": self.classes, "ignore_index": self.ignore_index}
