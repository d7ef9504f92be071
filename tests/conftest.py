"""Small data sets for the tests, and the real ones where they are at hand."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver

from segkit import classes, datasets, patches, store

os.environ["SEGKIT_PROGRESS"] = "0"
BROWSER_TIMEOUT_S = 900
REPOSITORY = Path(__file__).resolve().parent.parent


def write_pair(folder: Path, name: str, image: np.ndarray, rgb_mask: np.ndarray):
    """Write one image as PNG and its mask beside it."""
    for kind, array in (("images", image), ("masks", rgb_mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / f"{name}.png")


def dubai_tree(root: Path, tiles: int = 3, parts: int = 9, seed: int = 0, size: int = 60) -> Path:
    """Write a small data set in the Dubai layout; return the folder that holds dubai/."""
    rng = np.random.default_rng(seed)
    for tile in range(1, tiles + 1):
        folder = root / "dubai" / "Semantic segmentation dataset" / f"Tile {tile}"
        for part in range(1, parts + 1):
            shape = (size + 3 * tile, size + 20 + part % 2)
            squares = rng.integers(0, 6, (shape[0] // 10 + 1, shape[1] // 10 + 1))
            mask = np.kron(squares, np.ones((10, 10), int))
            rgb_mask = classes.DUBAI.encode(mask[: shape[0], : shape[1]])
            image = rng.integers(0, 256, (*shape, 3), np.uint8)
            write_pair(folder, f"image_part_{part:03d}", image, rgb_mask)
    return root


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A folder with dubai/ in it: 3 tiles of 9 parts, made up."""
    return dubai_tree(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tiles_h5(tree, tmp_path_factory):
    """The store of `tree`."""
    return store.build(datasets.find("dubai", tree), tmp_path_factory.mktemp("h5") / "tiles.h5")


@pytest.fixture(scope="session")
def patches_h5(tiles_h5):
    """Patches of 32 pixels of `tree`, split by tile part."""
    path = patches.cut(tiles_h5, tiles_h5.with_name("patches.h5"), size=32)
    patches.split(path, by="tile-part")
    return path


@pytest.fixture(scope="session")
def real_dubai():
    """The 72 real Dubai tiles, where they are at hand."""
    for root in (os.environ.get("SEGKIT_DATA"), REPOSITORY.parent / "shared" / "data"):
        if root and (Path(root) / "dubai" / "Semantic segmentation dataset").is_dir():
            return datasets.find("dubai", root)
    pytest.skip("the real Dubai tiles are not here: set SEGKIT_DATA")


@pytest.fixture(scope="session")
def real_tiles_h5(real_dubai, tmp_path_factory):
    """The store of the real Dubai tiles."""
    return store.build(real_dubai, tmp_path_factory.mktemp("real") / "tiles.h5")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium that reaches no network; skips where none is installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1200,900"):
        options.add_argument(f"--{flag}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    opened.command_executor.client_config.timeout = BROWSER_TIMEOUT_S
    opened.set_script_timeout(BROWSER_TIMEOUT_S)
    yield opened
    opened.quit()
