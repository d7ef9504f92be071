"""The districts of the scene: they cover it, do not overlap, have names, and lie in degrees."""

import geopandas
import numpy as np
import pytest
import rasterio
from helpers import write_map
from shapely.geometry import box

import cityscape
from cityscape import dataset, districts
from classroom import course
from segkit import datasets

CITIES = {
    "first": cityscape.CITY,
    "second": cityscape.SECOND_CITY,
    "invented": cityscape.invented(7),
    "at the sea": cityscape.invented(8),
}
NAMES = {"Gardens", "Old Town", "Sands East", "Sands South", "Sands West", "Villas East"}
NAMES |= {"Villas West"}


@pytest.fixture(scope="module", params=CITIES)
def city(request, tmp_path_factory):
    """Return a city, its districts as they are stored, and the box of its scene."""
    chosen = CITIES[request.param]
    folder = cityscape.write_districts(tmp_path_factory.mktemp("districts"), chosen)
    row, column, height, width = dataset.scene_window(chosen)
    place = cityscape.transform(row, column, chosen)
    scene = box(*rasterio.transform.array_bounds(height, width, place))
    return chosen, geopandas.read_file(folder / districts.FILE), scene


def test_districts_tile_the_scene_but_for_the_open_sea(city):
    _, table, scene = city
    drawn = table.to_crs(cityscape.CRS)
    assert table.crs == "EPSG:4326" and (drawn.geom_type == "Polygon").all() and len(drawn) > 3
    together = drawn.union_all()
    assert drawn.area.sum() == pytest.approx(together.area, rel=1e-9)  # none lies on another
    assert together.difference(scene.buffer(0.01)).is_empty
    assert together.area > 0.95 * scene.area
    assert (drawn.area > 10_000 * districts._LEAST * 0.9).all()
    assert drawn.count_coordinates().sum() < 400


def test_districts_have_names_of_their_own_and_kinds(city):
    chosen, table, _ = city
    assert list(table.columns) == ["name", "kind", "geometry"]
    assert table["name"].is_unique and table["name"].str.istitle().all()
    if chosen == cityscape.CITY:  # notebook 11 speaks of them
        assert set(table["name"]) == NAMES
    assert set(table["kind"]) <= {quarter.name for quarter in chosen.quarters}


def test_names_tell_where_a_district_lies_among_its_like():
    numbers, kinds, _ = districts._lay_out(cityscape.CITY)
    assert numbers.min() == 1 and len(kinds) == 7
    assert districts._names([5, 5, 1], [(0, 0), (9, 1), (5, 5)]) == [
        "Sands West", "Sands East", "Old Town",
    ]  # fmt: skip
    assert districts._names([0] * 3, [(9, 1), (9, 2), (0, 0)])[:2] == [
        "Harbor East",
        "Harbor East (2)",
    ]


def test_a_small_part_goes_to_the_neighbor_that_it_borders_on_most():
    numbers = np.ones((9, 9), int)
    numbers[:, 5:] = 2
    numbers[3:5, 4:6] = 3  # touches 1 on three cells more
    numbers[3:5, 3] = 3
    found = districts._without_slivers(numbers, 10)
    assert set(np.unique(found)) == {1, 2} and found[3, 4] == 1
    island = np.zeros((5, 5), int)
    island[2, 2] = 4
    assert np.array_equal(districts._without_slivers(island, 10), island)  # no neighbor


def test_each_pixel_of_the_scene_is_in_one_district(tmp_path):
    """Whatever the CRS of the outlines, and on a scene that shows a part of them."""
    row, column, _, _ = dataset.scene_window()
    place = cityscape.transform(row, column)
    folder = cityscape.write_districts(tmp_path / "districts")
    for side in (1024, 2048):
        pixels = np.zeros((side, side), np.uint8)
        scene = write_map(tmp_path / f"{side}.tif", pixels, cityscape.CRS, place)
        home, scheme = datasets.from_polygons(scene, folder / districts.FILE, "name")
        assert (home != scheme.ignore_index).all()
        assert len(np.unique(home)) == (7 if side == 2048 else 5)


def test_the_course_knows_the_districts(monkeypatch, tmp_path):
    monkeypatch.setattr(course.datasets, "find", lambda name: pytest.fail("not needed"))
    monkeypatch.setenv("SEGKIT_SCENE", str(tmp_path / "own.tif"))
    assert course.districts() is None
    monkeypatch.setenv("SEGKIT_DISTRICTS", str(tmp_path / "own.gpkg"))
    assert course.districts() == tmp_path / "own.gpkg"


def test_a_finished_file_is_left_as_it_is(tmp_path):
    path = cityscape.write_districts(tmp_path / "d") / districts.FILE
    made = path.stat().st_mtime_ns
    assert cityscape.write_districts(tmp_path / "d") / districts.FILE == path
    assert path.stat().st_mtime_ns == made
    cityscape.write_districts(tmp_path / "d", cityscape.SECOND_CITY)
    assert path.stat().st_mtime_ns != made
