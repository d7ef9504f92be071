"""The house itself: its order and size, a light import, notebooks that can be read as they are."""

import ast
import re
import subprocess
import sys
import tomllib
import warnings
from collections import Counter
from pathlib import Path

import helpers
import nbformat
import pytest
import tensorflow as tf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import segkit
from classroom import house, notebooks
from segkit import files

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]
MACHINE_PATH = re.compile(
    r"(?<![\w.])(?:/(?:root|home|Users|work|tmp|opt|usr|var)/|[A-Z]:\\)[\w.-]+"
)
WARNING = re.compile(r"\b\w*Warning\b|\bWARNING\b|Traceback")
#: What is folded away until a reader unfolds it.
ANSWER = re.compile(r"</summary>(.*?)</details>", re.DOTALL)
#: The first line of a cell whose functions are those of this module.
MARK = re.compile(r"# ((?:segkit|classroom)(?:\.\w+)+)\n")
LONGEST_CELL, LONGEST_TEXT, LONGEST_ANSWER = 25, 120, 40
#: Of a stored notebook; maps need more.
LARGEST_KB, LARGEST_KB_OF_MAPS = 400, 700
HOUSES = ("segkit", "classroom", "cityscape", "benchmarks", "tests")
ROOMS = house.files()


def source_of(path: Path) -> str:
    """Return the code of a file."""
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room):
    before = list(ROOMS)[: list(ROOMS).index(room)]
    assert not set(house.imports(source_of(ROOMS[room]), list(ROOMS))) - set(before)


def test_every_module_is_a_room():
    assert sorted(ROOMS.values()) == sorted((ROOT / "segkit").rglob("*.py"))
    assert segkit.ROOMS == (
        "files", "classes", "rasters", "domain", "datasets", "store", "patches", "pipeline",
        "weights", "models", "losses", "metrics", "evaluation", "plots", "tracking", "training",
        "scenes", "cleanup", "basemaps", "maps", "webmap", "app", "scale", "cli",
    )  # fmt: skip


def test_what_a_room_imports_is_seen():
    code = """
from segkit import __version__, maps, models
from segkit.datasets import Card, layouts
import segkit.files
def later():
    from segkit.models.unet import STEP
"""
    known = ["files", "datasets.layouts", "datasets", "models.unet", "models", "maps", "plots"]
    assert house.imports(code, known) == known[:-1]


def test_the_library_is_no_larger_than_it_says():
    sizes = house.sizes()
    assert sizes.pop("all") <= house.LARGEST
    assert sizes.pop("programs") <= house.LARGEST_PROGRAMS
    assert not {room: lines for room, lines in sizes.items() if lines > house.LARGEST_ROOM}
    told = re.sub(r"\s+", " ", source_of(ROOT / "README.md"))
    assert f"at most {house.LARGEST:,} lines of code, no room over {house.LARGEST_ROOM}" in told


LINES = '''"""Two
lines."""

# one
x = (  # two
    1,
)
def f():
    """One."""
    return x
'''


def test_a_line_of_code_holds_code():
    assert house.lines_of_code(LINES) == 5


def test_the_picture_of_imports_is_of_today():
    text = source_of(ROOT / "CONTRIBUTING.md")
    assert "<!-- house -->" in text
    assert house.rendered(text) == text, "run make house"


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


LIGHT = ("maps", "cleanup", "webmap", "datasets", "patches", "store", "rasters", "basemaps")


def test_what_needs_no_network_of_layers_loads_none():
    """One process after the other would tell no more: nothing unloads what is loaded."""
    code = f"""
import sys
from importlib import import_module
for room in {LIGHT}:
    import_module("segkit." + room)
    assert not {{"tensorflow", "keras"}} & set(sys.modules), room
import classroom.course, cityscape
assert not {{"tensorflow", "keras"}} & set(sys.modules), "classroom or cityscape"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def imported(source: str) -> list[tuple[str, bool]]:
    """Return the packages that some code imports, and whether that is inside a function."""
    found, tree = [], ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
        found += [(name.split(".")[0], id(node) in inside) for name in names]
    return found


def test_tensorflow_and_the_other_houses_are_named_only_where_they_may_be():
    named = {"tensorflow": set(), "classroom": set(), "cityscape": set()}
    for path in [
        p for name in ("segkit", "classroom", "cityscape") for p in (ROOT / name).rglob("*.py")
    ]:
        for package in {name for name, _ in imported(source_of(path))} & named.keys():
            named[package].add(path.relative_to(ROOT).as_posix())
    library = {"segkit/pipeline.py", "segkit/training.py", "segkit/models/encoders.py"}
    assert named["tensorflow"] <= {*library, "classroom/course.py"}
    assert not {path for path in named["classroom"] if not path.startswith("classroom/")}
    assert {path for path in named["cityscape"] if path.startswith("segkit/")} == {
        "segkit/datasets/__init__.py"
    }


#: Packages that are imported under another name.
PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}
PACKAGES |= {"markdown_it": "markdown-it-py"}


def declared() -> tuple[set[str], set[str]]:
    """Return the packages that the library needs, and all that are declared anywhere."""
    told = tomllib.loads(source_of(ROOT / "pyproject.toml"))
    groups = [*told["project"]["optional-dependencies"].values(), told["dependency-groups"]["dev"]]
    base, *others = (
        {canonicalize_name(Requirement(line).name) for line in group}
        for group in (told["project"]["dependencies"], *groups)
    )
    return base, base.union(*others)


def undeclared(source: str, library: bool = False) -> list[str]:
    """Return what some code imports and the project does not declare.

    Args:
        source: the code.
        library: whether it comes with `pip install .`: then what is not imported inside a function
            has to come along, too.
    """
    base, everything = declared()
    own = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    found = []
    for name, inside in imported(source):
        package = canonicalize_name(PACKAGES.get(name, name))
        if name not in {*sys.stdlib_module_names, *HOUSES, *own}:
            wanted = base if library and not inside else everything
            found += [name] if package not in wanted else []
    return found


def test_every_imported_package_is_declared():
    found = {}
    for name in HOUSES:
        for path in (ROOT / name).rglob("*.py"):
            program = set(house.PROGRAMS) & {
                path.stem,
                path.parent.name,
            }  # with an extra of its own
            found[path] = undeclared(
                source_of(path), name in ("segkit", "cityscape") and not program
            )
    for path in NOTEBOOKS:
        code, _ = read(path)
        found[path] = [name for cell in code for name in undeclared(code_of(cell))]
    assert not {str(path): names for path, names in found.items() if names}


def test_an_undeclared_package_is_seen():
    assert undeclared("import os, numpy.linalg\nfrom PIL import Image\nimport tests") == []
    assert undeclared("from torch.nn import Module") == ["torch"]
    assert undeclared("import_module('torch.nn')") == ["torch"]
    assert undeclared("import jupyterlab") == [] and undeclared("import jupyterlab", True)
    assert undeclared("def play():\n    import jupyterlab", True) == []


#: What somebody else calls by its name: Python, and the classes that ours come from.
HOOKS = {"handle_starttag", "find_class", "persistent_load", "_repr_markdown_"}


def names_of(source: str) -> set[str]:
    """Return the functions and classes that some code defines, and the constants of its module."""
    tree = ast.parse(source)
    made = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = {node.name for node in ast.walk(tree) if isinstance(node, made)}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)
                      and isinstance(one.ctx, ast.Store)}  # fmt: skip
    return {name for name in found if not (name.startswith("__") and name.endswith("__"))}


def unused(defined: set[str], texts: list[str]) -> set[str]:
    """Return those names that stand in all the texts once alone: where they are defined."""
    words = Counter(word for text in texts for word in re.findall(r"\w+", text))
    return {name for name in defined - HOOKS if words[name] < 2}


def test_nothing_stands_there_that_nobody_uses():
    code = [path for name in HOUSES[:-1] for path in (ROOT / name).rglob("*.py")]
    texts = [source_of(path) for path in code]
    kinds = (".html", ".toml", ".vrt", ".md")
    beside = (path for name in HOUSES[:-1] for path in (ROOT / name).rglob("*"))
    others = [source_of(path) for path in beside if path.suffix in kinds]
    others += [cell.source for path in NOTEBOOKS for cells in read(path) for cell in cells]
    assert not unused(set().union(*map(names_of, texts)), texts + others)
    code = "A = B = 1\nclass C:\n    def used(self): return A\n    def __len__(self): return 0\n"
    assert unused(names_of(code), [code, "C().used()"]) == {"B"}


def test_what_will_go_fails_a_test():
    with pytest.raises(DeprecationWarning, match="is deprecated"):
        tf.test.is_gpu_available()  # TensorFlow logs it
    with pytest.raises(DeprecationWarning):
        warnings.warn("met in our own code", DeprecationWarning, stacklevel=1)
    for package in ("keras.src.layers", "numpy", "rasterio.io"):
        with pytest.raises(FutureWarning):
            warnings.warn_explicit("announced", FutureWarning, "file.py", 1, package)
    with pytest.warns(DeprecationWarning):
        warnings.warn_explicit("of others", DeprecationWarning, "file.py", 1, "somebody.else")


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


def test_two_writers_never_publish_a_mixture(tmp_path):
    target = tmp_path / "file.txt"
    with files.whole(target) as first:
        first.write_text("first, half")
        with files.whole(target) as second:
            assert second != first
            second.write_text("second")
        assert target.read_text() == "second" and first.read_text() == "first, half"
        first.write_text("first, whole")
    assert target.read_text() == "first, whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


WRITER = """
import sys
from segkit import files
for _ in range(200):
    with files.whole(sys.argv[1]) as part:
        with part.open("w") as file:
            for _ in range(50):
                file.write(sys.argv[2])
                file.flush()
"""


def test_what_gdal_noted_of_an_old_file_goes_with_it(tmp_path):
    noted = tmp_path / "map.tif.aux.xml"
    noted.write_text("<PAMDataset/>")
    with files.whole(tmp_path / "map.tif") as part:
        part.write_bytes(b"new")
        assert noted.exists()
    assert not noted.exists()


def test_two_processes_that_write_at_once_leave_a_whole_file(tmp_path):
    target = tmp_path / "file.txt"
    running = [helpers.python(WRITER, target, letter) for letter in "ab"]
    whole, seen = {"a" * 50, "b" * 50}, set()
    while any(one.poll() is None for one in running):
        if target.exists():
            seen.add(target.read_text())
    assert [one.communicate()[0] for one in running] == ["", ""]
    assert seen and seen <= whole and target.read_text() in whole
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


KILLED = """
import sys, time
from segkit import files
with files.whole(sys.argv[1]) as part:
    part.mkdir()
    (part / "half").touch()
    print("begun", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_writer_left_is_cleared_by_the_next(tmp_path):
    target, other = tmp_path / "folder", tmp_path / "other"

    def left() -> int:
        return len(list(tmp_path.glob(".part-*")))

    killed = helpers.python(KILLED, target)
    assert killed.stdout.readline() == "begun\n"
    with files.whole(target) as part:
        part.mkdir()
    assert target.is_dir() and left() == 1  # of one that still writes
    killed.kill()
    killed.communicate()
    for path, remain in ((other, 1), (target, 0)):
        with files.whole(path) as part:
            part.mkdir()
        assert left() == remain
    assert not list(target.iterdir())


HOLDER = """
import sys
from segkit import files
with files.alone(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_one_process_at_a_time_holds_the_lock(tmp_path):
    target = tmp_path / "tiles.h5"
    holder = helpers.python(HOLDER, target)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RuntimeError, match="another process"), files.alone(target, wait=False):
        pass
    with files.alone(tmp_path / "patches.h5", wait=False):
        pass  # another file is free
    waiting = helpers.python(HOLDER, target)
    assert "waiting" in waiting.stdout.readline()
    holder.kill()  # a lock goes with its process
    holder.communicate()
    assert waiting.stdout.readline() == "held\n"
    assert waiting.communicate("done\n") == ("", None)
    with files.alone(target, wait=False), pytest.raises(KeyError):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_paths_are_shown_without_the_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    assert files.shown(tmp_path / "sample" / "tiles.h5") == "work/sample/tiles.h5"
    assert files.shown(ROOT / "README.md") == "README.md"


class Bare(ast.NodeTransformer):
    """Take docstrings, type hints and decorators away."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        node.returns, node.decorator_list = None, []
        return node

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        return ast.Assign([node.target], node.value, lineno=node.lineno) if node.value else None


def functions_of(source: str) -> dict[str, str]:
    """Return the functions of some code as text, without docstrings, type hints and decorators."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.unparse(Bare().visit(node)) for node in nodes}


def functions_of_module(module: str) -> dict[str, str] | None:
    """Return the functions of a module or of all files of a package; None if there is none."""
    path = ROOT / Path(*module.split("."))
    paths = sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    if not all(path.exists() for path in paths):
        return None
    return {k: text for one in paths for k, text in functions_of(source_of(one)).items()}


def unlike(cell) -> list[str]:
    """Return how a marked cell differs from the module that its mark names."""
    mark = MARK.match(cell.source)
    if not mark:
        return []
    here, there = functions_of(code_of(cell)), functions_of_module(mark[1])
    if there is None or not here:
        return [f"{mark[1]} is no module" if there is None else f"{mark[0].strip()} marks nothing"]
    found = [f"{name} is missing in {mark[1]}" for name in here if name not in there]
    both = here.keys() & there.keys()
    return found + [
        f"{name} differs from {mark[1]}'s" for name in both if here[name] != there[name]
    ]


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
    most = LARGEST_KB_OF_MAPS if path.stem.startswith("07") else LARGEST_KB
    found = [f"{path.stat().st_size // 1024} KB"] if path.stat().st_size > 1024 * most else []
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
        found += [f"{where}: {difference}" for difference in unlike(cell)]
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
    "starts differs from segkit.patches": lambda c: c.update(
        source="# segkit.patches\ndef starts(length):\n    return []"
    ),
    "conv_block differs from segkit.models": lambda c: c.update(
        source="# segkit.models\ndef conv_block(x, filters):\n    return x"
    ),
    "starts is missing in segkit.store": lambda c: c.update(
        source="# segkit.store\ndef starts(length):\n    return []"
    ),
    "segkit.patch is no module": lambda c: c.update(source="# segkit.patch\ndef f():\n    pass"),
    "marks nothing": lambda c: c.update(source="# segkit.patches\nsize = 256"),
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


DOWN_BLOCK = """# segkit.models.unet
@reread
def down_block(x: "of any size", filters) -> tuple:
    skip: object = conv_block(x, filters)
    return layers.MaxPooling2D(2)(skip), skip  # a comment is no code
"""


def test_what_is_marked_and_the_same_passes():
    def found(source):
        return unlike(nbformat.v4.new_code_cell(source))

    assert not found(DOWN_BLOCK) and not found(DOWN_BLOCK.replace(".unet", ""))
    other = DOWN_BLOCK.replace("(2)", "(4)")
    assert found(other) and not found(other.removeprefix("# segkit.models.unet\n"))


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
    assert notebooks.with_exercises(notebook, solutions) == notebook, (
        "solved here, or changed in solutions/: then run make exercises"
    )
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
    written = notebooks.with_exercises(notebook, solutions).cells
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
