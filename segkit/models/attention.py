"""The Attention U-Net: gates that choose where a skip connection matters.

Taught in notebook 08.
"""

import keras
import numpy as np
from keras import layers, ops

from segkit.models.unet import contract, probabilities, remembered, up_block


def gate(skip, signal, filters: int, level: int):
    """Let the coarser level choose where the skip connection matters (additive attention).

    Both are brought to the size of the signal, added, and squeezed into one number from 0 to 1 for
    each place: the gate map, which is then enlarged to the skip and multiplied with it.
    """
    x = layers.Conv2D(filters, 2, strides=2, use_bias=False)(skip)
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(filters, 1)(signal)]))
    x = layers.Conv2D(1, 1, activation="sigmoid")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"gate_{level}")(x)
    return layers.Multiply()([skip, x])


@remembered
def attention_unet(classes: int, width: int = 64, depth: int = 4, channels: int = 3) -> keras.Model:
    """Build an Attention U-Net (Oktay et al. 2018, arXiv:1804.03999), with batch normalization.

    Args and the model are those of `unet`; `gate_maps` shows where its gates open.
    """
    x, skips, inputs = contract(classes, width, depth, channels)
    for level in reversed(range(depth)):
        filters = width * 2**level
        x = up_block(x, gate(skips[level], x, max(filters // 2, 1), level), filters)
    return keras.Model(inputs, probabilities(x, classes), name=f"attention_unet_{width}")


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
    return [ops.convert_to_numpy(ops.cast(x, "float32"))[0, ..., 0] for x in found]
