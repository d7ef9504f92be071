"""The networks: shapes, probabilities, saving, pretrained encoder."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from segkit import models


@pytest.fixture(scope="module")
def efficientnet():
    """An EfficientNet-B4 U-Net with random weights; building it takes a while."""
    return models.efficientnet_unet(6, weights=None)


@pytest.mark.parametrize("shape", [(32, 32), (64, 96), (160, 32)])
def test_probabilities_have_the_size_of_the_image(shape):
    image = np.random.default_rng(0).uniform(0, 255, (2, *shape, 4)).astype(np.float32)
    answer = np.asarray(models.unet(5, width=4, channels=4)(image))
    assert answer.shape == (2, *shape, 5) and answer.dtype == np.float32
    assert np.allclose(answer.sum(axis=-1), 1, atol=1e-5)


def test_weights_of_the_known_widths():
    assert models.unet(6, width=16).count_params() == 1_945_606
    assert models.unet(6, width=64).count_params() == 31_049_734
    filters = [x.filters for x in models.unet(6).layers if isinstance(x, keras.layers.Conv2D)]
    assert filters[0] == 64 and max(filters) == 1024


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"depth": 0}, {"depth": 6}, {"width": 0}])
def test_impossible_networks_are_refused(wrong):
    with pytest.raises(ValueError, match="depth"):
        models.unet(**{"classes": 3, **wrong})


def test_probabilities_stay_float32_in_mixed_precision():
    before = keras.config.dtype_policy()
    try:
        for policy in ("mixed_float16", "mixed_bfloat16"):
            keras.config.set_dtype_policy(policy)
            answer = np.asarray(models.unet(3, width=4)(np.full((1, 32, 32, 3), 255.0)))
            assert answer.dtype == np.float32 and np.isfinite(answer).all()
    finally:
        keras.config.set_dtype_policy(before)


def test_a_saved_efficientnet_loads_alone_and_answers_alike(efficientnet, tmp_path):
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    efficientnet.save(tmp_path / "b4.keras")
    np.save(tmp_path / "image.npy", image)
    code = f"""
import keras, numpy as np
model = keras.models.load_model({str(tmp_path / "b4.keras")!r})
answer = model.predict(np.load({str(tmp_path / "image.npy")!r}), verbose=0)
np.save({str(tmp_path / "answer.npy")!r}, answer)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    answer = np.load(tmp_path / "answer.npy")
    assert np.array_equal(answer, efficientnet.predict(image, verbose=0))
    assert answer.shape == (1, 64, 96, 6) and np.allclose(answer.sum(axis=-1), 1, atol=1e-5)


def test_the_official_weights_give_the_official_features(efficientnet, tmp_path):
    official = keras.applications.EfficientNetB4(include_top=False, weights=None)
    scale = next(x for x in official.layers if isinstance(x, keras.layers.Normalization))
    variance = np.square(models.IMAGENET_DEVIATION)
    scale.set_weights([np.array(models.IMAGENET_MEAN), variance, *scale.get_weights()[2:]])
    official.save_weights(tmp_path / "b4_notop.weights.h5")
    official.load_weights(tmp_path / "b4_notop.weights.h5")
    models.load_encoder(efficientnet, tmp_path / "b4_notop.weights.h5")
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    encoder = keras.Model(
        efficientnet.layers[2].inputs, models.encoder_layers(efficientnet)[-1].output
    )
    ours = np.asarray(encoder(efficientnet.layers[1](image)))
    theirs = np.asarray(official(image))
    assert np.abs(theirs).max() > 0
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_freeze_holds_the_encoder_still(efficientnet):
    models.freeze(efficientnet)
    frozen = sum(int(np.prod(w.shape)) for w in efficientnet.trainable_weights)
    models.unfreeze(efficientnet)
    free = sum(int(np.prod(w.shape)) for w in efficientnet.trainable_weights)
    assert 0 < frozen < free / 2
    with pytest.raises(ValueError, match="no pretrained encoder"):
        models.freeze(models.unet(3, width=4))


def test_missing_weights_say_which_file_to_put_where(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(models, "B4_ADDRESS", "http://127.0.0.1:9/efficientnetb4_notop.h5")
    with pytest.raises(models.WeightsNotFound, match="efficientnetb4_notop.h5.*weights=None"):
        models.imagenet_weights()
    assert not list(tmp_path.iterdir())


def test_the_import_is_silent():
    code = "from segkit import models; models._segmentation_models()"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True)
    assert done.returncode == 0 and done.stdout == b""
