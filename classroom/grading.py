"""Grade notebooks that were handed in: run each alone, and count the checks that it passes.

    python -m classroom.grading handed_in/*.ipynb

Stored outputs count for nothing. Each notebook runs from start to end in a workspace of its own,
with trainings of seconds, but for those whose answers are numbers of the quick profile. A check
counts once, if a cell that calls it shows its verdict. What was handed in stays as it is.
"""

import argparse
import ast
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from classroom.notebooks import EXERCISE, NOTEBOOKS

CHECK = re.compile(r"\bchecks\.(\w+)\(")
#: What belongs to whoever grades, not to what is graded.
OWN = ("SEGKIT_DATASET", "SEGKIT_DATA", "SEGKIT_SCENE", "SEGKIT_DISTRICTS", "SEGKIT_BASEMAP")
#: Numbers typed in here are those of the quick profile.
QUICK = ("07", "11", "13")
TIMEOUT_S = 900


def passed(cells: list) -> set[str]:
    """Return the names of the checks whose verdict some executed cells show as right."""
    found = set()
    for cell in cells:
        shown = [one.data.get("text/plain", "") for one in cell.get("outputs", [])
                 if one.output_type == "execute_result"]  # fmt: skip
        if any(text.startswith("Right. ") for text in shown):
            found |= {_shown(cell.source)} - {None}
    return found


def _shown(source: str) -> str | None:
    """Return the name of the check whose verdict a cell shows: that of its last line, if it is one.

    That line must read `checks.name(…)`. What stands in a comment, or is called before, counts for
    nothing.
    """
    first, _, rest = source.partition("\n")
    source = rest if first.startswith("%%") else source  # %%time and its like
    with suppress(SyntaxError):
        match ast.parse(TransformerManager().transform_cell(source)).body[-1:]:
            case [ast.Expr(ast.Call(ast.Attribute(ast.Name("checks"), name)))]:
                return name
    return None


class Client(NotebookClient):
    """Runs a notebook and keeps nothing that it prints: an endless loop would fill the memory."""

    def output(self, outs, msg, *more):
        """Drop what is printed."""
        return None if msg["msg_type"] == "stream" else super().output(outs, msg, *more)


def asked(name: str) -> set[str]:
    """Return the names of the checks that a notebook of the course, so named, asks for."""
    own = [path for path in NOTEBOOKS if path.name[:2] == name[:2]]
    cells = nbformat.read(own[0], as_version=4).cells if own else []
    exercises = [cell for cell in cells if EXERCISE in cell.metadata.get("tags", [])]
    return {name for cell in exercises for name in CHECK.findall(cell.source)}


def grade(path: Path) -> dict:
    """Run a notebook; return its row: checks passed, checks asked for, those that lack, notes."""
    notebook, notes = nbformat.read(path, as_version=4), ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory() as work:
        profile = "quick" if path.name.startswith(QUICK) else "smoke"
        how = {"SEGKIT_WORK": work, "SEGKIT_PROFILE": profile, "SEGKIT_PROGRESS": "0"}
        place = {"metadata": {"path": work}}  # not where other learners' files lie
        how_long = {"timeout": TIMEOUT_S, "allow_errors": True, "kernel_name": "python3"}
        client = Client(notebook, resources=place, **how_long)
        try:
            known = {key: value for key, value in os.environ.items() if key not in OWN}
            client.execute(env=known | how)
        except (CellTimeoutError, DeadKernelError) as error:
            notes = f"stopped: {type(error).__name__}"
    wanted, right = asked(path.name), passed(notebook.cells)
    wanted = wanted or {name for cell in notebook.cells for name in CHECK.findall(cell.source)}
    lacking = ", ".join(sorted(wanted - right))
    if not asked(path.name):
        notes += " its name does not begin with the number of a notebook"
    row = {"notebook": str(path), "right": len(right & wanted), "of": len(wanted)}
    return row | {"not yet": lacking, "notes": notes.strip()}


def main() -> None:
    """Print a row for each notebook."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="+", type=Path)
    rows = []
    for path in parser.parse_args().notebooks:
        try:
            rows.append(grade(path))
        except Exception as error:  # one odd file costs nobody else the row
            rows.append({"notebook": str(path), "notes": f"not run: {type(error).__name__}"})
        print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    print(pd.DataFrame(rows, dtype=object).fillna("").to_string(index=False))


if __name__ == "__main__":
    main()
