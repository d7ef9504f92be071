"""Models without Keras: as ONNX or OpenVINO for other programs, such as QGIS, or run by them here.

Taught in notebooks 12 and 14.
"""

import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
from keras import ops

from segkit.files import cache_root, whole
from segkit.models.encoders import silence

#: What runs a model: the name that `load` takes, and the package behind it.
ENGINES = {"tensorflow": "keras", "onnx": "onnxruntime", "openvino": "openvino"}


def export(model: keras.Model, path: str | Path, size: int = 256) -> Path:
    """Write a model for other programs; needs the extra `export`.

    The network takes windows float32 (B, bands, size, size): pixels divided by 255, less the mean,
    divided by the deviation that its metadata state, and gives probabilities (B, classes, size,
    size). So does the plugin Deepness of QGIS, which reads the rest of the metadata, too.

    Args:
        model: with a `.card`, as `training.fit` and `training.load` give it.
        path: `.onnx` for ONNX; `.xml` for OpenVINO, with a `.bin` beside it.
        size: pixels of a window, both ways; a multiple of 32.

    Returns:
        `path`.

    Raises:
        ValueError: another ending, or a model without a card.
        ImportError: a package of the extra is missing.
    """
    path, card = Path(path), getattr(model, "card", None)
    if path.suffix not in (".onnx", ".xml") or not (card and card.ranges):
        raise ValueError(f"{path.name}: a model with a card becomes .onnx or .xml")
    _check("openvino" if path.suffix == ".xml" else "onnx")
    low, high = np.array(card.ranges).T / 255
    told = {"model_type": "Segmentor", "class_names": dict(enumerate(card.scheme.names))}
    told |= {"resolution": 100 * card.gsd if card.gsd else None, "card": json.loads(card.to_json())}
    told |= {"tile_size": size, "tiles_size": size, "tiles_overlap": 50, "seg_thresh": 0.0}
    told |= {"standardization_mean": low.tolist(), "standardization_std": (high - low).tolist()}
    told = {key: json.dumps(value) for key, value in told.items() if value is not None}
    with TemporaryDirectory() as folder:
        made = Path(folder) / path.with_suffix(".onnx").name
        _write(model, made, (size, size), told)
        if path.suffix == ".xml":
            import openvino

            network = openvino.Core().read_model(made)
            for key, value in told.items():
                network.set_rt_info(value, ["model_info", key])
            openvino.save_model(network, made.with_suffix(".xml"), compress_to_fp16=False)
            made.unlink()
        for file in sorted(Path(folder).iterdir()):  # .bin first: who sees the .xml, has both
            with whole(path.with_suffix(file.suffix)) as part:
                shutil.copyfile(file, part)
    return path


def _write(model: keras.Model, path: Path, size: tuple[int, int], told: dict[str, str]) -> None:
    """Write a model as ONNX, channels first, for windows of one size, with its metadata.

    Its program computes in float32: other programs multiply no bfloat16.
    """
    import onnx

    told_of = keras.Model(model.inputs, model.outputs).to_json().replace("mixed_b", "mixed_")
    same = keras.models.model_from_json(told_of.replace("mixed_float16", "float32"))
    same.set_weights(model.get_weights())
    image = keras.Input((model.input_shape[-1], *size), name="image", dtype="float32")
    x = ops.clip(255 * ops.transpose(image, (0, 2, 3, 1)), 0, 255)
    plain = keras.Model(image, ops.transpose(keras.tree.flatten(same(x))[0], (0, 3, 1, 2)))
    plain.predict_on_batch(np.zeros((1, *image.shape[1:]), np.float32))  # export wants it called
    with silence():
        plain.export(path, format="onnx", verbose=False)
    network = onnx.load(path)
    onnx.helper.set_model_props(network, told)
    onnx.save(network, path)


def _check(engine: str) -> None:
    """Raise if there is no such engine, or its packages are missing."""
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}: choose one of {', '.join(ENGINES)}")
    for package in (ENGINES[engine], "tf2onnx", "onnx"):
        if not find_spec(package):
            raise ImportError(f"{package} is missing: pip install 'segkit[export]'")


class Engine:
    """A model that another engine than Keras runs: `predict_on_batch`, scheme, card, record.

    Its program is written once for each size of a window, and kept in the user's cache.
    """

    def __init__(self, model: keras.Model, engine: str, path: Path):
        _check(engine)
        self.model, self.engine, self.ready, self.input_shape = model, engine, {}, model.input_shape
        self.scheme, self.card, self.record = model.scheme, model.card, model.record
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities float32 (B, H, W, classes) of images (B, H, W, bands), 0–255."""
        height, width = size = images.shape[1:3]
        if size not in self.ready:
            path = cache_root() / "engines" / f"{self.digest}-f32-{height}x{width}.onnx"
            if not path.exists():
                with whole(path) as part:
                    _write(self.model, part, size, {})
            self.ready[size] = _program(self.engine, path)
        windows = np.ascontiguousarray(np.moveaxis(images, -1, 1), np.float32) / np.float32(255)
        return np.moveaxis(self.ready[size](windows), 1, -1)


def _program(engine: str, path: Path):
    """Return what answers windows (B, bands, H, W); OpenVINO in the CPU's fastest precision."""
    if engine == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda windows: session.run(None, {"image": windows})[0]
    import openvino

    program = openvino.Core().compile_model(path, "CPU")
    return lambda windows: program(windows)[0]
