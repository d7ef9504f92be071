"""Measure `scenes.predict`: seams, memory, time, score; write results/mapping.csv and memory.csv.

    python -m benchmarks.mapping

The model is notebook 05's, which is trained first where it is not there. Each row of mapping.csv is
one way to map the embedded city's scene by it, run in a process of its own. memory.csv holds the
peak memory above the loaded model for scenes of more and more rows, and the time over that of the
same windows' bare `predict_on_batch`.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from benchmarks import blending
from segkit import course, metrics, patches, scenes, training

RESULTS = Path(__file__).parent / "results"
WINDOW, OVERLAP, COLUMNS = 256, 0.5, 4096
ROWS = (2048, 8192, 16384)


def peak_mib() -> float:
    """Return this process's peak memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def blended(model, source: Path, tta: bool = False) -> np.ndarray:
    """Map by `scenes.predict` and read the map."""
    with tempfile.TemporaryDirectory() as folder:
        path = scenes.predict(model, source, Path(folder) / "map.tif", WINDOW, OVERLAP, tta=tta)
        with rasterio.open(path) as found:
            return found.read(1)


def truth() -> np.ndarray:
    """Return the true classes of the city's scene."""
    with rasterio.open(course.scene_truth()) as raster:
        return raster.read(1)


WAYS = {
    "segkit, blended": blended,
    "segkit, blended, eight turns and flips": lambda m, s: blended(m, s, tta=True),
    "smooth blending as commonly copied": blending.smooth,
    "patchify and unpatchify": blending.patchwork,
    "the truth itself": lambda _, __: truth(),
}


def way(name: str, path: Path) -> dict:
    """Map the city's scene in one way; seconds, MiB above the loaded model, seams and score."""
    model, mapped = training.load(path), WAYS[name]
    model.predict_on_batch(np.zeros((8, WINDOW, WINDOW, 3), np.float32))
    before, began = peak_mib(), time.perf_counter()
    indices = mapped(model, course.scene())
    seconds, memory = time.perf_counter() - began, peak_mib() - before
    counts = metrics.confusion(truth(), indices, len(model.scheme))
    return {
        "seconds": round(seconds, 1),
        "peak MiB above the model": round(memory),
        "seam ratio, overlapping grid": round(scenes.seam_ratio(indices, WINDOW, OVERLAP), 3),
        "seam ratio, side-by-side grid": round(scenes.seam_ratio(indices, WINDOW, 0.0), 3),
        **{key: round(value, 4) for key, value in metrics.summary(counts, model.scheme).items()},
    }


def long_scene(path: Path, rows: int) -> Path:
    """Write a scene of many rows: the city's, again and again."""
    with rasterio.open(course.scene()) as city:
        strip = np.tile(city.read((1, 2, 3)), (1, 1, 1 + COLUMNS // city.width))[:, :, :COLUMNS]
        size = {"width": COLUMNS, "height": rows, "count": 3, "dtype": "uint8"}
        place = {"crs": city.crs, "transform": city.transform}
    with rasterio.open(path, "w", "GTiff", tiled=True, **size, **place) as raster:
        for row in range(0, rows, strip.shape[1]):
            part = strip[:, : rows - row]
            area = rasterio.windows.Window(0, row, COLUMNS, part.shape[1])
            raster.write(part, window=area)
    return path


def bare(model, count: int) -> float:
    """Return the seconds that the network alone takes for so many windows in batches of 8."""
    batch = np.random.default_rng(0).uniform(0, 255, (8, WINDOW, WINDOW, 3)).astype(np.float32)
    began = time.perf_counter()
    for i in range(0, count, len(batch)):
        model.predict_on_batch(batch[: count - i])
    return time.perf_counter() - began


def growth(rows: int, path: Path) -> dict:
    """Map a scene of so many rows; MiB above the loaded model, and seconds over bare prediction."""
    model = training.load(path)
    down, across = (len(patches.starts(n, WINDOW, OVERLAP)) for n in (rows, COLUMNS))
    bare(model, across)  # builds the network's function for each size of batch
    with tempfile.TemporaryDirectory() as folder:
        source = long_scene(Path(folder) / "scene.tif", rows)
        alone = [bare(model, across) for _ in range(5)]
        before, began = peak_mib(), time.perf_counter()
        scenes.predict(model, source, Path(folder) / "map.tif", WINDOW, OVERLAP)
        seconds, memory = time.perf_counter() - began, peak_mib() - before
        alone += [bare(model, across) for _ in range(5)]
    return {
        "rows": rows,
        "columns": COLUMNS,
        "windows": down * across,
        "seconds": round(seconds, 1),
        "over bare prediction": round(seconds / (np.mean(alone) * down), 3),
        "peak MiB above the model": round(memory),
    }


def alone(kind: str, value: str, path: Path) -> dict:
    """Measure one thing in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mapping", "--model", str(path), kind, value]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure all, or one thing alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a .keras file; notebook 05's by default")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.model = options.model or course.catch_up("models/tuned.keras")
    if options.way:
        print(json.dumps(way(options.way, options.model)))
        return
    if options.rows:
        print(json.dumps(growth(options.rows, options.model)))
        return
    told = {
        "model": f"{options.model.stem}.keras, {course.profile().name} profile",
        "hardware": training.setup().name,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m benchmarks.mapping",
    }
    ways = [{"way": name, **alone("--way", name, options.model)} for name in WAYS]
    sizes = [alone("--rows", str(rows), options.model) for rows in ROWS]
    for name, found in (("mapping", ways), ("memory", sizes)):
        table = pd.DataFrame(found).assign(**told)
        table.to_csv(RESULTS / f"{name}.csv", index=False)
        print(table.drop(columns=list(told)).to_string(index=False))


if __name__ == "__main__":
    main()
