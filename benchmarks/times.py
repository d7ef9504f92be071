"""Write the measured running times of the notebooks into the tables that promise them.

    python -m benchmarks.times      (or: make times; `make outputs` does it too)

Between each pair of marks in README.md and INSTRUCTORS.md, the last cell of a row that links a
notebook is that notebook's time, and the words after "Measured:" say on what.
"""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "results" / "notebooks.csv"
TEXTS = [ROOT / "README.md", ROOT / "INSTRUCTORS.md"]
MARKS = re.compile(r"(<!-- times -->\n)(.*?)(<!-- /times -->)", re.DOTALL)
ROW = re.compile(r"(\]\(notebooks/(\w+)\.ipynb\).*\|)[^|\n]*\|$", re.MULTILINE)
MEASURED = re.compile(r"^Measured: .*$", re.MULTILINE)
#: What a record says of a run: on what, on which day, and how fast that machine trains.
RUN = r"^(?P<what>.*?)(?: · (?P<day>\d{4}-\d\d-\d\d))?(?: · (?P<ms>\d+) ms per .*)?$"
NOT_MEASURED = "not measured"


def in_words(seconds: float) -> str:
    """Return a time as a reader wants it: "20 s", "3 min", "1.5 h"."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def conditions(record: pd.DataFrame) -> str:
    """Return on what the times were measured, when, and how fast those machines train."""
    runs = record["run"].str.extract(RUN).assign(number=record["notebook"].str.extract(r"^(\d\d)_"))
    told = []
    for what, some in runs.groupby("what", sort=False):
        days = sorted(some["day"].dropna())
        told.append(f"{what} · {_span(days)}" if days else what)
    told = ["; ".join(told)]
    if len(known := runs.dropna(subset=["ms", "number"]).sort_values("number")):
        took = _span(sorted(known["ms"].astype(int)))
        told.append(f"A 128-pixel crop of training took {took} ms")
        if len(known) < runs["number"].count():
            told[-1] += f" in {', '.join(known['number'])}; elsewhere that was not noted"
    return ". ".join(told) + "."


def _span(ordered: list) -> str:
    """Return the first and the last of some values, "a to b", or the only one."""
    return " to ".join(dict.fromkeys(map(str, (ordered[0], ordered[-1]))))


def rendered(text: str, record: pd.DataFrame) -> str:
    """Fill in the times between each pair of marks.

    Args:
        text: Markdown.
        record: columns notebook, seconds and run, as `python -m classroom --renew` writes them.
    """
    seconds, told = record.set_index("notebook")["seconds"], f"Measured: {conditions(record)}"

    def row(hit: re.Match) -> str:
        known = in_words(seconds[hit[2]]) if hit[2] in seconds else NOT_MEASURED
        return f"{hit[1]} {known} |"

    def table(hit: re.Match) -> str:
        return hit[1] + MEASURED.sub(told, ROW.sub(row, hit[2])) + hit[3]

    return MARKS.sub(table, text)


def main() -> None:
    """Write the recorded times into the README and the instructors' guide."""
    record = pd.read_csv(RECORD)
    for path in TEXTS:
        path.write_text(rendered(path.read_text("utf-8"), record), encoding="utf-8")
    print(f"{len(record)} times → {', '.join(path.name for path in TEXTS)}")


if __name__ == "__main__":
    main()
