"""The command line: what it prints, writes, refuses; its exit codes."""

import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner
from helpers import EAST, NORTH, dubai_tree, scene_of, write, write_map
from PIL import Image
from rasterio.transform import from_origin

from segkit import cli, maps, models, training
from segkit.classes import DUBAI
from segkit.datasets import Card


def call(*words):
    """Run a command in this process."""
    return CliRunner().invoke(cli.main, [str(word) for word in words])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that has learned nothing, of uint8 RGB."""
    path = tmp_path_factory.mktemp("models") / "little.keras"
    card = Card("made up", DUBAI, gsd=0.5)
    return training.save(models.unet(6, width=2, depth=2), path, DUBAI, card)


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", scene_of((70, 90)))


def test_from_a_scene_to_areas_and_outlines(scene, model, tmp_path):
    done = call("predict", scene, "--model", model, "--confidence")
    target = tmp_path / "scene_map.tif"
    assert (done.exit_code, done.output.strip()) == (0, str(target))
    with rasterio.open(target) as found, rasterio.open(scene) as source:
        assert found.shape == source.shape and found.crs == source.crs
    assert target.with_name("scene_map_confidence.tif").exists()
    printed = call("areas", target)
    assert printed.exit_code == 0 and "hectares" in printed.output
    table = call("areas", target, "--out", tmp_path / "areas.csv")
    hectares = pd.read_csv(tmp_path / "areas.csv")["hectares"].sum()
    assert table.exit_code == 0 and hectares > 0
    drawn = call("polygons", target, tmp_path / "outlines.gpkg")
    assert drawn.exit_code == 0
    square = geopandas.read_file(tmp_path / "outlines.gpkg")
    assert square.area.sum() > 0 and square.crs.is_projected
    assert call("polygons", target, tmp_path / "outlines.geojson").exit_code == 0
    degrees = geopandas.read_file(tmp_path / "outlines.geojson")
    assert degrees.crs == "EPSG:4326" and len(degrees) == len(square)
    again = degrees.to_crs(square.crs).area.sum()  # to seven digits of a degree: a centimeter
    assert again == pytest.approx(square.area.sum(), rel=1e-3)


def test_outlines_across_180_degrees_keep_their_area(tmp_path):
    ring = np.zeros((60, 60), np.uint8)
    ring[10:50, 10:50] = 1
    place = from_origin(150_000, 8_150_000, 1000, 1000)
    path = write_map(tmp_path / "m.tif", ring, "EPSG:32701", place)
    assert call("polygons", path, tmp_path / "m.geojson").exit_code == 0
    drawn = geopandas.read_file(tmp_path / "m.geojson")
    assert (drawn.geometry.bounds["maxx"] <= 180).all() and drawn.is_valid.all()
    pixels, outlines = (maps.areas(x).set_index("class")["hectares"] for x in (path, drawn))
    assert outlines.to_dict() == pytest.approx(pixels.to_dict(), rel=1e-3)


def test_what_is_there_is_not_replaced_unasked(scene, model, tmp_path):
    out = tmp_path / "kept.tif"
    out.write_bytes(b"somebody's map")
    asked = ["predict", scene, "--model", model, "--out", out]
    done = call(*asked)
    assert done.exit_code == 2 and "--overwrite" in done.output
    assert out.read_bytes() == b"somebody's map"
    assert call(*asked, "--overwrite").exit_code == 0 and out.stat().st_size > 100


def test_nor_is_what_lies_beside_a_result(scene, model, tmp_path):
    (tmp_path / "net.bin").write_bytes(b"precious")
    (tmp_path / "scene_map_confidence.tif").write_bytes(b"precious")
    (tmp_path / "net.json").write_text("{}")
    for words in (
        ["export", tmp_path / "net.xml", "--model", model],
        ["train", tmp_path, "--out", tmp_path / "net.keras"],
        ["predict", scene, "--model", model, "--confidence"],
    ):
        done = call(*words)
        assert done.exit_code == 2 and "--overwrite" in done.output
    for name in ("net.bin", "scene_map_confidence.tif"):
        assert (tmp_path / name).read_bytes() == b"precious"
    assert call("predict", scene, "--model", model).exit_code == 0


def test_a_table_in_another_encoding_is_replaced(scene, model, tmp_path):
    call("predict", scene, "--model", model, "--out", tmp_path / "m.tif")
    (tmp_path / "old.csv").write_bytes("Fläche".encode("latin-1"))
    done = call("areas", tmp_path / "m.tif", "--out", tmp_path / "old.csv", "--overwrite")
    assert done.exit_code == 0 and "hectares" in (tmp_path / "old.csv").read_text()


def test_wrong_requests_end_with_2_and_a_sentence(scene, model, tmp_path):
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    for words, told in [
        (["predict", tmp_path / "no.tif", "--model", model], "does not exist"),
        (["predict", scene], "--model"),
        (["predict", scene, "--model", "atlantis"], "city-lite0"),
        (["predict", scene, "--model", model, "--bands", "1,2"], "the model takes 3"),
        (["predict", scene, "--model", model, "--scaling", "9", "1"], "scaling"),
        (["predict", text, "--model", model], "not recognized"),
        (["predict", scene, "--model", text], "no whole model"),
        (["areas", text], "not recognized"),
        (["polygons", scene, tmp_path / "x.doc"], ".gpkg or a .geojson"),
        (["app", "--port", "99999999"], "65535"),
        (["predict", scene, "--model", model, "--scaling", "0", "inf"], "scaling"),
        (["train", tmp_path, "--out", tmp_path / "m.keras"], "images/, masks/"),
        (["fly"], "No such command"),
    ]:
        done = call(*words)
        assert (done.exit_code, told in done.output) == (2, True), (words, done.output)
        assert "Traceback" not in done.output
    assert not list(tmp_path.glob("*_map.tif"))


def test_a_map_without_a_place_says_so_on_the_error_line(tmp_path):
    Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / "photo.png")
    done = call("predict", tmp_path / "photo.png", "--model", "city-lite0")
    assert done.exit_code == 0 and done.stdout.strip().endswith("photo_map.tif")
    drawn = call("polygons", tmp_path / "photo_map.tif", tmp_path / "x.geojson")
    assert drawn.exit_code == 2 and "crs" in drawn.output and not (tmp_path / "x.geojson").exists()
    measured = call("areas", tmp_path / "photo_map.tif")
    assert "pixels" in measured.stdout and "Note: the map has no CRS" in measured.stderr


def test_a_folder_becomes_a_model(tmp_path):
    dubai_tree(tmp_path, tiles=1, parts=8)
    source, folder = (
        tmp_path / "dubai" / "Semantic segmentation dataset" / "Tile 1",
        tmp_path / "own",
    )
    source.rename(folder)
    rows = [f"{n},{r},{g},{b}" for n, (r, g, b) in zip(DUBAI.names, DUBAI.colors, strict=True)]
    (folder / "classes.csv").write_text("\n".join(["name,r,g,b", *rows]), encoding="utf-8")
    out = tmp_path / "own.keras"
    how = ["--network", "unet", "--minutes", "0.02", "--crop", "32"]
    done = call("train", folder, "--out", out, *how)
    assert done.exit_code == 0 and "miou" in done.output, done.output
    assert training.load(out).card.dataset == "own"
    assert call("predict", folder / "images" / "image_part_001.png", "--model", out).exit_code == 0


def test_it_runs_anywhere_and_is_silent_in_a_pipe(tmp_path):
    place = from_origin(EAST, NORTH, 0.5, 0.5)
    write_map(tmp_path / "map.tif", np.zeros((40, 40), np.uint8), "EPSG:32640", place)
    segkit = Path(sys.executable).with_name("segkit")
    done = subprocess.run(
        [segkit, "areas", "map.tif"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "") and "0.04" in done.stdout
    code = (
        "import sys, segkit.cli; assert not {'tensorflow', 'rasterio', 'gradio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    helped = subprocess.run([segkit, "--help"], capture_output=True, text=True, check=True).stdout
    for name in cli.main.commands:
        assert f"  {name} " in helped and call(name, "--help").exit_code == 0
