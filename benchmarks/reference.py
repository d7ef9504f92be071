"""The recipe that many courses on the Dubai tiles share, from its description, to compare with.

Fixed patches of 256 pixels cropped from the top left, each band of each patch scaled to its own
minimum and maximum, a U-Net of 16 to 256 filters with dropout and without batch normalization,
Dice + focal loss over all six classes (Unlabeled learned like any other), Adam, batches of 16. The
recipe's Dice comes with class weights of 1/6 each, under a mean over the six: it counts a sixth.
"""

import keras
import numpy as np
from keras import layers, ops

from segkit import losses, models, patches

#: Filters from the first level to the bottom, and the share of them that dropout silences.
FILTERS, DROPOUT = (16, 32, 64, 128, 256), (0.2, 0.2, 0.2, 0.2, 0.3)
BATCH_SIZE, LEARNING_RATE = 16, 1e-3
#: Focus and balance of the focal loss (Lin et al. 2017, arXiv:1708.02002).
GAMMA, ALPHA, DICE_WEIGHT = 2.0, 0.25, 1 / 6


def unet(classes: int) -> keras.Model:
    """Build the recipe's U-Net: raw pixels (B, H, W, 3) → probabilities (B, H, W, classes)."""
    inputs = keras.Input((None, None, 3), name="image")
    low = ops.min(inputs, axis=(1, 2), keepdims=True)
    high = ops.max(inputs, axis=(1, 2), keepdims=True)
    x, skips = (inputs - low) / ops.maximum(high - low, 1.0), []
    for filters, share in zip(FILTERS, DROPOUT, strict=True):
        if skips:
            x = layers.MaxPooling2D(2)(x)
        x = _block(x, filters, share)
        skips.append(x)
    for filters, share, skip in zip(FILTERS[-2::-1], DROPOUT[-2::-1], skips[-2::-1], strict=True):
        x = layers.Conv2DTranspose(filters, 2, strides=2, padding="same")(x)
        x = _block(layers.Concatenate()([x, skip]), filters, share)
    return keras.Model(inputs, models.probabilities(x, classes), name="reference")


def _block(x, filters: int, share: float):
    how = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    x = layers.Dropout(share)(layers.Conv2D(filters, 3, **how)(x))
    return layers.Conv2D(filters, 3, **how)(x)


def loss(y_true, y_pred):
    """Dice + focal loss over all classes."""
    one_hot = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
    p = ops.clip(y_pred, keras.config.epsilon(), 1)
    focal = -ALPHA * one_hot * ops.power(1 - p, GAMMA) * ops.log(p)
    return losses.dice(y_true, y_pred) * DICE_WEIGHT + ops.mean(focal)


def training_set(patches_h5, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return all training patches at once: uint8 (N, S, S, 3) and masks (N, S, S)."""
    return patches.read(patches_h5, patches.members(patches_h5, "train", split))


def fit(model: keras.Model, patches_h5, split: str, callbacks: list) -> None:
    """Train on the patches of a split until a callback says stop, shuffled anew in each epoch."""
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
    model.optimizer.build(model.trainable_variables)
    images, masks = training_set(patches_h5, split)
    model.fit(images, masks, BATCH_SIZE, epochs=10_000, callbacks=callbacks, verbose=0)
