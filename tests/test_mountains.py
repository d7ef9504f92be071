"""The mountains: the same at any time, laid out like Landslide4Sense, with steep slides."""

import hashlib
import json

import h5py
import numpy as np
import pytest
from helpers import dead_process

import cityscape
from cityscape import mountains
from segkit import datasets

COUNT = 40  # chips of seed 0
SLOPE = 12  # band
MASKS = "991e8d405284b6ae"  # start of their SHA-256, packed to bits


@pytest.fixture(scope="module")
def chips():
    """Return all images (40, 128, 128, 14) and masks (40, 128, 128) of seed 0."""
    images, masks = zip(*(mountains.chip(n) for n in range(1, COUNT + 1)), strict=True)
    return np.stack(images), np.stack(masks)


def read(home, number):
    with h5py.File(home / "TrainData" / "img" / f"image_{number}.h5") as file:
        image = file["img"][:]
    with h5py.File(home / "TrainData" / "mask" / f"mask_{number}.h5") as file:
        return image, file["mask"][:]


def test_the_layout_is_that_of_landslide4sense(tmp_path):
    home = cityscape.write_landslides(tmp_path, count=2)
    assert home == tmp_path / "landslide" / "landslide4sense"
    assert {p.name for p in (home / "TrainData" / "img").iterdir()} == {"image_1.h5", "image_2.h5"}
    assert {p.name for p in (home / "TrainData" / "mask").iterdir()} == {"mask_1.h5", "mask_2.h5"}
    assert [p.name for p in home.parent.iterdir()] == ["landslide4sense"]
    for number in (1, 2):
        image, mask = read(home, number)
        assert image.shape == (128, 128, 14) and image.dtype == np.float64
        assert mask.shape == (128, 128) and mask.dtype == np.uint8


def test_what_is_written_is_what_is_drawn_for_any_count(tmp_path, chips):
    home = cityscape.write_landslides(tmp_path, count=2)
    image, mask = read(home, 2)
    np.testing.assert_array_equal(image, chips[0][1])
    np.testing.assert_array_equal(mask, chips[1][1])
    assert not np.array_equal(mountains.chip(2, seed=1)[1], mask)


def test_masks_are_the_same_everywhere(chips):
    assert hashlib.sha256(np.packbits(chips[1]).tobytes()).hexdigest()[:16] == MASKS


def test_a_finished_set_is_left_and_another_replaces_it(tmp_path):
    stamp = cityscape.write_landslides(tmp_path, count=1) / "sample.json"
    made = stamp.stat().st_mtime_ns
    assert cityscape.write_landslides(tmp_path, count=1) == stamp.parent
    assert stamp.stat().st_mtime_ns == made
    cityscape.write_landslides(tmp_path, count=2, seed=3)
    assert json.loads(stamp.read_text())["seed"] == 3
    assert len(list(stamp.parent.rglob("*.h5"))) == 4


def test_a_killed_run_leaves_nothing_under_the_final_name(tmp_path, monkeypatch):
    write_chip = mountains._write_chip

    def die(folder, number, seed, storm):
        if number == 2:
            raise KeyboardInterrupt
        write_chip(folder, number, seed, storm)

    parent = tmp_path / mountains.FOLDER.parent
    left = parent / f".part-{dead_process()}-0123abcd-landslide4sense" / "img" / "image_9.h5"
    left.parent.mkdir(parents=True)
    left.touch()  # of a run that could not clear up
    monkeypatch.setattr(mountains, "_write_chip", die)
    with pytest.raises(KeyboardInterrupt):
        cityscape.write_landslides(tmp_path, count=3)
    assert not list(parent.iterdir())


def test_a_folder_with_something_else_is_not_touched(tmp_path):
    image = tmp_path / mountains.FOLDER / "TrainData" / "img" / "image_1.h5"
    image.parent.mkdir(parents=True)
    image.write_text("downloaded")
    with pytest.raises(FileExistsError, match="something else"):
        cityscape.write_landslides(tmp_path, count=1)
    assert image.read_text() == "downloaded"
    with pytest.raises(ValueError, match="at least 1"):
        cityscape.write_landslides(tmp_path / "new", count=0)


def test_some_land_slid_and_some_chips_are_calm(chips):
    masks = chips[1]
    assert set(np.unique(masks)) == {0, 1}
    assert 0.02 < masks.mean() < 0.04
    assert 0.1 < np.mean(masks.max((1, 2)) == 0) < 0.5


def test_slides_are_steep_and_bare_but_not_the_only_bare_ground(chips):
    images, masks = chips
    slid = masks == 1
    assert images[slid, SLOPE].mean() > 1.1 * images[~slid, SLOPE].mean()
    red, near_infrared = images[..., 3], images[..., 7]
    assert red[slid].mean() > 1.4 * red[~slid].mean()
    assert near_infrared[slid].mean() < near_infrared[~slid].mean()
    bare = red / near_infrared > np.median(red[slid] / near_infrared[slid])
    assert (bare & ~slid).sum() > (bare & slid).sum()


def test_every_band_is_divided_by_about_its_mean(chips):
    images = chips[0]
    assert np.isfinite(images).all() and images.min() >= 0 and images.max() < 8
    np.testing.assert_allclose(images.mean((0, 1, 2)), 1, atol=0.05)
    slope = images[..., SLOPE] * mountains._BAND_MEAN[SLOPE]
    assert slope.min() >= 0 and 20 < slope.mean() < 30 and slope.max() < 89


def test_a_calmer_storm_leaves_fewer_slides_on_the_same_ground():
    pairs = [(mountains.chip(n), mountains.chip(n, storm=0.3)) for n in range(1, 9)]
    for (image, mask), (calm_image, calm) in pairs:
        assert not (calm > mask).any()
        np.testing.assert_array_equal(calm_image[..., SLOPE], image[..., SLOPE])
    assert 0 < sum(calm.sum() for _, (_, calm) in pairs) < sum(m.sum() for (_, m), _ in pairs)


def test_mountains_are_a_data_set_by_name(tmp_path, monkeypatch):
    few = cityscape.Mountains(count=3, storm=0.32)
    monkeypatch.setattr(cityscape, "MOUNTAINS", few)
    found = datasets.find("mountains", tmp_path)
    assert found.name == "mountains" and len(found.tiles) == 3 and len(found.card.bands) == 14
    image, mask, _ = found.read(found.tiles[2])
    np.testing.assert_array_equal(mask, mountains.chip(3, storm=0.32)[1])
    assert image.dtype == np.float32 and image.shape == (128, 128, 14)


def test_about_two_in_a_hundred_pixels_of_the_course_slid():
    masks = [mountains.chip(n, storm=cityscape.MOUNTAINS.storm)[1] for n in range(1, 41)]
    assert 0.01 < np.mean(masks) < 0.025
