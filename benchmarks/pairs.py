"""What `benchmarks.bench` compares: each stage done our way, and by libraries or copied code."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import geopandas
import h5py
import keras
import numpy as np
import patchify as library
import rasterio
from PIL import Image
from rasterio.features import shapes
from shapely.geometry import shape
from sklearn.metrics import confusion_matrix

from benchmarks import blending
from benchmarks.engines import ENGINES
from benchmarks.mapping import blended, large_scene
from classroom import course
from segkit import maps, metrics, models, patches, pipeline, rasters, store, training
from segkit.classes import DUBAI
from segkit.datasets import Card

#: Pixels of the smallest picture, both ways, and of a patch; patches in a batch and in an epoch.
SIDE, PATCH, BATCH, EPOCH = 1024, 256, 8, 64
#: Networks whose training steps are looked at; pixels of a crop, and how many steps.
NETWORKS = {
    "U-Net, width 16": partial(models.unet, len(DUBAI), width=16),
    "Attention U-Net, width 16": partial(models.attention_unet, len(DUBAI), width=16),
    "EfficientNet U-Net, lite0": partial(models.efficientnet_unet, len(DUBAI), variant="lite0"),
    "DeepLabV3+, lite0": partial(models.deeplabv3plus, len(DUBAI), variant="lite0"),
}
CROP, STEPS = 128, 4
#: Engines map by a network that has learned: where none has, classes are as good as equal.
TRAINED = "city-lite0"
#: From this size on, smooth blending takes more time and memory than is worth it.
MOST_SMOOTH = 4


@dataclass(frozen=True)
class Pair:
    """Two ways to do one thing.

    Attributes:
        part: what is done.
        megapixels: how much of it, in millions of pixels.
        ours: called with nothing, it returns the answer.
        other: what ours is compared with.
        theirs: how the other is called; None where there is none.
        alike: the share of the answer's values that may differ.
    """

    part: str
    megapixels: float
    ours: Callable
    other: str = ""
    theirs: Callable | None = None
    alike: float = 0.0


def reading(folder: Path, size: int) -> Iterator[Pair]:
    """An epoch of patches from HDF5, from memory, from pictures, from a file for each patch."""
    with h5py.File(course.catch_up("patches.h5")) as file:
        stored, labels = file["images"], file["masks"]
        images, targets, count = stored[:], labels[:], len(stored)
        for i, (image, mask) in enumerate(zip(images, targets, strict=True)):
            Image.fromarray(image).save(folder / f"{i}.png")
            Image.fromarray(mask).save(folder / f"{i}_mask.png")
            np.savez(folder / f"{i}.npz", image=image, mask=mask)

        def alone(i: int) -> tuple:
            with np.load(folder / f"{i}.npz") as one:
                return one["image"], one["mask"]

        ways = {
            "arrays in memory": lambda i: (images[i], targets[i]),
            "PNG files": lambda i: [
                np.array(Image.open(folder / f"{i}{x}.png")) for x in ("", "_mask")
            ],
            "an NPZ file for each patch": alone,
        }
        order = np.random.default_rng(0).integers(0, count, EPOCH * size)
        much = order.size * PATCH**2 / 1e6
        ours = partial(epoch, lambda i: (stored[i], labels[i]), order)
        for name, way in ways.items():
            yield Pair("read patches from HDF5", much, ours, name, partial(epoch, way, order))
    tiles_h5 = course.catch_up("tiles.h5")
    feed = iter(pipeline.crops(tiles_h5, list(store.index(tiles_h5).index), PATCH, BATCH))
    next(feed)
    count = EPOCH * size // BATCH
    yield Pair("draw augmented crops", much, lambda: sum(1 for _ in steady(feed, count)))


def epoch(read: Callable, order: np.ndarray) -> np.ndarray:
    """Stack batch after batch, as a training would; return what shows that all were read."""
    found = []
    for first in range(0, len(order), BATCH):
        some = [read(i) for i in order[first : first + BATCH]]
        batch, mask = (np.stack(arrays) for arrays in zip(*some, strict=True))
        found.append([batch[:, ::64, ::64].sum(), mask[:, ::64, ::64].sum()])
    return np.array(found)


def masks(folder: Path, size: int) -> Iterator[Pair]:
    """Colors to numbers, patches and back, the confusion matrix, polygons."""
    indices, guess, source = city(folder, size)
    colors, much, side = DUBAI.encode(indices), indices.size / 1e6, PATCH
    decode = partial(DUBAI.decode, colors)
    yield Pair("decode a mask", much, decode, "a loop over colors", partial(color_by_color, colors))
    grid = patches.patchify(indices, side)

    def cut() -> np.ndarray:  # a view of the mask, until somebody needs the patches
        return np.ascontiguousarray(library.patchify(indices, (side, side), step=side))

    yield Pair("patchify", much, partial(patches.patchify, indices, side), "patchify, copied", cut)
    back = partial(patches.unpatchify, grid, indices.shape)
    theirs = partial(library.unpatchify, grid, indices.shape)
    yield Pair("unpatchify", much, back, "patchify", theirs)
    count = partial(metrics.confusion, indices, guess, len(DUBAI))
    labels, flat = range(len(DUBAI)), (indices.ravel(), guess.ravel())
    theirs = partial(confusion_matrix, *flat, labels=labels)
    yield Pair("confusion matrix", much, count, "scikit-learn", theirs)
    ways = [lambda draw=draw: sums(draw(source)) for draw in (maps.polygons, class_by_class)]
    yield Pair("polygons", much, ways[0], "a loop over classes", ways[1])


def city(folder: Path, size: int) -> tuple[np.ndarray, np.ndarray, Path]:
    """Return true classes of the embedded city, a guess of them, and the true ones as a map."""
    truth, times = course.scene_truth(DUBAI), round(size**0.5)
    with rasterio.open(truth) as raster:
        square = raster.read(1)[:SIDE, :SIDE]
        place, tags = {"crs": raster.crs, "transform": raster.transform}, raster.tags()
    indices, rng = np.tile(square, (times, times)), np.random.default_rng(0)
    other = (indices + 1) % len(DUBAI)
    guess = np.where(rng.random(indices.shape) < 0.8, indices, other).astype(np.uint8)
    shaped = {"height": SIDE * times, "width": SIDE * times, "count": 1, "dtype": "uint8"}
    with rasters.opened(folder / "map.tif", "w", driver="GTiff", **shaped, **place) as raster:
        raster.write(indices, 1)
        raster.update_tags(**tags)
    return indices, guess, folder / "map.tif"


def color_by_color(colors: np.ndarray) -> np.ndarray:
    """Turn colors into classes as is commonly copied: what no color fits stays class 0."""
    found = np.zeros(colors.shape[:2], np.uint8)
    for klass, color in enumerate(DUBAI.colors):
        found[np.all(colors == color, axis=-1)] = klass
    return found


def class_by_class(map_tif: Path) -> geopandas.GeoDataFrame:
    """Draw outlines as is commonly copied: one class after the other."""
    with rasterio.open(map_tif) as raster:
        mask, place, crs = raster.read(1), raster.transform, raster.crs
    found = []
    for klass in np.unique(mask):
        for outline, value in shapes((mask == klass).astype(np.uint8), transform=place):
            if value:
                found.append({"class": DUBAI.names[klass], "geometry": shape(outline)})
    return geopandas.GeoDataFrame(found, crs=crs)


def sums(outlines: geopandas.GeoDataFrame) -> np.ndarray:
    """Return of each class how many outlines it has, and their square meters."""
    each = outlines.geometry.area.groupby(outlines["class"])
    return np.stack([each.count(), each.sum().round()])


def steps(folder: Path, size: int) -> Iterator[Pair]:
    """Training steps with the crops that they wait for, beside the same steps on one batch."""
    tiles_h5 = course.catch_up("tiles.h5")
    feed = iter(pipeline.crops(tiles_h5, list(store.index(tiles_h5).index), CROP, BATCH))
    one, much = next(feed), STEPS * BATCH * CROP**2 / 1e6
    for name, build in NETWORKS.items() if size == 1 else ():
        model = build()
        model.compile(keras.optimizers.AdamW(1e-3), training.default_loss(DUBAI))
        model.train_on_batch(*one)
        theirs = partial(learn, model, [one] * STEPS)
        ours = lambda model=model: learn(model, steady(feed, STEPS))  # noqa: E731 (a new feed each)
        yield Pair(f"train: {name}", much, ours, "the same on one batch", theirs)


def steady(feed: Iterator, count: int) -> Iterator:
    """Yield some batches of a feed, and wait until as many new ones lie ready as there did."""
    yield from itertools.islice(feed, count)
    time.sleep(0.3)


def learn(model, batches: Iterable) -> int:
    """Train for some steps; return how many."""
    return sum(1 for batch in batches if model.train_on_batch(*batch))


def scenes(folder: Path, size: int) -> Iterator[Pair]:
    """A scene mapped by a small network, so that all around it shows; by engines, a trained one."""
    training.setup(seed=0)
    small = models.unet(len(DUBAI), width=4)
    path = training.save(small, folder / "small.keras", DUBAI, Card("sample", DUBAI))
    side = SIDE * round(size**0.5)
    source, much = large_scene(folder / "scene.tif", side, side), side**2 / 1e6
    plain, ready = training.load(path), {one: training.load(TRAINED, one) for one in ENGINES}
    for model in (plain, *ready.values()):
        for count in range(1, BATCH + 1):  # a program is built for each size of batch
            models.predict(model, np.zeros((count, PATCH, PATCH, 3), np.float32))
    ours, slow = partial(blended, plain, source), partial(blended, ready.pop("tensorflow"), source)
    ways = {
        "sums over the whole scene": blending.summed,
        "windows side by side": blending.patchwork,
    }
    if size < MOST_SMOOTH:
        ways["smooth blending, commonly copied"] = blending.smooth
    for name, way in ways.items():
        yield Pair("map a scene", much, ours, name, partial(way, plain, source), alike=1.0)
    if size < MOST_SMOOTH:  # which looks at every window in eight turns
        turned = partial(blended, plain, source, tta=True)
        smooth = partial(blending.smooth, plain, source)
        yield Pair(
            "map a scene", much, turned, "smooth blending, turned as well", smooth, alike=1.0
        )
    for engine, model in ready.items():
        fast = partial(blended, model, source)
        yield Pair(f"{TRAINED} by {engine}", much, fast, "by TensorFlow", slow, alike=0.005)
