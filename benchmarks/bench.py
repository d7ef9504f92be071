"""Measure each stage on the way to a map beside other ways to do the same; write results/bench.csv.

    make bench      (or: python -m benchmarks.bench; some parts: … --parts reading masks)

Both get the same input in turns, round after round (of several, the first is not counted), and
must give the same answer; where another blending gives another map, *differs* says for how many
pixels. *Ratio* is the other's processor time over ours: the median of the rounds, with the least
and the most. Memory is what each took at its peak above what was taken before, the most of all
rounds (Linux). Size 4 has four times the pixels of size 1. What is measured stands in
`benchmarks.pairs`. Nothing else should run.
"""

import argparse
import ctypes
import gc
import itertools
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks import pairs, speed
from benchmarks.engines import hardware
from benchmarks.mapping import memory_mib
from benchmarks.pairs import Pair
from segkit import plots
from segkit.files import progress

RESULTS = Path(__file__).parent / "results" / "bench.csv"
#: How many times the pixels, and how many rounds then.
ROUNDS = {1: 5, 4: 3, 16: 3}
PARTS = {
    "reading": pairs.reading, "masks": pairs.masks, "training": pairs.steps, "scenes": pairs.scenes
}  # fmt: skip


def compared(pair: Pair, size: int, rounds: int) -> dict:
    """Let both ways take turns; return one row.

    Raises:
        ValueError: the answers differ.
    """
    names = ["ours", "theirs"] if pair.theirs else ["ours"]
    answers, spent, peaks, differs = {}, [], dict.fromkeys(names, 0), 0.0
    for i in range(rounds):
        spent.append({})
        for name in names[:: -1 if i % 2 else 1]:
            answers[name], spent[-1][name], peak = spend(getattr(pair, name))
            peaks[name] = max(peaks[name], peak)
        if i == 0 and pair.theirs:
            mine, other = answers.values()
            alike = np.shape(mine) == np.shape(other)
            differs = np.mean(mine != other) if alike else 1.0
            if differs > pair.alike or not alike:
                raise ValueError(f"{pair.part}: ours and {pair.other} give different answers")
        answers.clear()
    spent = spent[1:] or spent  # the first time, programs are built and files are read
    return row(pair, size, pd.DataFrame(spent), peaks) | {"differs": differs}


def row(pair: Pair, size: int, spent: pd.DataFrame, peaks: dict) -> dict:
    """Sum up the rounds of a pair: columns "ours" and, where there is another, "theirs"."""
    theirs = spent.get("theirs", np.nan)
    ratio = theirs / spent["ours"]
    return {
        "part": pair.part, "other": pair.other, "size": size, "Mpx": pair.megapixels,
        "ours s": spent["ours"].median(), "other s": np.median(theirs),
        "ratio": ratio.median(), "least": ratio.min(), "most": ratio.max(),
        "ours MiB": peaks["ours"], "other MiB": peaks.get("theirs"), "rounds": len(spent),
    }  # fmt: skip


def spend(call: Callable) -> tuple[object, float, int]:
    """Return a call's answer, its processor seconds, and the MiB that it took at its peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free is given back, so that each begins alike
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = memory_mib("VmRSS"), time.process_time()
    answer = call()
    spent = time.process_time() - began
    return answer, spent, round(memory_mib("VmHWM") - before)


def summary() -> dict:
    """Return the columns of a table: a row for each comparison, ratios by size.

    *Slope* is by which power of the pixels our seconds grow.
    """
    sizes, columns = list(ROUNDS), {name: [] for name in ("what", "beside")}
    ratios = {size: [] for size in sizes}
    last_columns = ("Mpx a second", "slope", "peak MiB", "peak MiB, other", "hardware")
    rest = {name: [] for name in last_columns}
    for (part, other), found in (
        pd.read_csv(RESULTS).fillna({"other": ""}).groupby(["part", "other"], sort=False)
    ):
        found = found.set_index("size")
        columns["what"].append(part)
        columns["beside"].append(other)
        for size in sizes:
            ratios[size].append(told(found.loc[size]) if size in found.index else "")
        last = found.iloc[-1]
        rest["Mpx a second"].append(f"{last['Mpx'] / last['ours s']:.1f}")
        rest["slope"].append(f"{slope(found):.2f}" if len(found) > 1 else "")
        rest["peak MiB"].append(f"{last['ours MiB']:.0f}")
        rest["peak MiB, other"].append(f"{last['other MiB']:.0f}" if other else "")
        rest["hardware"].append(last["hardware"])
    return columns | {f"ratio, size {size}": ratios[size] for size in sizes} | rest


def told(row: pd.Series) -> str:
    """Return a ratio in words, with the least and the most of several rounds."""
    if not row["other"]:
        return ""
    spread = f" ({row['least']:.3g}–{row['most']:.3g})" if row["rounds"] > 1 else ""
    return f"{row['ratio']:.3g}{spread}"


def slope(found: pd.DataFrame) -> float:
    """Return by which power of the pixels our seconds grow: 1 is in proportion."""
    return float(np.polyfit(np.log(found["Mpx"]), np.log(found["ours s"]), 1)[0])


@plots.styled
def figure() -> Figure:
    """Draw the ratios with their spread, and how our seconds grow with the pixels."""
    found = pd.read_csv(RESULTS)
    drawn, (left, right) = plt.subplots(1, 2, figsize=(13, 5), width_ratios=(3, 2))
    first = found[(found["size"] == 1) & found["other"].notna()].reset_index()
    left.hlines(first.index, first["least"], first["most"], color="#0072B2", alpha=0.5, linewidth=4)
    left.plot(first["ratio"], first.index, "o", color="#0072B2")
    left.axvline(1, color="0.4", linewidth=1)
    left.set_yticks(first.index, first["part"] + " beside " + first["other"], fontsize=8)
    left.set(xscale="log", ylim=(len(first) - 0.5, -0.5))
    left.set_xticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    left.set(xlabel="processor time of the other way over ours")
    grown = found.groupby("part").filter(lambda rows: rows["size"].nunique() == len(ROUNDS))
    styles = itertools.product(("-", "--"), plots.LINE_COLORS)
    for (line, color), (part, rows) in zip(styles, grown.groupby("part", sort=False), strict=False):
        rows = rows.drop_duplicates("size").set_index("size")["ours s"]
        right.plot(rows / rows.iloc[0], line, marker=".", color=color, label=part)
    right.plot(list(ROUNDS), list(ROUNDS), ":", color="0.4", label="in proportion")
    right.set(xscale="log", yscale="log", xlabel="times the pixels")
    right.set(ylabel="times our seconds of size 1")
    right.set_xticks(list(ROUNDS), list(map(str, ROUNDS)), minor=False)
    right.set_yticks(list(ROUNDS), list(map(str, ROUNDS)), minor=False)
    right.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))  # beside the lines
    return drawn


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    chosen = parser.parse_args().parts
    told = {
        "hardware": f"{hardware()}, {speed.milliseconds():.0f} ms per crop",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m benchmarks.bench",
    }
    for part in chosen:
        rows = []
        for size, rounds in progress(ROUNDS.items(), part):
            with tempfile.TemporaryDirectory() as folder:
                for pair in PARTS[part](Path(folder), size):
                    rows.append({"stage": part, **compared(pair, size, rounds)})
        table = pd.DataFrame(rows).round(5)
        print(table.to_string(index=False), flush=True)
        table = table.assign(**told)
        if RESULTS.exists():  # parts that are not measured now stay as they were
            older = pd.read_csv(RESULTS)
            table = pd.concat([older[older["stage"] != part], table])
            table = table.sort_values("stage", key=lambda x: x.map([*PARTS].index), kind="stable")
        table.to_csv(RESULTS, index=False)


if __name__ == "__main__":
    main()
