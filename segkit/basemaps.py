"""Imagery and street maps of any place: from a provider, a raster, or, offline, the embedded city.

Taught in notebook 07.
"""

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import contextily
import numpy as np
import rasterio
from geopy.geocoders import Nominatim
from pyproj import Transformer
from rasterio import windows
from rasterio.transform import from_bounds

from segkit.files import cache_root, whole, work_root

#: Seconds to connect and to wait for bytes of one tile, and for all of them together.
TIMEOUT_S, DEADLINE_S = (2, 4), 8
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
            OpenStreetMap by default. Where it does not answer within seconds, the embedded city's
            own basemap is drawn, and the figure says so.

    Returns:
        What was drawn, in words.

    Raises:
        ValueError: the raster cannot be drawn.
    """
    source = source or contextily.providers.OpenStreetMap.Mapnik
    limits = ax.axis()
    if isinstance(source, str | Path) and Path(source).exists():
        return _draw_raster(ax, crs, Path(source))
    west, south, east, north = _bounds(limits, crs)
    try:
        image, extent = _fetch(west, south, east, north, source)
    except BasemapNotFound:
        return _draw_offline(ax, crs, limits)
    if str(crs).upper() != WEB_MERCATOR:
        image, extent = contextily.warp_tiles(image, extent, t_crs=crs)
    ax.imshow(image, extent=extent, interpolation="bilinear", zorder=-1)
    ax.axis(limits)
    contextily.add_attribution(ax, getattr(source, "attribution", ""))
    return str(getattr(source, "name", source))


def _draw_raster(ax, crs, path: Path) -> str:
    try:
        contextily.add_basemap(ax, crs=crs, source=str(path), zorder=-1)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be drawn as a basemap: {error}") from error
    return str(path)


def _draw_offline(ax, crs, limits) -> str:
    embedded, note = work_root() / "sample" / "city" / "basemap.tif", "no answer from the provider"
    if embedded.exists():
        note = "offline: basemap of the embedded city"
        contextily.add_basemap(ax, crs=crs, source=str(embedded), attribution=False, zorder=-1)
        ax.axis(limits)
    contextily.add_attribution(ax, note)
    return note


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
    image, extent = _fetch(west, south, east, north, source, zoom)
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
    found = _within_deadline(Nominatim(user_agent="segkit", timeout=TIMEOUT_S[1]).geocode, name)
    if found is None:
        raise BasemapNotFound(f"OpenStreetMap knows no place {name!r}: state its bounds in degrees")
    south, north, west, east = map(float, found.raw["boundingbox"])
    return west, south, east, north


def _fetch(west, south, east, north, source, zoom="auto") -> tuple[np.ndarray, tuple]:
    """Return a picture uint8 (H, W, 4) and its left, right, bottom, top in Web Mercator."""
    tiles = cache_root() / "tiles"
    tiles.mkdir(parents=True, exist_ok=True)
    contextily.set_cache_dir(str(tiles))
    return _within_deadline(
        contextily.bounds2img,
        *(west, south, east, north),
        zoom=zoom,
        source=source if not isinstance(source, Path) else str(source),
        timeout=TIMEOUT_S,
    )


def _within_deadline(call: Callable, *args, **options):
    """Call something that may never answer; whatever goes wrong becomes BasemapNotFound."""
    answer = queue.Queue()

    def work() -> None:
        try:
            answer.put((call(*args, **options), None))
        except Exception as error:  # of the network, of a picture that is none: all the same here
            answer.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        found, error = answer.get(timeout=DEADLINE_S)
    except queue.Empty:
        found, error = None, TimeoutError(f"no answer within {DEADLINE_S} s")
    if error is not None:
        raise BasemapNotFound(
            f"the provider gave no map ({error}): try again online, or name a raster of your own"
        ) from error
    return found
