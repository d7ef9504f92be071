"""The app as its user sees it, in a real browser."""

import os
import re
import subprocess
import sys
import time
import urllib.request

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 300


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The app, started by its command in a folder of its own, on a free port of this machine."""
    home = tmp_path_factory.mktemp("home")
    places = {"TMPDIR": str(home), "SEGKIT_WORK": str(home / "work"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "segkit.cli", "app"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=home, env={**os.environ, **places}, stdout=log, stderr=log
        )
        try:
            yield started(server, home / "log"), home
        finally:
            server.terminate()
            server.wait(30)


def started(server, log):
    """Wait until the app says its address."""
    for _ in range(WAIT_S):
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            with urllib.request.urlopen(found[0], timeout=30) as page:
                assert page.status == 200
            return found[0].replace("127.0.0.1", "localhost")
        assert server.poll() is None, log.read_text()
        time.sleep(1)
    raise TimeoutError(log.read_text())


@pytest.fixture
def scene(tmp_path):
    """A made-up picture of 320×384 pixels, with coordinates, 0.5 m."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 200, (3, 320, 384), np.uint8)
    place = rasterio.transform.from_origin(400_000, 2_785_000, 0.5, 0.5)
    how = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32640"}
    path = tmp_path / "scene.tif"
    with rasterio.open(path, "w", height=320, width=384, transform=place, **how) as raster:
        raster.write(pixels)
    return path


class Page:
    """What a user does on the page."""

    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)
        self.wait(lambda: self.button("Map it"))

    def wait(self, job):
        waiting = WebDriverWait(self.browser, WAIT_S, ignored_exceptions=[Exception])
        try:
            return waiting.until(lambda _: job())
        except TimeoutException as error:
            raise TimeoutError(f"the page says: {self.said()}") from error

    def button(self, name):
        found = self.browser.find_elements(By.TAG_NAME, "button")
        return next(one for one in found if one.text.strip() == name)

    def labeled(self, label):
        """Return what stands under a label that a screen reader tells."""
        return self.browser.find_element(By.CSS_SELECTOR, f'[aria-label*="{label}"]')

    def said(self):
        return self.browser.find_element(By.ID, "said").text

    def upload(self, path):
        for clear in self.browser.find_elements(By.CSS_SELECTOR, '[aria-label="Clear"]'):
            clear.click()
        entry = self.wait(lambda: self.browser.find_element(By.CSS_SELECTOR, "input[type=file]"))
        entry.send_keys(str(path))
        link = f'.download-link[download$="{path.name[-9:]}"]'  # not of the file before
        self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, link))

    def panels(self):
        return self.browser.find_elements(By.CSS_SELECTOR, "#view section")

    def map(self):
        self.button("Map it").click()


def test_a_picture_becomes_a_map_that_can_be_cleaned_and_taken_home(address, browser, scene):
    page = Page(browser, address[0])
    page.map()
    page.wait(lambda: "choose a picture first" in page.said())
    page.upload(scene)
    page.map()
    (panel,) = page.wait(page.panels)
    assert "hectares" in panel.text and "%" in panel.text
    assert "This picture looks unlike what the model learned from" in panel.text
    first = panel.find_element(By.CLASS_NAME, "over").get_attribute("src")

    # Clean-up and confidence change what is shown, without mapping again.
    smallest = page.labeled("number input for Smallest area, pixels")
    smallest.send_keys(Keys.CONTROL, "a")
    smallest.send_keys("500", Keys.ENTER)
    over = page.wait(lambda: changed(page, first))
    browser.find_element(By.CSS_SELECTOR, "input[type=radio][value=confidence]").click()
    page.wait(lambda: changed(page, first, over))
    page.labeled("range slider for Opacity of the map").send_keys(Keys.LEFT)
    style = "return document.documentElement.style.getPropertyValue('--seen')"
    assert 0 < float(page.wait(lambda: browser.execute_script(style))) < 0.6

    page.button("Prepare downloads").click()
    page.wait(lambda: len(list(address[1].glob("segkit-app-*/result-*/files/*"))) == 4)
    check_files(address[1], scene)
    check_the_page(browser, address[0])


def changed(page, *before):
    source = page.panels()[0].find_element(By.CLASS_NAME, "over").get_attribute("src")
    return source if source not in before else None


def check_files(home, scene):
    """Open what is handed out in other programs."""
    (tif,) = home.glob("segkit-app-*/result-*/files/*.tif")
    with rasterio.open(scene) as source, rasterio.open(tif) as found:
        assert found.crs == source.crs and found.transform == source.transform
        classes = found.read(1)
    outlines = geopandas.read_file(tif.with_name(f"{tif.stem}_polygons.gpkg"))
    hectares = pd.read_csv(tif.with_name(f"{tif.stem}_areas.csv")).set_index("class")["hectares"]
    assert outlines.crs == "EPSG:32640" and set(outlines["class"]) == set(hectares.index)
    assert hectares.sum() == pytest.approx((classes != 255).sum() * 0.25 / 10_000, rel=2e-3)
    with Image.open(tif.with_suffix(".png")) as picture:
        assert picture.size == (384, 320)


def check_the_page(browser, address):
    """Every control has a name, nothing was asked from outside, and nothing went wrong."""
    nameless = """return [...document.querySelectorAll('input, button, select, textarea')].filter(
        x => x.offsetParent && !x.labels?.length && !x.ariaLabel && !x.title
             && !x.innerText.trim()).map(x => x.outerHTML)"""
    assert browser.execute_script(nameless) == []
    asked = "return performance.getEntriesByType('resource').map(x => x.name)"
    foreign = [x for x in browser.execute_script(asked) if not x.startswith((address, "data:"))]
    assert foreign == []
    severe = [x for x in browser.get_log("browser") if x["level"] == "SEVERE"]
    assert severe == []


def test_wrong_files_get_a_sentence_and_two_models_stand_side_by_side(address, browser, tmp_path):
    page = Page(browser, address[0])
    wrong = tmp_path / "<b>wrong.png"
    wrong.write_bytes(b"no picture at all")
    page.upload(wrong)
    page.map()
    page.wait(lambda: "No map:" in page.said())
    assert "Traceback" not in browser.page_source and str(tmp_path) not in page.said()
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 64), (200, 180, 140)).save(photo)
    page.upload(photo)
    second = page.labeled("Another, beside it")
    second.click()
    second.send_keys(Keys.CONTROL, "a")
    second.send_keys("dubai-lite2", Keys.ENTER)
    page.map()
    page.wait(lambda: len(page.panels()) == 2)
    assert "pixels" in page.panels()[1].text


def test_cancel_stops_a_large_picture_within_a_window(address, browser, tmp_path):
    page, large = Page(browser, address[0]), tmp_path / "large.png"
    Image.new("RGB", (4000, 4000), (200, 180, 140)).save(large)
    page.upload(large)
    page.map()
    page.wait(lambda: "% of the picture" in page.said())
    page.button("Cancel").click()
    page.wait(lambda: "Stopped" in page.said())
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 64), (200, 180, 140)).save(photo)
    page.upload(photo)
    page.map()
    page.wait(page.panels)  # nobody waits for the large one
    left = address[1].glob("segkit-app-*/result-*/*")
    assert not [path for path in left if path.stat().st_size > 4 * 10**7]
