"""The interactive map: one file, everything in it."""

import re

import numpy as np
import pytest
import rasterio
from helpers import EAST, NORTH, ByColor, scene_of, write, write_map
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from segkit import basemaps, scenes, webmap


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


@pytest.mark.parametrize("crs", ["EPSG:32640", "EPSG:4326"])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_no_pixel_beside_the_raster_gets_a_class_or_a_color(tmp_path, crs, bands):
    size, corner = {"EPSG:32640": (0.5, (326_000, 2_788_000)), "EPSG:4326": (1e-5, (55, 25))}[crs]
    profile = {"count": bands, "height": 400, "width": 400, "dtype": "uint8"}
    profile |= {"crs": crs, "transform": from_origin(*corner, size, size)}
    if bands == 4:
        profile["photometric"], profile["alpha"] = "rgb", "yes"
    with rasterio.open(tmp_path / "a.tif", "w", "GTiff", **profile) as raster:
        raster.write(np.full((bands, 400, 400), 255 if bands == 4 else 2, np.uint8))
    how = {"resampling": Resampling.nearest} if bands == 1 else {}
    picture, bounds = basemaps.warped(tmp_path / "a.tif", "EPSG:3857", **how)
    inside = picture[..., -1] == (2 if bands == 1 else 255)
    assert inside.mean() > 0.9
    assert (picture[..., -1][~inside] == (255 if bands == 1 else 0)).all()
    if crs == "EPSG:32640":  # turned, so there are wedges
        assert not inside.all()
    assert bounds[0] < bounds[2] and bounds[1] < bounds[3]


def test_other_types_are_stretched(tmp_path):
    heights = np.linspace(0, 3000, 3 * 64 * 64).reshape(3, 64, 64).astype(np.float32)
    path = write(tmp_path / "scene.tif", heights)
    picture, _ = basemaps.warped(path, "EPSG:32640")
    assert picture.dtype == np.uint8 and picture[..., 3].min() == 255
    assert picture[..., :3].min() == 0 and picture[..., :3].max() == 255


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
