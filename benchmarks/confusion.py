"""Time our confusion matrix beside scikit-learn's on one pair of masks of 4 megapixels.

    python -m benchmarks.confusion

Both take the same arrays in turn, several times; the row in results/confusion.csv holds the medians
and their ratio.
"""

import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.metrics import confusion_matrix

from segkit import metrics

RESULTS = Path(__file__).parent / "results" / "confusion.csv"
SIZE, CLASSES, ROUNDS = 2048, 6, 7


def seconds(count) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    count()
    return time.perf_counter() - began


def main() -> None:
    """Time both, check that they agree, and write the row."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, (SIZE, SIZE), np.uint8)
    answer = np.where(rng.random(truth.shape) < 0.8, truth, (truth + 1) % CLASSES).astype(np.uint8)

    def ours() -> np.ndarray:
        return metrics.confusion(truth, answer, CLASSES)

    def theirs() -> np.ndarray:
        return confusion_matrix(truth.ravel(), answer.ravel(), labels=range(CLASSES))

    if not np.array_equal(ours(), theirs()):
        raise ValueError("the two matrices differ")
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    row = {
        "pixels": truth.size,
        "classes": CLASSES,
        "segkit_ms": round(1000 * mine, 1),
        "scikit_learn_ms": round(1000 * other, 1),
        "ratio": round(other / mine, 1),
        "rounds": ROUNDS,
        "scikit_learn": sklearn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m benchmarks.confusion",
    }
    pd.DataFrame([row]).to_csv(RESULTS, index=False)
    print("\n".join(f"{key:>16}  {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
