"""Finding, pairing and reading."""

import h5py
import numpy as np
import pytest
import rasterio
from helpers import dubai_tree, write_pair
from PIL import Image
from rasterio.transform import from_origin

from segkit import classes, datasets


def part(root, name="image_part_002", kind="images", suffix=".png"):
    folder = root / "dubai" / "Semantic segmentation dataset" / "Tile 1" / kind
    return folder / f"{name}{suffix}"


def test_all_72_real_tiles_are_found_and_paired(real_dubai):
    assert len(real_dubai.tiles) == 72
    assert len({tile.group for tile in real_dubai.tiles}) == 8
    for tile in real_dubai.tiles:
        assert tile.image.stem == tile.mask.stem
        assert tile.image.parent.parent == tile.mask.parent.parent


def test_the_black_pixels_of_the_real_masks_are_counted_and_unlabeled(real_dubai):
    tile = next(tile for tile in real_dubai.tiles if tile.id == "tile8_part003")
    image, mask, recolored = real_dubai.read(tile)
    assert recolored == 545_723
    assert (mask == classes.DUBAI.ignore_index).sum() >= recolored


def test_a_palette_mask_reads_like_its_rgb_twin(tmp_path):
    rgb_mask = classes.DUBAI.encode(np.arange(6, dtype=np.uint8).reshape(2, 3))
    Image.fromarray(rgb_mask).save(tmp_path / "rgb.png")
    Image.fromarray(rgb_mask).quantize(6).save(tmp_path / "palette.png")
    assert Image.open(tmp_path / "palette.png").mode == "P"
    twins = [datasets.read_rgb_mask(tmp_path / name) for name in ("rgb.png", "palette.png")]
    assert np.array_equal(*twins)


def test_a_missing_data_set_says_how_to_get_it(tmp_path):
    with pytest.raises(datasets.DatasetNotFound, match="kaggle.com.*SEGKIT_DATA"):
        datasets.find("dubai", tmp_path)
    with pytest.raises(datasets.DatasetNotFound, match="sample, second_city, dubai"):
        datasets.find("atlantis", tmp_path)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_missing_partner_is_named(tmp_path, kind):
    dubai_tree(tmp_path, tiles=1, parts=3)
    part(tmp_path, kind=kind).unlink()
    with pytest.raises(datasets.DatasetError, match="image_part_002"):
        datasets.find("dubai", tmp_path)


def spoil_size(path):
    Image.open(path).resize((10, 10), Image.Resampling.NEAREST).save(path)


def spoil_mode(path):
    Image.open(path).convert("L").save(path)


def spoil_bytes(path):
    path.write_bytes(path.read_bytes()[:200])


def spoil_all(path):
    path.write_bytes(b"not a picture")


@pytest.mark.parametrize("spoil", [spoil_size, spoil_mode, spoil_bytes, spoil_all])
def test_a_spoilt_mask_is_named(tmp_path, spoil):
    data = datasets.find("dubai", dubai_tree(tmp_path, tiles=1, parts=3))
    spoil(data.tiles[1].mask)
    with pytest.raises(datasets.DatasetError, match="masks.image_part_002.png"):
        data.read(data.tiles[1])


def test_a_truncated_jpeg_is_named(tmp_path):
    path = tmp_path / "image.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)).save(path)
    assert datasets.read_image(path).shape == (99, 99, 3)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(datasets.DatasetError, match="image.jpg.*cut off"):
        datasets.read_image(path)


def test_a_folder_of_pairs(tmp_path):
    rgb_mask = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    for name in ("b10", "b2"):
        write_pair(tmp_path, name, np.zeros((1, 2, 3), np.uint8), rgb_mask)
    with pytest.raises(datasets.DatasetNotFound, match="classes.csv"):
        datasets.find(str(tmp_path))
    rows = "name,r,g,b,ignore\nroof,255,0,0,0\nsea,0,0,255,1\n"
    (tmp_path / "classes.csv").write_text(rows)
    data = datasets.find(str(tmp_path))
    assert [tile.id for tile in data.tiles] == ["b2", "b10"]
    assert data.scheme.names == ("roof", "sea") and data.scheme.ignore_index == 1
    assert data.read(data.tiles[0])[1].tolist() == [[0, 1]]


def raster(path, array):
    """Write (bands, H, W) as a GeoTIFF with pixels of ten meters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {"crs": "EPSG:32640", "transform": from_origin(326_000, 2_788_000, 10, 10)}
    shape = dict(zip(("count", "height", "width"), array.shape, strict=True))
    with rasterio.open(path, "w", "GTiff", dtype=array.dtype, **shape, **place) as file:
        file.write(array)


def test_a_mask_of_indices_is_read_as_it_is_and_checked(tmp_path):
    raster(tmp_path / "images" / "a.tif", np.zeros((4, 6, 8), np.uint16))
    mask = np.arange(48, dtype=np.uint8).reshape(1, 6, 8) % 2
    raster(tmp_path / "masks" / "a.tif", mask)
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,255,0,0\nsea,0,0,255\n")
    data = datasets.find(str(tmp_path))
    assert data.card.bands == ("band 1", "band 2", "band 3", "band 4")
    assert (data.card.dtype, data.card.ranges) == ("uint16", ())
    assert data.card.gsd == pytest.approx(10, rel=0.01)
    image, found, _ = data.read(data.tiles[0])
    assert image.dtype == np.uint16 and np.array_equal(found, mask[0])
    raster(tmp_path / "masks" / "a.tif", mask.astype(np.uint16))
    assert np.array_equal(data.read(data.tiles[0])[1], mask[0])
    raster(tmp_path / "masks" / "a.tif", mask.astype(np.float32))  # as GIS programs write them
    found = data.read(data.tiles[0])[1]
    assert found.dtype == np.uint8 and np.array_equal(found, mask[0])
    with rasterio.open(tmp_path / "masks" / "a.tif", "r+") as file:
        file.nodata = 0  # so, too, although 0 is a class
    assert np.array_equal(data.read(data.tiles[0])[1], mask[0])
    nothing = np.where(mask, np.nan, 0).astype(np.float32)
    for wrong in (mask + 1, mask.astype(np.float32) + 0.5, nothing):
        raster(tmp_path / "masks" / "a.tif", wrong)
        with pytest.raises(
            datasets.DatasetError, match="a.tif: .*data set holds whole numbers: 0, 1"
        ):
            data.read(data.tiles[0])


def test_chips_in_another_order_of_bytes_are_read(tmp_path):
    image = np.arange(12, dtype=">f4").reshape(2, 2, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["img"] = image
    found = datasets.read_image(tmp_path / "a.h5")
    assert found.dtype == np.float32 and np.array_equal(found, image)


def test_a_folder_may_say_its_patterns_from_here_and_names_no_class_that_is_none(tmp_path):
    mask = np.zeros((2, 2, 3), np.uint8)
    write_pair(tmp_path, "a", mask, mask)
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,255,0,0\nsea,0,0,255\n")
    stated = 'layouts = [{ image = "./images/{id}", mask = "./masks/{id}" }]\n'
    for name in ("sea", "see"):
        recolor = f'recolor = [[[0, 0, 0], "{name}"]]\n'
        (tmp_path / "dataset.toml").write_text(stated + recolor)
        if name == "sea":
            data = datasets.find(str(tmp_path))
            assert data.read(data.tiles[0])[2] == 4
    with pytest.raises(datasets.DatasetError, match="dataset.toml .* corrected .*'see'"):
        datasets.find(str(tmp_path))


@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_pixels_of_other_types_are_refused(tmp_path, dtype):
    raster(tmp_path / "a.tif", np.zeros((1, 4, 4), dtype))
    with pytest.raises(datasets.DatasetError, match=f"{dtype}, none of uint8"):
        datasets.read_image(tmp_path / "a.tif")


def test_images_of_one_data_set_have_the_same_bands(tmp_path):
    for name, bands in (("a", 4), ("b", 3)):
        raster(tmp_path / "images" / f"{name}.tif", np.zeros((bands, 6, 8), np.uint8))
        raster(tmp_path / "masks" / f"{name}.tif", np.zeros((1, 6, 8), np.uint8))
    (tmp_path / "classes.csv").write_text("name,r,g,b\nroof,255,0,0\nsea,0,0,255\n")
    data = datasets.find(str(tmp_path))
    with pytest.raises(datasets.DatasetError, match="b.tif: 3 bands of uint8.*has 4"):
        data.read(data.tiles[1])


def test_the_digest_of_the_files_follows_the_files(tmp_path):
    data = datasets.find("dubai", dubai_tree(tmp_path, tiles=1, parts=3))
    before = data.files()
    assert datasets.find("dubai", tmp_path).files() == before
    spoil_bytes(data.tiles[0].mask)
    assert data.files() != before


def test_a_card_scales_each_band_and_comes_back_from_text():
    card = datasets.Card(
        "s2", classes.LANDSLIDE, ("b4", "b8"), "uint16", ((100, 600), (0, 2550)), 10.0
    )
    pixels = np.array([[[100, 255], [600, 0], [0, 65535]]], np.uint16)
    assert card.scaled(pixels) == pytest.approx(np.array([[[0, 25.5], [255, 0], [0, 255]]]))
    assert card.scaled(np.full((1, 2), np.nan))[0, 0] == 0
    assert datasets.Card.from_json(card.to_json()) == card
    plain = datasets.Card("dubai", classes.DUBAI)
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(plain.scaled(image), image) and plain.scaled(image).dtype == np.float32
    typed = datasets.Card("s2", classes.LANDSLIDE, ("b4", "b8"), np.dtype("uint16"))
    assert datasets.Card.from_json(typed.to_json()) == typed
    with pytest.raises(ValueError, match="2 bands, but 1"):
        datasets.Card("x", classes.LANDSLIDE, ("a", "b"), "uint16", ((0, 1),))
