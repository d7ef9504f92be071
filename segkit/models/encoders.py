"""Pretrained encoders: one table, one loader of their weights, and the U-Net built on them.

Taught in notebook 04. A further encoder is one row of `ENCODERS`.
"""

import contextlib
import importlib
import os
import warnings
from collections import namedtuple
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers

from segkit import weights as pretrained
from segkit.models.lite import LAST, lite_unet
from segkit.models.unet import BATCH_NORM_MOMENTUM, remembered

#: ImageNet mean and deviation per channel (R, G, B) on a scale of 0–1.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: What Keras' ResNet-50 takes off each channel (R, G, B), on a scale of 0–255.
RESNET_MEAN = (123.68, 116.779, 103.939)


#: A row of the table of encoders. `key` names its weights in `weights.imagenet`, and the network
#: inside a model; `last` is its last layer: what follows in the same network is a decoder; `mean`
#: and `deviation` are of each channel (R, G, B) on a scale of 0–255, as it has learned on them;
#: `unet` builds a network of scores around it, from key, classes and channels; None where a builder
#: of its own does that; `blue_first` says whether its weights expect blue, green, red.
Encoder = namedtuple("Encoder", "key last mean deviation unet blue_first", defaults=(None, False))


def segmentation_models():
    """Import the package segmentation-models on Keras 3."""
    os.environ.setdefault("SM_FRAMEWORK", "tf.keras")
    with silence():
        return importlib.import_module("segmentation_models")


@contextlib.contextmanager
def silence():
    """Keep lines and warnings of other packages to ourselves, those of their C++ included."""
    with contextlib.ExitStack() as back, warnings.catch_warnings(action="ignore"):
        nowhere = back.enter_context(Path(os.devnull).open("w"))
        kept = back.enter_context(os.fdopen(os.dup(2)))
        back.enter_context(contextlib.redirect_stdout(nowhere))
        back.callback(os.dup2, kept.fileno(), 2)
        os.dup2(nowhere.fileno(), 2)
        yield


def _package_unet(key: str, classes: int, channels: int) -> keras.Model:
    """Build the U-Net of segmentation-models, in layers of Keras' own."""
    options = {"input_shape": (None, None, channels), "encoder_weights": None}
    options |= {"classes": classes, "activation": "linear"}
    with silence():
        network = segmentation_models().Unet(key, **options)
    network = keras.models.clone_model(network, clone_function=_plain_layer)
    return keras.Model(network.inputs[0], network.outputs[0], name=key)


def _plain_layer(layer: layers.Layer) -> layers.Layer:
    """Copy a layer; those of the efficientnet package become Keras' own, so that a saved model
    loads with nothing else known."""
    if type(layer).__name__ == "FixedDropout":
        return layers.Dropout(layer.rate, noise_shape=(None, 1, 1, 1), name=layer.name)
    swish = getattr(getattr(layer, "activation", None), "__name__", "") == "swish"
    return copied(layer, **({"activation": "swish"} if swish else {}))


def copied(layer: layers.Layer, **options) -> layers.Layer:
    """Copy a layer with other options; a batch norm settles as fast as those of `unet`."""
    if isinstance(layer, layers.BatchNormalization):
        options["momentum"] = BATCH_NORM_MOMENTUM
    return layer.__class__.from_config({**layer.get_config(), **options})


_IMAGENET = [tuple(255 * x for x in of) for of in (IMAGENET_MEAN, IMAGENET_DEVIATION)]
_LITE = (127.0,) * 3, (128.0,) * 3
#: The table of encoders. Those with a `unet` are the variants of `efficientnet_unet`.
ENCODERS = {
    "b4": Encoder("efficientnetb4", "top_activation", *_IMAGENET, _package_unet),
    "b0": Encoder("efficientnetb0", "top_activation", *_IMAGENET, _package_unet),
    "lite0": Encoder("efficientnetlite0", LAST, *_LITE, lite_unet),
    "lite2": Encoder("efficientnetlite2", LAST, *_LITE, partial(lite_unet, width=1.1, depth=1.2)),
    "resnet50": Encoder("resnet50", "conv5_block3_out", RESNET_MEAN, (1.0,) * 3, None, True),
}


@remembered
def efficientnet_unet(classes: int, weights="imagenet", variant="b4", channels=3) -> keras.Model:
    """Build a U-Net on an EfficientNet (Tan and Le 2019, arXiv:1905.11946).

    Args:
        classes: number of classes.
        weights: "imagenet" (that of b4 and b0 is downloaded once, then kept; that of the lite ones
            is installed), the path of such a file, or None for random weights.
        variant: "b4" or, lighter, "b0", both by segmentation-models; or "lite0" or "lite2", built
            for processors, with a light decoder (see `lite`).
        channels: bands of the image. More than three repeat the red, green and blue preprocessing
            and weights in turn (see `inflate`).

    Returns:
        A model of images (B, H, W, channels), 0–255 → float32 probabilities (B, H, W, classes);
        `encoder_layers` lists its encoder.

    Raises:
        WeightsNotFound: offline with nothing cached; says which file to put where.
        ValueError: there is no such variant; or the file holds other weights, or is not whole.
    """
    row = chosen(variant, [name for name, row in ENCODERS.items() if row.unet])
    inputs = keras.Input((None, None, channels), name="image")
    x = row.unet(row.key, classes, channels)(normalized(inputs, row))
    outputs = layers.Activation("softmax", dtype="float32", name="probabilities")(x)
    return load_encoder(keras.Model(inputs, outputs, name="efficientnet_unet"), weights)


def chosen(variant: str, choices: Iterable[str]) -> Encoder:
    """Return the row of an encoder; raise ValueError if it is none of the choices."""
    if variant not in choices:
        raise ValueError(f"variant={variant!r}: choose one of {', '.join(choices)}")
    return ENCODERS[variant]


def normalized(image, row: Encoder):
    """Bring raw pixels, 0–255, of any number of bands to what an encoder has learned on."""
    bands = np.arange(image.shape[-1]) % 3
    mean, deviation = np.array(row.mean)[bands], np.array(row.deviation)[bands]
    return layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist())(image)


def load_encoder(model: keras.Model, path: str | Path | None) -> keras.Model:
    """Copy pretrained weights, a file's or "imagenet" (None: none), into a model's encoder.

    The file and the encoder have the same weighted layers in the same order; Keras' EfficientNets
    have one more at the front, a Normalization, which the model's own rescaling replaces; files of
    EfficientNet-Lite go on with three that tell the classes of ImageNet.

    Raises:
        ValueError: the file holds other weights, or is not whole.
    """
    if not path:
        return model
    row, taken = _encoder(model)[1], [layer for layer in encoder_layers(model) if layer.weights]
    given = pretrained.read(pretrained.imagenet(row.key) if path == "imagenet" else path)
    given = given[1:] if len(given) == len(taken) + 1 else given[: len(taken)]
    if given and given[0][0].ndim == 4:
        kernel = given[0][0][:, :, :: -1 if row.blue_first else 1]
        given[0][0] = inflate(kernel, model.input_shape[-1])
    shapes = [[tuple(w.shape) for w in layer.weights] for layer in taken]
    if [[x.shape for x in arrays] for arrays in given] != shapes:
        raise ValueError(f"{path} does not hold the weights of {row.key}")
    for layer, arrays in zip(taken, given, strict=True):
        layer.set_weights(arrays)
    return model


def inflate(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Widen a convolution kernel of three bands to any number of bands.

    The red, green and blue weights are repeated in turn, and scaled by 3 / channels (as timm does):
    where channels is a multiple of three, an image whose bands are all alike gives the same answer
    as before. For a single band the three are summed.

    Args:
        kernel: (rows, columns, 3, filters).
        channels: bands of the new kernel.
    """
    bands = np.arange(channels) % 3
    return kernel.sum(2, keepdims=True) if channels == 1 else kernel[:, :, bands] * (3 / channels)


def encoder_layers(model: keras.Model) -> list[layers.Layer]:
    """Return the layers of a model that belong to its pretrained encoder, in order."""
    network, row = _encoder(model)
    names = [layer.name for layer in network.layers]
    end = names.index(row.last) + 1 if row.last in names else None  # all: an encoder cut short
    return network.layers[:end]


def freeze(model: keras.Model) -> None:
    """Hold the encoder still; its batch norms then use what they know, not the batch at hand."""
    unfreeze(model, share=0)


def unfreeze(model: keras.Model, share: float = 1, norms: bool = True) -> None:
    """Let the encoder learn. Compile again after `freeze` or `unfreeze`.

    Args:
        model: an `efficientnet_unet` or a `deeplabv3plus`.
        share: of the encoder's layers; those near the image stay frozen.
        norms: whether its batch norms learn, too; else they go on using what they know of ImageNet,
            which is steadier where batches are small, and faster.
    """
    found = encoder_layers(model)
    for left, layer in zip(range(len(found), 0, -1), found, strict=True):
        still = not norms and isinstance(layer, layers.BatchNormalization)
        layer.trainable = left <= share * len(found) and not still


def _encoder(model: keras.Model) -> tuple[keras.Model, Encoder]:
    """Return the network inside a model that holds its encoder, and its row of the table."""
    rows = {row.key: row for row in ENCODERS.values()}
    for layer in model.layers:
        if layer.name in rows:
            return layer, rows[layer.name]
    raise ValueError(f"{model.name} has no pretrained encoder: efficientnet_unet has one")
