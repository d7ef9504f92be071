"""Scenes on a cluster: the same maps, whole or not at all, made once; dead workers, lost files."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import fsspec
import h5py
import keras
import numpy as np
import pytest
import rasterio
from helpers import dubai_tree, scene_of, served, write
from PIL import Image
from rasterio import Affine
from rasterio.transform import from_origin

from segkit import datasets, models, scenes, store, training
from segkit.classes import DUBAI
from segkit.datasets import Card
from segkit.patches import starts

distributed = pytest.importorskip("distributed")

from segkit import scale  # noqa: E402 (after what it needs)

HOW = {"window": 64, "overlap": 0.5}


@pytest.fixture(scope="module")
def cluster():
    """Two workers of this process: threads, so that what a test changes is changed in them, too."""
    with distributed.Client(processes=False, n_workers=2, dashboard_address=None) as client:
        yield client


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("models") / "little.keras"
    return training.save(models.unet(6, width=2, depth=2), path, DUBAI, Card("made up", DUBAI))


def picture(seed: int, shape=(150, 90)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, *shape), np.uint8)


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "in").mkdir()
    return [write(tmp_path / "in" / f"scene_{i}.tif", picture(i)) for i in range(4)]


def alone(model: Path, source: Path, folder: Path) -> bytes:
    """Return the bytes of the map that one process makes."""
    return scenes.predict(training.load(model), source, folder / "alone.tif", **HOW).read_bytes()


def test_each_map_is_that_of_one_process_to_the_byte(model, sources, tmp_path, cluster):
    table = scale.predict_scenes(model, sources, tmp_path / "maps", cluster, **HOW)
    assert list(table["state"]) == ["mapped"] * 4 and (table["memory"] > 0).all()
    assert list(table["scene"]) == [str(source) for source in sources]
    for source, target in zip(sources, table["map"], strict=True):
        assert Path(target).read_bytes() == alone(model, source, tmp_path)
    names = {f"scene_{i}.{kind}" for i in range(4) for kind in ("tif", "segkit.json")}
    assert {path.name for path in (tmp_path / "maps").iterdir()} == names


def test_bands_of_a_scene_join_to_the_same_bytes(model, tmp_path, cluster):
    source = write(tmp_path / "large.tif", picture(9, (500, 90)))
    table = scale.predict_scenes(model, [source], tmp_path / "maps", cluster, rows=130, **HOW)
    assert table["state"][0] == "mapped", table["notes"][0]
    assert Path(table["map"][0]).read_bytes() == alone(model, source, tmp_path)
    assert sorted(p.name for p in (tmp_path / "maps").iterdir()) == [
        "large.segkit.json",
        "large.tif",
    ]
    again = scale.predict_scenes(model, [source], tmp_path / "maps", cluster, rows=130, **HOW)
    assert again["state"][0] == "current"


def test_bands_of_other_heights_are_not_taken_for_these(model, tmp_path, cluster, monkeypatch):
    source = write(tmp_path / "large.tif", picture(9, (500, 90)))
    monkeypatch.setattr(scale, "mosaic", None)  # the run breaks off before it joins
    run = partial(scale.predict_scenes, model, [source], tmp_path / "maps", cluster)
    assert run(rows=70, **HOW)["state"][0] == "failed"
    monkeypatch.undo()
    assert run(rows=260, **HOW)["state"][0] == "mapped"
    assert (tmp_path / "maps" / "large.tif").read_bytes() == alone(model, source, tmp_path)


def test_a_model_that_was_trained_anew_is_loaded_anew(model, sources, tmp_path, cluster):
    mine, target = tmp_path / "mine.keras", tmp_path / "maps"
    mine.write_bytes(model.read_bytes())
    scale.predict_scenes(mine, sources[:1], target, cluster, **HOW)
    keras.utils.set_random_seed(8)
    training.save(models.unet(6, 2, 2), mine, DUBAI, Card("made up", DUBAI))
    table = scale.predict_scenes(mine, sources[:1], target, cluster, **HOW)
    assert table["state"][0] == "mapped"
    assert Path(table["map"][0]).read_bytes() == alone(mine, sources[0], tmp_path)


def test_a_scene_that_cannot_be_cut_is_mapped_whole(model, tmp_path, cluster):
    source, scene = tmp_path / "plain.png", write(tmp_path / "placed.tif", picture(2, (200, 90)))
    Image.fromarray(picture(1, (200, 90)).transpose(1, 2, 0)).save(source)
    run = partial(scale.predict_scenes, model, [source, scene], tmp_path / "maps", cluster)
    assert set(run(rows=70, confidence=True, **HOW)["state"]) == {"mapped"}
    assert (tmp_path / "maps" / "placed_confidence.tif").exists()
    (tmp_path / "maps" / "plain.json").write_text("mine")  # somebody else's
    (tmp_path / "maps" / "plain.segkit.json").write_text("{}")
    assert list(run(confidence=True, **HOW)["state"]) == ["mapped", "current"]
    assert (tmp_path / "maps" / "plain.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("height", "overlap", "rows"), [(500, 0.5, 130), (333, 0.75, 40), (65, 0, 64)]
)
def test_a_band_reads_all_windows_that_count(height, overlap, rows, tmp_path):
    source = write(tmp_path / "s.tif", np.zeros((1, height, 64), np.uint8))
    tops, kept = starts(height, 64, overlap), []
    for first, last, top, after in scale._bands(str(source), rows, 64, overlap):
        kept += range(top, after)
        inside = [first + start for start in starts(last - first, 64, overlap)]
        counting = [t for t in tops if t < after and t + 64 > top]
        assert set(counting) <= set(inside) <= set(tops)
    assert kept == list(range(height))
    assert scale._bands(str(source), height, 64, overlap) == []


@pytest.mark.parametrize(
    "turn", [Affine.scale(-1, 1), Affine.scale(1, -1), Affine.rotation(20), Affine.shear(20, 0)]
)
def test_a_turned_scene_is_not_cut(turn, tmp_path):
    place = {"crs": "EPSG:32640", "transform": Affine(10, 0, 3e5, 0, -10, 2.8e6) * turn}
    shape = {"height": 500, "width": 64, "count": 1, "dtype": "uint8"}
    with rasterio.open(tmp_path / "s.tif", "w", "GTiff", **shape, **place):
        pass
    assert scale._bands(str(tmp_path / "s.tif"), 130, 64, 0.5) == []


def test_a_rerun_makes_what_is_missing_or_no_longer_current(model, sources, tmp_path, cluster):
    run = partial(scale.predict_scenes, model, sources, tmp_path / "maps", cluster)
    first = run(**HOW)
    stamps = [Path(target).stat().st_mtime_ns for target in first["map"]]
    Path(first["map"][1]).unlink()
    write(sources[2], picture(7))
    second = run(**HOW)
    assert list(second["state"]) == ["current", "mapped", "mapped", "current"]
    assert Path(first["map"][0]).stat().st_mtime_ns == stamps[0]
    assert Path(first["map"][2]).read_bytes() == alone(model, sources[2], tmp_path)
    assert set(run(window=64, overlap=0.25)["state"]) == {"mapped"}  # other options, other maps


def test_no_address_of_a_scene_is_replaced(model, sources, tmp_path, cluster):
    home = sources[0].parent
    for scene, target in (
        (sources[0], f"file://{home}"),
        (f"file://{sources[0]}", home),
        ("s3://bucket/in/a.tif", "s3://bucket/in/"),
    ):
        before = sources[0].read_bytes()
        with pytest.raises(ValueError, match="replace their scenes"):
            scale.predict_scenes(model, [scene], target, cluster, **HOW)
        assert sources[0].read_bytes() == before


def test_a_broken_scene_stops_no_other(model, sources, tmp_path, cluster):
    sources[1].write_text("no raster")
    sources[2].unlink()
    table = scale.predict_scenes(model, sources, tmp_path / "maps", cluster, rows=100, **HOW)
    assert list(table["state"]) == ["mapped", "failed", "failed", "mapped"]
    assert "not recognized" in table["notes"][1] and "No such file" in table["notes"][2]
    assert not list((tmp_path / "maps").glob("scene_[12]*"))
    with pytest.raises(ValueError, match="one name"):
        scale.predict_scenes(model, [sources[0], sources[0]], tmp_path, cluster)
    with pytest.raises(ValueError, match="replace their scenes"):
        scale.predict_scenes(model, sources, tmp_path / "in", cluster)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        scale.predict_scenes("atlantis", sources, tmp_path, cluster)


def test_what_is_warned_of_is_noted(tmp_path, cluster):
    path = tmp_path / "fine.keras"
    training.save(models.unet(6, 2, 2), path, DUBAI, Card("made up", DUBAI, gsd=0.1))
    source = write(tmp_path / "coarse.tif", scene_of((70, 90)))
    table = scale.predict_scenes(path, [source], tmp_path / "maps", cluster, **HOW)
    assert "learned from 0.1 m" in table["notes"][0]


def test_what_any_band_is_warned_of_is_noted_once(model, tmp_path, cluster, monkeypatch):
    plain, source = scenes.noted, write(tmp_path / "large.tif", picture(9, (500, 90)))

    def noted(model, read, *given, **how):
        first = int(read.split(",")[1])
        return [*plain(model, read, *given, **how), "dark" if first else "bright"]

    monkeypatch.setattr(scenes, "noted", noted)
    table = scale.predict_scenes(model, [source], tmp_path / "maps", cluster, rows=130, **HOW)
    assert table["notes"][0] == "bright; dark"


def test_a_scene_comes_from_a_server_and_its_map_goes_to_a_bucket(
    model, sources, tmp_path, cluster
):
    with served(tmp_path / "in") as address:
        source = f"/vsicurl/{address}/scene_0.tif"
        table = scale.predict_scenes(model, [source], "memory://maps", cluster, **HOW)
        assert table["state"][0] == "mapped", table["notes"][0]
        bucket = fsspec.filesystem("memory")
        assert bucket.cat_file("/maps/scene_0.tif") == alone(model, sources[0], tmp_path)
        again = scale.predict_scenes(model, [source], "memory://maps", cluster, **HOW)
        assert again["state"][0] == "current"


def test_a_store_that_workers_read_is_that_of_one_process(tree, tiles_h5, tmp_path, cluster):
    found = datasets.find("dubai", tree)
    made = scale.build_store(found, tmp_path / "tiles.h5", cluster)
    assert store.attributes(made) == store.attributes(tiles_h5) and len(found.tiles) > scale.AHEAD
    with h5py.File(made) as one, h5py.File(tiles_h5) as other:
        assert list(one["tiles"]) == list(other["tiles"])
        for name, tile in one["tiles"].items():
            assert str(dict(tile.attrs)) == str(dict(other["tiles"][name].attrs))
            for kind in ("image", "mask"):
                assert np.array_equal(tile[kind], other["tiles"][name][kind])


def test_a_tile_that_no_worker_can_read_leaves_the_old_store(tmp_path, cluster):
    root = dubai_tree(tmp_path / "data", tiles=1)
    found = datasets.find("dubai", root)
    found.tiles[4].mask.write_bytes(found.tiles[4].mask.read_bytes()[:99])
    (tmp_path / "tiles.h5").write_text("old")
    with pytest.raises(datasets.DatasetError, match="image_part_005"):
        scale.build_store(found, tmp_path / "tiles.h5", cluster)
    assert (tmp_path / "tiles.h5").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "tiles.h5"}


def test_maps_of_two_projections_become_one(model, tmp_path):
    here = write(tmp_path / "a.tif", np.zeros((1, 40, 40), np.uint8))
    with rasterio.open(here) as first:
        east = first.transform @ (40, 0)
        how = {"scheme": json.dumps(DUBAI.to_dict())}
        profile = first.profile | {"nodata": 255}
    beside = profile | {"transform": from_origin(*east, first.res[0], first.res[1])}
    for name, klass, place in (("a", 1, profile), ("b", 2, beside)):
        with rasterio.open(tmp_path / f"{name}.tif", "w", **place) as raster:
            raster.write(np.full((1, 40, 40), klass, np.uint8))
            raster.update_tags(**how)
            raster.write_colormap(1, dict(enumerate(DUBAI.colors)))
    pair = [tmp_path / "a.tif", tmp_path / "b.tif"]
    with rasterio.open(scale.mosaic(pair, tmp_path / "m.tif")) as joined:
        expected = np.repeat([[1, 2]], 40, axis=1).repeat(40, axis=0)
        assert np.array_equal(joined.read(1), expected)
        assert (
            joined.tags()["scheme"] == how["scheme"]
            and joined.colormap(1)[1][:3] == DUBAI.colors[1]
        )
    turned = scale.mosaic(pair, tmp_path / "degrees.tif", crs="EPSG:4326")
    with rasterio.open(turned) as joined:
        assert joined.crs == "EPSG:4326" and {1, 2} <= set(np.unique(joined.read(1)))
    with rasterio.open(pair[1], "r+") as raster:
        raster.update_tags(scheme=json.dumps(DUBAI.ignoring(None).to_dict()))
    with pytest.raises(ValueError, match="different classes"):
        scale.mosaic(pair, tmp_path / "m.tif")


KILLED = """
import sys, time
from pathlib import Path
from segkit import scale
if __name__ == "__main__":
    model, target, *sources = sys.argv[1:]
    with scale.connected() as cluster:
        print(*cluster.run(__import__("os").getpid).values(), flush=True)
        table = scale.predict_scenes(model, sources, target, cluster, window=64, overlap=0.5)
        print("done", *table["state"], flush=True)
"""


def test_a_killed_worker_loses_nothing(model, sources, tmp_path):
    """Forty scenes, two workers, one of them killed in the middle."""
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    more = [write(tmp_path / "in" / f"more_{i}.tif", picture(i, (200, 150))) for i in range(36)]
    command = [sys.executable, script, model, tmp_path / "maps", *more, *sources]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        workers = [int(word) for word in process.stdout.readline().split()]
        while not list((tmp_path / "maps").glob("*.json")):
            time.sleep(0.05)
        os.kill(workers[0], signal.SIGKILL)
        said = process.stdout.read()
    assert said.split()[-41] == "done" and set(said.split()[-40:]) <= {"mapped", "current"}
    net = training.load(model)
    for source in (*more, *sources):
        expected = scenes.predict(net, source, tmp_path / "alone.tif", **HOW).read_bytes()
        assert (tmp_path / "maps" / source.name).read_bytes() == expected
    assert not list((tmp_path / "maps").glob("*.part"))


def test_after_the_scheduler_is_gone_a_rerun_makes_what_is_missing(model, tmp_path):
    (tmp_path / "in").mkdir()
    many = [write(tmp_path / "in" / f"{i}.tif", picture(i, (150, 90))) for i in range(30)]
    threads = {"processes": False, "n_workers": 2, "dashboard_address": None}
    run = partial(scale.predict_scenes, model, many, tmp_path / "maps", **HOW)
    with ThreadPoolExecutor(1) as apart:
        with distributed.LocalCluster(**threads) as first, distributed.Client(first) as client:
            work = apart.submit(run, client)
            while len(list((tmp_path / "maps").glob("*.json"))) < 3:
                time.sleep(0.01)
        assert work.exception(timeout=60) or "failed" in set(work.result()["state"])
    kept = {path.name.partition(".")[0] for path in (tmp_path / "maps").glob("*.json")}
    assert 3 <= len(kept) < 30
    with distributed.LocalCluster(**threads) as second, distributed.Client(second) as client:
        table = run(client).set_index("scene")
    for source in many:
        assert table["state"][str(source)] == ("current" if source.stem in kept else "mapped")
        assert (tmp_path / "maps" / source.name).read_bytes() == alone(model, source, tmp_path)
    assert not list((tmp_path / "maps").glob("*.part"))
