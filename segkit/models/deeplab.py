"""DeepLabV3+: an encoder, a pyramid that looks at several distances, a short decoder.

Taught in notebook 08.
"""

import keras
from keras import layers

from segkit.models.encoders import chosen, copied, load_encoder, normalized
from segkit.models.lite import lite_encoder
from segkit.models.unet import BATCH_NORM_MOMENTUM, probabilities, remembered

#: Filters and dilation rates of DeepLab's pyramid at output stride 16, and its low-level filters.
ASPP_FILTERS, ASPP_RATES, LOW_LEVEL_FILTERS = 256, (6, 12, 18), 48


@remembered
def deeplabv3plus(classes: int, weights="imagenet", channels=3, variant="resnet50") -> keras.Model:
    """Build DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) on an encoder that ends at 1/16.

    That of Keras' ResNet-50 looks farther in its last stage by dilation, in place of halving once
    more; that of EfficientNet-Lite0 leaves out what comes after. The decoder adds the detail of
    the features at 1/4.

    Args:
        classes: number of classes.
        weights: "imagenet" (that of ResNet-50 is downloaded once, then kept; that of lite0 is
            installed), the path of such a file, or None for random weights.
        channels: bands of the image; more than three as in `efficientnet_unet`.
        variant: "resnet50", or, a ninth of its work, "lite0".

    Returns and raises as `efficientnet_unet`.
    """
    row, inputs = chosen(variant, FEATURES), keras.Input((None, None, channels), name="image")
    low_level, features = FEATURES[variant](row.key, channels)(normalized(inputs, row))
    x = layers.UpSampling2D(4, interpolation="bilinear")(aspp(features))
    x = layers.Concatenate()([x, convolve(low_level, LOW_LEVEL_FILTERS, 1)])
    for _ in range(2):
        x = convolve(x, ASPP_FILTERS, 3)
    model = keras.Model(inputs, probabilities(x, classes, stride=4), name="deeplabv3plus")
    return load_encoder(model, weights)


def aspp(x):
    """Look at several distances at once: atrous spatial pyramid pooling, (B, h, w, 256).

    The mean of the whole picture joins after the projection: the same as setting it beside the
    other branches in every place, without knowing how many places there are.
    """
    branches = [convolve(x, ASPP_FILTERS, 1)]
    branches += [convolve(x, ASPP_FILTERS, 3, rate) for rate in ASPP_RATES]
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    pooled = layers.Conv2D(ASPP_FILTERS, 1, activation="relu")(pooled)
    pooled = layers.Conv2D(ASPP_FILTERS, 1, use_bias=False)(pooled)
    x = layers.Conv2D(ASPP_FILTERS, 1, use_bias=False)(layers.Concatenate()(branches))
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(layers.Add()([x, pooled]))
    return layers.ReLU()(x)


def convolve(x, filters: int, size: int, rate: int = 1):
    """One convolution with batch normalization and ReLU; a 3×3 one first looks at each band alone.

    Splitting a convolution into one over places and one over bands (separable) needs a ninth of the
    work; with a rate above 1 the places lie apart (atrous).
    """
    if size > 1:
        x = layers.DepthwiseConv2D(size, padding="same", dilation_rate=rate, use_bias=False)(x)
    x = layers.Conv2D(filters, 1, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))


def dilated_resnet(name: str, channels: int) -> keras.Model:
    """Build ResNet-50 (He et al. 2015, arXiv:1512.03385): features at 1/4 and, dilated, at 1/16."""
    plain = keras.applications.ResNet50(include_top=False, weights=None)
    image = keras.Input((None, None, channels))
    dilated = keras.models.clone_model(plain, image, clone_function=_dilated_layer)
    outputs = [dilated.get_layer(f"conv{i}_block3_out").output for i in (2, 5)]
    return keras.Model(dilated.inputs[0], outputs, name=name)


def _dilated_layer(layer: layers.Layer) -> layers.Layer:
    """Copy a layer of ResNet-50; the last stage is dilated instead of halved."""
    if layer.name.startswith("conv5") and isinstance(layer, layers.Conv2D):
        return copied(layer, strides=1, dilation_rate=2 if layer.kernel_size == (3, 3) else 1)
    return copied(layer)


def short_lite(name: str, channels: int) -> keras.Model:
    """Build EfficientNet-Lite0 up to its features at 1/16; those at 1/4 come with them."""
    image = keras.Input((None, None, channels))
    _, skips = lite_encoder(image)
    return keras.Model(image, [skips[1], skips[3]], name=name)


#: What builds the encoder of each variant.
FEATURES = {"resnet50": dilated_resnet, "lite0": short_lite}
