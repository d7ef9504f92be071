"""Checks of notebook 10 Landslides."""

import numpy as np

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `scores` to two numbers: the accuracy, then the F1 of Landslide.",
    "Accuracy 0.978, F1 0.421: the map misses more than half, and the accuracy hardly notices.",
)
def rare_scores(scores):
    """10, warm-up: accuracy and F1 from 200 true, 80 found, 100 false of 10,000 pixels."""
    accuracy, f1 = numbers(scores, 2)
    if max(accuracy, f1) > 1:
        raise Wrong("Both run from 0 to 1: divide by the pixels, or by what was claimed and true.")
    if near([accuracy, f1], [160 / 380, 0.978]):
        raise Wrong("Both are right, in the other order: accuracy first.")
    if not near(accuracy, 0.978, 0.0006):
        raise Wrong("120 pixels are missed and 100 are false alarms. All the others are right.")
    if near(f1, 0.4) or near(f1, 80 / 180):
        raise Wrong("That is recall, or precision. F1 takes both: 2 × hit / (true + claimed).")
    if near(f1, 80 / 300):
        raise Wrong("That is the IoU: hit / union. F1 counts the hit twice, above and below.")
    if not near(f1, 160 / 380):
        raise Wrong("F1 is 2 × hit / (true + claimed). How many pixels does the map claim?")


@check(
    "Set `cheapest` to one of 0.1, 0.2 … 0.9.",
    "Where a miss is dear, the cheapest threshold lies far below 0.5, and false alarms are many.",
)
def cheapest_threshold(cheapest):
    """10, knob: at a cost of 10 for a miss and 1 for a false alarm, 0.2."""
    (found,) = numbers(cheapest, 1)
    if near(found, 0.7):
        raise Wrong(
            "That is the cheapest where a false alarm costs ten times a miss: turn it round."
        )
    if near(found, 0.1):
        raise Wrong("0.1 finds all four. So does another one, with a false alarm less.")
    if near(found, 0.5) or near(found, 0.4):
        raise Wrong(f"At {found:.1f}, landslides are missed, at 10 each. Print all nine costs.")
    if not near(found, 0.2):
        raise Wrong("Cost: 10 × pixels that are there and not called + those called and not there.")


@check(
    "Repair `mean_f1` so that chips without landslides, in truth and map, are left out.",
    "Chips that ask nothing are no success. The map that finds nothing has a mean F1 of 0.",
)
def chip_mean(mean_f1):
    """10, repair: empty chips are left out of the mean, and count as nothing found."""
    truths, maps = np.zeros((2, 10, 4, 4), bool)
    truths[:4, 0] = True
    found = float(call(mean_f1, truths, maps))
    if near(found, 0.6):
        raise Wrong("A map that finds nothing still gets 0.6: each empty chip counts as found.")
    if not near(found, 0):
        raise Wrong(f"Four chips with landslides, nothing found: the mean is 0, not {found:.2f}.")
    maps[:2, 0] = True
    found = float(call(mean_f1, truths, maps))
    if near(found, 0.2):
        raise Wrong("Empty chips now count as 0: still six answers to a question nobody asked.")
    if not near(found, 0.5):
        raise Wrong(f"Two of four chips are mapped right: the mean is 0.5, not {found:.2f}.")
    maps[2, 0, :2] = True
    found = float(call(mean_f1, truths, maps))
    if not near(found, 2 / 3):
        raise Wrong(f"Half of a third landslide found, F1 2/3: the mean is 0.667, not {found:.3f}.")
    maps[9, 0] = True
    if not near(float(call(mean_f1, truths, maps)), 8 / 15):
        raise Wrong("A false alarm in an empty chip is a mistake: that chip counts, with 0.")
    try:
        found = float(call(mean_f1, truths[4:8], maps[4:8]))
    except (ArithmeticError, ValueError):  # a mean of no numbers
        found = 0
    if not np.isnan(found):
        raise Wrong("Where no chip has a landslide in truth or map, the mean is `np.nan`.")
