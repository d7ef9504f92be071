"""What a model meets in another city, and what can be done about it; notebook 09 shows this code.

Images are (H, W, bands) of 0–255, masks uint8 (H, W); pairs are lists of both.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers

from segkit import metrics, models, pipeline, training
from segkit.classes import ClassScheme

#: Pixels of a labeled patch, of a network's crops, and crops in a batch.
PATCH, BATCH = 192, 8
#: Batches that norms adapt to.
ADAPT_STEPS = 40
#: Steps of a fine-tuning, and its highest learning rate.
STEPS, RATE = 80, 3e-4


def resized(image: np.ndarray, shape: Sequence[int], how: str = "bilinear") -> np.ndarray:
    """Bring an image (H, W, bands) to another size; float32, smoothed first where it shrinks."""
    found = keras.ops.image.resize(image, shape, how, antialias=how != "nearest")
    return np.asarray(found, np.float32)


def shrunk(pairs: list, factor: float) -> list:
    """Bring images and masks to `factor` times their size; each pixel of a mask stays a class."""
    found = []
    for image, mask in pairs:
        shape = [round(side * factor) for side in mask.shape]
        small = resized(mask[..., None], shape, "nearest")[..., 0]
        found.append((resized(image, shape), small.astype(np.uint8)))
    return found


def answer(model: keras.Model, image: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Ask a model about an image at `factor` times its size; uint8 (H, W), of its own size."""
    shape = image.shape[:2]
    seen = resized(image, [round(side * factor) for side in shape])
    found = models.predict(model, seen[None])[0]
    return resized(found, shape).argmax(axis=-1).astype(np.uint8)


def judged(
    model: keras.Model,
    pairs: list,
    scheme: ClassScheme,
    factor: float = 1.0,
    change: Callable = lambda image: image,
) -> np.ndarray:
    """Count what a model says of changed images against their masks; int64 (N, C, C)."""
    answers = [answer(model, change(image), factor) for image, _ in pairs]
    truths = [mask for _, mask in pairs]
    return np.stack(
        [metrics.confusion(*both, len(scheme)) for both in zip(truths, answers, strict=True)]
    )


def quantiles(images: list) -> np.ndarray:
    """Return the 101 percentiles of each band over all images (101, bands)."""
    pixels = np.concatenate([image.reshape(-1, image.shape[-1])[::7] for image in images])
    return np.percentile(pixels, range(101), axis=0)


def matched(image: np.ndarray, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Give each band of an image the histogram of another city, by the `quantiles` of both."""
    bands = zip(np.moveaxis(image, -1, 0), theirs.T, ours.T, strict=True)
    return np.stack([np.interp(band, there, here) for band, there, here in bands], axis=-1)


def patches_of(pairs: list, count: int, seed: int) -> list:
    """Draw windows of `PATCH` pixels from images and masks, at most one from an image at first."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        for i in rng.permutation(len(pairs)):
            image, mask = pairs[i]
            row, column = (rng.integers(side - PATCH + 1) for side in mask.shape)
            here = np.s_[row : row + PATCH, column : column + PATCH]
            found.append((image[here], mask[here]))
    return found[:count]


def adapt_norms(model: keras.Model, images: list, steps: int = ADAPT_STEPS) -> None:
    """Let all batch norms take mean and spread from images without labels (Li et al. 2016).

    Args:
        model: its norms are changed.
        images: (PATCH, PATCH, bands) each.
        steps: batches of them.
    """
    inner = [x for x in model.layers if isinstance(x, keras.Model)]
    found = (x for network in (model, *inner) for x in network.layers)
    norms = [x for x in found if isinstance(x, layers.BatchNormalization)]
    rng = np.random.default_rng(0)
    for step in range(steps):
        for norm in norms:
            norm.trainable, norm.momentum = True, step / (step + 1)  # the mean over all batches
        chosen = rng.choice(len(images), BATCH)
        model([np.stack([images[i] for i in chosen]).astype(np.float32)], training=True)


def fine_tune(
    model: keras.Model, pairs: list, scheme: ClassScheme, seed: int = 0, steps: int = STEPS
) -> None:
    """Go on training with a few labeled patches (PATCH, PATCH), turned, flipped and relit."""
    rng = np.random.default_rng(seed)
    models.unfreeze(model, norms=False)
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
    optimizer = training.AdamW(rate)
    model.compile(optimizer, training.default_loss(scheme))
    for _ in range(steps):
        chosen = [pairs[i] for i in rng.choice(len(pairs), BATCH)]
        images, masks = zip(*(pipeline.augment(*pair, rng) for pair in chosen), strict=True)
        model.train_on_batch(np.stack(images), np.stack(masks))
