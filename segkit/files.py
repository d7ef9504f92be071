"""Where files lie, and how they appear: whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """Return the folder of downloaded data: `SEGKIT_DATA`, or `data/` of the course."""
    return _folder("SEGKIT_DATA", "data")


def work_root() -> Path:
    """Return the folder of all that the course makes: `SEGKIT_WORK`, or `work/` of the course."""
    return _folder("SEGKIT_WORK", "work")


def _folder(variable: str, name: str) -> Path:
    """Return the folder that a variable names, or `name`; relative paths start at the course."""
    home = REPOSITORY if (REPOSITORY / "pyproject.toml").exists() else Path.cwd()
    return (home / Path(os.environ.get(variable) or name).expanduser()).resolve()


def shown(path: str | Path) -> str:
    """Return a path as it is printed: relative to the course where it lies inside it."""
    path = Path(path).absolute()
    for root, label in ((work_root(), "work"), (data_root(), "data"), (REPOSITORY, "")):
        if path.is_relative_to(root):
            return (Path(label) / path.relative_to(root)).as_posix()
    return str(path)


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary name in the same folder, and rename it to `path` when all went well.

    Whoever looks at `path` sees the old file or the new one, never half of one. What a killed run
    left under the temporary name is written over by the next.

    Args:
        path: the file to write; its folder is made if need be.

    Yields:
        The temporary path to write to, in the same folder, with the same suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def progress(items: Iterable, label: str, total: int | None = None) -> Iterable:
    """Show a bar over long work that is gone when done; `SEGKIT_PROGRESS=0` keeps it silent."""
    quiet = os.environ.get("SEGKIT_PROGRESS") == "0"
    return tqdm(items, desc=label, total=total, leave=False, disable=quiet)
