"""Registry of data sets: what each is, where it lies, how its images and masks pair up.

Taught in notebook 01. `data/README.md` says how to get each of them.
"""
# ruff: noqa: F401, I001 (names that are there to be used as datasets.name)

from pathlib import Path

from segkit.datasets import dubai, folder, sample
from segkit.datasets.base import (
    Card, Dataset, DatasetError, DatasetNotFound, Tile, georeference, read_image, read_rgb_mask,
)  # fmt: skip
from segkit.files import REPOSITORY, data_root, shown

REGISTRY = {"sample": sample.find, "dubai": dubai.find}


def find(name: str, root: str | Path | None = None) -> Dataset:
    """Find a data set on disk.

    Args:
        name: "sample" (the embedded city, made on the spot), "dubai", or the path of a folder with
            `images/`, `masks/` and `classes.csv` (columns name, r, g, b and, optionally, ignore).
            Masks are pictures in these colors, or GeoTIFFs of one band of class indices.
        root: the folder that holds the data sets; `SEGKIT_DATA` or `data/` by default.

    Raises:
        DatasetNotFound: says where it was looked for and how to get it.
        DatasetError: an image has no mask, or a mask no image.
    """
    if name in REGISTRY:
        return REGISTRY[name](Path(root) if root else None)
    for place in (Path(root or data_root()) / name, REPOSITORY / name, Path(name)):
        if (place / "images").is_dir():
            return folder.find(place)
    raise DatasetNotFound(
        f"no data set {name!r}: choose one of {', '.join(REGISTRY)}, or give a folder that holds "
        f"images/, masks/ and classes.csv (looked in {shown(Path(root or data_root()) / name)})"
    )
