"""Time the imports of the rooms that load no TensorFlow, each in a fresh process.

    python -m benchmarks.imports

Beside them stand `import segkit` alone, and `segkit.training`, which does load TensorFlow. A row of
results/imports.csv holds the median of several processes.
"""

import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results" / "imports.csv"
ROUNDS = 5
LIGHT = ("datasets", "store", "patches", "rasters", "cleanup", "maps", "basemaps", "webmap")
MODULES = ("segkit", *(f"segkit.{room}" for room in LIGHT), "segkit.training")
CODE = """
import importlib, sys, time
began = time.perf_counter()
importlib.import_module(sys.argv[1])
print(time.perf_counter() - began, "tensorflow" in sys.modules)
"""


def measured(module: str) -> tuple[float, bool]:
    """Import a module in a fresh process; return the seconds, and whether TensorFlow came along."""
    command = [sys.executable, "-c", CODE, module]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, heavy = done.stdout.split()
    return float(seconds), heavy == "True"


def main() -> None:
    """Measure in turn, write, print."""
    rounds = [[measured(module) for module in MODULES] for _ in range(ROUNDS)]
    rows = []
    for module, found in zip(MODULES, zip(*rounds, strict=True), strict=True):
        seconds = statistics.median(second for second, _ in found)
        rows.append({"import": module, "seconds": round(seconds, 3), "TensorFlow": found[0][1]})
    table = pd.DataFrame(rows).assign(
        rounds=ROUNDS,
        hardware=f"{platform.machine()}, Python {platform.python_version()}",
        date=datetime.now(UTC).date().isoformat(),
        command="python -m benchmarks.imports",
    )
    table.to_csv(RESULTS, index=False)
    print(table[["import", "seconds", "TensorFlow"]].to_string(index=False))


if __name__ == "__main__":
    main()
