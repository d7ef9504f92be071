"""One sheet for each notebook, to show in class, and the same with notes for who teaches.

    make slides      (or: python -m classroom.slides)

writes `work/slides/sheets.html` and `work/slides/notes.html`. Both open without a network and print
one page for each notebook. A sheet holds its promise, its picture, and the questions to be guessed
before a cell is run. The notes show what the cells have answered, and what INSTRUCTORS.md says of
each surprise. Nothing is executed: all of it is what the repository holds.
"""

import base64
import re
from pathlib import Path

import jinja2
import nbformat
from markdown_it import MarkdownIt
from markupsafe import Markup

from classroom import publish
from classroom.colab import main_ones
from segkit.files import REPOSITORY, whole

TEMPLATE = Path(__file__).with_name("sheet.html")
QUESTION = re.compile(r"\*\*Predict first:\*\* (.+?)(?:\n\n|\Z)", re.DOTALL)
PROMISE = re.compile(
    r"# (?P<title>[^\n]+)\n\n(?P<promise>.+?)\n\n!\[(?P<alt>.*?)\]\((?P<picture>.+?)\)", re.DOTALL
)
READ = re.compile(r"\| Time \| (.+?) \|")
#: A row of the table of surprises: where, what most guess, what comes, what to say.
SURPRISE = re.compile(r"^\| (\d\d) ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
#: Lines of a cell's text that notes show; what a training prints.
LONGEST, LOG = 9, "epoch "
#: Notebooks whose title picture answers a question: their sheet has the first one they draw, or
#: none, where that answers one, too.
TOLD, BARE = ("01", "04", "08"), ("13",)


def html(markdown: str) -> Markup:
    """Return a line of Markdown as HTML; links have no place on paper, their words stay."""
    plain = re.sub(r"(?<!!)\[([^\]]+)\]\([^)]+\)", r"\1", markdown)
    return Markup(MarkdownIt().renderInline(plain))


def capital(text: str) -> str:
    """Return a sentence that begins with a capital; the rest as it is."""
    return text[:1].upper() + text[1:]


def picture(png: bytes) -> str:
    """Return a picture as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def shown(cells: list) -> dict:
    """Return what the first cell after a question that shows something has shown.

    Returns:
        "picture": its first one; or else "text": its last lines. A training is passed over.
    """
    for cell in cells:
        outputs = cell.get("outputs", [])
        if drawn := pictures([cell]):
            return {"picture": picture(drawn[0])}
        texts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
        lines = [line for text in texts for line in text.rstrip().splitlines()]
        if lines and not any(line.startswith(LOG) for line in lines):
            return {"text": "\n".join(["…"] * (len(lines) > LONGEST) + lines[-LONGEST:])}
    return {"text": ""}


def pictures(cells: list) -> list[bytes]:
    """Return the pictures that cells have drawn."""
    found = [one.get("data", {}) for cell in cells for one in cell.get("outputs", [])]
    return [base64.b64decode(data["image/png"]) for data in found if "image/png" in data]


def sheet(path: Path, surprises: list[tuple]) -> dict:
    """Return what stands on the sheet of a notebook.

    Args:
        path: the notebook, with its stored outputs.
        surprises: rows of INSTRUCTORS.md: number, where, guess, what comes, what to say.
    """
    cells = nbformat.read(path, as_version=4).cells
    head = PROMISE.match(publish.BUTTON.sub("", cells[0].source))
    more = READ.search(cells[1].source)
    questions = [
        {"ask": html(capital(" ".join(hit[1].split()))), **shown(cells[place + 1 :])}
        for place, cell in enumerate(cells)
        if cell.cell_type == "markdown"
        for hit in QUESTION.finditer(cell.source)
    ]
    mine = [list(map(html, row[1:])) for row in surprises if row[0] == path.name[:2]]
    drawn, alt = (path.parent / head["picture"]).read_bytes(), head["alt"]
    if path.name.startswith(TOLD):
        drawn, alt = pictures(cells)[0], "The first picture that the notebook draws"
    return {
        "number": path.name[:2],
        "title": head["title"],
        "promise": html(" ".join(head["promise"].split())),
        "time": more[1] if more else "",
        "alt": alt,
        "picture": None if path.name.startswith(BARE) else picture(drawn),
        "questions": questions,
        "surprises": mine,
    }


def build(folder: Path, root: Path = REPOSITORY) -> list[Path]:
    """Write the sheets and the notes; return both paths."""
    surprises = SURPRISE.findall((root / "INSTRUCTORS.md").read_text("utf-8"))
    chapters = main_ones(root / "notebooks")
    sheets = [sheet(path, surprises) for path in chapters]
    page = jinja2.Template(TEMPLATE.read_text("utf-8"), autoescape=True)
    written = []
    for name in ("sheets", "notes"):
        with whole(folder / f"{name}.html") as part:
            part.write_text(page.render(sheets=sheets, notes=name == "notes"), encoding="utf-8")
        written.append(folder / f"{name}.html")
    return written
