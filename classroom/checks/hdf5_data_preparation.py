"""Checks of notebook 01 HDF5 data preparation."""

import tempfile
from pathlib import Path

import numpy as np

from classroom.checks.verdict import Wrong, call, check


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
        found = np.asarray(call(tile_image, path))
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
