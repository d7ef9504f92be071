"""Colab and Kaggle: install what they lack, and leave what they have as it is.

The first code cell of a notebook finds the folder of the course and calls `install`. Only Python's
own library is used here: nothing else needs to be there yet. Taught in notebook 00.
"""

import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-colab.txt"
#: Set where Kaggle runs a notebook, in /kaggle/working; data sets lie in /kaggle/input.
KAGGLE = "KAGGLE_KERNEL_RUN_TYPE"


def main_ones(folder: Path) -> list[Path]:
    """Return the course's own notebooks of a folder, in order; no copy that somebody made there."""
    found = sorted(path for path in folder.glob("*.ipynb") if re.fullmatch(r"\d\d_\w+", path.stem))
    solved = {path.name for path in (folder / "solutions").glob("*.ipynb")}
    return [path for path in found if not solved or path.name in solved]


def names(requirements: Path = REQUIREMENTS) -> dict[str, str]:
    """Return package name → line of a requirements file, comments left out."""
    lines = (line.split("#")[0].strip() for line in requirements.read_text("utf-8").splitlines())
    return {re.match(r"[\w.-]+", line)[0]: line for line in lines if line}


def missing(requirements: Path = REQUIREMENTS) -> dict[str, str]:
    """Return those of `names` that are not installed, whatever their version."""
    return {name: line for name, line in names(requirements).items() if not _installed(name)}


def install(requirements: Path = REQUIREMENTS) -> None:
    """Install the missing packages alone: no dependency of theirs, nothing that is there already.

    A running notebook can use them at once. So no restart is needed, and NumPy, TensorFlow and
    Keras stay at their versions. On Kaggle, data are looked for among the notebook's inputs, and
    what the course makes goes to the notebook's output.

    Raises:
        RuntimeError: pip failed; its last lines say why.
    """
    if KAGGLE in os.environ:
        places = {"SEGKIT_DATA": Path("../input"), "SEGKIT_WORK": Path("work")}
        os.environ.update({k: str(path.resolve()) for k, path in places.items()} | os.environ)
    # Programs that a notebook starts find the course as the notebook itself does.
    paths = [str(REQUIREMENTS.parent), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    lacking = missing(requirements)
    if not lacking:
        return
    print("installing what is missing here:", ", ".join(lacking))
    _pip("--no-deps", *lacking.values())


def renew(*packages: str) -> None:
    """Install packages with all that they need, where the host has none, or older ones.

    To be called before they are imported: then no restart is needed.

    Args:
        packages: lines of a requirements file.

    Raises:
        RuntimeError: see `install`.
    """
    print("a newer one is needed here:", ", ".join(packages))
    _pip(*packages)


def _pip(*words: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *words], capture_output=True, text=True)
    if done.returncode:
        told = " (on Kaggle: turn the Internet on, in Settings)" if KAGGLE in os.environ else ""
        raise RuntimeError(f"pip could not install them{told}:\n{done.stderr[-1000:]}")
    importlib.invalidate_caches()


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
