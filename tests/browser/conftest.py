"""A real browser: imported only where a page is opened in it."""

import shutil

import pytest
from selenium import webdriver

BROWSER_TIMEOUT_S = 900


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
