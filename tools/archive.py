"""One archive to carry into a classroom that has no network.

    make archive                 (or: python -m tools.archive)

It holds the course, all packages at their pinned versions for this kind of machine and this Python,
and the pretrained weights that lie in the cache of this machine. There:
`tar -xf pixels-to-maps.tar && cd pixels-to-maps && make course PYTHON=python3.x`.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from segkit import files, weights

ROOT = Path(__file__).resolve().parent.parent
NAME = "pixels-to-maps"
LEFT_OUT = {".git", ".venv", ".hypothesis", "__pycache__", ".ipynb_checkpoints"}
LEFT_OUT |= {"work", "wheels", "weights"}
KEPT_OF_DATA = {"README.md"}


def copy_course(folder: Path) -> Path:
    """Copy the course as it is here, without what was downloaded or made, to a new folder."""
    return shutil.copytree(ROOT, folder, ignore=_left_out)


def _left_out(folder: str, names: list[str]) -> set[str]:
    if Path(folder) == ROOT / "data":
        return set(names) - KEPT_OF_DATA
    return {name for name in names if name in LEFT_OUT or name.endswith(("_cache", ".egg-info"))}


def download(folder: Path, requirements: Path, options: Sequence[str]) -> None:
    """Download packages as wheels; `options` are pip's, such as another index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), "-r", str(requirements)]
    subprocess.run([*command, *options], check=True)


def archive(target: Path, requirements: Path, options: Sequence[str] = ()) -> Path:
    """Write the archive.

    Args:
        target: the tar file; whole or not at all.
        requirements: the pinned list whose packages go along.
        options: more options of `pip download`.

    Returns:
        The target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch, files.whole(target) as part:
        folder = copy_course(Path(scratch) / NAME)
        download(folder / "wheels", requirements, options)
        for source in (source for sources in weights.SOURCES.values() for source in sources):
            if (found := weights.cache() / source.file).exists():
                (folder / "weights").mkdir(exist_ok=True)
                shutil.copy(found, folder / "weights")
        with tarfile.open(part, "w") as tar:
            tar.add(folder, NAME)
    return target


def main() -> None:
    """Pack the course, its packages and its pretrained weights into one archive."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--target", type=Path, default=files.work_root() / f"{NAME}.tar")
    parser.add_argument("--requirements", type=Path, default=ROOT / "requirements.txt")
    known = parser.parse_args()
    path = archive(known.target, known.requirements)
    print(f"{files.shown(path)}: {path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
