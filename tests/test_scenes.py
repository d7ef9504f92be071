"""Whole scenes: every pixel, right place, right class."""

import os
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from helpers import ByColor, Constant, dead_process, scene_of, write
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from shapely.geometry import box

from classroom import measures
from segkit import maps, scenes
from segkit.classes import DUBAI
from segkit.datasets import Card


def test_blending_weights_never_vanish():
    for size in (2, 32, 256):
        weight = scenes.blending_window(size)
        assert (
            weight.min() > 0 and np.allclose(weight, weight.T) and np.allclose(weight, weight[::-1])
        )


SHAPES = [(333, 217), (64, 64), (1, 100), (100, 1), (20, 30), (65, 129)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5])
def test_a_model_that_reads_classes_gives_them_back_to_the_border(tmp_path, shape, overlap):
    array = scene_of(shape)
    source = write(tmp_path / "scene.tif", array)
    target = scenes.predict(ByColor(), source, tmp_path / "map.tif", window=64, overlap=overlap)
    with rasterio.open(target) as found, rasterio.open(source) as scene:
        assert np.array_equal(found.read(1), array[0])
        assert (found.crs, found.transform, found.shape) == (scene.crs, scene.transform, shape)
        assert found.nodata == scenes.NODATA
        assert found.colormap(1)[2] == (*DUBAI.colors[2], 255)
    assert scenes.scheme_of(target) == DUBAI


@pytest.mark.parametrize("kind", [ByColor, Constant])
def test_turns_and_flips_are_undone(tmp_path, kind):
    array = scene_of((70, 90))
    source = write(tmp_path / "scene.tif", array)
    target = scenes.predict(kind(), source, tmp_path / "map.tif", window=32, tta=True)
    with rasterio.open(target) as found:
        assert np.array_equal(found.read(1), array[0] if kind is ByColor else array[0] * 0 + 2)


def test_nodata_stays_nodata(tmp_path):
    array = scene_of((80, 80)) % 5 + 1
    array[:, 30:50, 10:40] = 0
    source = write(tmp_path / "scene.tif", array, nodata=0)
    with rasterio.open(scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)) as found:
        mask = found.read(1)
    assert np.array_equal(mask == scenes.NODATA, array[0] == 0)
    assert np.array_equal(mask[mask != 255], array[0][mask != 255])


def test_no_data_is_that_of_the_bands_that_are_read(tmp_path):
    pixels = np.full((4, 40, 60), 7, np.uint16)
    pixels[:3, 4] = 0  # an extra band has data everywhere
    source = write(tmp_path / "scene.tif", pixels, nodata=0)
    how = {"bands": (1, 2, 3), "scaling": (0, 255), "window": 32}
    target = scenes.predict(Constant(), source, tmp_path / "map.tif", **how)
    with rasterio.open(target) as raster:
        found = raster.read(1)
    assert (found[4] == 255).all() and (np.delete(found, 4, axis=0) == 2).all()


def test_other_types_need_a_stated_scaling(tmp_path):
    array = (scene_of((40, 40)).astype(np.float32)) * 10
    source = write(tmp_path / "scene.tif", array)
    with pytest.raises(ValueError, match="float32.*scaling"):
        scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)
    target = scenes.predict(
        ByColor(), source, tmp_path / "map.tif", window=32, scaling=(0, 2550), bands=(3, 2, 1)
    )
    with rasterio.open(target) as found:
        assert np.array_equal(found.read(1), (array[0] / 10).astype(np.uint8))


def test_wrong_input_is_refused_and_leaves_no_file(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 40))[:2])
    with pytest.raises(ValueError, match="bands.*of 2"):
        scenes.predict(ByColor(), source, tmp_path / "map.tif")
    source = write(tmp_path / "scene.tif", scene_of((40, 40)))
    with pytest.raises(ValueError, match="multiple of 32"):
        scenes.predict(ByColor(), source, tmp_path / "map.tif", window=100)

    class Broken(ByColor):
        def predict_on_batch(self, images):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scenes.predict(Broken(), source, tmp_path / "map.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


REAL_SCENES = {
    "m_4709963_se_14_1_20140720.tif": None,
    "m_4709963_se_14_1_20180716.tif": None,
    "RGB.byte.tif": None,
    "s2a_l2a_fishbourne.tif": (0, 3000),
}


@pytest.mark.parametrize("name", REAL_SCENES)
def test_real_scenes_keep_their_place(name, tmp_path):
    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    source = Path(os.environ.get("SEGKIT_DATA") or here) / "scenes" / name
    if not source.exists():
        pytest.skip(f"{name} is not here: set SEGKIT_DATA")
    how = {"window": 256, "overlap": 0, "scaling": REAL_SCENES[name]}
    target = scenes.predict(Constant(), source, tmp_path / "map.tif", **how)
    maps.polygons(target).to_file(tmp_path / "map.gpkg", driver="GPKG")
    polygons = geopandas.read_file(tmp_path / "map.gpkg")
    with rasterio.open(target) as found, rasterio.open(source) as scene:
        assert (found.crs, found.transform, found.shape) == (
            scene.crs, scene.transform, scene.shape,
        )  # fmt: skip
        valid = scene.dataset_mask() > 0
        assert np.array_equal(found.read(1) == 2, valid)
        assert polygons.crs == scene.crs and set(polygons["class"]) == {"Road"}
        pixel = abs(scene.transform.determinant)
        assert polygons.area.sum() == pytest.approx(valid.sum() * pixel, rel=1e-6)
        assert box(*scene.bounds).buffer(pixel).covers(box(*polygons.total_bounds))


def test_a_map_is_cloud_optimized_with_overviews(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((600, 700)))
    with rasterio.open(scenes.predict(ByColor(), source, tmp_path / "map.tif", window=64)) as found:
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (
            found.overviews(1) and found.profile["tiled"] and found.compression.value == "DEFLATE"
        )
        small = found.read(1, out_shape=(300, 350))
        assert set(np.unique(small)) <= set(range(6))


class Unsure(ByColor):
    """A model that gives the class of the first band 0.75, and the rest to the next one."""

    def predict_on_batch(self, images):
        sure = super().predict_on_batch(images)
        return 0.75 * sure + 0.25 * np.roll(sure, 1, axis=-1)


def test_confidence_and_probabilities_lie_beside_the_map(tmp_path):
    array = scene_of((70, 90))
    source, target = write(tmp_path / "scene.tif", array), tmp_path / "map.tif"
    scenes.predict(
        Unsure(), source, target, window=32, overlap=0, confidence=True, probabilities=True
    )
    names = ["map.tif", "map_confidence.tif", "map_probabilities.tif", "scene.tif"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    with rasterio.open(tmp_path / "map_confidence.tif") as sure:
        assert np.allclose(sure.read(1) * sure.scales[0], 0.75, atol=1 / scenes.CERTAIN)
    with rasterio.open(tmp_path / "map_probabilities.tif") as found:
        share = np.moveaxis(found.read(), 0, -1) * found.scales[0]
        assert found.descriptions == tuple(DUBAI.names) and found.transform == sure.transform
    expected = Unsure().predict_on_batch(np.moveaxis(array, 0, -1)[None, :70, :70])[0]
    assert np.allclose(share[:70, :70], expected, atol=1 / scenes.CERTAIN)


def test_the_scene_itself_is_never_written_over(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 60)))
    before = source.read_bytes()
    with pytest.raises(ValueError, match="the scene itself"):
        scenes.predict(ByColor(), source, source, window=32)
    assert source.read_bytes() == before


def test_nor_is_a_scene_that_is_called_as_a_layer_of_its_map(tmp_path):
    source = write(tmp_path / "city_confidence.tif", scene_of((40, 60)))
    before = source.read_bytes()
    with pytest.raises(ValueError, match="the scene itself"):
        scenes.predict(ByColor(), source, tmp_path / "city.tif", window=32, confidence=True)
    assert source.read_bytes() == before
    for address in (f"file://{source}", f"vrt://{source}?bands=1,2,3"):
        with pytest.raises(ValueError, match="the scene itself"):
            scenes.predict(ByColor(), address, source, window=32)
    assert source.read_bytes() == before


def test_four_probabilities_are_no_color_with_opacity(tmp_path):
    class Four(ByColor):
        scheme = None

        def predict_on_batch(self, images):
            first = super().predict_on_batch(images)[..., :1]
            return np.concatenate([first, 1 - first, 0 * first, 0 * first], axis=-1)

    source = write(tmp_path / "scene.tif", scene_of((40, 60)))
    scenes.predict(Four(), source, tmp_path / "map.tif", window=32, probabilities=True)
    with rasterio.open(tmp_path / "map_probabilities.tif") as found:
        assert ColorInterp.alpha not in found.colorinterp and found.count == 4


def test_bands_and_scaling_may_be_arrays(tmp_path):
    array = np.uint16(10) * scene_of((40, 60))
    source, bands = write(tmp_path / "scene.tif", array), np.array([3, 2, 1])
    maps_ = []
    for kind in (tuple, np.array):
        target = tmp_path / f"{kind.__name__}.tif"
        how = {"bands": kind(bands), "scaling": kind([0.0, 2550.0])}
        maps_.append(scenes.predict(ByColor(), source, target, window=32, **how).read_bytes())
    assert maps_[0] == maps_[1]


def test_a_killed_map_leaves_what_the_next_one_clears(tmp_path):
    source = write(tmp_path / "scene.tif", scene_of((40, 60)))
    left = tmp_path / f".part-{dead_process()}-ab12cd-map.tif"
    left.mkdir()
    (left / "classes.tif").write_bytes(b"half a map")
    left.with_name(f"{left.name}.ovr.tmp").write_bytes(b"what GDAL was at")
    scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.tif", "scene.tif"]


class Carded(ByColor):
    """A model that knows what it learned from: bands, type, range, meters."""

    def __init__(self, **known):
        known = {"bands": ("red", "green", "nir"), "dtype": "uint16", "gsd": 0.5} | known
        ranges = () if known["dtype"] == "uint8" else ((0, 2550),) * len(known["bands"])
        self.card = Card("made up", DUBAI, **{"ranges": ranges, **known})


@pytest.mark.filterwarnings("ignore::rasterio.errors.NodataShadowWarning")
def test_a_fourth_band_that_the_model_reads_is_no_transparency(tmp_path):
    """GDAL calls the fourth band of bytes alpha, and near infrared of water is 0."""
    scene = np.concatenate([scene_of((40, 50)), np.zeros((1, 40, 50), np.uint8)])
    path = write(tmp_path / "scene.tif", scene)
    with rasterio.open(path) as raster:
        assert raster.colorinterp[3].name == "alpha"
    model = Carded(bands=("red", "green", "blue", "near infrared"), dtype="uint8")
    model.input_shape = (None, None, None, 4)
    model.predict_on_batch = lambda images: ByColor.predict_on_batch(model, images[..., :3])
    assert np.array_equal(mapped(model, path)[0], scene[0])
    scene[:, :9] = 255
    collar = write(tmp_path / "collar.tif", scene, nodata=255)
    assert (mapped(model, collar)[0][:9] == 255).all()


def named(path, array, *names, **more):
    """Write a scene (bands, H, W), its bands named."""
    with rasterio.open(write(path, array, **more), "r+") as raster:
        raster.descriptions = names
    return path


def mapped(model, source, **how):
    """Return the classes of a scene, and the tags of its map."""
    target = scenes.predict(model, source, source.with_name("map.tif"), window=32, **how)
    with rasterio.open(target) as found:
        return found.read(1), found.tags()


def test_a_card_says_bands_and_scaling_and_travels_on(tmp_path):
    array, model = scene_of((40, 60)), Carded()
    scene = named(tmp_path / "scene.tif", array.astype(np.uint16) * 10, "Red", "green", "NIR")
    classes, tags = mapped(model, scene)
    assert np.array_equal(classes, array[0])
    assert Card.from_json(tags["card"]) == model.card and scenes.scheme_of(tmp_path / "map.tif")
    classes, tags = mapped(model, scene, scaling=(0, 1275))  # in place of the card's
    assert np.array_equal(classes, array[0] * 2 % 6)
    assert Card.from_json(tags["card"]) == model.card
    assert "card" not in mapped(ByColor(), write(tmp_path / "plain.tif", array))[1]


def test_bands_in_another_order_are_refused_by_their_names(tmp_path):
    array = scene_of((40, 60)).astype(np.uint16) * 10
    turned = named(tmp_path / "scene.tif", array, "nir", "green", "red")
    with pytest.raises(ValueError, match=r"nir.*red.*bands=\(3, 2, 1\)"):
        mapped(Carded(), turned)
    mapped(Carded(), turned, bands=(3, 2, 1))
    with pytest.raises(ValueError, match="takes"):
        mapped(Carded(), turned, bands=(3, 1, 2))
    some = named(tmp_path / "some.tif", array, "nir", "b3", "b4")
    with pytest.raises(ValueError, match=r"bands=\(…, …, 1\)"):
        mapped(Carded(), some)
    unknown = write(tmp_path / "unknown.tif", array)  # "band 1", "band 2", "band 3"
    for model in (Carded(), Carded(bands=("band 1", "band 2", "band 3"))):
        mapped(model, unknown, bands=(3, 2, 1))
    with pytest.raises(ValueError, match="of 3, but the model takes 4 .*red, green, blue, nir"):
        mapped(Carded(bands=("red", "green", "blue", "nir")), unknown)


def test_colors_that_a_file_only_implies_are_warned_of(tmp_path):
    array = scene_of((40, 60)).astype(np.uint16) * 10
    scene = write(tmp_path / "scene.tif", array, photometric="rgb")
    with pytest.warns(UserWarning, match="red.*takes.*nir.*red.*as if they were these"):
        found, _ = mapped(Carded(bands=("nir", "red", "green")), scene)
    assert np.array_equal(found, array[0] // 10)


def test_pixels_of_another_type_need_a_range(tmp_path):
    array = scene_of((40, 60))
    scene = write(tmp_path / "scene.tif", array.astype(np.float64) * 10)
    assert np.array_equal(mapped(Carded(dtype="float32"), scene)[0], array[0])
    for model in (Carded(), Carded(dtype="uint8"), Carded(dtype="float32", ranges=())):
        with pytest.raises(ValueError, match="pixels are float32.*scaling="):
            mapped(model, scene)
        assert np.array_equal(mapped(model, scene, scaling=(0, 2550))[0], array[0])


@pytest.mark.parametrize(("gsd", "warned"), [(0.5, 0), (0.7, 0), (0.8, 1), (0.3, 1), (None, 0)])
def test_pixels_much_larger_or_smaller_are_warned_of(tmp_path, gsd, warned):
    scene = write(tmp_path / "scene.tif", scene_of((40, 60)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        scenes.predict(Carded(dtype="uint8", gsd=gsd), scene, tmp_path / "map.tif", window=32)
    said = [one for one in caught if one.category is UserWarning]
    assert len(said) == warned
    for one in said:
        assert one.filename == __file__ and f"0.5 m, but the model learned from {gsd}" in str(one)


def test_what_is_no_number_has_no_data(tmp_path):
    array = scene_of((40, 60)).astype(np.float32)
    array[:, 5, 7] = np.nan
    source = write(tmp_path / "scene.tif", array)
    with pytest.raises(ValueError, match="scaling=\\(5, 5\\)"):
        scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32, scaling=(5, 5))
    scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32, scaling=(0, 255))
    with rasterio.open(tmp_path / "map.tif") as found:
        assert np.argwhere(found.read(1) == scenes.NODATA).tolist() == [[5, 7]]


def test_a_scene_placed_by_control_points_is_refused(tmp_path):
    source, points = tmp_path / "scene.tif", [(0, 0, 55, 25), (0, 60, 56, 25), (40, 0, 55, 24)]
    points = [GroundControlPoint(*point) for point in points]
    profile = {"count": 3, "height": 40, "width": 60, "dtype": "uint8"}
    with rasterio.open(source, "w", "GTiff", crs="EPSG:4326", gcps=points, **profile) as raster:
        raster.write(scene_of((40, 60)))
    with pytest.raises(ValueError, match="control points"):
        scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)


def test_the_seam_meter_sees_a_seam_and_no_seam():
    noise = np.random.default_rng(0).integers(0, 3, (512, 512))
    assert measures.seam_ratio(noise, 64) == pytest.approx(1, abs=0.03)
    smooth = np.zeros((256, 256), int)
    smooth[:, 100:] = 1
    smooth[50:] += 1  # two lines off the grid of windows
    assert measures.seam_ratio(smooth, 64) == 0
    board = np.indices((256, 256)) // 64
    board = (board[0] + board[1]) % 2
    assert np.isnan(measures.seam_ratio(board, 64))  # nothing but seams
    board[5, 5] = 2
    assert measures.seam_ratio(board, 64) > 1000
    assert np.isnan(measures.seam_ratio(smooth, 256))
