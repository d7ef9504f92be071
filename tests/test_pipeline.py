"""Batches and crops: right pixels, moved together, the same for a seed."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
import tensorflow as tf

from segkit import patches, pipeline, store


def test_augment_moves_image_and_mask_together():
    mask = np.arange(64, dtype=np.uint8).reshape(8, 8)
    image = 100 + np.repeat(mask[..., None], 3, axis=-1).astype(np.float32)
    seen = set()
    for seed in range(40):
        turned, moved = pipeline.augment(image, mask, np.random.default_rng(seed))
        order = np.argsort(turned[..., 0], axis=None, kind="stable")
        assert np.array_equal(moved.ravel()[order], np.sort(mask, axis=None))
        assert turned.min() >= 0 and turned.max() <= 255
        seen.add(moved.tobytes())
    assert len(seen) == 8


@pytest.mark.parametrize("kind", ["uint8", "int64", "float64"])
def test_augment_gives_float32_of_any_numbers(kind):
    image, mask = np.ones((8, 8, 3), kind), np.ones((8, 8), np.uint8)
    assert pipeline.augment(image, mask, np.random.default_rng(0))[0].dtype == np.float32


def test_batches_read_each_patch_of_the_subset_once(patches_h5):
    found = patches.members(patches_h5, "test")
    data = pipeline.batches(patches_h5, "test", batch_size=5)
    images, masks = zip(*data, strict=True)
    with store.opened(patches_h5, patches.FORMAT) as file:
        assert np.array_equal(np.concatenate(masks), file["masks"][found])
        assert np.array_equal(np.concatenate(images), file["images"][found].astype(np.float32))
    assert int(data.cardinality()) == len(images)


def test_a_split_that_was_not_made_is_named(patches_h5):
    with pytest.raises(KeyError, match="patches.split"):
        pipeline.batches(patches_h5, "train", 4, split="half")


def test_crops_are_windows_of_the_chosen_tiles(tiles_h5):
    ids = ["tile1_part001", "tile2_part003"]
    data = pipeline.crops(tiles_h5, ids, 32, 6, augment=False, seed=1)
    images, masks = next(iter(data.take(1)))
    assert images.shape == (6, 32, 32, 3) and masks.shape == (6, 32, 32)
    tiles = [store.read(tiles_h5, name)[0] for name in ids]
    windows = [np.lib.stride_tricks.sliding_window_view(t, (32, 32, 3)) for t in tiles]
    for image in images.numpy():
        assert any((w == image).all(axis=(-3, -2, -1)).any() for w in windows)


def test_crops_follow_the_seed(tiles_h5):
    first, same, other = (
        next(iter(pipeline.crops(tiles_h5, ["tile1_part001"], 32, 4, seed=s).take(1)))[0].numpy()
        for s in (0, 0, 1)
    )
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    names = ["tile1_part001", "tile2_part003", "tile3_part002"]
    one, turned = (
        next(iter(pipeline.crops(tiles_h5, ids, 32, 4).take(1)))[0] for ids in (names, names[::-1])
    )
    assert np.array_equal(one, turned)  # a set of names has no order


def test_impossible_crops_are_refused(tiles_h5):
    with pytest.raises(ValueError, match="smaller than a crop"):
        pipeline.crops(tiles_h5, ["tile1_part001"], 96, 4)
    with pytest.raises(ValueError, match="no such tiles"):
        pipeline.crops(tiles_h5, ["atlantis"], 32, 4)
    with pytest.raises(ValueError, match="empty"):
        pipeline.crops(tiles_h5, [], 32, 4)


def test_no_tuner_runs_beside_the_data(tiles_h5, patches_h5):
    """TensorFlow's may sleep on when the data end, and a training waits for it."""
    crops = pipeline.crops(tiles_h5, ["tile1_part001"], 32, 4)
    for data in (crops, pipeline.batches(patches_h5, "test", 5).repeat()):
        assert data.skip(2).options().autotune.enabled is False


def test_how_many_read_changes_no_number(tiles_h5, patches_h5):
    ids = ["tile1_part001", "tile2_part003"]
    for one, three in (
        [pipeline.crops(tiles_h5, ids, 32, 4, workers=n).take(9) for n in (1, 3)],
        [pipeline.batches(patches_h5, "train", 4, augment=True, workers=n) for n in (1, 3)],
        [
            pipeline.batches(patches_h5, "train", 4, augment=True, workers=n).repeat(2)
            for n in (1, 3)
        ],
    ):
        pairs = list(zip(one.as_numpy_iterator(), three.as_numpy_iterator(), strict=True))
        assert len(pairs) > 1
        for mine, other in pairs:
            assert all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True))


def test_an_image_given_to_augment_stays_as_it_is():
    image = np.random.default_rng(0).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    before = image.copy()
    pipeline.augment(image, np.zeros((8, 8), np.uint8), np.random.default_rng(1))
    assert np.array_equal(image, before)


def test_a_broken_file_is_no_endless_wait(tiles_h5, tmp_path):
    """What goes wrong in a thread is told to who asks for a batch."""
    copy = tmp_path / "tiles.h5"
    copy.write_bytes(tiles_h5.read_bytes())
    data = pipeline.crops(copy, ["tile1_part001"], 32, 4)
    with h5py.File(copy, "r+") as file:
        del file["tiles/tile1_part001/image"]
    with pytest.raises(tf.errors.OpError, match="image"):
        next(iter(data))


def test_a_program_ends_while_crops_go_on(tiles_h5):
    """It waited for ever, more often than not, when TensorFlow's threads did the reading.

    What lies in a cycle is freed by whichever thread happens to collect it: one that holds HDF5's
    lock must not wait for others that need it.
    """
    code = """
import gc, sys
from segkit import pipeline, store
path = sys.argv[1]
def feed(size):
    return iter(pipeline.crops(path, ["tile1_part001"], 32, size, workers=3))
gc.set_threshold(100)
for _ in range(6):
    cycle = [feed(64)]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    store.index(path)
feeds = [feed(4) for _ in range(3)]
for one in feeds:
    next(one)
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(tiles_h5)], check=True, timeout=100, capture_output=True
    )
    assert not told.stderr
