"""The course's own: profile, data set, and catching up on what is missing, stale or broken."""

import dataclasses
import functools
import json
import os
import warnings
import zipfile
from pathlib import Path

import h5py
import helpers
import numpy as np
import pandas as pd
import pytest
import rasterio
import tensorflow as tf
from rasterio.transform import from_origin

import cityscape
from classroom import course, measures, notebooks, recipes
from segkit import datasets, models, patches, store
from segkit.classes import DUBAI

MODEL = "models/unet.keras"


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """A work folder of its own; no GPU is looked for."""
    for name in ("SEGKIT_PROFILE", "SEGKIT_DATASET", "SEGKIT_SCENE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path / "work"))
    monkeypatch.setattr(course, "_gpu", lambda: False)


def city(folder, seed: int = 0):
    """Write a data set of three images with the city's classes into a folder; return it."""
    rng = np.random.default_rng(seed)
    colors = np.array(DUBAI.colors, np.uint8)
    for name in ("north", "middle", "south"):
        image = rng.integers(0, 256, (300, 280, 3), np.uint8)
        helpers.write_pair(folder, name, image, colors[rng.integers(0, 5, (300, 280))])
    rows = [f"{n},{r},{g},{b}" for n, (r, g, b) in zip(DUBAI.names, colors, strict=True)]
    (folder / "classes.csv").write_text("\n".join(["name,r,g,b", *rows]))
    return folder


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """A data set that the course uses, in the profile "smoke"."""
    folder = city(tmp_path / "a" / "city")
    monkeypatch.setenv("SEGKIT_DATASET", str(folder))
    monkeypatch.setenv("SEGKIT_PROFILE", "smoke")
    return folder


def fake(path):
    """Write what looks like a trained model."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}" * 1000)
    card = json.loads(store.card(course.catch_up("tiles.h5")).to_json())
    note = {"profile": course.profile().name, "card": card}
    path.with_suffix(".json").write_text(json.dumps(note))


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setitem(course.MAKERS, MODEL, fake)


def reasons(capsys) -> list[str]:
    """Return what was said since, up to the colon."""
    return [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]


def test_the_profile_can_be_stated(monkeypatch):
    monkeypatch.setenv("SEGKIT_PROFILE", "full")
    assert course.profile().name == "full"
    monkeypatch.setenv("SEGKIT_PROFILE", "fast")
    with pytest.raises(ValueError, match="choose smoke, quick, gpu, full"):
        course.profile()


@pytest.mark.parametrize(
    ("name", "kernel", "at_once"),
    [("smoke", object(), True), ("smoke", None, False), ("quick", object(), False)],
)
def test_only_notebooks_in_smoke_build_no_graphs(monkeypatch, name, kernel, at_once):
    monkeypatch.setenv("SEGKIT_PROFILE", name)
    monkeypatch.setattr(course, "get_ipython", lambda: kernel)
    with warnings.catch_warnings():
        try:
            course.profile()
            assert tf.config.functions_run_eagerly() == at_once
        finally:
            tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(("gpu", "name"), [(True, "gpu"), (False, "quick")])
def test_the_profile_fits_the_machine(monkeypatch, gpu, name):
    monkeypatch.delenv("SEGKIT_PROFILE", raising=False)
    monkeypatch.setattr(course, "_gpu", lambda: gpu)
    assert course.profile().name == name


def test_an_empty_variable_means_unset(monkeypatch):
    monkeypatch.setenv("SEGKIT_PROFILE", "")
    monkeypatch.setenv("SEGKIT_DATASET", "")
    assert course.profile().name == "quick"
    assert course.dataset_name() == "sample" and course.workspace().name == "sample"


def test_the_check_says_how_many_bands_there_are(tmp_path, monkeypatch):
    folder = city(tmp_path / "four")
    place = {"crs": "EPSG:32640", "transform": from_origin(326_000, 2_790_000, 10, 10)}
    for path in (folder / "images").glob("*.png"):
        path.unlink()
        with rasterio.open(
            path.with_suffix(".tif"), "w", "GTiff", 280, 300, 4, dtype="uint16", **place
        ) as file:
            file.write(np.ones((4, 300, 280), np.uint16))
    monkeypatch.setenv("SEGKIT_DATASET", str(folder))
    row = course.check().loc["data set four"]
    assert row.tolist() == ["3 tiles, 4 bands of uint16", ""]
    monkeypatch.setenv("SEGKIT_DATASET", str(tmp_path / "nowhere"))
    row = course.check().loc["data set nowhere"]
    assert row["found"] == "not found" and "no data set" in row["next step"]


def test_what_is_there_and_fresh_is_left_alone(chosen, no_training, capsys):
    made = [course.catch_up(artifact) for artifact in ("tiles.h5", "patches.h5", MODEL)]
    assert [path.relative_to(course.workspace()).as_posix() for path in made][2] == MODEL
    told = [f"{name} is not there yet" for name in ("tiles.h5", "patches.h5", MODEL)]
    assert reasons(capsys) == told
    times = [path.stat().st_mtime_ns for path in made]
    for artifact in ("tiles.h5", "patches.h5", MODEL):
        course.catch_up(artifact)
    assert [path.stat().st_mtime_ns for path in made] == times and not reasons(capsys)
    with pytest.raises(ValueError, match="catch_up makes tiles.h5, patches.h5, models/unet"):
        course.catch_up("model.keras")


def test_two_data_sets_of_one_name_do_not_share(chosen, no_training, tmp_path, monkeypatch, capsys):
    course.catch_up("patches.h5")
    tiles_h5, before = course.catch_up(MODEL).parents[1] / "tiles.h5", reasons(capsys)
    assert len(before) == 3
    first = store.read(tiles_h5, "north")[0]
    monkeypatch.setenv("SEGKIT_DATASET", str(city(tmp_path / "b" / "city", seed=1)))
    assert course.catch_up(MODEL).parents[1] / "tiles.h5" == tiles_h5
    course.catch_up("patches.h5")
    told = [
        "tiles.h5 was made of other files, classes or groups",
        f"{MODEL} was trained on other tiles",
    ]
    assert reasons(capsys) == [*told, "patches.h5 was cut from other tiles"]
    assert not np.array_equal(store.read(tiles_h5, "north")[0], first)


def test_a_changed_mask_is_seen_and_a_moved_folder_is_no_other_data(
    chosen, no_training, tmp_path, monkeypatch, capsys
):
    course.catch_up(MODEL)
    reasons(capsys)
    moved = chosen.rename(tmp_path / "city")
    monkeypatch.setenv("SEGKIT_DATASET", str(moved))
    course.catch_up(MODEL)  # other files, the same pixels: tiles are read anew, no model is trained
    assert reasons(capsys) == ["tiles.h5 was made of other files, classes or groups"]
    mask = np.full((300, 280, 3), DUBAI.colors[0], np.uint8)
    helpers.write_pair(moved, "south", np.zeros_like(mask), mask)
    course.catch_up(MODEL)
    assert reasons(capsys)[1:] == [f"{MODEL} was trained on other tiles"]


def test_edited_classes_are_seen(chosen, no_training, capsys):
    course.catch_up("tiles.h5")
    reasons(capsys)
    table = chosen / "classes.csv"
    assert table.read_text().count("Land") == 1
    table.write_text(table.read_text().replace("Land", "Soil"))
    assert "Soil" in store.scheme(course.catch_up("tiles.h5")).names
    assert reasons(capsys) == ["tiles.h5 was made of other files, classes or groups"]


def test_patches_that_were_cut_and_not_split_are_split(chosen, capsys):
    cut = patches.cut(course.catch_up("tiles.h5"), course.workspace() / "patches.h5", size=32)
    assert patches.splits(cut) == []
    assert course.catch_up("patches.h5") == cut
    assert patches.splits(cut) == ["image"] and len(patches.members(cut, "test"))
    assert reasons(capsys)[1:] == ["patches.h5 is not split by image yet"]


BREAKS = {
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("<html>not found</html>"),
    "inside": lambda path: inside(path),
}


def inside(path):
    """Break what a file holds and leave its ends as they are."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            del file.attrs["card"]
    else:
        content = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            first = max(archive.infolist(), key=lambda one: one.file_size)
        content[first.header_offset + 100 :][:50] = bytes(50)
        middle = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
        content[middle : middle + 50] = bytes(50)
        path.write_bytes(content)


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("artifact", ["tiles.h5", "patches.h5", MODEL])
def test_a_broken_file_is_made_anew(chosen, no_training, capsys, artifact, fault):
    course.catch_up("tiles.h5")
    path = course.catch_up(artifact)
    reasons(capsys)
    BREAKS[fault](path)
    assert course.catch_up(artifact) == path
    assert [line.split(",")[0] for line in reasons(capsys)] == [f"{artifact} is broken"]
    assert zipfile.is_zipfile(path) or store.card(path)


STALE = {
    "has no record": lambda note: note.unlink(),
    "was trained under profile quick, not smoke": lambda note: rewrite(note, profile="quick"),
    "was trained under profile (not recorded), not smoke": lambda note: rewrite(note, profile=None),
    "was trained on other tiles": lambda note: rewrite(note, card={"fingerprint": "0"}),
    "is broken, or of an older version": lambda note: rewrite(note, card=None),
    "is broken, or of an older version ": lambda note: note.write_text('{"profile": "smo'),
}


def rewrite(note, **changed):
    note.write_text(json.dumps({**json.loads(note.read_text()), **changed}))


@pytest.mark.parametrize("reason", STALE)
def test_a_stale_model_is_trained_anew(chosen, no_training, capsys, reason):
    note = course.catch_up(MODEL).with_suffix(".json")
    before = note.read_text()
    reasons(capsys)
    STALE[reason](note)
    course.catch_up(MODEL)
    assert reasons(capsys)[0] == f"{MODEL} {reason.strip()}" and note.read_text() == before
    assert note.with_stem(f"{note.stem}-quick").exists() == ("quick" in reason)


def test_known_data_that_was_moved_away_is_not_missed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEGKIT_DATA", str(helpers.dubai_tree(tmp_path, tiles=1)))
    monkeypatch.setenv("SEGKIT_DATASET", "dubai")
    made = course.catch_up("tiles.h5")
    monkeypatch.setenv("SEGKIT_DATA", str(tmp_path / "gone"))
    assert course.catch_up("tiles.h5") == made and len(reasons(capsys)) == 1
    monkeypatch.setenv("SEGKIT_DATASET", "elsewhere/dubai")  # another one of that name
    with pytest.raises(datasets.DatasetNotFound):
        course.catch_up("tiles.h5")


CATCH_UP = """
import sys
from classroom import course, notebooks
from segkit import store
if sys.argv[2] == "slow":
    read = store.build
    store.build = lambda *given: (print("begun", flush=True), sys.stdin.readline(), read(*given))
course.catch_up(sys.argv[1])
print(sorted({"tensorflow", "keras"} & set(sys.modules)))
"""


def test_a_second_process_waits_and_then_finds_it(chosen):
    first = helpers.python(CATCH_UP, "tiles.h5", "slow")
    assert [first.stdout.readline().split()[-1] for _ in range(2)] == ["how)", "begun"]
    second = helpers.python(CATCH_UP, "tiles.h5", "")
    assert "waiting" in second.stdout.readline()
    assert first.communicate("go on\n")[0] == second.communicate()[0] == "[]\n"  # made once


def test_a_model_is_looked_at_without_tensorflow(chosen, no_training):
    course.catch_up(MODEL)
    assert helpers.python(CATCH_UP, MODEL, "").communicate()[0] == "[]\n"


TINY = dataclasses.replace(course.SMOKE, width=2, crop=32, batch_size=2, steps=2, tuned_epochs=2)


@pytest.fixture
def shallow(monkeypatch):
    """Let the recipes train the smallest of networks."""
    from segkit import models

    monkeypatch.setattr(course, "profile", lambda: TINY)
    monkeypatch.setattr(models, "unet", functools.partial(models.unet, depth=1))


def test_what_catch_up_trains_is_known_and_fresh(chosen, shallow, capsys):
    from segkit import training

    trained = training.load(course.catch_up(MODEL))
    assert trained.record["profile"] == "smoke" and trained.record["epochs"] == 1
    assert trained.card == store.card(course.workspace() / "tiles.h5")
    capsys.readouterr()
    course.catch_up(MODEL)
    assert not reasons(capsys)


def test_a_recipe_that_is_interrupted_ends_as_catch_up_does(chosen, shallow):
    import keras

    from classroom import recipes
    from segkit import training

    class PowerCut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    path = course.catch_up("models/tuned.keras")
    sources = (course.catch_up("tiles.h5"), course.catch_up("patches.h5"))
    again = path.with_name("again.keras")
    with pytest.raises(KeyboardInterrupt):
        recipes.tuned(TINY, *sources, again, callbacks=[PowerCut()])
    assert not again.exists()
    resumed, history = recipes.tuned(TINY, *sources, again, resume=True)
    assert len(history) == 2 and np.isfinite(history["loss"]).all()
    for one, other in zip(training.load(path).weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_training_that_catches_up_says_how_long_it_takes(chosen, monkeypatch, capsys):
    from segkit import training

    monkeypatch.setenv("SEGKIT_PROFILE", "quick")
    monkeypatch.setattr(training, "fit", lambda *_, **__: None)
    course.catch_up(MODEL)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [MODEL, "tiles.h5", "patches.h5", "training"]
    assert lines[-1] == "training unet: 8 epochs of 60 steps, some minutes on a CPU"


@pytest.mark.parametrize("there", [True, False])
def test_the_pretrained_network_keeps_its_norms_where_it_has_some(
    chosen, there, monkeypatch, capsys
):
    from segkit import models, training, weights

    did = []

    def fit(model, train, validation, scheme, path, epochs, steps, record):
        did.append((path.name, epochs, steps, record, tuple(train.element_spec[0].shape)))

    def imagenet(encoder):
        if not there:
            raise weights.WeightsNotFound(encoder)
        return "file"

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(weights, "imagenet", imagenet)
    monkeypatch.setattr(models, "efficientnet_unet", lambda *how: did.append(how))
    monkeypatch.setattr(models, "unfreeze", lambda model, norms: did.append(norms))
    course.catch_up("models/efficientnet.keras")
    assert did == [
        (6, "file" if there else None, "lite0", 3),
        not there,
        ("efficientnet.keras", 1, 1, {"profile": "smoke"}, (8, 64, 64, 3)),
    ]
    assert ("encoder: pretrained" if there else "encoder: random") in capsys.readouterr().out


def test_the_loss_for_rare_classes_weighs_what_the_training_tiles_hold(chosen):
    from classroom import recipes

    tiles_h5 = course.catch_up("tiles.h5")
    masks = [store.read(tiles_h5, name)[1] for name in ("north", "south")]
    expected = np.bincount(np.ravel(masks), minlength=6)
    np.testing.assert_array_equal(recipes.pixel_counts(tiles_h5, ["north", "south"]), expected)


def test_the_scene_is_as_large_as_the_profile_says(monkeypatch, tmp_path):
    cut = dataclasses.replace(course.SMOKE, scene=48)
    folder = helpers.dubai_tree(tmp_path, tiles=1, parts=3)  # stands for the city
    found = datasets.find("dubai", folder)
    monkeypatch.setattr(datasets, "find", lambda name: found)
    home = found.tiles[0].image.parents[3]
    (home / "scene").mkdir()
    place = {"crs": "EPSG:32640", "transform": from_origin(326_000, 2_788_000, 0.5, 0.5)}
    pixels = np.random.default_rng(0).integers(0, 6, (64, 64), np.uint8)
    for name, count in (("scene.tif", 3), ("scene_mask.tif", 1)):
        how = {"count": count, "height": 64, "width": 64, "dtype": "uint8"}
        with rasterio.open(home / "scene" / name, "w", "GTiff", **how, **place) as raster:
            raster.write(np.stack([pixels] * count))
    for chosen, side in ((course.QUICK, 64), (cut, 48)):
        monkeypatch.setattr(course, "profile", lambda chosen=chosen: chosen)
        for path in (course.scene(), course.scene_truth(DUBAI)):
            with rasterio.open(path) as raster:
                assert raster.shape == (side, side) and raster.transform == place["transform"]
                assert np.array_equal(raster.read(1), pixels[:side, :side])


def test_the_times_of_some_notebooks_leave_those_of_the_others(tmp_path):
    path = tmp_path / "notebooks.csv"
    names = ["00_a", "04_b", "solutions/00_a"]
    pd.DataFrame({"notebook": names, "seconds": [1, 2, 3], "run": "then"}).to_csv(path, index=False)
    again = pd.DataFrame({"notebook": ["04_b", "09_c"], "seconds": [5, 6], "run": "now"})
    notebooks.record(again, path)
    found = pd.read_csv(path)
    assert found["notebook"].tolist() == [*names, "09_c"]
    assert found["seconds"].tolist() == [1, 5, 3, 6]
    assert found["run"].tolist() == ["then", "now", "then", "now"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc: not Linux")
def test_the_memory_of_a_kernel_is_noted():
    class Client:
        class km:
            class provisioner:
                pid = os.getpid()

    taken = []
    for _ in range(2):
        notebooks._look(taken, Client, cell=None, cell_index=0)
    assert len(taken) == 1 and 0.1 < taken[0] < 64
    Client.km.provisioner.pid = helpers.dead_process()
    notebooks._look(gone := [], Client)
    assert not gone


def test_the_leak_differs_in_the_neighbors_alone(tmp_path, tiles_h5, monkeypatch):
    from classroom import recipes
    from segkit import patches

    monkeypatch.setattr(recipes, "LEAK_IMAGES", 5)
    cut = patches.cut(tiles_h5, tmp_path / "patches.h5", 16, 0.5)
    listed, (test, arms) = patches.index(cut), recipes.leak_arms(cut, seed=0)
    assert listed["tile"][test].nunique() == len(test) == 5
    assert len(arms["with"]) == len(arms["without"])
    assert set(listed["tile"][arms["with"]]) | set(listed["tile"][arms["without"]]) == set(
        listed["tile"][test]
    )
    middle = listed.loc[test].set_index("tile")

    def shares_pixels(position: int) -> bool:
        place = listed.loc[position]
        away = [abs(place[k] - middle.loc[place["tile"], k]) for k in ("row", "column")]
        return max(away) < 16

    touching = {name: sum(map(shares_pixels, found)) for name, found in arms.items()}
    # 60 pixels: patches start at 0, 8, … 40, 44; the middle one has 3 × 3 − 1 neighbors
    assert touching == {"without": 0, "with": 8 * 5}
    assert not set(test) & {*arms["with"], *arms["without"]}


def test_a_rare_class_is_learned_and_scored_on_chips_held_out(monkeypatch):
    from classroom import recipes

    train, test = recipes.chips(3, 1)
    assert train[0].shape == (3, 128, 128, 14) and test[0].dtype == np.float32
    assert 0 <= train[0].min() < 5 and 250 < train[0].max() <= 255
    for mine, same in zip(train, recipes.chips(3, 2)[0], strict=True):
        np.testing.assert_array_equal(mine, same)  # what is held out scales nothing
    losses = recipes.rare_losses(train[1])
    small = [tuple(part[:, :32, :32] for part in pair) for pair in (train, test)]
    matrix = recipes.landslides(*small, losses["cross-entropy"], seed=0, passes=1)
    assert matrix.sum() == 32 * 32  # of the one chip held out


def test_chips_make_patches_of_their_own_size(tmp_path, monkeypatch):
    monkeypatch.setattr(cityscape, "MOUNTAINS", cityscape.Mountains(count=4, storm=0.5))
    for name, value in {"DATASET": "mountains", "WORK": tmp_path, "PROFILE": "smoke"}.items():
        monkeypatch.setenv(f"SEGKIT_{name}", str(value))
    patches_h5 = course.catch_up("patches.h5")
    assert store.attributes(patches_h5)["size"] == 128
    assert len(patches.index(patches_h5)) == 4


def test_a_network_of_landslides_is_built_trained_and_may_be_blind_to_bands(tmp_path, monkeypatch):
    monkeypatch.setattr(cityscape, "MOUNTAINS", cityscape.Mountains(count=4, storm=0.6))
    for name, value in {"DATASET": "mountains", "WORK": tmp_path, "PROFILE": "smoke"}.items():
        monkeypatch.setenv(f"SEGKIT_{name}", str(value))
    patches_h5 = course.catch_up("patches.h5")
    images, masks = patches.read(patches_h5, patches.members(patches_h5, "train"))
    tiny = dataclasses.replace(course.SMOKE, width=2, tuned_epochs=1, steps=2)
    keep = np.zeros(14, np.float32)
    keep[:3] = 1
    loss = recipes.slide_losses(masks)["focal Tversky"]
    model, history = recipes.landslide_net(
        tiny, patches_h5, tmp_path / "m.keras", loss, build=models.attention_unet, keep=keep
    )
    assert model.card.dataset == "mountains" and len(history) == 1


def test_a_threshold_is_the_best_one_and_f1_is_worked_out_by_hand():
    truth = np.array([1, 1, 0, 0, 0], bool)
    likely = np.array([0.9, 0.4, 0.45, 0.2, 0.1])
    assert measures.f1(truth, likely >= 0.5) == pytest.approx(2 / 3)
    assert measures.f1(truth, likely >= 0.4) == pytest.approx(4 / 5)
    assert measures.f1(truth & False, truth & False) == 0
    assert 0.2 < measures.best_threshold(truth, likely) <= 0.4
