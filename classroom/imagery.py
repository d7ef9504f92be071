"""Imagery of any place as a scene to map, fetched from a provider of map tiles.

Taught in notebooks 07 and 09.
"""

from pathlib import Path

import contextily
import numpy as np
import rasterio
from geopy.exc import GeopyError
from geopy.geocoders import Nominatim
from pyproj import Transformer
from rasterio import windows
from rasterio.transform import from_bounds

from segkit import basemaps
from segkit.files import whole

#: Tiles that are asked for at most: what providers' terms call light use; and seconds for each.
MOST_TILES, MORE_S_PER_TILE = 400, 0.25


def scene_from_basemap(place: str | tuple, target: str | Path, source=None, zoom: int = 17) -> Path:
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
        basemaps.BasemapNotFound: no answer, or no such place.
        ValueError: more than `MOST_TILES` tiles.
    """
    source = source or contextily.providers.Esri.WorldImagery
    degrees = _look_up(place) if isinstance(place, str) else place
    count = contextily.howmany(*degrees, zoom, verbose=False, ll=True)
    if count > MOST_TILES:
        raise ValueError(f"{count} tiles, more than {MOST_TILES}: choose a smaller zoom or bounds")
    to_meters = Transformer.from_crs("EPSG:4326", basemaps.WEB_MERCATOR, always_xy=True)
    bounds = to_meters.transform_bounds(*degrees)
    how = {"zoom": zoom, "source": source, "timeout": basemaps.TIMEOUT_S}
    seconds = basemaps.DEADLINE_S + MORE_S_PER_TILE * count
    found = basemaps.within(seconds, contextily.bounds2img, *bounds, **how)
    image, (left, right, bottom, top) = found
    grid = from_bounds(left, bottom, right, top, image.shape[1], image.shape[0])
    window = windows.from_bounds(*bounds, grid).round_offsets().round_lengths()
    pixels = np.moveaxis(image[window.toslices()][..., :3], -1, 0)
    profile = {"count": 3, "height": pixels.shape[1], "width": pixels.shape[2], "dtype": "uint8"}
    profile |= {"crs": basemaps.WEB_MERCATOR, "transform": windows.transform(window, grid)}
    profile |= {"driver": "GTiff", "tiled": True, "compress": "deflate"}
    with whole(target) as part, rasterio.open(part, "w", **profile) as raster:
        raster.write(pixels)
        raster.update_tags(attribution=getattr(source, "attribution", str(source)), zoom=zoom)
    return Path(target)


def _look_up(name: str) -> tuple[float, float, float, float]:
    """Return west, south, east, north in degrees of a place."""
    ask = Nominatim(user_agent="segkit", timeout=basemaps.TIMEOUT_S[1]).geocode
    try:
        found = basemaps.within(basemaps.DEADLINE_S, ask, name)
    except GeopyError as error:
        raise basemaps.BasemapNotFound(f"OpenStreetMap did not answer: {error}") from error
    if found is None:
        told = f"OpenStreetMap knows no place {name!r}: state its bounds in degrees"
        raise basemaps.BasemapNotFound(told)
    south, north, west, east = map(float, found.raw["boundingbox"])
    return west, south, east, north
