"""Models without Keras: what is written, what other programs read of it, the same maps."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import rasterio
from helpers import scene_of, write

from segkit import models, scenes, training
from segkit.classes import DUBAI
from segkit.datasets import Card
from segkit.models import engines

onnxruntime = pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino")

#: Values of a sensor whose pixels are no bytes: what becomes 0 and 255 in each band.
RANGES = [(100, 3000), (0, 2000), (250, 900)]


def saved(path: Path, **card) -> Path:
    """Save a little U-Net that has learned nothing, but whose classes all appear."""
    keras.utils.set_random_seed(3)
    model = models.unet(6, width=4, depth=2)
    return training.save(model, path, DUBAI, Card("made up", DUBAI, **card))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("models") / "little.keras", gsd=0.5)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


def test_a_model_in_bfloat16_is_run_by_engines_too(tmp_path):
    """That of a training on a modern GPU."""
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        path = saved(tmp_path / "half.keras")
        found = [models.predict(training.load(path, one), images) for one in ("onnx", "openvino")]
    finally:
        keras.config.set_dtype_policy("float32")
    plain = models.unet(6, width=4, depth=2)
    plain.set_weights(training.load(path).get_weights())
    assert np.allclose(found[0], models.predict(plain, images), atol=1e-4)
    assert np.allclose(found[1], found[0], atol=0.02)  # OpenVINO may use bfloat16 itself


def as_qgis_maps(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Map pixels (bands, H, W) as the plugin Deepness does: tile by tile, by the metadata alone."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["model_type"]).capitalize() == "Segmentor"
    size, entry = json.loads(told["tiles_size"]), session.get_inputs()[0]
    assert entry.shape[1:] == [len(pixels), size, size] and json.loads(told["tile_size"]) == size
    mean, std = (json.loads(told[f"standardization_{name}"]) for name in ("mean", "std"))
    answer = np.zeros(pixels.shape[1:], np.uint8)
    for row in range(0, pixels.shape[1], size):
        for column in range(0, pixels.shape[2], size):
            tile = pixels[:, row : row + size, column : column + size].astype(np.float32) / 255
            tile = (tile - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
            found = session.run(None, {entry.name: tile[None].astype(np.float32)})[0][0]
            answer[row : row + size, column : column + size] = found.argmax(axis=0)
    return answer


def mapped(model, scene: Path, target: Path) -> np.ndarray:
    with rasterio.open(scenes.predict(model, scene, target, window=64, overlap=0)) as found:
        return found.read(1)


@pytest.mark.parametrize(
    "card", [{}, {"dtype": "uint16", "ranges": RANGES}], ids=["uint8", "uint16"]
)
def test_qgis_maps_as_the_library_does(card, tmp_path):
    model = training.load(saved(tmp_path / "m.keras", **card))
    target = models.export(model, tmp_path / "out" / "m.onnx", size=64)
    pixels = np.random.default_rng(0).integers(0, 2500 if card else 256, (3, 128, 192))
    scene = write(tmp_path / "scene.tif", pixels.astype(card.get("dtype", "uint8")))
    ours = mapped(model, scene, tmp_path / "map.tif")
    assert len(np.unique(ours)) > 1
    theirs = as_qgis_maps(target, pixels)
    assert (ours == theirs).mean() > 0.9999  # two classes may be equal but for rounding
    assert sorted(file.name for file in target.parent.iterdir()) == ["m.onnx"]


def test_the_metadata_hold_classes_pixels_and_card(path, tmp_path):
    target = models.export(training.load(path), tmp_path / "m.onnx", size=32)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["class_names"]) == {str(i): x for i, x in enumerate(DUBAI.names)}
    assert json.loads(told["resolution"]) == 50 and json.loads(told["tiles_overlap"]) == 50
    assert Card.from_json(told["card"]) == training.load(path).card


def test_openvino_gets_two_files_and_answers_alike(path, tmp_path):
    model = training.load(path)
    target = models.export(model, tmp_path / "m.xml", size=64)
    assert sorted(file.name for file in tmp_path.glob("m.*")) == ["m.bin", "m.xml"]
    network = openvino.Core().read_model(target)
    card = network.get_rt_info(["model_info", "card"]).astype(str)
    assert Card.from_json(card) == model.card
    images = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    found = openvino.Core().compile_model(network, "CPU", exact)(np.moveaxis(images, -1, 1))[0]
    expected = models.predict(model, 255 * images)
    assert np.allclose(np.moveaxis(found, 1, -1), expected, atol=1e-4)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_an_engine_maps_as_keras_does(engine, path, tmp_path, cache):
    scene = write(tmp_path / "scene.tif", scene_of((70, 90)))
    ours = mapped(training.load(path), scene, tmp_path / "ours.tif")
    model = training.load(path, engine=engine)
    theirs = mapped(model, scene, tmp_path / "theirs.tif")
    assert (ours == theirs).mean() > (0.9999 if engine == "onnx" else 0.98)  # or in 16 bits
    with rasterio.open(tmp_path / "theirs.tif") as found:
        assert found.tags()["card"] == model.card.to_json()
    kept = list(cache.iterdir())
    before = kept[0].stat().st_mtime_ns
    again = training.load(path, engine=engine)
    assert np.array_equal(mapped(again, scene, tmp_path / "again.tif"), theirs)
    assert list(cache.iterdir()) == kept and kept[0].stat().st_mtime_ns == before
    images = np.zeros((1, 50, 40, 3), np.float32)  # of another size: another program
    assert models.predict(again, images, tta=True).shape == (1, 50, 40, 6)


def test_what_cannot_be_written_or_run_is_told(path, tmp_path, monkeypatch):
    model = training.load(path)
    with pytest.raises(ValueError, match=r"becomes \.onnx or \.xml"):
        models.export(model, tmp_path / "m.tflite")
    with pytest.raises(ValueError, match="a model with a card"):
        models.export(models.unet(3, 4, 1), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="choose one of tensorflow, onnx, openvino"):
        training.load(path, engine="abacus")
    monkeypatch.setattr(engines, "find_spec", lambda name: name != "openvino")
    with pytest.raises(ImportError, match=r"openvino is missing: .*segkit\[export\]"):
        training.load(path, engine="openvino")
    assert not list(tmp_path.glob("m.*"))


def test_an_export_that_fails_leaves_nothing(path, tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    model = training.load(path)
    monkeypatch.setattr(engines.shutil, "copyfile", broken)
    with pytest.raises(OSError, match="disk full"):
        models.export(model, tmp_path / "m.onnx", size=32)
    assert not list(tmp_path.glob("*m.onnx"))


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8"])
def test_an_engine_takes_what_keras_takes(dtype, path):
    images = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3)).astype(dtype)
    found = training.load(path, engine="onnx").predict_on_batch(images)
    assert np.allclose(found, training.load(path).predict_on_batch(images), atol=1e-4)
