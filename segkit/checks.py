"""Checks of the exercises: each tells a wrong answer what is wrong with it, a right one that it is.

Every "Your turn" uses them. A check is called at the end of an exercise's cell, and its verdict is
what the cell shows:

    grid = None  # (rows, columns) of patches
    checks.patch_grid(grid)      # Not yet. Set `grid` to (rows, columns), such as (4, 5).

An answer is a value, or, in a repair, the learner's function itself, which the check calls with
inputs of its own. A check never raises and changes nothing: nothing done yet, a wrong answer and an
answer that breaks off are all verdicts. So a notebook runs from start to end, solved or not.

To grade: run a learner's notebook. The output of each cell that ends in a check begins with "Right"
or "Not yet". Or call a check with an answer: the verdict is true where it is right, and `.passed`
and `.text` say so one by one. A learner who can read this file can find the answers in it, as in
`notebooks/solutions/`: the checks are there to help, not to examine.

To write one: a function that raises `Wrong`, with a sentence or two, for each mistake that somebody
makes, the most telling first, and ends when all is well; `@check` does the rest. In a repair, one
of the mistakes is the fault as planted. `tests/test_checks.py` holds each check to its answers.
"""

import functools
import inspect
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


class Wrong(Exception):
    """What is wrong with an answer, and what to look at."""


@dataclass(frozen=True)
class Verdict:
    """What a check says; true if the answer is right.

    Attributes:
        passed: whether the answer is right.
        text: one or two sentences.
    """

    passed: bool
    text: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{'Right' if self.passed else 'Not yet'}. {self.text}"

    def _repr_markdown_(self) -> str:
        return f"**{'Right' if self.passed else 'Not yet'}.** {self.text}"


def check(todo: str, right: str) -> Callable:
    """Turn a function that raises `Wrong` at a wrong answer into one that returns a verdict.

    Args:
        todo: what is asked for; said while a value is missing, and if it breaks the check off.
        right: said of a right answer.
    """

    def wrap(judge: Callable) -> Callable:
        name, *_ = inspect.signature(judge).parameters

        @functools.wraps(judge)
        def checked(answer=None, *given, **named) -> Verdict:
            answer = named.pop(name, answer)
            try:
                if _unset(answer):
                    return Verdict(False, todo)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    judge(answer, *given, **named)
            except Wrong as wrong:
                return Verdict(False, str(wrong))
            except (Exception, SystemExit) as error:  # whatever a learner's code can raise
                stopped = _quoted(f"{type(error).__name__}: {error}")
                return Verdict(False, f"This stops with {stopped}. {todo}")
            return Verdict(True, right)

        return checked

    return wrap


def _unset(value) -> bool:
    """Return whether a value, or a part of it, is still to be filled in: None or `...`."""
    if isinstance(value, tuple | list):
        return any(map(_unset, value))
    return value is None or value is ...


def _quoted(text: str) -> str:
    """Return the first line of a text, as Markdown shows code."""
    line = text.strip().split("\n")[0].replace("`", "’")
    return f"`{line:.120}`"


def _numbers(answer, *counts: int) -> list[float]:
    """Return numbers from a number or anything that holds them: as many as one of the counts."""
    try:
        found = np.asarray(answer, float).ravel().tolist()
    except (TypeError, ValueError):
        said = f"Numbers asked for: {counts[0]}, plain ones, such as 0.5."
        raise Wrong(f"{said} Found here: {_quoted(repr(answer))}.") from None
    if len(found) not in counts:
        raise Wrong(f"Numbers asked for: {counts[0]}. Numbers found here: {len(found)}.")
    return found


def _by_key(answer, keys: tuple) -> list:
    """Return the values of a dictionary, in the order of the keys that it should have."""
    if hasattr(answer, "to_dict"):  # a Series of pandas
        answer = answer.to_dict()
    if not isinstance(answer, dict):
        raise Wrong(f"This is a {type(answer).__name__}: make a dictionary with {keys} as keys.")
    if set(map(str, keys)) & (set(answer) - set(keys)):
        raise Wrong(f'The keys are in quotes here: write {keys[0]}, not "{keys[0]}".')
    if missing := [key for key in keys if _unset(answer.get(key))]:
        raise Wrong(f"No value yet for {', '.join(map(str, missing))}.")
    return [answer[key] for key in keys]


def _near(found, expected, tolerance: float = 0.006) -> bool:
    """Return whether numbers agree to about two digits."""
    return np.allclose(found, expected, rtol=0, atol=tolerance)


def _call(function, *given, parts: int = 1):
    """Return what a learner's function returns: one array, or so many parts (0: whatever it is)."""
    if not callable(function):
        raise Wrong("Give the check the function itself, without parentheses.")
    name, found = getattr(function, "__name__", "your function"), function(*given)
    if parts and found is None:
        raise Wrong(f"`{name}` returns nothing: does it end with `return …`?")
    several = isinstance(found, tuple | list) and len(found) < 4  # a long list can be an array
    if parts and parts != (count := len(found) if several else 1):
        raise Wrong(f"`{name}` should return {parts} array(s). It returns {count}.")
    return found


# 00 Start here


@check(
    "Set `color_of` to a dictionary: for each class name, its color.",
    "Every mask of this data set is painted in these colors.",
)
def palette(color_of, scheme):
    """00, warm-up: a dictionary, class name → (red, green, blue)."""
    if isinstance(color_of, dict) and set(color_of) & set(scheme.colors):
        raise Wrong("Names and colors have changed places: a name should lead to its color.")
    found = _by_key(color_of, scheme.names)
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
    (factor,) = _numbers(factor, 1)
    if factor > 1000:
        raise Wrong("This is a number of weights. Divide one count by the other.")
    if 0 < factor < 1:
        raise Wrong("This is the smaller count divided by the larger one: turn it round.")
    if _near(factor, 2, 0.1):
        raise Wrong(
            "There are twice as many filters, but each of them also reads twice as many numbers. "
            "Divide what `count_params()` says of two networks."
        )
    if _near(factor, 2.99, 0.05) or 290 < factor < 410:
        raise Wrong("No percentage and no increase: divide the larger count by the smaller one.")
    if factor > 8:
        raise Wrong("Compare two widths of which one is twice the other, such as 8 and 16.")
    if not 3.9 < factor < 4.1:
        raise Wrong(
            f"`count_params()` of two networks, divided, gives another number than {factor}."
        )


# 01 HDF5 data preparation


@check(
    "Set `window` to what `store.read` returns: the pair of image and mask.",
    "HDF5 has read the chunks that this window touches, and no others.",
)
def window_read(window, tiles_h5):
    """01, warm-up: image and mask, 100×100 pixels at row 50, column 60 of the third tile."""
    from segkit import store

    if not isinstance(window, tuple | list) or len(window) != 2:
        raise Wrong("`store.read` returns two arrays, image and mask: keep both, as one pair.")
    image, mask = (np.asarray(part) for part in window)
    if image.ndim != 3 or mask.ndim != 2:
        raise Wrong("The image (height, width, 3) comes first, then the mask (height, width).")
    if mask.shape != (100, 100):
        size = "×".join(map(str, mask.shape))
        raise Wrong(f"This is {size} pixels. `height` and `width` say how large the window is.")
    third = store.index(tiles_h5).index[2]
    whole, whole_mask = store.read(tiles_h5, third)
    if np.array_equal(image, whole[60:160, 50:150]):
        raise Wrong("Row and column have changed places: rows count downwards, columns across.")
    image_fits = np.array_equal(image, whole[50:150, 60:160])
    mask_fits = np.array_equal(mask, whole_mask[50:150, 60:160])
    if not (image_fits or mask_fits):
        raise Wrong(f"The window lies elsewhere: start at row 50, column 60 of {third}.")
    if not mask_fits:
        raise Wrong("The image is right; the mask is not that of the same window.")
    if not image_fits:
        raise Wrong("The mask is right; the image is not as `store.read` returns it.")


@check(
    'Set `ignored` to the mask that decoding with unknown="ignore" gives.',
    "An unknown color is never guessed: it counts in no loss and no score.",
)
def ignored_block(ignored, scheme):
    """01, knob: a decoded mask whose upper left 10×10 pixels had an unknown color."""
    mask = np.asarray(ignored)
    if mask.ndim != 2:
        raise Wrong(f"A decoded mask has one number for each pixel, (H, W). This is {mask.shape}.")
    if not set(mask.ravel().tolist()) <= set(range(len(scheme))):
        raise Wrong(f"A decoded mask holds class numbers 0 to {len(scheme) - 1}, nothing else.")
    unlabeled = mask == scheme.ignore_index
    if not unlabeled[:10, :10].all():
        names = ", ".join(scheme.names[int(i)] for i in np.unique(mask[:10, :10]))
        raise Wrong(
            f"The upper left 10×10 pixels are now: {names}. Paint all of them, before decoding, "
            "in none of the six colors."
        )
    if unlabeled.all():
        raise Wrong("No pixel is left with a class: paint a block of 10×10, not the whole mask.")
    if unlabeled[:11, :10].all() or unlabeled[:10, :11].all():
        raise Wrong(
            "More than 10×10 pixels are Unlabeled now: limit rows and columns, or take a mask that "
            "has a class there."
        )


@check(
    "`tile_image` takes the path of a picture; it returns uint8 (H, W, 3), red first.",
    "Red, green, blue, in the order that the rest of the course expects.",
)
def band_order(tile_image):
    """01, repair: OpenCV gives blue, green, red; the function should give red, green, blue."""
    from PIL import Image

    picture = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 5
    picture[0, 0] = (200, 90, 30)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tile.png"
        Image.fromarray(picture).save(path)
        found = np.asarray(_call(tile_image, path))
    if found.shape != picture.shape:
        raise Wrong(f"A picture of {picture.shape} comes back as {found.shape}: keep its shape.")
    if found.dtype != np.uint8:
        raise Wrong(f"The pixels have become {found.dtype}: keep them uint8, from 0 to 255.")
    if np.array_equal(found, picture[..., ::-1]):
        raise Wrong(
            "A brown roof, (200, 90, 30), comes back as (30, 90, 200). Draw a tile: what color is "
            "the sand? Then look at what `imread` does."
        )
    for axes, place in {(0,): "upside down", (1,): "mirrored", (0, 1): "turned"}.items():
        if np.array_equal(np.sort(np.flip(found, axes)), np.sort(picture)):
            raise Wrong(f"The picture is {place}. Rows come first, then columns; bands come last.")
    if not np.array_equal(np.sort(found), np.sort(picture)):
        raise Wrong("The numbers themselves have changed: all that is wrong is the bands' order.")
    if not np.array_equal(found, picture):
        raise Wrong("Bands have moved, but not to red, green, blue: which one was right before?")


# 02 Patchification


@check(
    "Set `grid` to (rows, columns) of patches, such as (4, 5).",
    "They begin at 0, 4, 6 down and at 0, 3 across.",
)
def patch_grid(grid):
    """02, warm-up: rows and columns of patches of 4 pixels on 10×7 pixels, (3, 2)."""
    if isinstance(grid, np.ndarray) and grid.ndim > 1:
        raise Wrong("These are the patches themselves: what is asked for is in their `.shape`.")
    found = tuple(_numbers(grid, 2, 1, 4))  # 1: all in all; 4: a whole shape
    hints = {
        (6,): "That is how many there are in all: say how many rows, and how many columns.",
        (2, 1): "Whole patches alone leave a border. Where does the last patch have to begin?",
        (2, 3): "Rows and columns have changed places: 10 is the height, 7 the width.",
        (7, 4): "Patches begin at every pixel only at full overlap: here the next one is 4 on.",
    }
    if found not in ((3, 2), (3, 2, 4, 4)):
        other = "Write down where patches begin along 10 pixels, then along 7; count them."
        raise Wrong(hints.get(found[:2], other))


@check(
    "Set `thrown` to a dictionary, patch size → share of all pixels thrown away, 0 to 1.",
    "Compare 256 with 320: what counts is how tile and patch fit, not the size alone.",
)
def thrown_away(thrown, listed):
    """02, knob: the share of pixels that `edges="drop"` loses at sizes 64, 128, 256 and 320."""
    sizes = (64, 128, 256, 320)
    found = _numbers(_by_key(thrown, sizes), len(sizes))
    area = listed["height"] * listed["width"]
    kept = [listed["height"] // s * s * (listed["width"] // s * s) for s in sizes]
    lost = [1 - part.sum() / area.sum() for part in kept]
    if _near(found, lost):
        return
    if _near(found, np.multiply(lost, 100), 0.6):
        raise Wrong("These are percentages. A share lies between 0 and 1.")
    if _near(found, np.subtract(1, lost)):
        raise Wrong("This is the share that is kept. What is asked for is the rest.")
    if _near(found, [(1 - part / area).mean() for part in kept]):
        raise Wrong("This is the mean over the tiles. Add up the pixels of all, then divide once.")
    for size, one, expected in zip(sizes, found, lost, strict=True):
        if not _near(one, expected):
            raise Wrong(
                f"At size {size} it is another share. Of a side, `length // {size} * {size}` "
                "pixels are kept, both ways."
            )


@check(
    "`half_size` takes an image and its mask; it returns both at half their height and width.",
    "No class is in the small mask that was not in the large one.",
)
def halved_mask(half_size):
    """02, repair: a mask resized bilinearly holds classes that nobody drew."""
    rows, columns = np.mgrid[:13, :18]
    mask = np.where((columns % 7 < 3) ^ (rows < 5), 1, 3).astype(np.uint8)
    image = np.stack([rows * 15, columns * 10, rows + columns], axis=-1).astype(np.uint8)
    small_image, small = map(np.asarray, _call(half_size, image.copy(), mask.copy(), parts=2))
    if small.shape == (6, 9, 3) and small_image.shape == (6, 9):
        raise Wrong("Image and mask have changed places: the image comes first.")
    if small.shape == (9, 6):
        raise Wrong("Height and width have changed places: PIL's sizes are (width, height).")
    if small.shape != (6, 9) or small_image.shape != (6, 9, 3):
        raise Wrong(
            f"A pair of 13×18 pixels becomes an image of {small_image.shape} and a mask of "
            f"{small.shape}: both should be 6×9 (13 // 2, 18 // 2)."
        )
    _compare_masks(mask, small)
    mask[8:, 12:] = 2
    if not _from_around(mask, np.asarray(half_size(image.copy(), mask.copy())[1])):
        raise Wrong(
            "Right for two classes. With some Road, 2, in a corner, classes appear where they were "
            "not: do not mix class numbers first and mend them afterwards."
        )
    if np.abs(small_image - image[1:12:2, 1::2].astype(float)).mean() > 12:
        raise Wrong("The mask is right, but the image has changed: it was right before.")


def _compare_masks(mask, small) -> None:
    """Raise `Wrong` unless a mask of half the size holds the classes 1 and 3 where they were."""
    if not np.issubdtype(small.dtype, np.integer):
        raise Wrong(f"The mask has become {small.dtype}: class numbers are whole numbers.")
    if 2 in small:
        raise Wrong(
            "The large mask holds classes 1 and 3 alone, Land and Vegetation; the small one also "
            "holds class 2, Road. Where do such pixels lie?"
        )
    if set(np.unique(small)) != {1, 3}:
        classes = ", ".join(map(str, np.unique(small)))
        raise Wrong(
            f"The large mask holds classes 1 and 3, the small one {classes}: a class may neither "
            "appear nor vanish."
        )
    if not _from_around(mask, small):
        raise Wrong("The classes are right, but not where they were: made smaller, or cropped?")


def _from_around(mask, small) -> bool:
    """Return whether each pixel of a mask of half the size has a class that was about there."""
    around = np.pad(mask, 1, "edge")
    near = [around[r : r + 12 : 2, c : c + 18 : 2] for r in range(4) for c in range(4)]
    return (np.stack(near) == small).any(axis=0).all()


# 03 U-Net from scratch, 04 Pretrained EfficientNet U-Net


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
    if not _near(answer.sum(axis=-1), 1):
        raise Wrong("The numbers of a pixel do not sum up to 1: take them as the model gives them.")


@check(
    "Set `bottom` to a dictionary, depth → pixels across the bottom of a picture of 256.",
    "A crop of 32 is one pixel wide at depth 5; a depth of 2 or 3 leaves it some context.",
)
def bottom_sizes(bottom):
    """03, knob: the size at the bottom at depths 2 to 5, 256 / 2^depth."""
    depths = (2, 3, 4, 5)
    found = _numbers(_by_key(bottom, depths), len(depths))
    expected = np.array([64, 32, 16, 8])
    if _near(found, 2 * expected):
        raise Wrong("One halving too few: a depth of 2 halves twice.")
    if _near(found, expected / 2):
        raise Wrong("One halving too many: from 256, and the bottom itself halves nothing.")
    if _near(found, [256 / depth for depth in depths], 1):
        raise Wrong("Each level halves what the level before it has left: 256, 128, 64 …")
    for depth, one, size in zip(depths, found, expected, strict=True):
        if one != size:
            raise Wrong(f"At depth {depth} it is not {one:g}: halve 256 pixels {depth} times.")


@check(
    "Set `share`: weights that learn with a frozen encoder, divided by those that learn without.",
    "Less than a third learns: the decoder, which is new.",
)
def learning_share(share):
    """04, knob: the share of weights that learn while the encoder is frozen, about 0.31."""
    (share,) = _numbers(share, 1)
    if share > 100:
        raise Wrong("This is a number of weights. Divide it by how many learn without freezing.")
    if share > 1:
        raise Wrong(
            "A share lies between 0 and 1: no percentage, and the smaller count in the numerator."
        )
    if _near(share, 1, 0.005):
        raise Wrong(
            "Both counts are alike: call `models.unfreeze(model)` before the first, and "
            "`models.freeze(model)` before the second."
        )
    if _near(share, 0.3132, 0.0003):
        raise Wrong(
            "Nearly: this is divided by all weights, also those that are only stored. Divide by "
            "the weights that learn before freezing."
        )
    if _near(share, 0.69, 0.02):
        raise Wrong("This is the share that is held still. What is asked for is the rest.")
    if not 0.3 < share < 0.33:
        raise Wrong(
            "Count the numbers in `model.trainable_weights`, once before freezing, once after."
        )


@check(
    "`prepared` takes a patch, uint8 (H, W, 3); it returns what goes into the model.",
    "Raw pixels: the model scales by itself, in training and on any map.",
)
def raw_pixels(prepared):
    """04, repair: patches scaled by their own minimum and maximum, before a model that scales."""
    roof, water, sand = (120, 110, 100), (20, 40, 60), (230, 215, 190)
    dark, bright = np.full((2, 8, 8, 3), 0, np.uint8)
    dark[:], bright[:] = water, sand
    dark[0, 0] = bright[0, 0] = roof
    found = [np.asarray(_call(prepared, patch.copy()), float) for patch in (dark, bright)]
    if found[0].shape != dark.shape:
        raise Wrong(f"A patch of {dark.shape} comes back as {found[0].shape}: keep its shape.")
    if not _near(found[0][0, 0], found[1][0, 0], 1e-4):
        beside = [", ".join(f"{x:.3g}" for x in one[0, 0]) for one in found]
        top = "Back on 0 to 255, but: t" if found[0].max() > 99 and found[0].min() >= 0 else "T"
        raise Wrong(
            f"{top}he same roof, {roof}, comes out as ({beside[0]}) beside water and as "
            f"({beside[1]}) beside sand. Each patch is scaled by what happens to be in it."
        )
    if _near(found, [dark, bright], 1e-3):
        return
    if np.min(found) < 0:
        raise Wrong("Some pixels are below 0: they are scaled here, and again inside the model.")
    if np.max(found) <= 1:
        raise Wrong("All patches alike now, but the model expects 0 to 255: it would see black.")
    raise Wrong("The pixels are not those of the patch: which step does the model not do itself?")


# 05 Training on GPU


@check(
    "Set `ends` to two numbers: the loss of a perfect answer, then of one that is all wrong.",
    "Not quite 1: the smoothing shows on four pixels.",
)
def dice_ends(ends):
    """05, warm-up: the Dice loss of a perfect and of an all-wrong answer, (0, 0.8)."""
    found = _numbers(ends, 2)
    if _near(found, (0.8, 0)):
        raise Wrong("They have changed places: a perfect answer has the smaller loss.")
    if _near(found, (0, 1)):
        raise Wrong("So it is on many pixels. On four the smoothing shows: ask `losses.dice`.")
    if _near(found, (1, 0)) or _near(found, (1, 0.2)):
        raise Wrong("This is how much overlaps. The loss is what is missing from 1.")
    if not _near(found, (0, 0.8)):
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
    found = _by_key(ratio, powers)
    if any(np.size(one) == 2 for one in found):
        raise Wrong("Here are two weights for one power: divide the rare class's by the other.")
    found = _numbers(found, len(powers))
    if _near(found, (1, 1 / 7, 1 / 49)):
        raise Wrong("This is the frequent class's weight divided by the rare one's: turn it round.")
    if _near(found[1], 24.5, 0.1):
        raise Wrong("A power of 0.5 is no half: it is a square root.")
    for power, one, expected in zip(powers, found, (1, 7, 49), strict=True):
        if not _near(one, expected, 0.05):
            raise Wrong(
                f"At power {power} it is another: `losses.balanced_weights([980, 20], {power})` "
                "gives two weights. Divide the second by the first."
            )


# 06 Evaluation


@check(
    "Set `ious` to two numbers: the IoU of class 0, then that of class 1.",
    "Class 0: 2 hits, 1 missed. Class 1: 1 hit, 1 false alarm.",
)
def both_ious(ious):
    """06, warm-up: truth 0 0 0 1, answer 0 0 1 1: IoU (2/3, 1/2)."""
    found = _numbers(ious, 2)
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
        if _near(found, values):
            raise Wrong(hint)
    if not _near(found, (2 / 3, 1 / 2)):
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
    sides = np.asarray(_call(deal, places.copy()))
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
    more = np.repeat([f"place {i}" for i in range(500)], 2)
    held = len(np.unique(more[np.asarray(deal(more.copy())) == "test"]))
    if held != 100:
        raise Wrong(f"Of 500 places {held} are held out: draw one in five of them, and none twice.")


# 07 Basemap visualization


@check(
    "Set `middle` to two numbers: easting and northing of the scene's middle.",
    "A transform has turned column and row into a place on the ground.",
)
def scene_middle(middle, scene_tif):
    """07, warm-up: easting and northing of the middle of the scene, to one pixel."""
    import rasterio

    found = _numbers(middle, 2)
    with rasterio.open(scene_tif) as scene:
        rows, columns, pixel = scene.height // 2, scene.width // 2, max(scene.res)
        expected, corner = scene.xy(rows, columns), scene.xy(0, 0)
        south_east = scene.xy(scene.height - 1, scene.width - 1)
    if _near(found, expected, pixel):
        return
    if _near(found, expected, 4 * pixel):
        raise Wrong("Nearly, but more than one pixel away: keep all digits.")
    if _near(found, expected[::-1], pixel):
        raise Wrong("Easting comes first, then northing.")
    if _near(found, (rows, columns), 1) or _near(found, (columns, rows), 1):
        raise Wrong("This is row and column of the middle. `scene.xy` turns them into a place.")
    for place, name in ((corner, "upper left"), (south_east, "lower right")):
        if _near(found, place, pixel):
            raise Wrong(f"This is the {name} corner: ask for the row and the column in the middle.")
    if abs(found[0]) <= 180 and abs(found[1]) <= 90:
        raise Wrong("These look like longitude and latitude: give the scene's own coordinates.")
    raise Wrong(
        "Which row and which column lie in the middle? `scene.xy` wants them in this order."
    )


@check(
    "`write_map` takes class numbers (H, W), the path of the scene and that of the map.",
    "The map lies where the scene lies, pixel on pixel.",
)
def placed_map(write_map):
    """07, repair: a map written without the scene's transform lies nowhere."""
    import rasterio

    corner, mask = (326_200, 2_790_100), np.arange(24, dtype=np.uint8).reshape(4, 6) // 5
    place = {"crs": "EPSG:32640", "transform": rasterio.transform.from_origin(*corner, 0.5, 0.5)}
    with tempfile.TemporaryDirectory() as folder:
        scene_tif, map_tif = Path(folder) / "scene.tif", Path(folder) / "map.tif"
        with rasterio.open(scene_tif, "w", "GTiff", 6, 4, 3, dtype="uint8", **place) as scene:
            scene.write(np.stack([mask] * 3))
        _call(write_map, mask.copy(), scene_tif, map_tif, parts=0)
        if not map_tif.exists():
            raise Wrong("No file appears under the path of the map.")
        with rasterio.open(map_tif) as found:
            _compare_place(found, place["transform"])
            if found.count != 1:
                raise Wrong(f"A map has one band, this one has {found.count}: `count` is not 1.")
            if np.array_equal(found.read(1), mask[::-1]):
                raise Wrong("The place is right, but the rows are upside down in it.")
            if not np.array_equal(found.read(1), mask):
                raise Wrong("The map lies right, but its class numbers are not those it was given.")


def _compare_place(found, expected) -> None:
    """Raise `Wrong` unless an opened map has the scene's size, CRS and transform."""
    transform = found.transform
    if found.shape != (4, 6):
        raise Wrong(f"The scene has 4 rows of 6 pixels, the map {found.shape}.")
    if transform.is_identity:
        raise Wrong(
            "The map's upper left corner lies at 0 m east, 0 m north, in the Indian Ocean, and its "
            "pixels are 1 m wide. Which six numbers of the scene has it lost?"
        )
    if found.crs is None:
        raise Wrong("The numbers are there, but not what they count: the map has no CRS.")
    if found.crs.to_epsg() != 32640:
        raise Wrong(f"The scene is in EPSG:32640, the map says {found.crs}.")
    if transform.e > 0:
        raise Wrong("The map is upside down: rows count southwards, northing falls.")
    if not _near((transform.a, transform.e), (expected.a, expected.e), 1e-6):
        raise Wrong(f"The scene's pixels are 0.5×0.5 m, the map's {transform.a}×{-transform.e} m.")
    if not _near(transform[:6], expected[:6], 1e-6):
        east, south = transform.c - expected.c, expected.f - transform.f
        raise Wrong(f"The map is shifted by {east:g} m to the east and {south:g} m to the south.")


@check(
    "`weights` takes the size of a window; it returns an array (size, size).",
    "Highest in the middle, low at the border, and never 0: every pixel gets an answer.",
)
def border_weights(weights):
    """07, repair: blending weights of exactly 0 at the window's border."""
    found = np.asarray(_call(weights, 32), float)
    if found.shape != (32, 32):
        raise Wrong(f"A window of 32×32 pixels needs 32×32 weights; here are {found.shape}.")
    if not np.isfinite(found).all() or found.min() < 0:
        raise Wrong("A weight is a number from 0 up: here some are negative or not finite.")
    if not found.any(axis=1).all():
        rows = ", ".join(str(row) for row in np.flatnonzero(~found.any(axis=1)))
        raise Wrong(
            f"The weights of row(s) {rows} are exactly 0. At the border of a scene, where one "
            "window alone sees a pixel, its answer would be 0 / 0."
        )
    if found.min() == 0:
        raise Wrong("Some weights are still exactly 0: look at the columns and the corners.")
    if np.ptp(found) < 1e-6:
        raise Wrong("All weights are alike: windows are not blended, and their seams stay visible.")
    if not (_near(found, found[::-1], 1e-6) and _near(found, found[:, ::-1], 1e-6)):
        raise Wrong("The weights lean to one side: the middle of the window should weigh most.")
    if found[15, 15] < found.max() - 1e-6:
        raise Wrong("The border weighs more than the middle, where a window sees all around.")
    if max(found[0].max(), found[:, 0].max()) > 0.75 * found.max():
        raise Wrong("A border weighs nearly as much as the middle: fade out both down and across.")
    if np.shape(weights(20)) != (20, 20):
        raise Wrong("Right for 32 pixels, not for 20: is there a number where `size` belongs?")


# 08 Architectures


@check(
    "Set `in_gate` to the number of weights in the gate.",
    "4 for the skip, 3 for the signal, 2 to squeeze: next to nothing.",
)
def gate_count(in_gate):
    """08, warm-up: the weights in the gate of the smallest Attention U-Net, 9."""
    (found,) = _numbers(in_gate, 1)
    hints = {
        4: "That is the convolution of the skip. The signal and the squeezing have weights, too.",
        7: "Without the biases. Both 1×1 convolutions have one; the 2×2 has none.",
        10: "One too many: the 2×2 convolution has no bias.",
    }
    if found > 100:
        raise Wrong("That is all of the network. Which of its layers does `gate` make?")
    if found != 9:
        other = "A gate has three convolutions: 2×2 on the skip, 1×1 on the signal, 1×1 to squeeze."
        raise Wrong(hints.get(found, other))


@check(
    "Set `reached` to the number of places where the answer is not 0.",
    "One weight is left, the middle one: it has become a 1×1 convolution.",
)
def far_sight(reached):
    """08, knob: how many places of 16×16 a bright one reaches at rate 24: 1."""
    (found,) = _numbers(reached, 1)
    if found == 9:
        raise Wrong("Nine weights there are, but 24 places apart: how many fall on 16×16 places?")
    if found == 0:
        raise Wrong("The middle weight stands on the bright place itself, at any rate.")
    if found != 1:
        raise Wrong("Count with `np.count_nonzero(far(point))`. Where does the bright place show?")
