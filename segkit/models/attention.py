"""The Attention U-Net: gates that choose where a skip connection matters.

Taught in notebook 08.
"""

import keras
from keras import layers

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

    Args and the model are those of `unet`; its layers `gate_0`, … hold the gate maps.
    """
    x, skips, inputs = contract(classes, width, depth, channels)
    for level in reversed(range(depth)):
        filters = width * 2**level
        x = up_block(x, gate(skips[level], x, max(filters // 2, 1), level), filters)
    return keras.Model(inputs, probabilities(x, classes), name=f"attention_unet_{width}")
