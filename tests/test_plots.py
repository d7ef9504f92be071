"""Figures that move by hand."""

import IPython.display
import numpy as np
import pytest

from segkit import plots
from segkit.rasters import NODATA


def test_a_slider_draws_the_figure_anew(monkeypatch):
    displayed, updated = [], []

    class Handle:
        update = staticmethod(updated.append)

    def display(thing, display_id=None):
        displayed.append(thing)
        return Handle() if display_id else None

    def draw(size, overlap):
        return f"{size} by {overlap}"

    monkeypatch.setattr(IPython.display, "display", display)
    plots.play(draw, size=(64, 128), overlap=(0.0, 0.5))
    picture, box = displayed
    assert picture == "64 by 0.0" and not updated
    size, overlap = box.children
    overlap.value = 0.5
    size.value = 128
    assert updated == ["64 by 0.5", "128 by 0.5"]


@pytest.mark.parametrize("ignored", [None, 2])
def test_what_has_no_data_is_no_error(ignored):
    truth = np.array([[0, 0, 2, NODATA, 1]], np.uint8)
    found = np.array([[0, 1, 1, 1, NODATA]], np.uint8)
    wrong, right, aside = (np.array(color) for color in plots.ERROR_COLORS)
    expected = [right, wrong, aside if ignored else wrong, aside, aside]
    assert np.array_equal(plots.error_map(truth, found, ignored), [expected])
