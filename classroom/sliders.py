"""Figures that move by hand. Used in notebooks 02, 05, 06 and 07."""

from collections.abc import Callable, Sequence

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure


def play(draw: Callable[..., Figure], **choices: Sequence) -> None:
    """Show a figure above a slider for each of its settings.

    The figure of the first choices is an ordinary picture: it stays where nothing runs.

    Args:
        draw: takes the settings by name, returns a figure.
        choices: setting → the values that its slider offers.
    """
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=list(values), description=name.replace("_", " "), continuous_update=False
        )
        for name, values in choices.items()
    }

    def drawn() -> Figure:
        return draw(**{name: slider.value for name, slider in sliders.items()})

    shown = display(drawn(), display_id=True)
    for slider in sliders.values():
        slider.observe(lambda _: shown.update(drawn()), "value")
    display(ipywidgets.VBox(list(sliders.values())))
