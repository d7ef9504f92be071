"""Figures that move by hand."""

from classroom import sliders


def test_a_slider_draws_the_figure_anew(monkeypatch):
    displayed, updated = [], []

    class Handle:
        update = staticmethod(updated.append)

    def display(thing, display_id=None):
        displayed.append(thing)
        return Handle() if display_id else None

    def draw(size, overlap):
        return f"{size} by {overlap}"

    monkeypatch.setattr(sliders, "display", display)
    sliders.play(draw, size=(64, 128), overlap=(0.0, 0.5))
    picture, box = displayed
    assert picture == "64 by 0.0" and not updated
    size, overlap = box.children
    overlap.value = 0.5
    size.value = 128
    assert updated == ["64 by 0.5", "128 by 0.5"]
