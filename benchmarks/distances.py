"""Record how far pictures lie from what the shipped models have learned from (`segkit.domain`).

    python -m benchmarks.distances                 the data sets that are here
    python -m benchmarks.distances scene.tif …     and rasters of 8 bits, red, green, blue first

writes results/distances.csv anew: for each model and each data set, or raster, the median over the
windows of each picture, and of these the median, the lowest and the highest. 1 is what 95 % of the
windows of the data set that a model has learned from stay below, held-out images among them.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.options import RESULTS
from segkit import datasets, domain, rasters
from segkit.models.files import SHIPPED, read_record

TABLE = RESULTS / "distances.csv"
NAMES = ("sample", "second_city", "dubai", "deepglobe")


def pictures(paths: list[str]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield a name and its pictures (H, W, 3), of data sets that are here and of rasters."""
    for name in NAMES:
        try:
            found = datasets.find(name)
        except datasets.DatasetNotFound as error:
            print(error)
            continue
        yield name, [found.read(tile)[0] for tile in found.tiles]
    for path in paths:
        with rasters.opened(path) as raster:
            yield Path(path).name, [np.moveaxis(raster.read((1, 2, 3)), 0, -1)]


def distance(spread: dict, picture: np.ndarray) -> float:
    """Return the median distance of a picture's windows."""
    strips = range(0, len(picture), domain.WINDOW)
    looks = [one for row in strips for one in domain.describe(picture[row : row + domain.WINDOW])]
    return float(np.median(domain.distances(spread, looks)))


def main() -> None:
    """Measure all, write the table."""
    models = {p.stem: read_record(p)["card"]["spread"] for p in sorted(SHIPPED.glob("*.keras"))}
    rows = []
    for name, shown in pictures(sys.argv[1:]):
        for model, spread in models.items():
            found = [distance(spread, picture) for picture in shown]
            row = {"model": model, "pictures": name, "count": len(found)}
            row |= {"median": np.median(found), "lowest": min(found), "highest": max(found)}
            names = " ".join(Path(path).name for path in sys.argv[1:])
            row |= {"date": datetime.now(UTC).date().isoformat()}
            rows.append({**row, "command": f"python -m benchmarks.distances {names}".strip()})
    table = pd.DataFrame(rows).sort_values("model", kind="stable").round(3)
    table.to_csv(TABLE, index=False)
    print(table.drop(columns="command").to_string(index=False))


if __name__ == "__main__":
    main()
