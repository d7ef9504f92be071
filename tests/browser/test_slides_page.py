"""Sheets and notes in a real browser: one page of paper for each notebook, nothing cut off."""

import base64
import re

import pytest
from helpers import REPOSITORY

from classroom import slides
from segkit import files

#: How far each page's contents reach beyond it, to the right and below, in pixels.
BEYOND = """
return [...document.querySelectorAll("section")].map(page => {
  const foot = page.querySelector("footer").getBoundingClientRect().top;
  const inside = [...page.querySelectorAll("ol, table, .cards, img")];
  const low = Math.max(...inside.map(one => one.getBoundingClientRect().bottom));
  return [page.scrollWidth - page.clientWidth, Math.max(0, Math.round(low - foot))];
});
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The course's own sheets and notes."""
    return slides.build(tmp_path_factory.mktemp("slides"))


@pytest.mark.parametrize("which", [0, 1], ids=["sheets", "notes"])
def test_each_notebook_has_a_page_and_fits_on_it(written, which, browser):
    browser.get(written[which].as_uri())
    count = len(list((REPOSITORY / "notebooks").glob("[0-9]*.ipynb")))
    assert browser.execute_script(BEYOND) == [[0, 0]] * count
    how = {"printBackground": True, "preferCSSPageSize": True}
    paper = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", how)["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == count
    assert files.shown(written[which]).endswith(".html")
