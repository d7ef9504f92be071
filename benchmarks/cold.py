"""Start the app cold, ask it for the first map in a browser, and keep a picture of its page.

    python -m benchmarks.cold

Appends a row to results/visitors.csv: the seconds from `segkit app` to its address, and from the
page's opening to the first map, that of the example of 1024 × 1024 pixels. The picture of the page
goes to notebooks/images/12_page.png. Needs Chromium and its driver; nothing else should run.
"""

import shutil
import time
from contextlib import ExitStack

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.visitors import record, started
from classroom.notebooks import compact
from segkit.files import REPOSITORY

PICTURE = REPOSITORY / "notebooks" / "images" / "12_page.png"
PATIENCE_S = 300
WINDOW = "1200,1540"


def browser() -> webdriver.Chrome:
    """Return a browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", f"window-size={WINDOW}"):
        options.add_argument(f"--{flag}")
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def first_map(opened: webdriver.Chrome, address: str) -> float:
    """Take the example and map it; return the seconds since the page was opened."""

    def until(look) -> object:
        waiting = WebDriverWait(opened, PATIENCE_S, 0.1, ignored_exceptions=[Exception])
        return waiting.until(lambda _: look())

    def press(name: str) -> bool:
        found = opened.find_elements(By.TAG_NAME, "button")
        next(one for one in found if one.text.strip() == name).click()
        return True

    began = time.perf_counter()
    opened.get(address)
    until(lambda: press("Take the example"))
    until(lambda: opened.find_elements(By.CLASS_NAME, "download-link"))
    press("Map it")
    until(lambda: opened.find_elements(By.CSS_SELECTOR, "#view section img.over"))
    return time.perf_counter() - began


def main() -> None:
    """Measure, append the row, keep the picture."""
    row = {"what": "cold start", "asked": 1, "maps": 1}
    with ExitStack() as ends:
        opened = browser()
        ends.callback(opened.quit)
        began = time.perf_counter()
        process, address = started()
        ends.callback(process.kill)
        row["address after, s"] = time.perf_counter() - began
        row["first map after, s"] = first_map(opened, address)
        time.sleep(1)
        PICTURE.write_bytes(compact(opened.get_screenshot_as_png()))
    record([row], "python -m benchmarks.cold")


if __name__ == "__main__":
    main()
