"""Checks of notebook 09 Generalization."""

import numpy as np

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `width` to a number of pixels.",
    "600: the same 300 meters, in pixels of 0.5 m.",
)
def shown_width(width):
    """09, warm-up: 1,000 pixels of 0.3 m as pixels of 0.5 m: 600."""
    (found,) = numbers(width, 1)
    if near(found, 1000 * 0.5 / 0.3, 1):
        raise Wrong("That is wider. Larger pixels cover the same ground with fewer: turn it round.")
    if near(found, 0.6):
        raise Wrong("That is the factor. How many pixels are left of 1,000?")
    if near(found, 300):
        raise Wrong("That is the width in meters. How many pixels of 0.5 m fit into it?")
    if near(found, 1000):
        raise Wrong(
            "The picture would stay as it is: its houses would look too large to the model."
        )
    if not near(found, 600):
        raise Wrong("The picture is 1,000 × 0.3 m wide. How many pixels of 0.5 m is that?")


@check(
    "Set `running` to two numbers: the mean at the end with 0.9, then with 0, 1/2, 2/3.",
    "0.9 has hardly left its start after three batches; the other one is their mean.",
)
def running_means(running):
    """09, knob: running means of 2, 4, 9 with momentum 0.9, and with 0, 1/2, 2/3."""
    found = numbers(running, 2)
    right = (1.422, 5)
    if near(found, right[::-1]):
        raise Wrong("Both are right, in the other order.")
    if near(found[0], 8.478):
        raise Wrong("Momentum is the share of the *old* mean that stays; the batch gets the rest.")
    if near(found[0], 5) and near(found[1], 5):
        raise Wrong("With 0.9, the batches do not weigh alike: go through them one by one.")
    if not near(found[0], right[0]):
        raise Wrong("With 0.9: 0.2 after the first batch. Then 0.9 × 0.2 + 0.1 × 4, and once more.")
    if not near(found[1], right[1]):
        raise Wrong("With 0, 1/2, 2/3: 2 after the first batch, then 2/2 + 4/2, and once more.")


@check(
    "Repair `to_label` so that no tile to label is a test tile.",
    "No score is taken on what was learned from.",
)
def labeled_tiles(to_label):
    """09, repair: tiles to label are drawn at random from those that are not for tests."""
    tiles, draws = [f"tile {i}" for i in range(40)], []
    test = tiles[3::4]
    for seed in (0, *range(30)):
        found = call(to_label, list(tiles), list(test), 8, np.random.default_rng(seed), parts=0)
        if found is None:
            raise Wrong("It returns nothing: does it end with `return …`?")
        draws.append([str(name) for name in found])
    drawn = {name for one in draws for name in one}
    if drawn & set(test):
        raise Wrong("Tiles that scores come from are labeled, and learned from: a leak.")
    if drawn - set(tiles):
        raise Wrong(f"{sorted(drawn - set(tiles))[0]} is none of the tiles.")
    if {len(one) for one in draws} != {8}:
        raise Wrong("Asked for 8 tiles, it returns another number of them.")
    if any(len(set(one)) < 8 for one in draws):
        raise Wrong("A tile comes twice: draw with `replace=False`.")
    if len(set(map(tuple, draws))) == 1:
        raise Wrong("Every `rng` gives the same tiles: draw them at random.")
    if draws[0] != draws[1]:
        raise Wrong("The same `rng` gives other tiles each time: let `rng` alone draw.")
    if len(drawn) < 30:
        raise Wrong("Some tiles are never drawn, and they are not for tests.")
