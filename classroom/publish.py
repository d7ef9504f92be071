"""Write the course's public address wherever a reader needs it.

    make publish REPO=owner/name   (or: python -m classroom.publish owner/name)
    make publish REPO=none         take the address out again
    python -m classroom.publish    the same again, with the address that is there, or with none

Each notebook gets its set-up cell and, once there is an address, an "Open in Colab" button; the
README gets the clone command, CITATION.cff the address. The command can be run again at any time,
also with another name.
"""

import argparse
import json
import re
from pathlib import Path

from classroom.colab import KAGGLE, main_ones

ROOT = Path(__file__).resolve().parent.parent
GITHUB, COLAB, BRANCH = "https://github.com/", "https://colab.research.google.com/github/", "main"
NAME = re.compile(r"[A-Za-z0-9][\w-]*/[\w.-]+")
CITED = re.compile(rf'repository-code: "{GITHUB}(.+)"\n')
BUTTON = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)\s*")
README_BLOCK = re.compile(r"(<!-- address -->\n).*?(<!-- /address -->)", re.DOTALL)
IS_COLAB = '"google.colab" in sys.modules'
SET_UP = f"""\
import os
import sys
from pathlib import Path

if {IS_COLAB} or "{KAGGLE}" in os.environ:  # find the course
    places = [top + "[!.]*/" * deep for top in ("", "../input/") for deep in range(5)]
    found = next((hit for x in places for hit in Path().glob(x + "classroom/colab.py")), None)
    assert found, "Where is the course? Mount its Drive, unzip it, or (on Kaggle) add it as input."
    sys.path.insert(0, str(found.resolve().parents[1]))
    from classroom import colab

    colab.install()
"""
CLONE = """\
    if not found:
        !git clone --quiet --depth 1 {address} pixels-to-maps
        found = next(Path().glob("*/classroom/colab.py"), None)
    assert"""


def current(root: Path = ROOT) -> str | None:
    """Return "owner/name" of the address that CITATION.cff holds, or None."""
    found = CITED.search((root / "CITATION.cff").read_text("utf-8"))
    return found and found[1]


def set_up_cell(repository: str | None) -> str:
    """Return the code of the set-up cell; with an address, it clones what it does not find."""
    cell = SET_UP.rstrip()
    if repository:
        cell = cell.replace("    assert", CLONE.format(address=GITHUB + repository))
    return cell


def button(repository: str, notebook: str, images: str) -> str:
    """Return the Markdown of an "Open in Colab" button; its picture lies in the repository.

    Args:
        repository: owner/name.
        notebook: the notebook's path in the repository.
        images: the folder of pictures, as seen from the file that shows the button.
    """
    target = f"{COLAB}{repository}/blob/{BRANCH}/{notebook}"
    return f"[![Open in Colab]({images}/open_in_colab.png)]({target})"


def dressed(notebook: dict, path: str, repository: str | None) -> dict:
    """Return a notebook with the set-up cell of today and the button that belongs to it.

    Args:
        notebook: its JSON; changed in place.
        path: its path in the repository, with slashes.
        repository: owner/name, or None for no button.
    """
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and IS_COLAB in "".join(cell["source"]):
            cell["source"] = set_up_cell(repository).splitlines(keepends=True)
    first = notebook["cells"][0]
    heading, promise, *rest = BUTTON.sub("", "".join(first["source"])).strip().split("\n\n")
    if repository:
        images = "../" * (path.count("/") - 1) + "images"
        rest.insert(0, button(repository, path, images))
    first["source"] = "\n\n".join([heading, promise, *rest]).splitlines(keepends=True)
    return notebook


def readme(text: str, repository: str | None) -> str:
    """Return the README with button and clone command between its marks, or nothing there."""
    block = ""
    if repository:
        shown = button(repository, "notebooks/00_start_here.ipynb", "notebooks/images")
        folder = repository.split("/")[1]
        block = f"{shown}\n\n    git clone {GITHUB}{repository}\n    cd {folder}\n\n"
    return README_BLOCK.sub(lambda marks: marks[1] + block + marks[2], text)


def cited(text: str, repository: str | None) -> str:
    """Return CITATION.cff with the address, or without one."""
    line = f'repository-code: "{GITHUB}{repository}"\n' if repository else ""
    return CITED.sub("", text).rstrip("\n") + "\n" + line


def publish(repository: str | None, root: Path = ROOT) -> list[str]:
    """Write the address into all files that show it.

    Args:
        repository: owner/name on GitHub; None takes the address out.
        root: the repository's folder.

    Returns:
        The files that changed, as paths in the repository.

    Raises:
        ValueError: the name is not owner/name.
    """
    if repository and (not NAME.fullmatch(repository) or repository.endswith(".git")):
        raise ValueError(f"{repository!r}: give the repository as owner/name")
    texts = {
        root / "README.md": lambda text: readme(text, repository),
        root / "CITATION.cff": lambda text: cited(text, repository),
    }
    notebooks = root / "notebooks"
    for path in sorted([*main_ones(notebooks), *main_ones(notebooks / "solutions")]):
        name = path.relative_to(root).as_posix()
        texts[path] = lambda text, name=name: _json(dressed(json.loads(text), name, repository))
    changed = []
    for path, edit in texts.items():
        before = path.read_text("utf-8")
        if (after := edit(before)) != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path.relative_to(root).as_posix())
    return changed


def _json(notebook: dict) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the address that is given, or the present one again."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("repository", nargs="?", help="owner/name on GitHub; none takes it out")
    given = parser.parse_args().repository
    repository = current() if given is None else None if given == "none" else given
    changed = publish(repository)
    print(f"{repository or 'no address'}: {len(changed)} files changed", *changed, sep="\n  ")


if __name__ == "__main__":
    main()
