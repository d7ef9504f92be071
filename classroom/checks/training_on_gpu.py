"""Checks of notebook 05 Training on GPU."""

import numpy as np

from classroom.checks.verdict import Wrong, by_key, check, near, numbers


@check(
    "Set `ends` to two numbers: the loss of a perfect answer, then of one that is all wrong.",
    "Not quite 1: the 1 that is added above and below shows on four pixels.",
)
def dice_ends(ends):
    """05, warm-up: the Dice loss of a perfect and of an all-wrong answer, (0, 0.8)."""
    found = numbers(ends, 2)
    if near(found, (0.8, 0)):
        raise Wrong("They have changed places: a perfect answer has the smaller loss.")
    if near(found, (0, 1)):
        many = "So it is on many pixels. On four, the 1 that is added above and below shows"
        raise Wrong(f"{many}: ask `losses.dice`.")
    if near(found, (1, 0)) or near(found, (1, 0.2)):
        raise Wrong("This is how much overlaps. The loss is what is missing from 1.")
    if not near(found, (0, 0.8)):
        raise Wrong(
            "A perfect answer gives probability 1 to each true class, `np.eye(2)[truth]`; "
            "an answer that is all wrong gives 1 to the other class."
        )


@check(
    "Set `ratio` to a dictionary, power → weight of the rare class / weight of the other.",
    "Power 1 makes up for all of the 49 times as many pixels, 0.5 for its square root.",
)
def rare_weights(ratio):
    """05, knob: how many times as heavy the rare class is at powers 0, 0.5, 1: 1, 7, 49."""
    powers = (0, 0.5, 1)
    found = by_key(ratio, powers)
    if any(np.size(one) == 2 for one in found):
        raise Wrong("Here are two weights for one power: divide the rare class's by the other.")
    found = numbers(found, len(powers))
    if near(found, (1, 1 / 7, 1 / 49)):
        raise Wrong("This is the frequent class's weight divided by the rare one's: turn it round.")
    if near(found[1], 24.5, 0.1):
        raise Wrong("A power of 0.5 is no half: it is a square root.")
    for power, one, expected in zip(powers, found, (1, 7, 49), strict=True):
        if not near(one, expected, 0.05):
            raise Wrong(
                f"At power {power} it is another: `losses.balanced_weights([980, 20], {power})` "
                "gives two weights. Divide the second by the first."
            )
