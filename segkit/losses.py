"""What training makes small: Dice, focal Tversky, weighted cross-entropy, and blends of them.

Taught in notebook 05. Every loss takes class indices (B, H, W), or one-hot (B, H, W, C), and
probabilities (B, H, W, C), and returns one number. Pixels of the ignored class change nothing.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops

#: Keeps a class that is in neither truth nor prediction from dividing 0 by 0 (in pixels).
SMOOTH = 1.0


def dice(y_true, y_pred, ignore_index: int | None = None):
    """1 − mean Dice coefficient over the classes (Milletari et al. 2016, arXiv:1606.04797)."""
    hit, missed, false = _overlaps(y_true, y_pred, ignore_index)
    return 1 - ops.mean((2 * hit + SMOOTH) / (2 * hit + missed + false + SMOOTH))


def focal_tversky(y_true, y_pred, ignore_index: int | None = None, alpha=0.7, beta=0.3, gamma=0.75):
    """Focal Tversky loss (Abraham and Khan 2018, arXiv:1810.07842).

    Args:
        y_true, y_pred, ignore_index: see the top of this file.
        alpha: weight of a missed pixel; above `beta`, rare classes are found more often.
        beta: weight of a falsely claimed pixel.
        gamma: below 1, classes that go well still count; above 1, those that go badly count more.
    """
    hit, missed, false = _overlaps(y_true, y_pred, ignore_index)
    tversky = (hit + SMOOTH) / (hit + alpha * missed + beta * false + SMOOTH)
    return ops.mean(ops.power(ops.maximum(1 - tversky, keras.config.epsilon()), gamma))


def weighted_crossentropy(y_true, y_pred, class_weights=None, ignore_index: int | None = None):
    """Cross-entropy per pixel, each class with its weight; mean over the weights.

    Args:
        y_true, y_pred, ignore_index: see the top of this file.
        class_weights: one number per class; all 1 by default.
    """
    one_hot = _one_hot(y_true, y_pred, ignore_index)
    if class_weights is not None:
        one_hot = one_hot * ops.convert_to_tensor(class_weights, one_hot.dtype)
    log = ops.log(ops.maximum(ops.cast(y_pred, one_hot.dtype), keras.config.epsilon()))
    return -ops.sum(one_hot * log) / ops.maximum(ops.sum(one_hot), keras.config.epsilon())


def blend(*losses: Callable, weights: Sequence[float] = (0.6, 0.4)) -> Callable:
    """Add losses up, each times its weight: `blend(focal_tversky, weighted_crossentropy)`."""
    if len(losses) != len(weights):
        raise ValueError(f"{len(losses)} losses, but {len(weights)} weights")

    def blended(y_true, y_pred):
        return sum(w * loss(y_true, y_pred) for w, loss in zip(weights, losses, strict=True))

    return blended


def balanced_weights(pixels: Sequence[int], power: float = 0.5) -> list[float]:
    """Turn pixel counts per class into class weights, 1 on average over the pixels.

    Args:
        pixels: pixels of each class; a class without any gets weight 0.
        power: 0 weighs all alike, 1 makes all classes count the same, 0.5 lies between.
    """
    raw = [1 / n**power if n else 0.0 for n in pixels]
    mean = sum(r * float(n) for r, n in zip(raw, pixels, strict=True)) / sum(map(float, pixels))
    return [r / mean for r in raw]


def _overlaps(y_true, y_pred, ignore_index: int | None):
    """Return, per class that counts: probability on true pixels, missing there, and elsewhere."""
    one_hot, classes = _one_hot(y_true, y_pred, ignore_index), y_pred.shape[-1]
    truth, answer = (ops.reshape(ops.cast(x, "float32"), (-1, classes)) for x in (one_hot, y_pred))
    counts = ops.matmul(ops.transpose(truth), answer)  # a confusion matrix of probabilities
    counted = [c for c in range(classes) if c != ignore_index]
    # In two steps, as float32 counts to 2^24.
    rows = ops.sum(ops.reshape(one_hot, (-1, ops.shape(one_hot)[-2], classes)), axis=1)
    sums = ops.diagonal(counts), ops.sum(rows, axis=0), ops.sum(counts, axis=0)
    hit, row, column = (ops.take(x, counted) for x in sums)
    return hit, row - hit, column - hit


def _one_hot(y_true, y_pred, ignore_index: int | None):
    """Return float32 (B, H, W, C): 1 for the true class, all 0 where the pixel is ignored."""
    classes, given = y_pred.shape[-1], (len(y_true.shape), y_true.shape[-1])
    if given != (len(y_pred.shape), classes):  # these are indices, (B, H, W) or (B, H, W, 1)
        indices = ops.reshape(ops.cast(y_true, "int32"), ops.shape(y_pred)[:-1])
        y_true = ops.one_hot(indices, classes)
    counted = [float(c != ignore_index) for c in range(classes)]
    return ops.multiply(ops.cast(y_true, "float32"), counted)
