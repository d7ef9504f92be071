"""The interactive map: one file, everything in it."""

import html
import json
import re

import numpy as np
import pytest
import rasterio
from helpers import EAST, NORTH, ByColor, scene_of, write, write_map
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

from segkit import rasters, scenes, webmap
from segkit.classes import DUBAI


@pytest.fixture
def mapped(tmp_path):
    """A scene with classes in stripes, and its map."""
    source = write(tmp_path / "scene.tif", np.sort(scene_of((96, 128)), axis=1))
    return source, scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)


def test_everything_is_in_the_page(mapped, tmp_path):
    page = webmap.save(mapped[1], tmp_path / "map.html", scene=mapped[0], truth=mapped[1])
    text = page.read_text("utf-8")
    assert not re.findall(r"<(?:script|link|img)[^>]*https?:", text)
    for name in ('"image"', '"truth"', ' Building: 0.1 ha"', ' Water: 0.1 ha"'):
        assert name in text
    assert text.count("data:image/png;base64") == 8  # image, truth, six classes
    assert "position:fixed" not in text  # no caption, no box


def test_a_caption_says_what_the_page_is(mapped, tmp_path):
    page = webmap.save(mapped[1], tmp_path / "map.html", caption="Land <cover>, 2021")
    odd = webmap.save(mapped[1], tmp_path / "odd.html", caption="{{ 7 * 7 }} {% for %}")
    assert "{{ 7 * 7 }}" in html.unescape(odd.read_text("utf-8"))
    text = page.read_text("utf-8")
    assert "<title>Land &#60;cover&#62;, 2021</title>" in text
    assert ">Land &#60;cover&#62;, 2021</div>" in text


def test_names_from_a_file_are_shown_and_not_obeyed(mapped, tmp_path):
    names = ["{{ 7 * 7 }}", "{% for %}", "<b>", "'", '"', "{#"]
    with rasterio.open(mapped[1], "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        raster.update_tags(scheme=json.dumps(DUBAI.to_dict() | {"names": names}))
    text = webmap.save(mapped[1], tmp_path / "map.html").read_text("utf-8")
    shown = html.unescape(text.replace("\\u0026", "&").replace("\\u003c", "<tag>"))
    assert all(f" {name}: 0." in shown for name in names) and "49: 0." not in text


def test_a_map_without_a_place_or_classes_is_refused(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 60)), crs=None)
    nowhere = scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)
    with pytest.raises(ValueError, match="no CRS"):
        webmap.save(nowhere, tmp_path / "map.html")
    place = from_origin(EAST, NORTH, 1, 1)
    plain = write_map(tmp_path / "plain.tif", np.zeros((4, 4), np.uint8), "EPSG:32640", place)
    with pytest.raises(ValueError, match="no classes"):
        webmap.save(plain, tmp_path / "map.html")
    assert not (tmp_path / "map.html").exists()


@pytest.mark.parametrize("corner", [(-181, 10), (179.9, 10), (190, 10), (10, 86), (10, -84.9)])
def test_a_map_beyond_what_web_maps_show_is_refused(tmp_path, corner):
    indices, place = np.zeros((20, 20), np.uint8), from_origin(*corner, 0.01, 0.01)
    plain = write_map(tmp_path / "plain.tif", indices, "EPSG:4326", place)
    with pytest.raises(ValueError, match="longitude 180 or latitude 85"):
        webmap.save(plain, tmp_path / "map.html")


def test_pictures_lie_where_the_map_lies(mapped, tmp_path):
    page = webmap.save(mapped[1], tmp_path / "map.html", scene=mapped[0]).read_text("utf-8")
    corners = np.float64(re.findall(r"\[\[([\d.]+), ([\d.]+)\], \[([\d.]+), ([\d.]+)\]\]", page))
    with rasters.opened(mapped[1]) as raster:
        west, south, east, north = transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    assert len(corners) >= 7 and np.allclose(corners, [south, west, north, east], atol=1e-5)
