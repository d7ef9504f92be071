"""segkit: the small library that the course Pixels to Maps teaches from.

`import segkit` is light: each room is loaded when it is first named, so TensorFlow comes in only
with the rooms that need it.
"""

import os
from importlib import import_module

# For GDAL, unless you say otherwise: seconds of silence until a web address is given up.
_WEB = {"GDAL_HTTP_CONNECTTIMEOUT": "10", "GDAL_HTTP_LOW_SPEED_TIME": "10"}
# How often GDAL tries again. For TensorFlow, unless you say otherwise: no start-up lines; oneDNN,
# half as fast again where it is not the default, on CPUs of before AVX-512 VNNI; of a GPU's memory,
# no more than is needed.
_USUAL = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", "GDAL_HTTP_MAX_RETRY": "2"}
os.environ |= {**_USUAL, **_WEB, "TF_FORCE_GPU_ALLOW_GROWTH": "true"} | os.environ

__version__ = "0.1.0"

#: The road through the house: a room imports only rooms that stand before it.
ROOMS = (
    "files", "classes", "rasters", "domain", "datasets", "store", "patches", "pipeline", "weights",
    "models", "losses", "metrics", "evaluation", "plots", "tracking", "training", "scenes",
    "cleanup", "basemaps", "maps", "webmap", "app", "scale", "cli",
)  # fmt: skip


def __getattr__(name: str):
    if name in ROOMS:
        return import_module(f"segkit.{name}")
    raise AttributeError(f"module 'segkit' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *ROOMS])
