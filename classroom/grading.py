"""Grade notebooks that were handed in: run each alone, and count the checks that it passes.

    python -m classroom.grading handed_in/*.ipynb

Stored outputs count for nothing. Each notebook runs from start to end in a workspace of its own,
with trainings of seconds, but for those whose answers are numbers of the quick profile. A check
counts once, if a cell that calls it shows its verdict. What was handed in stays as it is.
"""

import argparse
import os
import re
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from classroom.notebooks import EXERCISE, NOTEBOOKS

CHECK = re.compile(r"\bchecks\.(\w+)\(")
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
            found |= set(CHECK.findall(cell.source))
    return found


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
        place = {"metadata": {"path": str(path.resolve().parent)}}
        client = NotebookClient(notebook, timeout=TIMEOUT_S, allow_errors=True, resources=place)
        try:
            client.execute(env=os.environ | how)
        except (CellTimeoutError, DeadKernelError) as error:
            notes = f"stopped: {type(error).__name__}"
    wanted, right = asked(path.name), passed(notebook.cells)
    wanted = wanted or {name for cell in notebook.cells for name in CHECK.findall(cell.source)}
    lacking = ", ".join(sorted(wanted - right))
    row = {"notebook": path.name, "right": len(right & wanted), "of": len(wanted)}
    return row | {"not yet": lacking, "notes": notes}


def main() -> None:
    """Print a row for each notebook."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="+", type=Path)
    print(pd.DataFrame(map(grade, parser.parse_args().notebooks)).to_string(index=False))


if __name__ == "__main__":
    main()
