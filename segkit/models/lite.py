"""EfficientNet-Lite, built for small processors, and the U-Net on it.

Taught in notebook 04.
"""

import math

import keras
from keras import layers

from segkit.models.unet import BATCH_NORM_MOMENTUM, conv_block

#: EfficientNet, stage by stage: blocks, kernel, stride, expansion, filters.
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
#: Filters of the decoder, from 1/16 of the image to 1/2.
DECODER = (128, 64, 48, 32)
#: The encoder's last layer; the skips before it are called features_2 to features_16.
LAST = "features_32"


def lite_unet(name: str, classes: int, channels: int, width=1.0, depth=1.0) -> keras.Model:
    """Build a U-Net of scores (no probabilities yet) around an EfficientNet-Lite."""
    image = keras.Input((None, None, channels))
    x, skips = lite_encoder(image, width, depth)
    for filters, skip in zip(DECODER, reversed(skips), strict=True):
        x = conv_block(layers.Concatenate()([layers.UpSampling2D(2)(x), skip]), filters)
    scores = layers.Conv2D(classes, 1, name="scores")(x)
    scores = layers.UpSampling2D(2, interpolation="bilinear")(scores)
    return keras.Model(image, scores, name=name)


def lite_encoder(image, width=1.0, depth=1.0):
    """EfficientNet without squeeze-and-excitation (Tan and Le 2019, arXiv:1905.11946).

    Args:
        image: (B, H, W, channels), (pixels − 127) / 128.
        width, depth: how many more filters, rounded to eights, and blocks than the smallest one.

    Returns:
        Features at 1/32 of the image, and a list of those at 1/2, 1/4, 1/8, 1/16.
    """
    x = norm(layers.Conv2D(32, 3, 2, padding="same", use_bias=False)(image))
    x, skips = layers.ReLU(6)(x), []
    for stage, (blocks, kernel, stride, expansion, filters) in enumerate(STAGES):
        if stride == 2:
            x = layers.Identity(name=f"features_{2 ** (len(skips) + 1)}")(x)
            skips.append(x)
        blocks = math.ceil(depth * blocks) if 0 < stage < len(STAGES) - 1 else blocks
        for steps in [stride] + [1] * (blocks - 1):
            x = inverted_residual(x, kernel, steps, expansion, int(width * filters + 4) // 8 * 8)
    return layers.Identity(name=LAST)(x), skips


def inverted_residual(x, kernel: int, stride: int, expansion: int, filters: int):
    """Widen, look around in each channel alone, narrow; add what came in, where it fits."""
    y = x
    if expansion > 1:
        y = layers.ReLU(6)(norm(layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False)(y)))
    y = norm(layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False)(y))
    y = layers.ReLU(6)(y)
    y = norm(layers.Conv2D(filters, 1, use_bias=False)(y))
    return layers.Add()([x, y]) if stride == 1 and x.shape == y.shape else y


def norm(x):
    """Batch normalization that settles fast."""
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
