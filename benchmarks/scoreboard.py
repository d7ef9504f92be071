"""Recorded runs, and the tables and the figure made from them.

    python -m benchmarks.scoreboard      (or: make scoreboard)

Runs are appended by `benchmarks.train` and never changed. This command writes a table between each
pair of scoreboard marks, in the README and in notebooks 06 and 08, and the figure that they show.
"""

import csv
import json
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.score import INTERVAL
from segkit import plots

RESULTS = Path(__file__).parent / "results"
ROOT = RESULTS.parent.parent
README = ROOT / "README.md"
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("06_evaluation", "08_architectures")]
FIGURE = ROOT / "notebooks" / "images" / "scoreboard.png"
MARKS = re.compile(r"(<!-- scoreboard (\w+) -->\n).*?(<!-- /scoreboard -->)", re.DOTALL)
#: What a split holds out, in words; the order of the table.
SPLITS = {"patch": "random patches (leaks)", "tile-part": "images", "tile": "tiles"}
#: Minutes of the runs that compare architectures.
MINUTES = 30


def check(path: Path) -> None:
    """Refuse a table of older columns before a long run, not after it."""
    if path.exists() and not set(INTERVAL) <= set(pd.read_csv(path, nrows=0)):
        raise ValueError(f"{path} has other columns than today's runs: move it away")


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
    """Read the runs on the real Dubai tiles, best first within each kind of split."""
    found = pd.read_csv(path)
    rule = found["split"].str.split(",").str[0]
    found = found.assign(rule=rule, rank=rule.map(list(SPLITS).index), held_out=rule.map(SPLITS))
    found = found[found["dataset"] == "dubai"]
    return found.sort_values(["rank", "miou"], ascending=[True, False])


def everything(found: pd.DataFrame) -> str:
    """Write all runs as a Markdown table."""
    columns = {
        "held out": found["held_out"],
        "model": found["model"],
        "minutes": found["minutes"].map("{:g}".format),
        "seed": found["seed"],
        "mIoU": _numbers(found["miou"]),
        "95 %": _interval(found),
        "accuracy": _numbers(found["accuracy"]),
        "mIoU, six classes": _numbers(found["miou, six classes"]),
    }
    return _markdown(columns)


def architectures(found: pd.DataFrame) -> str:
    """Write the runs of equal minutes on whole images held out, one for each network."""
    found = found[(found["rule"] == "tile-part") & (found["minutes"] == MINUTES)]
    found = found[(found["seed"] == 0) & ~found["model"].str.contains("six")]
    found = found.sort_index().drop_duplicates("model", keep="last")
    found = found.sort_values("miou", ascending=False)
    columns = {
        "model": found["model"],
        "weights, million": (found["parameters"] / 1e6).map("{:.1f}".format),
        "pretrained": found["pretrained"],
        "crops seen": found["images_seen"].map("{:,}".format),
        "mIoU": _numbers(found["miou"]),
        "95 %": _interval(found),
        "accuracy": _numbers(found["accuracy"]),
        "road": _numbers(found["iou Road"]),
        "vegetation": _numbers(found["iou Vegetation"]),
    }
    return _markdown(columns)


TABLES = {"everything": everything, "architectures": architectures}


def _numbers(column: pd.Series) -> pd.Series:
    return column.map(lambda value: "" if pd.isna(value) else f"{value:.3f}")


def _interval(found: pd.DataFrame) -> list[str]:
    pairs = found[list(INTERVAL)].itertuples(index=False)
    return ["" if pd.isna(low) else f"{low:.2f}–{high:.2f}" for low, high in pairs]


def _markdown(columns: dict) -> str:
    rows = [columns, ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return "".join("| " + " | ".join(str(cell) for cell in row) + " |\n" for row in rows)


def rendered(text: str, found: pd.DataFrame) -> str:
    """Fill in the table that each pair of marks in a text names."""
    return MARKS.sub(lambda hit: hit[1] + TABLES[hit[2]](found) + hit[3], text)


def figure(found: pd.DataFrame) -> Figure:
    """Draw the runs with their confidence intervals."""
    minutes = found["minutes"].map("{:g} min".format)
    labels = found["model"] + ", " + minutes + ", seed " + found["seed"].astype(str)
    shown = found.set_index(labels)[["miou", *INTERVAL, "held_out"]]
    shown.columns = ["score", "low", "high", "group"]
    return plots.intervals(shown, "mean IoU over five classes, 95 % interval over tiles")


def main() -> None:
    """Render the recorded runs."""
    found = runs()
    README.write_text(rendered(README.read_text("utf-8"), found), encoding="utf-8")
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            text = rendered("".join(cell["source"]), found)
            cell["source"] = text.splitlines(keepends=True)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
    figure(found).savefig(FIGURE)
    print(f"{len(found)} runs → README, notebooks 06 and 08, {FIGURE.name}")


if __name__ == "__main__":
    main()
