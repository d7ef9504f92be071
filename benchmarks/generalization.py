"""Record, with three seeds, what notebook 09 shows with one: a model meets the second city.

    python -m benchmarks.generalization

Trains networks on the first city, in four ways (the others differ from "plain" in one thing; a
random encoder's batch norms learn, too, as they know nothing yet), and one on the second; scores
each on held-out images of both cities (parts 8 and 9), and what each remedy adds. A row that is
there is not made again.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks import score, tables, variety
from benchmarks.options import RESULTS
from benchmarks.train import data
from classroom import generalization as remedies
from segkit import metrics, models, patches, pipeline, store, training
from segkit.files import work_root

TABLE = RESULTS / "generalization.csv"
SEEDS = (0, 1, 2)
CITIES = ("sample", "second_city")
#: Steps of each training, of 8 crops of 256 pixels: about 50 seconds at 16 ms (see train.py).
STEPS = 150
TINT, SCALES = 0.2, (0.6, 1.32)  # the city's smallest tile allows no larger square
#: Way of training → city, whether the encoder has ImageNet weights, what varies.
ARMS = {
    "plain": ("sample", True, ()),
    "second city": ("second_city", True, ()),
    "scales": ("sample", True, ("scales",)),
    "random encoder": ("sample", False, ()),
    "colors": ("sample", True, ("colors",)),
}
LABELED = (1, 5, 20)


def pairs(city: str, subsets: tuple[str, ...]) -> list:
    """Read images and masks of some subsets of a city."""
    tiles_h5, patches_h5 = data(city, "image")
    names = [name for subset in subsets for name in patches.tiles(patches_h5, subset)]
    return [store.read(tiles_h5, name)[:2] for name in names]


def trained(arm: str, seed: int) -> Path:
    """Train one network, or find it; return where it lies."""
    city, pretrained, varied = ARMS[arm]
    tiles_h5, patches_h5 = data(city, "image")
    name = f"{arm.replace(' ', '_')}-{seed}-{store.card(tiles_h5).fingerprint}.keras"
    path = work_root() / "benchmarks" / "generalization" / name
    if path.exists():
        return path
    training.setup(seed=seed)
    scheme = store.scheme(tiles_h5)
    weights = "imagenet" if pretrained else None
    model = models.efficientnet_unet(len(scheme), weights, "lite0")
    models.unfreeze(model, norms=not pretrained)
    size = variety.reach(256, SCALES) if "scales" in varied else 256
    crops = pipeline.crops(tiles_h5, patches.tiles(patches_h5, "train"), size, 8, seed=seed)
    if "scales" in varied:
        crops = variety.scaled(crops, 256, SCALES)
    if "colors" in varied:
        crops = variety.tinted(crops, TINT)
    training.fit(model, crops, None, scheme, path, epochs=STEPS // 50, steps=50)
    return path


def trials(arm: str, seed: int) -> Iterator[tuple]:
    """Yield city, remedy, and the counts (N, C, C) of its held-out images."""
    path = trained(arm, seed)
    model = training.load(path)
    scheme, held = model.scheme, {city: pairs(city, ("validation", "test")) for city in CITIES}
    factor = store.card(data("second_city", "image")[0]).gsd / model.card.gsd
    if arm != "second city":
        yield "sample", "none", remedies.judged(model, held["sample"], scheme)
    yield "second_city", "none", remedies.judged(model, held["second_city"], scheme)
    if arm == "second city":
        return
    here = {"scheme": scheme, "factor": factor}
    yield "second_city", "resampled", remedies.judged(model, held["second_city"], **here)
    if arm != "plain":
        return
    ours = remedies.quantiles([image for image, _ in pairs("sample", ("train",))])
    pool = pairs("second_city", ("train",))
    theirs = remedies.quantiles([image for image, _ in pool])
    yield (
        "second_city",
        "resampled, histogram matched",
        remedies.judged(
            model, held["second_city"], **here, change=lambda x: remedies.matched(x, theirs, ours)
        ),
    )
    small = remedies.shrunk(pool, factor)
    remedies.adapt_norms(model, [image for image, _ in remedies.patches_of(small, 100, seed)])
    yield (
        "second_city",
        "resampled, norms adapted",
        remedies.judged(model, held["second_city"], **here),
    )
    for count in LABELED:
        model = training.load(path)
        remedies.fine_tune(model, remedies.patches_of(small, count, seed), scheme, seed)
        how = f"resampled, {count} labeled"
        yield "second_city", how, remedies.judged(model, held["second_city"], **here)


def main() -> None:
    """Record what is missing."""
    device = training.setup()
    known = set()
    if TABLE.exists():
        known = set(pd.read_csv(TABLE)[["arm", "seed"]].itertuples(index=False, name=None))
    for arm in ARMS:
        for seed in SEEDS:
            if (arm, seed) in known:
                continue
            rows = []
            for city, remedy, counts in trials(arm, seed):
                counts = counts.sum(axis=0)
                card = store.card(data(city, "image")[0])
                row = {"arm": arm, "seed": seed, "city": city, "remedy": remedy}
                row |= metrics.summary(counts, card.scheme)
                row |= metrics.scores(counts, card.scheme)["iou"].dropna().to_dict()
                row |= {"fingerprint": card.fingerprint}
                row |= {"split": "image, seed 0", "scored_on": "validation and test"}
                row |= {"convention": score.CONVENTION, "steps": STEPS, "hardware": device.name}
                row |= tables.told("python -m benchmarks.generalization")
                rows.append(row)
                print(
                    {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()},
                    flush=True,
                )
            tables.append(TABLE, rows)


if __name__ == "__main__":
    main()
