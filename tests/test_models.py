"""The networks: shapes, probabilities, saving, pretrained encoder."""

import contextlib
import hashlib
import http.server
import os
import subprocess
import sys
import threading
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from segkit import models, weights


@pytest.fixture(scope="module")
def built():
    """One small model of each kind; building the large ones takes a while."""
    return {
        "unet": models.unet(6, width=8),
        "attention_unet": models.attention_unet(6, width=8),
        "deeplabv3plus": models.deeplabv3plus(6, weights=None),
        "efficientnet_unet": models.efficientnet_unet(6, weights=None),
    }


KINDS = ("unet", "attention_unet", "deeplabv3plus", "efficientnet_unet")
#: skip connections of the EfficientNet, from 1/2 to 1/32; both networks name them alike.
SKIPS = [f"block{stage}_expand_activation" for stage in ("2a", "3a", "4a", "6a")]
SKIPS.append("top_activation")


def picture(height, width, count=1, channels=3):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_have_the_size_of_the_image(built, kind):
    for height, width in [(32, 32), (64, 96), (160, 32), (512, 32), (32, 512), (256, 256)]:
        answer = np.asarray(built[kind](picture(height, width)))
        assert answer.shape == (1, height, width, 6) and answer.dtype == np.float32
        assert np.allclose(answer.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "nearest"), [((100, 64), "96×64"), ((48, 33), "64×32|32×32"), ((7, 31), "32×32")]
)
def test_other_sizes_are_refused_with_the_nearest_valid_one(built, kind, size, nearest):
    with pytest.raises(ValueError, match=f"{size[0]}×{size[1]} pixels.*valid size is ({nearest})"):
        built[kind](picture(*size))
    with pytest.raises(ValueError, match="nearest valid size"):
        built[kind].predict(picture(*size), verbose=0)


@pytest.mark.parametrize("build", [
    lambda: models.unet(3, width=4, channels=14),
    lambda: models.attention_unet(3, width=4, channels=1),
    lambda: models.deeplabv3plus(3, weights=None, channels=4),
    lambda: models.efficientnet_unet(3, weights=None, channels=5),
])  # fmt: skip
def test_any_number_of_bands(build):
    model = build()
    answer = np.asarray(model(picture(64, 32, channels=model.input_shape[-1])))
    assert answer.shape == (1, 64, 32, 3)


def test_weights_of_the_known_widths():
    assert models.unet(6, width=16).count_params() == 1_945_606
    assert models.unet(6, width=64).count_params() == 31_049_734
    filters = [x.filters for x in models.unet(6).layers if isinstance(x, keras.layers.Conv2D)]
    assert filters[0] == 64 and max(filters) == 1024


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"depth": 0}, {"depth": 6}, {"width": 0}])
def test_impossible_networks_are_refused(wrong):
    with pytest.raises(ValueError, match="depth"):
        models.unet(**{"classes": 3, **wrong})


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("build", [
    lambda: models.unet(3, width=4),
    lambda: models.attention_unet(3, width=4),
    lambda: models.deeplabv3plus(3, weights=None),
    lambda: models.efficientnet_unet(3, weights=None),
])  # fmt: skip
def test_probabilities_stay_float32_in_mixed_precision(build, policy):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = build()
        assert {x.compute_dtype for x in model.layers[2:-1]} == {policy.removeprefix("mixed_")}
        answer = np.asarray(model(picture(64, 64)))
    finally:
        keras.config.set_dtype_policy(before)
    assert answer.dtype == np.float32 and np.isfinite(answer).all()
    assert np.allclose(answer.sum(axis=-1), 1, atol=1e-5)


def test_saved_models_load_alone_and_answer_alike(built, tmp_path):
    image = picture(64, 96)
    np.save(tmp_path / "image.npy", image)
    for kind, model in built.items():
        model.save(tmp_path / f"{kind}.keras")
    code = f"""
import keras, numpy as np, pathlib
home = pathlib.Path({str(tmp_path)!r})
image = np.load(home / "image.npy")
for path in home.glob("*.keras"):
    model = keras.models.load_model(path, safe_mode=True)
    np.save(path.with_suffix(".npy"), model(image, training=False))
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    for kind, model in built.items():
        answer = np.load(tmp_path / f"{kind}.npy")
        assert np.array_equal(answer, model(image, training=False)), kind


def test_jax_gives_the_same_answers(built, tmp_path):
    pytest.importorskip("jax")
    image, kinds = picture(64, 96), ("unet", "attention_unet", "deeplabv3plus")
    np.save(tmp_path / "image.npy", image)
    for kind in kinds:
        built[kind].save(tmp_path / f"{kind}.keras")
    code = f"""
import sys, keras, numpy as np, pathlib
from segkit import models
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
home = pathlib.Path({str(tmp_path)!r})
for path in home.glob("*.keras"):
    options = dict(weights=None) if path.stem == "deeplabv3plus" else dict(width=8)
    rebuilt = getattr(models, path.stem)(6, **options)
    model = keras.models.load_model(path)
    assert [w.shape for w in rebuilt.weights] == [w.shape for w in model.weights]
    np.save(path.with_suffix(".npy"), model.predict(np.load(home / "image.npy"), verbose=0))
from segkit import losses, metrics
model = models.unet(6, 4)
model.compile("sgd", losses.dice, metrics=[metrics.MeanIoU(6, 5)])
mask = np.zeros((1, 64, 96), np.uint8)
history = model.fit(np.load(home / "image.npy"), mask, verbose=0).history
assert 0 <= history["miou"][0] <= 1
"""
    hasty = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    # Compiled in less time; the answers are the same.
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": hasty}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for kind in kinds:
        answer = np.load(tmp_path / f"{kind}.npy")
        assert np.abs(answer - built[kind].predict(image, verbose=0)).max() < 1e-4, kind


@pytest.mark.parametrize("kind", KINDS)
def test_overfits_one_batch(kind):
    """Squares of four colors on a gray ground: to be learned by heart."""
    keras.utils.set_random_seed(0)
    small = {"width": 8} if kind in ("unet", "attention_unet") else {"weights": None}
    model = getattr(models, kind)(5, **small)
    image, mask = np.full((2, 64, 64, 3), 128, np.float32), np.zeros((2, 64, 64), np.uint8)
    colors = [(230, 60, 60), (60, 200, 80), (70, 90, 220), (240, 230, 90)]
    for index, color in enumerate(colors):
        place = np.s_[index % 2, 8 + 24 * (index // 2) :, 4 + 12 * index :]
        image[place], mask[place] = color, index + 1
    accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
    descent = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(descent, "sparse_categorical_crossentropy", metrics=[accuracy])
    descent.build(model.trainable_variables)
    for _ in range(60):
        model.reset_metrics()
        found = model.train_on_batch(image, mask, return_dict=True)
        if found["accuracy"] > 0.97:
            break
    assert found["accuracy"] > 0.95


def features(network, names, first=None):
    """Return a model of what some layers answer, from the network's input or that of a layer."""
    start = network.get_layer(first).input if first else network.input
    return keras.Model(start, [network.get_layer(name).output for name in names])


def settled(network):
    """Give batch norms statistics that random weights do not have, so that no level dies out."""
    rng = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


def keras_layout(path):
    """Keras' own network, random weights, in a file as Keras' server has it."""
    network = settled(keras.applications.EfficientNetB4(include_top=False, weights=None))
    write_no_top(path, network)
    return features(network, SKIPS, first="stem_conv_pad")


def package_layout(path):
    """The network of the efficientnet package, random weights, in the layout of its release."""
    with models._silence():
        models._segmentation_models()
        from efficientnet import tfkeras

        network = tfkeras.EfficientNetB4(include_top=False, weights=None)
    settled(network)
    write_no_top(path, network)
    return features(network, SKIPS)


def write_no_top(path, network):
    """Let Keras write its HDF5 format of weights, as both releases use it."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)


@pytest.mark.parametrize("layout", [keras_layout, package_layout])
def test_a_downloaded_encoder_gives_the_same_features(layout, built, tmp_path, monkeypatch):
    theirs = layout(tmp_path / "notop.h5")
    content = (tmp_path / "notop.h5").read_bytes()
    with served(content) as address:
        monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path / "cache"))
        source = weights.Source("b4.h5", address, "md5:" + hashlib.md5(content).hexdigest())
        monkeypatch.setitem(weights.SOURCES, "efficientnetb4", (source,))
        models.load_encoder(built["efficientnet_unet"], weights.imagenet("efficientnetb4"))
    ours = features(models._network(built["efficientnet_unet"]), SKIPS)
    image = (picture(96, 64) / 255 - models.IMAGENET_MEAN) / models.IMAGENET_DEVIATION
    for mine, given in zip(ours(image), theirs(image), strict=True):
        assert np.abs(given).max() > 1e-3
        np.testing.assert_allclose(mine, given, atol=1e-4, rtol=1e-4)


@contextlib.contextmanager
def served(content):
    """Serve some bytes on loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/b4.h5"
        server.shutdown()


def test_keras_three_weights_files_load_too(built, tmp_path):
    official = settled(keras.applications.EfficientNetB4(include_top=False, weights=None))
    official.save_weights(tmp_path / "b4.weights.h5")
    models.load_encoder(built["efficientnet_unet"], tmp_path / "b4.weights.h5")
    stem = models._network(built["efficientnet_unet"]).get_layer("stem_conv").get_weights()[0]
    np.testing.assert_array_equal(stem, official.get_layer("stem_conv").get_weights()[0])


def test_resnet_weights_are_turned_from_blue_first_to_red_first(tmp_path):
    plain = settled(keras.applications.ResNet50(include_top=False, weights=None))
    write_no_top(tmp_path / "notop.h5", plain)
    model = models.deeplabv3plus(3, weights=tmp_path / "notop.h5")
    image = picture(64, 64)
    caffe = image[..., ::-1] - np.array(models.RESNET_MEAN[::-1], np.float32)
    theirs = features(plain, ["conv2_block3_out", "conv4_block6_out"])(caffe)
    encoder = models._network(model)
    ours = features(encoder, ["conv2_block3_out", "conv4_block6_out"])(model.layers[1](image))
    for mine, given in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, given, rtol=1e-4, atol=1e-4 * np.abs(given).max())


@pytest.mark.parametrize("build", [models.efficientnet_unet, models.deeplabv3plus])
def test_weights_of_another_network_are_refused(build, tmp_path):
    write_no_top(tmp_path / "other.h5", models.unet(3, width=4))
    with pytest.raises(ValueError, match="does not hold the weights"):
        build(3, weights=tmp_path / "other.h5")


def test_gates_are_maps_between_zero_and_one(built):
    maps = models.gate_maps(built["attention_unet"], picture(64, 96)[0])
    assert [x.shape for x in maps] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    assert all(x.min() >= 0 and x.max() <= 1 for x in maps)
    with pytest.raises(ValueError, match="no gates"):
        models.gate_maps(built["unet"], picture(64, 96)[0])


def test_closed_gates_shut_the_skip_connection():
    """With a gate that answers 0 everywhere, nothing of the skip comes through."""
    skip, signal = keras.Input((8, 8, 4)), keras.Input((4, 4, 6))
    block = keras.Model([skip, signal], models.gate(skip, signal, 3, 0))
    *_, squeeze = (x for x in block.layers if isinstance(x, keras.layers.Conv2D) and x.filters == 1)
    squeeze.set_weights([0 * squeeze.get_weights()[0], np.array([-100.0])])
    assert np.abs(block([picture(8, 8, channels=4), picture(4, 4, channels=6)])).max() < 1e-6
    squeeze.set_weights([0 * squeeze.get_weights()[0], np.array([100.0])])
    image = picture(8, 8, channels=4)
    np.testing.assert_allclose(block([image, picture(4, 4, channels=6)]), image, rtol=1e-6)


def test_flops_counted_by_hand():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", strides=2)(inputs)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    model = keras.Model(inputs, keras.layers.Conv2DTranspose(5, 2, strides=2)(x))
    by_hand = 2 * (9 * 3 * 4) * 16 + 2 * (9 * 4) * 16 + 2 * (4 * 4 * 5) * 16
    assert models.flops(model, 8, 8) == by_hand


@pytest.mark.parametrize("kind", ["efficientnet_unet", "deeplabv3plus"])
def test_freeze_holds_the_encoder_still_batch_norm_included(built, kind):
    model = built[kind]
    models.freeze(model)
    frozen = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    norm = next(
        x for x in models.encoder_layers(model) if isinstance(x, keras.layers.BatchNormalization)
    )
    before = norm.get_weights()
    norm(picture(4, 4, channels=before[0].shape[0]), training=True)
    assert all(map(np.array_equal, before, norm.get_weights()))
    models.unfreeze(model)
    assert 0 < frozen < sum(int(np.prod(w.shape)) for w in model.trainable_weights) * 0.7
    norm(picture(4, 4, channels=before[0].shape[0]), training=True)
    assert not all(map(np.array_equal, before, norm.get_weights()))
    with pytest.raises(ValueError, match="no pretrained encoder"):
        models.freeze(models.unet(3, width=4))


def test_offline_says_which_file_to_put_where(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path))
    for name, sources in list(weights.SOURCES.items()):
        dead = tuple(replace(x, address=f"http://127.0.0.1:9/{x.file}") for x in sources)
        monkeypatch.setitem(weights.SOURCES, name, dead)
    with pytest.raises(weights.WeightsNotFound, match="efficientnetb4_notop.h5.*weights=None"):
        models.efficientnet_unet(6)
    with pytest.raises(weights.WeightsNotFound, match="resnet50.*notop.h5.*weights=None"):
        models.deeplabv3plus(6)
    assert not list(tmp_path.iterdir())


def test_the_import_is_silent_and_leaves_the_users_settings_alone():
    code = """
import os
os.environ["SM_FRAMEWORK"] = "tf.keras"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
before = dict(os.environ)
from segkit import models
models._segmentation_models()
assert {k: os.environ[k] for k in before} == before
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_time_augmentation_averages_over_the_eight_turns_and_flips():
    """A model that answers by place alone: its mean is the same from all eight sides."""
    place = np.random.default_rng(0).random((8, 8)).astype(np.float32)

    class ByPlace:
        def predict_on_batch(self, images):
            return np.broadcast_to(place[None, ..., None], (len(images), 8, 8, 1))

    found = models.predict(ByPlace(), np.zeros((2, 8, 8, 3)), tta=True)[0, ..., 0]
    sides = [np.rot90(x, k) for x in (place, place[:, ::-1]) for k in range(4)]
    assert np.allclose(found, np.mean(sides, axis=0), atol=1e-6)
    for side in (np.rot90(found), found[::-1]):
        assert np.allclose(side, found, atol=1e-6)


def test_a_strided_unet_answers_for_every_pixel():
    model = models.unet(5, 8, stride=2)
    assert model(np.zeros((1, 64, 96, 3), np.float32)).shape == (1, 64, 96, 5)
    assert models.flops(model, 64, 64) < models.flops(models.unet(5, 8), 64, 64) / 3
    for wrong in ({"stride": 3}, {"stride": 4}, {"stride": 2, "depth": 5}):
        with pytest.raises(ValueError, match="stride"):
            models.unet(5, 8, **wrong)
    assert models.unet(5, 8, depth=3, stride=4)(np.zeros((1, 32, 32, 3))).shape == (1, 32, 32, 5)
