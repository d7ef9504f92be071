"""Tiles in HDF5: exact, atomic, refused when broken."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
import warnings

import h5py
import numpy as np
import pytest
import rasterio
from helpers import dubai_tree, python, write, write_pair
from PIL import Image
from rasterio.transform import from_origin

from segkit import classes, datasets, patches, store


def test_the_store_holds_what_the_files_hold(tree, tiles_h5):
    data = datasets.find("dubai", tree)
    for tile in data.tiles[::5]:
        image, mask, _ = data.read(tile)
        stored = store.read(tiles_h5, tile.id)
        assert np.array_equal(stored[0], image) and np.array_equal(stored[1], mask)


def test_a_window_is_a_slice(tiles_h5):
    image, mask = store.read(tiles_h5, "tile1_part001")
    window = store.read(tiles_h5, "tile1_part001", row=7, column=11, height=20, width=30)
    assert np.array_equal(window[0], image[7:27, 11:41])
    assert np.array_equal(window[1], mask[7:27, 11:41])
    with pytest.raises(IndexError, match="leaves the tile"):
        store.read(tiles_h5, "tile1_part001", row=50, height=20)
    with pytest.raises(IndexError, match="leaves the tile"):
        store.read(tiles_h5, "tile1_part001", height=-5)
    with pytest.raises(KeyError, match="tile9"):
        store.read(tiles_h5, "tile9")


def test_attributes_and_index(tiles_h5):
    listed = store.index(tiles_h5)
    assert len(listed) == 27 and set(listed["group"]) == {"Tile 1", "Tile 2", "Tile 3"}
    with h5py.File(tiles_h5) as file:
        assert set(file["tiles/tile1_part001"].attrs) >= {"group", "crs", "transform", "source"}
        assert store.scheme(file) == classes.DUBAI
    card = store.card(tiles_h5)
    assert len(card.fingerprint) == 16 and card.bands == ("red", "green", "blue")
    assert (card.dtype, set(card.ranges), card.gsd) == ("uint8", {(0.0, 255.0)}, None)


def test_the_fingerprint_follows_the_pixels(tmp_path):
    data = datasets.find("dubai", dubai_tree(tmp_path, tiles=1, parts=3))
    prints = []
    for change in (0, 0, 1):
        image = np.array(Image.open(data.tiles[0].image))
        image[0, 0, 0] ^= change
        Image.fromarray(image).save(data.tiles[0].image)
        prints.append(store.card(store.build(data, tmp_path / "tiles.h5")).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_a_georeference_is_kept(tmp_path):
    write_pair(tmp_path, "a", np.zeros((6, 8, 3), np.uint8), np.full((6, 8, 3), 9, np.uint8))
    (tmp_path / "images" / "a.png").unlink()
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,9,9,9\n", encoding="utf-8")
    place = {"crs": "EPSG:32640", "transform": from_origin(331793, 2781724, 0.5, 0.5)}
    shape = {"driver": "GTiff", "height": 6, "width": 8, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "images" / "a.tif", "w", **shape, **place) as raster:
        raster.write(np.zeros((3, 6, 8), np.uint8))
    path = store.build(datasets.find(str(tmp_path)), tmp_path / "tiles.h5")
    with store.opened(path) as file:
        kept = file["tiles/a"].attrs
        assert kept["crs"] == "EPSG:32640"
        assert kept["transform"].tolist() == [0.5, 0, 331793, 0, -0.5, 2781724]


def test_a_data_set_without_tiles_makes_no_store(tmp_path, tree):
    empty = dataclasses.replace(datasets.find("dubai", tree), tiles=())
    with pytest.raises(datasets.DatasetError, match="dubai: .* without tiles"):
        store.build(empty, tmp_path / "t.h5")
    assert not (tmp_path / "t.h5").exists()


def test_a_failed_build_leaves_the_old_store(tmp_path):
    data = datasets.find("dubai", dubai_tree(tmp_path, tiles=1, parts=3))
    path = store.build(data, tmp_path / "out" / "tiles.h5")
    before = path.read_bytes()
    data.tiles[2].mask.write_bytes(b"")
    with pytest.raises(datasets.DatasetError):
        store.build(data, path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["tiles.h5"]


def test_a_build_killed_at_any_moment_leaves_the_old_store_or_the_new(tmp_path, tree):
    path = tmp_path / "tiles.h5"
    old = store.build(datasets.find("dubai", dubai_tree(tmp_path, 1, 3)), path).read_bytes()
    code = f"""
from segkit import datasets, store
print("go", flush=True)
for _ in range(1000):
    store.build(datasets.find("dubai", {str(tree)!r}), {str(path)!r})
"""
    for pause in (0.01, 0.05, 0.13):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(pause)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert path.read_bytes() == old or len(store.index(path)) == 27
    store.build(datasets.find("dubai", tree), path)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["tiles.h5"]


def test_what_is_no_whole_store_is_refused(tmp_path, tiles_h5, patches_h5):
    cut_off = tmp_path / "cut.h5"
    cut_off.write_bytes(tiles_h5.read_bytes()[:5000])
    with pytest.raises(ValueError, match="store.build"):
        store.index(cut_off)
    with pytest.raises(ValueError, match="format"):
        store.index(patches_h5)
    with pytest.raises(FileNotFoundError, match="store.build"):
        store.index(tmp_path / "none.h5")


def test_a_store_that_somebody_holds_open_is_not_called_broken(tmp_path, tiles_h5):
    held = tmp_path / "held.h5"
    held.write_bytes(tiles_h5.read_bytes())
    code = "import sys, h5py; file = h5py.File(sys.argv[1], 'r+'); print(1, flush=True); input()"
    with python(code, held, HDF5_USE_FILE_LOCKING="TRUE") as other:
        assert other.stdout.readline() == "1\n"
        with pytest.raises(ValueError, match="lock.*close it elsewhere"):
            store.index(held)
        other.communicate("\n")
    assert len(store.index(held)) == 27


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_pixels_keep_their_type_and_the_card_knows_their_range(tmp_path, dtype):
    rng = np.random.default_rng(0)
    for name in "ab":
        image = (rng.random((60, 70, 2)) * (1000, 4000)).astype(dtype)
        image[0, 0] = 60_000  # an outlier
        if dtype == "float32":
            image[1, 1] = np.nan
        shape = {"driver": "GTiff", "height": 60, "width": 70, "count": 2, "dtype": dtype}
        for kind in ("images", "masks"):
            (tmp_path / kind).mkdir(exist_ok=True)
        with rasterio.open(tmp_path / "images" / f"{name}.tif", "w", **shape) as raster:
            raster.write(np.moveaxis(image, -1, 0))
            raster.descriptions = ("Red", "NIR")
        Image.fromarray(np.full((60, 70, 3), 9, np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,9,9,9\n", encoding="utf-8")
    path = store.build(datasets.find(str(tmp_path)), tmp_path / "tiles.h5")
    stored, card = store.read(path, "b")[0], store.card(path)
    assert stored.dtype == dtype and np.array_equal(stored, image, equal_nan=dtype == "float32")
    assert card.bands == ("red", "nir") and card.dtype == dtype
    assert np.array(card.ranges) == pytest.approx(np.array([[5, 995], [20, 3980]]), rel=0.05, abs=9)
    assert np.isfinite(card.scaled(stored)).all() and card.scaled(stored).max() == 255


def test_ranges_are_those_of_the_tiles_that_the_default_split_trains_on(tmp_path):
    """The tiles held out are a hundred times as bright, and nobody has looked at them."""
    names = [f"place{i:02}" for i in range(12)]
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for name in names:
        write(tmp_path / "images" / f"{name}.tif", np.full((1, 8, 8), 9, np.uint16))
        write(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 8, 8), np.uint8))
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,9,9,9\n", encoding="utf-8")
    data = datasets.find(str(tmp_path))
    for name in names:
        level = 9 if name in data.training() else 900
        dark_to_bright = np.linspace(level, 10 * level, 64).reshape(1, 8, 8)
        write(tmp_path / "images" / f"{name}.tif", dark_to_bright.astype(np.uint16))
    tiles_h5 = store.build(data, tmp_path / "tiles.h5")
    patches_h5 = patches.cut(tiles_h5, tmp_path / "patches.h5", size=8)
    patches.split(patches_h5)
    assert set(patches.tiles(patches_h5, "train")) == data.training() < set(names)
    assert store.card(tiles_h5).ranges[0] == pytest.approx((9, 90), abs=1)


def test_too_few_tiles_to_split_are_all_looked_at(tree):
    data = datasets.find("dubai", tree)
    two = dataclasses.replace(data, tiles=data.tiles[:2])
    assert two.training() == {tile.id for tile in two.tiles}


def test_what_stands_for_no_data_stretches_no_range(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for name in "abc":
        image = rng.integers(1000, 3000, (2, 40, 40)).astype(np.int16)
        image[:, :10] = -32768
        write(tmp_path / "images" / f"{name}.tif", image, nodata=-32768)
        write(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 40, 40), np.uint8))
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,9,9,9\n", encoding="utf-8")
    card = store.card(store.build(datasets.find(str(tmp_path)), tmp_path / "tiles.h5"))
    assert np.array(card.ranges) == pytest.approx(np.array([[1010, 2990]] * 2), abs=15)


def test_a_band_that_is_the_same_everywhere_is_scaled_in_silence(tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    write(tmp_path / "images" / "a.tif", np.full((1, 8, 8), 5000, np.uint16))
    write(tmp_path / "masks" / "a.tif", np.zeros((1, 8, 8), np.uint8))
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,9,9,9\n", encoding="utf-8")
    card = store.card(store.build(datasets.find(str(tmp_path)), tmp_path / "tiles.h5"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert card.scaled(np.full((2, 2, 1), 5000, np.uint16)).max() == 0


def built(folder, image, **more):
    """Return the card of a store of one GeoTIFF."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    write(folder / "images" / "a.tif", image, **more)
    write(folder / "masks" / "a.tif", np.zeros((1, *image.shape[1:]), np.uint8))
    (folder / "classes.csv").write_text("name,r,g,b\nroof,9,9,9\n", encoding="utf-8")
    return store.card(store.build(datasets.find(str(folder)), folder / "tiles.h5"))


@pytest.mark.parametrize("more", [{}, {"nodata": 0}])
def test_a_bright_or_empty_border_is_no_range(tmp_path, more):
    """As wide as the steps between the pixels that are looked at: not one column in all rows."""
    image = np.random.default_rng(0).integers(1000, 3000, (1, 200, 4000)).astype(np.uint16)
    image[:, :, :80] = more.get("nodata", 60_000)
    ((low, high),) = built(tmp_path, image, **more).ranges
    assert low == pytest.approx(1010, abs=15)
    assert high == pytest.approx(2990 if more else 60_000, abs=15)


def test_no_data_in_one_band_stretches_neither(tmp_path):
    image = np.random.default_rng(0).integers(1000, 3000, (2, 60, 60)).astype(np.int16)
    image[1, :20] = -9999
    ranges = built(tmp_path, image, nodata=-9999).ranges
    assert np.array(ranges) == pytest.approx(np.array([[1010, 2990]] * 2), abs=15)


def test_many_tiles_are_looked_at_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MOST", 100)
    seen = []
    monkeypatch.setattr(store, "_ranges", lambda found: seen.extend(found) or [(0, 1)])
    built(tmp_path, np.zeros((1, 100, 100), np.uint16))
    assert sum(map(len, seen)) == 100


def test_small_numbers_fill_the_range(tmp_path):
    image = np.linspace(0, 1e-7, 3600).reshape(1, 60, 60).astype(np.float32)
    card = built(tmp_path, image)
    assert card.scaled(image.reshape(60, 60, 1)).mean() == pytest.approx(127, abs=2)
