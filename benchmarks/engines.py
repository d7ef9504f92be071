"""Run the same networks by TensorFlow, ONNX Runtime and OpenVINO; write results/engines.csv.

    python -m benchmarks.engines

All engines answer the same batches of eight windows of 256 × 256 pixels of the embedded city, one
engine after the other, each round in another order, in one process, with a pause between them; what
is told is the median of a round's processor seconds, and the median and range of its ratio to
TensorFlow's in the same round. *Other class* is the share of pixels whose class differs from
TensorFlow's. A processor with bfloat16 is another one than a processor without: each keeps its
rows. Nothing else should run.
"""

import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

from classroom import course
from segkit import models, training
from segkit.classes import DUBAI
from segkit.datasets import Card

RESULTS = Path(__file__).parent / "results" / "engines.csv"
ENGINES, ROUNDS, WINDOW, BATCH = ("tensorflow", "onnx", "openvino"), 9, 256, 8
#: Seconds in which the threads of an engine come to rest, before its time is taken.
PAUSE = 0.5


def hardware() -> str:
    """Return what this machine is, and whether its processor multiplies in bfloat16 (Linux)."""
    cpus = Path("/proc/cpuinfo")
    known = cpus.exists() and "_bf16" in cpus.read_text()
    return f"{training.setup().name}, {'with' if known else 'without'} bfloat16"


def unet(folder: str) -> Path:
    """Save the course's U-Net of width 16 with weights drawn from seed 0."""
    training.setup(seed=0)
    card = Card("sample", DUBAI)
    return training.save(models.unet(len(DUBAI), 16), Path(folder) / "unet.keras", DUBAI, card)


def batches() -> np.ndarray:
    """Return windows of the city's scene, float32 (rounds, batch, rows, columns, 3)."""
    count, found = ROUNDS * BATCH, []
    rng = np.random.default_rng(0)
    with rasterio.open(course.scene()) as scene:
        pixels = scene.read((1, 2, 3)).transpose(1, 2, 0)
    for row, column in rng.integers(0, pixels.shape[0] - WINDOW, (count, 2)):
        found.append(pixels[row : row + WINDOW, column : column + WINDOW])
    return np.float32(found).reshape(ROUNDS, BATCH, WINDOW, WINDOW, 3)


def compared(name: str, path: str | Path, given: np.ndarray) -> list[dict]:
    """Let each engine run a model; return one row for each."""
    ready = {engine: training.load(path, engine) for engine in ENGINES}
    spent, classes = {engine: [] for engine in ENGINES}, {}
    for model in ready.values():
        models.predict(model, given[0])  # the first time, programs are built
    for number, images in enumerate(given):
        for place in range(len(ENGINES)):
            engine = ENGINES[(number + place) % len(ENGINES)]
            began = time.process_time()
            found = models.predict(ready[engine], images)
            time.sleep(PAUSE)
            spent[engine].append(time.process_time() - began)
            classes.setdefault(engine, []).append(found.argmax(axis=-1))
    rows, plain = [], np.array(spent["tensorflow"])
    for engine in ENGINES:
        ratio = np.array(spent[engine]) / plain
        other = np.mean(np.array(classes[engine]) != np.array(classes["tensorflow"]))
        row = {"model": name, "engine": engine, "seconds": np.median(spent[engine])}
        row |= {"of TensorFlow's": np.median(ratio), "least": ratio.min(), "most": ratio.max()}
        rows.append(row | {"other class": other})
    return rows


def main() -> None:
    """Measure, and write the table."""
    given, rows = batches(), []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in {
            "unet, width 16": unet(folder),
            "efficientnet_unet, lite0": "city-lite0",
            "efficientnet_unet, lite2": "dubai-lite2",
        }.items():
            rows += compared(name, path, given)
    told = {"hardware": hardware(), "machine": platform.processor() or platform.machine()}
    told |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "command": "python -m benchmarks.engines"}
    table = pd.DataFrame(rows).round(5)
    print(table.to_string(index=False))
    table = table.assign(**told)
    if RESULTS.exists():
        older = pd.read_csv(RESULTS)
        table = pd.concat([older[older["hardware"] != told["hardware"]], table])
    table.to_csv(RESULTS, index=False)


if __name__ == "__main__":
    main()
