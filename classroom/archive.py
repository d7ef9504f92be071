"""One archive to carry into a classroom that has no network.

    make archive                 (or: python -m classroom.archive)

It holds the course, all packages at their pinned versions for this kind of machine and this Python,
and the pretrained weights, downloaded if they are not in the cache of this machine yet. There:
`tar -xf pixels-to-maps.tar && cd pixels-to-maps && make course`.
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
#: What the course is, at its top; whatever else lies there is somebody's own.
COURSE = {".ci", ".github", ".gitignore", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"}
COURSE |= {"INSTRUCTORS.md", "LICENSE", "Makefile", "README.md", "benchmarks", "cityscape"}
COURSE |= {"classroom", "data", "environment.yml", "models", "notebooks", "pyproject.toml"}
COURSE |= {"requirements-colab.txt", "requirements.txt", "segkit", "tests"}
LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}
KEPT_OF_DATA = {"README.md"}


def copy_course(folder: Path) -> Path:
    """Copy the course as it is here, without what was downloaded or made, to a new folder."""
    return shutil.copytree(ROOT, folder, ignore=_left_out)


def _left_out(folder: str, names: list[str]) -> set[str]:
    if Path(folder) in (ROOT, ROOT / "data"):
        return set(names) - (COURSE if Path(folder) == ROOT else KEPT_OF_DATA)
    return {name for name in names if _is_left_out(Path(folder) / name)}


def _is_left_out(path: Path) -> bool:
    """Return whether a file or folder was downloaded or made, a virtual environment included."""
    known = path.name in LEFT_OUT or path.name.endswith(("_cache", ".egg-info"))
    return known or path == files.work_root() or (path / "pyvenv.cfg").exists()


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
    with tempfile.TemporaryDirectory() as scratch, files.whole(target) as part:
        folder = copy_course(Path(scratch) / NAME)
        download(folder / "wheels", requirements, options)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        (folder / "wheels" / "python").write_text(version, encoding="utf-8")  # for the Makefile
        (folder / "weights").mkdir()
        for encoder in weights.SOURCES:
            try:
                shutil.copy(weights.imagenet(encoder), folder / "weights")
            except weights.WeightsNotFound as error:
                print(
                    f"without the weights of {encoder}, which will start from random ones: {error}"
                )
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
