"""Measure `store.build` on larger and larger GeoTIFFs; write results/storing.csv.

    python -m benchmarks.storing

Each row is one tile, an image of three bands and its mask of class numbers, tiled GeoTIFFs both,
stored in a process of its own. Memory is all that this process took at its peak (Linux), Python and
its libraries included.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.windows import Window

from segkit import datasets, rasters, store

RESULTS = Path(__file__).parent / "results"
#: Pixels of the tiles, both ways.
SIDES = (5_000, 10_000, 20_000)


def write(path: Path, side: int, bands: int, values: int) -> None:
    """Write random blocks of so many values."""
    path.parent.mkdir(parents=True)
    shape = {"width": side, "height": side, "count": bands, "dtype": "uint8", "tiled": True}
    rng = np.random.default_rng(0)
    with rasters.opened(path, "w", driver="GTiff", compress="deflate", **shape) as raster:
        for row in range(0, side, 500):
            squares = rng.integers(0, values, (bands, 20, side // 25), np.uint8)
            pixels = squares.repeat(25, axis=1).repeat(25, axis=2)
            raster.write(pixels, window=Window(0, row, side, 500))


def large(root: Path, side: int) -> None:
    """Write a data set of one tile."""
    write(root / "images" / "a.tif", side, 3, 256)
    write(root / "masks" / "a.tif", side, 1, 6)
    rows = "".join(f"class {i},{i},0,0\n" for i in range(6))
    (root / "classes.csv").write_text("name,r,g,b\n" + rows)


def stored(root: Path) -> dict:
    """Store a data set, and say what this process took for that."""
    began = time.perf_counter()
    path = store.build(datasets.find(str(root)), root.parent / "tiles.h5")
    seconds, tile = time.perf_counter() - began, store.index(path).iloc[0]
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    return {
        "rows": int(tile["height"]),
        "columns": int(tile["width"]),
        "seconds": round(seconds, 1),
        "megapixels a second": round(tile["height"] * tile["width"] / 1e6 / seconds, 1),
        "peak MiB": round(int(peak.split()[1]) / 1024),
    }


def main() -> None:
    """Measure all sizes, or store one folder alone."""
    if len(sys.argv) > 1:
        print(json.dumps(stored(Path(sys.argv[1]))))
        return
    rows = []
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            large(Path(folder) / "large", side)
            command = [sys.executable, "-m", "benchmarks.storing", f"{folder}/large"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    told = {"python": platform.python_version(), "date": datetime.now(UTC).date().isoformat()}
    told["hardware"] = f"CPU, {os.cpu_count()} cores"
    told["command"] = "python -m benchmarks.storing"
    table = pd.DataFrame(rows).assign(**told)
    table.to_csv(RESULTS / "storing.csv", index=False)
    print(table.drop(columns=list(told)).to_string(index=False))


if __name__ == "__main__":
    main()
