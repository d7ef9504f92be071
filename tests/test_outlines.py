"""Outlines as labels: back to the pixel, in any CRS; order, rim, and what is refused."""

import geopandas
import numpy as np
import pytest
from helpers import write, write_map
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from shapely.geometry import Point, Polygon, box

from segkit import datasets, maps, rasters, store
from segkit.classes import ClassScheme

EAST, NORTH, PIXEL = 326_000, 2_788_000, 0.5
SCHEME = ClassScheme("two", ("ground", "roof"), ((0, 0, 0), (255, 0, 0)))


def scene(folder, shape=(40, 60)):
    return write(folder / "scene.tif", np.zeros((3, *shape), np.uint8))


def square(row, column, height, width):
    """Return the outline of some pixels of the scene."""
    west, north = EAST + PIXEL * column, NORTH - PIXEL * row
    return box(west, north - PIXEL * height, west + PIXEL * width, north)


def drawn(*pairs, crs="EPSG:32640"):
    shapes = {"geometry": [shape for _, shape in pairs], "kind": [kind for kind, _ in pairs]}
    return geopandas.GeoDataFrame(shapes, crs=crs)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), crs=st.sampled_from(["EPSG:4326", "EPSG:3857", "EPSG:32639"]))
def test_a_mask_comes_back_from_its_outlines_in_another_crs(tmp_path_factory, seed, crs):
    folder = tmp_path_factory.mktemp("outlines")
    mask = np.random.default_rng(seed).integers(0, 3, (12, 17)).astype(np.uint8)
    place = from_origin(EAST, NORTH, PIXEL, PIXEL)
    mapped = write_map(folder / "map.tif", mask, "EPSG:32640", place)
    outlines = maps.polygons(mapped).to_crs(crs)
    back, scheme = datasets.from_polygons(mapped, outlines, "class")
    assert np.array_equal(np.array(scheme.names)[back], mask.astype(str))


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "shp"])
def test_files_of_outlines_are_read_and_their_areas_stay(tmp_path, ending):
    hexagon = Polygon([(EAST + x, NORTH - y) for x, y in [(5, 2), (15, 2), (19, 9), (9, 17)]])
    outlines = drawn(("roof", hexagon), ("tree", square(2, 44, 20, 12))).to_crs("EPSG:4326")
    outlines.to_file(tmp_path / f"drawn.{ending}")
    fine = write(tmp_path / "scene.tif", np.zeros((3, 40, 60), np.uint8))
    mask, scheme = datasets.from_polygons(fine, tmp_path / f"drawn.{ending}", "kind")
    assert scheme.names == ("roof", "tree", "Unlabeled") and scheme.ignore_index == 2
    assert (mask == 1).sum() == 240
    assert (mask == 0).sum() * PIXEL**2 == pytest.approx(hexagon.area, rel=0.02)


def test_areas_agree_to_a_thousandth_where_pixels_are_small(tmp_path):
    shape = Polygon([(EAST + x, NORTH - y) for x, y in [(5, 2), (490, 40), (300, 470), (20, 300)]])
    mask, _ = datasets.from_polygons(scene(tmp_path, (1000, 1000)), drawn(("a", shape)), "kind")
    assert (mask == 0).sum() * PIXEL**2 == pytest.approx(shape.area, rel=0.001)


def test_where_outlines_overlap_the_order_says_which_is_on_top(tmp_path):
    outlines = drawn(("roof", square(0, 0, 10, 10)), ("tree", square(5, 5, 10, 10)))
    path = scene(tmp_path)
    later, scheme = datasets.from_polygons(path, outlines, "kind")
    assert scheme.names[later[7, 7]] == "tree"
    turned, _ = datasets.from_polygons(path, outlines, "kind", order=["tree", "roof"])
    assert scheme.names[turned[7, 7]] == "roof"
    assert (turned != later).sum() == 25
    numbers = drawn((2, square(0, 0, 10, 10)), (1, square(5, 5, 10, 10)))
    same, named = datasets.from_polygons(path, numbers, "kind", order=[1, 2])
    assert named.names[same[7, 7]] == "2"
    one, _ = datasets.from_polygons(path, outlines, "kind", order=["roof"])
    assert scheme.names[one[7, 7]] == "roof"


def test_a_rim_and_touched_pixels(tmp_path):
    path, outlines = scene(tmp_path), drawn(("roof", square(10, 10, 20, 20)))
    mask, _ = datasets.from_polygons(path, outlines, "kind", rim=1.0)  # two pixels inside
    assert (mask == 0).sum() == 16 * 16 and (mask[12:28, 12:28] == 0).all()
    slim = drawn(("path", square(3.6, 0, 0.3, 60)))  # passes no pixel's middle
    with pytest.raises(datasets.DatasetError, match="no outline lies on"):
        datasets.from_polygons(path, slim, "kind")
    touched, _ = datasets.from_polygons(path, slim, "kind", all_touched=True)
    assert (touched[3] == 0).all() and (touched == 0).sum() == 60


def test_a_scheme_of_ones_own_keeps_its_numbers(tmp_path):
    outlines = drawn(("roof", square(0, 0, 10, 10)))
    mask, scheme = datasets.from_polygons(scene(tmp_path), outlines, "kind", SCHEME)
    assert scheme == SCHEME.ignoring("Unlabeled", (155, 155, 155))
    assert set(np.unique(mask)) == {1, 2}
    covered = SCHEME.ignoring("ground")
    mask, scheme = datasets.from_polygons(scene(tmp_path), outlines, "kind", covered)
    assert scheme == covered and set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize(
    ("outlines", "column", "told"),
    [
        (drawn(("roof", square(0, 0, 9, 9))), "type", "class in 'type'; columns:.*kind"),
        (drawn(("roof", square(0, 0, 9, 9)), (None, square(0, 0, 9, 9))), "kind", "each outline"),
        (drawn(("pool", square(0, 0, 9, 9))), "kind", "pool: none of ground, roof"),
        (drawn(("roof", square(0, 0, 9, 9)), crs=None), "kind", "need a CRS"),
        (drawn(("roof", square(900, 0, 9, 9))), "kind", "no outline lies on.*EPSG:32640"),
        (drawn(("roof", Polygon())), "kind", "no outline, or not"),
        (drawn(("roof", Point(EAST, NORTH))), "kind", "Point"),
    ],
)
def test_outlines_that_do_not_fit_are_refused(tmp_path, outlines, column, told):
    with pytest.raises(datasets.DatasetError, match=told):
        datasets.from_polygons(scene(tmp_path), outlines, column, SCHEME)


def test_a_rim_in_meters_needs_a_map_in_meters(tmp_path):
    place = from_origin(55, 25, 1e-5, 1e-5)
    path = write_map(tmp_path / "m.tif", np.zeros((9, 9), np.uint8), "EPSG:4326", place)
    outlines = drawn(("roof", box(55, 24, 56, 25)), crs="EPSG:4326")
    with pytest.raises(datasets.DatasetError, match="for a rim, one in meters"):
        datasets.from_polygons(path, outlines, "kind", rim=1)
    assert datasets.from_polygons(path, outlines, "kind")[0].shape == (9, 9)


def test_outlines_become_a_data_set_of_ones_own(tmp_path):
    outlines = drawn(("roof", square(0, 0, 20, 30)), ("tree", square(20, 30, 20, 30)))
    image = scene(tmp_path)
    mask, scheme = datasets.from_polygons(image, outlines, "kind")
    folder = tmp_path / "town"
    rasters.write(mask, image, folder / "masks" / "a.tif")
    (folder / "images").mkdir()
    image.rename(folder / "images" / "a.tif")
    rows = zip(scheme.names, scheme.colors, strict=True)
    (folder / "classes.csv").write_text(
        "name,r,g,b,ignore\n"
        + "".join(f"{n},{r},{g},{b},{int(n == 'Unlabeled')}\n" for n, (r, g, b) in rows)
    )
    path = store.build(datasets.find(str(folder)), tmp_path / "tiles.h5")
    assert np.array_equal(store.read(path, "a")[1], mask)
    assert store.scheme(path).names == scheme.names
