"""The pages of the website, written into a folder for Sphinx, from notebooks and Markdown."""

import os
import re
import shutil
from itertools import groupby
from pathlib import Path

import nbformat

from classroom import publish
from classroom.book import words
from classroom.colab import main_ones
from classroom.notebooks import EXERCISE, ROAD

START, GLOSSARY = "README.md", "notebooks/glossary.md"
BESIDE = (
    GLOSSARY,
    "notebooks/project.md",
    "benchmarks/README.md",
    "data/README.md",
    "models/README.md",
)
BESIDE += ("INSTRUCTORS.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
YOUR_TURN, RECAP = "## Your turn", "## Recap"
#: Where the notebooks lie as they are in the repository, for download.
ORIGINALS = "downloads"


def contents(root: Path) -> dict[str, list[str]]:
    """Return heading → its pages, in the order of the course, as paths in the repository."""
    chapters = main_ones(root / "notebooks")
    chapters = [path.relative_to(root).as_posix() for path in chapters]
    return {
        "From tiles to a map": chapters[: len(ROAD)],
        "Going further": chapters[len(ROAD) :],
        "Beside the notebooks": [name for name in BESIDE if (root / name).exists()],
    }


def start(text: str, pages: dict[str, list[str]]) -> str:
    """Return the first page: the README, and the list of all others, which the margin shows."""
    for heading, names in pages.items():
        listed = "\n".join(name.rpartition(".")[0] for name in names)
        text += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{listed}\n```\n"
    return text


def folded(cells: list, summary: str) -> list:
    """Return cells between two that fold them away under a summary."""
    opening = f'<details class="folded"><summary>{summary}</summary>'
    first, last = (nbformat.v4.new_markdown_cell(text) for text in (opening, "</details>"))
    return [first, *cells, last]


def is_exercise(cell: nbformat.NotebookNode) -> bool:
    """Return whether a cell, text or code, is a part of an exercise."""
    return EXERCISE in cell.metadata.get("tags", [])


def with_solutions(cells: list, solved: list) -> list:
    """Return the exercises of a notebook, each with its solution folded below it.

    Args:
        cells: the notebook's cells of exercises.
        solved: all cells of its solutions: the same exercises, each before its solution.
    """
    mine, shown = iter(cells), []
    first = next((n for n, cell in enumerate(solved) if is_exercise(cell)), len(solved))
    for exercise, run in groupby(solved[first:], is_exercise):
        run = list(run)
        for cell in run:
            cell.id = f"solved-{cell.id}"  # the notebook may have one of the same name
        shown += [next(mine) for _ in run] if exercise else folded(run, "Solution")
    return shown


def chapter(path: Path, root: Path, repository: str | None) -> nbformat.NotebookNode:
    """Return a notebook as its page shows it: numbered, to take away, with its solutions.

    Args:
        path: the notebook.
        root: the repository's folder.
        repository: owner/name on GitHub; None for no "Open in Colab" button.
    """
    solved = nbformat.read(path.parent / "solutions" / path.name, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    cells, name = notebook.cells, path.relative_to(root).as_posix()

    def place(text: str) -> int:
        return next(n for n, cell in enumerate(cells) if text in cell.source)

    first, last = place(YOUR_TURN) + 1, place(RECAP)
    cells[first:last] = with_solutions(cells[first:last], solved.cells)
    set_up = place(publish.IS_COLAB)
    cells[set_up : set_up + 1] = folded([cells[set_up]], "Set-up on Colab")
    heading, promise, *rest = publish.BUTTON.sub("", cells[0].source).strip().split("\n\n")
    offer = f"[Download this notebook](path:/{ORIGINALS}/{path.name})"
    if repository:
        offer = f"{publish.button(repository, name, 'images')} {offer}"
    heading = heading.replace("# ", f"# {path.name[:2]} ", 1)
    cells[0].source = "\n\n".join([heading, promise, offer, *rest])
    return notebook


def settled(text: str, page: str, root: Path, folder: Path) -> str:
    """Return Markdown whose links the website can follow; copy what they show or offer.

    A link to the README leads to the first page, one to a folder is taken away, and a file that is
    no page is offered for download.

    Args:
        text: Markdown, of a file or of a notebook's cell.
        page: the path of that file in the repository.
        root: the repository's folder.
        folder: where the website's sources are written.
    """
    pages = {root / name for names in contents(root).values() for name in names}

    def one(link: re.Match) -> str:
        picture, label, target, place = link.groups(default="")
        goal = Path(os.path.normpath(root / Path(page).parent / target))
        if goal == root / START:
            return f"[{label}](/index.md{place})"
        if goal.is_dir():
            return label
        if goal in pages or not goal.is_file():
            return link[0]
        copy = folder / goal.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(goal, copy)
        return link[0] if picture else f"[{label}](path:{target})"

    return LINK.sub(one, text)


def write(folder: Path, root: Path, repository: str | None) -> list[str]:
    """Write all pages into a folder, as Sphinx reads them; return their paths there."""
    listed = contents(root)
    for name in [START, *(name for names in listed.values() for name in names)]:
        target = folder / ("index.md" if name == START else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".ipynb":
            notebook = chapter(root / name, root, repository)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = settled(cell.source, name, root, folder)
            nbformat.write(notebook, target)
            (folder / ORIGINALS).mkdir(exist_ok=True)
            shutil.copyfile(root / name, folder / ORIGINALS / target.name)
        else:
            text = settled((root / name).read_text("utf-8"), name, root, folder)
            edit = {START: lambda text: start(text, listed), GLOSSARY: words.page}
            target.write_text(edit.get(name, str)(text), encoding="utf-8")
    return ["index.md", *(name for names in listed.values() for name in names)]
