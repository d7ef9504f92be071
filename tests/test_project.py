"""The project brief: its code runs from the first line to the last, on the second embedded city."""

import re

import geopandas
import numpy as np
import pandas as pd
import pytest
from helpers import REPOSITORY

from segkit import classes, datasets, maps, rasters

BRIEF = (REPOSITORY / "notebooks" / "project.md").read_text("utf-8")
STEPS = re.findall(r"```python\n(.*?)```", BRIEF, re.DOTALL)
#: A corner of the second city's scene.
CORNER, SIDE = "vrt://{}?srcwin=512,512,{},{}", 640
#: What a test has no time for, and what it does instead.
SHORTER = {
    "SIDE, COUNT = 256, 10": "SIDE, COUNT = 128, 6",
    ", 192, 8, seed": ", 64, 2, seed",
    "minutes=5": "epochs=1, steps=3",
    "max(50, 400": "max(20, 100",
}


def test_the_brief_leads_from_a_picture_to_hectares_with_intervals(tmp_path, monkeypatch, capsys):
    city = datasets.find("second_city").tiles[0].image.parents[3] / "scene"
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    code = STEPS
    for long, short in SHORTER.items():
        assert sum(step.count(long) for step in code) == 1, long
        code = [step.replace(long, short) for step in code]
    folder, scope = tmp_path / "mycity", {}
    folder.mkdir()
    for name in ("scene", "scene_mask"):
        rasters.cloud_optimized(
            CORNER.format(city / f"{name}.tif", SIDE, SIDE), folder / f"{name}.tif"
        )
    exec(code[0], scope)
    squares = geopandas.read_file(folder / "squares.gpkg")
    assert len(squares) == len(list((folder / "images").glob("*.tif"))) == 6
    # Somebody who draws without a fault, in degrees.
    drawn = maps.polygons(folder / "scene_mask.tif").clip(squares.union_all(), keep_geom_type=True)
    named = {str(number): name for number, name in enumerate(classes.DUBAI.names)}
    drawn["class"] = drawn["class"].replace(named)
    drawn.to_crs("EPSG:4326").to_file(folder / "drawn.gpkg")
    for step in code[1:4]:
        exec(step, scope)
    assert scope["before"].keys() == scope["after"].keys() and scope["areas"].sum() > 3
    exec(code[4], scope)
    sample = geopandas.read_file(folder / "sample.gpkg")
    with rasters.opened(folder / "scene_mask.tif") as truth:
        seen = [int(value[0]) for value in truth.sample(sample.get_coordinates().to_numpy())]
    sample["seen"] = [classes.DUBAI.names[number] for number in seen]
    sample.to_file(folder / "sample.gpkg")
    capsys.readouterr()
    exec(code[5], scope)
    said = capsys.readouterr().out
    assert "± 95 %" in said and "overall accuracy" in said
    n, weight = scope["counts"].sum(axis=0), scope["weight"]
    right = np.diag(scope["counts"])[n > 0] / n[n > 0]
    assert np.trace(scope["share"]) == pytest.approx((right * weight[n > 0]).sum())
    assert scope["counts"].sum() == len(sample) and len(code) == 6
    mapped = pd.Series(scope["mapped_areas"]).sum()
    assert abs(mapped - scope["areas"].sum()) < 1e-9
