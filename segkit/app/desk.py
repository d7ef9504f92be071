"""What the app does with a picture: take it, map it, clean the map, show it, hand it out."""

import base64
import functools
import getpass
import io
import shutil
import tempfile
import warnings
from multiprocessing.pool import ThreadPool
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image, ImageOps

from segkit import cleanup, maps, models, rasters, scenes
from segkit.files import shown, work_root
from segkit.models.files import SHIPPED, load
from segkit.patches import starts
from segkit.rasters import NODATA

#: What is taken: pixels and bands at most; pictures in 8 bits, and rasters of any bands.
MOST_PIXELS, MOST_BANDS = 40_000_000, 64
PICTURES, RASTERS = (".png", ".jpg", ".jpeg"), (".tif", ".tiff")
MODES = ("RGB", "RGBA", "P", "PA", "L", "LA", "CMYK", "YCbCr", "1")
#: Pixels of a window; results that stay on disk; pixels of a picture's longer side on the page.
WINDOW, OVERLAP, MOST_RESULTS, LONGEST = 256, 0.5, 24, 1200
FOLDER = Path(tempfile.gettempdir()) / f"segkit-app-{getpass.getuser()}"
#: How a result looks on the page; and gray, brighter where the model is surer.
PAGE = jinja2.Template(Path(__file__).with_name("page.html").read_text("utf-8"), autoescape=True)
GRAY = np.insert(np.linspace(0, 255, 256)[:, None].repeat(3, 1), 3, 255, 1).astype(np.uint8)


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

    def map(self, scene: Path, target: Path) -> list[str]:
        """Map a scene; return what was warned of."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            scenes.predict(self, scene, target, WINDOW, OVERLAP, confidence=True)
        notes = [str(one.message) for one in told if one.category is UserWarning]
        return [note.replace(scene.name, "This picture") for note in notes if scene.name in note]


def known() -> dict[str, Path]:
    """Return the models there are: those that come with the project, and those in the workspace."""
    own = sorted(work_root().glob("*/models/*.keras"))
    return {p.stem: p for p in sorted(SHIPPED.glob("*.keras"))} | {shown(p): p for p in own}


@functools.lru_cache(maxsize=4)
def loaded(path: Path, _changed: int):
    """Return a model; one that is used again is not loaded again."""
    return load(path)


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
    with Image.open(path, formats=("PNG", "JPEG")) as picture:
        _bounded(*picture.size, len(picture.getbands()))
        if picture.mode not in MODES:
            raise ValueError("Its pixels have more than 8 bits: save it as GeoTIFF.")
        ImageOps.exif_transpose(picture).convert("RGB").save(target)
    return target


def _bounded(width: int, height: int, bands: int) -> None:
    if width * height > MOST_PIXELS or bands > MOST_BANDS or min(width, height) < 32:
        limits = f"from 32×32 to {MOST_PIXELS:,} pixels, at most {MOST_BANDS} bands"
        raise ValueError(f"{width}×{height} pixels and {bands} bands; this app takes {limits}.")


#: Maps, one at a time; a map under way does not keep the program from ending.
_THREAD = ThreadPool(1)


def run(upload: str, names: list[str]):
    """Map an upload by each of some models.

    Yields:
        While it goes on, [] and how far it is; at the end, for each model its name, its folder and
        what it was warned of, and "".
    """
    results = []
    for name in names:
        yield [], f"{name}: opening the picture and the model …"
        folder, path = _new_folder(), known()[name]
        scene, model = take(upload, folder), Watched(loaded(path, path.stat().st_mtime_ns))
        with rasters.opened(scene) as raster:
            total = np.prod([len(starts(length, WINDOW, OVERLAP)) for length in raster.shape])
        job = _THREAD.apply_async(model.map, (scene, folder / "map.tif"))
        try:
            while not job.ready():
                yield [], f"{name}: {100 * model.done // total} % of the picture"
                job.wait(0.2)
        finally:
            model.stopped = True
        results.append((name, str(folder), job.get()))
    yield results, ""


def _new_folder() -> Path:
    """Make a folder for a result; the oldest results go."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    results = sorted(FOLDER.glob("result-*"), key=lambda one: one.stat().st_mtime)
    for old in results[: -MOST_RESULTS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="result-", dir=FOLDER))


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
    for klass in np.unique(mask[mask != NODATA]) if opened else ():
        mask = cleanup.closing(cleanup.opening(mask, klass, opened), klass, opened)
    mask = np.where(doubt, NODATA, cleanup.minimum_area(mask, smallest))
    return rasters.write(mask, folder / "map.tif", folder / "shown.tif")


def page(results: list, layer="map", *how) -> str:
    """Return results as HTML: of each its picture, what lies over it, and its legend.

    Args:
        results: what `run` yields at its end.
        layer: "map" or "confidence", from black to white.
        how: what `clean` takes.
    """
    panels = [_panel(name, Path(folder), notes, layer, how) for name, folder, notes in results]
    return PAGE.render(results=panels, layer=layer)


def _panel(name: str, folder: Path, notes: list[str], layer: str, how: tuple) -> dict:
    if not (folder / "map.tif").exists():
        return {"name": name}
    target = clean(folder, *how)
    scheme, table = rasters.scheme_of(target).for_maps(), maps.areas(target)
    colors = dict(zip(scheme.names, scheme.colors, strict=True))
    rows = [(colors[klass], klass, size, share) for klass, size, share in table.to_numpy()]
    over = ("map_confidence.tif", GRAY) if layer == "confidence" else (target, scheme.palette())
    over, under = _picture(folder / over[0], over[1]), _scene(folder / "scene.tif")
    told = {"name": name, "notes": notes, "unit": table.columns[1], "rows": rows}
    return told | {"over": over, "under": under}


def _picture(path: Path, colors: np.ndarray | None = None) -> str:
    """Return a raster as a picture for the page: its first bands, or its numbers in colors."""
    with rasters.opened(path) as raster:
        shrink = min(1, LONGEST / max(raster.shape))
        size = tuple(max(1, round(shrink * length)) for length in raster.shape)
        bands = 1 if colors is not None else [1, 2, 3] if raster.count >= 3 else [1, 1, 1]
        pixels = raster.read(bands, out_shape=size if bands == 1 else (3, *size))
    pixels = np.moveaxis(rasters.as_bytes(pixels), 0, -1) if colors is None else colors[pixels]
    file, kind = io.BytesIO(), "png" if pixels.shape[-1] == 4 else "jpeg"
    Image.fromarray(pixels).save(file, kind, quality=90)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


#: A scene stays as it is; what lies over it changes.
_scene = functools.lru_cache(maxsize=MOST_RESULTS)(_picture)


def downloads(results: list) -> list[str]:
    """Write each map that is shown as PNG, GeoTIFF, GeoPackage and table of areas; their paths."""
    found = []
    for name, folder, _ in results:
        stem = Path(folder) / "files" / Path(name).stem
        stem.parent.mkdir(exist_ok=True)
        target = Path(shutil.copyfile(Path(folder) / "shown.tif", f"{stem}.tif"))
        with rasters.opened(target) as raster:
            colors = rasters.scheme_of(target).for_maps().palette()
            Image.fromarray(colors[raster.read(1)]).save(f"{stem}.png")
        maps.areas(target).to_csv(f"{stem}_areas.csv", index=False)
        maps.polygons(target).to_file(f"{stem}_polygons.gpkg", driver="GPKG")
        found += sorted(map(str, stem.parent.iterdir()))
    return found
