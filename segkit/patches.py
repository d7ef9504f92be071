"""Patchify and back without losing a pixel; grouped train, validation and test splits.

Taught in notebook 02. A file of patches holds `/images` uint8 (N, S, S, C) and `/masks` uint8
(N, S, S); of each patch the `/tile`, its `/group`, `/height` and `/width`, and the patch's `/row`
and `/column` in it; and under `/splits/` one uint8 (N,) per rule that was asked for: 0 train,
1 validation, 2 test.
"""

import warnings
from pathlib import Path
from urllib.parse import quote

import h5py
import numpy as np
import pandas as pd

from segkit import store
from segkit.files import progress, whole

FORMAT = "segkit patches 1"
SUBSETS = ("train", "validation", "test")
#: What stays together under each rule: one of the arrays of the file, or nothing.
RULES = {"patch": None, "tile-part": "tile", "tile": "group"}
#: The splits of `leave_one_out` are named by this and the group left out.
FOLD = "without "


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
        raise ValueError(
            f"size={size}, overlap={overlap}, edges={edges!r}: size is at least 1, overlap at "
            "least 0 and below 1, edges 'keep' or 'drop'"
        )
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
    return np.stack([np.stack([image[r : r + size, c : c + size] for c in columns]) for r in rows])


def unpatchify(patches: np.ndarray, shape: tuple[int, ...], overlap: float = 0.0) -> np.ndarray:
    """Put patches back where `patchify` took them from.

    Args:
        patches: (rows, columns, size, size) or (rows, columns, size, size, C).
        shape: of the whole; its first two numbers are height and width.
        overlap: as given to `patchify`. Where patches overlap, the later one is seen.

    Returns:
        (H, W) or (H, W, C), dtype as given.
    """
    size, (height, width) = patches.shape[2], shape[:2]
    rows, columns = starts(height, size, overlap), starts(width, size, overlap)
    if patches.shape[:2] != (len(rows), len(columns)):
        raise ValueError(
            f"{patches.shape[0]}×{patches.shape[1]} patches, but a {height}×{width} image at size "
            f"{size} and overlap {overlap} has {len(rows)}×{len(columns)}"
        )
    canvas = np.zeros((max(height, size), max(width, size), *patches.shape[4:]), patches.dtype)
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            canvas[r : r + size, c : c + size] = patches[i, j]
    return canvas[:height, :width]


def cut(
    tiles_h5: str | Path,
    path: str | Path,
    size: int = 256,
    overlap: float = 0.0,
    edges: str = "keep",
) -> Path:
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
    with store.opened(tiles_h5) as source, whole(path) as part, h5py.File(part, "w") as file:
        scheme, tiles = store.scheme(source), source["tiles"]
        places = [
            (name, row, column)
            for name, tile in tiles.items()
            for row in starts(tile["mask"].shape[0], size, overlap, edges)
            for column in starts(tile["mask"].shape[1], size, overlap, edges)
        ]
        if not places:
            raise ValueError(f"no tile holds a whole patch of {size} pixels: use edges='keep'")
        _write_places(file, tiles, places)
        channels = next(iter(tiles.values()))["image"].shape[2]
        n = len(places)
        images = file.create_dataset(
            "images", (n, size, size, channels), "u1", chunks=(1, size, size, channels)
        )
        masks = file.create_dataset(
            "masks", (n, size, size), "u1", chunks=(1, size, size), compression="gzip"
        )
        for i, (name, row, column) in enumerate(progress(places, "patches.h5")):
            images[i], masks[i] = _patch(tiles[name], row, column, size, scheme.ignore_index)
        for key in ("dataset", "scheme", "fingerprint"):
            file.attrs[key] = source.attrs[key]
        file.attrs.update(size=size, overlap=overlap, edges=edges, format=FORMAT)
    return Path(path)


def _write_places(file: h5py.File, tiles: h5py.Group, places: list[tuple[str, int, int]]) -> None:
    """Write where each patch comes from: its tile, the tile's group and size, row and column."""
    names, rows, columns = zip(*places, strict=True)
    groups = [tiles[name].attrs["group"] for name in names]
    shapes = np.array([tiles[name]["mask"].shape for name in names], np.int32)
    for key, values in (("tile", names), ("group", groups)):
        file.create_dataset(key, data=np.array(values, object), dtype=h5py.string_dtype())
    numbers = {"row": rows, "column": columns, "height": shapes[:, 0], "width": shapes[:, 1]}
    for key, values in numbers.items():
        file.create_dataset(key, data=np.array(values, np.int32))


def _patch(tile: h5py.Group, row: int, column: int, size: int, ignore_index: int | None):
    height, width = (min(size, length) for length in tile["mask"].shape)
    image, mask = store.window(tile, row, column, height, width)
    if (height, width) == (size, size):
        return image, mask
    if ignore_index is None:
        raise ValueError(
            f"tile {tile.name} of {tile['mask'].shape} is smaller than a patch of {size}, and its "
            "scheme has no ignored class to fill up with: choose a smaller size or edges='drop'"
        )
    filled = _filled(mask, size, mode="constant", constant_values=ignore_index)
    return _filled(image, size, mode="symmetric"), filled


def _filled(image: np.ndarray, size: int, **how) -> np.ndarray:
    """Pad below and to the right up to `size`."""
    missing = [(0, max(0, size - length)) for length in image.shape[:2]]
    return np.pad(image, [*missing, *[(0, 0)] * (image.ndim - 2)], **how)


def split(
    patches_h5: str | Path,
    by: str = "tile-part",
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> pd.DataFrame:
    """Share the patches out over train, validation and test, and write it into the file.

    Args:
        patches_h5: what `cut` wrote.
        by: what stays together. "patch": nothing; patches of one image land on both sides, which
            leaks, so it serves for comparison only and warns of it. "tile-part": all patches of
            one image; each group of images gives its share to each subset, or all of them together
            where a group has fewer than three images. "tile": all images of one group.
        fractions: train, validation, test; they sum to 1.
        seed: for "patch" and "tile" it shuffles; for "tile-part" it moves the held-out images
            along: 0 holds out the last of each group.

    Returns:
        Share of each class in each subset (rows train, validation, test), and how many patches.

    Raises:
        LeakError: an image or a group would land on both sides; nothing is written.
    """
    with store.opened(patches_h5, FORMAT) as file:
        tile, group = file["tile"].asstr()[:], file["group"].asstr()[:]
    subset = _assign(tile, group, by, fractions, seed)
    if RULES[by] is None:
        both = sum(len(set(subset[tile == name])) > 1 for name in np.unique(tile))
        warnings.warn(
            f"split by patch: {both} of {len(np.unique(tile))} images have patches in more than "
            "one subset, so scores on it promise too much; for comparison only",
            LeakWarning,
            stacklevel=2,
        )
    _write_split(patches_h5, by, subset, by=by, fractions=fractions, seed=seed)
    return shares(patches_h5, by)


def leave_one_out(patches_h5: str | Path) -> list[str]:
    """Write one split for each group of images: that group is the test set, all others train.

    Returns:
        The splits' names, "without <group>", to be passed wherever a split is asked for.
    """
    with store.opened(patches_h5, FORMAT) as file:
        group = file["group"].asstr()[:]
    names = {f"{FOLD}{quote(left_out, safe=' ')}": left_out for left_out in np.unique(group)}
    if len(names) < 2:
        raise ValueError("all images are of one group: there is none to leave out")
    for name, left_out in names.items():
        subset = np.where(group == left_out, SUBSETS.index("test"), 0).astype(np.uint8)
        _write_split(patches_h5, name, subset, by="tile")
    return list(names)


def _write_split(patches_h5: str | Path, name: str, subset: np.ndarray, **how) -> None:
    """Check a split and write it with its rule; `how` holds at least `by`."""
    with h5py.File(patches_h5, "r+") as file:
        _check(file, name, subset, how["by"])
        data = file.require_dataset(f"splits/{name}", subset.shape, "u1")
        data[:] = subset
        data.attrs.update(how)


def _check(file: h5py.File, name: str, subset: np.ndarray, by: str) -> None:
    """Raise if what the rule keeps together is in two subsets."""
    if RULES[by] is None:
        return
    sides = pd.Series(subset).groupby(file[RULES[by]].asstr()[:]).nunique()
    if leaking := sides[sides > 1].index.tolist():
        raise LeakError(
            f"split {name!r}: {len(leaking)} image(s) or group(s) are in more than one subset, "
            f"such as {leaking[0]}. Make it anew with {_maker(name)}."
        )


def _maker(name: str) -> str:
    """Return what makes a split."""
    return "patches.leave_one_out" if name.startswith(FOLD) else f"patches.split(…, by={name!r})"


def _assign(tile, group, by: str, fractions, seed: int) -> np.ndarray:
    if by not in RULES:
        raise ValueError(f"by={by!r}: choose one of {', '.join(RULES)}")
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions {fractions}: three numbers from 0 on that sum to 1")
    if by == "patch":
        return _subsets(np.random.default_rng(seed).permutation(len(tile)), fractions)
    if by == "tile":
        return _by_unit(group, np.random.default_rng(seed).permutation(np.unique(group)), fractions)
    subset = np.zeros(len(tile), np.uint8)
    alone = min(len(np.unique(tile[group == name])) for name in np.unique(group)) < len(SUBSETS)
    stratum = np.full(len(tile), "all") if alone else group
    for name in np.unique(stratum):
        inside = stratum == name
        parts = np.unique(tile[inside])
        subset[inside] = _by_unit(tile[inside], np.roll(parts, -(seed % len(parts))), fractions)
    return subset


def _by_unit(unit: np.ndarray, order: np.ndarray, fractions) -> np.ndarray:
    """Give every patch the subset of its unit (image or group)."""
    if len(order) < np.count_nonzero(fractions):
        raise ValueError(f"{len(order)} image(s) or group(s) cannot fill {fractions}")
    positions = np.argsort(order)[np.searchsorted(np.sort(order), unit)]
    return _subsets(np.arange(len(order)), fractions)[positions]


def _subsets(order: np.ndarray, fractions) -> np.ndarray:
    """Deal positions out: the last to test, those before to validation, the rest to train."""
    counts = [max(1, round(f * len(order))) if f else 0 for f in fractions[1:]]
    if not fractions[0]:
        counts[0 if fractions[1] else 1] += len(order) - sum(counts)
    while sum(counts) > len(order) - bool(fractions[0]):
        counts[int(np.argmax(counts))] -= 1
    subset = np.zeros(len(order), np.uint8)
    subset[order[len(order) - sum(counts) :]] = 1
    subset[order[len(order) - counts[1] :]] = 2
    return subset


def splits(patches_h5: str | Path) -> list[str]:
    """Return the names of the splits that were made."""
    with store.opened(patches_h5, FORMAT) as file:
        return list(file.get("splits", ()))


def members(patches_h5: str | Path, subset: str, by: str = "tile-part") -> np.ndarray:
    """Return the positions (int64) of a subset's patches.

    Raises:
        KeyError: that split was never made, or no such subset.
        LeakError: the stored split has an image or a group on both sides.
    """
    with store.opened(patches_h5, FORMAT) as file:
        if f"splits/{by}" not in file:
            raise KeyError(f"no split {by!r} yet: make it with {_maker(by)}")
        if subset not in SUBSETS:
            raise KeyError(f"subset {subset!r}: choose one of {', '.join(SUBSETS)}")
        stored = file[f"splits/{by}"]
        _check(file, by, stored[:], stored.attrs.get("by", by))
        return np.flatnonzero(stored[:] == SUBSETS.index(subset))


def tiles(patches_h5: str | Path, subset: str, by: str = "tile-part") -> list[str]:
    """Return the ids of the images whose patches make up a subset."""
    if by == "patch":
        raise ValueError("a split by patch has no images of its own: every image is on both sides")
    found = members(patches_h5, subset, by)
    with store.opened(patches_h5, FORMAT) as file:
        return sorted(set(file["tile"].asstr()[:][found]))


def shares(patches_h5: str | Path, by: str = "tile-part") -> pd.DataFrame:
    """Return how many patches each subset has, and the share of each class among its pixels."""
    with store.opened(patches_h5, FORMAT) as file:
        names = store.scheme(file).names
        subset, counts = file[f"splits/{by}"][:], np.zeros((len(SUBSETS), len(names)), np.int64)
        for i, mask in enumerate(file["masks"]):
            counts[subset[i]] += np.bincount(mask.ravel(), minlength=len(names))
    table = pd.DataFrame(counts / counts.sum(axis=1, keepdims=True).clip(1), SUBSETS, names)
    table.insert(0, "patches", np.bincount(subset, minlength=len(SUBSETS)))
    return table
