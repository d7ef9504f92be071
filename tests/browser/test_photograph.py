"""The picture of a page that notebook 07 shows."""

import shutil

import numpy as np
import pytest
from PIL import Image

from classroom import notebooks

PAGE = "<body style='margin: 0; background: rgb(60, 16, 152)'></body>"


def test_a_page_is_photographed_as_it_looks(tmp_path):
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no browser here: apt-get install chromium")
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    notebooks.photograph(tmp_path / "page.html", tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert ",".join(map(str, picture.size)) == notebooks.WINDOW
        assert (np.asarray(picture.convert("RGB")) == (60, 16, 152)).all()
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "page.png"}


def test_without_a_browser_the_picture_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (tmp_path / "page.png").write_bytes(b"as it was")
    notebooks.photograph(tmp_path / "page.html", tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes() == b"as it was"
    assert "page.png stays as it is" in capsys.readouterr().out
