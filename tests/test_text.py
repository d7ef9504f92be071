"""What readers see: links that lead somewhere, pictures with words, true tables, known words."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt
from packaging.specifiers import SpecifierSet

import segkit
from benchmarks import times
from cityscape import dataset, mountains
from segkit.models.files import SHIPPED, read_record

ROOT = Path(__file__).resolve().parent.parent
MAIN = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
NOT_OURS = {"work", ".ipynb_checkpoints"}
TEXTS = [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/*.md"), *(ROOT / "notebooks").rglob("[0-9]*.ipynb")]
TEXTS = sorted(path for path in TEXTS if not NOT_OURS & set(path.relative_to(ROOT).parts))
GLOSSARY = ROOT / "notebooks" / "glossary.md"
ELSEWHERE = ("http://", "https://", "mailto:")


def prose(path: Path) -> str:
    """Return the Markdown of a text file, or that of all text cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text("utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def anchors(path: Path) -> set[str]:
    """Return what can stand after the # in a link to a file: GitHub's names, and JupyterLab's."""
    tokens, found = MarkdownIt().parse(prose(path)), set()
    for opening, inline in zip(tokens, tokens[1:], strict=False):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children)
            found.add(words.replace(" ", "-"))
            found.add(re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-"))
    return found


def stumbles(path: Path) -> list[str]:
    """Return links that lead nowhere and pictures without alt text."""
    found = []
    for token in MarkdownIt().enable("table").parse(prose(path)):
        for part in token.children or []:
            if part.type == "image" and not part.content.strip():
                found.append(f"no alt text: {part.attrs['src']}")
            if part.type in ("image", "link_open"):
                target = str(part.attrs.get("src") or part.attrs.get("href"))
                found += [] if target.startswith(ELSEWHERE) else broken(path, target)
        if re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", token.content):
            found.append(f"no alt text: {token.content}")
    return found


def broken(path: Path, target: str) -> list[str]:
    """Return a link in a list if it leads nowhere."""
    name, _, anchor = unquote(target).partition("#")
    goal = path.parent / name if name else path
    if not goal.exists():
        return [f"no such file: {target}"]
    return [f"no such heading: {target}"] if anchor and anchor not in anchors(goal) else []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere_and_pictures_have_words(path):
    assert not stumbles(path)


FAULTS = {
    "no such file": "[x](nowhere.md)",
    "no such heading: there.md#far": "[x](there.md#far)",
    "no such heading: #Near": "# near\n\n[x](#Near)",
    "no alt text: there.md": "| a |\n|---|\n| ![ ](there.md) |",
    "no alt text: <img": '<img src="there.md" alt="">',
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_sees_each_fault(fault, tmp_path):
    (tmp_path / "there.md").write_text("# Here, it is!\n", encoding="utf-8")
    good = (
        "![y](there.md) [x](there.md#here-it-is) [x](https://example.org) <img alt='' alt=\"y\">\n"
    )
    here = tmp_path / "here.md"
    here.write_text(good, encoding="utf-8")
    assert not stumbles(here)
    here.write_text(good + "\n" + FAULTS[fault], encoding="utf-8")
    assert any(found.startswith(fault) for found in stumbles(here))


def words() -> list[list[str]]:
    """Return the words of the glossary, one or more for each entry, in their order."""
    entries = re.findall(r"^- (\*\*.*?\*\*): ", GLOSSARY.read_text("utf-8"), re.MULTILINE)
    return [re.findall(r"\*\*([^*]+)\*\*", entry) for entry in entries]


def test_the_glossary_is_in_order_and_says_nothing_twice():
    first = [entry[0].lower() for entry in words()]
    every = [word.lower() for entry in words() for word in entry]
    assert first == sorted(first)
    assert len(every) == len(set(every)) > 80


EMPHASIS = {"in each mapped class", "not measured here"}


@pytest.mark.parametrize("path", MAIN, ids=lambda path: path.stem)
def test_the_glossary_knows_each_word_in_bold(path):
    known = {word.lower() for entry in words() for word in entry}
    bold = set(re.findall(r"\*\*([a-z][\w\- ]*)\*\*", prose(path))) - EMPHASIS
    stems = {word: word.lower().removesuffix("s").removesuffix("e") for word in bold}
    unknown = [word for word in bold if not any(one.startswith(stems[word]) for one in known)]
    assert not unknown, f"add to {GLOSSARY.name}, or do not set in bold: {unknown}"


@pytest.mark.parametrize("path", [MAIN[0], ROOT / "README.md"], ids=lambda path: path.name)
def test_the_glossary_can_be_found(path):
    assert "glossary.md)" in prose(path)


@pytest.mark.parametrize("path", times.TEXTS, ids=lambda path: path.name)
def test_each_notebook_stands_there_with_its_measured_time(path):
    text, record = path.read_text("utf-8"), pd.read_csv(times.RECORD)
    table = times.MARKS.search(text)[2]
    assert [hit[2] for hit in times.ROW.finditer(table)] == [one.stem for one in MAIN]
    assert times.rendered(text, record) == text, "run make times"
    record["seconds"] += 600
    assert times.rendered(text, record) != text


def test_times_are_said_in_words_that_fit():
    said = [times.in_words(seconds) for seconds in (1, 12, 54, 55, 89, 164, 5399, 5400)]
    assert said == ["5 s", "10 s", "55 s", "1 min", "1 min", "3 min", "90 min", "1.5 h"]


def test_a_notebook_without_a_time_says_so():
    text = "<!-- times -->\n| [x](notebooks/x.ipynb) | 7 s |\nMeasured: long ago.\n<!-- /times -->"
    record = pd.DataFrame({"notebook": ["y"], "seconds": [1], "run": ["today"]})
    expected = "| [x](notebooks/x.ipynb) | not measured |\nMeasured: today.\n"
    assert expected in times.rendered(text, record)


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TESTING = [path for path in WORKFLOWS if path.stem != "book"]


@pytest.mark.parametrize("path", TESTING, ids=lambda path: path.stem)
def test_a_workflow_runs_tests_on_every_python_of_the_project_and_notebooks_on_one(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    allowed = SpecifierSet(project["requires-python"])
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    versions = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed]
    assert jobs["test"]["strategy"]["matrix"]["python"] == versions
    (chosen,) = (step["with"] for step in jobs["notebooks"]["steps"] if "setup-python" in str(step))
    assert chosen["python-version"] in versions and "strategy" not in jobs["notebooks"]
    for half, job in (("tests", jobs["test"]), ("notebooks", jobs["notebooks"])):
        runs = [step["run"] for step in job["steps"] if "run" in step]
        assert runs[-1].startswith(f"make test PYTHON=python ONLY={half}")
        # Who passes over lint passes over what it needs: an environment.
        made = any(one.startswith(("make lint", "make .venv/ready")) for one in runs[:-1])
        assert made or "--assume-old=lint" not in runs[-1]


def test_the_workflows_start_when_they_should():
    # YAML reads the key "on" as True.
    starts = {path.stem: yaml.safe_load(path.read_text("utf-8"))[True] for path in WORKFLOWS}
    # A pull request runs once, whatever has changed.
    assert starts["tests"] == {"push": {"branches": ["main"]}, "pull_request": None}
    assert starts["newest"]["schedule"]
    assert starts["book"]["push"] == {"branches": ["main"]}


def test_the_readme_names_the_pinned_tensorflow():
    pinned = re.search(r"^tensorflow==(\S+)", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
    assert f'"tensorflow[and-cuda]=={pinned[1]}"' in (ROOT / "README.md").read_text("utf-8")


def test_the_citation_is_complete():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["cff-version"] == "1.2.0" and cited["version"] == segkit.__version__
    assert cited["authors"] == [{"name": "Pixels to Maps contributors"}]
    assert {"message", "title", "license"} <= cited.keys()
    assert f"\n## {segkit.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_data_and_models_are_cited_with_their_versions():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["references"]
    versions = {one["title"]: one["version"] for one in cited}
    assert all(one["authors"] for one in cited)
    made = {path.stem: read_record(path)["made"][:10] for path in SHIPPED.glob("*.keras")}
    expected = {f"{name}, a trained model": day for name, day in made.items()}
    expected["The embedded city of Pixels to Maps"] = str(dataset.VERSION)
    expected["The embedded mountains with landslides of Pixels to Maps"] = str(mountains.VERSION)
    assert versions == expected and len(made) == 2
