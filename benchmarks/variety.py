"""Ingredients of a recipe that are on trial: more variety in what a network sees, other steps.

Each changes batches of (images float32 (B, S, S, C) 0–255, masks uint8 (B, S, S)), or the loss, or
the optimizer.
"""

import math
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from segkit import losses, models, training
from segkit.classes import ClassScheme


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


def chosen(data: tf.data.Dataset, count: int, scheme: ClassScheme) -> tf.data.Dataset:
    """Of each `count` crops in a batch keep the one with most pixels of a class drawn for them.

    All classes but the ignored one are drawn alike, so rare ones are seen more often.
    """
    classes = tf.constant([c for c in range(len(scheme)) if c != scheme.ignore_index], tf.uint8)

    def change(images, masks):
        groups = tf.shape(masks)[0] // count
        drawn = tf.gather(classes, tf.random.uniform((groups,), 0, len(classes), tf.int32))
        wanted = tf.reshape(masks, (groups, count, -1)) == drawn[:, None, None]
        best = tf.argmax(tf.math.count_nonzero(wanted, axis=-1), axis=1, output_type=tf.int32)
        kept = tf.range(groups) * count + best
        return tf.gather(images, kept), tf.gather(masks, kept)

    found = data.map(change)
    found.card, found.restart = data.card, data.restart  # as pipeline.origin looks for them
    found.images_per_step = data.images_per_step / count
    return found


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


class TwoRates(keras.optimizers.AdamW):
    """AdamW that takes smaller steps in some variables: those of a pretrained encoder."""

    slow, share = (), 1.0

    def update_step(self, gradient, variable, learning_rate):
        share = self.share if self._get_variable_index(variable) in self.slow else 1.0
        super().update_step(gradient, variable, learning_rate * share)


def stepping(model: keras.Model, average: float | None, share: float) -> Callable:
    """Return what makes an optimizer of a learning rate, for `training.fit`.

    Args:
        model: what it will train.
        average: keep a running mean of the weights, of which so much stays at each step (0.99, for
            example), and end with that (Polyak and Juditsky 1992); None keeps none.
        share: the learning rate of a pretrained encoder, as a share of the decoder's.
    """

    def made(rate):
        mean = {"use_ema": average is not None, "ema_momentum": average or 0.99}
        optimizer = TwoRates(rate, **training.AdamW.keywords, **mean)
        if share != 1:
            theirs = {v.path for one in models.encoder_layers(model) for v in one.variables}
            learns = enumerate(model.trainable_variables)
            optimizer.slow, optimizer.share = [i for i, v in learns if v.path in theirs], share
        return optimizer

    return made


def cropped(data: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """Draw a window of so many pixels from each patch."""

    def change(image, mask):
        top, left = (
            tf.random.uniform((), 0, tf.shape(mask)[0] - size + 1, tf.int32) for _ in range(2)
        )
        area = slice(top, top + size), slice(left, left + size)
        return image[*area], mask[*area]

    def each(images, masks):
        kinds = [tf.TensorSpec((size, size, images.shape[-1]), tf.float32)]
        kinds += [tf.TensorSpec((size, size), tf.uint8)]
        return tf.map_fn(
            lambda pair: change(*pair), (images, masks), fn_output_signature=tuple(kinds)
        )

    return data.map(each)
