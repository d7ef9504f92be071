"""Count augmented crops a second from the embedded city; write results/workers.csv.

    python -m benchmarks.workers

Whole batches as a training gets them, in turns, round after round. Nothing else should run.
"""

import os
import platform
import time
from datetime import UTC, datetime

import pandas as pd

from benchmarks.engines import hardware
from benchmarks.options import RESULTS
from classroom import course
from segkit import pipeline, store

TABLE = RESULTS / "workers.csv"
#: Pixels of a crop, both ways; crops in a batch; batches in a round; rounds.
SIZE, BATCH, BATCHES, ROUNDS = 256, 8, 80, 5


def rate(workers: int) -> tuple[float, float]:
    """Draw crops; return how many came in a second, and the processor's milliseconds for each."""
    tiles_h5 = course.catch_up("tiles.h5")
    names = list(store.index(tiles_h5).index)
    feed = iter(pipeline.crops(tiles_h5, names, SIZE, BATCH, workers=workers))
    for _ in range(workers + 2):  # files are opened, and the first batches lie ready
        next(feed)
    began, spent = time.perf_counter(), time.process_time()
    for _ in range(BATCHES):
        next(feed)
    took, spent = time.perf_counter() - began, time.process_time() - spent
    return BATCHES * BATCH / took, 1000 * spent / (BATCHES * BATCH)


def expected(one: float, two: float, workers: int) -> float:
    """Return the rate of so many workers if what two gain over one goes on (Amdahl 1967).

    A crop takes `alone + shared / workers` seconds: a part that only one can do at a time, and one
    that all share.
    """
    shared = 2 * (1 / one - 1 / two)
    return 1 / (1 / one - shared + shared / workers)


def main() -> None:
    """Measure in turns, write, print."""
    counts = range(1, (os.cpu_count() or 1) + 1)
    found = [(n, *rate(n)) for i in range(ROUNDS) for n in (counts if i % 2 else counts[::-1])]
    table = pd.DataFrame(found, columns=["workers", "crops", "ms"])
    rows = []
    for count, rounds in table.groupby("workers"):
        crops = rounds["crops"]
        row = {"workers": count, "size": SIZE, "crops a second": crops.median()}
        row |= {"least": crops.min(), "most": crops.max(), "processor ms": rounds["ms"].median()}
        row |= {"rounds": ROUNDS, "hardware": hardware(), "python": platform.python_version()}
        row |= {"date": datetime.now(UTC).date().isoformat()}
        rows.append(row | {"command": "python -m benchmarks.workers"})
    table = pd.DataFrame(rows).round(2)
    table.to_csv(TABLE, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
