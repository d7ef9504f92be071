"""The house itself: the road's order, a light import, notebooks that can be read as they are."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import segkit
from segkit import __main__, course, files

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]
MACHINE_PATH = re.compile(
    r"(?<![\w.])(?:/(?:root|home|Users|work|tmp|opt|usr|var)/|[A-Z]:\\)[\w.-]+"
)
WARNING = re.compile(r"\b\w*Warning\b|\bWARNING\b|Traceback")
#: What is folded away until a reader unfolds it.
ANSWER = re.compile(r"</summary>(.*?)</details>", re.DOTALL)
LONGEST_CELL, LONGEST_TEXT, LONGEST_ANSWER, LARGEST_KB = 25, 120, 40, 400


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms of segkit that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "segkit":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("segkit."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == "segkit" and len(name) > 1}
    return found & set(segkit.ROOMS)


def room_of(path: Path) -> str:
    """Return the room that a file of the library belongs to."""
    return path.relative_to(ROOT / "segkit").parts[0].removesuffix(".py")


LIBRARY = sorted((ROOT / "segkit").rglob("*.py"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_before_it(path):
    room = room_of(path)
    if room in segkit.ROOMS:
        later = segkit.ROOMS[segkit.ROOMS.index(room) + 1 :]
        assert not imported_rooms(path) & set(later)


def test_every_module_is_a_room():
    assert {room_of(path) for path in LIBRARY} == {*segkit.ROOMS, "__init__", "__main__"}


def test_the_import_is_light():
    code = """
import sys, time
start = time.process_time()
import segkit
assert time.process_time() - start < 0.2
assert not {"tensorflow", "keras", "numpy"} & set(sys.modules)
assert "patches" in dir(segkit)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tensorflow_is_named_only_where_it_may_be():
    named = {path.name for path in LIBRARY if "import tensorflow" in path.read_text("utf-8")}
    assert named <= {"pipeline.py", "training.py", "course.py"}


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with files.whole(target) as part:
        part.write_text("old")
        assert not target.exists() and part.suffix == ".txt"
    with pytest.raises(KeyboardInterrupt), files.whole(target) as part:
        part.write_text("ne")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_paths_are_shown_without_the_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    assert files.shown(tmp_path / "sample" / "tiles.h5") == "work/sample/tiles.h5"
    assert files.shown(ROOT / "README.md") == "README.md"


def test_the_profile_can_be_stated(monkeypatch):
    monkeypatch.setenv("SEGKIT_PROFILE", "full")
    assert course.profile().name == "full"
    monkeypatch.setenv("SEGKIT_PROFILE", "fast")
    with pytest.raises(ValueError, match="quick, full or smoke"):
        course.profile()


def functions_of(source: str) -> dict[str, str]:
    """Return the functions of some code as text, without docstrings and type hints."""
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        node.returns = None
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            argument.annotation = None
        found[node.name] = ast.unparse(node)
    return found


LIBRARY_FUNCTIONS = {
    name: text
    for path in LIBRARY
    if path.parent.name == "segkit"
    for name, text in functions_of(path.read_text(encoding="utf-8")).items()
}


def code_of(cell) -> str:
    """Return a cell's code without IPython's magics."""
    return "\n".join(
        line[: len(line) - len(line.lstrip())] + "pass" if line.lstrip()[:1] in "%!" else line
        for line in cell.source.splitlines()
        if line.strip()
    )


def read(path: Path):
    """Return the code cells and the text cells of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    kinds = [[c for c in cells if c.cell_type == kind] for kind in ("code", "markdown")]
    return kinds


def output_text(cell) -> str:
    """Return all text that a cell's outputs show."""
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    texts += [str(output.get("data", {}).get("text/html", "")) for output in cell.outputs]
    return "\n".join(texts)


def stumbles(path: Path) -> list[str]:
    """Return all that a reader of a stored notebook would stumble on."""
    code, text = read(path)
    found = [f"{path.stat().st_size // 1024} KB"] if path.stat().st_size > 1024 * LARGEST_KB else []
    for cell in code:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        where, shown = f"cell {cell.id}", output_text(cell)
        tags = cell.metadata.get("tags", [])
        if not lines:
            found.append(f"{where}: empty")
        if len(lines) > LONGEST_CELL:
            found.append(f"{where}: {len(lines)} lines")
        if cell.execution_count is None:
            found.append(f"{where}: never run")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"{where}: an error is stored")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            found.append(f"{where}: stderr is stored")
        if any(
            not output.get("text", "x") or not output.get("data", "x") for output in cell.outputs
        ):
            found.append(f"{where}: an empty output is stored")
        if "nbval-check-output" in tags and not cell.outputs:
            found.append(f"{where}: checked, but nothing is stored")
        found += [f"{where}: {hit}" for hit in MACHINE_PATH.findall(shown) + WARNING.findall(shown)]
        for name, body in functions_of(code_of(cell)).items():
            if LIBRARY_FUNCTIONS.get(name, body) != body:
                found.append(f"{where}: {name} differs from segkit's")
    for cell in text:
        words = len(ANSWER.sub("", cell.source).split())
        if words > LONGEST_TEXT and "|" not in cell.source:
            found.append(f"cell {cell.id}: {words} words")
        for answer in ANSWER.findall(cell.source):
            if len(answer.split()) > LONGEST_ANSWER:
                found.append(f"cell {cell.id}: an answer of {len(answer.split())} words")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_stored_notebook_reads_well(path):
    assert not stumbles(path)


FAULTS = {
    "lines": lambda c: c.update(source="\n".join(["x = 1"] * 26)),
    "never run": lambda c: c.update(execution_count=None),
    "error": lambda c: c.update(
        outputs=[nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
    ),
    "stderr": lambda c: c.update(
        outputs=[nbformat.v4.new_output("stream", name="stderr", text="x")]
    ),
    "Warning": lambda c: c.update(
        outputs=[nbformat.v4.new_output("stream", text="UserWarning: x")]
    ),
    "/home/": lambda c: c.update(outputs=[nbformat.v4.new_output("stream", text="/home/me/x")]),
    "empty output": lambda c: c.update(outputs=[nbformat.v4.new_output("stream", text="")]),
    "nothing is stored": lambda c: c.update(outputs=[], metadata={"tags": ["nbval-check-output"]}),
    "differs": lambda c: c.update(source="def starts(length):\n    return []"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_sees_each_fault(fault, tmp_path):
    cell = nbformat.v4.new_code_cell("x = 1", execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, tmp_path / "n.ipynb")
    assert not stumbles(tmp_path / "n.ipynb")
    FAULTS[fault](cell)
    nbformat.write(notebook, tmp_path / "n.ipynb")
    assert any(fault in found for found in stumbles(tmp_path / "n.ipynb"))


def test_folded_answers_are_counted_apart(tmp_path):
    def words(seen, folded):
        fold = f"<details><summary>Why?</summary>\n\n{'a ' * folded}\n\n</details>"
        cell = nbformat.v4.new_markdown_cell(f"{'a ' * seen}\n\n{fold}")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
        return stumbles(tmp_path / "n.ipynb")

    assert not words(LONGEST_TEXT - 1, LONGEST_ANSWER)
    assert words(LONGEST_TEXT, 1) and words(1, LONGEST_ANSWER + 1)


MAIN = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]


KINDS = ("**Warm-up.** ", "**One knob.** ", "**Repair.** ", "**Open.** ")


@pytest.mark.parametrize("path", MAIN, ids=lambda path: path.stem)
def test_exercises_are_those_of_the_solutions(path):
    notebook, solutions = (
        nbformat.read(one, as_version=4) for one in (path, path.parent / "solutions" / path.name)
    )
    assert __main__.with_exercises(notebook, solutions) == notebook, "run make exercises"
    for one in (notebook, solutions):
        tagged = [c for c in one.cells if "exercise" in c.metadata.get("tags", [])]
        texts = [c.source for c in tagged if c.cell_type == "markdown"]
        kinds = dict.fromkeys(next(k for k in KINDS if text.startswith(k)) for text in texts)
        assert list(kinds) in (list(KINDS), [kind for kind in KINDS if "Repair" not in kind])


def test_exercises_are_copied_and_outputs_kept():
    def code(source, **metadata):
        count = 7 if metadata.pop("run", False) else None
        return nbformat.v4.new_code_cell(source, metadata=metadata, execution_count=count)

    tagged, text = {"tags": ["exercise"]}, nbformat.v4.new_markdown_cell
    stubs = [
        text("**Warm-up.**", metadata=tagged),
        code("x = 1", **tagged),
        code("y = 2", **tagged),
    ]
    solutions = nbformat.v4.new_notebook(cells=[*stubs[:2], code("x = 3"), stubs[2]])
    old = [text("gone"), code("y = 2", run=True), code("z = 1", run=True)]
    frame = [text("## Your turn\n\nTry."), text("## Recap\n\nYou can.")]
    notebook = nbformat.v4.new_notebook(cells=[frame[0], *old, frame[1], code("z", run=True)])
    written = __main__.with_exercises(notebook, solutions).cells
    assert [cell.source for cell in written[1:4]] == [cell.source for cell in stubs]
    assert [cell.execution_count for cell in written[2:4]] == [None, 7]
    assert [cell.source for cell in (written[0], *written[4:])] == [*(c.source for c in frame), "z"]
    assert len(notebook.cells) == 6 and notebook.cells[1].source == "gone"


@pytest.mark.parametrize("path", MAIN, ids=lambda path: path.stem)
def test_a_notebook_has_its_anatomy(path):
    code, text = read(path)
    whole = "\n".join(cell.source for cell in text)
    assert 15 <= len(code) <= 40
    for part in (
        "**You will**",
        "## Checkpoint",
        "## Your turn",
        "## Recap",
        "Check yourself",
        "![",
    ):
        assert part in whole
    assert len(ANSWER.findall(whole)) == 5
