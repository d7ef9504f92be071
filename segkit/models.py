"""The networks: U-Net, Attention U-Net, and two with a pretrained encoder.

Taught in notebooks 03, 04 and 08. Every model takes raw pixels, 0–255, of any height and width that
is a multiple of 32, normalizes them inside, and returns float32 probabilities (B, H, W, classes).
"""

import contextlib
import io
import math
import os
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from segkit import weights as pretrained

#: Height and width of an image are multiples of this.
STEP = 32
#: Batch statistics of small batches and short trainings settle faster than with Keras' 0.99.
BATCH_NORM_MOMENTUM = 0.9
#: ImageNet mean and deviation per channel (R, G, B) on a scale of 0–1.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: What Keras' ResNet-50 takes off each channel (R, G, B), on a scale of 0–255.
RESNET_MEAN = (123.68, 116.779, 103.939)
#: Filters and dilation rates of DeepLab's pyramid at output stride 16, and its low-level filters.
ASPP_FILTERS, ASPP_RATES, LOW_LEVEL_FILTERS = 256, (6, 12, 18), 48


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


def unet(
    classes: int, width: int = 64, depth: int = 4, channels: int = 3, stride: int = 1
) -> keras.Model:
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
    x, skips, inputs = _contract(classes, width, depth, channels, stride)
    for level in reversed(range(depth)):
        x = up_block(x, skips[level], width * 2**level)
    outputs = probabilities(x, classes, stride)
    return sized(keras.Model(inputs, outputs, name=f"unet_{width}"))


def _contract(classes: int, width: int, depth: int, channels: int, stride: int = 1):
    """Build the left half of a U-Net: its bottom, the skips of all levels, and the input."""
    if classes < 2 or width < 1 or channels < 1 or not 1 <= depth <= 5:
        raise ValueError(
            f"classes={classes}, width={width}, depth={depth}, channels={channels}: at least two "
            "classes, one filter and one channel, and a depth of 1 to 5"
        )
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


def attention_unet(classes: int, width: int = 64, depth: int = 4, channels: int = 3) -> keras.Model:
    """Build an Attention U-Net (Oktay et al. 2018, arXiv:1804.03999), with batch normalization.

    Args and the model are those of `unet`; `gate_maps` shows where its gates open.
    """
    x, skips, inputs = _contract(classes, width, depth, channels)
    for level in reversed(range(depth)):
        filters = width * 2**level
        x = up_block(x, gate(skips[level], x, max(filters // 2, 1), level), filters)
    return sized(keras.Model(inputs, probabilities(x, classes), name=f"attention_unet_{width}"))


def gate_maps(model: keras.Model, image: np.ndarray) -> list[np.ndarray]:
    """Return what the gates of an Attention U-Net let through.

    Args:
        model: from `attention_unet`.
        image: (H, W, channels), 0–255.

    Returns:
        One float32 array for each level, from the finest (H, W) to the coarsest, 0–1.
    """
    names = [layer.name for layer in model.layers if layer.name.startswith("gate_")]
    if not names:
        raise ValueError(f"{model.name} has no gates: build it by attention_unet")
    probe = keras.Model(model.inputs[0], [model.get_layer(name).output for name in sorted(names)])
    found = probe(np.asarray(image, np.float32)[None])
    return [ops.convert_to_numpy(ops.cast(x, "float32"))[0, ..., 0] for x in found]


def probabilities(x, classes: int, stride: int = 1):
    """Score each class in each pixel, and turn scores into float32 probabilities."""
    scores = layers.Conv2D(classes, 1, name="scores")(x)
    if stride > 1:
        scores = layers.UpSampling2D(stride, interpolation="bilinear")(scores)
    return layers.Activation("softmax", dtype="float32", name="probabilities")(scores)


def predict(model, images: np.ndarray, tta: bool = False) -> np.ndarray:
    """Return what a model says of a batch of images.

    Args:
        model: anything with Keras' `predict_on_batch`.
        images: (B, H, W, channels), 0–255.
        tta: test-time augmentation: the mean over the eight turns and flips of each image, at eight
            times the cost.

    Returns:
        float32 probabilities (B, H, W, classes).
    """
    if not tta:
        return np.asarray(model.predict_on_batch(images), np.float32)
    total = 0
    for turns in range(4):
        for flip in (1, -1):
            seen = np.rot90(images, turns, axes=(1, 2))[:, :, ::flip]
            found = predict(model, np.ascontiguousarray(seen))
            total = total + np.rot90(found[:, :, ::flip], -turns, axes=(1, 2))
    return total / 8


def efficientnet_unet(
    classes: int, weights: str | Path | None = "imagenet", channels: int = 3
) -> keras.Model:
    """Build segmentation-models' U-Net on an EfficientNet-B4 (Tan and Le 2019, arXiv:1905.11946).

    Args:
        classes: number of classes.
        weights: "imagenet" (downloaded once, then kept), the path of a no-top file of Keras or of
            the efficientnet package, or None for random weights.
        channels: bands of the image. More than three repeat the red, green and blue preprocessing
            and weights in turn (see `weights.inflate`).

    Returns:
        A model of images (B, H, W, channels), 0–255 → float32 probabilities (B, H, W, classes);
        `encoder_layers` lists its encoder.

    Raises:
        WeightsNotFound: offline with nothing cached; says which file to put where.
        ValueError: the file holds other weights, or is not whole.
    """
    path = pretrained.imagenet("efficientnetb4") if weights == "imagenet" else weights
    with _silence():
        network = _segmentation_models().Unet(
            "efficientnetb4",
            input_shape=(None, None, channels),
            encoder_weights=None,
            classes=classes,
            activation="linear",
        )
    network = keras.models.clone_model(network, clone_function=_plain_layer)
    inputs = keras.Input((None, None, channels), name="image")
    scale = [1 / (255 * deviation) for deviation in IMAGENET_DEVIATION]
    offset = [-m / d for m, d in zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)]
    x = network(layers.Rescaling(_in_turn(scale, channels), _in_turn(offset, channels))(inputs))
    outputs = layers.Activation("softmax", dtype="float32", name="probabilities")(x)
    model = sized(keras.Model(inputs, outputs, name="efficientnet_unet"))
    if path:
        load_encoder(model, path)
    return model


def _in_turn(values, channels: int) -> list[float]:
    """Repeat the values of red, green and blue for any number of bands."""
    return [values[band % len(values)] for band in range(channels)]


def _plain_layer(layer: layers.Layer) -> layers.Layer:
    """Copy a layer; those of the efficientnet package become Keras' own, so that a saved model
    loads with nothing else known."""
    if type(layer).__name__ == "FixedDropout":
        return layers.Dropout(layer.rate, noise_shape=(None, 1, 1, 1), name=layer.name)
    config = layer.get_config()
    if getattr(getattr(layer, "activation", None), "__name__", "") == "swish":
        config["activation"] = "swish"
    if isinstance(layer, layers.BatchNormalization):
        config["momentum"] = BATCH_NORM_MOMENTUM
    return layer.__class__.from_config(config)


def deeplabv3plus(
    classes: int, weights: str | Path | None = "imagenet", channels: int = 3
) -> keras.Model:
    """Build DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) on Keras' ResNet-50.

    The encoder stops shrinking at 1/16 of the image: the last stage looks farther by dilation
    instead. The decoder adds the detail of the first stage, at 1/4.

    Args:
        classes: number of classes.
        weights: "imagenet" (downloaded once, then kept), the path of Keras' no-top file of
            ResNet-50, or None for random weights.
        channels: bands of the image; more than three as in `efficientnet_unet`.

    Returns and raises as `efficientnet_unet`.
    """
    encoder = _resnet(
        pretrained.imagenet("resnet50") if weights == "imagenet" else weights, channels
    )
    inputs = keras.Input((None, None, channels), name="image")
    mean = _in_turn([-value for value in RESNET_MEAN], channels)
    low_level, features = encoder(layers.Rescaling(1.0, offset=mean)(inputs))
    x = layers.UpSampling2D(4, interpolation="bilinear")(aspp(features))
    x = layers.Concatenate()([x, convolve(low_level, LOW_LEVEL_FILTERS, 1)])
    for _ in range(2):
        x = convolve(x, ASPP_FILTERS, 3)
    x = layers.Conv2D(classes, 1, name="scores")(x)
    x = layers.UpSampling2D(4, interpolation="bilinear")(x)
    outputs = layers.Activation("softmax", dtype="float32", name="probabilities")(x)
    return sized(keras.Model(inputs, outputs, name="deeplabv3plus"))


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


def _resnet(path: str | Path | None, channels: int) -> keras.Model:
    """Build ResNet-50 (He et al. 2015, arXiv:1512.03385): features at 1/4 and, dilated, at 1/16."""
    plain = keras.applications.ResNet50(include_top=False, weights=None)
    dilated = keras.models.clone_model(
        plain, keras.Input((None, None, channels)), clone_function=_dilated_layer
    )
    if path:
        try:
            plain.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{path} does not hold the weights of a ResNet-50") from error
        kernel, *others = plain.get_weights()
        kernel = kernel[:, :, ::-1]  # the file expects blue, green, red
        dilated.set_weights([pretrained.inflate(kernel, channels), *others])
    names = "conv2_block3_out", "conv5_block3_out"
    outputs = [dilated.get_layer(name).output for name in names]
    return keras.Model(dilated.inputs, outputs, name="resnet50")


def _dilated_layer(layer: layers.Layer) -> layers.Layer:
    """Copy a layer of ResNet-50; the last stage is dilated instead of halved."""
    config = layer.get_config()
    if layer.name.startswith("conv5") and isinstance(layer, layers.Conv2D):
        config["strides"] = 1
        config["dilation_rate"] = 2 if layer.kernel_size == (3, 3) else 1
    if isinstance(layer, layers.BatchNormalization):
        config["momentum"] = BATCH_NORM_MOMENTUM
    return layer.__class__.from_config(config)


def sized(model: keras.Model) -> keras.Model:
    """Make a model say which sizes it takes, before its layers stumble over another one."""
    run = model.call

    def call(inputs, *args, **kwargs):
        height, width = ops.shape(inputs)[1:3]
        check_size(height, width)
        return run(inputs, *args, **kwargs)

    model.call = call
    return model


def check_size(height: int | None, width: int | None) -> None:
    """Raise ValueError, with the nearest valid size, unless both are multiples of 32."""
    sides = [side for side in (height, width) if isinstance(side, int)]  # others are not known yet
    if any(side % STEP or side == 0 for side in sides):
        near = "×".join(str(max(STEP, STEP * round(side / STEP))) for side in sides)
        raise ValueError(
            f"an image of {height}×{width} pixels: height and width must be multiples of {STEP}; "
            f"the nearest valid size is {near}"
        )


def encoder_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model that belong to its pretrained encoder, in order."""
    network = _network(model)
    names = [layer.name for layer in network.layers]
    last = names.index("top_activation") if "top_activation" in names else len(names) - 1
    return network.layers[: last + 1]


def freeze(model: keras.Model) -> None:
    """Hold the encoder still; its batch norms then use what they know, not the batch at hand."""
    _set_trainable(model, False)


def unfreeze(model: keras.Model) -> None:
    """Let the encoder learn. Compile again after `freeze` or `unfreeze`."""
    _set_trainable(model, True)


def _set_trainable(model: keras.Model, trainable: bool) -> None:
    for layer in encoder_layers(model):
        layer.trainable = trainable


def load_encoder(model: keras.Model, path: str | Path) -> None:
    """Copy the weights of an EfficientNet-B4 into the encoder of an `efficientnet_unet`.

    Keras' own network, that of the efficientnet package and the encoder have the same weighted
    layers in the same order; Keras' has one more at the front, a Normalization, which the model's
    own rescaling replaces.

    Raises:
        ValueError: the file holds other weights, or is not whole.
    """
    if str(path).endswith(".weights.h5"):  # the layout of Keras 3 knows no order of layers
        official = keras.applications.EfficientNetB4(include_top=False, weights=None)
        official.load_weights(path)
        given = [layer.get_weights() for layer in official.layers if layer.weights]
    else:
        given = pretrained.read(path)
    taken = [layer for layer in encoder_layers(model) if layer.weights]
    given = given[1:] if len(given) == len(taken) + 1 else given
    given[0][0] = pretrained.inflate(given[0][0], model.input_shape[-1])
    if [[x.shape for x in arrays] for arrays in given] != [
        [tuple(w.shape) for w in layer.weights] for layer in taken
    ]:
        raise ValueError(f"{path} does not hold the weights of an EfficientNet-B4")
    for layer, arrays in zip(taken, given, strict=True):
        layer.set_weights(arrays)


def _network(model: keras.Model) -> keras.Model:
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(inner) != 1:
        raise ValueError(
            f"{model.name} has no pretrained encoder: build it by "
            "efficientnet_unet or deeplabv3plus"
        )
    return inner[0]


def _segmentation_models():
    """Import segmentation-models on Keras 3."""
    os.environ.setdefault("SM_FRAMEWORK", "tf.keras")
    with _silence():
        import segmentation_models
    return segmentation_models


@contextlib.contextmanager
def _silence():
    """Keep the line and the warnings of segmentation-models to ourselves."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def flops(model: keras.Model, height: int, width: int) -> int:
    """Count the floating-point operations of all convolutions for one image of this size.

    A multiplication and an addition count as two; normalization and activations are left out.
    """
    total = 0
    for network in [model, *(x for x in model.layers if isinstance(x, keras.Model))]:
        convolutions = [x for x in network.layers if hasattr(x, "kernel")]
        if not convolutions:
            continue
        probe = keras.Model(network.inputs, [x.output for x in convolutions])
        shapes = probe.compute_output_shape((1, height, width, network.input_shape[-1]))
        for layer, (_, rows, columns, _) in zip(convolutions, shapes, strict=True):
            places = rows * columns
            if isinstance(layer, layers.Conv2DTranspose):
                places //= math.prod(layer.strides)  # its kernel stands on the places of its input
            total += 2 * math.prod(layer.kernel.shape) * places
    return total
