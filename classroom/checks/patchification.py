"""Checks of notebook 02 Patchification."""

import numpy as np

from classroom.checks.verdict import Wrong, by_key, call, check, near, numbers


@check(
    "Set `grid` to (rows, columns) of patches, such as (4, 5).",
    "They begin at 0, 4, 6 down and at 0, 3 across.",
)
def patch_grid(grid):
    """02, warm-up: rows and columns of patches of 4 pixels on 10×7 pixels, (3, 2)."""
    if isinstance(grid, np.ndarray) and grid.ndim > 1:
        raise Wrong("These are the patches themselves: what is asked for is in their `.shape`.")
    found = tuple(numbers(grid, 2, 1, 4))  # 1: all in all; 4: a whole shape
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
    found = numbers(by_key(thrown, sizes), len(sizes))
    area = listed["height"] * listed["width"]
    kept = [listed["height"] // s * s * (listed["width"] // s * s) for s in sizes]
    lost = [1 - part.sum() / area.sum() for part in kept]
    if near(found, lost):
        return
    if near(found, np.multiply(lost, 100), 0.6):
        raise Wrong("These are percentages. A share lies between 0 and 1.")
    if near(found, np.subtract(1, lost)):
        raise Wrong("This is the share that is kept. What is asked for is the rest.")
    if near(found, [(1 - part / area).mean() for part in kept]):
        raise Wrong("This is the mean over the tiles. Add up the pixels of all, then divide once.")
    for size, one, expected in zip(sizes, found, lost, strict=True):
        if not near(one, expected):
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
    small_image, small = map(np.asarray, call(half_size, image.copy(), mask.copy(), parts=2))
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
