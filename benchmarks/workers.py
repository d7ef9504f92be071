"""Count augmented crops a second from the embedded city; write results/workers.csv.

    python -m benchmarks.workers

Whole batches as a training gets them, in turns, round after round. Beside the workers of one
program, as many programs with one worker each, at the same time: these wait for nothing but the
machine. So what the workers of one program give less, they lose by waiting for each other. Nothing
else should run.
"""

import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pandas as pd

from benchmarks.engines import hardware
from benchmarks.options import RESULTS
from classroom import course
from segkit import pipeline, store

TABLE = RESULTS / "workers.csv"
#: Pixels of a crop, both ways; crops in a batch; batches in a round; rounds.
SIZE, BATCH, BATCHES, ROUNDS = 256, 8, 80, 5


def rate(workers: int, ready: Callable = lambda: None) -> tuple[float, float]:
    """Draw crops; return how many came in a second, and the processor's milliseconds for each.

    Args:
        workers: threads that make them.
        ready: called when all is open, before the clock starts.
    """
    tiles_h5 = course.catch_up("tiles.h5")
    names = list(store.index(tiles_h5).index)
    feed = iter(pipeline.crops(tiles_h5, names, SIZE, BATCH, workers=workers))
    for _ in range(workers + 2):  # files are opened, and the first batches lie ready
        next(feed)
    ready()
    began, spent = time.perf_counter(), time.process_time()
    for _ in range(BATCHES):
        next(feed)
    took, spent = time.perf_counter() - began, time.process_time() - spent
    return BATCHES * BATCH / took, 1000 * spent / (BATCHES * BATCH)


def apart(programs: int) -> tuple[float, float]:
    """Let programs draw crops at the same time, a worker each; return their rates' sum, and ms."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(programs, spawn) as pool:
        ready = manager.Barrier(programs).wait
        found = list(pool.map(rate, [1] * programs, [ready] * programs))
    rates, spent = zip(*found, strict=True)
    return sum(rates), sum(spent) / programs


def expected(together: float, apart: float, workers: int) -> float:
    """Return the rate of so many workers, on as many cores like these two (Amdahl 1967).

    Args:
        together: crops a second of two workers of one program.
        apart: of two programs with one worker each.
        workers: how many.
    """
    waiting = max(0.0, apart / together - 1)  # the share of a crop that only one can do at a time
    return workers * (apart / 2) / (1 + (workers - 1) * waiting)


def main() -> None:
    """Measure in turns, write, print."""
    cores = os.cpu_count() or 1
    kinds = [(1, n) for n in range(1, cores + 1)] + [(n, 1) for n in range(2, cores + 1)]
    found = []
    for turn in range(ROUNDS):
        for programs, workers in kinds if turn % 2 else kinds[::-1]:
            drawn = rate(workers) if programs == 1 else apart(programs)
            found.append((programs, workers, *drawn))
    table = pd.DataFrame(found, columns=["programs", "workers of each", "crops", "ms"])
    rows = []
    for (programs, workers), rounds in table.groupby(["programs", "workers of each"]):
        crops = rounds["crops"]
        row = {"programs": programs, "workers of each": workers, "size": SIZE}
        row |= {"crops a second": crops.median()}
        row |= {"least": crops.min(), "most": crops.max(), "processor ms": rounds["ms"].median()}
        row |= {"rounds": ROUNDS, "hardware": hardware(), "python": platform.python_version()}
        row |= {"date": datetime.now(UTC).date().isoformat()}
        rows.append(row | {"command": "python -m benchmarks.workers"})
    table = pd.DataFrame(rows).round(2)
    table.to_csv(TABLE, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
