"""Patchify and back without losing a pixel; grouped train, validation and test splits.

Taught in notebook 02. A file of patches holds `/images` (N, S, S, C) in the data's own dtype and
`/masks` uint8 (N, S, S); of each patch the `/tile`, its `/group`, `/height` and `/width`, the
patch's `/row` and `/column` in it, and its pixels of each class, `/counts` (N, classes); and under
`/splits/` one uint8 (N,) per rule that was asked for: 0 train, 1 validation, 2 test. The card of
the tiles is an attribute of the file.
"""

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from segkit import store
from segkit.datasets.base import RULES, SUBSETS, deal
from segkit.files import alone, progress, whole

FORMAT = "segkit patches 2"
#: Names that these rules had before.
OLDER = {"tile-part": "image", "tile": "group"}
#: What makes a split; text in a file.
MAKERS, TEXT = "patches.split(…, by=…) or patches.leave_one_out(…)", h5py.string_dtype()
#: Where a patch comes from: arrays of the file, and their types.
PLACE = {"tile": TEXT, "group": TEXT, **dict.fromkeys(("row", "column", "height", "width"), "i4")}


class LeakError(ValueError):
    """Patches of one image, or of one group, are in more than one subset."""


class LeakWarning(UserWarning):
    """A split that leaks was asked for."""


def starts(length: int, size: int, overlap: float = 0.0, edges: str = "keep") -> list[int]:
    """Return where patches begin along one axis.

    Patches step by `size · (1 − overlap)`. Under "keep" the last one is pulled back to end with the
    axis, so that every pixel is in some patch and none is invented; under "drop" what is left over
    is thrown away, as a plain crop does.

    Args:
        length: pixels along the axis.
        size: pixels of a patch.
        overlap: share of a patch that the next one repeats, 0 ≤ overlap < 1.
        edges: "keep" or "drop".
    """
    if size < 1 or not 0 <= overlap < 1 or edges not in ("keep", "drop"):
        how = "size is at least 1, overlap at least 0 and below 1, edges 'keep' or 'drop'"
        raise ValueError(f"size={size}, overlap={overlap}, edges={edges!r}: {how}")
    step = max(1, round(size * (1 - overlap)))
    found = list(range(0, length - size + 1, step))
    if edges == "keep" and (not found or found[-1] + size < length):
        found.append(max(0, length - size))
    return found


def patchify(image: np.ndarray, size: int, overlap: float = 0.0) -> np.ndarray:
    """Cut an image into patches that cover every pixel.

    An image smaller than a patch is mirrored at its border until it fills one.

    Args:
        image: (H, W) or (H, W, C).
        size: pixels of a patch, both ways.
        overlap: share of a patch that the next one repeats.

    Returns:
        (rows, columns, size, size) or (rows, columns, size, size, C), dtype as given.
    """
    rows, columns = (starts(length, size, overlap) for length in image.shape[:2])
    image = _filled(image, size, mode="symmetric")
    found = np.stack([image[r : r + size, c : c + size] for r in rows for c in columns])
    return found.reshape(len(rows), len(columns), *found.shape[1:])


def unpatchify(patches: np.ndarray, shape: tuple[int, ...], overlap: float = 0.0) -> np.ndarray:
    """Put patches back where `patchify` took them from.

    Args:
        patches: (rows, columns, size, size) or (rows, columns, size, size, C).
        shape: of the whole; its first two numbers are height and width.
        overlap: as given to `patchify`. Where patches overlap, the later one is seen.

    Returns:
        (H, W) or (H, W, C), dtype as given.

    Raises:
        ValueError: more or fewer patches than that shape and overlap have.
    """
    size, (height, width) = patches.shape[2], shape[:2]
    rows, columns = starts(height, size, overlap), starts(width, size, overlap)
    if patches.shape[:2] != (len(rows), len(columns)):
        given, needed = "×".join(map(str, patches.shape[:2])), f"{len(rows)}×{len(columns)}"
        raise ValueError(f"{given} patches, but {height}×{width} at size {size} has {needed}")
    canvas = np.zeros((max(height, size), max(width, size), *patches.shape[4:]), patches.dtype)
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            canvas[r : r + size, c : c + size] = patches[i, j]
    return canvas[:height, :width]


def cut(tiles_h5: str | Path, path: str | Path, size: int = 256, overlap=0.0, edges="keep") -> Path:
    """Cut all tiles of a store into one file of patches, whole or not at all.

    Args:
        tiles_h5: what `store.build` wrote.
        path: where the patches go.
        size, overlap, edges: see `starts`. A tile smaller than a patch is mirrored at its border,
            the mask there set to the ignored class ("keep"), or left out ("drop").

    Returns:
        `path`.

    Raises:
        ValueError: no patch at all, or a small tile in a scheme with no ignored class.
    """
    with store.opened(tiles_h5, store.FORMAT) as source, whole(path) as part:
        card, tiles = store.card(source), source["tiles"]
        places = [
            (name, tile.attrs["group"], row, column, *tile["mask"].shape)
            for name, tile in tiles.items()
            for row in starts(tile["mask"].shape[0], size, overlap, edges)
            for column in starts(tile["mask"].shape[1], size, overlap, edges)
        ]
        if not places:
            raise ValueError(f"no tile holds a whole patch of {size} pixels: use edges='keep'")
        with h5py.File(part, "w") as file:
            for (key, kind), values in zip(PLACE.items(), zip(*places, strict=True), strict=True):
                file.create_dataset(key, data=values, dtype=kind)
            _write_pixels(file, tiles, places, size, card)
            file.attrs.update(card=source.attrs["card"], size=size, overlap=overlap, edges=edges)
            file.attrs["format"] = FORMAT
    return Path(path)


def _write_pixels(file: h5py.File, tiles: h5py.Group, places: list, size: int, card) -> None:
    """Write image, mask and class counts of each patch."""
    square, bands = (len(places), size, size), len(card.bands)
    shape, chunk = (*square, bands), (1, size, size, bands)
    images = file.create_dataset("images", shape, card.dtype, chunks=chunk)
    masks = file.create_dataset("masks", square, "u1", chunks=(1, size, size), compression=1)
    counts = file.create_dataset("counts", (len(places), len(card.scheme)), "i8")
    for i, (name, _, row, column, *_) in enumerate(progress(places, "patches.h5")):
        images[i], mask = _patch(tiles[name], row, column, size, card.scheme.ignore_index)
        masks[i], counts[i] = mask, np.bincount(mask.ravel(), minlength=len(card.scheme))


def _patch(tile: h5py.Group, row: int, column: int, size: int, ignore_index: int | None):
    height, width = (min(size, length) for length in tile["mask"].shape)
    image, mask = store.window(tile, row, column, height, width)
    if (height, width) == (size, size):
        return image, mask
    if ignore_index is None:
        small = f"tile {tile.name} of {tile['mask'].shape} is smaller than a patch of {size}"
        raise ValueError(f"{small}, and no class is ignored: take a smaller size or edges='drop'")
    filled = _filled(mask, size, mode="constant", constant_values=ignore_index)
    return _filled(image, size, mode="symmetric"), filled


def _filled(image: np.ndarray, size: int, **how) -> np.ndarray:
    """Pad below and to the right up to `size`."""
    missing = [(0, max(0, size - n)) for n in image.shape[:2]] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, missing, **how) if np.any(missing) else image


def index(patches_h5: str | Path) -> pd.DataFrame:
    """List the patches: columns tile, group, row, column, height, width (of the tile, pixels)."""
    with store.opened(patches_h5, FORMAT) as file:
        found = {k: file[k].asstr() if kind == TEXT else file[k] for k, kind in PLACE.items()}
        return pd.DataFrame({key: values[:] for key, values in found.items()})


def read(patches_h5: str | Path, positions: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Read patches.

    Args:
        patches_h5: what `cut` wrote.
        positions: one position in the file, or some, in any order.

    Returns:
        images (n, S, S, C) in the data's own dtype and masks uint8 (n, S, S); of one position,
        (S, S, C) and (S, S).
    """
    found, place = np.unique(positions, return_inverse=True)
    with store.opened(patches_h5, FORMAT) as file:
        return file["images"][found][place], file["masks"][found][place]


def split(patches_h5: str | Path, by="image", fractions=(0.7, 0.15, 0.15), seed=0) -> pd.DataFrame:
    """Share the patches out over train, validation and test, and write it into the file.

    Args:
        patches_h5: what `cut` wrote. It is replaced as a whole: who reads it meanwhile, reads on.
        by: what stays together. "patch": nothing; patches of one image land on both sides, which
            leaks, so it serves for comparison only and warns of it. "image": all patches of one
            image; each group of images gives its share to each subset, rounded and one at least, or
            all of them together where a group has fewer than three images. "group": all images of
            one group.
        fractions: train, validation, test; they sum to 1.
        seed: of the shuffle. Only where a group's images are numbered parts, as in Dubai, "image"
            does not shuffle: 0 holds out the last parts, each further seed moves on by one part;
            after the last comes the first.

    Returns:
        Share of each class in each subset (rows train, validation, test), and how many patches.

    Raises:
        ValueError: no such rule, fractions that do not sum to 1, or too few images or groups.

    Warns:
        LeakWarning: by="patch".
    """
    by, listed = OLDER.get(by, by), index(patches_h5)
    subset = deal(listed, store.card(patches_h5).parts, by, fractions, seed)
    if RULES[by] is None:
        sides = pd.Series(subset).groupby(listed["tile"]).nunique()
        many = f"{(sides > 1).sum()} of {len(sides)} images have patches in more than one subset"
        told = f"split by patch: {many}, so scores on it promise too much; for comparison only"
        warnings.warn(told, LeakWarning, stacklevel=2)
    _write_splits(patches_h5, {by: subset}, by=by, fractions=fractions, seed=seed)
    return shares(patches_h5, by)


def leave_one_out(patches_h5: str | Path) -> list[str]:
    """Write one split for each group of images: that group is the test set, all others train.

    Returns:
        The splits' names, "without <group>" ("/" as "%2F"), to be passed wherever a split is asked
        for.

    Raises:
        ValueError: all images are of one group.
    """
    group = index(patches_h5)["group"].to_numpy()
    names = {"without " + left_out.replace("/", "%2F"): left_out for left_out in np.unique(group)}
    if len(names) < 2:
        raise ValueError("all images are of one group: there is none to leave out")
    held = {name: np.where(group == left_out, 2, 0) for name, left_out in names.items()}
    _write_splits(patches_h5, held, by="group")
    return list(names)


def _write_splits(patches_h5: str | Path, subsets: dict[str, np.ndarray], **how) -> None:
    """Write splits with their rule; `how` holds at least `by`."""
    with alone(f"{patches_h5} splits"), whole(patches_h5) as part:
        shutil.copyfile(patches_h5, part)
        with h5py.File(part, "r+") as file:
            for name, subset in subsets.items():
                data = file.require_dataset(f"splits/{name}", subset.shape, "u1")
                data[:] = subset
                data.attrs.update(how)


def _check(file: h5py.File, name: str, subset: np.ndarray, by: str) -> None:
    """Raise if what the rule keeps together is in two subsets."""
    if RULES[by] is None:
        return
    sides = pd.Series(subset).groupby(file[RULES[by]].asstr()[:]).nunique()
    if leaking := sides[sides > 1].index.tolist():
        found = f"{len(leaking)} image(s) or group(s) are in more than one subset"
        raise LeakError(f"split {name!r}: {found}, such as {leaking[0]}. Use {MAKERS}.")


def splits(patches_h5: str | Path) -> list[str]:
    """Return the names of the splits that were made."""
    with store.opened(patches_h5, FORMAT) as file:
        return list(file.get("splits", ()))


def members(patches_h5: str | Path, subset: str, by: str = "image") -> np.ndarray:
    """Return the positions (int64) of a subset's patches.

    Raises:
        KeyError: that split was never made, or no such subset.
        LeakError: the stored split has an image or a group on both sides.
    """
    by = OLDER.get(by, by)
    with store.opened(patches_h5, FORMAT) as file:
        if f"splits/{by}" not in file:
            raise KeyError(f"no split {by!r} yet: make it with {MAKERS}")
        if subset not in SUBSETS:
            raise KeyError(f"subset {subset!r}: choose one of {', '.join(SUBSETS)}")
        stored = file[f"splits/{by}"]
        _check(file, by, stored[:], stored.attrs.get("by", by))
        return np.flatnonzero(stored[:] == SUBSETS.index(subset))


def tiles(patches_h5: str | Path, subset: str, by: str = "image") -> list[str]:
    """Return the ids of the images whose patches make up a subset; ValueError for by="patch"."""
    if by == "patch":
        raise ValueError("a split by patch has no images of its own: every image is on both sides")
    return sorted(set(index(patches_h5)["tile"].iloc[members(patches_h5, subset, by)]))


def shares(patches_h5: str | Path, by: str = "image") -> pd.DataFrame:
    """Return how many patches each subset has, and the share of each class among its pixels."""
    names = store.scheme(patches_h5).names
    found = [members(patches_h5, subset, by) for subset in SUBSETS]
    with store.opened(patches_h5, FORMAT) as file:
        counts = file["counts"][:]
    pixels = pd.DataFrame([counts[rows].sum(axis=0) for rows in found], SUBSETS, names)
    table = pixels.div(pixels.sum(axis=1).clip(lower=1), axis=0)
    table.insert(0, "patches", list(map(len, found)))
    return table
