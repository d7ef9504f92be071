"""Imagery and street maps of any place: from a provider, a raster, or, offline, the embedded city.

Taught in notebook 07.
"""

import math
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import contextily
import numpy as np
import rasterio
import requests
from geopy.exc import GeopyError
from geopy.geocoders import Nominatim
from pyproj import Transformer
from rasterio import windows
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import WarpOptionsError
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT

from segkit.files import cache_root, whole, work_root

#: Seconds to connect and to wait for bytes of one tile.
TIMEOUT_S = (2, 4)
#: Seconds for all tiles of a figure together; and for each tile of a scene, on top.
DEADLINE_S, MORE_S_PER_TILE = 8, 0.25
#: The longer side of a picture that is read from a raster, in pixels.
LONGEST_SIDE = 1500
#: Tiles that `scene_from_basemap` asks a provider for at most: what its terms call light use.
MOST_TILES = 400
#: The CRS of web maps.
WEB_MERCATOR = "EPSG:3857"


class BasemapNotFound(OSError):
    """No answer from a provider, or none that is a map; says what to do instead."""


def add_basemap(ax, crs, source=None) -> str:
    """Draw a basemap below what the axes show, with its attribution.

    Tiles are kept in the user's cache (`SEGKIT_CACHE` moves it) and asked for only once.

    Args:
        ax: axes whose limits are in `crs`.
        crs: of the axes, such as "EPSG:32640".
        source: a contextily provider, an address with {z}/{x}/{y}, or the path of a raster;
            what `SEGKIT_BASEMAP` names, or OpenStreetMap, by default. Where it does not answer
            within seconds, the embedded city's own basemap is drawn if it lies there, and the
            figure says so.

    Returns:
        What was drawn, in words.

    Raises:
        ValueError: the raster cannot be drawn, or lies elsewhere.
    """
    source = source or os.environ.get("SEGKIT_BASEMAP") or contextily.providers.OpenStreetMap.Mapnik
    limits = ax.axis()
    if isinstance(source, str | Path) and Path(source).exists():
        if not _draw_raster(ax, crs, Path(source), limits):
            raise ValueError(f"{source} lies elsewhere than what the axes show")
        return str(source)
    west, south, east, north = _bounds(limits, crs)
    try:
        image, extent = _fetch(west, south, east, north, source)
    except BasemapNotFound:
        embedded = work_root() / "sample" / "city" / "basemap.tif"
        drawn = embedded.exists() and _draw_raster(ax, crs, embedded, limits)
        note = "offline: basemap of the embedded city" if drawn else "no answer from the provider"
        contextily.add_attribution(ax, note)
        return note
    if str(crs).upper() != WEB_MERCATOR:
        image, extent = contextily.warp_tiles(image, extent, t_crs=crs)
    ax.imshow(image, extent=extent, interpolation="bilinear", zorder=-1)
    ax.axis(limits)
    contextily.add_attribution(ax, getattr(source, "attribution", ""))
    return str(getattr(source, "name", source))


def _draw_raster(ax, crs, path: Path, limits) -> bool:
    """Draw the part of a raster that the axes show, where it lies; return whether there is one."""
    (x0, x1), (y0, y1) = sorted(limits[:2]), sorted(limits[2:])
    try:
        found = warped(path, crs, (x0, y0, x1, y1))
    except (OSError, ValueError, WarpOptionsError) as error:
        raise ValueError(f"{path} cannot be drawn as a basemap: {error}") from error
    if found is None:
        return False
    picture, (west, south, east, north) = found
    if picture.shape[-1] == 1:
        picture = picture.repeat(3, axis=-1)
    extent = (west, east, south, north)
    ax.imshow(picture, extent=extent, interpolation="bilinear", zorder=-1)
    ax.axis(limits)
    return True


def warped(
    path: str | Path,
    crs,
    bounds: tuple[float, float, float, float] | None = None,
    resampling: Resampling = Resampling.bilinear,
) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
    """Read a raster as a picture in another CRS, its longer side at most `LONGEST_SIDE` pixels.

    Args:
        path: a raster with a CRS; one band, or three and more (red, green, blue first).
        crs: of the picture.
        bounds: west, south, east, north in `crs` of the part to read; all of it by default.
        resampling: nearest for classes.

    Returns:
        uint8 (H, W, 1) with 255 where there is no data, or (H, W, 4) with alpha; and its west,
        south, east, north. None where the raster lies outside the bounds.
    """
    with rasterio.open(path) as raster:
        if raster.crs is None:
            raise ValueError(f"{path} has no CRS: nobody knows where on a map it lies")
        colored, alpha = raster.count >= 3, ColorInterp.alpha in raster.colorinterp
        how = {"add_alpha": colored and not alpha}
        how |= {} if colored else {"nodata": raster.nodata if raster.nodata is not None else 255}
        with WarpedVRT(raster, crs=crs, resampling=resampling, **how) as turned:
            whole_window = windows.Window(0, 0, turned.width, turned.height)
            part = windows.from_bounds(*(bounds or turned.bounds), turned.transform)
            if not windows.intersect(part, whole_window):
                return None
            part = _whole_pixels(part.intersection(whole_window)).intersection(whole_window)
            shrink = min(1, LONGEST_SIDE / max(part.height, part.width))
            size = [max(1, round(length * shrink)) for length in (part.height, part.width)]
            last = turned.colorinterp.index(ColorInterp.alpha) + 1 if colored else None
            bands = [1, 2, 3, last] if colored else [1]
            pixels = turned.read(
                bands, window=part, out_shape=(len(bands), *size), resampling=resampling
            )
            return np.moveaxis(_bytes(pixels), 0, -1), turned.window_bounds(part)


def _whole_pixels(area: windows.Window) -> windows.Window:
    """Return the smallest window of whole pixels that holds another one."""
    (top, bottom), (left, right) = area.toranges()
    top, left, bottom, right = (math.floor(v) for v in (top, left, -bottom, -right))
    return windows.Window(left, top, -right - left, -bottom - top)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (bands, H, W) as uint8; other types are stretched from 2 to 98 percent."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.nanpercentile(pixels[:3], (2, 98))
    stretched = np.nan_to_num((pixels - low) * (255 / max(high - low, 1e-12))).clip(0, 255)
    if len(pixels) == 4:
        stretched[3] = 255 * (pixels[3] > 0)
    return stretched.astype(np.uint8)


def scene_from_basemap(
    place: str | tuple[float, float, float, float],
    target: str | Path,
    source=None,
    zoom: int = 17,
) -> Path:
    """Fetch imagery of a place as a georeferenced raster that a model can be run on.

    A provider's terms hold for the picture and for what is made of it; read them before you publish
    (the file carries the attribution). Colors and ground resolution differ from place to place.

    Args:
        place: (west, south, east, north) in degrees, or a name to look up in OpenStreetMap.
        target: GeoTIFF, uint8 RGB, EPSG:3857.
        source: a contextily provider or an address with {z}/{x}/{y}; Esri's imagery by default.
        zoom: 17 has pixels of about 1.2 m · cos(latitude); each step halves them.

    Returns:
        `target`.

    Raises:
        BasemapNotFound: no answer, or no such place.
        ValueError: more than `MOST_TILES` tiles.
    """
    source = source or contextily.providers.Esri.WorldImagery
    degrees = _look_up(place) if isinstance(place, str) else place
    count = contextily.howmany(*degrees, zoom, verbose=False, ll=True)
    if count > MOST_TILES:
        raise ValueError(
            f"{count} tiles at zoom {zoom}, more than {MOST_TILES}: choose a smaller zoom or bounds"
        )
    to_meters = Transformer.from_crs("EPSG:4326", WEB_MERCATOR, always_xy=True)
    west, south, east, north = to_meters.transform_bounds(*degrees)
    seconds = DEADLINE_S + MORE_S_PER_TILE * count
    image, extent = _fetch(west, south, east, north, source, zoom, seconds)
    left, right, bottom, top = extent
    grid = from_bounds(left, bottom, right, top, image.shape[1], image.shape[0])
    window = windows.from_bounds(west, south, east, north, grid).round_offsets().round_lengths()
    pixels = np.moveaxis(image[window.toslices()][..., :3], -1, 0)
    size = {"count": 3, "height": pixels.shape[1], "width": pixels.shape[2], "dtype": "uint8"}
    place = {"crs": WEB_MERCATOR, "transform": windows.transform(window, grid)}
    how = {"tiled": True, "compress": "deflate"}
    with whole(target) as part, rasterio.open(part, "w", "GTiff", **size, **place, **how) as raster:
        raster.write(pixels)
        raster.update_tags(attribution=getattr(source, "attribution", str(source)), zoom=zoom)
    return Path(target)


def _bounds(limits, crs) -> tuple[float, float, float, float]:
    """Return west, south, east, north in Web Mercator of axes limits (x0, x1, y0, y1)."""
    (x0, x1), (y0, y1) = sorted(limits[:2]), sorted(limits[2:])
    project = Transformer.from_crs(crs, WEB_MERCATOR, always_xy=True)
    return project.transform_bounds(x0, y0, x1, y1)


def _look_up(name: str) -> tuple[float, float, float, float]:
    """Return west, south, east, north in degrees of a place."""
    found = _within(DEADLINE_S, Nominatim(user_agent="segkit", timeout=TIMEOUT_S[1]).geocode, name)
    if found is None:
        raise BasemapNotFound(f"OpenStreetMap knows no place {name!r}: state its bounds in degrees")
    south, north, west, east = map(float, found.raw["boundingbox"])
    return west, south, east, north


def _fetch(
    west, south, east, north, source, zoom="auto", seconds=DEADLINE_S
) -> tuple[np.ndarray, tuple]:
    """Return a picture uint8 (H, W, 4) and its left, right, bottom, top in Web Mercator."""
    tiles = cache_root() / "tiles"
    tiles.mkdir(parents=True, exist_ok=True)
    contextily.set_cache_dir(str(tiles))
    how = {"zoom": zoom, "source": source, "timeout": TIMEOUT_S}
    return _within(seconds, _twice, contextily.bounds2img, *(west, south, east, north), **how)


def _twice(call: Callable, *args, **options):
    """Call something, and once more where the connection broke."""
    try:
        return call(*args, **options)
    except requests.ConnectionError:
        return call(*args, **options)


def _within(seconds: float, call: Callable, *args, **options):
    """Call something that may never answer; no answer, or a broken one, is BasemapNotFound."""
    answer = queue.Queue()

    def work() -> None:
        try:
            answer.put((call(*args, **options), None))
        except Exception as error:  # raised again by the caller's thread
            answer.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        found, error = answer.get(timeout=seconds)
    except queue.Empty:
        found, error = None, TimeoutError(f"no answer within {seconds:.0f} s")
    if isinstance(error, OSError | GeopyError):
        raise BasemapNotFound(
            f"the provider gave no map ({error}): try again online, or name a raster of your own"
        ) from error
    if error is not None:
        raise error
    return found
