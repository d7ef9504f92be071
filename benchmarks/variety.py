"""Ingredients of a recipe that are on trial: more variety in what a network sees.

Each changes batches of (images float32 (B, S, S, C) 0–255, masks uint8 (B, S, S)), or the loss.
"""

import math
from collections.abc import Callable

import tensorflow as tf
from keras import ops

from segkit import losses


def reach(size: int, scales: tuple[float, float]) -> int:
    """Return the pixels of the crops that `scaled` needs."""
    return math.ceil(size * max(scales))


def scaled(data: tf.data.Dataset, size: int, scales: tuple[float, float]) -> tf.data.Dataset:
    """Show each batch larger or smaller: a square of `size` times a factor becomes `size` pixels.

    Args:
        data: batches of squares of `reach(size, scales)` pixels.
        size: pixels of what comes out.
        scales: least and greatest factor; above 1, more ground is seen, smaller.
    """

    def change(images, masks):
        side = tf.cast(tf.round(size * tf.random.uniform((), *scales)), tf.int32)
        top, left = (
            tf.random.uniform((), 0, tf.shape(masks)[1] - side + 1, tf.int32) for _ in range(2)
        )
        area = slice(top, top + side), slice(left, left + side)
        images = tf.image.resize(images[:, *area], (size, size))
        masks = tf.image.resize(masks[:, *area, None], (size, size), "nearest")[..., 0]
        return images, masks

    return data.map(change)


def tinted(data: tf.data.Dataset, share: float) -> tf.data.Dataset:
    """Make each band of each image stronger or weaker, by at most `share`."""

    def change(images, masks):
        bands = (tf.shape(images)[0], 1, 1, tf.shape(images)[-1])
        strength = tf.random.uniform(bands, 1 - share, 1 + share)
        return tf.clip_by_value(images * strength, 0, 255), masks

    return data.map(change)


def smoothed(loss: Callable, share: float, ignore_index: int | None) -> Callable:
    """Let each pixel be a little of every class (Szegedy et al. 2016, arXiv:1512.00567)."""

    def both(y_true, y_pred):
        even = ops.ones_like(y_pred) / y_pred.shape[-1]
        if ignore_index is not None:
            labeled = ops.cast(ops.not_equal(y_true, ignore_index), y_pred.dtype)
            even = even * labeled[..., None]
        uniform = losses.weighted_crossentropy(even, y_pred, ignore_index=ignore_index)
        return (1 - share) * loss(y_true, y_pred) + share * uniform

    return both
