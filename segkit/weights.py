"""Weights that others have learned: fetched once, checked, kept, and read layer by layer.

Taught in notebook 04.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pooch
import requests

from segkit.files import cache_root, folder, progress

#: A download is given up when fewer than LEAST_BYTES arrive in TIMEOUT_S seconds.
TIMEOUT_S, LEAST_BYTES = 10.0, 100_000
_CHUNK = 2**14  # bytes


class WeightsNotFound(FileNotFoundError):
    """Pretrained weights are neither in the cache nor to be had; says where to put them."""


@dataclass(frozen=True)
class Source:
    """A file of weights on the web.

    Attributes:
        file: its name in the cache.
        address: where it is downloaded from.
        checksum: algorithm:digest.
    """

    file: str
    address: str
    checksum: str


_EFFICIENTNET = "efficientnet-b4_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
_RESNET = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
#: Where the ImageNet weights of an encoder are to be had, in the order in which they are tried.
SOURCES = {
    "efficientnetb4": (
        Source(  # the release of the efficientnet package that segmentation-models builds on
            _EFFICIENTNET,
            "https://github.com/Callidior/keras-applications/releases/download/efficientnet/"
            + _EFFICIENTNET,
            "sha256:7942c1407ff1feb34113995864970cd4d9d91ea64877e8d9c38b6c1e0767c411",
        ),
        Source(  # Keras' own
            "efficientnetb4_notop.h5",
            "https://storage.googleapis.com/keras-applications/efficientnetb4_notop.h5",
            "md5:ebc24e6d6c33eaebbd558eafbeedf1ba",
        ),
    ),
    "resnet50": (
        Source(
            _RESNET,
            f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{_RESNET}",
            "md5:4d473c1dd8becc155b73f8504c6f6626",
        ),
    ),
}


def cache() -> Path:
    """Return the folder of downloaded weights: `SEGKIT_WEIGHTS`, or the user's cache."""
    return folder("SEGKIT_WEIGHTS", cache_root())


def imagenet(encoder: str) -> Path:
    """Return the path of an encoder's ImageNet weights, downloaded once.

    Args:
        encoder: a key of `SOURCES`.

    Raises:
        WeightsNotFound: not cached, and no source answered, or what came was broken; says which
            file to put where. Each source is given up after `TIMEOUT_S` seconds without progress.
    """
    sources, failures = SOURCES[encoder], []
    for source in sorted(sources, key=lambda source: not (cache() / source.file).exists()):
        try:
            return _retrieve(source)
        except (OSError, ValueError) as error:  # ValueError: the checksum does not match
            reason = "wrong checksum" if isinstance(error, ValueError) else type(error).__name__
            failures.append(f"{source.address}: {reason}")
    files = " or ".join(source.file for source in sources)
    raise WeightsNotFound(
        f"the pretrained weights could not be had ({'; '.join(failures)}). Put {files} into the "
        f"folder {cache()}, or go on with weights=None."
    )


def _retrieve(source: Source) -> Path:
    """Return the checked file, from the cache or else from the web."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # its lines name folders of the machine
    try:
        found = pooch.retrieve(
            source.address, source.checksum, source.file, cache(), downloader=_download
        )
    finally:
        logger.setLevel(level)
    return Path(found)


def _download(address: str, output_file: str, _pooch) -> None:
    """Download in the background, and give up on a server that sends too little.

    A limit on the whole download would stop a slow network; one on the wait for the next byte
    lets a server hold the notebook for hours. So it is a limit on the bytes of `TIMEOUT_S` seconds.
    """
    state = {"total": None, "done": 0, "stop": False, "error": None}
    thread = threading.Thread(target=_transfer, args=(address, output_file, state), daemon=True)
    thread.start()
    mark, since = 0, time.monotonic()
    with progress(None, "weights", unit="B", unit_scale=True) as bar:
        while thread.is_alive():
            thread.join(0.1)
            bar.total = state["total"]
            bar.update(state["done"] - bar.n)
            if state["done"] >= mark + LEAST_BYTES:
                mark, since = state["done"], time.monotonic()
            elif time.monotonic() > since + TIMEOUT_S:
                state["stop"] = True
                raise TimeoutError(f"fewer than {LEAST_BYTES:,} bytes in {TIMEOUT_S:g} s")
    if state["error"]:
        raise state["error"]


def _transfer(address: str, output_file: str, state: dict) -> None:
    try:
        with requests.get(address, stream=True, timeout=TIMEOUT_S) as response:
            response.raise_for_status()
            state["total"] = int(response.headers.get("Content-Length", 0)) or None
            with Path(output_file).open("wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    if state["stop"]:
                        return
                    file.write(chunk)
                    state["done"] += len(chunk)
    except Exception as error:  # handed to the thread that waits
        state["error"] = error


def read(path: str | Path) -> list[list[np.ndarray]]:
    """Read a Keras HDF5 file of weights: a list of arrays for each weighted layer, in order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file; a truncated one included.
    """
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            groups = (root[name] for name in root.attrs["layer_names"])
            found = [[g[name][()] for name in g.attrs["weight_names"]] for g in groups]
    except FileNotFoundError:
        raise
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{path} holds no layers in Keras' HDF5 format: is it the whole file?"
        ) from error
    return [arrays for arrays in found if arrays]


def inflate(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Widen a convolution kernel of three bands to any number of bands.

    The red, green and blue weights are repeated in turn, and scaled so that an image whose bands
    are all alike gives the same answer as before (as timm does).

    Args:
        kernel: (rows, columns, 3, filters).
        channels: bands of the new kernel.
    """
    bands = np.arange(channels) % kernel.shape[2]
    return kernel[:, :, bands] * (kernel.shape[2] / channels)
