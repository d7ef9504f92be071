"""The city as a data set on disk, with the faces that real ones have."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from segkit.classes import DUBAI
from segkit.files import progress as bar

from .city import CITY, CRS, City
from .folders import whole_folder
from .mountains import Mountains, write_landslides
from .scene import paint, render, transform
from .surface import Material as M

VERSION = 8
FOLDER = "Semantic segmentation dataset"
#: height and width of a part of Tile 1 … Tile 6, pixels.
SIZES = ((398, 506), (350, 372), (452, 434), (519, 397), (338, 470), (430, 561))
PARTS = 3  # parts in a row of a tile, and rows
_NARROWER = ((1, 4), (3, 2), (5, 8))  # (tile, part): a pixel narrower than its neighbors
_PALETTE_MASK = (2, 6)  # (tile, part) whose mask is a palette PNG
_FLAWED_MASK = (4, 3)  # (tile, part) whose mask holds a color of no class
_FLAW = np.s_[40:60, 70:95]  # rows and columns of that mask
_FLAW_COLOR = (0, 0, 0)  # red, green, blue
_SCENE_SIZE = 2048  # pixels
_MAP_SIZE, _MAP_PIXEL = 1024, 4.0  # pixels, meters
_MAP_BLOCK = 256  # pixels drawn at a time
_WORKERS = 2  # threads

_MAP_LAND = (242, 239, 233)
_MAP_COLORS = {
    M.WATER: (170, 211, 223), M.SHIP: (170, 211, 223), M.ASPHALT: (252, 214, 164),
    M.MARKING: (252, 214, 164), M.STREET: (255, 255, 255), M.WORN_ASPHALT: (255, 255, 255),
    M.TRACK: (236, 226, 206), M.LAWN: (200, 226, 180), M.DRY_GRASS: (212, 230, 190),
    M.CANOPY: (190, 216, 170), M.PALM: (190, 216, 170), M.MANGROVE: (182, 210, 168),
    M.PARKING: (238, 238, 238), M.SAND: (242, 236, 220),
    **{m: (217, 208, 201) for m in M if m.name.startswith("ROOF")},
}  # fmt: skip


def write(
    folder: str | Path, city: City | Mountains = CITY, progress: bool = False, hidden: bool = False
) -> Path:
    """Make the data set, whole or not at all.

    Args:
        folder: where it goes; a finished set of this version and city is left as it is.
        city: which world and sensor; or which mountains (see `write_landslides`).
        progress: whether to show a progress bar.
        hidden: whether the scene comes without its mask, and without what tells of it.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something else.
    """
    if isinstance(city, Mountains):
        return write_landslides(folder, **asdict(city), progress=progress)
    stamp = _stamp(city, "challenge" if hidden else "tiles")
    if hidden:
        del stamp["seed"]
    return whole_folder(folder, stamp, lambda part: _write_all(part, city, progress, hidden))


def write_scene(folder: str | Path, city: City = CITY) -> Path:
    """Make the scene alone, `scene.tif` and `scene_mask.tif`, whole or not at all.

    Args:
        folder: where it goes; a finished one of this version and city is left as it is.
        city: which world and sensor.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds something else.
    """
    return whole_folder(folder, _stamp(city, "scene"), lambda part: _write_scene(part, city))


def _stamp(city: City, kind: str) -> dict:
    """Return what a folder must say to be this kind of thing, of this version and city."""
    told = {"version": VERSION, "kind": kind, "seed": city.seed, "pixel": city.pixel, "crs": CRS}
    return {**told, "city": zlib.crc32(repr(city).encode())}


def _write_all(folder: Path, city: City, progress: bool, hidden: bool) -> None:
    jobs = [(_write_scene, folder / "scene", city, hidden)]
    if not hidden:  # drawn from what the city is: an answer, nearly
        jobs.append((_write_map, folder / "basemap.tif", city))
    for tile in range(1, len(SIZES) + 1):
        for part in range(1, PARTS * PARTS + 1):
            jobs.append((_write_part, folder / FOLDER, tile, part, city))
    with ThreadPoolExecutor(_WORKERS) as pool:
        running = [pool.submit(*job) for job in jobs]
        try:
            for done in bar(running, "making the city") if progress else running:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def window(tile: int, part: int, city: City = CITY) -> tuple[int, int, int, int]:
    """Return row, column, height and width of a part, in world pixels; both count from 1."""
    height, width = SIZES[tile - 1]
    row, column = divmod(part - 1, PARTS)
    x, y = city.places[tile - 1]
    top = round(y / city.pixel) - PARTS * height // 2 + row * height
    left = round(x / city.pixel) - PARTS * width // 2 + column * width
    return top, left, height, width - ((tile, part) in _NARROWER)


def scene_window(city: City = CITY) -> tuple[int, int, int, int]:
    """Return row, column, height and width of the scene, in world pixels."""
    x, y = city.scene
    row, column = (round(v / city.pixel) - _SCENE_SIZE // 2 for v in (y, x))
    return row, column, _SCENE_SIZE, _SCENE_SIZE


def _write_part(folder: Path, tile: int, part: int, city: City) -> None:
    row, column, height, width = window(tile, part, city)
    image, mask = render(row, column, height, width, city)
    images, masks = (folder / f"Tile {tile}" / kind for kind in ("images", "masks"))
    for kind in (images, masks):
        kind.mkdir(parents=True, exist_ok=True)
    path = images / f"image_part_{part:03d}.jpg"
    Image.fromarray(image).save(path, quality=city.jpeg_quality, subsampling=0)
    _georeference(path, row, column, city)
    _mask_picture(mask, (tile, part)).save(masks / f"image_part_{part:03d}.png")


def _mask_picture(mask: np.ndarray, place: tuple[int, int]) -> Image.Image:
    """Color a mask; one of all is a palette PNG, one has a flaw."""
    if place == _PALETTE_MASK:
        picture = Image.fromarray(len(DUBAI) - 1 - mask)  # numbers in an order of the file's own
        picture.putpalette([value for color in DUBAI.colors[::-1] for value in color])
        return picture
    colors = DUBAI.encode(mask)
    if place == _FLAWED_MASK:
        colors[_FLAW] = _FLAW_COLOR
    return Image.fromarray(colors)


def _georeference(path: Path, row: int, column: int, city: City) -> None:
    """Write the world file and the coordinate system that GIS software looks for."""
    from rasterio.crs import CRS as ReferenceSystem

    t = transform(row, column, city)
    lines = (t.a, t.d, t.b, t.e, t.c + t.a / 2, t.f + t.e / 2)  # middle of the first pixel
    path.with_suffix(".jgw").write_text("".join(f"{v:.10f}\n" for v in lines), encoding="ascii")
    wkt = ReferenceSystem.from_string(CRS).to_wkt().replace('"', "&quot;")
    path.with_name(path.name + ".aux.xml").write_text(
        f"<PAMDataset>\n  <SRS>{wkt}</SRS>\n</PAMDataset>\n", encoding="utf-8"
    )


def _write_scene(folder: Path, city: City, hidden: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    row, column, height, width = scene_window(city)
    image, mask = render(row, column, height, width, city)
    place = transform(row, column, city)
    _write_raster(folder / "scene.tif", np.moveaxis(image, -1, 0), place, taken=city.taken)
    if not hidden:
        colors = dict(enumerate(DUBAI.colors))
        _write_raster(folder / "scene_mask.tif", mask[None], place, colors)


def _write_raster(path: Path, bands: np.ndarray, place, colors=None, taken=None) -> None:
    import rasterio

    count, height, width = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype="uint8",
        crs=CRS, transform=place, tiled=True, blockxsize=256, blockysize=256, compress="deflate",
    ) as raster:  # fmt: skip
        raster.write(bands)
        if colors:
            raster.write_colormap(1, colors)
        if taken:
            raster.update_tags(TIFFTAG_DATETIME=taken)


def _write_map(path: Path, city: City) -> None:
    """Draw a street map of the scene's surroundings from the exact geometry."""
    import affine

    west, north = (v - _MAP_SIZE * _MAP_PIXEL / 2 for v in city.scene)
    steps = (np.arange(_MAP_SIZE) + 0.5) * _MAP_PIXEL
    table = np.array([_MAP_COLORS.get(m, _MAP_LAND) for m in M], np.uint8)
    bands = np.empty((3, _MAP_SIZE, _MAP_SIZE), np.uint8)
    for top in range(0, _MAP_SIZE, _MAP_BLOCK):
        for left in range(0, _MAP_SIZE, _MAP_BLOCK):
            rows, columns = slice(top, top + _MAP_BLOCK), slice(left, left + _MAP_BLOCK)
            x, y = west + steps[None, columns], north + steps[rows, None]
            canvas = paint(x, y, city, furnished=False)
            bands[:, rows, columns] = np.moveaxis(table[canvas.material], -1, 0)
    east, northing = city.origin
    place = affine.Affine(_MAP_PIXEL, 0, east + west, 0, -_MAP_PIXEL, northing - north)
    _write_raster(path, bands, place)
