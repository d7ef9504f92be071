"""The networks: shapes, probabilities, saving, pretrained encoders."""

import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from helpers import HASTY

from classroom import measures
from segkit import losses, metrics, models, weights
from segkit.classes import DUBAI
from segkit.models import lite as lite_network
from segkit.models.files import RECORD, load, read_record, save

KINDS = ("unet", "attention_unet", "deeplabv3plus", "efficientnet_unet")
PRETRAINED = ("deeplabv3plus", "efficientnet_unet")
#: skip connections of an EfficientNet, from 1/2 to 1/32, named alike in all three packages …
SKIPS = [f"block{stage}_expand_activation" for stage in ("2a", "3a", "4a", "6a")]
SKIPS.append("top_activation")
#: … and those of ResNet-50 before its last stage, which DeepLab dilates.
STAGES = ["conv2_block3_out", "conv4_block6_out"]


@pytest.fixture(scope="module")
def made():
    """One model of each kind; building the large ones takes a while."""
    keras.utils.set_random_seed(0)
    return {
        "unet": models.unet(6, width=8),
        "attention_unet": models.attention_unet(6, width=8),
        "deeplabv3plus": models.deeplabv3plus(6, weights=None),
        "efficientnet_unet": models.efficientnet_unet(6, weights=None, variant="b0"),
    }


@pytest.fixture
def built(made):
    """The models of `made`; what a test does to the large ones is undone."""
    before = {kind: values_of(made[kind].variables) for kind in PRETRAINED}
    yield made
    for kind, values in before.items():
        made[kind].trainable = True
        restore(made[kind].variables, values)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The encoders as their packages build them, random weights, and these in a no-top file."""
    home = tmp_path_factory.mktemp("weights")
    with models.silence():
        models.segmentation_models()
        from efficientnet import tfkeras

        b0 = tfkeras.EfficientNetB0(include_top=False, weights=None)
    resnet = keras.applications.ResNet50(include_top=False, weights=None)
    found = {"efficientnet_unet": (b0, home / "b0.h5"), "deeplabv3plus": (resnet, home / "r50.h5")}
    for network, path in found.values():
        write_no_top(path, settled(network))
    return found


@pytest.fixture(scope="module")
def own_b4(tmp_path_factory):
    """Keras' own EfficientNet-B4, random weights, and these in a no-top file."""
    path = tmp_path_factory.mktemp("weights") / "b4.h5"
    network = settled(keras.applications.EfficientNetB4(include_top=False, weights=None))
    write_no_top(path, network)
    return network, path


@pytest.fixture(scope="module")
def b4(own_b4):
    """The U-Net on EfficientNet-B4, its encoder filled from that file."""
    return models.efficientnet_unet(6, weights=own_b4[1])


def picture(height, width, count=1, channels=3):
    shape = (count, height, width, channels)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def values_of(variables):
    return [keras.ops.convert_to_numpy(x) for x in variables]


def restore(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def settled(network):
    """Give batch norms statistics that random weights do not have, so that no level dies out."""
    rng = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


def write_no_top(path, network):
    """Let Keras write its HDF5 format of weights, as all releases use it."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)


def features(network, names, first=None):
    """Return a model of what some layers answer, from the network's input or that of a layer."""
    start = network.get_layer(first).input if first else network.input
    return keras.Model(start, [network.get_layer(name).output for name in names])


def check_alike(ours, theirs):
    for mine, given in zip(ours, theirs, strict=True):
        scale = np.abs(given).max()
        assert scale > 1e-3
        np.testing.assert_allclose(mine, given, rtol=1e-4, atol=1e-4 * scale)


@contextlib.contextmanager
def policy_of(name):
    """Build in another precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def shapes(model):
    return [tuple(w.shape) for w in model.weights]


def from_options(model, **others):
    """Build what a model's options say."""
    options = {**json.loads(json.dumps(model.options)), **others}
    return getattr(models, options.pop("model"))(**options)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_have_the_size_of_the_image(made, kind):
    for height, width in [(32, 32), (64, 96), (32, 256), (160, 32)]:
        answer = np.asarray(made[kind](picture(height, width)))
        assert answer.shape == (1, height, width, 6) and answer.dtype == np.float32
        assert np.allclose(answer.sum(axis=-1), 1, atol=1e-5)


def mirrored(length):
    """Return which of so many places stands in each place up to the next multiple of 32."""
    period = 2 * (length - 1)
    return [min(i % period, period - i % period) for i in range(length + -length % 32)]


@pytest.mark.parametrize("tta", [False, True])
def test_any_size_is_mirrored_up_and_cut_back(tta):
    model = settled(models.unet(3, width=4, depth=1))  # sees no farther than 16 pixels
    large = picture(128, 96, count=2)
    from_large = models.predict(model, large, tta)
    for height, width in [(100, 64), (48, 33), (7, 31)]:
        image = large[:, :height, :width]
        found = models.predict(model, image, tta)
        assert found.shape == (2, height, width, 3) and found.dtype == np.float32
        assert np.allclose(found.sum(axis=-1), 1, atol=1e-5)
        padded = models.predict(model, image[:, mirrored(height)][:, :, mirrored(width)], tta)
        np.testing.assert_allclose(found, padded[:, :height, :width], atol=1e-5)
        middle = np.s_[:, 16 : max(16, height - 16), 16 : max(16, width - 16)]
        np.testing.assert_allclose(found[middle], from_large[middle], atol=1e-5)


def test_a_network_that_enlarges_takes_one_size_after_another():
    """Keras 3.14 and later cannot enlarge an image whose size a compiled program leaves open."""
    model = models.unet(3, width=4, depth=1, stride=2)
    for height, width in [(64, 64), (96, 64), (32, 128), (64, 64)]:
        found = models.predict(model, picture(height, width), tta=True)
        assert found.shape == (1, height, width, 3)
        np.testing.assert_array_equal(found, models.predict(model, picture(height, width), True))


def test_time_augmentation_averages_over_the_eight_turns_and_flips():
    """A model that answers by place alone: its mean is the same from all eight sides."""
    place = np.random.default_rng(0).random((32, 32)).astype(np.float32)

    class ByPlace:
        def predict_on_batch(self, images):
            return np.broadcast_to(place[None, ..., None], (len(images), 32, 32, 1))

    found = models.predict(ByPlace(), np.zeros((2, 32, 32, 3)), tta=True)[0, ..., 0]
    sides = [np.rot90(x, k) for x in (place, place[:, ::-1]) for k in range(4)]
    assert np.allclose(found, np.mean(sides, axis=0), atol=1e-6)
    for side in (np.rot90(found), found[::-1]):
        assert np.allclose(side, found, atol=1e-6)


def test_weights_of_the_known_widths():
    assert models.unet(6, width=16).count_params() == 1_945_606
    assert models.unet(6, width=64).count_params() == 31_049_734
    filters = [x.filters for x in models.unet(6).layers if isinstance(x, keras.layers.Conv2D)]
    assert filters[0] == 64 and max(filters) == 1024


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"depth": 0}, {"depth": 6}, {"width": 0}])
def test_impossible_networks_are_refused(wrong):
    with pytest.raises(ValueError, match="depth"):
        models.unet(**{"classes": 3, **wrong})


def test_an_unknown_variant_is_refused_with_the_choices():
    for variant in ("b3", "resnet50"):
        with pytest.raises(
            ValueError, match=f"variant='{variant}': choose one of b4, b0, lite0, lite2"
        ):
            models.efficientnet_unet(6, weights=None, variant=variant)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", ["unet", "attention_unet"])
@pytest.mark.parametrize("channels", [1, 14])
def test_any_number_of_bands_in_any_precision(kind, channels, policy):
    options = {"classes": 3, "width": 4, "depth": 2, "channels": channels}
    with policy_of(policy):
        model = getattr(models, kind)(**options)
    check_wide(model, policy)
    assert model.options == {"model": kind, **options, **({"stride": 1} if kind == "unet" else {})}
    assert shapes(from_options(model)) == shapes(model)


def check_wide(model, policy):
    assert {x.compute_dtype for x in model.layers[2:-1]} == {policy.removeprefix("mixed_")}
    answer = np.asarray(model(picture(64, 32, channels=model.input_shape[-1])))
    assert answer.shape == (1, 64, 32, model.output_shape[-1]) and answer.dtype == np.float32
    assert np.isfinite(answer).all() and np.allclose(answer.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(("kind", "policy", "stem"), [
    ("efficientnet_unet", "mixed_float16", "stem_conv"),
    ("deeplabv3plus", "mixed_bfloat16", "conv1_conv"),
])  # fmt: skip
def test_pretrained_ones_take_more_bands_in_any_precision(made, original, kind, policy, stem):
    """Built again from the options of another: all but the first kernel has the same shape."""
    theirs, path = original[kind]
    assert made[kind].options["weights"] is None
    with policy_of(policy):
        model = from_options(made[kind], channels=5, weights=path)
    assert model.options == {**made[kind].options, "channels": 5, "weights": str(path)}
    pairs = zip(shapes(model), shapes(made[kind]), strict=True)
    ((wide, plain),) = [(mine, his) for mine, his in pairs if mine != his]
    assert wide == (*plain[:2], 5, plain[3])
    network = next(x for x in model.layers if isinstance(x, keras.Model))
    kernel = theirs.get_layer(stem).get_weights()[0]
    kernel = kernel[:, :, ::-1] if kind == "deeplabv3plus" else kernel
    np.testing.assert_allclose(
        network.get_layer(stem).get_weights()[0], models.inflate(kernel, 5), rtol=1e-6
    )
    check_wide(model, policy)


def test_an_inflated_kernel_answers_alike_to_gray():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 8))
    wide = models.inflate(kernel, 7)
    assert wide.shape == (3, 3, 7, 8)
    np.testing.assert_allclose(wide[:, :, 0], wide[:, :, 3])
    np.testing.assert_array_equal(models.inflate(kernel, 3), kernel)
    gray = models.inflate(kernel, 1)
    np.testing.assert_allclose(gray[:, :, 0], kernel.sum(axis=2))
    six = models.inflate(kernel, 6)
    np.testing.assert_allclose(six.sum(axis=2), kernel.sum(axis=2))


def test_a_downloaded_encoder_gives_the_features_of_its_package(
    built, original, tmp_path, monkeypatch
):
    theirs, path = original["efficientnet_unet"]
    content, model = path.read_bytes(), built["efficientnet_unet"]
    with served(content) as address:
        monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path / "cache"))
        source = (address, "md5:" + hashlib.md5(content).hexdigest())
        monkeypatch.setitem(weights.SOURCES, "b0", source)
        models.load_encoder(model, weights.imagenet("efficientnetb0"))
    image = picture(96, 64)
    scaled = (image / 255 - models.IMAGENET_MEAN) / models.IMAGENET_DEVIATION
    ours = features(model.get_layer("efficientnetb0"), SKIPS)(model.layers[1](image))
    check_alike(ours, features(theirs, SKIPS)(scaled.astype(np.float32)))


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
        yield f"http://127.0.0.1:{server.server_port}/b0.h5"
        server.shutdown()


def test_b4_gives_the_features_of_keras_own(own_b4, b4):
    """Its file has one layer more, a normalization, which our rescaling replaces."""
    theirs, path = own_b4
    assert b4.options["variant"] == "b4" and b4.options["weights"] == str(path)
    image = picture(64, 32)
    scaled = b4.layers[1](image)
    ours = features(b4.get_layer("efficientnetb4"), SKIPS)(scaled)
    check_alike(ours, features(theirs, SKIPS, first="stem_conv_pad")(scaled))
    assert b4(image).shape == (1, 64, 32, 6)


def test_resnet_weights_are_turned_from_blue_first_to_red_first(built, original):
    (theirs, path), model = original["deeplabv3plus"], built["deeplabv3plus"]
    models.load_encoder(model, path)
    image = picture(64, 64)
    caffe = image[..., ::-1] - np.array(models.RESNET_MEAN[::-1], np.float32)
    ours = features(model.get_layer("resnet50"), STAGES)(model.layers[1](image))
    check_alike(ours, features(theirs, STAGES)(caffe))


@pytest.fixture(scope="module")
def lite():
    """The U-Net on EfficientNet-Lite0, its encoder filled from the package."""
    return models.efficientnet_unet(6, variant="lite0")


def test_lite_with_its_head_knows_a_palace():
    """ImageNet's class 698 for the picture that scikit-learn ships; every tensor is used once."""
    from sklearn.datasets import load_sample_image

    given = weights.read(weights.imagenet("lite0"))
    image = keras.Input((224, 224, 3))
    x = lite_network.norm(
        keras.layers.Conv2D(1280, 1, use_bias=False)(lite_network.lite_encoder(image)[0])
    )
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU(6)(x))
    network = keras.Model(image, keras.layers.Dense(1000, activation="softmax")(x))
    filled = [layer for layer in network.layers if layer.weights]
    for layer, arrays in zip(filled, given, strict=True):
        layer.set_weights(arrays)  # raises if one is left over
    assert sum(map(len, given)) == len(network.weights)
    square = load_sample_image("china.jpg")[:, 100:527].astype(np.float32)
    seen = (keras.ops.image.resize(square[None], (224, 224)) - 127) / 128
    found = np.asarray(network(seen))[0]
    assert found.argmax() == 698 and found[698] > 0.2


def test_the_lite_encoder_holds_the_weights_of_its_file(lite):
    given = weights.read(weights.imagenet("lite0"))
    taken = [layer for layer in models.encoder_layers(lite) if layer.weights]
    assert len(given) == len(taken) + 3  # head, its norm, classifier
    for layer, arrays in zip(taken, given[:-3], strict=True):
        for mine, theirs in zip(layer.get_weights(), arrays, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    scaled = np.asarray(lite.layers[1](np.array([[[[0, 127, 255]]]], np.float32)))
    np.testing.assert_allclose(scaled.ravel(), [-127 / 128, 0, 1], atol=1e-6)
    answer = np.asarray(lite(picture(64, 96)))
    assert answer.shape == (1, 64, 96, 6) and np.allclose(answer.sum(axis=-1), 1, atol=1e-5)
    models.freeze(lite)
    learns = {layer.name for layer in lite.get_layer("efficientnetlite0").layers if layer.trainable}
    models.unfreeze(lite)
    assert learns.isdisjoint(layer.name for layer in models.encoder_layers(lite)) and learns


def test_deeplab_stands_on_the_same_lite_encoder_up_to_a_sixteenth(lite, tmp_path):
    deeplab = models.deeplabv3plus(6, variant="lite0")
    found = [layer for layer in models.encoder_layers(deeplab) if layer.weights]
    theirs = [layer for layer in models.encoder_layers(lite) if layer.weights]
    assert len(found) < len(theirs)
    for mine, same in zip(found, theirs, strict=False):
        for one, other in zip(mine.get_weights(), same.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    encoder = deeplab.get_layer("efficientnetlite0")
    assert encoder.compute_output_shape((1, 64, 96, 3)) == [(1, 16, 24, 24), (1, 4, 6, 112)]
    models.unfreeze(deeplab, norms=False)
    assert not any(
        layer.trainable for layer in found if isinstance(layer, keras.layers.BatchNormalization)
    )
    again = load(save(deeplab, tmp_path / "model.keras", DUBAI))
    assert again.record["options"]["variant"] == "lite0"
    batch = picture(64, 96)
    np.testing.assert_allclose(np.asarray(again(batch)), np.asarray(deeplab(batch)), atol=1e-6)
    with pytest.raises(ValueError, match="variant='b4': choose one of resnet50, lite0"):
        models.deeplabv3plus(6, variant="b4")


def test_other_bands_are_refused_also_after_a_first_answer():
    model = models.unet(3, width=4, depth=1)
    assert models.predict(model, np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 32, 32, 3)
    with pytest.raises(ValueError, match="incompatible"):
        models.predict(model, np.zeros((1, 32, 32, 6), np.float32))


def test_the_larger_lite_takes_its_own_weights_alone_and_any_bands():
    path = weights.imagenet("lite2")
    with policy_of("mixed_bfloat16"):
        model = models.efficientnet_unet(3, variant="lite2", channels=4)
    kernel = weights.read(path)[0][0]
    stem = next(layer for layer in models.encoder_layers(model) if layer.weights)
    np.testing.assert_allclose(stem.get_weights()[0], models.inflate(kernel, 4), rtol=1e-6)
    check_wide(model, "mixed_bfloat16")
    with pytest.raises(ValueError, match="does not hold the weights of efficientnetlite2"):
        models.load_encoder(model, weights.imagenet("lite0"))


def test_weights_of_another_network_are_refused(made, tmp_path):
    write_no_top(tmp_path / "other.h5", models.unet(3, width=4))
    for kind in PRETRAINED:
        with pytest.raises(ValueError, match="does not hold the weights"):
            models.load_encoder(made[kind], tmp_path / "other.h5")
    with pytest.raises(ValueError, match="no pretrained encoder"):
        models.load_encoder(made["unet"], tmp_path / "other.h5")


def test_saved_models_load_alone_and_answer_alike(made, b4, lite, tmp_path):
    image = picture(32, 64)
    np.save(tmp_path / "image.npy", image)
    kept = {**made, "efficientnet_unet": b4, "lite": lite}
    for kind, model in kept.items():
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
    for kind, model in kept.items():
        answer = np.load(tmp_path / f"{kind}.npy")
        assert np.array_equal(answer, model(image, training=False)), kind


def answers_of_the_rest(answer, truth):
    """Return what losses and metrics say of one model's answer."""
    blended = losses.blend(losses.focal_tversky, losses.weighted_crossentropy)
    miou = metrics.MeanIoU(6, ignore_index=5)
    miou.update_state(truth, answer)
    said = [loss(truth, answer) for loss in (losses.dice, blended)]
    return [float(x) for x in (*said, miou.result())]


def test_jax_gives_the_same_answers(built, tmp_path):
    """Models, losses and metrics; TensorFlow is not even loaded."""
    pytest.importorskip("jax")
    image = picture(32, 32)
    truth = np.random.default_rng(1).integers(0, 6, (1, 32, 32), np.uint8)
    np.savez(tmp_path / "given.npz", image=image, truth=truth)
    small = {"width": 2, "depth": 1}
    kept = {kind: getattr(models, kind)(6, **small) for kind in ("unet", "attention_unet")}
    kept["deeplabv3plus"] = built["deeplabv3plus"]
    for kind, model in kept.items():
        settled(model).save(tmp_path / f"{kind}.keras")
    code = f"""
import sys, keras, numpy as np, pathlib
sys.path.insert(0, {str(Path(__file__).parent)!r})
from segkit import losses, metrics, models
from test_models import answers_of_the_rest
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
home = pathlib.Path({str(tmp_path)!r})
given = np.load(home / "given.npz")
# No random weights: on this backend they take longer than all the rest, and the file has others.
keras.initializers.GlorotUniform.__call__ = lambda self, shape, dtype=None: np.zeros(shape, dtype)
for path in home.glob("*.keras"):
    model = keras.models.load_model(path)
    np.save(path.with_suffix(".npy"), model(given["image"]))
answer = np.load(home / "unet.npy")
np.save(home / "rest.npy", answers_of_the_rest(answer, given["truth"]))
for kind in ("attention_unet", "unet"):
    model = getattr(models, kind)(6, **{small})
    model.load_weights(home / (kind + ".keras"))
model.compile("sgd", losses.dice, metrics=[metrics.MeanIoU(6, 5)])
history = model.fit(given["image"], given["truth"], verbose=0).history
assert 0 <= history["miou"][0] <= 1 and model.options["width"] == 2
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": HASTY}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for kind, model in kept.items():
        answer = np.load(tmp_path / f"{kind}.npy")
        np.testing.assert_allclose(answer, model(image), atol=1e-4, err_msg=kind)
    said = answers_of_the_rest(np.load(tmp_path / "unet.npy"), truth)
    np.testing.assert_allclose(np.load(tmp_path / "rest.npy"), said, atol=1e-5)


@pytest.mark.parametrize("place", [4, 6, 26])  # version needed, encrypted or not, length of name
def test_a_model_that_is_damaged_in_its_head_is_no_whole_model(tmp_path, place):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr(RECORD, "{}")
    assert read_record(tmp_path / "m.keras") == {}
    spoilt = bytearray((tmp_path / "m.keras").read_bytes())
    spoilt[place] ^= 0xFF
    spoilt[spoilt.index(b"PK\1\2") + place + 2] ^= 0xFF  # the same in the table at the end
    (tmp_path / "m.keras").write_bytes(spoilt)
    with pytest.raises(ValueError, match="no whole model|no record"):
        read_record(tmp_path / "m.keras")


def squares(size):
    """Squares of four colors on a gray ground: to be learned by heart."""
    image = np.full((2, size, size, 3), 128, np.float32)
    mask, part = np.zeros((2, size, size), np.uint8), size // 16
    colors = [(230, 60, 60), (60, 200, 80), (70, 90, 220), (240, 230, 90)]
    for index, color in enumerate(colors):
        place = np.s_[index % 2, part * (2 + 6 * (index // 2)) :, part * (1 + 3 * index) :]
        image[place], mask[place] = color, index + 1
    return image, mask


@pytest.mark.parametrize("kind", KINDS)
def test_overfits_one_batch(built, kind):
    """The large ones without a graph, which takes longer to make than a few steps to run; DeepLab
    with its encoder held still: the next test follows the slopes down to its first weight."""
    keras.utils.set_random_seed(0)
    large = kind in PRETRAINED
    model = built[kind] if large else getattr(models, kind)(6, width=8, depth=2)
    if kind == "deeplabv3plus":
        models.freeze(model)
    how = {"run_eagerly": large, "jit_compile": False, "metrics": ["accuracy"]}
    descent = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(descent, "sparse_categorical_crossentropy", **how)
    descent.build(model.trainable_variables)
    for _ in range(60):
        model.reset_metrics()
        found = model.train_on_batch(*squares(32 if large else 64), return_dict=True)
        if found["accuracy"] > 0.95:
            break
    assert found["accuracy"] > 0.95


@pytest.mark.parametrize("kind", PRETRAINED)
def test_gradients_reach_every_weight(built, kind):
    import tensorflow as tf

    # B0 drops whole branches of a fifth of its pictures: among eight, one is always left.
    model, (image, mask) = built[kind], [np.tile(x, (4, 1, 1, 1)[: x.ndim]) for x in squares(32)]
    with tf.GradientTape() as tape:
        loss = losses.weighted_crossentropy(mask, model(image, training=True))
    learned = model.trainable_variables
    slopes = tape.gradient(loss, [x.value for x in learned])
    for variable, slope in zip(learned, slopes, strict=True):
        assert slope is not None and np.isfinite(slope).all(), variable.path
        assert np.any(slope) or variable.name == "bias", variable.path  # a batch norm takes it off


def test_gates_are_maps_between_zero_and_one(made):
    maps = measures.gate_maps(made["attention_unet"], picture(64, 96)[0])
    assert [x.shape for x in maps] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    assert all(x.min() >= 0 and x.max() <= 1 for x in maps)
    (alone,) = measures.gate_maps(models.attention_unet(3, 4, depth=1), picture(32, 64)[0])
    assert alone.shape == (32, 64)
    with pytest.raises(ValueError, match="no gates"):
        measures.gate_maps(made["unet"], picture(64, 96)[0])


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
    assert measures.flops(model, 8, 8) == by_hand


@pytest.mark.parametrize("kind", PRETRAINED)
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
        models.freeze(built["unet"])


def test_offline_says_which_file_to_put_where(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path))
    for name, (address, checksum) in list(weights.SOURCES.items()):
        dead = f"http://127.0.0.1:9/{address.rpartition('/')[2]}"
        monkeypatch.setitem(weights.SOURCES, name, (dead, checksum))
    for variant in ("b4", "b0"):
        needed = f"efficientnet{variant}_notop.h5.*weights=None"
        with pytest.raises(weights.WeightsNotFound, match=needed):
            models.efficientnet_unet(6, variant=variant)
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
models.segmentation_models()
assert {k: os.environ[k] for k in before} == before
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_strided_unet_answers_for_every_pixel():
    model = models.unet(5, 8, stride=2)
    assert model(np.zeros((1, 64, 96, 3), np.float32)).shape == (1, 64, 96, 5)
    assert shapes(from_options(model)) == shapes(model)
    assert measures.flops(model, 64, 64) < measures.flops(models.unet(5, 8), 64, 64) / 3
    for wrong in ({"stride": 3}, {"stride": 4}, {"stride": 2, "depth": 5}):
        with pytest.raises(ValueError, match="stride"):
            models.unet(5, 8, **wrong)
    assert models.unet(5, 8, depth=3, stride=4)(np.zeros((1, 32, 32, 3))).shape == (1, 32, 32, 5)
