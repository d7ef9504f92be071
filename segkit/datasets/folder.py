"""Any folder with `images/`, `masks/` and `classes.csv`."""

import csv
from pathlib import Path

from segkit.classes import ClassScheme
from segkit.datasets.base import Dataset, DatasetError, DatasetNotFound, Tile, described, pairs


def find(folder: Path) -> Dataset:
    """Find the pairs of a folder; each image is a group of its own."""
    name, scheme = folder.resolve().name, _scheme(folder / "classes.csv")
    found = pairs(folder / "images", folder / "masks")
    if not found:
        raise DatasetNotFound(f"{folder / 'images'} holds no picture")
    tiles = tuple(Tile(image.stem, image.stem, image, mask) for image, mask in found)
    return Dataset(described(tiles[0].image, dataset=name, scheme=scheme), tiles)


def _scheme(path: Path) -> ClassScheme:
    if not path.exists():
        raise DatasetNotFound(f"{path} is missing: a CSV with the columns name, r, g, b, ignore")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    missing = {"name", "r", "g", "b"} - set(rows[0] if rows else ())
    if missing:
        raise DatasetError(f"{path}: no column {', '.join(sorted(missing))}")
    ignored = [i for i, row in enumerate(rows) if row.get("ignore") in ("1", "yes")]
    if len(ignored) > 1:
        raise DatasetError(f"{path}: one class at most can be ignored, not {len(ignored)}")
    colors = [(int(row["r"]), int(row["g"]), int(row["b"])) for row in rows]
    names = [row["name"] for row in rows]
    return ClassScheme(path.parent.resolve().name, names, colors, ignored[0] if ignored else None)
