"""Map a scene as large as a Sentinel-2 tile by each engine; write results/tile.csv.

    python -m benchmarks.tile

The embedded city's scene, again and again, by the shipped city model in windows of 256 that overlap
by half. Each engine runs in a process of its own; time is by the clock, memory the peak above what
the loaded model takes after its first batches. Nothing else should run.
"""

import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from benchmarks import mapping
from benchmarks.engines import ENGINES, hardware

RESULTS = Path(__file__).parent / "results" / "tile.csv"
MODEL, SIDE = "city-lite0", 10980


def main() -> None:
    """Let each engine map the same scene, and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        source = mapping.large_scene(Path(folder) / "scene.tif", SIDE, SIDE)
        flags = ("--model", MODEL, "--scene", str(source), "--overlap", str(mapping.OVERLAP))
        rows = [{"engine": one} | mapping.alone(*flags, "--engine", one) for one in ENGINES]
    told = {"model": MODEL, "hardware": hardware(), "python": platform.python_version()}
    told |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "command": "python -m benchmarks.tile"}
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    table.assign(**told).to_csv(RESULTS, index=False)


if __name__ == "__main__":
    main()
