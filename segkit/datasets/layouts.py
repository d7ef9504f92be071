"""From a table of names and patterns to pairs of files; `table.toml` holds the known data sets.

A pattern is the path of an image, or of its mask, without what follows the last dot: "{id}" stands
for any name, "{id:[0-9]+}" for one that the expression fits, a leading "**/" for any folders.
"""

import glob
import re
import tomllib
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from segkit import classes
from segkit.classes import ClassScheme
from segkit.datasets.base import Dataset, Tile, card_of
from segkit.datasets.readers import SUFFIXES, DatasetError

FIELD = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^}]*\})*))?\}")
#: A folder of one's own, unless its dataset.toml says otherwise.
PLAIN = {"layouts": [{"image": "images/{id}", "mask": "masks/{id}"}]}
#: What pixels near a border are in some of the masks: of no class.
BOUNDARY = ("Boundary", (0, 0, 0))


class DatasetNotFound(FileNotFoundError):
    """A data set is not where it should be; the message says how to get it."""


def table() -> dict[str, dict]:
    """Return name → what is known of that data set, in the order of `table.toml`."""
    found = tomllib.loads(Path(__file__).with_name("table.toml").read_text(encoding="utf-8"))
    return {name: found.get(entry.get("like"), {}) | entry for name, entry in found.items()}


def find_in(folders: Iterable[Path], name: str, entry: dict) -> Dataset | None:
    """Find the pairs of an entry in the first of some folders that holds any; None if none does.

    Raises:
        DatasetError: an image has no mask or a mask no image, or a file that fits no pattern.
    """
    for folder in filter(Path.is_dir, folders):
        for layout in entry["layouts"]:
            if pairs := _pairs(folder, layout, entry.get("unlabeled", False)):
                return _dataset(name, entry | layout, pairs)
    return None


def find_own(folder: Path) -> Dataset:
    """Find the pairs of a folder that says itself what it holds.

    Args:
        folder: with `classes.csv`, and `images/` and `masks/` or what `dataset.toml` says, whose
            keys are those of an entry of `table.toml`.
    """
    stated, name = folder / "dataset.toml", folder.resolve().name
    entry = PLAIN | tomllib.loads(stated.read_text("utf-8-sig") if stated.exists() else "")
    if "scheme" not in entry:
        entry["scheme"] = vars(read_scheme(folder / "classes.csv"))
    if found := find_in([folder], name, entry):
        return found
    told = f"{folder} holds no pair of image and mask: {entry['layouts']}"
    raise DatasetNotFound(f"{told}; patterns have no ending such as .png (see data/README.md)")


def read_scheme(path: Path) -> ClassScheme:
    """Read a class scheme from a CSV with the columns name, r, g, b and, optionally, ignore."""
    if not path.exists():
        raise DatasetNotFound(f"{path} is missing: a CSV with the columns name, r, g, b, ignore")
    how = {"dtype": str, "skipinitialspace": True, "encoding": "utf-8-sig", "index_col": False}
    table = pd.read_csv(path, na_filter=False, **how).rename(columns=lambda x: x.strip().lower())
    if missing := {"name", "r", "g", "b"} - {*table}:
        raise DatasetError(f"{path}: no column {', '.join(sorted(missing))}")
    said = table.get("ignore", pd.Series("", table.index)).str.strip().str.lower()
    ignored = table.index[~said.isin(("", "0", "0.0", "no", "false"))].tolist()
    if len(ignored) > 1:
        raise DatasetError(f"{path}: one class at most can be ignored, not {len(ignored)}")
    colors = table[["r", "g", "b"]].astype(int).to_numpy()
    return ClassScheme(path.parent.resolve().name, table["name"].str.strip(), colors, *ignored)


def _natural(tile: Tile) -> list:
    """Sort "Tile 2" before "Tile 10"."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", tile.id)]


def _dataset(name: str, entry: dict, pairs: list[tuple[dict, Path, Path]]) -> Dataset:
    """Make tiles of pairs; the card is that of the first image, but for what the entry says."""
    scheme = entry["scheme"]
    scheme = getattr(classes, scheme) if isinstance(scheme, str) else ClassScheme(**scheme)
    if entry.get("boundary"):
        scheme = scheme.ignoring(*BOUNDARY)
    tiles = []
    for fields, image, mask in pairs:
        plain = "_".join(fields[name] for name in dict(FIELD.findall(entry["image"])))
        called = (entry["id"].format(**fields) if "id" in entry else plain).replace("/", "_")
        group = entry["group"].format(**fields) if "group" in entry else called
        tiles.append(Tile(called, group, image, mask))
    if len({tile.id for tile in tiles}) < len(tiles):
        raise DatasetError(f"{name}: two images are called alike; say id = … with more fields")
    known = {key: entry[key] for key in ("bands", "gsd", "parts") if key in entry}
    card = card_of(tiles[0].image, dataset=name, scheme=scheme, **known)
    named = {x: x for x in scheme.names}  # another name is a KeyError
    recolor = {tuple(color): named[to] for color, to in entry.get("recolor", ())}
    how = {"values": entry.get("values", ()), "pure": entry.get("pure", False)}
    return Dataset(card, tuple(sorted(tiles, key=_natural)), recolor, **how)


def _pairs(folder: Path, layout: dict, unlabeled: bool) -> list[tuple[dict, Path, Path]]:
    """Pair images and masks by the fields of their patterns; never by their order in a listing."""
    images, masks = (_fitting(folder, layout[x].removeprefix("./")) for x in ("image", "mask"))
    if not images or (unlabeled and not masks):
        return []
    for key in sorted(images.keys() ^ masks.keys(), key=repr):
        if key not in images:
            raise DatasetError(f"{masks[key]}: no image {layout['image']} in {folder}")
        if not unlabeled:
            raise DatasetError(f"{images[key]}: no mask {layout['mask']} in {folder}")
    if left := sorted(images[key] for key in images.keys() - masks.keys()):
        told = f"{folder}: images without a mask are left out: {len(left)}, as {left[0].name}"
        warnings.warn(told, stacklevel=4)
    known = {*images.values(), *masks.values()}
    beside = {p for d in {one.parent for one in known} for p in d.iterdir() if _is_picture(p)}
    if (others := sorted(beside - known)) and not unlabeled:
        wanted = f"neither as an image, {layout['image']}, nor as a mask, {layout['mask']}"
        raise DatasetError(f"{others[0]} is named {wanted}: rename it, or move it away")
    return [(dict(key), images[key], masks[key]) for key in images if key in masks]


def _fitting(folder: Path, pattern: str) -> dict[tuple, Path]:
    """Return fields → file for the files below a folder that fit a pattern."""
    plain, found = pattern.removeprefix("**/"), {}
    # parts: text, field, its expression, text, …
    parts, fits = FIELD.split(plain), "(?:.*/)?" if plain != pattern else ""
    for text, name, what in zip(parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True):
        # A field that comes again is the same text again.
        field = f"(?P={name})" if f"<{name}>" in fits else f"(?P<{name}>{what or '[^/]+'})"
        fits += re.escape(text) + (field if name else "")
    wide = re.sub(r"\*+", "*", "*".join(map(glob.escape, parts[::3]))) + ".*"
    wide = "**/" + wide if plain != pattern else wide
    for name in sorted(glob.glob(wide, root_dir=folder, recursive=True)):  # noqa: PTH207 (links)
        path, inside = folder / name, Path(name).with_suffix("").as_posix()
        if not _is_picture(path) or not (match := re.fullmatch(fits, inside)):
            continue
        key = tuple(sorted(match.groupdict().items()))
        if key in found:
            raise DatasetError(f"{path} and {found[key]}: two files of one name; keep one")
        found[key] = path
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
