"""Data sets by their names, as their makers lay them out: from files to a map."""

import dataclasses
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import rasterio
from helpers import REPOSITORY
from miniatures import MAKERS, SIDE, pixels, save, seen
from PIL import Image

from classroom import sources
from segkit import classes, datasets, metrics, models, patches, pipeline, scenes, store, training
from segkit.datasets.base import deal


def real(name: str, *parts: str) -> Path:
    """Return the root of the real data, where those of a data set are at hand."""
    for root in (os.environ.get("SEGKIT_DATA"), REPOSITORY.parent / "shared" / "data"):
        if root and Path(root, *parts).exists():
            return Path(root)
    pytest.skip(f"the real {name} is not here: set SEGKIT_DATA")


def walk(data: datasets.Dataset, folder: Path, scene: Path, by: str = "image") -> None:
    """Go the whole road with a data set: store, patches, batches, a step, scores, a map."""
    tiles_h5 = store.build(data, folder / "tiles.h5")
    patches_h5 = patches.cut(tiles_h5, folder / "patches.h5", size=32)
    patches.split(patches_h5, by=by, fractions=(0.5, 0.25, 0.25))
    train = pipeline.batches(patches_h5, "train", 4, split=by, augment=True)
    model = models.unet(len(data.scheme), width=4, depth=2, channels=len(data.card.bands))
    training.fit(model, train, None, data.scheme, folder / "m.keras", epochs=1, steps=1)
    model = training.load(folder / "m.keras")
    counts = training.evaluate(model, patches_h5, "test", split=by)
    assert metrics.summary(counts, data.scheme)["accuracy"] >= 0 and counts.sum() > 0
    mapped = scenes.predict(model, scene, folder / "map.tif", window=32)
    with rasterio.open(mapped) as raster, rasterio.open(scene) as source:
        assert raster.shape == source.shape and raster.crs == source.crs
        assert raster.read(1)[source.dataset_mask() > 0].max() < len(data.scheme)


def scene_like(data: datasets.Dataset, path: Path) -> Path:
    """Write the first tile's image as a GeoTIFF: some data sets come as other files."""
    save(path, datasets.read_image(data.tiles[0].image)[:SIDE, :SIDE])
    return path


@pytest.fixture
def found(tmp_path, request):
    """A miniature's data set, and what was drawn for it."""
    drawn = MAKERS[request.param](tmp_path / "data")
    return datasets.find(request.param.partition("+")[0], tmp_path / "data"), drawn


@pytest.mark.parametrize("found", MAKERS, indirect=True)
@pytest.mark.filterwarnings("ignore:.*as if they were these")
def test_by_its_name_alone_from_files_to_a_map(found, tmp_path):
    data, drawn = found
    for tile, mask in zip(data.tiles, drawn, strict=False):
        assert np.array_equal(data.read(tile)[1], mask)
    assert not drawn or len(data.tiles) == len(drawn)
    assert all(data.tiles[i].id != data.tiles[0].id for i in range(1, len(data.tiles)))
    walk(data, tmp_path / "work", scene_like(data, tmp_path / "work" / "scene.tif"))


def test_every_data_set_that_is_known_has_a_miniature():
    made_on_the_spot = {name for name, entry in datasets.REGISTRY.items() if entry.get("city")}
    assert {name.partition("+")[0] for name in MAKERS} == set(datasets.REGISTRY) - made_on_the_spot


@pytest.mark.parametrize("found", ["landslide4sense"], indirect=True)
def test_fourteen_bands_are_named_and_read_as_float32(found):
    data, _ = found
    assert len(data.card.bands) == 14 and data.card.bands[3] == "red"
    assert (data.card.dtype, data.card.gsd, data.card.ranges) == ("float32", 10.0, ())
    assert data.read(data.tiles[0])[0].dtype == np.float32


@pytest.mark.parametrize(
    ("found", "groups"),
    [
        ("inria", {"austin", "kitsap", "tyrol-w"}),
        ("loveda", {"Urban", "Rural"}),
        ("potsdam+crops", {"2_10", "2_11", "3_10", "7_13"}),
        ("vaihingen+crops", {"area1", "area3", "area5", "area11"}),
    ],
    indirect=["found"],
)
def test_what_must_not_be_split_is_one_group(found, groups):
    assert {tile.group for tile in found[0].tiles} == groups


def test_images_that_have_no_mask_by_design_are_counted(tmp_path):
    MAKERS["potsdam"](tmp_path)
    with pytest.warns(UserWarning, match="left out: 1, as top_potsdam_5_15_RGB.tif") as told:
        data = datasets.find("potsdam", tmp_path)
    assert len(data.tiles) == 4 and told[0].filename == __file__


@pytest.mark.parametrize("found", ["potsdam"], indirect=True)
def test_with_and_without_clutter(found):
    data, drawn = found
    truth = np.stack(drawn)
    matrix = metrics.confusion(truth, np.where(truth == 5, 5, 0), 6)
    scores = metrics.scores(matrix, data.scheme)["iou"]
    without = metrics.scores(matrix, data.scheme.ignoring("Clutter"))["iou"]
    assert scores["Clutter"] == 1 and np.isnan(without["Clutter"])
    assert without.notna().sum() == scores.notna().sum() - 1
    assert metrics.summary(matrix, data.scheme.ignoring("Clutter"))["miou"] == pytest.approx(
        without.mean()
    )


@pytest.mark.parametrize("found", ["deepglobe"], indirect=True)
def test_six_classes_as_published_and_seven(found):
    data, drawn = found
    matrix = metrics.confusion(np.stack(drawn), np.stack(drawn), 7)
    assert metrics.scores(matrix, data.scheme)["iou"].count() == 6
    assert metrics.scores(matrix, data.scheme.ignoring(None))["iou"].count() == 7


def test_a_class_can_be_ignored_added_or_counted_again():
    with_borders = classes.POTSDAM.ignoring("Boundary")
    assert with_borders.names[-1] == "Boundary" and with_borders.ignore_index == 6
    assert with_borders.ignoring("Clutter").ignore_index == 5
    assert with_borders.ignoring(None).ignore_index is None


@pytest.mark.parametrize("found", ["deepglobe"], indirect=True)
def test_colors_that_compression_moved_are_cut_and_counted(found):
    data, drawn = found
    tile = data.tiles[0]
    moved = np.array(Image.open(tile.mask)).astype(int)
    moved[:2, :2] += np.where(moved[:2, :2] > 127, -100, 100)
    Image.fromarray(moved.astype(np.uint8)).save(tile.mask)
    _, mask, recolored = data.read(tile)
    assert np.array_equal(mask, drawn[0]) and recolored == 4


def first(folder: Path, ending: str) -> Path:
    return sorted(folder.rglob(f"*{ending}"))[0]


def miss(root):
    first(root, "_mask.png").unlink()


def rename_mask(root):
    path = first(root, "_mask.png")
    path.rename(path.with_name("mask_100.png"))


def rename_both(root):
    for ending in ("_mask.png", "_sat.jpg"):
        path = first(root / "deepglobe/train", ending)
        path.rename(path.with_name(f"odd{path.suffix}"))


def double(root):
    path = first(root / "deepglobe/train", "_sat.jpg")
    Image.open(path).save(path.with_suffix(".png"))


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (miss, "100_sat.jpg: no mask .*_mask in"),
        (rename_mask, "100_sat.jpg: no mask"),
        (rename_both, "odd.jpg is named neither.*rename it"),
        (double, "100_sat.png and .*two files of one name; keep one"),
    ],
)
def test_missing_extra_and_misnamed_files_are_named(tmp_path, spoil, names):
    MAKERS["deepglobe"](tmp_path)
    spoil(tmp_path)
    with pytest.raises(datasets.DatasetError, match=names):
        datasets.find("deepglobe", tmp_path)


def shrink(path):
    with rasterio.open(path) as raster:
        half = raster.read()[:, : SIDE // 2]
    save(path, np.moveaxis(half, 0, -1).squeeze())


def truncate(path):
    path.write_bytes(path.read_bytes()[:300])


def count_on(path):
    with rasterio.open(path) as raster:
        save(path, raster.read(1) + 1)


def add_a_band(path):
    with rasterio.open(path) as raster:
        save(path, np.moveaxis(np.repeat(raster.read(), 2, axis=0), 0, -1))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (shrink, r"\(32, 64\), its image \(64, 64\).*Nothing is resized"),
        (truncate, "cannot be read.*Download it again"),
        (count_on, r"uint16 with \[3\], but .* holds whole numbers: 0, 1, 2"),
        (add_a_band, "2 bands of uint16, neither numbers in one band nor RGB"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(tmp_path, spoil, told):
    MAKERS["sentinel2_landslides"](tmp_path)
    data = datasets.find("sentinel2_landslides", tmp_path)
    spoil(data.tiles[1].mask)
    with pytest.raises(datasets.DatasetError, match=f"000000000001.tif: .*{told}"):
        store.build(data, tmp_path / "tiles.h5")
    assert not (tmp_path / "tiles.h5").exists()


def test_a_chip_without_an_image_is_named(tmp_path):
    MAKERS["landslide4sense"](tmp_path)
    data = datasets.find("landslide4sense", tmp_path)
    with h5py.File(data.tiles[0].image, "a") as file:
        file["more"] = np.zeros(3)
    with pytest.raises(datasets.DatasetError, match="image_1.h5: holds img, more, not one image"):
        data.read(data.tiles[0])
    truncate(data.tiles[1].mask)
    with pytest.raises(datasets.DatasetError, match="mask_2.h5: broken or cut off"):
        data.read(data.tiles[1])


@pytest.mark.parametrize("name", ["potsdam", "loveda", "inria", "landslide4sense"])
def test_what_is_not_there_says_how_to_get_it(tmp_path, name):
    entry = datasets.REGISTRY[name]
    with pytest.raises(datasets.DatasetNotFound) as told:
        datasets.find(name, tmp_path)
    assert entry["example"].rpartition("/")[2] in str(told.value)
    assert "https://" in str(told.value) and "SEGKIT_DATA" in str(told.value)


def test_a_folder_says_how_its_files_are_named(tmp_path):
    for i in range(3):
        save(tmp_path / f"own/site{i % 2}/{i}_rgb.png", seen(pixels(2, i)))
        save(tmp_path / f"own/site{i % 2}/{i}_roofs.png", pixels(2, i) * 100)
    (tmp_path / "own/classes.csv").write_text("name,r,g,b\nground,0,0,0\nroof,255,0,0\n")
    (tmp_path / "own/dataset.toml").write_text(
        'values = [0, 100]\ngroup = "{site}"\ngsd = 0.2\n'
        'layouts = [{ image = "{site}/{id}_rgb", mask = "{site}/{id}_roofs" }]\n'
    )
    data = datasets.find(str(tmp_path / "own"))
    assert [tile.id for tile in data.tiles] == ["site0_0", "site0_2", "site1_1"]
    assert {tile.group for tile in data.tiles} == {"site0", "site1"} and data.card.gsd == 0.2
    assert np.array_equal(data.read(data.tiles[2])[1], pixels(2, 1))
    with (tmp_path / "own/dataset.toml").open("a") as file:
        file.write('id = "tile"\n')
    with pytest.raises(datasets.DatasetError, match="two images are called alike"):
        datasets.find(str(tmp_path / "own"))


def own(folder: Path, **more) -> Path:
    """Write a data set of one's own: three images, and masks of two class numbers."""
    for i in range(3):
        save(folder / f"images/{i}.png", seen(pixels(2, i)))
        save(folder / f"masks/{i}.png", pixels(2, i))
    rows = more.get("csv", "name,r,g,b\nland,0,0,0\nroof,255,0,0\n")
    (folder / "classes.csv").write_text(rows, "utf-8")
    if "toml" in more:
        (folder / "dataset.toml").write_text(more["toml"])
    return folder


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"toml": "layouts = ["}, "dataset.toml or classes.csv must be corrected"),
        ({"toml": 'layouts = [{ image = "images/{id}" }]'}, "must be corrected.*mask"),
        ({"toml": 'scheme = "Atlantis"'}, "must be corrected.*Atlantis"),
        ({"toml": 'group = "{site}"'}, "must be corrected.*site"),
        ({"csv": "name,r,g,b\nroof,x,0,0\n"}, "must be corrected.*'x'"),
        ({"csv": "name,r,g,b\nroof,300,0,0\nland,0,0,0\n"}, "must be corrected.*0 to 255"),
        ({"csv": "name,r,g,b\nroof,0\n"}, "must be corrected"),
    ],
)
def test_a_folder_that_says_it_wrongly_is_named(tmp_path, how, told):
    with pytest.raises(datasets.DatasetError, match=f"{tmp_path.name}.*{told}"):
        datasets.find(str(own(tmp_path, **how)))


def test_values_that_fit_no_scheme_are_refused(tmp_path):
    for values in ("[0, 1, 2]", "[-1, 0]", "[1, 1]"):
        data = datasets.find(str(own(tmp_path, toml=f"values = {values}")))
        with pytest.raises(
            datasets.DatasetError, match="0.png: 2 classes need as many different values"
        ):
            data.read(data.tiles[0])


def test_excel_writes_a_mark_in_front_and_people_write_true(tmp_path):
    rows = "\ufeffname,r,g,b,ignore\nroof,0,0,0,\nland,1,0,0, True \n"
    data = datasets.find(str(own(tmp_path, csv=rows)))
    assert data.scheme.names == ("roof", "land") and data.scheme.ignore_index == 1


@pytest.mark.parametrize(
    ("rows", "names", "ignored"),
    [
        ("name,r,g,b\nland,0,0,0,\nroof,255,0,0,\n", ("land", "roof"), None),
        ("Name,R,G,B,Ignore \nland,0,0,0,0.0\nroof,255,0,0,1.0\n", ("land", "roof"), 1),
        ("name,r,g,b,ignore\nland,0,0,0,x\nroof,255,0,0,no\n", ("land", "roof"), 0),
    ],
)
@pytest.mark.filterwarnings("ignore::pandas.errors.ParserWarning")
def test_tables_of_classes_as_people_write_them(tmp_path, rows, names, ignored):
    scheme = datasets.find(str(own(tmp_path, csv=rows))).scheme
    assert (scheme.names, scheme.ignore_index) == (names, ignored)


def test_fields_may_count_digits_and_come_twice(tmp_path):
    for i in range(3):
        save(tmp_path / f"own/{i:04}/{i:04}_rgb.png", seen(pixels(2, i)))
        save(tmp_path / f"own/{i:04}/{i:04}_roofs.png", pixels(2, i))
    (tmp_path / "own/classes.csv").write_text("name,r,g,b\nground,0,0,0\nroof,255,0,0\n")
    four = "{id:[0-9]{4}}/{id:[0-9]{4}}"
    told = f'layouts = [{{ image = "{four}_rgb", mask = "{four}_roofs" }}]\n'
    (tmp_path / "own/dataset.toml").write_text(told)
    assert [one.id for one in datasets.find(str(tmp_path / "own")).tiles] == [
        "0000",
        "0001",
        "0002",
    ]
    (tmp_path / "own/dataset.toml").write_text(told + 'id = "site/{id}"\n')
    data = datasets.find(str(tmp_path / "own"))
    assert len(store.index(store.build(data, tmp_path / "tiles.h5"))) == 3
    (tmp_path / "own/dataset.toml").write_text(told.replace("_rgb", "_rgb.png"))
    with pytest.raises(datasets.DatasetNotFound, match="no ending such as .png"):
        datasets.find(str(tmp_path / "own"))


def test_the_last_of_numbered_parts_are_held_out_whatever_their_zeros(tmp_path):
    names = [f"{group}-p{part}" for group in "ab" for part in range(1, 13)]
    listed = pd.DataFrame({"tile": names, "group": [name[0] for name in names]})
    subset = pd.Series(deal(listed, parts=True), names)
    assert [name for name in names if subset[name] == 2] == ["a-p11", "a-p12", "b-p11", "b-p12"]
    assert [name for name in names if subset[name] == 1] == ["a-p9", "a-p10", "b-p9", "b-p10"]


def as_jpeg(path):
    Image.open(path).save(path.with_suffix(".jpg"))
    path.unlink()


def in_16_bits(path):
    deep = np.zeros((3, SIDE, SIDE), np.uint16)
    with rasterio.open(path, "w", "PNG", count=3, height=SIDE, width=SIDE, dtype="uint16") as file:
        file.write(deep)


@pytest.mark.parametrize(
    ("spoil", "told"), [(as_jpeg, "0.jpg: JPEG, mode 'L'"), (in_16_bits, "0.png: PNG, mode 'RGB'")]
)
def test_masks_that_lose_numbers_are_refused(tmp_path, spoil, told):
    spoil(own(tmp_path) / "masks" / "0.png")
    data = datasets.find(str(tmp_path))
    with pytest.raises(datasets.DatasetError, match=f"{told}.*in 8 bits; save it so, masks as PNG"):
        data.read(data.tiles[0])


def test_links_are_followed_and_braces_in_names_are_names(tmp_path):
    own(tmp_path / "far")
    for kind in ("images", "masks"):
        path = tmp_path / "far" / kind
        (path / "0.png").rename(path / "a{x}².png")
        (tmp_path / "near").mkdir(exist_ok=True)
        (tmp_path / "near" / kind).symlink_to(path)
    shutil.copy(tmp_path / "far" / "classes.csv", tmp_path / "near")
    assert [one.id for one in datasets.find(str(tmp_path / "near")).tiles] == ["1", "2", "a{x}²"]
    (tmp_path / "near").rename(tmp_path / "near [2]")
    assert len(datasets.find(str(tmp_path / "near [2]")).tiles) == 3


def test_another_data_set_beside_it_is_not_taken_for_it(tmp_path):
    MAKERS["loveda+crops"](tmp_path)
    (tmp_path / "loveDA").rename(tmp_path / "mytown")
    MAKERS["dubai"](tmp_path)
    (tmp_path / "dubai").rename(tmp_path / "town")
    for name in ("loveda", "dubai"):
        with pytest.raises(datasets.DatasetNotFound):
            datasets.find(name, tmp_path)
    assert len(datasets.find("loveda", tmp_path / "mytown").tiles) == 4
    assert len(datasets.find("dubai", tmp_path / "town").tiles) == 6


def test_all_of_potsdam_unzipped_side_by_side(tmp_path):
    drawn = MAKERS["potsdam"](tmp_path)
    MAKERS["potsdam_rgbir"](tmp_path)
    shutil.copytree(tmp_path / "potsdam/5_Labels_all", tmp_path / "potsdam/5_Labels_more")
    data = datasets.find("potsdam", tmp_path)
    assert np.array_equal(data.read(data.tiles[3])[1], drawn[3])


def test_pixels_without_data_do_not_stretch_the_range(tmp_path):
    MAKERS["sentinel2_landslides"](tmp_path)
    folder = tmp_path / "landslide/sentinel2/images"
    for path in folder.iterdir():
        with rasterio.open(path, "r+") as raster:
            pixels = raster.read()
            pixels[:, :8] = -9999
            raster.write(pixels)
            raster.nodata = -9999
    path = store.build(datasets.find("sentinel2_landslides", tmp_path), tmp_path / "tiles.h5")
    assert all(low >= 0 for low, _ in store.card(path).ranges)
    assert np.isnan(store.read(path, "000000000000")[0][:8]).all()


def test_a_large_geotiff_is_stored_strip_by_strip(tmp_path, monkeypatch):
    MAKERS["inria"](tmp_path)
    data = datasets.find("inria", tmp_path)
    whole = store.build(data, tmp_path / "whole.h5")
    monkeypatch.setattr("segkit.datasets.base.STRIP", 1)
    monkeypatch.setattr("segkit.datasets.base.CHUNK", 24)
    parts = [strip[0] for strip in data.strips(data.tiles[0])]
    assert parts == [0, 24, 48]
    strips = store.build(data, tmp_path / "strips.h5")
    for tile in data.tiles:
        for ours, theirs in zip(
            store.read(strips, tile.id), store.read(whole, tile.id), strict=True
        ):
            assert np.array_equal(ours, theirs)


def test_real_deepglobe(tmp_path):
    data = datasets.find("deepglobe", real("DeepGlobe", "deepglobe", "train"))
    assert len(data.tiles) == 5 and data.scheme == classes.DEEPGLOBE
    image, mask, recolored = data.read(data.tiles[0])
    assert image.shape == (2448, 2448, 3) and mask.shape == (2448, 2448) and recolored == 0
    few = dataclasses.replace(data, tiles=data.tiles[:3])
    walk(few, tmp_path, scene_like(data, tmp_path / "scene.tif"))


def test_real_sentinel2_landslides(tmp_path):
    root = real("Sentinel-2 chips", "landslide", "sentinel2")
    data = datasets.find("sentinel2_landslides", root)
    assert len(data.tiles) == 16 and data.card.dtype == "float32"
    labels = [rasterio.open(tile.mask).read(1) for tile in data.tiles]
    assert all(np.array_equal(data.read(t)[1], m) for t, m in zip(data.tiles, labels, strict=True))
    walk(data, tmp_path, data.tiles[0].image)


def test_the_real_chip_of_landslide4sense(tmp_path):
    root = real("Landslide4Sense chip", "landslide", "landslide4sense", "image_1.h5")
    folder = tmp_path / "landslide4sense" / "TrainData"
    for i in range(1, 4):
        (folder / "img").mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "landslide/landslide4sense/image_1.h5", folder / f"img/image_{i}.h5")
        save(folder / f"mask/mask_{i}.h5", np.kron(pixels(2, i), np.ones((2, 2), np.uint8)))
    data = datasets.find("landslide4sense", tmp_path)
    image, mask, _ = data.read(data.tiles[0])
    assert image.shape == (128, 128, 14) and image.dtype == np.float32 and mask.max() == 1
    walk(data, tmp_path / "work", scene_like(data, tmp_path / "work" / "scene.tif"))


def test_fetch_takes_open_files_by_checksum_and_leaves_what_is_there(tmp_path, monkeypatch):
    zipped = shutil.make_archive(str(tmp_path / "Train"), "zip", tmp_path, _loveda(tmp_path))
    asked = []

    def retrieve(address, known, processor, **options):
        asked.append((address, known))
        return processor(zipped, "download", None)

    monkeypatch.setattr(datasets.pooch, "retrieve", retrieve)
    (tmp_path / "data" / "loveda").mkdir(parents=True)  # empty: nothing is there yet
    folder = datasets.fetch("loveda", tmp_path / "data")
    assert folder == tmp_path / "data" / "loveda" and len(asked) == 2
    assert all(known.startswith("md5:") for _, known in asked)
    assert len(datasets.find("loveda", tmp_path / "data").tiles) == 8
    assert datasets.fetch("loveda", tmp_path / "data") == folder and len(asked) == 2


def _loveda(tmp_path) -> str:
    MAKERS["loveda"](tmp_path / "made")
    return "made/loveda"


def test_fetch_asks_kaggle_by_its_name_and_puts_it_where_it_is_found(tmp_path, monkeypatch):
    def download(handle, output_dir):
        assert handle.startswith("balraj98/")
        MAKERS["deepglobe"](Path(output_dir).parent / "made")
        shutil.copytree(Path(output_dir).parent / "made" / "deepglobe", output_dir)

    pytest.importorskip("kagglehub")
    monkeypatch.setattr("kagglehub.dataset_download", download)
    assert datasets.fetch("deepglobe", tmp_path) == tmp_path / "deepglobe"
    (tmp_path / "deepglobe").rename(tmp_path / "DeepGlobe")  # where it is found, too
    assert datasets.fetch("deepglobe", tmp_path) == tmp_path / "DeepGlobe"
    assert len(datasets.find("deepglobe", tmp_path).tiles) == 4
    monkeypatch.setattr(datasets, "find_spec", lambda name: None)
    with pytest.raises(datasets.DatasetNotFound, match="Download https://www.kaggle.com"):
        datasets.fetch("dubai", tmp_path)


def test_fetch_says_the_steps_where_a_form_must_be_signed(tmp_path):
    with pytest.raises(datasets.DatasetNotFound, match="Sign the form at https://www.isprs"):
        datasets.fetch("potsdam", tmp_path)
    with pytest.raises(datasets.DatasetNotFound, match="choose one of sample"):
        datasets.fetch("atlantis", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_page_of_data_sets_is_of_today():
    text = sources.PAGE.read_text("utf-8")
    assert sources.rendered(text) == text, "run make sources"
    assert all(f"## {name}: " in text for name in datasets.REGISTRY)
