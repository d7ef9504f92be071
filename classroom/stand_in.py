"""A stand-in for Colab and for Kaggle: NumPy, TensorFlow and Keras are there, the course is not.

    python -m classroom.stand_in                                       all main notebooks
    python -m classroom.stand_in notebooks/03_unet_from_scratch.ipynb  one, or some
    python -m classroom.stand_in --kaggle …                            as on Kaggle
    SEGKIT_PROFILE=smoke make colab                                    with trainings of seconds

Each notebook is opened first and alone. For Colab, an empty folder in place of /content holds the
notebook and a "mounted Drive" with the course in it; for Kaggle, one in place of /kaggle holds the
course as a data set in `input` and the notebook in `working`. The environment sees what Colab has
of the course's packages (links to those installed here; Kaggle's image is made of Colab's). What
the set-up cell installs comes from the package index, as there. At the end every version that was
there must be there, and no file of the course may be new: on Kaggle nobody can write to it.
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
from collections import namedtuple
from collections.abc import Iterable
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from classroom import colab
from classroom.archive import copy_course

ROOT = Path(__file__).resolve().parent.parent
#: What the image of Colab has of the packages that the course needs; what these need is there too.
#: After the lists that Colab publishes (googlecolab/backend-info on GitHub). jupyterlab is not
#: among them: on Colab, Colab shows the notebooks.
COLAB_HAS = (
    "attrs", "bokeh", "certifi", "click", "dask", "distributed", "filelock", "folium", "fsspec",
    "geopandas", "geopy", "h5py", "ipykernel", "ipython", "ipywidgets", "jinja2", "joblib",
    "jupyter-client", "keras", "matplotlib", "nbclient", "nbformat", "numpy", "packaging", "pandas",
    "pillow", "pip", "pooch", "psutil", "pyparsing", "pyproj", "python-dateutil", "requests",
    "scikit-image", "scikit-learn", "scipy", "setuptools", "shapely", "tensorboard", "tensorflow",
    "tqdm", "wandb",
)  # fmt: skip
#: A host of notebooks: where one is opened, where the course lies, what tells the host apart.
Host = namedtuple("Host", "name opened course variables")
COLAB = Host("Colab", "content", "content/drive/MyDrive/Colab Notebooks/pixels-to-maps", {})
KAGGLE = Host(
    "Kaggle", "kaggle/working", "kaggle/input/pixels-to-maps", {colab.KAGGLE: "Interactive"}
)
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


def environment(folder: Path, host: Host = COLAB) -> Path:
    """Make a virtual environment that looks like a host's; return its Python.

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
    paths = [str(image)]
    if host is COLAB:
        (packages / "google" / "colab").mkdir(parents=True)
        (packages / "google" / "colab" / "__init__.py").touch()
        paths.append("import google.colab")
    (packages / "image.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    return folder / "venv" / "bin" / "python"


def variables() -> dict[str, str]:
    """Return this process's variables without those that would lead to the course.

    The profile is the one that `SEGKIT_PROFILE` names, or else "quick": no GPU is waited for.
    """
    own = "PYTHON|SEGKIT|VIRTUAL_ENV|KAGGLE"
    kept = {k: v for k, v in os.environ.items() if not re.match(own, k)}
    chosen = os.environ.get("SEGKIT_PROFILE", "quick")
    return {**kept, "SEGKIT_PROFILE": chosen, "SEGKIT_PROGRESS": "0"}


def versions(python: Path) -> dict[str, str]:
    """Return the version of every package that a Python sees."""
    command = [python, "-c", VERSIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables())
    return json.loads(done.stdout)


def run(notebook: Path, folder: Path, host: Host = COLAB) -> set[str]:
    """Open one notebook, first and alone, and run it to its end.

    Args:
        notebook: its path.
        folder: an empty one; the executed notebook stays there, where the host opens it.
        host: whose stand-in.

    Returns:
        The packages that the set-up cell has installed.

    Raises:
        CellExecutionError: a cell failed.
        AssertionError: a version that was there is another now, or the course's folder has files
            that it had not.
    """
    content, python = folder / host.opened, environment(folder, host)
    content.mkdir(parents=True)
    home = copy_course(folder / host.course)
    files = _files(home)
    kernel = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    kernel |= {"display_name": host.name, "language": "python"}
    (folder / "kernels" / "host").mkdir(parents=True)
    (folder / "kernels" / "host" / "kernel.json").write_text(json.dumps(kernel), "utf-8")
    before = versions(python)
    opened = nbformat.read(notebook, as_version=4)
    found = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = KernelManager(kernel_name="host", kernel_spec_manager=found)
    place = {"metadata": {"path": str(content)}}
    quiet = ["--IPKernelApp.log_level=ERROR"]
    client = NotebookClient(
        opened, km=manager, timeout=CELL_TIMEOUT_S, resources=place, extra_arguments=quiet
    )
    try:
        client.execute(env=variables() | host.variables)
    finally:
        manager.shutdown_kernel(now=True)
        nbformat.write(opened, content / notebook.name)
    after = versions(python)
    changed = {name: after.get(name) for name in before if after.get(name) != before[name]}
    assert not changed, f"versions that the set-up changed: {changed}"
    written = {} if host is COLAB else _files(home) - files
    assert not written, f"written where Kaggle lets nobody write: {sorted(written)[:3]}"
    return set(after) - set(before)


def _files(folder: Path) -> set[str]:
    """Return what lies in a folder, but for what Python compiles."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


def main() -> None:
    """Run notebooks on the stand-in, each opened first and alone."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--kaggle", action="store_const", const=KAGGLE, default=COLAB, dest="host")
    known, given = colab.main_ones(ROOT / "notebooks"), parser.parse_args()
    for notebook in given.notebooks or known:
        began = time.perf_counter()
        print(f"{notebook.stem} … ", end="", flush=True)
        with tempfile.TemporaryDirectory(prefix="host-") as folder:
            installed = run(notebook.resolve(), Path(folder), given.host)
        seconds = time.perf_counter() - began
        print(f"{seconds:.0f} s, installed: {', '.join(sorted(installed)) or 'nothing'}")


if __name__ == "__main__":
    main()
