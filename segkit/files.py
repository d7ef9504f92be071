"""Where files lie, and how they appear: whole or not at all, also with two writers."""

import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pooch
import psutil
from filelock import FileLock, Timeout
from tqdm import tqdm

#: Whose files these are; in a container, a user may have a number and no name.
USER = getattr(os, "getuid", os.getlogin)()
REPOSITORY = Path(__file__).resolve().parent.parent
#: What is not whole yet lies beside its place: .part-<process>-<random>-<name>.
PART = re.compile(r"\.part-(\d+)-[^-]+-(.+)")


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

    Whoever looks at `path` sees the old file or the new one, never half of one, nor one mixed from
    two writers: each has a name of its own, and the last to finish stays. What a killed process
    left is cleared by the next writer.

    Args:
        path: the file to write, or the folder, which must not be there yet; its own folder is
            made if need be.

    Yields:
        The temporary path to write to, in the same folder, with the same suffix. Nothing is there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".part-*"):
        found = PART.fullmatch(left.name)
        if found and found[2].startswith(path.name) and not psutil.pid_exists(int(found[1])):
            _remove(left)
    part = path.with_name(f".part-{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    try:
        yield part
        part.replace(path)
        path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)  # what GDAL noted of the old
    finally:
        _remove(part)


def settle(path: str | Path, text: str) -> Path:
    """Write a text, unless the file holds it already: its date stays then."""
    if not Path(path).exists() or Path(path).read_bytes() != text.encode():
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")
    return Path(path)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    shutil.rmtree(path, ignore_errors=True)  # does nothing to a file
    path.unlink(missing_ok=True)


@contextmanager
def alone(path: str | Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file or folder that several processes may want to make.

    Args:
        path: what is made; the lock goes with the process that holds it.
        wait: whether to wait, saying so, until the other is done.

    Raises:
        RuntimeError: another process holds it, and nobody waits.
    """
    name = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"segkit-{USER}-{name}.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        busy = f"{shown(path)} is being made by another process"
        if not wait:
            raise RuntimeError(f"{busy}: let it finish, or stop it") from error
        print(f"{busy}: waiting …", flush=True)
        held = lock.acquire()
    with held:
        yield


def progress(items: Iterable | None, label: str, total: int | None = None, **options) -> tqdm:
    """Show a bar over long work that is gone when done; `SEGKIT_PROGRESS=0` keeps it silent.

    Without items it is a bar to be moved by hand; more options are those of `tqdm`.
    """
    quiet = os.environ.get("SEGKIT_PROGRESS") == "0"
    return tqdm(items, desc=label, total=total, leave=False, disable=quiet, **options)
