"""A folder of made files: whole or not at all, also with several writers."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from segkit.files import whole

RECORD = "sample.json"
#: What a folder may hold beside its files: what programs leave there, and what the course adds.
AFTERWARDS = re.compile(r"(^|/)\.|\.aux\.xml$|^(districts|scene_\w+)/")


def whole_folder(folder: str | Path, stamp: dict, write: Callable[[Path], None]) -> Path:
    """Fill a folder whole or not at all, and leave a finished one as it is.

    Several processes may do so at once: each fills a folder of its own, and the first to finish
    stays.

    Args:
        folder: where the files go.
        stamp: what was made, kept in the folder as `sample.json` beside the list of its files.
        write: fills the folder that it is given.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something else, or a file of your own.
    """
    folder = Path(folder)
    if _finished(folder, stamp):
        return folder
    known, kind = _record(folder), stamp.get("kind")
    other = known is None or known.get("kind", kind) != kind
    if folder.exists() and any(folder.iterdir()) and other:
        raise FileExistsError(f"{folder} holds something else: name an empty or a new folder")
    _refuse_own(folder)
    try:
        with whole(folder) as part:
            part.mkdir()
            write(part)
            text = json.dumps({**stamp, "files": sorted(_files(part))}, indent=1)
            (part / RECORD).write_text(text, encoding="utf-8")
            if not _finished(folder, stamp):
                _refuse_own(folder)  # saved there in the meantime
                _clear(folder)
    except OSError:  # a folder is never renamed onto one that holds files
        if not _finished(folder, stamp):
            raise
    return folder


def _files(folder: Path) -> set[str]:
    """Return the files below a folder, but for those that `AFTERWARDS` names."""
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return {name for name in found if not AFTERWARDS.search(name)}


def _refuse_own(folder: Path) -> None:
    """Raise if a folder that is to be cleared holds a file that was not made here."""
    known = _record(folder)
    own = known and sorted(_files(folder) - {*known["files"], RECORD})
    if own and _record(folder) == known:  # else another writer was faster
        raise FileExistsError(f"{folder} is made anew, but {own[0]} is of your own: move it away")


def _finished(folder: Path, stamp: dict) -> bool:
    """Return whether a folder holds all that its record lists, and was made as the stamp says."""
    known = _record(folder)
    return (
        known is not None
        and stamp.items() <= known.items()
        and all((folder / name).exists() for name in known["files"])
    )


def _record(folder: Path) -> dict | None:
    """Return the record of a finished folder, or None."""
    try:
        known = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return known if isinstance(known["files"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _clear(folder: Path) -> None:
    """Take an older folder away in one step, so that its name never holds half of one."""
    # The name is one of `files.whole`: the next writer clears it if this process is killed.
    prefix, suffix = f".part-{os.getpid()}-", f"-{folder.name}"
    with tempfile.TemporaryDirectory(prefix=prefix, suffix=suffix, dir=folder.parent) as old:
        try:
            folder.rename(Path(old) / folder.name)
        except FileNotFoundError:
            return  # nothing there, or another writer was faster
