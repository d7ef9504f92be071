"""Colab and Kaggle: what they lack, how a notebook finds the course, notebooks run to the end."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from helpers import dubai_tree
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from classroom import colab, publish
from classroom.stand_in import COLAB, COLAB_HAS, KAGGLE, ROOT, needs, run, variables
from segkit import datasets

#: Git as it comes, whatever the reader has set.
OWN_GIT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: What pystac needs for items of kinds that the course has none of.
UNUSED = "pystac-ext-"


def reached() -> dict[str, SpecifierSet]:
    """Return what the course needs on this Python and Colab does not have, and which versions."""
    extras = [PROJECT["optional-dependencies"][one] for one in ("course", "scale")]
    lines = sum(extras, PROJECT["dependencies"])
    found, waiting = {}, [Requirement(line) for line in lines]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in {*COLAB_HAS, "jupyterlab"} and not name.startswith(UNUSED):
            waiting += needs(name) if name not in found else []
            found[name] = found.get(name, SpecifierSet()) & one.specifier
    return found


def test_all_that_colab_lacks_is_listed_with_its_versions():
    listed = {name: Requirement(line).specifier for name, line in colab.names().items()}
    wanted = reached()
    assert wanted.keys() <= listed.keys()
    assert not {name: asked for name, asked in wanted.items() if set(asked) - set(listed[name])}
    assert {"rasterio", "contextily", "efficientnet"} <= wanted.keys()


def test_nothing_is_listed_in_vain():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = {Requirement(line).name for line in lines}
    assert set(colab.names()) <= pinned
    assert not set(colab.names()) & set(COLAB_HAS)


def test_only_what_is_missing_is_installed(tmp_path, monkeypatch, capsys):
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("numpy>=99\nno-such-package==1.0  # why\n\n# a comment\n", encoding="utf-8")
    commands = []

    def pip(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1, "", "no network")

    monkeypatch.setattr(colab.subprocess, "run", pip)
    colab.install(wanted)
    assert commands[0][-2:] == ["--no-deps", "no-such-package==1.0"]
    assert "no-such-package" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="no network"):
        colab.install(wanted)
    wanted.write_text("numpy\n", encoding="utf-8")
    colab.install(wanted)
    assert len(commands) == 2


def test_what_a_notebook_renews_comes_with_all_that_it_needs(monkeypatch):
    cells = nbformat.read(ROOT / "notebooks" / "12_app.ipynb", 4).cells
    (renewing,) = (cell.source for cell in cells if "renew" in cell.source)
    commands = []

    def pip(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(colab.subprocess, "run", pip)
    exec(renewing, {"colab": colab})
    assert "--no-deps" not in commands[0]
    assert commands[0][-1] in PROJECT["optional-dependencies"]["app"]
    exec(renewing, {})  # on a machine of one's own, nothing
    assert len(commands) == 1


ON_COLAB = """
import os, sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
get_ipython = lambda: types.SimpleNamespace(system=os.system)
"""


def little_course(folder: Path) -> Path:
    """Write the least that the set-up cell looks for."""
    (folder / "classroom").mkdir(parents=True)
    (folder / "classroom" / "__init__.py").touch()
    told = "def install():\n    print('from', __file__)\n"
    (folder / "classroom" / "colab.py").write_text(told, encoding="utf-8")
    return folder


def opened(content: Path, repository=None, prelude=ON_COLAB, **more):
    """Run the set-up cell in a folder, as a fresh notebook there would."""
    content.mkdir(exist_ok=True)
    cell = TransformerManager().transform_cell(publish.set_up_cell(repository))
    command = [sys.executable, "-c", prelude + cell]
    env = {**variables(), **more}
    return subprocess.run(command, cwd=content, capture_output=True, text=True, env=env)


PLACES = (
    "drive/MyDrive/pixels-to-maps",
    "drive/MyDrive",
    "drive/MyDrive/Colab Notebooks/pixels-to-maps-main",
    "drive/Shareddrives/class/pixels-to-maps",
    "pixels-to-maps-main",
    ".",
)


@pytest.mark.parametrize("place", PLACES)
def test_the_set_up_cell_finds_the_course(place, tmp_path):
    folder = little_course(tmp_path / "content" / place)
    done = opened(tmp_path / "content")
    assert done.stdout == f"from {folder / 'classroom' / 'colab.py'}\n", done.stderr


def test_the_set_up_cell_says_what_to_do(tmp_path):
    done = opened(tmp_path)
    assert done.returncode and "Where is the course?" in done.stderr.splitlines()[-1]


def test_once_published_the_set_up_cell_clones_the_course(tmp_path):
    source = little_course(tmp_path / "source")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        name = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *name, *command], cwd=source, env=OWN_GIT, check=True)
    elsewhere = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": "https://github.com/owner/name"}
    elsewhere["GIT_CONFIG_KEY_0"] = f"url.{source.as_uri()}.insteadOf"
    done = opened(tmp_path / "content", "owner/name", **elsewhere)
    assert done.stdout.startswith(f"from {tmp_path / 'content' / 'pixels-to-maps'}"), done.stderr
    assert (
        "Where is the course?" in opened(tmp_path / "other", "owner/nowhere", **NO_NETWORK).stderr
    )


NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "none"}
ON_KAGGLE = {colab.KAGGLE: "Interactive"}


@pytest.mark.parametrize(
    "place",
    [
        "input/course",
        "input/course/course-main",
        "input/datasets/owner/course",
        "working/pixels-to-maps",
    ],
)
def test_the_set_up_cell_finds_the_course_among_the_inputs_of_kaggle(place, tmp_path):
    (tmp_path / "working" / "sub").mkdir(parents=True)
    folder = little_course(tmp_path / place)
    done = opened(tmp_path / "working", prelude="", **ON_KAGGLE)
    assert done.stdout == f"from {folder / 'classroom' / 'colab.py'}\n", done.stderr
    assert "(on Kaggle)" in opened(tmp_path / "working" / "sub", prelude="", **ON_KAGGLE).stderr


def test_on_kaggle_data_and_work_are_where_kaggle_has_them(tmp_path, monkeypatch):
    for name in ("SEGKIT_DATA", "SEGKIT_WORK"):
        monkeypatch.setenv(name, "x")  # so that it is as before, afterwards
        monkeypatch.delenv(name)
    (tmp_path / "working").mkdir()
    slug = datasets.REGISTRY["dubai"]["kaggle"]
    monkeypatch.chdir(tmp_path / "working")
    nothing = tmp_path / "nothing.txt"
    nothing.touch()
    colab.install(nothing)
    assert "SEGKIT_DATA" not in os.environ
    monkeypatch.setenv(colab.KAGGLE, "Interactive")
    monkeypatch.setenv("SEGKIT_WORK", "mine")
    colab.install(nothing)
    assert os.environ["SEGKIT_WORK"] == "mine"
    assert os.environ["SEGKIT_DATA"] == str(tmp_path / "input")
    for mount in (slug.split("/")[1], f"datasets/{slug}"):
        place = tmp_path / "input" / mount
        place.parent.mkdir(parents=True, exist_ok=True)
        (dubai_tree(tmp_path, tiles=1) / "dubai").rename(place)
        assert len(datasets.find("dubai").tiles) == 9
        shutil.rmtree(place)


def test_on_a_machine_of_ones_own_the_set_up_cell_does_nothing(tmp_path):
    done = opened(tmp_path, prelude="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A package index that answers; without one there is nothing to test."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "affine"]
    try:
        folder = tmp_path_factory.mktemp("index")
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("no package index within reach")


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("host", "name"),
    [(COLAB, "01_hdf5_data_preparation"), (KAGGLE, "02_patchification")],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_notebook_runs_first_and_alone(host, name, tmp_path):
    """The shortest two; `make colab` runs them all."""
    notebook = ROOT / "notebooks" / f"{name}.ipynb"
    assert {"rasterio", "contextily"} <= run(notebook, tmp_path, host)
    assert (tmp_path / host.opened / notebook.name).exists()
    made = tmp_path / (host.opened if host is KAGGLE else host.course) / "work" / "sample"
    assert (made / "tiles.h5").exists()


@pytest.mark.usefixtures("index")
def test_the_stand_in_sees_a_version_that_changes(tmp_path):
    cell = nbformat.v4.new_code_cell("%pip install --quiet --no-deps tqdm==4.67.0")
    notebook = tmp_path / "changes.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
    with pytest.raises(AssertionError, match="'tqdm': '4.67.0'"):
        run(notebook, tmp_path / "colab")


def test_only_the_courses_own_notebooks_are_notebooks_of_the_course(tmp_path):
    for name in ("00_a", "01_b", "01_b-Copy1", "01_b (1)", "notes", "project"):
        (tmp_path / f"{name}.ipynb").touch()
    assert [path.stem for path in colab.main_ones(tmp_path)] == ["00_a", "01_b"]
    (tmp_path / "00_a_mine.ipynb").touch()  # saved under another name; it has no solutions
    (tmp_path / "solutions").mkdir()
    for name in ("00_a", "01_b"):
        (tmp_path / "solutions" / f"{name}.ipynb").touch()
    assert [path.stem for path in colab.main_ones(tmp_path)] == ["00_a", "01_b"]
    assert len(colab.main_ones(tmp_path / "solutions")) == 2


def test_programs_that_a_notebook_starts_find_the_course(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(colab, "missing", lambda *_: {})
    colab.install()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(ROOT), str(tmp_path)]
