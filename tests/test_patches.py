"""Cutting, gluing, splitting."""

import contextlib
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers import write_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from segkit import classes, datasets, patches, pipeline, store
from segkit.datasets import base

sizes = st.integers(1, 40)
overlaps = st.floats(0, 0.99)


@given(sizes, sizes, sizes, overlaps, st.sampled_from([(), (3,)]))
@settings(max_examples=200)
def test_unpatchify_gives_every_image_back(height, width, size, overlap, channels):
    count = height * width * int(np.prod(channels))
    image = np.arange(count, dtype=np.int64).reshape(height, width, *channels)
    grid = patches.patchify(image, size, overlap)
    assert grid.shape[2:4] == (size, size)
    assert np.array_equal(patches.unpatchify(grid, image.shape, overlap), image)


@given(sizes, sizes, overlaps)
def test_starts_cover_every_pixel_and_stay_inside(length, size, overlap):
    covered = np.zeros(max(length, size), bool)
    for start in patches.starts(length, size, overlap):
        assert start == 0 or start + size <= length
        covered[start : start + size] = True
    assert covered.all()


def test_by_hand():
    assert patches.starts(700, 256) == [0, 256, 444]
    assert patches.starts(700, 256, edges="drop") == [0, 256]
    assert patches.starts(10, 4, overlap=0.5) == [0, 2, 4, 6]
    assert patches.starts(3, 4, edges="drop") == []
    grid = patches.patchify(np.arange(16).reshape(4, 4), 2)
    assert grid[0, 1].tolist() == [[2, 3], [6, 7]]


@pytest.mark.parametrize("arguments", [(4, 0), (4, 2, 1.0), (4, 2, -0.1), (4, 2, 0, "crop")])
def test_impossible_cuts_are_refused(arguments):
    with pytest.raises(ValueError, match="overlap"):
        patches.starts(*arguments)


def test_unpatchify_refuses_a_wrong_grid():
    with pytest.raises(ValueError, match="2×2"):
        patches.unpatchify(np.zeros((1, 2, 4, 4)), (8, 8))


def test_every_patch_is_its_window(tiles_h5, patches_h5):
    with h5py.File(patches_h5) as file:
        for i in range(0, len(file["row"]), 7):
            tile = file["tile"].asstr()[i]
            image, mask = store.read(tiles_h5, tile, file["row"][i], file["column"][i], 32, 32)
            assert np.array_equal(file["images"][i], image)
            assert np.array_equal(file["masks"][i], mask)


def test_a_small_tile_is_filled_up_and_ignored(tiles_h5, tmp_path):
    path = patches.cut(tiles_h5, tmp_path / "big.h5", size=96)
    height, width = store.index(tiles_h5).loc["tile1_part001", ["height", "width"]]
    with h5py.File(path) as file:
        first = list(file["tile"].asstr()[:]).index("tile1_part001")
        mask = file["masks"][first]
    assert (mask[height:] == 5).all() and (mask[:, width:] == 5).all()
    image, truth = store.read(tiles_h5, "tile1_part001")
    assert np.array_equal(mask[:height, :width], truth)
    with pytest.raises(ValueError, match="keep"):
        patches.cut(tiles_h5, tmp_path / "none.h5", size=96, edges="drop")
    assert not (tmp_path / "none.h5").exists()


def test_the_real_tiles_give_1305_patches_and_lose_no_pixel(real_tiles_h5, tmp_path):
    dropped = patches.cut(real_tiles_h5, tmp_path / "drop.h5", edges="drop")
    with h5py.File(dropped) as file:
        assert file["images"].shape == (1305, 256, 256, 3)
    kept = patches.cut(real_tiles_h5, tmp_path / "keep.h5")
    listed = store.index(real_tiles_h5)
    seen = {name: np.zeros((t.height, t.width), bool) for name, t in listed.iterrows()}
    with h5py.File(kept) as file:
        places = zip(file["tile"].asstr()[:], file["row"][:], file["column"][:], strict=True)
        for name, row, column in places:
            seen[name][row : row + 256, column : column + 256] = True
    assert len(seen) == 72 and all(covered.all() for covered in seen.values())


def test_the_real_tiles_come_back_bit_for_bit(real_tiles_h5):
    for name in store.index(real_tiles_h5).index[::9]:
        for array in store.read(real_tiles_h5, name):
            grid = patches.patchify(array, 256, 0.3)
            assert np.array_equal(patches.unpatchify(grid, array.shape, 0.3), array)


def test_parts_1_to_7_train_8_validates_9_tests(patches_h5):
    found = {subset: patches.tiles(patches_h5, subset) for subset in patches.SUBSETS}
    assert {name[-1] for name in found["train"]} == set("1234567")
    assert {name[-1] for name in found["validation"]} == {"8"}
    assert {name[-1] for name in found["test"]} == {"9"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("by", "unit"), [("image", "tile"), ("group", "group")])
def test_no_unit_is_on_two_sides(patches_h5, by, unit, seed):
    patches.split(patches_h5, by=by, seed=seed)
    with h5py.File(patches_h5) as file:
        subset, units = file[f"splits/{by}"][:], file[unit].asstr()[:]
    sides = [set(units[subset == side]) for side in range(3)]
    assert all(sides) and not sides[0] & sides[1] and not (sides[0] | sides[1]) & sides[2]
    patches.split(patches_h5, by="image", seed=0)


def test_split_by_patch_keeps_the_fractions_and_the_seed(patches_h5):
    with pytest.warns(patches.LeakWarning, match="22 of 27 images .* comparison only"):
        table = patches.split(patches_h5, by="patch", fractions=(0.8, 0.2, 0), seed=4)
    assert table["patches"]["test"] == 0
    assert abs(table["patches"]["validation"] / table["patches"].sum() - 0.2) < 0.01
    first = patches.members(patches_h5, "train", "patch")
    with pytest.warns(patches.LeakWarning):
        patches.split(patches_h5, by="patch", fractions=(0.8, 0.2, 0), seed=4)
    assert np.array_equal(patches.members(patches_h5, "train", "patch"), first)
    with pytest.raises(ValueError, match="every image"):
        patches.tiles(patches_h5, "train", "patch")


def test_each_group_is_left_out_once(patches_h5):
    names = patches.leave_one_out(patches_h5)
    assert names == ["without Tile 1", "without Tile 2", "without Tile 3"]
    with h5py.File(patches_h5) as file:
        group = file["group"].asstr()[:]
    for name in names:
        test = patches.members(patches_h5, "test", name)
        assert {f"without {g}" for g in group[test]} == {name}
        assert len(test) + len(patches.members(patches_h5, "train", name)) == len(group)
    assert patches.shares(patches_h5, names[0])["patches"]["validation"] == 0


@pytest.mark.parametrize(
    ("count", "fractions", "expected"),
    [
        (9, (0.7, 0.15, 0.15), [7, 1, 1]),
        (7, (0, 0.5, 0.5), [0, 3, 4]),
        (3, (0, 0.1, 0.9), [0, 1, 2]),
        (4, (0.1, 0.45, 0.45), [1, 1, 2]),
        (10, (0.8, 0, 0.2), [8, 0, 2]),
    ],
)
def test_every_subset_that_was_asked_for_gets_something(count, fractions, expected):
    dealt = base.dealt(count, fractions)
    assert np.bincount(dealt, minlength=3).tolist() == expected


@pytest.mark.parametrize("by", ["image", "group", "without Tile 1"])
def test_a_split_with_a_leak_is_refused(patches_h5, by, tmp_path):
    path = tmp_path / "p.h5"
    path.write_bytes(patches_h5.read_bytes())
    patches.split(path, by="group")
    patches.leave_one_out(path)
    with h5py.File(path, "r+") as file:
        subset = file[f"splits/{by}"]
        first = np.flatnonzero(subset[:] == 0)[0]
        subset[first] = 2
    with pytest.raises(patches.LeakError, match="more than one subset"):
        patches.members(path, "train", by)


@pytest.mark.filterwarnings("ignore::segkit.patches.LeakWarning")
@pytest.mark.parametrize("by", ["patch", "image", "group"])
def test_another_seed_is_another_split(patches_h5, by):
    held_out = []
    for seed in range(4):
        patches.split(patches_h5, by=by, seed=seed)
        held_out.append(tuple(patches.members(patches_h5, "test", by)))
    assert len(set(held_out)) > 1


def test_a_seed_of_numpy_is_the_same_seed(patches_h5):
    held_out = []
    for seed in (3, np.uint32(3)):
        patches.split(patches_h5, seed=seed)
        held_out.append(patches.members(patches_h5, "test").tolist())
    patches.split(patches_h5)
    assert held_out[0] == held_out[1] != patches.members(patches_h5, "test").tolist()


def test_a_group_keeps_its_letters_in_the_name_of_a_split(patches_h5, tmp_path):
    path = tmp_path / "p.h5"
    path.write_bytes(patches_h5.read_bytes())
    with h5py.File(path, "r+") as file:
        file["group"][:] = [x.replace("Tile 1", "Süd & C+D") for x in file["group"].asstr()[:]]
    assert patches.leave_one_out(path)[0] == "without Süd & C+D"
    assert len(patches.members(path, "test", "without Süd & C+D"))


def test_a_share_of_zero_stays_empty():
    assert np.bincount(base.dealt(5, (0, 0.5, 0.5))).tolist() == [0, 3, 2]
    assert np.bincount(base.dealt(5, (0.5, 0, 0.5))).tolist() == [3, 0, 2]


def test_the_rule_and_the_seed_are_kept(patches_h5, tmp_path):
    path = tmp_path / "p.h5"
    path.write_bytes(patches_h5.read_bytes())
    patches.split(path, by="tile", seed=3)  # an older name
    with h5py.File(path) as file:
        kept = dict(file["splits/group"].attrs)
    assert kept["by"] == "group" and kept["seed"] == 3
    assert kept["fractions"].tolist() == [0.7, 0.15, 0.15]


def test_impossible_splits_are_refused(patches_h5):
    with pytest.raises(ValueError, match="choose one of"):
        patches.split(patches_h5, by="random")
    for fractions in ((0.5, 0.1, 0.1), (float("nan"), 0.5, 0.5)):
        with pytest.raises(ValueError, match="sum to 1"):
            patches.split(patches_h5, fractions=fractions)
    with pytest.raises(KeyError, match="subset"):
        patches.members(patches_h5, "holdout")
    with pytest.raises(KeyError, match="make it with patches.split"):
        patches.shares(patches_h5, "without Atlantis")


@pytest.fixture
def cities(tmp_path):
    """Patches of twelve images of two cities, numbered within each."""
    for name in [f"{city}{i}" for city in ("austin", "vienna") for i in range(1, 7)]:
        rgb_mask = classes.DUBAI.encode(np.zeros((8, 8), np.uint8))
        write_pair(tmp_path, name, np.zeros((8, 8, 3), np.uint8), rgb_mask)
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,60,16,152\nroad,110,193,228\n")
    data = datasets.find(str(tmp_path))
    return patches.cut(store.build(data, tmp_path / "t.h5"), tmp_path / "p.h5", size=8)


def test_images_of_a_folder_are_shuffled_before_they_are_shared_out(cities):
    tests = []
    for seed in range(5):
        shares = patches.split(cities, fractions=(0.5, 0.25, 0.25), seed=seed)
        assert shares["patches"].tolist() == [6, 3, 3]
        tests.append(tuple(patches.tiles(cities, "test")))
    assert len(set(tests)) > 2
    towns = [{name.rstrip("0123456789") for name in held} for held in tests]
    assert sum(len(found) == 2 for found in towns) >= 3  # one city alone is luck, not the rule


def test_older_names_of_the_splits_still_work(patches_h5):
    for older, name in patches.OLDER.items():
        patches.split(patches_h5, by=older)
        for asked in (older, name):
            assert np.array_equal(
                patches.members(patches_h5, "test", asked),
                patches.members(patches_h5, "test", name),
            )
        assert patches.shares(patches_h5, older).equals(patches.shares(patches_h5, name))
    assert patches.tiles(patches_h5, "train", "tile-part") == patches.tiles(patches_h5, "train")


def test_a_split_is_written_while_somebody_reads(patches_h5, tmp_path):
    path = Path(shutil.copy(patches_h5, tmp_path / "p.h5"))
    reading = iter(pipeline.batches(path, "train", 4, augment=True))
    first = next(reading)
    patches.split(path, by="group")
    with h5py.File(path) as file:
        before = file["splits/group"][:]
        patches.split(path, by="group", seed=1)
        assert np.array_equal(file["splits/group"][:], before)  # who has it open reads on
    assert first[0].shape == next(reading)[0].shape
    with h5py.File(path) as file:
        assert not np.array_equal(file["splits/group"][:], before)


def test_two_splits_at_once_are_both_kept(patches_h5, tmp_path, monkeypatch):
    path = Path(shutil.copy(patches_h5, tmp_path / "p.h5"))
    copy, both = shutil.copyfile, threading.Barrier(2)

    def slow(*given):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.3)  # each would read the file before the other has written it
        return copy(*given)

    monkeypatch.setattr(patches.shutil, "copyfile", slow)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda by: patches.split(path, by=by), ("group", "image")))
    assert {"group", "image"} <= {*patches.splits(path)}


def test_a_split_that_fails_leaves_the_file_as_it_was(patches_h5, tmp_path, monkeypatch):
    path = Path(shutil.copy(patches_h5, tmp_path / "p.h5"))
    before = path.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(h5py.Group, "require_dataset", fail)
    with pytest.raises(KeyboardInterrupt):
        patches.split(path, by="group")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["p.h5"]


def test_patches_are_read_in_the_order_asked_for(patches_h5):
    with h5py.File(patches_h5) as file:
        images, masks = file["images"][:9], file["masks"][:9]
        pixels = [np.bincount(mask.ravel(), minlength=6) for mask in masks]
        assert np.array_equal(file["counts"][:9], pixels)
    found = patches.read(patches_h5, [7, 2, 7])
    assert np.array_equal(found[0], images[[7, 2, 7]])
    assert np.array_equal(found[1], masks[[7, 2, 7]])
    image, mask = patches.read(patches_h5, 3)
    assert np.array_equal(image, images[3]) and np.array_equal(mask, masks[3])
