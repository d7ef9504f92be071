"""Measure `scenes.predict`: seams, memory, time, score; write results/mapping.csv and memory.csv.

    python -m benchmarks.mapping

The model is notebook 05's, which is trained first where it is not there. Each row of mapping.csv is
one way to map the embedded city's scene by it. Each row of memory.csv is a scene of more and more
rows, the last of them as large as a Sentinel-2 tile and mapped without overlap. Every row is
measured in a process of its own. Memory is the peak above what the loaded model takes after its
first batch; "over the network alone" is all seconds over those spent inside `predict_on_batch`.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.windows import Window

from benchmarks import blending
from classroom import course, measures
from segkit import metrics, scenes, training

RESULTS = Path(__file__).parent / "results"
WINDOW, OVERLAP = 256, 0.5
#: Rows, columns and overlap of the long scenes.
SIZES = ((2048, 4096, 0.5), (8192, 4096, 0.5), (16384, 4096, 0.5), (10980, 10980, 0.0))


class Timed:
    """A model that counts its windows and the seconds that it spends on them."""

    def __init__(self, path: Path, engine: str = "tensorflow"):
        model = training.load(path, engine)
        self.scheme, self.card, self.input_shape = model.scheme, model.card, model.input_shape
        self.answer = model
        self.seconds = self.windows = 0
        for count in range(1, 9):  # a network is built anew for each size of batch
            self.predict_on_batch(np.zeros((count, WINDOW, WINDOW, 3), np.float32))
        self.seconds = self.windows = 0

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Pass a batch on and look at the clock."""
        began = time.perf_counter()
        found = self.answer.predict_on_batch(images)
        self.seconds += time.perf_counter() - began
        self.windows += len(images)
        return found


def memory_mib(kind: str) -> float:
    """Return this process's memory, "VmRSS" now or "VmHWM" at its peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def measured(model: Timed, call) -> tuple[object, dict]:
    """Call something; return its answer, and what it took."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = memory_mib("VmRSS"), time.perf_counter()
    answer = call()
    seconds = time.perf_counter() - began
    return answer, {
        "windows": model.windows,
        "seconds": round(seconds, 1),
        "over the network alone": round(seconds / max(model.seconds, 1e-9), 3),
        "peak MiB": round(memory_mib("VmHWM") - before),
    }


def blended(model, source: Path, tta: bool = False) -> np.ndarray:
    """Map by `scenes.predict` and read the map."""
    with tempfile.TemporaryDirectory() as folder:
        path = scenes.predict(model, source, Path(folder) / "map.tif", WINDOW, OVERLAP, tta=tta)
        with rasterio.open(path) as found:
            return found.read(1)


#: What each way is called, how it maps, and how its windows overlap.
WAYS = {
    "segkit, blended": (blended, OVERLAP),
    "segkit, turned and flipped": (lambda m, s: blended(m, s, tta=True), OVERLAP),
    "smooth blending as commonly copied": (blending.smooth, OVERLAP),
    "patchify and unpatchify": (blending.patchwork, 0.0),
}


def way(name: str, path: Path) -> dict:
    """Map the city's scene in one way: time, memory, seams and score."""
    model, (mapped, overlap) = Timed(path), WAYS[name]
    with rasterio.open(course.scene_truth(model.scheme)) as raster:
        truth = raster.read(1)
    indices, found = measured(model, lambda: mapped(model, course.scene()))
    counts = metrics.confusion(truth, indices, len(model.scheme))
    return {
        "way": name,
        **found,
        "seam ratio": round(measures.seam_ratio(indices, WINDOW, overlap), 3),
        "seam ratio of the truth": round(measures.seam_ratio(truth, WINDOW, overlap), 3),
        **{key: round(value, 4) for key, value in metrics.summary(counts, model.scheme).items()},
    }


def large_scene(path: Path, rows: int, columns: int) -> Path:
    """Write a large scene: the city's, again and again."""
    with rasterio.open(course.scene()) as city:
        strip = np.tile(city.read((1, 2, 3)), (1, 1, 1 + columns // city.width))[:, :, :columns]
        size = {"width": columns, "height": rows, "count": 3, "dtype": "uint8"}
        place = {"crs": city.crs, "transform": city.transform}
    with rasterio.open(path, "w", "GTiff", tiled=True, **size, **place) as raster:
        for row in range(0, rows, strip.shape[1]):
            part = strip[:, : rows - row]
            raster.write(part, window=Window(0, row, columns, part.shape[1]))
    return path


def large(source: Path, overlap: float, path: Path, engine: str) -> dict:
    """Map a large scene: time and memory."""
    model = Timed(path, engine)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "map.tif"
        _, found = measured(model, lambda: scenes.predict(model, source, target, WINDOW, overlap))
        with rasterio.open(target) as raster:
            size = {"rows": raster.height, "columns": raster.width, "overlap": overlap}
            return {**size, **found, "overviews": len(raster.overviews(1))}


def alone(*flags: str) -> dict:
    """Measure one thing in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mapping", *flags]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def both_tables(path: Path) -> dict[str, list[dict]]:
    """Measure everything."""
    ways = [alone("--model", str(path), "--way", name) for name in WAYS]
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        for rows, columns, overlap in SIZES:
            source = large_scene(Path(folder) / "scene.tif", rows, columns)
            flags = ("--model", str(path), "--scene", str(source), "--overlap", str(overlap))
            sizes.append(alone(*flags))
    return {"mapping": ways, "memory": sizes}


def main() -> None:
    """Measure all, or one thing alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a .keras file; notebook 05's by default")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--overlap", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="tensorflow", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.model or course.catch_up("models/tuned.keras")
    if options.way:
        print(json.dumps(way(options.way, path)))
        return
    if options.scene:
        print(json.dumps(large(options.scene, options.overlap, path, options.engine)))
        return
    told = {
        "model": f"{path.stem}, {course.profile().name} profile",
        "hardware": training.setup().name,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m benchmarks.mapping",
    }
    for name, rows in both_tables(path).items():
        table = pd.DataFrame(rows).assign(**told)
        table.to_csv(RESULTS / f"{name}.csv", index=False)
        print(table.drop(columns=list(told)).to_string(index=False))


if __name__ == "__main__":
    main()
