"""The U-Net, block by block, and what all models have in common: sizes, predictions, cost.

Taught in notebook 03.
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

#: Models halve the image up to five times: its height and width must be multiples of this.
STEP = 32
#: Batch statistics of small batches and short trainings settle faster than with Keras' 0.99.
BATCH_NORM_MOMENTUM = 0.9


def remembered(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Make a builder leave its name and all its arguments on the model: `model.options`.

    The options can be written as JSON, and build the same network again.
    """
    signature = inspect.signature(build)

    @functools.wraps(build)
    def builder(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        model = build(*args, **kwargs)
        options = {k: str(v) if isinstance(v, Path) else v for k, v in given.arguments.items()}
        model.options = {"model": build.__name__, **options}
        return model

    return builder


def conv_block(x, filters: int):
    """Two 3×3 convolutions, each with batch normalization and ReLU."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
        x = layers.ReLU()(x)
    return x


def down_block(x, filters: int):
    """A convolution block; returns it at half size, and at full size for the skip connection."""
    skip = conv_block(x, filters)
    return layers.MaxPooling2D(2)(skip), skip


def up_block(x, skip, filters: int):
    """Double the size, set the skip connection beside it, and convolve."""
    x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
    x = layers.Concatenate()([x, skip])
    return conv_block(x, filters)


@remembered
def unet(classes: int, width=64, depth=4, channels=3, stride=1) -> keras.Model:
    """Build a U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597), with batch normalization.

    Args:
        classes: number of classes.
        width: filters of the first block; each level down doubles them (64 to 1024 by default).
        depth: how many times the size is halved; 1 to 5.
        channels: bands of the image.
        stride: 2 or 4 gathers squares of so many pixels before the first block, and enlarges the
            scores at the end: a wider view at a fraction of the cost, for coarser borders.

    Returns:
        A model of images (B, H, W, channels), 0–255 → float32 probabilities (B, H, W, classes).
    """
    x, skips, inputs = contract(classes, width, depth, channels, stride)
    for level in reversed(range(depth)):
        x = up_block(x, skips[level], width * 2**level)
    return keras.Model(inputs, probabilities(x, classes, stride), name=f"unet_{width}")


def contract(classes: int, width: int, depth: int, channels: int, stride: int = 1):
    """Build the left half of a U-Net: its bottom, the skips of all levels, and the input.

    Raises:
        ValueError: no network can be built with such numbers.
    """
    if min(classes - 1, width, channels) < 1 or not 1 <= depth <= 5:
        given = f"classes={classes}, width={width}, depth={depth}, channels={channels}"
        raise ValueError(f"{given}: two classes, one filter, one channel at least; depth 1 to 5")
    if stride not in (1, 2, 4) or stride * 2**depth > STEP:
        raise ValueError(f"stride={stride}: 1, 2 or 4, and stride × 2^depth at most {STEP}")
    inputs = keras.Input((None, None, channels), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    if stride > 1:
        x = layers.Conv2D(width, stride, strides=stride)(x)
    skips = []
    for level in range(depth):
        x, skip = down_block(x, width * 2**level)
        skips.append(skip)
    return conv_block(x, width * 2**depth), skips, inputs


def probabilities(x, classes: int, stride: int = 1):
    """Score each class in each pixel, and turn scores into float32 probabilities."""
    scores = layers.Conv2D(classes, 1, name="scores")(x)
    if stride > 1:
        scores = layers.UpSampling2D(stride, interpolation="bilinear")(scores)
    return layers.Activation("softmax", dtype="float32", name="probabilities")(scores)


def predict(model, images: np.ndarray, tta: bool = False) -> np.ndarray:
    """Return what a model says of a batch of images of any size.

    Images whose sides are no multiples of `STEP` are mirrored at their right and lower border up
    to the next one; the answer is cut back.

    Args:
        model: anything with Keras' `predict_on_batch`.
        images: (B, H, W, channels), 0–255.
        tta: test-time augmentation: the mean over the eight turns and flips of each image, at eight
            times the cost.

    Returns:
        float32 probabilities (B, H, W, classes).
    """
    height, width = images.shape[1:3]
    if any(more := (-height % STEP, -width % STEP)):
        images = np.pad(images, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)), "reflect")
    sides = [(turns, flip) for turns in range(4) for flip in (1, -1)][: 8 if tta else 1]
    total = functools.reduce(np.add, (_answer(model, images, *side) for side in sides))
    return (total / len(sides) if tta else total)[:, :height, :width]


def _answer(model, images: np.ndarray, turns: int, flip: int) -> np.ndarray:
    """Ask a model about turned and flipped images; turn its answer back."""
    seen = np.ascontiguousarray(np.rot90(images, turns, axes=(1, 2))[:, :, ::flip])
    # Keras from 3.14 on enlarges no image whose size its program leaves open: one for each size.
    # And for each number of bands: a program once made takes twice as many without a word.
    programs, size = vars(model).setdefault("programs", {}), seen.shape[1:]
    model.predict_function = programs.get(size)
    # Where several devices share a training, each answers the whole batch: the first answer counts.
    found = np.asarray(model.predict_on_batch(seen), np.float32)[: len(seen)]
    programs[size] = model.predict_function
    return np.rot90(found[:, :, ::flip], -turns, axes=(1, 2))
