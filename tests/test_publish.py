"""Publishing writes the address everywhere, any number of times; the archive carries all."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from classroom import archive, publish

ROOT = archive.ROOT

SET_UP_LINES = 13


def texts(root: Path) -> dict[str, str]:
    """Return all files that may show the address."""
    paths = [root / "README.md", root / "CITATION.cff", *(root / "notebooks").rglob("[0-9]*.ipynb")]
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}


@pytest.fixture
def copied(tmp_path):
    """A copy of the course without an address."""
    root = archive.copy_course(tmp_path / "course")
    publish.publish(None, root)
    return root


def test_all_notebooks_hold_the_set_up_cell_of_today(tmp_path):
    root = archive.copy_course(tmp_path / "course")
    assert publish.publish(publish.current(root), root) == [], "run python -m classroom.publish"


def test_publishing_twice_under_two_names_and_back(copied):
    before = texts(copied)
    assert "colab.research" not in "".join(before.values()) and not publish.current(copied)
    changed = publish.publish("owner/first.name", copied)
    assert len(changed) == len(before) and publish.current(copied) == "owner/first.name"
    assert publish.publish("owner/first.name", copied) == []
    publish.publish("other-one/course", copied)
    after = texts(copied)
    assert "first.name" not in "".join(after.values())
    assert "git clone https://github.com/other-one/course\n" in after["README.md"]
    assert yaml.safe_load(after["CITATION.cff"])["repository-code"].endswith("other-one/course")
    publish.publish(None, copied)
    assert texts(copied) == before


def test_each_notebook_opens_itself_in_colab(copied):
    publish.publish("owner/name", copied)
    for name, text in texts(copied).items():
        if name.endswith(".ipynb"):
            first, *others = json.loads(text)["cells"]
            shown = "".join(first["source"])
            assert shown.count("Open in Colab") == 1
            assert f"github/owner/name/blob/main/{name})" in shown
            picture = publish.BUTTON.search(shown)[0].split("](")[1].split(")")[0]
            assert ((copied / name).parent / picture).exists()
            code = ["".join(cell["source"]) for cell in others if cell["cell_type"] == "code"]
            assert "git clone --quiet --depth 1 https://github.com/owner/name " in code[0]


@pytest.mark.parametrize("repository", [None, "owner/name"])
def test_the_set_up_cell_is_short(repository):
    lines = publish.set_up_cell(repository).splitlines()
    assert len([line for line in lines if line.strip()]) <= SET_UP_LINES


@pytest.mark.parametrize(
    "name", ["name", "https://github.com/owner/name", "owner/name/", "a b/c", "a/b.git"]
)
def test_a_name_that_is_none_is_refused(name, copied):
    with pytest.raises(ValueError, match="owner/name"):
        publish.publish(name, copied)


@pytest.fixture
def wheel(tmp_path):
    """A package of one line in a folder of its own, and a list that asks for it."""
    folder, info = tmp_path / "index", "little-1.0.dist-info"
    folder.mkdir()
    with zipfile.ZipFile(folder / "little-1.0-py3-none-any.whl", "w") as file:
        file.writestr("little.py", "ANSWER = 42\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: little\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    (tmp_path / "wanted.txt").write_text("little==1.0\n", encoding="utf-8")
    return folder


def test_the_archive_carries_course_packages_and_weights(wheel, tmp_path, monkeypatch, capsys):
    def imagenet(encoder):
        if encoder != "resnet50":
            raise archive.weights.WeightsNotFound("no network")
        (tmp_path / "resnet.h5").write_text("weights", encoding="utf-8")
        return tmp_path / "resnet.h5"

    monkeypatch.setattr(archive.weights, "imagenet", imagenet)
    options = ["--no-index", "--find-links", str(wheel)]
    target = archive.archive(tmp_path / "a.tar", tmp_path / "wanted.txt", options)
    subprocess.run(["tar", "-xf", target], cwd=tmp_path, check=True)
    folder = tmp_path / archive.NAME
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"classroom/course.py", "data/README.md", "weights/resnet.h5"} <= found
    assert "without the weights of b4" in capsys.readouterr().out
    assert "wheels/little-1.0-py3-none-any.whl" in found
    assert not {path.split("/")[0] for path in found} & {".git", ".venv", "work"}
    for name in ("PYTHON", "MAKEFLAGS"):  # `make test PYTHON=…` tells both to what it starts
        monkeypatch.delenv(name, raising=False)
    dry = subprocess.run(["make", "-n", "course"], cwd=folder, capture_output=True, text=True)
    assert "--no-deps --no-index --find-links wheels -r requirements.txt" in dry.stdout, dry.stderr
    assert f"python{sys.version_info.major}.{sys.version_info.minor} -m venv --clear" in dry.stdout


def test_what_was_made_does_not_go_along(tmp_path, monkeypatch):
    root = archive.copy_course(tmp_path / "course")
    monkeypatch.setattr(archive, "ROOT", root)
    monkeypatch.setenv("SEGKIT_WORK", str(root / "results"))
    for made in ("results/tiles.h5", "my_env/pyvenv.cfg", ".ruff_cache/x", "handed_in/x", ".env/x"):
        (root / made).parent.mkdir()
        (root / made).touch()
    copied = archive.copy_course(root / "results" / "copy")
    theirs = {"results", "my_env", ".ruff_cache", "handed_in", ".env"}
    assert {path.name for path in copied.iterdir()} == {
        path.name for path in root.iterdir()
    } - theirs
    if (ROOT / ".git").exists():  # all that is tracked goes along
        tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
        assert {name.split("/")[0] for name in tracked} == archive.COURSE


def test_a_folder_that_was_moved_is_set_up_anew(tmp_path):
    shutil.copy(archive.ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    ready = tmp_path / ".venv" / "ready"
    ready.parent.mkdir()
    for place, stays in ((tmp_path, True), (tmp_path / "before", False)):
        ready.write_text(f"{place}\n", encoding="utf-8")
        for option, kept in (("--dry-run", stays), ("--old-file=.venv/ready", True)):
            command = ["make", "--dry-run", option, "lab"]
            done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
            assert ("venv --clear" not in done.stdout) == kept
