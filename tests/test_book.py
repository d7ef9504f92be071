"""The website: chapters in order, words linked, solutions folded, no link that leads nowhere."""

import json
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

pytest.importorskip("sphinx")
pytest.importorskip("myst_nb")
pytest.importorskip("sphinx_book_theme")

from docutils import nodes

from classroom import book, publish
from classroom.book import links, pages, words

# The theme and MyST use names that Sphinx will drop one day.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"
)
ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
GLOSSARY = """# Glossary

The words.

- **accuracy**: Share of right pixels. [06](06_evaluation.ipynb)
- **easting**, **northing**: *Coordinates* in meters.
- **patch**: A piece of a tile.
- **run**: One training.
- **separable convolution**: A cheap one.
"""
TAGGED = {"tags": ["exercise"]}
PYTHON = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}


def exercises(solved: bool) -> list:
    """Return two exercises of text and code; solved, the first with two cells, one with text."""
    cells = []
    for number in (1, 2):
        cells += [new_markdown_cell(f"**Warm-up.** Task {number}.", metadata=TAGGED)]
        cells += [new_code_cell(f"x = None  # {number}", metadata=TAGGED)]
        if solved:
            cells += [new_code_cell(f"x = {10 * number + n}") for n in range(3 - number)]
    return cells


def course(root: Path, text: str = "A *word*.") -> Path:
    """Write a course of three notebooks, with `text` in the first; return its folder."""
    (root / "notebooks" / "solutions").mkdir(parents=True)
    (root / "README.md").write_text(f"# Tiny\n\n{text}\n", "utf-8")
    (root / "notebooks" / "glossary.md").write_text(
        GLOSSARY.replace(" [06](06_evaluation.ipynb)", ""), "utf-8"
    )
    for name in ("02_c", "00_a", "01_b"):
        shown = new_output("stream", text="the patch\n")
        cells = [new_markdown_cell(f"# Title\n\nPromise.\n\n{text}")]
        cells += [new_code_cell(publish.set_up_cell(None)), new_code_cell("1", outputs=[shown])]
        cells += [new_markdown_cell("## Your turn\n\nTry."), *exercises(False)]
        cells += [new_markdown_cell("## Recap\n\nDone.")]
        nbformat.write(
            new_notebook(cells=cells, metadata=PYTHON), root / "notebooks" / f"{name}.ipynb"
        )
        solved = [new_code_cell("set up"), *exercises(True)]
        nbformat.write(
            new_notebook(cells=solved), root / "notebooks" / "solutions" / f"{name}.ipynb"
        )
    return root


def test_chapters_are_in_order(tmp_path):
    listed = pages.contents(course(tmp_path))
    names = [f"notebooks/{name}.ipynb" for name in ("00_a", "01_b", "02_c")]
    assert listed["From tiles to a map"] == names and not listed["Going further"]
    assert listed["Beside the notebooks"] == ["notebooks/glossary.md"]
    text = pages.start("# Tiny\n", {"First": names})
    assert text.index("00_a\n") < text.index("01_b\n") < text.index("02_c\n")
    assert sum(map(len, pages.contents(ROOT).values())) == len(CHAPTERS) + len(pages.BESIDE)


def test_a_solution_is_folded_below_its_exercise():
    cells = pages.with_solutions(exercises(False), [new_code_cell("set up"), *exercises(True)])
    assert [cell.source.split("<summary>")[0] for cell in cells] == [
        "**Warm-up.** Task 1.", "x = None  # 1",
        '<details class="folded">', "x = 10", "x = 11", "</details>",
        "**Warm-up.** Task 2.", "x = None  # 2", '<details class="folded">', "x = 20", "</details>",
    ]  # fmt: skip


def test_a_chapter_offers_itself_and_hides_its_set_up(tmp_path):
    path = course(tmp_path) / "notebooks" / "01_b.ipynb"
    alone, published = (pages.chapter(path, tmp_path, name).cells for name in (None, "owner/name"))
    heading, promise, offer, *_ = published[0].source.split("\n\n")
    assert (heading, promise) == ("# 01 Title", "Promise.")
    assert "colab.research.google.com/github/owner/name/blob/main/notebooks/01_b.ipynb" in offer
    assert "[Download this notebook](path:/downloads/01_b.ipynb)" in offer
    assert "olab" not in alone[0].source
    place = next(n for n, cell in enumerate(alone) if publish.IS_COLAB in cell.source)
    assert alone[place - 1].source.startswith("<details") and alone[place + 1].source[:3] == "</d"


def test_links_are_made_such_that_the_website_can_follow(tmp_path):
    root, folder = course(tmp_path / "course"), tmp_path / "source"
    (root / "data").mkdir()
    (root / "notebooks" / "x.png").write_text("picture")
    text = "![x](x.png) [r](../README.md#a) [d](../data) [n](01_b.ipynb) [s](solutions/00_a.ipynb) "
    text += "[w](https://example.org/x) [p](x.png)"
    made = pages.settled(text, "notebooks/00_a.ipynb", root, folder)
    assert made == (
        "![x](x.png) [r](/index.md#a) d [n](01_b.ipynb) [s](path:solutions/00_a.ipynb) "
        "[w](https://example.org/x) [p](path:x.png)"
    )
    copied = sorted(path.name for path in folder.rglob("*.*"))
    assert copied == ["00_a.ipynb", "x.png"]


def test_the_glossary_has_a_place_for_each_word():
    page = words.page(GLOSSARY)
    assert page.startswith("# Glossary\n\nThe words.\n\n```{glossary}\naccuracy\n  Share of")
    assert "easting\nnorthing\n  *Coordinates* in meters.\n" in page and page.endswith("```\n")


def test_words_are_found():
    linker = words.Linker(GLOSSARY, "glossary")
    named = {bold: linker.named(bold) for bold in ("Patches", "Runs", "separable", "Northing")}
    assert list(named.values()) == ["patch", "run", "separable convolution", "northing"]
    assert linker.named("You will") is None and linker.named("a") is None
    assert linker.entry["northing"] == ("easting", "Coordinates in meters.")
    assert linker.entry["accuracy"][1] == "Share of right pixels."
    prose = nodes.paragraph("", "A patch of patches, no patchwork: run for accuracy.")
    assert [word for *_, word in linker.found(prose[0])] == ["patch", "patch", "accuracy"]
    bold = nodes.strong("", "run")
    assert [word for *_, word in linker.found(bold[0])] == ["run"]
    assert words.is_open(prose[0]) and not words.is_open(nodes.title("", "patch")[0])
    assert not words.is_open(nodes.literal("", "patch")[0])


def test_the_link_check_sees_each_fault(tmp_path):
    (tmp_path / "_static").mkdir()
    good = '<p id="here"><a href="other.html#there">x</a><a href="#here"><img src="p.png"><a href='
    good += '"https://example.org">'
    (tmp_path / "p.png").touch()
    (tmp_path / "other.html").write_text('<h2 id="there">', "utf-8")
    for bad, told in {
        "": [],
        '<a href="gone.html">': ["index.html leads nowhere by gone.html"],
        '<a href="other.html#here">': ["index.html leads nowhere by other.html#here"],
        '<a href="#gone">': ["index.html leads nowhere by #gone"],
        '<img src="gone.png">': ["index.html lacks gone.png"],
        '<script src="https://cdn.example/x.js">': [
            "index.html asks outside for https://cdn.example/x.js"
        ],
        '<a href="#top">': [],
        '<a href="/etc/passwd">': ["index.html leads nowhere by /etc/passwd"],
        '<img srcset="https://cdn.example/x.png 2x">': [
            "index.html asks outside for https://cdn.example/x.png"
        ],
        '<p style="background: url(//cdn.example/x.png)">': [
            "index.html asks outside: url(//cdn.example/x.png"
        ],
        '<link rel="stylesheet" href="//cdn.example/x.css">': [
            "index.html asks outside for //cdn.example/x.css"
        ],
        "x" * 1_600_000: ["index.html has 1.6 MB; a page has at most 1.5 MB"],
    }.items():
        (tmp_path / "index.html").write_text(good + bad, "utf-8")
        assert links.faults(tmp_path) == told
    (tmp_path / "index.html").write_text(good, "utf-8")
    (tmp_path / "x.css").write_text('a { src: url("https://fonts.example/a.woff") }', "utf-8")
    assert ["x.css asks outside" in fault for fault in links.faults(tmp_path)] == [True]


def test_a_broken_link_stops_the_build_and_leaves_the_old_website(tmp_path):
    text = "A **patch**, a patch, `accuracy`; a **run**."
    folder = book.build(tmp_path / "book", course(tmp_path / "good", text))
    shown = (folder / "notebooks" / "00_a.html").read_text("utf-8")
    found = re.findall(r'<a class="term[^>]*href="(\S+?)"[^>]*>(\w+)', shown)
    assert found == [("glossary.html#term-patch", "patch"), ("glossary.html#term-run", "run")]
    assert 'title="A piece of a tile."' in shown and "colab.research" not in shown
    bad = course(tmp_path / "bad", "[x](gone.md)")
    with pytest.raises(ValueError, match=r"faults:\n.*gone\.md"):
        book.build(folder, bad)
    assert (folder / "notebooks" / "00_a.html").read_text("utf-8") == shown
    assert [path.name for path in tmp_path.glob("*book*")] == ["book"]


@pytest.fixture(scope="module")
def website(tmp_path_factory):
    """The course's own website, as if it were published."""
    return book.build(tmp_path_factory.mktemp("site") / "book", repository="owner/name")


def test_all_chapters_are_there_in_order(website):
    margin = (website / "index.html").read_text("utf-8")
    listed = re.findall(r'toctree-l1"><a class="reference internal" href="([^"]+)"', margin)
    assert listed[: len(CHAPTERS)] == [f"notebooks/{path.stem}.html" for path in CHAPTERS]
    assert len(CHAPTERS) == 15 and "INSTRUCTORS.html" in listed and "data/README.html" in listed


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_page_holds_its_notebook_and_its_solutions(website, path):
    page = (website / "notebooks" / f"{path.stem}.html").read_text("utf-8")
    assert f"github/owner/name/blob/main/notebooks/{path.name}" in page
    offered = re.search(r'href="([^"]+)"[^>]*>(?:<[^>]*>)*Download this notebook', page)[1]
    target = website / "notebooks" / offered
    assert target.read_bytes() == path.read_bytes()
    solved = nbformat.read(path.parent / "solutions" / path.name, as_version=4).cells
    tagged = [pages.is_exercise(cell) for cell in solved]
    solutions = sum(before and not now for before, now in zip(tagged, tagged[1:], strict=False))
    assert page.count("<summary>Solution</summary>") == solutions >= 3
    assert page.count("<details") == page.count("</details>")
    assert page.count("google.colab") == 1 and page.count("<summary>Set-up on Colab") == 1
    own = nbformat.read(path, as_version=4).cells
    drawn = sum(
        "image/png" in one.get("data", {}) for cell in own for one in cell.get("outputs", [])
    )
    assert page.count("Picture drawn by the cell above") >= drawn > 0


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_word_in_bold_leads_to_the_glossary(website, path):
    page = (website / "notebooks" / f"{path.stem}.html").read_text("utf-8")
    linker = words.Linker((ROOT / pages.GLOSSARY).read_text("utf-8"), "")
    linked = {
        linker.entry[linker.named(text)][0] for text in re.findall(r'"term .*?>(.+?)</', page)
    }
    cells = nbformat.read(path, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    bold = {linker.named(word) for word in words.BOLD.findall(text)} - {None}
    assert bold and {linker.entry[word][0] for word in bold} <= linked


def test_search_finds_the_leak(website):
    text = (website / "searchindex.js").read_text("utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    found = index["terms"]["leak"]
    named = {index["docnames"][page] for page in ([found] if isinstance(found, int) else found)}
    assert {"notebooks/02_patchification", "notebooks/06_evaluation"} <= named


def test_pages_are_small_and_ask_for_nothing_outside(website):
    assert links.faults(website) == []  # the build has asked, too
    written = [path for path in website.rglob("*.html") if path.parent.name != "_static"]
    assert max(path.stat().st_size for path in written) < 1_500_000
    for path in written:
        page = links.Page(path.read_text("utf-8"))
        assert page.loads and not [to for to in page.loads if "://" in to or to[:2] == "//"]
        assert "mathjax" not in " ".join(page.loads).lower()


def test_the_workflow_builds_and_publishes_with_official_actions():
    text = (ROOT / ".github" / "workflows" / "book.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", one) for one in used)
    assert "make book PYTHON=python" in [step.get("run") for step in jobs["build"]["steps"]]
    assert jobs["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
