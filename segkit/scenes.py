"""A whole scene, window by window, blended, in constant memory.

Taught in notebook 07.
"""

import json
import math
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from segkit import models
from segkit.classes import ClassScheme
from segkit.files import progress, whole
from segkit.patches import patchify, starts

#: In a map, the value of pixels that the scene has no data for.
NODATA = 255
#: In a map of confidence or probabilities, the value that stands for 1.
CERTAIN = 250
#: GDAL's own cache, in MB; without a bound it grows with the scene.
RASTER_CACHE_MB = 64
BLOCK = 256
#: Seconds between two notes of how far a map has come.
NOTE_EVERY_S = 20


def blending_window(size: int) -> np.ndarray:
    """Return float32 (size, size) weights: highest in the middle, low but never 0 at the border."""
    across = np.sin(np.pi * (np.arange(size, dtype=np.float32) + 0.5) / size) ** 2
    return np.outer(across, across)


def predict(
    model,
    source: str | Path,
    target: str | Path,
    window: int = 256,
    overlap: float = 0.5,
    batch_size: int = 8,
    tta: bool = False,
    bands: tuple[int, ...] | None = None,
    scaling: tuple[float, float] | None = None,
    confidence: bool = False,
    probabilities: bool = False,
    resume: bool = False,
) -> Path:
    """Turn a scene into a class map that lies exactly where the scene lies.

    One row of windows at a time is read, predicted, blended and kept on disk, so that memory
    depends on the scene's width, not on its height.

    Args:
        model: takes (B, window, window, bands) of 0–255, returns probabilities; its `.scheme`
            (see `training.load`) gives the map its names and colors.
        source: any raster that rasterio opens.
        target: the map: a cloud-optimized GeoTIFF, uint8 class indices, 255 where the scene has no
            data; CRS and transform are the scene's.
        window: pixels of a window, both ways; a multiple of 32.
        overlap: share of a window that the next one repeats.
        batch_size: windows predicted at once.
        tta: average over the eight turns and flips of each window; eight times the work.
        bands: which bands to read, from 1; the first ones by default.
        scaling: (low, high) values of the source that become 0 and 255; needed unless it is uint8.
        confidence: write the highest probability of each pixel, too, as `<target>_confidence.tif`.
        probabilities: write those of all classes, one band each, as `<target>_probabilities.tif`.
            Both are uint8 with a scale of 1/250, so that programs show 0 to 1.
        resume: keep what is done when interrupted, and go on from there the next time.

    Returns:
        `target`.

    Raises:
        ValueError: band count, data type or window size do not fit.
    """
    target = Path(target)
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=RASTER_CACHE_MB):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(source) as scene:
            bands = _checked_bands(scene, model, bands, scaling, window)
            how = {"window": window, "overlap": overlap, "tta": tta}
            read = {"bands": bands, "scaling": scaling}
            kept = {"classes": target}
            kept |= {"confidence": _beside(target, "confidence")} if confidence else {}
            kept |= {"probabilities": _beside(target, "probabilities")} if probabilities else {}
            plan = {**how, **read, **_identity(scene, model), "layers": list(kept)}
            with _bench(target.with_suffix(".run"), plan, resume) as bench:
                for row, found in _rows(model, scene, bench, batch_size, **how, **read):
                    valid = _valid(scene, Window(0, row, scene.width, len(found)))
                    for name in kept:
                        bench.keep(name, row, np.where(valid, LAYERS[name](found), NODATA))
                with ExitStack() as files:
                    for name, path in kept.items():
                        part = files.enter_context(whole(path))
                        _publish(bench, name, part, scene, getattr(model, "scheme", None))
    return target


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f"{target.stem}_{kind}{target.suffix}")


#: What is kept of probabilities (rows, width, classes): uint8 (bands, rows, width).
LAYERS = {
    "classes": lambda p: p.argmax(axis=-1).astype(np.uint8)[None],
    "confidence": lambda p: np.rint(CERTAIN * p.max(axis=-1)).astype(np.uint8)[None],
    "probabilities": lambda p: np.rint(CERTAIN * np.moveaxis(p, -1, 0)).astype(np.uint8),
}


def _rows(model, scene, bench, batch_size, window, overlap, tta, bands, scaling):
    """Yield (first row, probabilities (rows, width, classes)) from the top of the scene down."""
    weight = blending_window(window)[..., None]
    rows, columns = starts(scene.height, window, overlap), starts(scene.width, window, overlap)
    first, total = bench.state() or (rows[0], None)
    following = dict(zip(rows, [*rows[1:], scene.height], strict=True))
    for row in progress([row for row in rows if row >= first], "map"):
        strip = patchify(_strip(scene, row, window, bands, scaling), window, overlap)[0]
        for i in range(0, len(columns), batch_size):
            found = models.predict(model, strip[i : i + batch_size], tta)
            if total is None:
                total = np.zeros((window, max(scene.width, window), found.shape[-1]), np.float32)
            for column, probability in zip(columns[i:], found, strict=False):
                total[:, column : column + window] += weight * probability
        done = following[row] - row
        finished = total[:done, : scene.width]
        yield row, finished / finished.sum(axis=-1, keepdims=True)
        total = np.concatenate([total[done:], np.zeros_like(total[:done])])
        bench.note(following[row], total)


def _strip(scene, row: int, window: int, bands, scaling) -> np.ndarray:
    """Read float32 (rows, width, bands), 0–255; fewer rows than a window in a low scene."""
    area = Window(0, row, scene.width, min(window, scene.height - row))
    strip = np.moveaxis(scene.read(bands, window=area), 0, -1).astype(np.float32)
    if scaling:
        low, high = scaling
        strip = np.nan_to_num((strip - low) * (255 / (high - low))).clip(0, 255)
    return strip


def _valid(scene, area: Window) -> np.ndarray:
    """Return where the scene has data, bool (rows, width)."""
    return scene.dataset_mask(window=area) > 0


def _checked_bands(scene, model, bands, scaling, window: int) -> tuple[int, ...]:
    wanted = getattr(model, "input_shape", (None,) * 4)[-1] or len(bands or (1, 2, 3))
    bands = tuple(bands or range(1, wanted + 1))
    if len(bands) != wanted or max(bands) > scene.count or min(bands) < 1:
        raise ValueError(
            f"{scene.name}: bands {bands} of {scene.count}, but the model takes {wanted}. "
            "Choose with bands=(…), counted from 1."
        )
    if scene.dtypes[0] != "uint8" and scaling is None:
        raise ValueError(
            f"{scene.name}: pixels are {scene.dtypes[0]}. State which values become 0 and 255, "
            "for instance scaling=(0, 3000)."
        )
    if window < 32 or window % 32:
        raise ValueError(f"window={window}: a multiple of 32, such as {max(32, window // 32 * 32)}")
    return bands


def _identity(scene, model) -> dict:
    """Return what a resumed map must have in common with the interrupted one."""
    made = getattr(model, "record", {}).get("made")
    changed = Path(scene.name).stat().st_mtime if Path(scene.name).exists() else None
    size = [scene.height, scene.width]
    return {"source": scene.name, "changed": changed, "size": size, "model": made}


class _Bench:
    """A folder of raw pixels and a note of how far they reach, from which a map can go on.

    Attributes:
        folder: one raw file for each layer, `note.npz`, and `plan.json`.
        size: rows and columns of the scene.
    """

    def __init__(self, folder: Path, size: tuple[int, int]):
        self.folder, self.size, self.noted = folder, size, time.monotonic()

    def state(self) -> tuple[int, np.ndarray] | None:
        """Return the next row and the sums that reach into it, or None at the very start."""
        path = self.folder / "note.npz"
        if not path.exists():
            return None
        with np.load(path) as note:
            return int(note["row"]), note["total"]

    def note(self, row: int, total: np.ndarray) -> None:
        """Write down that all rows before this one are kept, from time to time."""
        if time.monotonic() - self.noted > NOTE_EVERY_S:
            with whole(self.folder / "note.npz") as part:
                np.savez(part, row=row, total=total)
            self.noted = time.monotonic()

    def keep(self, name: str, row: int, values: np.ndarray) -> None:
        """Keep some rows of a layer, uint8 (bands, rows, width), band after band within a row."""
        path = self.folder / name
        with path.open("r+b" if path.exists() else "wb") as file:
            file.seek(row * self.size[1] * len(values))
            file.write(np.moveaxis(values, 0, 1).tobytes())

    def bands(self, name: str) -> int:
        """Return how many bands a layer has."""
        return (self.folder / name).stat().st_size // math.prod(self.size)

    def rows(self, name: str, first: int, count: int) -> np.ndarray:
        """Return some rows of a layer, uint8 (bands, rows, width)."""
        width = self.size[1] * self.bands(name)
        found = np.fromfile(self.folder / name, np.uint8, count * width, offset=first * width)
        return np.moveaxis(found.reshape(-1, self.bands(name), self.size[1]), 1, 0)


@contextmanager
def _bench(folder: Path, plan: dict, resume: bool) -> Iterator[_Bench]:
    """Open the folder of an unfinished map, or a new one; it is gone at the end."""
    text, note = json.dumps(plan, default=str), folder / "plan.json"
    if not (resume and note.exists() and note.read_text("utf-8") == text):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        note.write_text(text, encoding="utf-8")
    try:
        yield _Bench(folder, tuple(plan["size"]))
    except BaseException:
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)


def _publish(bench: _Bench, name: str, path: Path, scene, scheme: ClassScheme | None) -> None:
    """Write a layer as a cloud-optimized GeoTIFF."""
    plain = bench.folder / f"{name}.tif"
    profile = {"count": bench.bands(name), "crs": scene.crs, "transform": scene.transform}
    size = {"width": scene.width, "height": scene.height, "dtype": "uint8", "nodata": NODATA}
    tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "IF_SAFER"}
    with rasterio.open(plain, "w", "GTiff", **size, **profile, **tiles) as raster:
        for row in range(0, scene.height, BLOCK):
            rows = bench.rows(name, row, BLOCK)
            raster.write(rows, window=Window(0, row, scene.width, rows.shape[1]))
        _describe(raster, scheme, name)
    how = {"compress": "deflate", "blocksize": BLOCK, "overview_resampling": "nearest"}
    rasterio.shutil.copy(plain, path, driver="COG", bigtiff="IF_SAFER", **how)


def _describe(raster, scheme: ClassScheme | None, name: str) -> None:
    """Give a map its color table and its class names, or its scale."""
    if name != "classes":
        raster.scales = [1 / CERTAIN] * raster.count
    if scheme is None:
        return
    raster.update_tags(scheme=json.dumps(scheme.to_dict()))
    if name == "classes":
        colors = {i: (*color, 255) for i, color in enumerate(scheme.colors)}
        raster.write_colormap(1, {**colors, NODATA: (0, 0, 0, 0)})
    if name == "probabilities":
        raster.descriptions = scheme.names


def seam_ratio(mask: np.ndarray, window: int, overlap: float = 0.0) -> float:
    """Return how much more often neighbors differ across window borders than elsewhere.

    Args:
        mask: class indices (H, W) that were predicted window by window.
        window, overlap: how; see `patches.starts`.

    Returns:
        Share of neighboring pixels of different classes on both sides of a window's border, over
        that share everywhere else: 1 where nothing shows where the windows lay. NaN without any
        border or any difference.
    """
    across, elsewhere = [], []
    for labels in (mask, mask.T):
        length = labels.shape[1]
        begins = starts(length, window, overlap)
        borders = {x for s in begins for x in (s, s + window) if 0 < x < length}
        differ = (labels[:, 1:] != labels[:, :-1]).mean(axis=0)
        at_border = np.isin(np.arange(1, length), list(borders))
        across.append(differ[at_border])
        elsewhere.append(differ[~at_border])
    across, elsewhere = np.concatenate(across), np.concatenate(elsewhere)
    if not len(across) or not elsewhere.any():
        return float("nan")
    return float(across.mean() / elsewhere.mean())


def scheme_of(map_tif: str | Path) -> ClassScheme | None:
    """Return the class scheme that a map carries, or None."""
    with rasterio.open(map_tif) as raster:
        stored = raster.tags().get("scheme")
    return ClassScheme(**json.loads(stored)) if stored else None
