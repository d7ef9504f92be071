"""Polygons, true areas, basemaps."""

import http.server
import io
import threading
import time
from types import SimpleNamespace

import geopandas
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.warp
from helpers import EAST, NORTH, ByColor, Constant, scene_of, write, write_map
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio import Affine
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds, from_origin
from shapely.geometry import box

from classroom import imagery
from segkit import basemaps, maps, scenes


@pytest.fixture(scope="module")
def square():
    """One square kilometer near Dubai, drawn in UTM."""
    shape = [box(EAST, NORTH, EAST + 1000, NORTH + 1000).segmentize(50)]
    return geopandas.GeoDataFrame({"class": ["Land"]}, geometry=shape, crs="EPSG:32640")


@pytest.mark.parametrize("crs", ["EPSG:32640", "EPSG:4326", "EPSG:3857"])
def test_a_square_kilometer_has_100_hectares_in_any_crs(square, crs, tmp_path):
    there = square.to_crs(crs)
    assert maps.areas(there)["hectares"][0] == pytest.approx(100, rel=1e-3)
    west, south, east, north = there.total_bounds
    transform = from_bounds(west, south, east, north, 300, 300)
    path = write_map(tmp_path / "map.tif", np.ones((300, 300), np.uint8), crs, transform)
    bounds = geopandas.GeoSeries([box(west, south, east, north).segmentize(50)], crs=crs)
    true = bounds.to_crs("EPSG:6933").area[0] / 10_000
    assert maps.areas(path)["hectares"][0] == pytest.approx(true, rel=1e-3)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_large_pixels_have_the_size_of_their_own_latitude(crs, tmp_path):
    """Two classes, north and south, in one block of the file; pixels of some 5 km."""
    bounds = geopandas.GeoSeries([box(10, 50, 12, 60)], crs="EPSG:4326").to_crs(crs).total_bounds
    west, south, east, north = bounds
    transform = from_bounds(west, south, east, north, 40, 200)
    indices = np.repeat([[0], [1]], 100, axis=0).repeat(40, axis=1).astype(np.uint8)
    found = maps.areas(write_map(tmp_path / "map.tif", indices, crs, transform))
    middle = (south + north) / 2
    halves = [box(west, middle, east, north), box(west, south, east, middle)]
    halves = geopandas.GeoSeries([x.segmentize((north - south) / 500) for x in halves], crs=crs)
    true = halves.to_crs("EPSG:6933").area / 10_000
    pair = found.set_index("class")["hectares"].loc[["0", "1"]].to_numpy()
    assert pair == pytest.approx(true.to_numpy(), rel=1e-3) and pair[1] > 1.1 * pair[0]


def test_tall_pixels_have_the_size_of_their_own_latitude(tmp_path):
    indices = np.repeat(np.uint8([[0], [1]]), 20, axis=0).repeat(9, axis=1)
    place = Affine(10, 0, 1e6, 0, -3000, 8e6)
    path = write_map(tmp_path / "m.tif", indices, "EPSG:3857", place)
    pixels, outlines = (maps.areas(x).set_index("class") for x in (path, maps.polygons(path)))
    assert pixels["hectares"].to_dict() == pytest.approx(outlines["hectares"].to_dict(), rel=1e-4)


def test_web_mercator_is_off_by_the_cosine_squared(square):
    mercator = square.to_crs("EPSG:3857")
    latitude = np.radians(square.to_crs("EPSG:4326").total_bounds[[1, 3]].mean())
    assert mercator.area[0] / 1e6 == pytest.approx(1 / np.cos(latitude) ** 2, rel=0.01)


@given(
    st.floats(2e5, 8e5), st.floats(1e6, 6e6), st.floats(0.05, 30), st.floats(0, 360),
    st.integers(1, 900), st.integers(1, 900),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_map_lies_on_its_own_grid_and_not_on_one_beside_it(x, y, size, turn, height, width):
    """Wherever it lies, however it is turned."""
    place = Affine.translation(x, y) @ Affine.rotation(turn) @ Affine.scale(size, -size)
    beside = place @ Affine.translation(-0.3, 0)
    how = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": height, "width": width}
    with (
        MemoryFile() as memory,
        MemoryFile() as other,
        memory.open(crs="EPSG:32640", transform=place, **how) as one,
        other.open(crs="EPSG:32640", transform=beside, **how) as two,
    ):
        maps._check_same(one, one)
        with pytest.raises(ValueError, match="different grids"):
            maps._check_same(one, two)


@pytest.mark.parametrize(
    ("crs", "corner", "size", "width"),
    [("EPSG:4326", (5, 60), 0.01, 1000), ("EPSG:3857", (500_000, 8_400_000), 1000, 400)],
)
def test_polygons_with_long_edges_have_the_area_of_their_pixels(crs, corner, size, width, tmp_path):
    """An edge along a parallel is no shortest line on the ground."""
    indices = np.repeat([[1], [0]], 20, axis=0).repeat(width, axis=1).astype(np.uint8)
    indices[19, ::2] = 0
    path = write_map(tmp_path / "map.tif", indices, crs, from_origin(*corner, size, size))
    pixels, outlines = (
        maps.areas(one).set_index("class")["hectares"] for one in (path, maps.polygons(path))
    )
    assert outlines.to_numpy() == pytest.approx(pixels.loc[outlines.index].to_numpy(), rel=1e-3)


def test_a_map_without_data_has_no_areas(tmp_path):
    indices = np.full((8, 8), 255, np.uint8)
    path = write_map(tmp_path / "map.tif", indices, "EPSG:32640", from_origin(EAST, NORTH, 1, 1))
    with rasterio.open(path, "r+") as raster:
        raster.nodata = 255
    assert maps.areas(path).empty and maps.areas(maps.polygons(path)).empty


def test_an_outline_without_a_place_has_no_area(square):
    more = geopandas.GeoDataFrame({"class": ["Road"]}, geometry=[None], crs=square.crs)
    found = maps.areas(pd.concat([square, more], ignore_index=True))
    assert found["class"].tolist() == ["Land"]


def test_a_drawing_has_pixels_and_no_hectares(tmp_path):
    crs = 'LOCAL_CS["drawing",UNIT["m",1]]'
    indices = np.zeros((8, 8), np.uint8)
    path = write_map(tmp_path / "map.tif", indices, crs, from_origin(0, 8, 1, 1))
    with pytest.warns(UserWarning, match="no hectares"):
        assert maps.areas(path)["pixels"].tolist() == [64]
    with pytest.warns(UserWarning, match="no hectares"):
        assert maps.areas(maps.polygons(path))["square_units"].tolist() == [64]


def test_areas_by_hand(tmp_path):
    indices = np.array([[0, 0, 1, 255], [0, 1, 1, 255]], np.uint8)
    path = write_map(tmp_path / "m.tif", indices, "EPSG:32640", from_origin(EAST, NORTH, 100, 100))
    table = maps.areas(path)
    assert list(table.columns) == ["class", "hectares", "share"]
    assert table["hectares"].tolist() == pytest.approx([3, 3], rel=1e-3)
    assert table["share"].tolist() == pytest.approx([0.5, 0.5])
    shapes = maps.polygons(path)
    assert len(shapes) == 2 and shapes.crs == "EPSG:32640" and shapes.area.sum() == 60_000
    by_shape = maps.areas(shapes)
    assert by_shape["hectares"].tolist() == pytest.approx([3, 3], rel=1e-3)


def test_polygons_with_holes_have_the_area_of_their_pixels(tmp_path):
    ring = np.zeros((40, 40), np.uint8)
    ring[10:30, 10:30] = 1
    path = write_map(tmp_path / "map.tif", ring, "EPSG:32640", from_origin(EAST, NORTH, 10, 10))
    tables = [maps.areas(mapped).set_index("class") for mapped in (path, maps.polygons(path))]
    assert tables[0].loc["0", "hectares"] == pytest.approx(12, rel=1e-3)
    assert tables[1].loc["0", "hectares"] == pytest.approx(12, rel=1e-3)


@pytest.mark.parametrize(("north", "size"), [(70, 0.001), (85, 0.005), (90, 0.01)])
def test_degrees_far_north_have_the_area_of_their_own_latitude(tmp_path, north, size):
    halves = np.repeat(np.uint8([[1], [0]]), 32, axis=0) * np.ones((1, 64), np.uint8)
    path = write_map(tmp_path / "m.tif", halves, "EPSG:4326", from_origin(20, north, size, size))
    pixels, outlines = (maps.areas(x).set_index("class") for x in (path, maps.polygons(path)))
    assert pixels["hectares"].to_dict() == pytest.approx(outlines["hectares"].to_dict(), rel=0.04)
    if north < 90:
        assert pixels["share"].to_dict() == pytest.approx(outlines["share"].to_dict(), abs=1e-3)


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        ("EPSG:3832", from_origin(3_300_000, 2_000_000, 4000, 4000)),  # over the 180th meridian
        ("EPSG:3413", from_origin(-80_000, 80_000, 4000, 4000)),  # around the pole
    ],
)
def test_holes_are_holes_where_longitudes_end(tmp_path, crs, place):
    ring = np.zeros((40, 40), np.uint8)
    ring[10:30, 10:30] = 1
    path = write_map(tmp_path / "map.tif", ring, crs, place)
    pixels, outlines = (maps.areas(x).set_index("class") for x in (path, maps.polygons(path)))
    assert outlines["hectares"].to_dict() == pytest.approx(pixels["hectares"].to_dict(), rel=1e-3)


WHOLE_EARTH = 51_006_562_172.4  # hectares of the WGS 84 ellipsoid


def test_a_map_of_the_whole_earth_has_its_area(tmp_path):
    bands = np.repeat(np.arange(6, dtype=np.uint8), 10)[:, None] * np.ones((1, 120), np.uint8)
    path = write_map(tmp_path / "m.tif", bands, "EPSG:4326", from_origin(-180, 90, 3, 3))
    pixels, outlines = (maps.areas(x).set_index("class") for x in (path, maps.polygons(path)))
    assert outlines["hectares"].sum() == pytest.approx(WHOLE_EARTH, rel=1e-9)
    # A parallel bends away from a pixel's straight edge: over three degrees, by so little.
    assert pixels["hectares"].to_dict() == pytest.approx(outlines["hectares"].to_dict(), rel=1e-5)
    beyond = geopandas.GeoDataFrame({"class": ["a"]}, geometry=[box(-180, 0, 180, 91)], crs=4326)
    assert maps.areas(beyond)["hectares"].sum() == pytest.approx(WHOLE_EARTH / 2, rel=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:9518", "EPSG:4314", "EPSG:4240", "EPSG:4269"])
def test_outlines_in_other_degrees_have_the_area_of_their_pixels(tmp_path, crs):
    place = from_origin(10, 50.01, 0.001, 0.001)
    path = write_map(tmp_path / "m.tif", np.zeros((10, 10), np.uint8), crs, place)
    drawn = geopandas.GeoDataFrame({"class": ["0"]}, geometry=[box(10, 50, 10.01, 50.01)], crs=crs)
    pixels, outlines = (maps.areas(x)["hectares"][0] for x in (path, drawn))
    assert outlines == pytest.approx(pixels, rel=2e-5)


def test_what_lies_off_the_earth_is_refused_where_it_has_data(tmp_path):
    indices, place = np.zeros((40, 4), np.uint8), from_origin(20, 90.01, 0.02, 0.02)
    path = write_map(tmp_path / "m.tif", indices, "EPSG:4326", place)
    with pytest.raises(ValueError, match="off the Earth"):
        maps.areas(path)
    whole = geopandas.GeoDataFrame({"class": ["a"]}, geometry=[box(-2e7, 0, 0, 2e7)], crs=3035)
    with pytest.raises(ValueError, match="off the Earth"):
        maps.areas(whole)
    indices = np.zeros((512, 4), np.uint8)
    indices[:256] = 255
    place = from_origin(20, 90 + 1e-4, 1e-4, 1e-4)
    path = write_map(tmp_path / "empty_above.tif", indices, "EPSG:4326", place)
    assert maps.areas(path)["hectares"].sum() > 0


def test_kilometers_are_as_good_as_meters():
    areas = []
    for unit, side in (("m", 990_000), ("km", 990)):
        crs = f"+proj=merc +ellps=WGS84 +units={unit}"
        square = [box(0, 5 * side, side, 6 * side)]
        drawn = geopandas.GeoDataFrame({"class": ["a"]}, geometry=square, crs=crs)
        areas.append(maps.areas(drawn)["hectares"][0])
    assert areas[0] == pytest.approx(areas[1], rel=1e-9)


def test_simplified_neighbors_still_share_their_border(tmp_path):
    rows, columns = np.indices((60, 60))
    indices = (rows + columns // 2 > 45).astype(np.uint8) + (columns > 40)
    path = write_map(tmp_path / "m.tif", indices, "EPSG:32640", from_origin(EAST, NORTH, 10, 10))
    exact, simple = maps.polygons(path), maps.polygons(path, simplify=20)
    assert simple.geometry.count_coordinates().sum() < exact.geometry.count_coordinates().sum() / 2
    assert simple.area.sum() == pytest.approx(simple.union_all().area) == pytest.approx(360_000)
    assert simple.area.to_numpy() == pytest.approx(exact.area.to_numpy(), rel=0.05)


def test_adjusted_areas_are_those_of_the_paper():
    """Olofsson et al. 2014, tables 8 and 9: deforestation, gain, forest, other; hectares."""
    by_map = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
    mapped = 900_000 * np.array([0.02, 0.015, 0.32, 0.645])
    table = maps.adjusted_areas(by_map.T, mapped, ["loss", "gain", "forest", "other"])
    assert table["adjusted"].round().tolist() == [21158, 11686, 285770, 581386]
    assert table.loc["loss", "± 95 %"] == pytest.approx(6158, abs=2)
    perfect = maps.adjusted_areas(np.diag([50, 50]), [3, 7])
    assert perfect["adjusted"].tolist() == pytest.approx([3, 7])
    assert perfect["± 95 %"].tolist() == [0, 0]
    assert maps.adjusted_areas(np.diag([50, 1]), [3, 7])["adjusted"].isna().all()


def test_changes_by_hand(tmp_path):
    place = ("EPSG:32640", from_origin(EAST, NORTH, 100, 100))
    before = write_map(
        tmp_path / "a.tif", np.array([[0, 0, 1, 255], [0, 1, 1, 2]], np.uint8), *place
    )
    after = write_map(tmp_path / "b.tif", np.array([[0, 1, 1, 1], [0, 1, 0, 2]], np.uint8), *place)
    table = maps.changes(before, after, tmp_path / "changed.tif").round(2)
    assert table.loc["0"].tolist() == pytest.approx([3, 3, 1, 1], rel=1e-3)
    assert table.loc["1"].tolist() == pytest.approx([3, 3, 1, 1], rel=1e-3)
    assert table.loc["2"].tolist() == pytest.approx([1, 1, 0, 0], rel=1e-3)
    with rasterio.open(tmp_path / "changed.tif") as changed:
        assert changed.read(1).tolist() == [[255, 1, 255, 255], [255, 255, 0, 255]]
        assert changed.crs == "EPSG:32640"
    elsewhere = from_origin(EAST + 50, NORTH, 100, 100)
    moved = write_map(tmp_path / "c.tif", np.zeros((2, 4), np.uint8), "EPSG:32640", elsewhere)
    with pytest.raises(ValueError, match="different grids"):
        maps.changes(before, moved)


def test_grids_in_degrees_are_told_apart(tmp_path):
    indices, pixel = np.zeros((40, 40), np.uint8), 4e-6
    paths = [
        write_map(tmp_path / f"{i}.tif", indices, "EPSG:4326", from_origin(west, 25, pixel, pixel))
        for i, west in enumerate((55, 55 + 2 * pixel))
    ]
    assert maps.changes(paths[0], paths[0]).loc["0", "gained"] == 0
    with pytest.raises(ValueError, match="different grids"):
        maps.changes(*paths)


def test_a_map_of_another_type_is_refused_by_name(tmp_path):
    path = write(tmp_path / "heights.tif", np.full((1, 20, 20), 300, np.uint16))
    for measure in (maps.areas, maps.polygons, lambda p: maps.changes(p, p)):
        with pytest.raises(ValueError, match=r"heights.tif: bands of .*uint16"):
            measure(path)


def test_a_cleaned_map_lies_where_the_map_lay(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 60)))
    mapped = scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)
    cleaned = np.full((40, 60), 3, np.uint8)
    cleaned[0, 0] = scenes.NODATA
    with rasterio.open(maps.write(cleaned, mapped, tmp_path / "clean.tif")) as after:
        with rasterio.open(mapped) as before:
            assert (after.crs, after.transform) == (before.crs, before.transform)
            assert after.tags()["scheme"] == before.tags()["scheme"]
            assert after.colormap(1) == before.colormap(1)
        assert np.array_equal(after.read(1), cleaned)
        assert after.read_masks(1)[0, 0] == 0
    for wrong in (cleaned[:-1], cleaned.astype(int)):
        with pytest.raises(ValueError, match=r"\(40, 60\)"):
            maps.write(wrong, mapped, tmp_path / "wrong.tif")
    assert not (tmp_path / "wrong.tif").exists()


def test_classes_carry_their_names(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 60)))
    path = scenes.predict(Constant(), source, tmp_path / "map.tif", window=32)
    assert maps.areas(path)["class"].tolist() == ["Road"]
    assert maps.areas(path)["hectares"][0] == pytest.approx(40 * 60 * 0.25 / 10_000, rel=1e-3)
    shapes = maps.polygons(path)
    assert shapes["class"].tolist() == ["Road"]
    assert tuple(shapes.total_bounds) == pytest.approx((326_000, 2_787_980, 326_030, 2_788_000))


def test_without_a_crs_there_are_pixels_and_no_hectares(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 60)), crs=None)
    path = scenes.predict(Constant(), source, tmp_path / "map.tif", window=32)
    with pytest.warns(UserWarning, match="no CRS"):
        table = maps.areas(path)
    assert table["pixels"].tolist() == [2400] and "hectares" not in table


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Tiles that one test fetched are not there for the next, nor are its figures."""
    monkeypatch.setenv("SEGKIT_CACHE", str(tmp_path / "cache"))
    yield
    plt.close("all")


def axes_over(bounds):
    """Return axes that show bounds (west, east, south, north)."""
    _, ax = plt.subplots()
    ax.axis(bounds)
    return ax


def test_a_dead_provider_gives_way_to_the_offline_map(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    city = tmp_path / "sample" / "city"
    city.mkdir(parents=True)
    write(city / "basemap.tif", np.full((3, 100, 100), 200, np.uint8))
    bounds = (326_000, 326_050, 2_787_950, 2_788_000)
    ax = axes_over(bounds)
    said = maps.add_basemap(ax, "EPSG:32640", "http://127.0.0.1:9/{z}/{x}/{y}.png")
    assert "offline" in said and ax.axis() == pytest.approx(bounds)
    assert any("offline" in text.get_text() for text in ax.texts) and ax.images


def test_the_offline_map_is_not_drawn_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    monkeypatch.setenv("SEGKIT_BASEMAP", "http://127.0.0.1:9/{z}/{x}/{y}.png")
    city = tmp_path / "sample" / "city"
    city.mkdir(parents=True)
    write(city / "basemap.tif", np.full((3, 100, 100), 200, np.uint8))
    ax = axes_over((400_000, 400_050, 2_787_950, 2_788_000))
    assert maps.add_basemap(ax, "EPSG:32640") == "no answer from the provider"
    assert not ax.images


@pytest.mark.parametrize("bands", [1, 3])
def test_a_raster_serves_as_basemap_where_it_lies(tmp_path, bands):
    path = write(tmp_path / "base.tif", np.full((bands, 100, 100), 200, np.uint8))
    limits = (325_950, 326_100, 2_787_900, 2_788_050)  # more than the raster, which has 50 m
    ax = axes_over(limits)
    assert maps.add_basemap(ax, "EPSG:32640", path) == str(path)
    assert ax.images[0].get_extent() == pytest.approx([326_000, 326_050, 2_787_950, 2_788_000])
    assert ax.axis() == pytest.approx(limits)
    with pytest.raises(ValueError, match="lies elsewhere"):
        maps.add_basemap(axes_over((0, 50, 0, 50)), "EPSG:32640", path)


class Tiles(http.server.BaseHTTPRequestHandler):
    """A provider of tiles that show their own address, or of nothing good."""

    kind, asked = "good", []

    def do_GET(self):
        Tiles.asked.append(self.path)
        if self.kind == "slow":
            time.sleep(3)
        self.send_response(404 if self.kind == "missing" else 200)
        self.end_headers()
        z, x, y = (int(part.removesuffix(".png")) for part in self.path.split("/")[1:])
        picture = io.BytesIO()
        Image.new("RGB", (256, 256), (z, x % 256, y % 256)).save(picture, "PNG")
        self.wfile.write(b"no picture" if self.kind == "garbage" else picture.getvalue())

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    """A tile server on loopback; its `kind` decides what it answers."""
    monkeypatch.setattr(Tiles, "asked", [])
    monkeypatch.setattr(Tiles, "kind", "good")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiles) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{{z}}/{{x}}/{{y}}.png"
        server.shutdown()


NEAR_DUBAI = (55.27, 25.19, 55.28, 25.20)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:32640"])
def test_tiles_are_drawn_below_and_kept(server, crs):
    place = geopandas.GeoSeries([box(*NEAR_DUBAI)], crs="EPSG:4326").to_crs(crs)
    west, south, east, north = place.total_bounds
    for limits in ((west, east, south, north), (west, east, north, south)):
        ax = axes_over(limits)
        assert maps.add_basemap(ax, crs, server) == server
        assert ax.axis() == pytest.approx(limits)
        assert ax.images[0].zorder < 0 and ax.images[0].get_array().std() > 0
    assert len(Tiles.asked) == len(set(Tiles.asked)) > 0


@pytest.mark.parametrize("kind", ["slow", "missing", "garbage"])
def test_a_provider_in_trouble_costs_seconds(server, kind, monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    monkeypatch.setattr(Tiles, "kind", kind)
    assert basemaps.DEADLINE_S <= 8
    monkeypatch.setattr(basemaps, "DEADLINE_S", 1)
    place = geopandas.GeoSeries([box(55.0, 25.0, 55.5, 25.5)], crs="EPSG:4326").to_crs("EPSG:3857")
    west, south, east, north = place.total_bounds
    ax, began = axes_over((west, east, south, north)), time.monotonic()
    assert maps.add_basemap(ax, "EPSG:3857", server) == "no answer from the provider"
    assert time.monotonic() - began < 5 and not ax.images
    with pytest.raises(basemaps.BasemapNotFound, match="try again online"):
        imagery.scene_from_basemap(NEAR_DUBAI, tmp_path / "scene.tif", server, zoom=15)
    assert not (tmp_path / "scene.tif").exists()


def test_a_fetched_scene_lies_where_it_was_asked_for(server, tmp_path):
    path = imagery.scene_from_basemap(NEAR_DUBAI, tmp_path / "scene.tif", server, zoom=16)
    with rasterio.open(path) as scene:
        bounds = rasterio.warp.transform_bounds(scene.crs, "EPSG:4326", *scene.bounds)
        pixels, size = scene.read(), scene.res[0]
    assert bounds == pytest.approx(NEAR_DUBAI, abs=size * 2e-5)
    assert size == pytest.approx(2 * np.pi * 6378137 / 256 / 2**16)
    x = int((NEAR_DUBAI[0] + 180) / 360 * 2**16)  # the tile that holds the western end
    assert (pixels[0] == 16).all() and pixels[1, 0, 0] == x % 256
    assert (
        sorted(set(np.unique(pixels[1])))
        == [v % 256 for v in range(x, x + 3)][: len(set(np.unique(pixels[1])))]
    )
    with pytest.raises(ValueError, match="more than 400"):
        imagery.scene_from_basemap((55, 25, 56, 26), tmp_path / "big.tif", server, zoom=16)


def test_a_place_is_looked_up(server, monkeypatch, tmp_path):
    answer = SimpleNamespace(raw={"boundingbox": [str(NEAR_DUBAI[i]) for i in (1, 3, 0, 2)]})
    monkeypatch.setattr(imagery.Nominatim, "geocode", lambda self, name: answer)
    path = imagery.scene_from_basemap("Business Bay", tmp_path / "scene.tif", server, zoom=14)
    assert rasterio.open(path).shape[0] > 0
    monkeypatch.setattr(imagery.Nominatim, "geocode", lambda self, name: None)
    with pytest.raises(basemaps.BasemapNotFound, match="no place 'Nowhere'"):
        imagery.scene_from_basemap("Nowhere", tmp_path / "none.tif", server)


@pytest.fixture
def provider():
    """A tile server on loopback, over the real street-map tiles; skips where they are missing."""
    import functools
    import os
    from pathlib import Path

    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    tiles = Path(os.environ.get("SEGKIT_DATA") or here) / "xyz_dubai"
    if not tiles.exists():
        pytest.skip("no street-map tiles here: set SEGKIT_DATA")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tiles))
    handler.log_message = lambda *args: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{{z}}/{{x}}/{{y}}.png"
        server.shutdown()


def test_tiles_of_a_provider_are_drawn(provider):
    lon_lat = geopandas.GeoSeries.from_xy([54.2, 55.8], [24.6, 25.4], crs="EPSG:4326")
    west, south, east, north = lon_lat.to_crs("EPSG:3857").total_bounds
    ax = axes_over((west, east, south, north))
    assert maps.add_basemap(ax, "EPSG:3857", provider) == provider
    assert ax.images[0].get_array().std() > 0
