"""Checks of notebook 03 U-Net from scratch."""

import numpy as np

from classroom.checks.verdict import Wrong, by_key, check, near, numbers


@check(
    "Set `answer` to what `model.predict_on_batch` returns for a batch of one picture.",
    "One probability for each class in each pixel, and in each pixel they sum up to 1.",
)
def model_answer(answer, size, classes):
    """03 and 04, warm-up: probabilities (1, height, width, classes) for a picture of a size."""
    answer, (height, width) = np.asarray(answer), size
    hints = {
        (1, width, height, classes): f"Height comes first: {height} rows of {width} pixels.",
        (height, width, classes): "Give all that the model returns: the batch comes first.",
        (1, height, width): "These are class numbers: give the probabilities they came from.",
        (4,): "This is a shape, or four numbers: give the array itself.",
        (1, height, width, 3): "This is the picture: what does the model return for it?",
    }
    if answer.shape != (1, height, width, classes):
        other = f"One picture of {height}×{width} pixels has the shape (1, {height}, {width}, 3)."
        raise Wrong(hints.get(answer.shape, f"The answer has the shape {answer.shape}. {other}"))
    if not near(answer.sum(axis=-1), 1):
        raise Wrong("The numbers of a pixel do not sum up to 1: take them as the model gives them.")


@check(
    "Set `bottom` to a dictionary, depth → pixels across the bottom of a picture of 256.",
    "A crop of 32 is one pixel wide at depth 5; a depth of 2 or 3 leaves it some context.",
)
def bottom_sizes(bottom):
    """03, knob: the size at the bottom at depths 2 to 5, 256 / 2^depth."""
    depths = (2, 3, 4, 5)
    found = numbers(by_key(bottom, depths), len(depths))
    expected = np.array([64, 32, 16, 8])
    if near(found, 2 * expected):
        raise Wrong("One halving too few: a depth of 2 halves twice.")
    if near(found, expected / 2):
        raise Wrong("One halving too many: from 256, and the bottom itself halves nothing.")
    if near(found, [256 / depth for depth in depths], 1):
        raise Wrong("Each level halves what the level before it has left: 256, 128, 64 …")
    for depth, one, size in zip(depths, found, expected, strict=True):
        if one != size:
            raise Wrong(f"At depth {depth} it is not {one:g}: halve 256 pixels {depth} times.")
