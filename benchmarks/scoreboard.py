"""Recorded runs, and the table and the figure made from them.

    python -m benchmarks.scoreboard      (or: make scoreboard)

Runs are appended by `benchmarks.train` and never changed. This command writes the table between the
two scoreboard marks of the README and of notebook 06, and the figure that both show.
"""

import csv
import json
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from segkit import plots

RESULTS = Path(__file__).parent / "results"
ROOT = RESULTS.parent.parent
README = ROOT / "README.md"
NOTEBOOK = ROOT / "notebooks" / "06_evaluation.ipynb"
FIGURE = ROOT / "notebooks" / "images" / "scoreboard.png"
MARKS = re.compile(r"(<!-- scoreboard -->\n).*?(<!-- /scoreboard -->)", re.DOTALL)
INTERVAL = ["miou low (95 %, groups drawn)", "miou high"]
#: What a split holds out, in words.
SPLITS = {
    "patch": "random patches (leaks)",
    "tile-part": "images",
    "tile": "tiles",
}


def append(path: Path, rows: list[dict]) -> None:
    """Add rows to a CSV; a file with other columns is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        new = not path.exists()
        if not new:
            with path.open(newline="", encoding="utf-8") as file:
                if (header := next(csv.reader(file))) != list(row):
                    raise ValueError(f"{path} has other columns: {sorted(set(header) ^ set(row))}")
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})


def runs(path: Path = RESULTS / "scoreboard.csv") -> pd.DataFrame:
    """Read the runs on real tiles, best first within each split."""
    found = pd.read_csv(path)
    found["held out"] = found["split"].str.split(",").str[0].map(SPLITS)
    found["rank"] = found["split"].str.split(",").str[0].map(list(SPLITS).index)
    found = found[found["dataset"] == "dubai"]
    return found.sort_values(["rank", "miou"], ascending=[True, False])


def table(found: pd.DataFrame) -> str:
    """Write the runs as a Markdown table."""
    head = "held out | model | minutes | seed | mIoU | 95 % | accuracy | mIoU, six classes"
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for row in found.to_dict("records"):
        low, high = (row[end] for end in INTERVAL)
        cells = [
            row["held out"],
            row["model"],
            f"{row['minutes']:g}",
            row["seed"],
            _number(row["miou"]),
            "" if pd.isna(low) else f"{low:.2f}–{high:.2f}",
            _number(row["accuracy"]),
            _number(row["miou, six classes"]),
        ]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def figure(found: pd.DataFrame) -> Figure:
    """Draw the runs with their confidence intervals."""
    minutes = found["minutes"].map("{:g} min".format)
    labels = found["model"] + ", " + minutes + ", seed " + found["seed"].astype(str)
    shown = found.set_index(labels)[["miou", *INTERVAL, "held out"]]
    shown.columns = ["score", "low", "high", "group"]
    return plots.intervals(shown, "mean IoU over five classes, 95 % interval over tiles")


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


def between_marks(text: str, new: str) -> str:
    """Put a text between the two marks; raise if they are not there once."""
    found, count = MARKS.subn(lambda hit: hit[1] + new + hit[2], text)
    if count != 1:
        raise ValueError(f"{count} pairs of scoreboard marks, not one")
    return found


def main() -> None:
    """Render the recorded runs."""
    found = runs()
    README.write_text(between_marks(README.read_text("utf-8"), table(found)), encoding="utf-8")
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    for cell in notebook["cells"]:
        if MARKS.search("".join(cell["source"])):
            text = between_marks("".join(cell["source"]), table(found))
            cell["source"] = text.splitlines(keepends=True)
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    NOTEBOOK.write_text(text, encoding="utf-8")
    figure(found).savefig(FIGURE)
    print(f"{len(found)} runs → {README.name}, {NOTEBOOK.name}, {FIGURE.name}")


if __name__ == "__main__":
    main()
