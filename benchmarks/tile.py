"""Map a scene as large as a Sentinel-2 tile by each engine; write results/tile.csv.

    python -m benchmarks.tile

The embedded city's scene, again and again, by the shipped city model in windows of 256 that overlap
by half. Each engine runs in a process of its own; time is by the clock, memory the peak above what
the loaded model takes after its first batches. Nothing else should run.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from benchmarks import mapping
from benchmarks.engines import ENGINES, hardware

RESULTS = Path(__file__).parent / "results" / "tile.csv"
MODEL, SIDE = "city-lite0", 10980


def alone(engine: str, source: Path) -> dict:
    """Map a scene by one engine in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.tile", "--engine", engine, "--scene", str(source)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {"engine": engine, **json.loads(done.stdout.splitlines()[-1])}


def main() -> None:
    """Measure all, or one engine alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        print(json.dumps(mapping.large(given.scene, mapping.OVERLAP, MODEL, given.engine)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = mapping.large_scene(Path(folder) / "scene.tif", SIDE, SIDE)
        rows = [alone(engine, source) for engine in ENGINES]
    told = {"model": MODEL, "hardware": hardware(), "python": platform.python_version()}
    told |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "command": "python -m benchmarks.tile"}
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    table.assign(**told).to_csv(RESULTS, index=False)


if __name__ == "__main__":
    main()
