"""Rasters on disk: bands, meters on the ground, no-data, pictures in another CRS."""

import warnings

import numpy as np
import pytest
import rasterio
from helpers import EAST, NORTH, write, write_map
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import from_origin

from segkit import basemaps, maps, rasters, scenes
from segkit.rasters import NODATA

#: Half a meter in UTM; in degrees, one second of arc; in Web Mercator, two meters at 25 degrees.
PLACES = {
    "EPSG:32640": (from_origin(EAST, NORTH, 0.5, 0.5), 0.5),
    "EPSG:4326": (from_origin(55, 25, 1 / 3600, 1 / 3600), 28.04),
    "EPSG:3857": (from_origin(6_130_000, 2_875_744, 2, 2), 2 * np.cos(np.radians(25))),
}
OFF_EARTH = from_origin(1e9, 1e9, 1, 1)
DRAWING = 'LOCAL_CS["drawing",UNIT["meter",1]]'


@pytest.mark.parametrize("crs", PLACES)
def test_a_pixel_is_as_wide_as_it_is_on_the_ground(tmp_path, crs):
    transform, meters = PLACES[crs]
    path = write_map(tmp_path / "a.tif", np.zeros((10, 20), np.uint8), crs, transform)
    with rasters.opened(path) as raster:
        assert rasters.pixel_size(raster) == pytest.approx(meters, rel=3e-3)


@pytest.mark.parametrize("place", [(None, None), (DRAWING, OFF_EARTH), ("EPSG:32640", OFF_EARTH)])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_nobody_knows_how_wide_a_pixel_without_a_place_is(tmp_path, place):
    path = write_map(tmp_path / "a.tif", np.zeros((10, 20), np.uint8), *place)
    with rasters.opened(path) as raster:
        assert rasters.pixel_size(raster) is None


def test_bands_have_the_names_that_the_file_states(tmp_path):
    path = write(tmp_path / "a.tif", np.zeros((4, 5, 6), np.uint16))
    names = []
    for colors, stated in (
        ((), ()),
        ((ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined), ()),
        ((), ("Blue ", "green", None, "NIR")),
    ):
        with rasters.opened(path, "r+") as raster:
            raster.colorinterp = colors or raster.colorinterp
            raster.descriptions = stated or raster.descriptions
        with rasters.opened(path) as raster:
            names.append(rasters.band_names(raster))
    assert names == [
        ("band 1", "band 2", "band 3", "band 4"),
        ("blue", "green", "red", "band 4"),
        ("blue", "green", "red", "nir"),
    ]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("crs", ["EPSG:32640", None])
def test_what_is_written_is_read_again_in_the_same_place(tmp_path, crs):
    transform = from_origin(EAST, NORTH, 10, 10) if crs else None
    like = write_map(tmp_path / "like.tif", np.zeros((300, 280), np.uint8), crs, transform)
    with rasterio.open(like, "r+") as raster:
        raster.update_tags(scheme="{}", card="any")
    indices = np.random.default_rng(0).integers(0, 3, (300, 280)).astype(np.uint8)
    indices[5:9] = NODATA
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        path = rasters.write(indices, like, tmp_path / "new" / "map.tif")
        with rasters.opened(path) as raster, rasters.opened(like) as old:
            found, known = rasters.read(raster)
            part, _ = rasters.read(raster, rasterio.windows.Window(10, 4, 7, 3))
            assert (raster.crs, raster.transform) == (old.crs, old.transform)
            assert raster.tags()["card"] == "any" and raster.overviews(1)
            assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert np.array_equal(found, indices) and np.array_equal(known, indices != NODATA)
    assert np.array_equal(part, indices[4:7, 10:17])


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
    picture, bounds = rasters.warped(tmp_path / "a.tif", "EPSG:3857", **how)
    inside = picture[..., -1] == (2 if bands == 1 else 255)
    assert inside.mean() > 0.9
    assert (picture[..., -1][~inside] == (255 if bands == 1 else 0)).all()
    if crs == "EPSG:32640":  # turned, so there are wedges
        assert not inside.all()
    assert bounds[0] < bounds[2] and bounds[1] < bounds[3]


def test_other_types_are_stretched(tmp_path):
    heights = np.linspace(0, 3000, 3 * 64 * 64).reshape(3, 64, 64).astype(np.float32)
    path = write(tmp_path / "scene.tif", heights)
    picture, _ = rasters.warped(path, "EPSG:32640")
    assert picture.dtype == np.uint8 and picture[..., 3].min() == 255
    assert picture[..., :3].min() == 0 and picture[..., :3].max() == 255


def test_what_moved_here_is_still_found_where_it_was():
    assert maps.write is rasters.write and scenes.scheme_of is rasters.scheme_of
    assert scenes.NODATA == NODATA and basemaps.warped is rasters.warped
    assert maps.add_basemap is basemaps.add_basemap


def test_what_lies_beside_a_picture_does_not_brighten_it(tmp_path):
    """Turned, the picture has corners without data; they count in no percentile."""
    values = np.linspace(1000, 1400, 3 * 200 * 200).reshape(3, 200, 200).astype(np.uint16)
    path = write(tmp_path / "scene.tif", values)
    with rasterio.open(path, "r+") as raster:
        raster.transform = raster.transform * rasterio.Affine.rotation(20)
    picture, _ = rasters.warped(path, "EPSG:32640")
    inside = picture[picture[..., 3] > 0]
    assert (picture[..., 3] == 0).any() and 100 < inside[:, :3].mean() < 155


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_classes_of_other_types_stay_classes(tmp_path, dtype):
    classes = np.random.default_rng(0).integers(0, 6, (1, 60, 60)).astype(dtype)
    path = write(tmp_path / "truth.tif", classes, nodata=0)
    found, _ = rasters.warped(path, "EPSG:32640", resampling=Resampling.nearest)
    assert np.array_equal(found[..., 0], np.where(classes[0] == 0, NODATA, classes[0]))


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_one_band_is_drawn_gray_from_dark_to_bright(tmp_path, dtype):
    values = np.linspace(0, 1000, 200 * 300).reshape(1, 200, 300) + 5
    path = write(tmp_path / "scene.tif", (values / (1 if dtype == "uint16" else 1e6)).astype(dtype))
    picture, _ = rasters.warped(path, "EPSG:3857")
    inside = picture[picture[..., 3] > 0]
    assert (
        inside[:, 0].mean() == pytest.approx(127, abs=5)
        and np.ptp(inside[:, :3], axis=1).max() == 0
    )


def test_another_body_has_no_meters(tmp_path):
    moon = "IAU_2015:30110"
    place = rasterio.transform.from_origin(10, 10, 0.01, 0.01)
    how = {"crs": moon, "transform": place, "count": 1, "dtype": "uint8", "height": 8, "width": 8}
    with rasterio.open(tmp_path / "moon.tif", "w", "GTiff", **how) as raster:
        assert rasters.pixel_size(raster) is None


def test_a_picture_is_no_class_map(tmp_path):
    path = write(tmp_path / "scene.tif", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(ValueError, match="a class map has one, of uint8"):
        maps.areas(path)
