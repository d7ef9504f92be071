"""A stand-in for Colab: NumPy, TensorFlow and Keras are there, the course is not.

    python -m classroom.stand_in                                       all main notebooks
    python -m classroom.stand_in notebooks/03_unet_from_scratch.ipynb  one, or some
    SEGKIT_PROFILE=smoke make colab                                    with trainings of seconds

Each notebook is opened first and alone: an empty folder in place of /content holds the notebook and
a "mounted Drive" with the course in it; the environment sees what Colab has of the course's
packages (links to those installed here), and a module `google.colab`. What the set-up cell installs
comes from the package index, as on Colab. At the end every version that was there must be there.
"""

import argparse
import importlib.metadata
import json
import os
import re
import subprocess
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterable
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from classroom.archive import copy_course

ROOT = Path(__file__).resolve().parent.parent
#: What the image of Colab has of the packages that the course needs; what these need is there too.
#: After the lists that Colab publishes (googlecolab/backend-info on GitHub). jupyterlab is not
#: among them: on Colab, Colab shows the notebooks.
COLAB_HAS = (
    "attrs", "certifi", "click", "filelock", "folium", "geopandas", "geopy", "h5py", "ipykernel",
    "ipython", "ipywidgets", "joblib", "jupyter-client", "keras", "matplotlib", "nbclient",
    "nbformat", "numpy", "packaging", "pandas", "pillow", "pip", "pooch", "pyparsing", "pyproj",
    "requests", "scikit-image", "scikit-learn", "scipy", "setuptools", "shapely", "tensorflow",
    "tqdm",
)  # fmt: skip
DRIVE = Path("drive/MyDrive/Colab Notebooks/pixels-to-maps")
CELL_TIMEOUT_S = 3600
VERSIONS = """
import importlib.metadata, json
names = {d.name.lower() for d in importlib.metadata.distributions()}
print(json.dumps({name: importlib.metadata.version(name) for name in names}))
"""


def closure(names: Iterable[str]) -> set[str]:
    """Return packages and all that they need here, installed or not, names in canonical form."""
    found, waiting = set(), [canonicalize_name(name) for name in names]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += [canonicalize_name(one.name) for one in needs(name)]
    return found


def needs(name: str) -> list[Requirement]:
    """Return what an installed package needs on this Python; nothing for one that is missing."""
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted = [Requirement(line) for line in lines]
    return [one for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]


def environment(folder: Path) -> Path:
    """Make a virtual environment that looks like Colab's; return its Python.

    The packages of the image are links in a folder of their own, which pip counts as installed and
    never writes to.
    """
    image = folder / "image"
    image.mkdir(parents=True)
    for name in closure(COLAB_HAS):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            found = Path(importlib.metadata.distribution(name).locate_file(top))
            if found.exists() and not (image / top).exists():
                (image / top).symlink_to(found)
    venv.EnvBuilder(symlinks=True).create(folder / "venv")
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (packages / "google" / "colab").mkdir(parents=True)
    (packages / "google" / "colab" / "__init__.py").touch()
    (packages / "image.pth").write_text(f"{image}\nimport google.colab\n", encoding="utf-8")
    return folder / "venv" / "bin" / "python"


def variables() -> dict[str, str]:
    """Return this process's variables without those that would lead to the course.

    The profile is the one that `SEGKIT_PROFILE` names, or else "quick": no GPU is waited for.
    """
    kept = {k: v for k, v in os.environ.items() if not re.match("PYTHON|SEGKIT|VIRTUAL_ENV", k)}
    chosen = os.environ.get("SEGKIT_PROFILE", "quick")
    return {**kept, "SEGKIT_PROFILE": chosen, "SEGKIT_PROGRESS": "0"}


def versions(python: Path) -> dict[str, str]:
    """Return the version of every package that a Python sees."""
    command = [python, "-c", VERSIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables())
    return json.loads(done.stdout)


def run(notebook: Path, folder: Path) -> set[str]:
    """Open one notebook, first and alone, and run it to its end.

    Args:
        notebook: its path.
        folder: an empty one; the executed notebook stays in its `content`.

    Returns:
        The packages that the set-up cell has installed.

    Raises:
        CellExecutionError: a cell failed.
        AssertionError: a version that was there is another now.
    """
    content, python = folder / "content", environment(folder)
    copy_course(content / DRIVE)
    kernel = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    kernel |= {"display_name": "Colab", "language": "python"}
    (folder / "kernels" / "colab").mkdir(parents=True)
    (folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(kernel), "utf-8")
    before = versions(python)
    opened = nbformat.read(notebook, as_version=4)
    found = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = KernelManager(kernel_name="colab", kernel_spec_manager=found)
    place = {"metadata": {"path": str(content)}}
    quiet = ["--IPKernelApp.log_level=ERROR"]
    client = NotebookClient(
        opened, km=manager, timeout=CELL_TIMEOUT_S, resources=place, extra_arguments=quiet
    )
    try:
        client.execute(env=variables())
    finally:
        manager.shutdown_kernel(now=True)
        nbformat.write(opened, content / notebook.name)
    after = versions(python)
    changed = {name: after.get(name) for name in before if after.get(name) != before[name]}
    assert not changed, f"versions that the set-up changed: {changed}"
    return set(after) - set(before)


def main() -> None:
    """Run notebooks on the stand-in, each opened first and alone."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path)
    main_ones = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    for notebook in parser.parse_args().notebooks or main_ones:
        began = time.perf_counter()
        print(f"{notebook.stem} … ", end="", flush=True)
        with tempfile.TemporaryDirectory(prefix="colab-") as folder:
            installed = run(notebook.resolve(), Path(folder))
        seconds = time.perf_counter() - began
        print(f"{seconds:.0f} s, installed: {', '.join(sorted(installed)) or 'nothing'}")


if __name__ == "__main__":
    main()
