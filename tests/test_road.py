"""One road for any sensor: bands, types and classes are said once, and travel on the card."""

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from segkit import datasets, maps, models, patches, pipeline, scenes, store, training

BANDS = ("blue", "green", "red", "nir")
COLORS = np.array([(40, 90, 200), (60, 160, 60)], np.uint8)


def pixels(dtype, height, width, seed):
    """Return water and meadow as a sensor sees them, (H, W, 4), and their classes (H, W)."""
    rng = np.random.default_rng(seed)
    classes = np.kron(rng.integers(0, 2, (height // 8, width // 8)), np.ones((8, 8), int))
    reflectance = np.array([(900, 700, 400, 200), (400, 800, 600, 3500)])[classes]
    values = reflectance + rng.normal(0, 40, (height, width, 4))
    return (values / (1 if dtype == "uint16" else 10_000)).astype(dtype), classes


def write(path, image, bands=BANDS, size=10.0):
    """Write an image (H, W, bands) with a place and named bands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": "EPSG:32640", "transform": from_origin(326_000, 2_788_000, size, size)}
    height, width, count = image.shape
    shape = {"height": height, "width": width, "count": count, "dtype": image.dtype}
    with rasterio.open(path, "w", "GTiff", **shape, **place) as raster:
        raster.write(np.moveaxis(image, -1, 0))
        raster.descriptions = bands
    return path


@pytest.fixture(scope="module", params=["uint16", "float32"])
def road(request, tmp_path_factory):
    """A folder of four-band pictures, walked to a trained model: its folder, dtype, model."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "land" / "masks").mkdir(parents=True)
    for number in range(4):
        image, classes = pixels(request.param, 64, 96, number)
        write(folder / "land" / "images" / f"{number}.tif", image)
        Image.fromarray(COLORS[classes]).save(folder / "land" / "masks" / f"{number}.png")
    rows = "name,r,g,b\nwater,40,90,200\nmeadow,60,160,60\n"
    (folder / "land" / "classes.csv").write_text(rows)
    tiles_h5 = store.build(datasets.find(str(folder / "land")), folder / "tiles.h5")
    patches_h5 = patches.cut(tiles_h5, folder / "patches.h5", size=32)
    patches.split(patches_h5)
    train = pipeline.batches(patches_h5, "train", 4, augment=True)
    images, _ = next(iter(train))
    assert images.numpy().min() >= 0 and images.numpy().max() <= 255 and images.numpy().std() > 30
    scheme = store.scheme(patches_h5)
    training.setup(seed=0)
    model = models.unet(len(scheme), width=8, depth=1, channels=4)
    training.fit(model, train, None, scheme, folder / "land.keras", epochs=20, learning_rate=0.01)
    return folder, request.param, training.load(folder / "land.keras")


def test_from_files_to_a_map_with_nothing_said_twice(road):
    folder, dtype, model = road
    assert model.card == store.card(folder / "patches.h5")
    assert (model.card.bands, model.card.dtype) == (BANDS, dtype)
    image, classes = pixels(dtype, 96, 160, 9)
    scene = write(folder / "scene.tif", image)
    map_tif = scenes.predict(model, scene, folder / "map.tif", window=64)
    with rasterio.open(map_tif) as found:
        assert (found.read(1) == classes).mean() > 0.9
        assert datasets.Card.from_json(found.tags()["card"]) == model.card
    assert set(maps.areas(map_tif)["class"]) <= {"water", "meadow"}
    matrix = training.evaluate(model, folder / "patches.h5", "test")
    assert np.trace(matrix) / matrix.sum() > 0.9


def test_a_scene_in_another_band_order_is_refused(road):
    folder, dtype, model = road
    image, classes = pixels(dtype, 64, 96, 9)
    turned = write(folder / "turned.tif", image[..., ::-1], BANDS[::-1])
    with pytest.raises(ValueError, match="nir.*blue|blue.*nir"):
        scenes.predict(model, turned, folder / "none.tif", window=64)
    assert not (folder / "none.tif").exists()
    map_tif = scenes.predict(model, turned, folder / "map.tif", window=64, bands=(4, 3, 2, 1))
    with rasterio.open(map_tif) as found:
        assert (found.read(1) == classes).mean() > 0.9


def test_a_scene_unlike_the_card_is_refused_or_warned_of(road):
    folder, dtype, model = road
    image, _ = pixels(dtype, 64, 96, 9)
    few = write(folder / "few.tif", image[..., :3], BANDS[:3])
    with pytest.raises(ValueError, match="3"):
        scenes.predict(model, few, folder / "none.tif", window=64)
    other = write(folder / "other.tif", image.astype(np.uint8))
    with pytest.raises(ValueError, match=f"uint8.*{dtype}|{dtype}.*uint8"):
        scenes.predict(model, other, folder / "none.tif", window=64)
    coarse = write(folder / "coarse.tif", image, size=30.0)
    with pytest.warns(UserWarning, match="30.*10|10.*30"):
        scenes.predict(model, coarse, folder / "map.tif", window=64)
