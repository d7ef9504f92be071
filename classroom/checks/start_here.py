"""Checks of notebook 00 Start here."""

import numpy as np

from classroom.checks.verdict import Wrong, by_key, check, near, numbers


@check(
    "Set `color_of` to a dictionary: for each class name, its color.",
    "Every mask of this data set is painted in these colors.",
)
def palette(color_of, scheme):
    """00, warm-up: a dictionary, class name → (red, green, blue)."""
    if isinstance(color_of, dict) and set(color_of) & set(scheme.colors):
        raise Wrong("Names and colors have changed places: a name should lead to its color.")
    found = by_key(color_of, scheme.names)
    for name, color, expected in zip(scheme.names, found, scheme.colors, strict=True):
        if np.shape(color) != (3,):
            raise Wrong(f"{name}: a color is three numbers, (red, green, blue).")
        if tuple(color) != expected:
            here = ", ".join(map(str, color))
            raise Wrong(f"{name} is not ({here}): are names and colors in the same order?")


@check(
    "Set `factor`: the weights at width 16, divided by those at width 8.",
    "About four: each layer has twice the inputs and twice the outputs.",
)
def growth(factor):
    """00, knob: by what factor the weights grow when the width doubles, about 4."""
    (factor,) = numbers(factor, 1)
    if factor > 1000:
        raise Wrong("This is a number of weights. Divide one count by the other.")
    if 0 < factor < 1:
        raise Wrong("This is the smaller count divided by the larger one: turn it round.")
    if near(factor, 2, 0.1):
        raise Wrong(
            "There are twice as many filters, but each of them also reads twice as many numbers. "
            "Divide what `count_params()` says of two networks."
        )
    if near(factor, 2.99, 0.05) or 290 < factor < 410:
        raise Wrong("No percentage and no increase: divide the larger count by the smaller one.")
    if factor > 8:
        raise Wrong("Compare two widths of which one is twice the other, such as 8 and 16.")
    if not 3.9 < factor < 4.1:
        raise Wrong(
            f"`count_params()` of two networks, divided, gives another number than {factor}."
        )
