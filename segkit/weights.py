"""Weights that others have learned: fetched once, checked, kept, and read layer by layer.

Taught in notebook 04.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pooch

from segkit.files import cache_root, folder, progress

#: A source is given up when it is silent for so many seconds. The wait for the next bytes is what
#: is bounded, not the whole transfer: a slow line may take its time.
TIMEOUT_S = 10.0
_CHUNK = 2**16  # bytes


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


def _source(address: str, checksum: str) -> Source:
    return Source(address.rpartition("/")[2], address, checksum)


#: EfficientNets: the release that segmentation-models builds on, with its SHA-256 …
_RELEASE = (
    "https://github.com/Callidior/keras-applications/releases/download/efficientnet/"
    "efficientnet-{}_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"
)
_RELEASED = {
    "b0": "c1421ad80a9fc67c2cc4000f666aa50789ce39eedb4e06d531b0c593890ccff3",
    "b4": "7942c1407ff1feb34113995864970cd4d9d91ea64877e8d9c38b6c1e0767c411",
}
#: … and Keras' own, with its MD5.
_OWN = "https://storage.googleapis.com/keras-applications/efficientnet{}_notop.h5"
_OWNED = {"b0": "50bc09e76180e00e4465e1a485ddc09d", "b4": "ebc24e6d6c33eaebbd558eafbeedf1ba"}
_RESNET = (
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
#: Where the ImageNet weights of an encoder are to be had, in the order in which they are tried.
SOURCES = {
    f"efficientnet{version}": (
        _source(_RELEASE.format(version), f"sha256:{_RELEASED[version]}"),
        _source(_OWN.format(version), f"md5:{_OWNED[version]}"),
    )
    for version in _RELEASED
}
SOURCES["resnet50"] = (_source(_RESNET, "md5:4d473c1dd8becc155b73f8504c6f6626"),)


def cache() -> Path:
    """Return the folder of downloaded weights: `SEGKIT_WEIGHTS`, or the user's cache."""
    return folder("SEGKIT_WEIGHTS", cache_root())


def imagenet(encoder: str) -> Path:
    """Return the path of an encoder's ImageNet weights, downloaded once.

    Args:
        encoder: a key of `SOURCES`.

    Raises:
        WeightsNotFound: not cached, and no source answered, or what came was broken; says which
            file to put where. Each source is given up after `TIMEOUT_S` seconds of silence.
    """
    failures = []
    for source in sorted(SOURCES[encoder], key=lambda x: not (cache() / x.file).exists()):
        try:
            return _retrieve(source)
        except (OSError, ValueError) as error:  # ValueError: the checksum does not match
            reason = "wrong checksum" if isinstance(error, ValueError) else type(error).__name__
            failures.append(f"{source.address}: {reason}")
    files = " or ".join(source.file for source in SOURCES[encoder])
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
        options = {"fname": source.file, "path": cache(), "downloader": _download}
        return Path(pooch.retrieve(source.address, source.checksum, **options))
    finally:
        logger.setLevel(level)


def _download(address: str, output_file: str, owner) -> None:
    """Download a file under a bar; pooch sets the bar's total once the server has told it."""
    with progress(None, "weights", total=1, unit="B", unit_scale=True) as bar:
        pooch.HTTPDownloader(bar, _CHUNK, timeout=TIMEOUT_S)(address, output_file, owner)


def read(path: str | Path) -> list[list[np.ndarray]]:
    """Read a Keras HDF5 file of weights: a list of arrays for each weighted layer, in order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file; a truncated one included.
    """
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            groups = [root[name] for name in root.attrs["layer_names"]]
            found = [[group[name][()] for name in group.attrs["weight_names"]] for group in groups]
            return [arrays for arrays in found if arrays]
    except FileNotFoundError:
        raise
    except (OSError, KeyError) as error:
        raise ValueError(f"{path}: no layers as in Keras' HDF5; is it the whole file?") from error
