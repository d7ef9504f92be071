"""What the app does with pictures, right and wrong ones, without a browser."""

import base64
import io
import os
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import rasterio
from helpers import write
from PIL import Image

from classroom import space
from segkit import app, rasters
from segkit.app import desk
from segkit.rasters import NODATA

pytestmark = pytest.mark.filterwarnings("default::UserWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Results in a folder of the test's own."""
    monkeypatch.setattr(desk, "FOLDER", tmp_path / "app")
    return tmp_path / "app"


def mapped(path, *names):
    """Return what the page gets in the end, and the line that it says."""
    return list(app.answer(str(path), *(names or ("city-lite0", "none"))))[-1]


def test_a_picture_is_mapped_where_it_lies(tmp_path):
    scene = write(tmp_path / "scene.tif", noise((70, 90)))
    said = list(app.answer(str(scene), "city-lite0", "dubai-lite2"))
    assert said[0][1].startswith("city-lite0: opening") and said[-1][1] == ""
    assert any("% of the picture" in line for _, line in said)
    (results, _), names = said[-1], ["city-lite0", "dubai-lite2"]
    assert [name for name, *_ in results] == names
    html = desk.page(results)
    assert html.count("<section>") == 2 and "hectares" in html and "looks unlike" in html
    taken = [path for path in desk.downloads(results) if path.endswith(".tif")]
    with rasterio.open(taken[0]) as found, rasterio.open(scene) as source:
        assert found.crs == source.crs and found.transform == source.transform
    assert len({Path(path).name for path in desk.downloads(results)}) == 8


def noise(shape):
    """Return a picture (3, H, W) that looks like nothing on Earth."""
    return np.random.default_rng(0).integers(60, 200, (3, *shape), np.uint8)


def save(path, mode, size=(40, 40), **how):
    Image.new(mode, size).save(path, **how)
    return path


def test_pictures_of_every_kind_get_a_map_or_a_sentence(tmp_path):
    for i, (mode, suffix) in enumerate(
        [("RGBA", "png"), ("P", "png"), ("L", "png"), ("1", "png"), ("CMYK", "jpg")]
    ):
        results, said = mapped(save(tmp_path / f"{i}.{suffix}", mode))
        assert said == "" and "pixels" in desk.page(results), mode
    many = write(tmp_path / "many.tif", np.zeros((14, 40, 40), np.float32))
    deep = write(tmp_path / "deep.tif", np.zeros((3, 40, 40), np.uint16))
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    (tmp_path / "cut.png").write_bytes(save(tmp_path / "x.png", "RGB").read_bytes()[:60])
    rgb16 = tmp_path / "rgb16.png"
    rasterio.shutil.copy(
        write(tmp_path / "rgb16.tif", np.zeros((3, 40, 40), np.uint16)), rgb16, "PNG"
    )
    vrt = tmp_path / "vrt.tif"
    vrt.write_text('<VRTDataset rasterXSize="40" rasterYSize="40"></VRTDataset>')
    for path, told in [
        (save(tmp_path / "gray16.png", "I;16"), "more than 8 bits"),
        (rgb16, "more than 8 bits"),
        (save(tmp_path / "small.png", "RGB", (31, 40)), "from 32×32"),
        (many, "State which values become 0 and 255"),
        (deep, "State which values become 0 and 255"),
        (write(tmp_path / "bands.tif", np.zeros((65, 40, 40), np.uint8)), "at most 64 bands"),
        (tmp_path / "page.html", "no PNG, JPEG or GeoTIFF"),
        (tmp_path / "cut.png", "No map"),
        (vrt, "not recognized"),
        (save(tmp_path / "moving.gif", "P"), "no PNG, JPEG or GeoTIFF"),
    ]:
        results, said = mapped(path)
        assert results == [] and told in said, (path.name, said)
        assert str(tmp_path / "app") not in said and "<script" not in said


def test_what_is_transparent_has_no_class(tmp_path):
    picture = np.full((70, 90, 4), 120, np.uint8)
    picture[:35, :, 3] = 0
    Image.fromarray(picture).save(tmp_path / "half.png")
    (results, _) = mapped(tmp_path / "half.png")
    with rasterio.open(results[0][1] / "map.tif") as raster:
        found = raster.read(1)
    assert (found[:35] == NODATA).all() and (found[36:] != NODATA).all()


def test_where_there_are_no_data_nothing_is_drawn(tmp_path):
    pixels = noise((64, 96))
    pixels[:, :, :48] = 0
    scene = write(tmp_path / "scene.tif", pixels, nodata=0)
    heights = np.where(pixels, pixels, np.float32(-9999))
    coarse = write(tmp_path / "heights.tif", heights, nodata=-9999)
    sure = Path(mapped(scene)[0][0][1]) / "map_confidence.tif"
    for path in (scene, coarse, sure):
        told = desk._picture(path).partition(",")[2]
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(told))))
        assert (drawn[..., 3] == np.repeat([0, 255], 48)).all() and drawn[:, 48:, 0].std() > 5


def test_a_place_that_is_no_number_gets_a_page(tmp_path):
    scene = write(tmp_path / "scene.tif", noise((70, 90)))
    with rasterio.open(scene, "r+") as raster:
        raster.transform = rasterio.Affine(1e-9, 0, 0, 0, -1e-9, 0)
    results, _ = mapped(scene)
    assert "<section>" in desk.page(results) and desk.downloads(results)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    read = []
    monkeypatch.setattr(Image.Image, "load", lambda self: read.append(self))
    results, said = mapped(tmp_path / "bomb.png")
    assert results == [] and "far more pixels than the 40,000,000" in said and not read
    Image.new("1", (9_000, 9_000)).save(tmp_path / "large.png")
    read.clear()
    results, said = mapped(tmp_path / "large.png")
    assert results == [] and "9000×9000 pixels" in said and not read


def test_what_is_refused_pushes_no_result_out(folder, tmp_path):
    (tmp_path / "cut.png").write_bytes(b"no picture")
    assert "No map" in mapped(tmp_path / "cut.png")[1]
    desk.THREAD.apply(int)  # what was to be cleared is
    assert not list(folder.iterdir())


def test_results_are_few_and_their_absence_is_said(folder):
    for _ in range(desk.MOST_RESULTS + 3):
        desk._new_folder()
    assert len(list(folder.iterdir())) == desk.MOST_RESULTS
    assert "cleared away" in desk.page([("city-lite0", folder / "gone", [])])


def test_a_left_page_stops_the_work(tmp_path):
    large = write(tmp_path / "scene.tif", np.zeros((3, 6000, 6000), np.uint8))
    work = desk.run(str(large), ["city-lite0"])
    while "%" not in next(work)[1]:
        pass
    work.close()
    desk.THREAD.apply_async(int).get(timeout=60)  # the whole map would take minutes
    assert not list(desk.FOLDER.glob("result-*"))


def test_who_stops_does_not_wait_for_the_window_under_way(tmp_path, monkeypatch):
    """Gradio takes no other click of a page until its generator has closed."""
    begun, goes_on = Event(), Event()
    monkeypatch.setattr(desk.models, "predict", lambda *_: begun.set() or goes_on.wait(60))
    work = desk.run(str(write(tmp_path / "scene.tif", noise((600, 600)))), ["city-lite0"])
    while not begun.is_set():
        next(work)
    work.close()
    assert list(desk.FOLDER.glob("result-*"))  # the window still goes on
    goes_on.set()
    desk.THREAD.apply(int)
    assert not list(desk.FOLDER.glob("result-*"))


def test_clean_up_changes_what_is_shown_and_not_the_map(tmp_path):
    results, _ = mapped(write(tmp_path / "scene.tif", noise((64, 96))))
    folder = Path(results[0][1])
    with rasters.opened(folder / "map.tif") as raster:
        before, sure = raster.read(1), rasterio.open(folder / "map_confidence.tif").read(1)

    def shown(*how):
        with rasters.opened(desk.clean(folder, *how)) as raster:
            return raster.read(1)

    assert np.array_equal(shown(), before)
    half = float(np.median(sure)) / 250
    assert np.array_equal(shown(half) == NODATA, sure < half * 250) and (sure < half * 250).any()
    assert (shown(0, 1, 500) != before).any() and (shown(0, 15) != before).any()
    assert (shown(0, 1, 0, 3) != before).any()
    with rasters.opened(folder / "map.tif") as raster:
        assert np.array_equal(raster.read(1), before)
    assert "its confidence" in desk.page(results, "confidence", 0.6)


def test_what_a_hosting_space_needs(tmp_path):
    found = {path.name for path in space.write(tmp_path / "space", ["city-lite0"])}
    assert found == {"README.md", "app.py", "models", "requirements.txt", "segkit"}
    lines = (tmp_path / "space" / "requirements.txt").read_text().splitlines()
    assert any(x.startswith("gradio") for x in lines) and not any("wandb" in x for x in lines)
    assert (tmp_path / "space" / "models" / "city-lite0.keras").exists()
    compile((tmp_path / "space" / "app.py").read_text(), "app.py", "exec")


def test_it_listens_to_this_machine_alone_and_asks_nobody():
    blocks = app.launch()
    try:
        assert blocks.local_url.startswith("http://127.0.0.1:") and blocks.share_url is None
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False" and not blocks.analytics_enabled
        assert blocks.max_file_size == 200 * 1024**2 or blocks.max_file_size == 200 * 1000**2
    finally:
        blocks.close()
