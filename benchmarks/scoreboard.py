"""Recorded runs, and the tables and the figure made from them.

    python -m benchmarks.scoreboard      (or: make scoreboard)

Runs are appended by `benchmarks.train` and never changed. This command writes a table between each
pair of scoreboard marks, in the README and in notebooks 06 and 08, and the figures that they show.
Scores are written to two decimals: runs that differ in their seed alone differ in the third.
"""

import csv
import json
import re
import shlex
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.score import INTERVAL
from segkit import plots

RESULTS = Path(__file__).parent / "results"
TRIALS = RESULTS / "trials" / "scoreboard.csv"
CURVES = RESULTS / "curves.csv"
ROOT = RESULTS.parent.parent
README = ROOT / "README.md"
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("06_evaluation", "08_architectures")]
FIGURE = ROOT / "notebooks" / "images" / "scoreboard.png"
PACE = FIGURE.with_name("pace.png")
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
        "mIoU, turned and flipped": _numbers(found["miou, turned and flipped"]),
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


def splits(found: pd.DataFrame) -> str:
    """Write the runs that differ in their split alone: one row each, one column a split."""
    others = found["command"].map(lambda command: _flags(command, without=("split",)))
    found = found.assign(recipe=others)
    found = found.groupby("recipe").filter(lambda runs: runs["rule"].nunique() > 1)
    alike = ["recipe", "model", "minutes", "seed"]
    scores = found.pivot_table(index=alike, columns="rule", values="miou")
    scores = scores.reindex(columns=list(SPLITS)).reset_index()
    columns = {
        "model": scores["model"],
        "minutes": scores["minutes"].map("{:g}".format),
        "seed": scores["seed"],
        **{SPLITS[rule]: _numbers(scores[rule]) for rule in SPLITS},
    }
    return _markdown(columns)


def seeds(found: pd.DataFrame) -> str:
    """Write how far runs lie apart that differ in their seed alone."""
    recipe = found["command"].map(lambda command: _flags(command, without=("seed",)))
    alike = found.groupby([recipe, "held_out", "model", "minutes"], sort=False)
    ends = alike.agg(
        runs=("seed", "nunique"), low=("miou", "min"), high=("miou", "max"),
        least=("accuracy", "min"), most=("accuracy", "max"),
    )  # fmt: skip
    ends = ends[ends["runs"] > 1].reset_index()
    columns = {
        "held out": ends["held_out"],
        "model": ends["model"],
        "minutes": ends["minutes"].map("{:g}".format),
        "seeds": ends["runs"],
        "mIoU": _range(ends["low"], ends["high"]),
        "accuracy": _range(ends["least"], ends["most"]),
    }
    return _markdown(columns)


def progress(found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return, for each run on random patches over five classes, its scores by minutes.

    They are those that it was asked for on the way (`--score-at`), and the last.
    """
    curves, chosen = pd.read_csv(CURVES), found[found["rule"] == "patch"]
    chosen = chosen[chosen["command"].isin(curves["command"])]
    last = chosen[["command", "minutes", "miou", "accuracy"]]
    points = pd.concat([curves[list(last)], last]).groupby("command")
    return {
        f"{run.model}, {run.minutes:g} min": points.get_group(run.command).sort_values("minutes")
        for run in chosen.itertuples()
    }


def pace(found: pd.DataFrame) -> str:
    """Write when each run on random patches reached the best score of the reference recipe."""
    runs = progress(found)
    goal = max(run["miou"].max() for name, run in runs.items() if name.startswith("reference"))
    reached = [run.loc[run["miou"] >= goal, "minutes"].min() for run in runs.values()]
    columns = {
        "run": list(runs),
        "best mIoU": [f"{run['miou'].max():.2f}" for run in runs.values()],
        f"minutes to {goal:.3f}": ["" if pd.isna(m) else f"{m:.1f}" for m in reached],
    }
    return _markdown(columns)


def pace_figure(found: pd.DataFrame) -> Figure:
    """Draw the same runs, mean IoU by minutes."""
    drawn = Figure(figsize=(6.5, 3), layout="constrained", dpi=plots.DPI, facecolor="white")
    ax = drawn.subplots()
    for color, (name, run) in zip(plots.LINE_COLORS, progress(found).items(), strict=False):
        ax.plot(run["minutes"], run["miou"], "o-", color=color, label=name, markersize=4)
    ax.set(
        xlabel="minutes of training on two CPU cores",
        ylabel="mean IoU, five classes",
        xlim=(0, None),
    )
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return drawn


def trials(found: pd.DataFrame) -> str:
    """Write the short runs: what each did differently from the first, and what came of it."""
    found = found.sort_index()
    first = set(_flags(found["command"].iloc[0]))
    differs = found["command"].map(lambda command: _words(set(_flags(command)), first))
    found = found.assign(differs=differs).sort_values("miou", ascending=False)
    columns = {
        "what differs": found["differs"],
        "minutes": found["minutes"].map("{:g}".format),
        "crops seen": found["images_seen"].map("{:,}".format),
        "mIoU": _numbers(found["miou"]),
        "turned and flipped": _numbers(found["miou, turned and flipped"]),
        "accuracy": _numbers(found["accuracy"]),
    }
    return _markdown(columns)


def _flags(command: str, without: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
    """Return the options of a recorded command, each with its values, in order of their names."""
    found, words = [], shlex.split(command)
    for word in words[words.index("benchmarks.train") + 1 :]:
        if word.startswith("--"):
            found.append([word.removeprefix("--"), []])
        else:
            found[-1][1].append(word)
    hidden = {*without, "results"}
    return tuple(sorted((name, " ".join(values)) for name, values in found if name not in hidden))


def _words(flags: set, first: set) -> str:
    """Name what a run did differently from the first one."""
    more = [f"{name} {value}".strip().replace("-", " ") for name, value in sorted(flags - first)]
    names = {name for name, _ in flags}
    more += [f"no {name}".replace("-", " ") for name, _ in sorted(first) if name not in names]
    return ", ".join(more) or "nothing: the recipe of these trials"


TABLES = {
    "everything": everything,
    "architectures": architectures,
    "splits": splits,
    "seeds": seeds,
    "pace": pace,
    "trials": lambda _: trials(runs(TRIALS)),
}


def _numbers(column: pd.Series) -> pd.Series:
    return column.map(lambda value: "" if pd.isna(value) else f"{value:.2f}")


def _range(low: pd.Series, high: pd.Series) -> list[str]:
    return [f"{a:.3f}–{b:.3f}" for a, b in zip(low, high, strict=True)]


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
    pace_figure(found).savefig(PACE)
    print(f"{len(found)} runs → README, notebooks 06 and 08, {FIGURE.name}")


if __name__ == "__main__":
    main()
