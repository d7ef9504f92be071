"""segkit: the small library that the course Pixels to Maps teaches from.

`import segkit` is light: each room is loaded when it is first named, so TensorFlow comes in only
with the rooms that need it.
"""

import os
from importlib import import_module

# TensorFlow's start-up lines are no news to a learner; whoever wants them sets this variable.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

#: The road through the house: a room imports only rooms that stand before it.
ROOMS = (
    "files", "classes", "rasters", "datasets", "store", "patches", "pipeline", "weights", "models",
    "losses", "metrics", "evaluation", "training", "scenes", "cleanup", "basemaps", "maps",
    "webmap", "plots",
)  # fmt: skip


def __getattr__(name: str):
    if name in ROOMS:
        return import_module(f"segkit.{name}")
    raise AttributeError(f"module 'segkit' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *ROOMS])
