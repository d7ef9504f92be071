"""Where files lie, and how they appear: whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pooch
from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """Return the folder of downloaded data: `SEGKIT_DATA`, or `data/` of the course."""
    return folder("SEGKIT_DATA", "data")


def work_root() -> Path:
    """Return the folder of all that the course makes: `SEGKIT_WORK`, or `work/` of the course."""
    return folder("SEGKIT_WORK", "work")


def cache_root() -> Path:
    """Return the folder of what is downloaded on the way: `SEGKIT_CACHE`, or the user's cache."""
    return folder("SEGKIT_CACHE", pooch.os_cache("segkit"))


def folder(variable: str, default: str | Path) -> Path:
    """Return the folder that a variable names, or `default`; relative paths start at the course."""
    home = REPOSITORY if (REPOSITORY / "pyproject.toml").exists() else Path.cwd()
    return (home / Path(os.environ.get(variable) or default).expanduser()).resolve()


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


RECORD = "sample.json"


def whole_folder(folder: str | Path, stamp: dict, write: Callable[[Path], None]) -> Path:
    """Fill a folder whole or not at all, and leave a finished one as it is.

    Args:
        folder: where the files go.
        stamp: what was made, kept in the folder as `sample.json` beside the list of its files.
        write: fills the folder that it is given.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something else.
    """
    folder = Path(folder)
    known = _record(folder)
    if known is None and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds something else: name an empty or a new folder")
    if (
        known
        and stamp.items() <= known.items()
        and all((folder / x).exists() for x in known["files"])
    ):
        return folder
    part, old = (folder.with_name(folder.name + suffix) for suffix in (".part", ".old"))
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        write(part)
        files = sorted(p.relative_to(part).as_posix() for p in part.rglob("*") if p.is_file())
        text = json.dumps({**stamp, "files": files}, indent=1)
        (part / RECORD).write_text(text, encoding="utf-8")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _record(folder: Path) -> dict | None:
    """Return the record of a finished folder, or None."""
    try:
        known = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return known if isinstance(known["files"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def progress(items: Iterable | None, label: str, total: int | None = None, **options) -> tqdm:
    """Show a bar over long work that is gone when done; `SEGKIT_PROGRESS=0` keeps it silent.

    Without items it is a bar to be moved by hand; more options are those of `tqdm`.
    """
    quiet = os.environ.get("SEGKIT_PROGRESS") == "0"
    return tqdm(items, desc=label, total=total, leave=False, disable=quiet, **options)
