"""The interactive map as its reader sees it."""

import io

import numpy as np
import pytest
from helpers import ByColor, write
from PIL import Image
from selenium.webdriver.common.by import By

from segkit import scenes, webmap
from segkit.classes import DUBAI

OPACITY, BACKGROUND = 0.7, 0xDD  # of a class over Leaflet's own gray
NAMES = ("Building", "Land", "Road", "Vegetation")


@pytest.fixture
def page(browser, tmp_path):
    """A map of four stripes of 64 columns, open in the browser."""
    classes = np.repeat([DUBAI.names.index(name) for name in NAMES], 64).astype(np.uint8)
    source = write(tmp_path / "scene.tif", np.broadcast_to(classes, (3, 192, len(classes))))
    mapped = scenes.predict(ByColor(), source, tmp_path / "map.tif", window=32)
    saved = webmap.save(mapped, tmp_path / "map.html", scene=source, truth=mapped)
    browser.get(saved.as_uri())
    return browser


def shown(page) -> list:
    """Return the pictures on the map."""
    return page.find_elements(By.CSS_SELECTOR, "img.leaflet-image-layer")


def boxes(page) -> dict:
    """Return the layers' boxes by their names."""
    labels = page.find_elements(By.CSS_SELECTOR, ".leaflet-control-layers-overlays label")
    return {label.text.strip("■ "): label.find_element(By.TAG_NAME, "input") for label in labels}


def test_the_page_opens_offline_without_an_error(page):
    assert list(boxes(page))[:2] == ["image", "truth"]
    assert [name.split(":")[0] for name in list(boxes(page))[2:]] == list(NAMES)
    assert len(shown(page)) == 1 + len(NAMES)  # all but the truth, which a click shows
    assert not [line for line in page.get_log("browser") if line["level"] == "SEVERE"]


def test_a_class_goes_and_comes_at_a_click(page):
    box = next(box for name, box in boxes(page).items() if name.startswith("Road"))
    box.click()
    assert len(shown(page)) == len(NAMES)
    box.click()
    boxes(page)["truth"].click()
    assert len(shown(page)) == 2 + len(NAMES)


def test_the_classes_are_drawn_in_their_colors_and_order(page):
    boxes(page)["image"].click()
    picture = np.asarray(Image.open(io.BytesIO(page.get_screenshot_as_png())).convert("RGB"), float)
    places = []
    for name in NAMES:
        color = np.array(DUBAI.for_maps().colors[DUBAI.names.index(name)])
        drawn = OPACITY * color + (1 - OPACITY) * BACKGROUND
        columns = np.nonzero(abs(picture - drawn).max(axis=-1) < 3)[1]
        assert len(columns) > 10_000
        places.append(columns.mean())
    assert np.all(np.diff(places) > 100)
