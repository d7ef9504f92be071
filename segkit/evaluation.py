"""Predictions of a subset against its truth, every pixel counted once.

Taught in notebook 06.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segkit import metrics, models, patches, store

#: What `evaluate_each` counts by: positions, or one of the arrays of a file of patches.
UNITS = {"patch": None, "image": "tile", "tile": "tile", "group": "group"}


def answers(model, patches_h5, subset: str, split="image", batch_size=16, tta=False) -> Iterator:
    """Predict the patches of a subset, one after the other.

    Args:
        model: takes (B, S, S, C) of 0–255, returns probabilities. Its `.card` says which values
            become 0 and 255, as in a map; that of the patches, where it has none, or one of
            other bands or another type.
        patches_h5, subset, split: see `pipeline.batches`.
        batch_size: patches predicted at once.
        tta: average over the eight turns and flips.

    Yields:
        The patch's position in the file; its mask uint8 (S, S); probabilities float32 (S, S, C);
        and, bool (S, S), which pixels lie in the tile and came in no patch before.

    Raises:
        ValueError: the model knows other classes.
    """
    found, listed = patches.members(patches_h5, subset, split), patches.index(patches_h5)
    card, own, tile, counted = store.card(patches_h5), getattr(model, "card", None), None, None
    if own and own.scheme.names != card.scheme.names:
        raise ValueError(f"the model knows {own.scheme.names}, the patches {card.scheme.names}")
    card = own if own and (own.dtype, own.bands) == (card.dtype, card.bands) else card
    for first in range(0, len(found), batch_size):
        chosen = found[first : first + batch_size]
        images, masks = patches.read(patches_h5, chosen)
        predicted = models.predict(model, card.scaled(images), tta)
        for i, mask, probabilities in zip(chosen, masks, predicted, strict=True):
            place = listed.iloc[i]
            if place["tile"] != tile:  # the patches of a tile lie one after the other
                tile, counted = place["tile"], np.zeros((place["height"], place["width"]), bool)
            area = counted[place["row"] :, place["column"] :][: len(mask), : len(mask)]
            new = np.zeros(mask.shape, bool)
            new[: area.shape[0], : area.shape[1]] = ~area
            area[:] = True
            yield int(i), mask, probabilities, new


def evaluate(model, patches_h5: str | Path, subset: str, split: str = "image", **how) -> np.ndarray:
    """Count every pixel of a subset once, however much its patches overlap.

    Args:
        model, patches_h5, subset, split: see `answers`.
        how: batch_size and tta, as there.

    Returns:
        int64 (C, C) confusion matrix, rows = truth, the ignored class's row included;
        `metrics.scores` and `metrics.summary` leave it out.
    """
    return evaluate_each(model, patches_h5, subset, split, **how)[1].sum(axis=0)


def evaluate_each(model, patches_h5, subset: str, split="image", unit="group", **how) -> tuple:
    """Count as `evaluate` does, but patch by patch, image by image, or group by group.

    Args:
        unit: "patch", "image" or "group" (of images).
        how: batch_size and tta, as in `answers`.

    Returns:
        The units' names (N,): positions in the file, or ids; and int64 (N, C, C).

    Raises:
        ValueError: no such unit, an empty subset, or a model of other classes.
    """
    if unit not in UNITS:
        raise ValueError(f"unit={unit!r}: choose patch, image or group")
    listed, classes = patches.index(patches_h5), len(store.scheme(patches_h5))
    names, units, matrices = listed[UNITS[unit]] if UNITS[unit] else listed.index, [], []
    for i, mask, found, new in answers(model, patches_h5, subset, split, **how):
        units.append(names[i])
        matrices.append(metrics.confusion(mask[new], found.argmax(axis=-1)[new], classes))
    return gathered(units, matrices)


def gathered(units: list, counts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Add up the counts of each unit; return the units' names and one sum for each."""
    if not counts:
        raise ValueError("the subset is empty: the split gave it no patches")
    names, place = np.unique(units, return_inverse=True)
    total = np.zeros((len(names), *counts[0].shape), counts[0].dtype)
    np.add.at(total, place, counts)
    return names, total
