"""The networks: a U-Net from scratch, and one whose encoder is an EfficientNet-B4.

Taught in notebooks 03 and 04. Every model takes raw pixels, 0–255, of any height and width that is
a multiple of 32, normalizes them inside, and returns float32 probabilities (B, H, W, classes).
"""

import contextlib
import io
import os
import warnings
from pathlib import Path

import keras
import pooch
from keras import layers

#: Batch statistics of small batches and short trainings settle faster than with Keras' 0.99.
BATCH_NORM_MOMENTUM = 0.9
#: ImageNet mean and deviation per channel (R, G, B) on a scale of 0–1.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Keras' official EfficientNet-B4 without its classifier.
B4_FILE = "efficientnetb4_notop.h5"
B4_ADDRESS = f"https://storage.googleapis.com/keras-applications/{B4_FILE}"
B4_MD5 = "md5:ebc24e6d6c33eaebbd558eafbeedf1ba"
DOWNLOAD_TIMEOUT_S = 10


class WeightsNotFound(FileNotFoundError):
    """Pretrained weights are neither in the cache nor to be had; says where to put them."""


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


def unet(classes: int, width: int = 64, depth: int = 4, channels: int = 3) -> keras.Model:
    """Build a U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597), with batch normalization.

    Args:
        classes: number of classes.
        width: filters of the first block; each level down doubles them (64 to 1024 by default).
        depth: how many times the size is halved; 1 to 5.
        channels: bands of the image.

    Returns:
        A model of images (B, H, W, channels), 0–255 → float32 probabilities (B, H, W, classes).
    """
    if classes < 2 or width < 1 or channels < 1 or not 1 <= depth <= 5:
        raise ValueError(
            f"classes={classes}, width={width}, depth={depth}, channels={channels}: at least two "
            "classes, one filter and one channel, and a depth of 1 to 5"
        )
    inputs = keras.Input((None, None, channels), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    skips = []
    for level in range(depth):
        x, skip = down_block(x, width * 2**level)
        skips.append(skip)
    x = conv_block(x, width * 2**depth)
    for level in reversed(range(depth)):
        x = up_block(x, skips[level], width * 2**level)
    return keras.Model(inputs, probabilities(x, classes), name=f"unet_{width}")


def probabilities(x, classes: int):
    """Score each class in each pixel, and turn scores into float32 probabilities."""
    scores = layers.Conv2D(classes, 1, name="scores")(x)
    return layers.Activation("softmax", dtype="float32", name="probabilities")(scores)


def efficientnet_unet(classes: int, weights: str | Path | None = "imagenet") -> keras.Model:
    """Build segmentation-models' U-Net on an EfficientNet-B4 (Tan and Le 2019, arXiv:1905.11946).

    Args:
        classes: number of classes.
        weights: "imagenet" (downloaded once, then kept), the path of Keras' official no-top file,
            or None for random weights.

    Returns:
        A model of images (B, H, W, 3), 0–255 → float32 probabilities (B, H, W, classes);
        `encoder_layers` lists its encoder.

    Raises:
        WeightsNotFound: offline with nothing cached; says which file to put where.
    """
    path = imagenet_weights() if weights == "imagenet" else weights
    network = _segmentation_models().Unet(
        "efficientnetb4",
        input_shape=(None, None, 3),
        encoder_weights=None,
        classes=classes,
        activation="linear",
    )
    network = keras.models.clone_model(network, clone_function=_plain_layer)
    inputs = keras.Input((None, None, 3), name="image")
    scale = [1 / (255 * deviation) for deviation in IMAGENET_DEVIATION]
    offset = [-m / d for m, d in zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)]
    x = network(layers.Rescaling(scale, offset=offset)(inputs))
    outputs = layers.Activation("softmax", dtype="float32", name="probabilities")(x)
    model = keras.Model(inputs, outputs, name="efficientnet_unet")
    if path:
        load_encoder(model, path)
    return model


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


def encoder_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of an `efficientnet_unet` that belong to its encoder, in order."""
    network = _network(model)
    names = [layer.name for layer in network.layers]
    return network.layers[: names.index("top_activation") + 1]


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
    """Copy the weights of Keras' EfficientNet-B4 file into the encoder, layer by layer.

    Both networks have the same weighted layers in the same order; Keras' has one more at the front,
    a Normalization, which the model's own rescaling replaces.
    """
    official = keras.applications.EfficientNetB4(include_top=False, weights=None)
    official.load_weights(path)
    given = [x for x in official.layers if x.weights and not isinstance(x, layers.Normalization)]
    taken = [x for x in encoder_layers(model) if x.weights]
    for source, target in zip(given, taken, strict=True):
        target.set_weights(source.get_weights())


def imagenet_weights() -> Path:
    """Return the path of the EfficientNet-B4 weights, downloaded once.

    Raises:
        WeightsNotFound: not cached, and the download failed; says which file to put where.
    """
    cache = Path(os.environ.get("SEGKIT_WEIGHTS") or pooch.os_cache("segkit"))
    pooch.get_logger().setLevel("ERROR")  # its lines name folders of the machine
    fetch = pooch.HTTPDownloader(progressbar=True, timeout=DOWNLOAD_TIMEOUT_S)
    try:
        found = pooch.retrieve(B4_ADDRESS, B4_MD5, fname=B4_FILE, path=cache, downloader=fetch)
    except (OSError, ValueError) as error:
        raise WeightsNotFound(
            f"the pretrained weights could not be downloaded ({type(error).__name__}). Put "
            f"{B4_FILE} from {B4_ADDRESS} into the folder {cache}, or go on with weights=None."
        ) from error
    return Path(found)


def _network(model: keras.Model) -> keras.Model:
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(inner) != 1:
        raise ValueError(f"{model.name} has no pretrained encoder: build it by efficientnet_unet")
    return inner[0]


def _segmentation_models():
    """Import segmentation-models on Keras 3, without the line and the warnings it brings."""
    os.environ.setdefault("SM_FRAMEWORK", "tf.keras")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import segmentation_models
    return segmentation_models
