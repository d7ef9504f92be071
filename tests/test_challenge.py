"""The challenge: a city from a seed, and maps that can or cannot be compared with its truth."""

import json
import os

import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import Affine

import cityscape
from cityscape import dataset
from classroom import challenge
from segkit import datasets
from segkit.classes import DUBAI

SEED = 7


@pytest.fixture(scope="module", autouse=True)
def small():
    """Pictures of a few pixels; the city's plan is the whole one."""
    patch = pytest.MonkeyPatch()
    patch.setattr(dataset, "_SCENE_SIZE", 96)
    patch.setattr(dataset, "SIZES", ((24, 24),) * 6)
    patch.setattr(dataset, "_MAP_SIZE", 64)
    patch.setattr(dataset, "_FLAW", np.s_[:4, :4])
    yield
    patch.undo()


@pytest.fixture(scope="module")
def city():
    return cityscape.invented(SEED)


@pytest.fixture(scope="module")
def truth_tif(city, tmp_path_factory):
    return cityscape.write_scene(tmp_path_factory.mktemp("truth") / "s", city) / "scene_mask.tif"


def changed(path, target, **profile):
    """Write a raster again with other entries in its profile; return its path."""
    with rasterio.open(path) as raster:
        how = raster.profile | profile
        pixels = raster.read()[:, : how["height"], : how["width"]]
    with rasterio.open(target, "w", **how) as raster:
        raster.write(pixels.astype(how["dtype"]))
    return target


def test_a_city_is_its_seed_and_shows_no_ground_twice(city):
    assert city == cityscape.invented(SEED) != cityscape.invented(SEED + 1)
    boxes = [(city.scene, 1024), *((place, 780) for place in city.places)]
    assert len(boxes) == 7
    for i, ((x, y), side) in enumerate(boxes):
        for (other_x, other_y), other in boxes[:i]:
            assert max(abs(x - other_x), abs(y - other_y)) >= (side + other) / 2


def test_what_is_handed_out_holds_no_answer(city, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "city"
    challenge.main(["new", "--seed", str(SEED), "--folder", str(folder)])
    files = {path.name for path in folder.rglob("*")}
    assert "scene.tif" in files and not {"scene_mask.tif", "basemap.tif"} & files
    told = json.loads((folder / "sample.json").read_text())
    assert not {"seed"} & set(told) and city.seed not in told.values()
    said = capsys.readouterr().out
    assert f"The seed is {SEED}:" in said and "SEGKIT_DATA=path/of/city " in said
    monkeypatch.setenv("SEGKIT_DATA", str(folder))
    assert len(datasets.find("dubai").tiles) == 54


def test_a_perfect_map_scores_one_and_the_table_grows(truth_tif, tmp_path, capsys):
    table, land = tmp_path / "scores.csv", tmp_path / "land.tif"
    words = ["--seed", str(SEED), "--table", str(table)]
    with rasterio.open(truth_tif) as raster, rasterio.open(land, "w", **raster.profile) as written:
        written.write(np.full((1, *raster.shape), DUBAI.names.index("Land"), np.uint8))
    challenge.main(["score", str(land), "--team", "Sandpipers", *words])
    challenge.main(["score", str(truth_tif), "--team", "Crabs", *words])
    found = pd.read_csv(table).set_index("team")
    assert found.index.tolist() == ["Sandpipers", "Crabs"]
    last = capsys.readouterr().out.split("boundary f1")[-1]
    assert last.index("Crabs") < last.index("Sandpipers")
    best = found.loc["Crabs"]
    assert best[["miou", "accuracy", "boundary f1"]].tolist() == [1, 1, 1]
    assert best["area error"] == 0 < found.loc["Sandpipers", "area error"]
    assert found.loc["Sandpipers", "miou"] < 0.5
    with pytest.raises(SystemExit, match="Crabs has handed in a map already"):
        challenge.main(["score", str(truth_tif), "--team", "Crabs", *words])
    for _ in range(2):
        challenge.main(["score", str(land), *words])
    assert pd.read_csv(table)["team"].tolist() == ["Sandpipers", "Crabs", "nobody", "nobody"]


def test_each_city_has_a_table_and_a_seed_that_nobody_guesses(
    truth_tif, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    monkeypatch.setattr(challenge, "score", lambda *_: {"miou": 0.5})
    for seed in ("7", "8"):
        challenge.main(["score", str(truth_tif), "--seed", seed, "--team", "Crabs"])
    assert len(list((tmp_path / "challenge").glob("scores_*.csv"))) == 2
    monkeypatch.setattr(challenge.cityscape, "invented", lambda seed: seed)
    monkeypatch.setattr(challenge.cityscape, "write", lambda folder, *_, **__: folder)
    capsys.readouterr()
    for _ in range(2):
        challenge.main(["new"])
    drawn = [
        int(word.strip(":")) for word in capsys.readouterr().out.split() if word[:-1].isdigit()
    ]
    assert len(set(drawn)) == 2 and min(drawn) > 2**40


def test_a_secret_seed_is_as_hard_to_guess_inside():
    """The world follows the city's own seed, and tiles show whether a guess of that is right."""
    assert cityscape.invented(2**59 + 7).seed > 2**40


@pytest.mark.parametrize("team", ["7", "007", "NA", "null", "1.0", "Blue crabs"])
def test_a_team_of_any_name_hands_in_once(tmp_path, team):
    table, row = tmp_path / "t.csv", {"date": "today", "map": "m.tif", "miou": 0.5}
    for one in ("Sandpipers", team):
        challenge.append(table, row | {"team": one})
    for again in (team, f" {team.upper()} "):
        with pytest.raises(challenge.NotComparable, match="one map for each team"):
            challenge.append(table, row | {"team": again})
    assert pd.read_csv(table, dtype=str, keep_default_na=False)["team"].tolist()[1] == team


def test_what_is_asked_wrongly_gets_a_sentence(tmp_path, capsys):
    for seed in ("-1", str(2**70), "crab"):
        with pytest.raises(SystemExit):
            challenge.main(["new", "--seed", seed, "--folder", str(tmp_path / "city")])
        assert "a whole number from 0" in capsys.readouterr().err
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="file"):
        challenge.main(["new", "--seed", "1", "--folder", str(tmp_path / "file")])
    for text in ("", "a,b\n1,2\n", "team,miou\n\xff", 'team,miou\nx,"0,5"\n'):
        (tmp_path / "t.csv").write_text(text, "latin-1")
        with pytest.raises(challenge.NotComparable, match="no table of scores"):
            challenge.kept(tmp_path / "t.csv", "crabs")
    (tmp_path / "t.csv").write_text("team,miou\n,0.5\n")
    assert len(challenge.kept(tmp_path / "t.csv", "crabs")[0]) == 1


def test_a_city_that_was_handed_out_is_not_drawn_over(tmp_path):
    (tmp_path / "sample.json").write_text("{}")
    with pytest.raises(SystemExit, match="name another --folder"):
        challenge.main(["new", "--folder", str(tmp_path)])


def test_a_map_that_is_cut_off_gets_a_sentence(truth_tif, tmp_path):
    cut = tmp_path / "cut.tif"
    rasterio.shutil.copy(truth_tif, cut, driver="COG")
    os.truncate(cut, cut.stat().st_size * 9 // 10)
    with pytest.raises(challenge.NotComparable, match="cut off"):
        challenge.checked(cut, truth_tif.with_name("scene.tif"))


def test_scores_worked_out_by_hand():
    """Of ten labeled pixels, one of land is taken for water; the unlabeled one counts nowhere."""
    truth = np.array([[1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 5]], np.uint8)
    mapped = np.array([[1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 0]], np.uint8)
    found = challenge.scores(truth, mapped)
    assert found["accuracy"] == pytest.approx(0.9) and found["area error"] == pytest.approx(0.1)
    assert found["iou Land"] == pytest.approx(5 / 6) and found["iou Water"] == pytest.approx(4 / 5)
    assert found["miou"] == pytest.approx((5 / 6 + 4 / 5) / 2)


def test_a_map_that_cannot_be_compared_gets_a_sentence(truth_tif, tmp_path):
    target, scene = tmp_path / "map.tif", truth_tif.with_name("scene.tif")
    with rasterio.open(truth_tif) as raster:
        place, how, shape = raster.transform, raster.profile, raster.shape
    home = Affine(0.5, 0, 331_000, 0, -0.5, 2_782_000)  # where the training city lies
    faults = {
        "EPSG:3857, the scene in EPSG:32640": {"crs": "EPSG:3857"},
        "no coordinate system": {"crs": None},
        r"lies \+2 m east and -1.5 m north": {"transform": Affine.translation(2, -1.5) @ place},
        "pixels are 0.5 m, those of the scene 0.5 m, north up": {
            "transform": place @ Affine.scale(1, -1)
        },
        "another place, [0-9]+ km away": {"transform": home},
        "pixels are 1 m, those of the scene 0.5 m": {"transform": place @ Affine.scale(2)},
        r"has \(90, 96\) pixels": {"height": 90},
        "1 bands of float32": {"dtype": "float32"},
    }
    for sentence, fault in faults.items():
        with pytest.raises(challenge.NotComparable, match=sentence):
            challenge.checked(changed(truth_tif, target, **fault), scene)
    with rasterio.open(target, "w", **how) as raster:
        raster.write(np.full((1, *shape), 255, np.uint8))
    with pytest.raises(challenge.NotComparable, match="every pixel needs a class"):
        challenge.checked(target, scene)
    target.write_text("no raster")
    with pytest.raises(SystemExit, match="no raster that can be read"):
        challenge.main(["score", str(target), "--seed", str(SEED)])
