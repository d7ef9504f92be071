"""Measure how fast the embedded city is made, and write results/city.csv.

    python -m benchmarks.city

The whole default set (tiles, scene, basemap) is made in a process of its own, so that its peak
memory is its own; then windows of 256 pixels are rendered at places all over the city.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

import cityscape
from segkit import training

RESULTS = Path(__file__).parent / "results" / "city.csv"
SIDE = 256
#: World pixels between the windows, and windows in each direction.
STEP, COUNT = 1500, 8
#: Each window is timed so often; the median counts.
REPEATS = 5
_MAKE = """
import resource, sys, time
import cityscape
begin = time.perf_counter()
cityscape.write(sys.argv[1])
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def default_set() -> dict[str, float]:
    """Make the default data set in a new process; seconds and peak MiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _MAKE, str(Path(folder) / "city")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = map(float, done.stdout.split())
    return {"default set, s": seconds, "default set, peak MiB": memory}


def windows() -> dict[str, float]:
    """Render windows all over the city; milliseconds of each one's median."""
    cityscape.render(0, 0, SIDE, SIDE)
    times = []
    for place in range(COUNT * COUNT):
        row, column = (STEP * (index - COUNT // 2) for index in divmod(place, COUNT))
        one = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            cityscape.render(row, column, SIDE, SIDE)
            one.append(1000 * (time.perf_counter() - begin))
        times.append(sorted(one)[REPEATS // 2])
    series = pd.Series(times)
    return {
        "256-pixel window, median ms": series.median(),
        "256-pixel window, slowest place ms": series.max(),
        "places": len(times),
        "places at 50 ms or more": int((series >= 50).sum()),
    }


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    row = {**default_set(), **windows()}
    row = {key: round(value, 1) for key, value in row.items()}
    row |= {
        "hardware": training.setup().name,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m benchmarks.city",
    }
    pd.DataFrame([row]).to_csv(RESULTS, index=False)
    print("\n".join(f"{key:>36}  {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
