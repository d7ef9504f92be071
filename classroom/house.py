"""The picture of imports: a table of the library's rooms, their size and what each builds upon.

    make house      (or: python -m classroom.house)

writes it into CONTRIBUTING.md, between two marks. A package has one row for each of its files.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import segkit

ROOT = Path(__file__).resolve().parent.parent
#: Lines of code at most: in the whole library without its programs, and in one file of it.
LARGEST, LARGEST_ROOM = 2_500, 220
#: … and in these together, which are programs of their own.
PROGRAMS, LARGEST_PROGRAMS = ("app", "scale", "cli"), 450
#: Inside a package, too, a file imports only those before it.
INSIDE = {
    "datasets": ("readers", "base", "layouts", "outlines"),
    "models": ("unet", "attention", "lite", "encoders", "deeplab", "engines", "files"),
    "app": ("desk",),
}
MARKS = re.compile(r"(<!-- house -->\n).*?(<!-- /house -->)", re.DOTALL)
_BETWEEN = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def lines_of_code(source: str) -> int:
    """Count the lines that hold code: docstrings, comments and blank lines left out."""
    told, code = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            told |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*_BETWEEN, tokenize.ENDMARKER):
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - told)


def files(root: Path = ROOT) -> dict[str, Path]:
    """Return room → its file, in the order of the road; a package's own file comes last of it."""
    found = {"segkit": root / "segkit" / "__init__.py"}
    for room in segkit.ROOMS:
        inside = {f"{room}.{name}": f"{room}/{name}.py" for name in INSIDE.get(room, ())}
        inside[room] = f"{room}/__init__.py" if inside else f"{room}.py"
        found |= {name: root / "segkit" / path for name, path in inside.items()}
    return found


def imports(source: str, known: list[str]) -> list[str]:
    """Return which of the known rooms some code imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "segkit":
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{node.value.id}.{node.attr}"}  # segkit.maps: loaded when it is named
    parts = [name.split(".")[1:] for name in found if name.startswith("segkit.")]
    longest = [next((x for x in (".".join(p[:2]), p[0]) if x in known), None) for p in parts]
    return [name for name in known if name in longest]


def sizes(root: Path = ROOT) -> dict[str, int]:
    """Return room → lines of code; "all" → their sum without the programs; "programs" → theirs."""
    found = {name: lines_of_code(path.read_text("utf-8")) for name, path in files(root).items()}
    theirs = sum(lines for name, lines in found.items() if name.split(".")[0] in PROGRAMS)
    return {**found, "all": sum(found.values()) - theirs, "programs": theirs}


def table(root: Path = ROOT) -> str:
    """Return the rows as Markdown, and the sum."""
    rooms, lines = files(root), sizes(root)
    rows = [f"| room | lines of code, at most {LARGEST_ROOM} | imports |", "|---|---:|---|"]
    for name, path in rooms.items():
        found = imports(path.read_text("utf-8"), list(rooms))
        rows.append(f"| `{name}` | {lines[name]} | {', '.join(f'`{one}`' for one in found)} |")
    programs = f"{lines['programs']} of {LARGEST_PROGRAMS} in programs: {', '.join(PROGRAMS)}"
    rows.append(f"| all | {lines['all']:,} of {LARGEST:,} | and {programs} |")
    return "\n".join(rows) + "\n"


def rendered(text: str, root: Path = ROOT) -> str:
    """Return a text with the table of today between its marks."""
    return MARKS.sub(lambda marks: marks[1] + table(root) + marks[2], text)


def main() -> None:
    """Write the table into CONTRIBUTING.md."""
    path = ROOT / "CONTRIBUTING.md"
    path.write_text(rendered(path.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
