"""Registry of data sets: what each is, where it lies, how its images and masks pair up.

Taught in notebooks 01 and 09. `data/README.md` says how to get each of them.
"""
# ruff: noqa: F401, I001 (names that are there to be used as datasets.name)

from importlib.util import find_spec
from pathlib import Path

import pooch

from segkit.datasets.base import Card, Dataset, Tile
from segkit.datasets.layouts import DatasetNotFound, find_in, find_own, table
from segkit.datasets.outlines import from_polygons
from segkit.datasets.readers import (
    DatasetError, georeference, nodata, read_image, read_rgb_mask, size,
)  # fmt: skip
from segkit.files import REPOSITORY, data_root, shown, whole, work_root

#: Names that `find` knows, and what is known of each.
REGISTRY = table()


def find(name: str, root: str | Path | None = None) -> Dataset:
    """Find a data set on disk.

    Args:
        name: one of `REGISTRY`: "sample" and "second_city", cities made on the spot, "dubai",
            "deepglobe", …; or the path of a folder with `images/`, `masks/` and `classes.csv`
            (columns name, r, g, b and, optionally, ignore), or with a `dataset.toml` that says how
            files are named. Masks are pictures in these colors, or class numbers in one band.
        root: the folder that holds the data sets; `SEGKIT_DATA` or `data/` by default.

    Raises:
        DatasetNotFound: says where it was looked for and how to get it.
        DatasetError: an image has no mask or a mask no image; a file that fits no pattern.
    """
    entry, data = REGISTRY.get(name, {}), Path(root or data_root())
    if city := entry.get("city"):
        return find_in([_made((root and data or work_root()) / name / "city", city)], name, entry)
    if entry:
        folders = [data / folder for folder in entry.get("folders", [name])]
        if {Path(entry["example"]).parts[0], "img_dir"} & {path.name for path in data.glob("*")}:
            folders.append(data)  # the root is the data set's own folder
        if found := find_in(folders, name, entry):
            return found
        raise _missing(name, folders[0])
    for place in (data / name, REPOSITORY / name, Path(name)):
        if (place / "images").is_dir() or (place / "dataset.toml").exists():
            try:
                return find_own(place)
            except (DatasetError, DatasetNotFound):
                raise
            except Exception as error:
                told = "its dataset.toml or classes.csv must be corrected"
                raise DatasetError(f"{place}: {told} ({error!r})") from error
    raise _missing(name, data / name)


def fetch(name: str, root: str | Path | None = None) -> Path:
    """Download a data set, where its source allows it; one that is there stays as it is.

    Args:
        name: one of `REGISTRY`.
        root: the folder that holds the data sets; `SEGKIT_DATA` or `data/` by default.

    Returns:
        Its folder, where `find` looks for it.

    Raises:
        DatasetNotFound: a form must be signed, kagglehub is not installed (it comes with the extra
            `fetch`), or nobody knows such a name; says the next step.
    """
    entry, data = REGISTRY.get(name, {}), Path(root or data_root())
    target, *more = (data / folder for folder in entry.get("folders", [name]))
    if found := [x for x in (target, *more) if x.exists() and any(x.iterdir())]:
        return found[0]
    if not entry.keys() & ({"kaggle", "files"} if find_spec("kagglehub") else {"files"}):
        raise _missing(name, target)
    with whole(target) as part:
        if "kaggle" in entry:
            import kagglehub

            kagglehub.dataset_download(entry["kaggle"], output_dir=str(part))
        for address, known in entry.get("files", {}).items():
            unzip = pooch.Unzip(extract_dir=str(part.resolve()))
            pooch.retrieve(address, known, processor=unzip, progressbar=True)
    return target


def _missing(name: str, folder: Path) -> DatasetNotFound:
    """Return the error that says where a data set should be, and how to get it."""
    if name not in REGISTRY:
        known, where = ", ".join(REGISTRY), f"(looked in {shown(folder)})"
        how = f"choose one of {known}, or give a folder that holds images/, masks/ and classes.csv"
        return DatasetNotFound(f"no data set {name!r}: {how} {where}")
    entry, example = REGISTRY[name], shown(folder / REGISTRY[name]["example"])
    how = "or point SEGKIT_DATA at the folder that holds the data sets. See data/README.md."
    text = f"{entry['title']} is not in {shown(folder)}. {entry['get']}"
    return DatasetNotFound(f"{text}, so that {example!r} exists, {how}")


def _made(folder: Path, city: str) -> Path:
    """Make an embedded city where it is not there yet; return its folder."""
    try:
        import cityscape
    except ModuleNotFoundError as error:
        text = "the embedded city needs the package cityscape: install the whole project"
        raise DatasetNotFound(f"{text}, or name a data set of your own") from error
    return cityscape.write(folder, getattr(cityscape, city), progress=True)
