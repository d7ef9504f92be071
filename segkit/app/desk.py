"""What the app does with a picture: take it, map it, clean the map, show it, hand it out."""

import base64
import functools
import getpass
import io
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator
from html import escape
from pathlib import Path

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


class Stopped(Exception):
    """Somebody pressed Cancel, or left."""


class Watched:
    """A model that counts the windows it has answered, stops when told to, and keeps warnings."""

    def __init__(self, model):
        self.model, self.scheme, self.card = model, model.scheme, model.card
        self.input_shape, self.done, self.stop = model.input_shape, 0, threading.Event()
        self.notes, self.error = [], None

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        if self.stop.is_set():
            raise Stopped
        self.done += len(images)
        return models.predict(self.model, images)

    def map(self, scene: Path, target: Path) -> None:
        """Map a scene, in a thread of its own; what goes wrong is told by `error`."""
        _heard.notes = self.notes
        try:
            scenes.predict(self, scene, target, WINDOW, OVERLAP, confidence=True)
        except BaseException as error:
            self.error = error


#: Where a thread's warnings go, if it wants to hear them.
_heard, _usual = threading.local(), warnings.showwarning


def hear() -> None:
    """Give warnings to the thread that they arise in."""

    def show(message, *where, **more):
        if hasattr(_heard, "notes"):
            return _heard.notes.append(str(message))
        return _usual(message, *where, **more)

    warnings.showwarning = show
    warnings.filterwarnings("always", category=UserWarning, module="segkit")
    for usual in ("the map has no CRS", "'crs' was not provided"):  # the page says pixels
        warnings.filterwarnings("ignore", usual)


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


def run(upload: str, names: list[str]) -> Iterator[tuple[list, str]]:
    """Map an upload by each of some models.

    Yields:
        While it goes on, [] and how far it is; at the end, for each model its name, its folder and
        what it was warned of, and "".
    """
    results = []
    for name in names:
        yield [], f"{name}: opening the picture and the model …"
        folder, path = _new_folder(), known()[name]
        scene, watched = take(upload, folder), Watched(loaded(path, path.stat().st_mtime_ns))
        with rasters.opened(scene) as raster:
            _write_picture(raster, folder / "scene.jpg")
            total = np.prod([len(starts(length, WINDOW, OVERLAP)) for length in raster.shape])
        thread = threading.Thread(target=watched.map, args=(scene, folder / "map.tif"), daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                yield [], f"{name}: {100 * watched.done // total} % of the picture"
                thread.join(0.2)
        finally:
            watched.stop.set()
        if watched.error:
            raise watched.error
        notes = [note.replace(scene.name, "This picture") for note in watched.notes]
        results.append((name, str(folder), notes))
    yield results, ""


def _new_folder() -> Path:
    """Make a folder for a result; the oldest results go."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    results = sorted(FOLDER.glob("result-*"), key=lambda one: one.stat().st_mtime)
    for old in results[: -MOST_RESULTS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="result-", dir=FOLDER))


def _small(raster) -> tuple[int, int]:
    """Return the height and width of a raster on the page."""
    shrink = min(1, LONGEST / max(raster.shape))
    return tuple(max(1, round(shrink * length)) for length in raster.shape)


def _write_picture(raster, target: Path) -> None:
    """Write a raster's first three bands, or its only one, as a picture for the page."""
    bands = [1, 2, 3] if raster.count >= 3 else [1, 1, 1]
    pixels = raster.read(bands, out_shape=(3, *_small(raster)))
    Image.fromarray(np.moveaxis(rasters.as_bytes(pixels), 0, -1)).save(target, quality=90)


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
        mask, _ = rasters.read(raster)
    with rasters.opened(folder / "map_confidence.tif") as raster:
        doubt = raster.read(1) < sure * scenes.CERTAIN
    mask = cleanup.majority(mask, majority) if majority > 1 else mask
    for klass in np.unique(mask[mask != NODATA]) if opened else ():
        mask = cleanup.closing(cleanup.opening(mask, klass, opened), klass, opened)
    mask = cleanup.minimum_area(mask, smallest)
    return rasters.write(np.where(doubt, NODATA, mask), folder / "map.tif", folder / "shown.tif")


def page(results: list, layer="map", *how) -> str:
    """Return results as HTML: of each its picture, what lies over it, and its legend.

    Args:
        results: what `run` yields at its end.
        layer: "map" or "confidence", from black to white.
        how: what `clean` takes.
    """
    panels = "".join(_panel(name, Path(folder), told, layer, how) for name, folder, told in results)
    return f'<div class="panels">{panels}</div>'


def _panel(name: str, folder: Path, told: list[str], layer: str, how: tuple) -> str:
    if not (folder / "map.tif").exists():
        return "<p>This result was cleared away: map the picture again.</p>"
    target = clean(folder, *how)
    scheme = rasters.scheme_of(target).for_maps()
    colors, table = scheme.palette(), maps.areas(target)
    table["share"] = table["share"].map("{:.1%}".format)
    color = dict(zip(scheme.names, scheme.colors, strict=True))
    swatch = '<i style="background: rgb{}"></i> {}'
    table["class"] = [swatch.format(color[one], escape(one)) for one in table["class"]]
    if layer == "confidence":
        target, gray = folder / "map_confidence.tif", np.linspace(0, 255, scenes.CERTAIN + 1)
        colors[: len(gray)] = np.stack([*[gray] * 3, np.full_like(gray, 255)], axis=-1)
    with rasters.opened(target) as raster:
        file, over = io.BytesIO(), colors[raster.read(1, out_shape=_small(raster))]
    Image.fromarray(over).save(file, "PNG")
    pictures = file.getvalue(), (folder / "scene.jpg").read_bytes()
    over, under = (base64.b64encode(picture).decode() for picture in pictures)
    notes = "".join(f'<p role="alert">⚠ {escape(note)}</p>' for note in told)
    return (
        f'<section><h3>{escape(name)}</h3>{notes}<div class="stack">'
        f'<img alt="the picture" src="data:image/jpeg;base64,{under}">'
        f'<img alt="its {layer}" class="over" src="data:image/png;base64,{over}"></div>'
        f"{table.to_html(index=False, escape=False, border=0, float_format='{:,.2f}'.format)}"
        "</section>"
    )


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
