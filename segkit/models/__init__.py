"""The networks: U-Net, Attention U-Net, and two with a pretrained encoder.

Taught in notebooks 03, 04 and 08. Every model takes raw pixels, 0–255, of any height and width that
is a multiple of 32, normalizes them inside, and returns float32 probabilities (B, H, W, classes);
`models.predict` takes any size, Keras' own `predict` one size for each model. `model.options` says
what a model was built with.
"""
# ruff: noqa: F401, I001 (names that are there to be used as models.name)

from segkit.models.attention import attention_unet, gate
from segkit.models.deeplab import deeplabv3plus
from segkit.models.encoders import (
    ENCODERS, IMAGENET_DEVIATION, IMAGENET_MEAN, RESNET_MEAN, efficientnet_unet, encoder_layers,
    freeze, inflate, load_encoder, segmentation_models, silence, unfreeze,
)  # fmt: skip
from segkit.models.engines import Engine, export
from segkit.models.files import SHIPPED, load, located
from segkit.models.unet import conv_block, down_block, predict, probabilities, unet, up_block
