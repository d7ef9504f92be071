"""patches.h5 or tiles.h5 → batches for training, image and mask augmented together.

Taught in notebooks 02 and 05.
"""

from collections.abc import Iterator, Sequence

import h5py
import numpy as np
import tensorflow as tf

from segkit import patches, store
from segkit.datasets import Card

#: Large tiles are drawn more often, but less than their share of pixels.
TILE_SIZE_POWER = 0.7
#: Contrast is scaled by 1 ± this, brightness moved by ± this share of 255.
CONTRAST, BRIGHTNESS = 0.2, 0.1


def augment(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple:
    """Turn and flip image and mask together; change contrast and brightness of the image alone.

    Args:
        image: (S, S, C), 0–255.
        mask: (S, S).
        rng: where the randomness comes from.

    Returns:
        float32 (S, S, C), 0–255, and the mask.
    """
    turns, flip = rng.integers(4), rng.integers(2)
    image, mask = np.rot90(image, turns), np.rot90(mask, turns)
    if flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
    contrast = 1 + rng.uniform(-CONTRAST, CONTRAST)
    brightness = 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    mean = image.mean(dtype=np.float32)
    image = (image - mean) * np.float32(contrast) + mean + np.float32(brightness)
    return image.clip(0, 255), mask


def batches(patches_h5, subset: str, batch_size: int, split="image", augment=False, seed=0):
    """Read a subset's patches in batches, once through.

    Args:
        patches_h5: what `patches.cut` wrote, with the split in it.
        subset: "train", "validation" or "test".
        batch_size: patches in a batch; the last may be smaller.
        split: "patch", "image", "group", or a name that `patches.leave_one_out` gave.
        augment: shuffle anew each time through (what a new data set does in the same order), and
            augment.
        seed: of shuffling and augmentation.

    Returns:
        A data set of (images float32 (B, S, S, C) 0–255, masks uint8 (B, S, S)); S is the patches'
        size. `.card` is the card of the patches.
    """
    found = patches.members(patches_h5, subset, split)
    card, size = store.card(patches_h5), int(store.attributes(patches_h5)["size"])
    if not len(found):
        raise ValueError(f"the {subset} subset of split {split!r} is empty")
    passes = []

    def read() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng([seed, len(passes)])
        passes.append(rng)
        order = rng.permutation(found) if augment else found
        with h5py.File(patches_h5, "r") as file:
            images, masks = file["images"], file["masks"]
            for first in range(0, len(order), batch_size):
                pairs = [(images[i], masks[i]) for i in order[first : first + batch_size]]
                yield _stack(pairs, card, rng if augment else None)

    count = -(-len(found) // batch_size)
    data = _dataset(read, (None, size, size, len(card.bands)))
    data = data.apply(tf.data.experimental.assert_cardinality(count))
    data.card, data.restart, data.images_per_step = card, passes.clear, len(found) / count
    return data


def crops(tiles_h5, tile_ids: Sequence[str], size: int, batch_size: int, augment=True, seed=0):
    """Draw random windows straight from whole tiles, without end.

    Args:
        tiles_h5: what `store.build` wrote.
        tile_ids: the tiles to draw from.
        size: pixels of a window, both ways; no tile may be smaller.
        batch_size: windows in a batch.
        augment: turn, flip, change contrast and brightness.
        seed: of all of that.

    Returns:
        An endless data set of (images float32 (B, S, S, C) 0–255, masks uint8 (B, S, S)); `.card`
        is the card of the tiles.
    """
    listed = store.index(tiles_h5)
    unknown = sorted(set(tile_ids) - set(listed.index))
    if unknown or not len(tile_ids):
        raise ValueError(f"no such tiles: {unknown}" if unknown else "tile_ids is empty")
    chosen = listed.loc[list(tile_ids)]
    small = chosen[chosen[["height", "width"]].min(axis=1) < size]
    if len(small):
        raise ValueError(f"{small.index[0]} is smaller than a crop of {size}: choose a smaller one")
    weight = (chosen.height * chosen.width) ** TILE_SIZE_POWER
    chance = (weight / weight.sum()).to_numpy()

    def draw() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(seed)
        with h5py.File(tiles_h5, "r") as file:
            while True:
                picked = rng.choice(len(chosen), batch_size, p=chance)
                pairs = [_window(file, chosen.index[i], size, rng) for i in picked]
                yield _stack(pairs, card, rng if augment else None)

    card = store.card(tiles_h5)
    data = _dataset(draw, (batch_size, size, size, len(card.bands)))
    data.card, data.restart, data.images_per_step = card, lambda: None, batch_size
    return data


def origin(data: tf.data.Dataset) -> tf.data.Dataset | None:
    """Return what `batches` or `crops` gave and a data set was made from by repeat, map …, or None.

    It has `card`, `images_per_step` (on average) and `restart()`, after which a new iteration draws
    what the very first one drew.
    """
    while data is not None and not hasattr(data, "images_per_step"):
        data = getattr(data, "_input_dataset", None)
    return data


def _window(file: h5py.File, tile_id: str, size: int, rng: np.random.Generator):
    """Read a random window."""
    tile = file["tiles"][tile_id]
    row, column = (int(rng.integers(length - size + 1)) for length in tile["mask"].shape)
    return store.window(tile, row, column, size, size)


def _stack(pairs: list, card: Card, rng: np.random.Generator | None) -> tuple:
    """Scale pairs of image and mask, augment them where there is a generator, and stack them."""
    pairs = [(card.scaled(image), mask) for image, mask in pairs]
    if rng is not None:
        pairs = [augment(image, mask, rng) for image, mask in pairs]
    return tuple(map(np.stack, zip(*pairs, strict=True)))


def _dataset(generate, shape: tuple) -> tf.data.Dataset:
    signature = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape[:-1], tf.uint8))
    data = tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread may sleep on when the data end, and all wait
    return data.with_options(options)
