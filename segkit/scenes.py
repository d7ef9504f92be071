"""A whole scene, window by window, blended, in constant memory.

Taught in notebook 07.
"""

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window

from segkit import domain, files, models, patches, rasters
from segkit.datasets import Card
from segkit.rasters import NODATA, scheme_of  # noqa: F401 (scenes.scheme_of)

#: In a map of confidence or probabilities, the value that stands for 1.
CERTAIN = 250
#: How many times larger or smaller than a model's pixels those of a scene may be, unsaid.
GSD_FACTOR = 1.5


def blending_window(size: int) -> np.ndarray:
    """Return float32 (size, size) weights: highest in the middle, low but never 0 at the border."""
    across = np.sin(np.pi * (np.arange(size, dtype=np.float32) + 0.5) / size) ** 2
    return np.outer(across, across)


def predict(
    model, source: str | Path, target: str | Path, window: int = 256, overlap: float = 0.5,
    batch_size: int = 8, tta: bool = False, bands: tuple[int, ...] | None = None,
    scaling: tuple[float, float] | None = None, confidence: bool = False,
    probabilities: bool = False,
) -> Path:  # fmt: skip
    """Turn a scene into a class map that lies exactly where the scene lies.

    One row of windows at a time is read, predicted, blended and written, so that memory depends on
    the scene's width, not on its height. A map that is interrupted leaves nothing.

    Args:
        model: takes (B, window, window, bands) of 0–255, returns probabilities (see
            `training.load`). Its `.scheme` gives the map its names and colors, its `.card` says
            which bands it takes and which of their values become 0 and 255.
        source: any raster that rasterio opens.
        target: the map: a cloud-optimized GeoTIFF, uint8 class indices, 255 where the scene has no
            data; CRS and transform are the scene's, classes and card lie in its tags.
        window: pixels of a window, both ways; a multiple of 32.
        overlap: share of a window that the next one repeats.
        batch_size: windows predicted at once.
        tta: average over the eight turns and flips of each window; eight times the work.
        bands: which bands to read, from 1, in the model's order; the first ones by default.
        scaling: (low, high) values of the source that become 0 and 255, in place of the card's;
            needed where the card knows none for pixels of that type.
        confidence: write the highest probability of each pixel, too, as `<target>_confidence.tif`.
        probabilities: write those of all classes, one band each, as `<target>_probabilities.tif`.
            Both are uint8 with a scale of 1/250, so that programs show 0 to 1.

    Returns:
        `target`.

    Raises:
        ValueError: bands, data type or window size do not fit; says what to do.

    Warns:
        UserWarning: the scene's pixels are much larger or smaller than those learned from, its
            bands are called by other colors, or it looks unlike what the model learned from.
    """
    target, looks = Path(target), []
    more = ["confidence"] * confidence + ["probabilities"] * probabilities
    layers = {"classes": target} | {x: target.with_stem(f"{target.stem}_{x}") for x in more}
    with rasterio.Env(GDAL_CACHEMAX=rasters.CACHE_MB), rasters.opened(source) as scene:
        if {path.resolve() for path in layers.values()} & {Path(x).resolve() for x in scene.files}:
            raise ValueError(f"{source} is the scene itself: name another file for the map")
        count = getattr(model, "input_shape", [None])[-1] or (3 if bands is None else len(bands))
        plain = Card("", getattr(model, "scheme", None), [f"band {i + 1}" for i in range(count)])
        card = getattr(model, "card", None) or plain
        bands = _checked(scene, card, bands, scaling, window)
        card = card if scaling is None else replace(card, ranges=[scaling] * len(bands))
        strips = _strips(model, scene, card, bands, window, overlap, batch_size, tta, looks)
        _write(strips, scene, layers, model)
    far = np.median(domain.distances(card.spread, looks)) if card.spread and looks else 0
    if far > 1 and scaling is None:
        text = f"{_name(scene)} looks unlike what the model learned from: distance {far:.1f}"
        warnings.warn(f"{text} (1 is rare). Expect a worse map; see notebook 09", stacklevel=2)
    return target


def noted(*given, **how) -> list[str]:
    """Map a scene as `predict` does; return what was warned of, each sentence once."""
    with warnings.catch_warnings(record=True, action="always", category=UserWarning) as told:
        predict(*given, **how)
    return list(dict.fromkeys(str(one.message) for one in told if one.category is UserWarning))


def _name(scene) -> str:
    """Return what an opened scene is called; some of its rows have no name of their own."""
    return Path(scene.name.partition("?")[0]).name


def _checked(scene, card: Card, bands, scaling, window: int) -> tuple[int, ...]:
    """Return the bands to read, after a look at all that can be wrong with a scene."""
    bands = tuple(range(1, len(card.bands) + 1) if bands is None else bands)
    if not bands or len(bands) != len(card.bands) or max(bands) > scene.count or min(bands) < 1:
        wanted = f"{len(card.bands)} ({', '.join(card.bands)})"
        text = f"{scene.name}: bands {bands} of {scene.count}, but the model takes {wanted}"
        raise ValueError(f"{text}. Choose with bands=(…), counted from 1.")
    kinds = {scene.dtypes[band - 1].replace("float64", "float32") for band in bands}
    if scaling is None and (kinds != {card.dtype} or not card.ranges):
        text = f"pixels are {', '.join(sorted(kinds))}, and the model learned from {card.dtype}"
        how = "State which values become 0 and 255, for instance scaling=(0, 3000)."
        raise ValueError(f"{scene.name}: {text}. {how}")
    if scaling is not None and not -np.inf < scaling[0] < scaling[1] < np.inf:
        raise ValueError(f"scaling={scaling}: the first value becomes 0, a greater one 255")
    if window < 32 or window % 32:
        raise ValueError(f"window={window}: a multiple of 32, such as {max(32, window // 32 * 32)}")
    if scene.crs is None and scene.gcps[0]:
        raise ValueError(f"{scene.name} is placed by ground control points: use rio warp first")
    _compare(scene, card, bands)
    return bands


def _compare(scene, card: Card, bands: tuple[int, ...]) -> None:
    """Refuse bands whose stated names are in another order than the card's; warn of doubts."""
    names, wanted = rasters.band_names(scene), [name.lower() for name in card.bands]
    here = [names[band - 1] for band in bands]
    known = [(a, b) for a, b in zip(here, wanted, strict=True) if not a.startswith("band ")]
    if any(a != b and a in wanted for a, b in known):
        order = ", ".join(str(names.index(n) + 1) if n in names else "…" for n in wanted)
        text = f"{_name(scene)}: its bands are {here}, but the model takes {wanted}"
        if any(scene.descriptions):
            how = f"Choose with bands=({order}), or correct the names in the file."
            raise ValueError(f"{text}. {how}")
        # Three bands of anything are called red, green, blue by most programs that write them.
        warnings.warn(f"{text}: they are read as if they were these, in order", stacklevel=4)
    size, gsd = rasters.pixel_size(scene), card.gsd
    if size and gsd and max(size / gsd, gsd / size) > GSD_FACTOR:
        text = f"pixels of {size:.4g} m, but the model learned from {gsd:.4g} m: resample the scene"
        warnings.warn(f"{_name(scene)} has {text}, or expect a worse map", stacklevel=4)


def _strips(model, scene, card, bands, window, overlap, batch_size, tta, looks) -> Iterator:
    """Yield strips from the top of the scene down; describe them in `looks`.

    Each is a window of the scene, its probabilities (rows, width, classes), and where it has data,
    bool (rows, width).
    """
    weight, total = blending_window(window)[..., None], None
    # GDAL takes any fourth band of bytes for transparency; one that the model reads is none.
    seen = ColorInterp.alpha in [scene.colorinterp[band - 1] for band in bands]
    seen = seen and any(MaskFlags.alpha in flags for flags in scene.mask_flag_enums)
    rows, columns = (patches.starts(length, window, overlap) for length in scene.shape)
    for row, end in zip(files.progress(rows, "map"), [*rows[1:], scene.height], strict=True):
        area = Window(0, row, scene.width, min(window, scene.height - row))
        pixels = scene.read(bands, window=area)
        valid = scene.read_masks(bands, window=area).any(axis=0) | seen
        valid &= np.isfinite(pixels).any(axis=0)
        looks += domain.describe(np.where(valid, pixels, np.nan).transpose(1, 2, 0))
        image = card.scaled(np.moveaxis(pixels, 0, -1))
        windows, image = patches.patchify(image, window, overlap)[0], None
        for i in range(0, len(columns), batch_size):
            found = models.predict(model, windows[i : i + batch_size], tta)
            if total is None:
                total = np.zeros((window, max(scene.width, window), found.shape[-1]), np.float32)
            for column, probability in zip(columns[i:], found, strict=False):
                total[:, column : column + window] += weight * probability
        area, finished = Window(0, row, scene.width, end - row), total[: end - row, : scene.width]
        yield area, finished / finished.sum(axis=-1, keepdims=True), valid[: end - row]
        total = np.concatenate([total[end - row :], np.zeros_like(total[: end - row])])


#: What is kept of probabilities (rows, width, classes): uint8 (bands, rows, width).
LAYERS = {
    "classes": lambda p: p.argmax(axis=-1).astype(np.uint8)[None],
    "confidence": lambda p: np.rint(CERTAIN * p.max(axis=-1)).astype(np.uint8)[None],
    "probabilities": lambda p: np.rint(CERTAIN * np.moveaxis(p, -1, 0)).astype(np.uint8),
}


def _write(strips: Iterator, scene, layers: dict[str, Path], model) -> None:
    """Write layers strip by strip into a hidden folder; all appear when all are whole."""
    target = layers["classes"]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named as `files.whole` names parts, so that the next map clears what a killed one left.
    hidden = {"prefix": f".part-{os.getpid()}-", "suffix": f"-{target.name}", "dir": target.parent}
    with TemporaryDirectory(**hidden) as folder, ExitStack() as parts:
        plain, paths = {}, {name: Path(folder) / f"{name}.tif" for name in layers}
        with ExitStack() as stay:
            for area, found, valid in strips:
                for name, path in paths.items():
                    values = np.where(valid, LAYERS[name](found), NODATA)
                    if name not in plain:
                        plain[name] = stay.enter_context(_created(path, scene, len(values), model))
                    plain[name].write(values, window=area)
        for name, path in paths.items():
            rasters.cloud_optimized(path, parts.enter_context(files.whole(layers[name])))


def _created(path: Path, scene, count: int, model):
    """Open a new layer in the scene's place, with class names and colors, or its scale."""
    raster = rasters.created(path, scene, count=count, tiled=True, bigtiff="IF_SAFER")
    scheme, card = getattr(model, "scheme", None), getattr(model, "card", None)
    if card:
        raster.update_tags(card=card.to_json())
    if path.stem != "classes":
        raster.scales = [1 / CERTAIN] * count
    if scheme:
        raster.update_tags(scheme=json.dumps(scheme.to_dict()))
        if path.stem == "classes":
            raster.write_colormap(1, {**dict(enumerate(scheme.colors)), NODATA: (0, 0, 0, 0)})
        if path.stem == "probabilities":
            raster.descriptions = scheme.names
    return raster
