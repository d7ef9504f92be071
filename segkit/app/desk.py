"""What the app does with a picture: take it, map it, clean the map, show it, hand it out."""

import base64
import functools
import io
import shutil
import tempfile
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image, ImageOps

from segkit import cleanup, files, maps, models, patches, rasters, scenes

#: What is taken: pixels and bands at most, and results that stay on disk.
MOST_PIXELS, MOST_BANDS, MOST_RESULTS = 40_000_000, 64, 24
#: Pictures in 8 bits, and rasters of any bands.
PICTURES, KINDS, RASTERS = (".png", ".jpg", ".jpeg"), ("PNG", "JPEG"), (".tif", ".tiff")
#: Pixels of a window; how windows overlap; pixels of a picture's longer side on the page.
WINDOW, OVERLAP, LONGEST = 256, 0.5, 1200
FOLDER = Path(tempfile.gettempdir()) / f"segkit-app-{files.USER}"
#: How a result looks on the page.
PAGE = jinja2.Template(Path(__file__).with_name("page.html").read_text("utf-8"), autoescape=True)


class Watched:
    """A model that counts the windows it has answered, and stops when it is told to."""

    def __init__(self, model):
        self.model, self.scheme, self.card = model, model.scheme, model.card
        self.input_shape, self.done, self.stopped = model.input_shape, 0, False

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        if self.stopped:
            raise InterruptedError("Stopped.")
        self.done += len(images)
        return models.predict(self.model, images)


def known() -> dict[str, Path]:
    """Return the models there are: those that come with the project, and those in the workspace."""
    shipped, own = models.SHIPPED.glob("*.keras"), files.work_root().glob("*/models/*.keras")
    return {p.stem: p for p in sorted(shipped)} | {files.shown(p): p for p in sorted(own)}


#: A model that is used again is not loaded again, unless its file has changed.
loaded = functools.lru_cache(maxsize=4)(lambda path, changed: models.load(path))


def prepare(path: Path) -> None:
    """Load a model and let it build its program, so that the first visitor need not wait for it."""
    model = loaded(path, path.stat().st_mtime_ns)
    for count in (1, 8):  # after two sizes, the program is one for batches of any size
        models.predict(model, np.zeros((count, WINDOW, WINDOW, model.input_shape[-1]), np.float32))


def take(upload: str, folder: Path) -> Path:
    """Look at an upload before its pixels are read; return a raster that may be mapped.

    Raises:
        ValueError: what is wrong with it, and what would be right.
    """
    path, target = Path(upload), folder / "scene.tif"
    if path.suffix.lower() in RASTERS:
        with rasters.opened(path, driver="GTiff") as raster:
            _bounded(raster.width, raster.height, raster.count)
        return Path(shutil.copyfile(path, target))
    if path.suffix.lower() not in PICTURES:
        raise ValueError("This is no PNG, JPEG or GeoTIFF.")
    with suppress(Image.DecompressionBombError), Image.open(path, "r", KINDS) as file:
        _bounded(*file.size, len(file.getbands()))
        if file.mode.startswith(("I", "F")) or ";16" in str(file.tile):
            raise ValueError("Its pixels have more than 8 bits: save it in 8, or as GeoTIFF.")
        ImageOps.exif_transpose(file).convert("RGB" + "A" * file.has_transparency_data).save(target)
        return target
    raise ValueError(f"Its header promises far more pixels than the {MOST_PIXELS:,} taken here.")


def _bounded(width: int, height: int, bands: int) -> None:
    area, least = max(width, 256) * max(height, 256), min(width, height)  # of whole windows
    if area > MOST_PIXELS or bands > MOST_BANDS or least < 32:
        limits = f"from 32×32 to {MOST_PIXELS:,} pixels, at most {MOST_BANDS} bands"
        raise ValueError(f"{width}×{height} pixels and {bands} bands; this app takes {limits}.")


#: Maps, one at a time; a map under way does not keep the program from ending.
THREAD = ThreadPool(1)


def run(upload: str, names: list[str]):
    """Map an upload by each of some models.

    Yields:
        While it goes on, [] and how far it is; at the end, for each model its name, its folder and
        what it was warned of, and "".
    """
    results = []
    for name in names:
        yield [], f"{name}: opening the picture and the model …"
        file = (path := known()[name]), path.stat().st_mtime_ns
        model, folder = Watched(THREAD.apply(loaded, file)), _new_folder()
        try:
            with rasters.opened(scene := take(upload, folder)) as raster:
                total = np.prod([len(patches.starts(x, WINDOW, OVERLAP)) for x in raster.shape])
            given = (model, scene, folder / "map.tif", WINDOW, OVERLAP)
            job = THREAD.apply_async(scenes.noted, given, {"confidence": True})
            while not job.ready():
                yield [], f"{name}: {100 * model.done // total} % of the picture"
                job.wait(0.2)
        finally:
            model.stopped = True
            THREAD.apply_async(_clear, (folder,))  # once the map has stopped: nobody waits for it
        notes = [x.replace(scene.name, "This picture") for x in job.get() if scene.name in x]
        results.append((name, folder, notes))
    yield results, ""


def _new_folder() -> Path:
    """Make a folder for a result; the oldest results go."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    for old in sorted(FOLDER.glob("result-*"), key=lambda x: x.stat().st_mtime)[: 1 - MOST_RESULTS]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="result-", dir=FOLDER))


def _clear(folder: Path) -> None:
    """Remove the folder of a map that was stopped or refused."""
    if not (folder / "map.tif").exists():
        shutil.rmtree(folder, ignore_errors=True)


def clean(folder: Path, sure=0.0, majority=1, smallest=0, opened=0) -> Path:
    """Clean the map of a result and leave out what the model is not sure of.

    Args:
        folder: of a result.
        sure: pixels of a lower confidence become no data.
        majority: pixels of the majority filter's square; 1 leaves all as it is.
        smallest: areas of fewer pixels go.
        opened: what is thinner than a disk of this radius goes, and gaps as thin are filled.

    Returns:
        The path of the map that is shown.
    """
    with rasters.opened(folder / "map.tif") as raster:
        mask = raster.read(1) if majority == 1 else cleanup.majority(raster.read(1), majority)
    with rasters.opened(folder / "map_confidence.tif") as raster:
        doubt = raster.read(1) < sure * scenes.CERTAIN
    for klass in np.unique(mask[mask != rasters.NODATA]) if opened else ():
        mask = cleanup.closing(cleanup.opening(mask, klass, opened), klass, opened)
    mask = np.where(doubt, rasters.NODATA, cleanup.minimum_area(mask, smallest))
    return rasters.write(mask, folder / "map.tif", folder / "shown.tif")


def page(results: list, layer="map", *how) -> str:
    """Return results as HTML: of each its picture, what lies over it, and its legend.

    Args:
        results: what `run` yields at its end.
        layer: "map" or "confidence", from black to white.
        how: what `clean` takes.
    """
    return PAGE.render(results=[_panel(*one, layer, how) for one in results], layer=layer)


def _panel(name: str, folder: Path, notes: list[str], layer: str, how: tuple) -> dict:
    if not (folder / "map.tif").exists():
        return {"name": name}
    target = clean(folder, *how[:1], *map(int, how[1:]))
    scheme, table = rasters.scheme_of(target).for_maps(), maps.areas(target)
    told = {"name": name, "notes": notes, "scheme": scheme, "table": table}
    over = [folder / "map_confidence.tif"] if layer == "confidence" else [target, scheme.palette()]
    return told | {"over": _picture(*over), "under": _scene(folder / "scene.tif")}


def _picture(path: Path, colors: np.ndarray | None = None) -> str:
    """Return a raster as a picture for the page: its first bands, or its numbers in colors."""
    with rasters.opened(path) as raster:
        bands = [1] if colors is not None else [1, 2, 3] if raster.count >= 3 else [1, 1, 1]
        pixels = rasters.shrunk(raster, bands, LONGEST, clear=colors is None)
    pixels = np.moveaxis(rasters.as_bytes(pixels), 0, -1) if colors is None else colors[pixels[0]]
    file, kind = io.BytesIO(), "png" if pixels.shape[-1] == 4 else "jpeg"
    Image.fromarray(pixels).save(file, kind, quality=90)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


#: A scene stays as it is; what lies over it changes.
_scene = functools.lru_cache(maxsize=MOST_RESULTS)(_picture)


def downloads(results: list) -> list[str]:
    """Write each map that is shown as PNG, GeoTIFF, GeoPackage and table of areas; their paths."""
    found = []
    for name, folder in (one[:2] for one in results if (one[1] / "shown.tif").exists()):
        stem = folder / "files" / Path(name).stem
        stem.parent.mkdir(exist_ok=True)
        target = Path(shutil.copyfile(folder / "shown.tif", f"{stem}.tif"))
        with rasters.opened(target) as raster:
            colors = rasters.scheme_of(target).for_maps().palette()
            Image.fromarray(colors[raster.read(1)]).save(f"{stem}.png")
        maps.areas(target).to_csv(f"{stem}_areas.csv", index=False)
        maps.polygons(target).to_file(f"{stem}_polygons.gpkg", driver="GPKG")
        found += sorted(map(str, stem.parent.iterdir()))
    return found
