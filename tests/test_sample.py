"""The embedded city: the same everywhere and at any time, and laid out like a real data set."""

import hashlib
import itertools
import json
import time

import helpers
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import cityscape
from cityscape import dataset, folders, lattice
from segkit.classes import DUBAI

CITIES = (cityscape.CITY, cityscape.SECOND_CITY)
PARTS = [(tile, part) for tile in range(1, 7) for part in range(1, 10)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return cityscape.write(tmp_path_factory.mktemp("sample") / "city")


@pytest.fixture
def small(monkeypatch):
    """Make tiles, scene and map so small that a set is written in a second."""
    monkeypatch.setattr(dataset, "SIZES", ((82, 97),) * 6)
    monkeypatch.setattr(dataset, "_FLAW", np.s_[10:30, 10:30])
    monkeypatch.setattr(dataset, "_SCENE_SIZE", 64)
    monkeypatch.setattr(dataset, "_MAP_SIZE", 16)


def read(folder, tile, part):
    home = folder / dataset.FOLDER / f"Tile {tile}"
    image = np.asarray(Image.open(home / "images" / f"image_part_{part:03d}.jpg"))
    rgb_mask = Image.open(home / "masks" / f"image_part_{part:03d}.png").convert("RGB")
    return image, DUBAI.decode(np.asarray(rgb_mask), unknown="ignore")


@settings(max_examples=25, deadline=None)
@given(
    city=st.sampled_from(CITIES),
    row=st.integers(-20_000, 20_000), column=st.integers(-20_000, 20_000),
    down=st.integers(-40, 40), right=st.integers(-40, 40),
    height=st.integers(41, 110), width=st.integers(41, 110),
)  # fmt: skip
def test_windows_agree_where_they_overlap(city, row, column, down, right, height, width):
    image, mask = cityscape.render(row, column, height, width, city)
    other_image, other_mask = cityscape.render(row + down, column + right, height, width, city)
    here = np.s_[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    there = np.s_[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
    np.testing.assert_array_equal(image[here], other_image[there])
    np.testing.assert_array_equal(mask[here], other_mask[there])


def test_a_large_window_is_the_sum_of_its_parts():
    image, mask = cityscape.render(-300, 2500, 600, 530)
    part_image, part_mask = cityscape.render(190, 2990, 40, 40)
    np.testing.assert_array_equal(image[490:530, 490:530], part_image)
    np.testing.assert_array_equal(mask[490:530, 490:530], part_mask)


@pytest.mark.parametrize(
    ("city", "stored"),
    [
        (
            cityscape.CITY,
            "cdc46e05731dbe478dd608fdcfae7d010bbad81275be7c7f85cbb1a8e991139c",
        ),
        (
            cityscape.SECOND_CITY,
            "8014980203de5d9e33b18120b859948ec68494bee8effa77849a2cc412bde931",
        ),
    ],
)
def test_same_seed_same_bytes_everywhere(city, stored):
    digest = hashlib.sha256()
    for tile in range(1, 7):
        row, column, _, _ = dataset.window(tile, 5, city)
        for array in cityscape.render(row, column, 96, 128, city):
            digest.update(array.tobytes())
    assert digest.hexdigest() == stored


def test_render_gives_the_stated_types():
    image, mask = cityscape.render(-5, -7, 3, 4)
    assert (image.shape, image.dtype) == ((3, 4, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((3, 4), np.uint8)
    assert mask.max() <= 5


def test_hash_is_splitmix64():
    """First outputs of SplitMix64 for the seed 1234567, from the reference code."""
    state = np.array([1234567], np.uint64)
    assert lattice._mix(state)[0] == 6457827717110365317


def test_transform_maps_pixels_to_utm():
    transform = cityscape.transform(10, 20)
    east, north = cityscape.CITY.origin
    assert tuple(transform)[:6] == (0.5, 0, east + 10, 0, -0.5, north - 5)
    assert cityscape.CRS == "EPSG:32640"


def test_shares_are_near_dubais(folder):
    total = np.zeros(6)
    by_tile = []
    for tile in range(1, 7):
        masks = [read(folder, tile, part)[1].ravel() for part in range(1, 10)]
        counts = np.bincount(np.concatenate(masks), minlength=6)
        by_tile.append(counts / counts.sum())
        total += counts
    building, land, road, vegetation, water, unlabeled = total / total.sum()
    assert 0.09 < building < 0.17 and 0.45 < land < 0.60 and 0.07 < road < 0.14
    assert 0.07 < vegetation < 0.15 and 0.07 < water < 0.17 and 0.004 < unlabeled < 0.03
    harbor, old_town, villas, towers, gardens, desert = by_tile
    assert harbor[4] > 0.15 and old_town[0] > 0.18 and villas[0] > 0.15
    assert towers[2] > 0.10 and gardens[3] > 0.25 and desert[1] > 0.5


def test_color_alone_does_not_solve_it(folder):
    ensemble = pytest.importorskip("sklearn.ensemble")
    generator = np.random.default_rng(0)

    def pixels(parts, count):
        features, labels = [], []
        for tile in range(1, 7):
            for part in parts:
                image, mask = read(folder, tile, part)
                image = image.astype(np.float32)
                mean = ndimage.uniform_filter(image, (5, 5, 1))
                square = ndimage.uniform_filter(image * image, (5, 5, 1))
                deviation = np.sqrt(np.maximum(square - mean * mean, 0))
                chosen = generator.choice(np.flatnonzero(mask.ravel() < 5), count, replace=False)
                stack = np.concatenate([image, mean, deviation], -1).reshape(-1, 9)
                features.append(stack[chosen])
                labels.append(mask.ravel()[chosen])
        return np.concatenate(features), np.concatenate(labels)

    forest = ensemble.RandomForestClassifier(30, min_samples_leaf=4, random_state=0)
    forest.fit(*pixels(range(1, 8), 500))
    features, labels = pixels((8, 9), 3000)
    predicted = forest.predict(features)
    iou = [np.sum((labels == c) & (predicted == c)) / np.sum((labels == c) | (predicted == c))
           for c in range(5)]  # fmt: skip
    majority = np.mean(labels == 1) / 5
    assert majority + 0.15 < np.mean(iou) <= 0.55


def test_layout_and_sizes(folder):
    for tile, part in PARTS:
        image, mask = read(folder, tile, part)
        assert image.shape[:2] == mask.shape
        assert all(330 <= side <= 640 and side % 256 for side in mask.shape)
    widths = {read(folder, 1, part)[1].shape[1] for part in range(1, 10)}
    assert max(widths) - min(widths) == 1
    sizes = {read(folder, tile, 1)[1].shape for tile in range(1, 7)}
    assert len(sizes) == 6


def test_one_palette_mask_and_one_flawed_mask(folder):
    masks = sorted((folder / dataset.FOLDER).glob("Tile */masks/*.png"))
    assert len(masks) == 54
    modes = [Image.open(path).mode for path in masks]
    numbered = Image.open(masks[modes.index("P")])
    indices = DUBAI.decode(np.asarray(numbered.convert("RGB")))
    assert (np.asarray(numbered) != indices).all()  # whoever takes them for classes is wrong
    assert sorted(set(modes)) == ["P", "RGB"] and modes.count("P") == 1
    known = {tuple(color) for color in DUBAI.colors}
    unknown = {}
    for path in masks:
        for count, color in Image.open(path).convert("RGB").getcolors(maxcolors=2**16):
            if color not in known:
                unknown[path] = color, count
    assert [color for color, _ in unknown.values()] == [(0, 0, 0)]
    assert all(100 <= count < 1000 for _, count in unknown.values())


def test_tiles_are_georeferenced(folder):
    for tile in range(1, 7):
        path = folder / dataset.FOLDER / f"Tile {tile}" / "images" / "image_part_005.jpg"
        row, column, height, width = dataset.window(tile, 5)
        with rasterio.open(path) as raster:
            assert raster.crs == rasterio.crs.CRS.from_string(cityscape.CRS)
            assert raster.transform.almost_equals(cityscape.transform(row, column))
            assert raster.shape == (height, width)


@pytest.mark.parametrize("name", ["CITY", "SECOND_CITY", "invented"])
def test_no_ground_is_shown_twice(name):
    """Ground that is in two tiles may be learned from and tested on, whatever the split."""
    city = cityscape.invented(7) if name == "invented" else getattr(cityscape, name)
    seen = [dataset.window(tile, part, city) for tile in range(1, 7) for part in range(1, 10)]
    for one, other in itertools.combinations([*seen, dataset.scene_window(city)], 2):
        ends = zip(one[:2], other[:2], one[2:], other[2:], strict=True)
        assert any(a + n <= b or b + m <= a for a, b, n, m in ends), (one, other)


def test_scene_shows_every_class_and_overlaps_no_tile(folder):
    with rasterio.open(folder / "scene" / "scene.tif") as scene:
        assert scene.shape == (2048, 2048) and scene.count == 3
        assert scene.tags()["TIFFTAG_DATETIME"] == cityscape.CITY.taken
        assert scene.crs == rasterio.crs.CRS.from_string(cityscape.CRS) and scene.res == (
            0.5,
            0.5,
        )
        bounds = scene.bounds
    with rasterio.open(folder / "scene" / "scene_mask.tif") as truth:
        mask, colors = truth.read(1), truth.colormap(1)
        assert truth.bounds == bounds and truth.nodata is None
    assert [colors[index][:3] for index in range(6)] == list(DUBAI.colors)
    assert (np.bincount(mask.ravel(), minlength=6)[:5] / mask.size > 0.04).all()
    for path in (folder / dataset.FOLDER).glob("Tile */images/*.jpg"):
        with rasterio.open(path) as tile:
            assert rasterio.coords.disjoint_bounds(bounds, tile.bounds)
    with rasterio.open(folder / "basemap.tif") as basemap:
        around = basemap.bounds
    assert around.left < bounds.left and around.right > bounds.right
    assert around.bottom < bounds.bottom and around.top > bounds.top


def test_a_finished_set_is_left_alone_and_an_older_one_replaced(tmp_path, small):
    folder = cityscape.write(tmp_path / "city")
    record = folder / "sample.json"
    first = record.stat().st_mtime_ns
    cityscape.write(folder)
    assert record.stat().st_mtime_ns == first
    known = json.loads(record.read_text())
    assert all((folder / name).is_file() for name in known["files"])
    older = {"version": known["version"] - 1, "files": [*known["files"], "stale"]}
    record.write_text(json.dumps({**known, **older}))
    (folder / "stale").touch()
    cityscape.write(folder)
    assert json.loads(record.read_text()) == known
    assert not (folder / "stale").exists()


def test_years_later_more_is_built_and_the_rest_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_SCENE_SIZE", 400)
    masks = []
    for city in (cityscape.CITY, cityscape.LATER_CITY, cityscape.CITY):
        folder = cityscape.write_scene(tmp_path / "scene", city)  # made anew for another city
        with rasterio.open(folder / "scene_mask.tif") as truth:
            masks.append(truth.read(1))
    assert np.array_equal(masks[0], masks[2])
    built = [(mask == DUBAI.names.index("Building")).mean() for mask in masks]
    assert built[1] > 1.05 * built[0]
    assert (masks[0] == masks[1]).mean() > 0.7
    assert {path.name for path in folder.iterdir()} == {
        "sample.json", "scene.tif", "scene_mask.tif",
    }  # fmt: skip


def test_a_failed_run_leaves_nothing(tmp_path, small, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(dataset, "_write_scene", fail)
    with pytest.raises(OSError, match="disk full"):
        cityscape.write(tmp_path / "city")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared(tmp_path, small):
    (tmp_path / f".part-{helpers.dead_process()}-0123abcd-city" / "scene").mkdir(parents=True)
    folder = cityscape.write(tmp_path / "city")
    assert [path.name for path in tmp_path.iterdir()] == ["city"]
    assert (folder / "sample.json").exists()


TWO_WRITERS = """
import sys, time
import numpy as np
import cityscape
from cityscape import dataset
dataset.SIZES, dataset._FLAW = ((82, 97),) * 6, np.s_[10:30, 10:30]
dataset._SCENE_SIZE, dataset._MAP_SIZE = 64, 16
while time.time() < float(sys.argv[2]):
    time.sleep(0.01)
folder = cityscape.write(sys.argv[1])
print(len(list((folder / dataset.FOLDER).glob("Tile */masks/*.png"))), end="")
"""


@pytest.mark.parametrize("before", [None, "an older one"])
def test_two_processes_at_once_both_get_a_whole_set(before, tmp_path, small):
    folder = tmp_path / "city"
    if before:
        folder.mkdir()
        (folder / "sample.json").write_text('{"version": 0, "files": []}')
    start = time.time() + 4
    running = [helpers.python(TWO_WRITERS, folder, start) for _ in range(2)]
    assert [one.communicate()[0] for one in running] == ["54", "54"]
    assert [path.name for path in tmp_path.iterdir()] == ["city"]
    record = json.loads((folder / "sample.json").read_text())
    assert all((folder / name).is_file() for name in record["files"])


@pytest.mark.parametrize("before", [None, 0])
def test_the_first_to_finish_stays(before, tmp_path):
    folder = tmp_path / "set"
    if before is not None:
        folders.whole_folder(folder, {"version": before}, lambda part: (part / "old").touch())

    def slow(part):
        (part / "slow").touch()
        folders.whole_folder(folder, {"version": 1}, lambda part: (part / "fast").touch())

    assert folders.whole_folder(folder, {"version": 1}, slow) == folder
    assert {path.name for path in folder.iterdir()} == {"fast", "sample.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_file_of_ones_own_is_never_cleared_away(tmp_path, small):
    city = cityscape.write(tmp_path / "city")
    record = json.loads((city / "sample.json").read_text())
    (city / "sample.json").write_text(json.dumps(record | {"version": 0}))
    (city / "drawn.gpkg").write_text("an evening")
    (city / ".DS_Store").touch()
    for made in ("districts/districts.gpkg", "scene_later/scene.tif", "scene_1024/scene.tif"):
        (city / made).parent.mkdir()
        (city / made).touch()  # by the course, of this city
    with pytest.raises(FileExistsError, match=r"drawn.gpkg is of your own"):
        cityscape.write(city)
    (city / "drawn.gpkg").rename(tmp_path / "drawn.gpkg")
    assert json.loads((cityscape.write(city) / "sample.json").read_text()) == record


def test_a_folder_of_something_else_is_refused(tmp_path, small):
    (tmp_path / "thesis.txt").write_text("two years of work")
    with pytest.raises(FileExistsError, match="something else"):
        cityscape.write(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    cityscape.write(tmp_path / "city")
    (tmp_path / "city" / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="something else"):  # a city is no scene
        cityscape.write_scene(tmp_path / "city")
    assert (tmp_path / "city" / "notes.txt").exists()
