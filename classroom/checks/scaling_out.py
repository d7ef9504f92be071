"""Checks of notebook 14 Scaling out."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `hours` to a number: pixels of the country, over pixels an hour of all cores.",
    "An afternoon for a hundred cores, half a month for one.",
)
def country_hours(hours):
    """14, warm-up: how long a country takes."""
    (found,) = numbers(hours, 1)
    right = 83_600e6 / 0.25 / (5e6 / 20) / 100 / 3600
    if 3.5 <= found <= 4.1:
        return
    for wrong, why in {
        right * 3600: "These are seconds.",
        right * 100: "This is one core alone.",
        right / 2: "A pixel of 0.5 m covers 0.25 m², not 0.5.",
        right / 4: "This is with pixels of 1 m.",
        right / 24: "These are days.",
        right / 1e6: "A square kilometer has a million square meters.",
    }.items():
        if near(found, wrong, 0.01 * wrong):
            raise Wrong(why)
    raise Wrong("Pixels: km² · 1,000,000 / 0.25. A core maps 5 million in 20 s; there are 100.")


@check(
    "Set `workers` to a whole number.",
    "Memory is what runs out first, not cores.",
)
def worker_count(workers):
    """14, knob: how many workers a machine holds."""
    (found,) = numbers(workers, 1)
    if found == 13:
        return
    if found == 16:
        raise Wrong("All cores would have work, and the machine no memory: 16 · 1.5 GB = 24 GB.")
    if found in (18, 21):
        raise Wrong("A worker needs memory for its scene, too.")
    if near(found, 20 / 1.5, 0.1):
        raise Wrong("Workers come whole.")
    if found == 14:
        raise Wrong("Rounded up, the last one does not fit.")
    raise Wrong("What may be used, divided by what one worker needs with its scene, rounded down.")


class Died(Exception):
    """The worker is gone."""


def _dying(target: Path, seen: list):
    """Yield a piece, look whether the file has its name already, then die as a worker does."""
    yield b"half"
    seen.append(target.exists())
    raise Died


@check(
    "`task` takes a path and pieces of bytes, and writes them there.",
    "Written under another name, then renamed: half a file never has the name that counts.",
)
def whole_task(task):
    """14, repair: half a file that looks like a whole one."""
    with tempfile.TemporaryDirectory() as folder:
        target, seen = Path(folder) / "map.tif", []
        try:
            task(target, _dying(target, seen))
        except Died:
            pass
        except Exception as error:
            raise Wrong(f"It stops with {type(error).__name__}: {error}") from None
        else:
            raise Wrong("A worker that dies must not pass for one that has finished.")
        if target.exists():
            raise Wrong("Half a file lies there, and the rerun takes it for a whole one.")
        if any(seen):
            raise Wrong("It takes the half file away when it fails; one who is killed cannot.")
        before = {*Path(folder).iterdir(), target}
        sizes = _sizes_when_renamed(task, target, [b"a", b"b"])
        if not target.exists() or target.read_bytes() != b"ab":
            raise Wrong("The rerun must write all pieces, and nothing of the first try.")
        call(task, target, [b"other"], parts=0)
        if target.read_bytes() != b"ab":
            raise Wrong("What is done must not be done again.")
        if left := sorted(path.name for path in {*Path(folder).iterdir()} - before):
            raise Wrong(f"After a whole run something is left over: {', '.join(left)}.")
        if not sizes:
            raise Wrong("It writes under the name that counts: half of it may be seen there.")
        if sizes[-1] != 2:
            raise Wrong(
                "It renames while the file is still open, and not all is written: one indent."
            )


def _sizes_when_renamed(task, target: Path, pieces: list[bytes]) -> list[int]:
    """Run a task; return how many bytes each file had at the moment of its renaming."""
    sizes = []

    def watched(rename):
        def renamed(source, *where, **how):
            sizes.append(Path(source).stat().st_size)
            return rename(source, *where, **how)

        return renamed

    with ExitStack() as patched:
        for name in ("replace", "rename", "link"):
            plain, own = getattr(os, name), getattr(task, "__globals__", {})
            patched.enter_context(mock.patch.object(os, name, seen := watched(plain)))
            if own.get(name) is plain:  # from os import replace
                patched.enter_context(mock.patch.dict(own, {name: seen}))
        call(task, target, pieces, parts=0)
    return sizes
