"""The embedded city: made on first use, beside what the course makes of it."""

from pathlib import Path

from segkit.datasets import dubai
from segkit.datasets.base import Dataset, DatasetNotFound
from segkit.files import work_root


def find(root: Path | None) -> Dataset:
    """Make the city where it is not there yet, and find its tiles."""
    try:
        import cityscape
    except ModuleNotFoundError as error:
        text = "the embedded city needs the package cityscape: install the whole project"
        raise DatasetNotFound(f"{text}, or name a data set of your own") from error
    folder = cityscape.write((root or work_root()) / "sample" / "city", progress=True)
    return dubai.laid_out("sample", folder / dubai.FOLDER)
