"""Imagery and street maps of any place: from a provider, a raster, or, offline, the embedded city.

Taught in notebook 07.
"""

import multiprocessing.pool
import os
from collections.abc import Callable
from pathlib import Path

import contextily
from matplotlib.figure import Figure
from rasterio.errors import WarpOptionsError

from segkit.files import cache_root, work_root
from segkit.rasters import warped

#: Seconds to connect and to wait for bytes of one tile.
TIMEOUT_S = (2, 4)
#: Seconds for all tiles of a figure together.
DEADLINE_S = 8
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
    if isinstance(source, Path) or (isinstance(source, str) and "://" not in source):
        if not _draw_raster(ax, crs, Path(source)):
            raise ValueError(f"{source} lies elsewhere than what the axes show")
        return str(source)
    try:
        _draw_tiles(ax, crs, source)
        return str(getattr(source, "name", source))
    except BasemapNotFound:
        embedded = work_root() / "sample" / "city" / "basemap.tif"
        drawn = embedded.exists() and _draw_raster(ax, crs, embedded)
        note = "offline: basemap of the embedded city" if drawn else "no answer from the provider"
        contextily.add_attribution(ax, note)
        return note


def _draw_tiles(ax, crs, source) -> None:
    """Draw tiles below what the axes show, within seconds or not at all."""
    limits, trial = ax.axis(), Figure().add_subplot()
    how = {"source": source, "timeout": TIMEOUT_S, "zorder": -1}
    how["crs"] = None if str(crs).upper() == WEB_MERCATOR else crs
    # All that is asked of the provider is asked by the trial; what comes late is drawn nowhere.
    trial.axis((*sorted(limits[:2]), *sorted(limits[2:])))
    within(DEADLINE_S, contextily.add_basemap, trial, attribution=False, **how)
    ax.axis(trial.axis())
    contextily.add_basemap(ax, attribution=getattr(source, "attribution", str(source)), **how)
    ax.axis(limits)


def _draw_raster(ax, crs, path: Path) -> bool:
    """Draw the part of a raster that the axes show, where it lies; return whether there is one."""
    limits = ax.axis()
    (x0, x1), (y0, y1) = sorted(limits[:2]), sorted(limits[2:])
    try:
        found = warped(path, crs, (x0, y0, x1, y1))
    except (OSError, ValueError, WarpOptionsError) as error:
        raise ValueError(f"{path} cannot be drawn as a basemap: {error}") from error
    if found is None:
        return False
    picture, (west, south, east, north) = found
    ax.imshow(picture, extent=(west, east, south, north), interpolation="bilinear", zorder=-1)
    ax.axis(limits)
    return True


def within(seconds: float, call: Callable, *args, **options):
    """Call something that may never answer; no answer, or a broken one, is BasemapNotFound.

    Tiles that it fetches are kept in the user's cache.
    """
    tiles = cache_root() / "tiles"
    tiles.mkdir(parents=True, exist_ok=True)
    contextily.set_cache_dir(str(tiles))
    try:
        with multiprocessing.pool.ThreadPool(1) as pool:  # whose thread keeps nobody waiting
            return pool.apply_async(call, args, options).get(seconds)
    except (OSError, multiprocessing.TimeoutError) as error:
        what = f"the provider gave no map ({str(error) or 'no answer in time'})"
        raise BasemapNotFound(f"{what}: try again online, or name a raster of your own") from error
