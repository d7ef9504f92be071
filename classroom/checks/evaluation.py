"""Checks of notebook 06 Evaluation."""

import numpy as np

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `ious` to two numbers: the IoU of class 0, then that of class 1.",
    "Class 0: 2 hits, 1 missed. Class 1: 1 hit, 1 false alarm.",
)
def both_ious(ious):
    """06, warm-up: truth 0 0 0 1, answer 0 0 1 1: IoU (2/3, 1/2)."""
    found = numbers(ious, 2)
    if max(found) > 1:
        raise Wrong("An IoU lies between 0 and 1: no percentage, no count of pixels.")
    hints = {
        (1 / 2, 2 / 3): "They have changed places: class 0 comes first.",
        (4 / 5, 2 / 3): "This is Dice, which counts hits twice. IoU counts them once.",
        (2 / 3, 1): "This is recall: false alarms are missing in the denominator.",
        (1, 1 / 2): "This is precision: missed pixels are missing in the denominator.",
        (3 / 4, 3 / 4): "This is accuracy, one number for all. Take each class for itself.",
    }
    for values, hint in hints.items():
        if near(found, values):
            raise Wrong(hint)
    if not near(found, (2 / 3, 1 / 2)):
        raise Wrong(
            "Count hits, missed pixels and false alarms, first of class 0, then of class 1."
        )


@check(
    '`deal` takes the place of each patch; it returns "train" or "test" for each patch.',
    "What is tested lies where no training was: that is what a map of a new place asks for.",
)
def held_out(deal):
    """06, repair: patches dealt out one by one, so that every place is on both sides."""
    places = np.repeat([f"place {i}" for i in range(10)], range(7, 17))
    places = np.random.default_rng(1).permutation(places)
    sides = np.asarray(call(deal, places.copy()))
    if sides.shape != places.shape:
        raise Wrong(f"{len(places)} patches went in, {sides.size} words came out: one for each.")
    if strange := set(sides.tolist()) - {"train", "test"}:
        raise Wrong(f'{min(strange, key=str)} is neither "train" nor "test".')
    test, names = sides == "test", np.unique(places)
    if test.all() or not test.any():
        raise Wrong(f"All patches are on one side, {sides[0]}: how many places are one in five?")
    split = [name for name in names if len(np.unique(test[places == name])) > 1]
    if len(split) > 2:
        raise Wrong(
            f"{len(split)} of {len(names)} places have patches on both sides: the test shows "
            "streets that the training has seen. What has to be drawn, so that a place stays whole?"
        )
    if split:
        raise Wrong(
            f"Nearly: cut in two: {', '.join(split)}. Draw from the names of the places, not from "
            "positions in the list."
        )
    held = len(np.unique(places[test])) / len(names)
    if not 0.15 < held < 0.25:
        raise Wrong(f"{held:.0%} of the places are held out. One in five places is 20%.")
    if not np.array_equal(deal(places.copy()), sides):
        raise Wrong("Called twice, it deals in two ways: scores could not be compared. Use `rng`.")
    more = np.repeat([f"place {i}" for i in range(500)], np.arange(500) % 9 + 1)
    held = len(np.unique(more[np.asarray(deal(more.copy())) == "test"]))
    if held != 100:
        raise Wrong(f"Of 500 places {held} are held out: draw one in five of them, and none twice.")
    if np.array_equal(deal(more.copy(), 1), deal(more.copy(), 2)):
        raise Wrong("Seeds 1 and 2 hold out the same places: draw them with `rng`.")
