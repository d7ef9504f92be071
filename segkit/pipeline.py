"""patches.h5 or tiles.h5 → batches for training, image and mask augmented together.

Taught in notebooks 02 and 05.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from queue import SimpleQueue
from threading import Thread

import h5py
import numpy as np
import tensorflow as tf

from segkit import patches, store

#: Large tiles are drawn more often, but less than their share of pixels.
TILE_SIZE_POWER = 0.7
#: Contrast is scaled by 1 ± this, brightness moved by ± this share of 255.
CONTRAST, BRIGHTNESS = 0.2, 0.1
#: Threads that make batches, where nothing else is said: one core is left to the network.
WORKERS = max(1, min(8, (os.cpu_count() or 1) - 1))


def augment(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple:
    """Turn and flip image and mask together; change contrast and brightness of the image alone.

    Args:
        image: (S, S, C), 0–255.
        mask: (S, S).
        rng: where the randomness comes from.

    Returns:
        float32 (S, S, C), 0–255, and the mask.
    """
    return changed(image, mask, *drawn(rng))


def drawn(rng: np.random.Generator) -> tuple:
    """Draw how an image is changed: quarter turns, flip, contrast, brightness."""
    turns, flip = rng.integers(4), rng.integers(2)
    contrast = 1 + rng.uniform(-CONTRAST, CONTRAST)
    return turns, flip, contrast, 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)


def changed(image: np.ndarray, mask: np.ndarray, turns, flip, contrast, brightness) -> tuple:
    """Change image and mask as it was drawn; so threads may change several at once."""
    mean = image.mean(dtype=np.float32)
    image = np.subtract(image, mean, dtype=np.float32)
    image *= contrast  # in place: asking for more memory would take longer than the product
    image += mean
    image += brightness
    image, mask = np.rot90(image.clip(0, 255, out=image), turns), np.rot90(mask, turns)
    return (image[:, ::-1], mask[:, ::-1]) if flip else (image, mask)


def batches(patches_h5, subset, batch_size, split="image", augment=False, seed=0, workers=WORKERS):
    """Read a subset's patches in batches, once through.

    Args:
        patches_h5: what `patches.cut` wrote, with the split in it.
        subset: "train", "validation" or "test".
        batch_size: patches in a batch; the last may be smaller.
        split: "patch", "image", "group", or a name that `patches.leave_one_out` gave.
        augment: shuffle anew each time through (what a new data set does in the same order), and
            augment.
        seed: of shuffling and augmentation.
        workers: threads that make batches ahead; how many changes no number.

    Returns:
        A data set of (images float32 (B, S, S, C) 0–255, masks uint8 (B, S, S)); S is the patches'
        size. `.card` is the card of the patches.

    Raises:
        ValueError: that subset is empty.
    """
    found, passes = patches.members(patches_h5, subset, split), []
    size, card = int(store.attributes(patches_h5)["size"]), store.card(patches_h5)
    if not len(found):
        raise ValueError(f"the {subset} subset of split {split!r} is empty")

    def plan() -> Iterator[tuple]:
        rng = np.random.default_rng([seed, len(passes)])
        passes.append(rng)
        order = rng.permutation(found) if augment else found
        for first in range(0, len(order), batch_size):
            places = [("images", "masks", i) for i in order[first : first + batch_size]]
            yield places, [drawn(rng) for _ in places] if augment else None

    count = -(-len(found) // batch_size)
    data = _dataset(patches_h5, plan, (None, size, size), workers)
    data = data.apply(tf.data.experimental.assert_cardinality(count))
    data.card, data.restart, data.images_per_step = card, passes.clear, len(found) / count
    return data


def crops(tiles_h5, tile_ids, size, batch_size, augment=True, seed=0, workers=WORKERS):
    """Draw random windows straight from whole tiles, without end.

    Args:
        tiles_h5: what `store.build` wrote.
        tile_ids: the tiles to draw from.
        size: pixels of a window, both ways; no tile may be smaller.
        batch_size: windows in a batch.
        augment: turn, flip, change contrast and brightness.
        seed: of all of that.
        workers: threads that make batches ahead; how many changes no number.

    Returns:
        An endless data set of (images float32 (B, S, S, C) 0–255, masks uint8 (B, S, S)); `.card`
        is the card of the tiles.

    Raises:
        ValueError: no tile, one that is not there, or one that is smaller than a window.
    """
    listed = store.index(tiles_h5)
    unknown = sorted(set(tile_ids) - set(listed.index))
    if unknown or not len(tile_ids):
        raise ValueError(f"no such tiles: {unknown}" if unknown else "tile_ids is empty")
    chosen = listed.loc[sorted(tile_ids)]
    small = chosen[chosen[["height", "width"]].min(axis=1) < size]
    if len(small):
        raise ValueError(f"{small.index[0]} is smaller than a crop of {size}: choose a smaller one")
    weight = (chosen.height * chosen.width) ** TILE_SIZE_POWER
    chance, tiles = (weight / weight.sum()).to_numpy(), list(chosen.itertuples())

    def place(rng: np.random.Generator, tile: tuple) -> tuple:
        row, column = (int(rng.integers(n - size + 1)) for n in (tile.height, tile.width))
        area = np.s_[row : row + size, column : column + size]
        return f"tiles/{tile.Index}/image", f"tiles/{tile.Index}/mask", area

    def plan() -> Iterator[tuple]:
        rng = np.random.default_rng(seed)
        while True:
            places = [place(rng, tiles[i]) for i in rng.choice(len(tiles), batch_size, p=chance)]
            yield places, [drawn(rng) for _ in places] if augment else None

    data = _dataset(tiles_h5, plan, (batch_size, size, size), workers)
    data.card, data.restart, data.images_per_step = store.card(tiles_h5), lambda: None, batch_size
    return data


def origin(data: tf.data.Dataset) -> tf.data.Dataset | None:
    """Return what `batches` or `crops` gave and a data set was made from by repeat, map …, or None.

    It has `card`, `images_per_step` (on average, as it was made, not as batched anew) and
    `restart()`, after which a new iteration draws what the very first one drew.
    """
    while data is not None and not hasattr(data, "images_per_step"):
        data = getattr(data, "_input_dataset", None)
    return data


def _dataset(path, plan: Callable, shape: tuple, workers: int) -> tf.data.Dataset:
    """Return a data set of what threads read and change.

    Args:
        path: an HDF5 file with a card.
        plan: gives, for each batch, the place of each pair (names of two arrays, an index into
            both), and what was drawn to change each by, or None. So all that is random is drawn in
            order, whichever thread reads.
        shape: of a batch, without bands.
        workers: threads. They are Python's, as TensorFlow's may wait for ever when a program ends.
    """
    shape = (*shape, len((card := store.card(path)).bands))

    def batch(array: Callable, places: list[tuple], changes: list[tuple] | None) -> tuple:
        room = np.empty((count := len(places) * math.prod(shape[1:])) + 16, np.float32)
        room = room[-room.ctypes.data % 64 // 4 :][:count]  # TensorFlow would copy any other
        images = room.reshape(-1, *shape[1:])
        masks = np.empty(images.shape[:3], np.uint8)
        for i, (image, mask, area) in enumerate(places):
            pair = card.scaled(array(image)[area]), array(mask)[area]
            images[i], masks[i] = changed(*pair, *changes[i]) if changes else pair
        return images, masks

    def generate() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        file, pool, end = h5py.File(path, "r"), ThreadPoolExecutor(workers), SimpleQueue()
        array = lru_cache(128)(file.__getitem__)  # each keeps up to 1 MB of itself in memory
        Thread(target=lambda: (end.get(), array.cache_clear(), file.close()), daemon=True).start()
        coming = (pool.submit(batch, array, *one) for one in plan())
        try:
            waiting = deque(islice(coming, workers + 1))
            while waiting:
                ready = waiting.popleft().result()
                waiting.extend(islice(coming, 1))
                yield ready
        finally:  # another thread closes the file: who ends this may hold HDF5's lock
            end.put(None)
            pool.shutdown(wait=False)

    signature = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec(shape[:-1], tf.uint8))
    data = tf.data.Dataset.from_generator(generate, output_signature=signature)
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread may sleep on when the data end, and all wait
    return data.with_options(options)
