"""An interactive map in one HTML file that any browser opens, online or not.

Taught in notebook 07.
"""

from pathlib import Path

import folium
import numpy as np
from folium.raster_layers import ImageOverlay
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds

from segkit import maps, rasters
from segkit.basemaps import WEB_MERCATOR
from segkit.files import settle

#: Leaflet 1.9.4 as its authors publish it.
LEAFLET = Path(__file__).parent / "leaflet"
#: What is written as a number of its own, so that neither tags nor templates in a name are obeyed.
SAFE = str.maketrans({sign: f"&#{ord(sign)};" for sign in "<>&'\"{"})
#: Where a page's caption stands, and how it looks.
BOX = "position:fixed; inset:auto 90px 4px 120px; z-index:999; background:#fffc; font:12px Arial"


def save(map_tif: str | Path, target, scene=None, truth=None, caption="") -> Path:
    """Save a class map as a page to pan and zoom in, with a box to switch each class on and off.

    Pictures lie in the file itself, and so does the code that shows them; classes have the colors
    of `ClassScheme.for_maps`.

    Args:
        map_tif: what `scenes.predict` wrote; it needs a CRS.
        target: an `.html` file.
        scene: the raster that was mapped, drawn below.
        truth: a raster of true classes, as a layer of its own.
        caption: what the page says of itself: title, source, date, accuracy.

    Returns:
        `target`.

    Raises:
        ValueError: the map has no CRS, no classes, or goes beyond the 180th meridian or
            latitude 85, where web maps end.
    """
    page, scheme = _page(map_tif), rasters.scheme_of(map_tif)
    if scheme is None:
        raise ValueError(f"{map_tif} carries no classes: write it with scenes.predict")
    scheme, colors = scheme.for_maps(), scheme.for_maps().palette()
    if scene:
        picture, bounds = rasters.warped(scene, WEB_MERCATOR)
        _overlay(page, "image", picture, bounds)
    if truth:
        indices, bounds = rasters.warped(truth, WEB_MERCATOR, resampling=Resampling.nearest)
        _overlay(page, "truth", colors[indices[..., 0]], bounds, show=False)
    indices, bounds = rasters.warped(map_tif, WEB_MERCATOR, resampling=Resampling.nearest)
    hectares = maps.areas(map_tif).set_index("class")["hectares"]
    for klass, name in enumerate(scheme.names):
        if name in hectares:
            alone = np.where(indices[..., :1] == klass, colors[klass], 0).astype(np.uint8)
            box = f'<span style="color: rgb{scheme.colors[klass]}">■</span> {name.translate(SAFE)}'
            _overlay(page, f"{box}: {hectares[name]:,.1f} ha", alone, bounds)
    folium.LayerControl(collapsed=False).add_to(page)
    figure, caption = page.get_root(), caption.translate(SAFE)
    figure.title = caption
    figure.html.add_child(folium.Element(caption and f'<div style="{BOX}">{caption}</div>'))
    return settle(target, figure.render())


def _page(map_tif: str | Path) -> folium.Map:
    """Return an empty page that shows the map's place."""
    with rasters.opened(map_tif) as raster:
        if rasters.pixel_size(raster) is None:
            raise ValueError(f"{map_tif} has no CRS: nobody knows where on a map it lies")
        west, south, east, north = transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    if west > east or east > 180 or west < -180 or max(-south, north) > 85.06:
        raise ValueError(f"{map_tif} crosses longitude 180 or latitude 85: cut it there")
    page = folium.Map(tiles=None, control_scale=True)
    page.default_js = page.default_css = []  # no links: Leaflet itself lies in the page
    for kind, tag in (("js", "script"), ("css", "style")):
        code = (LEAFLET / f"leaflet.{kind}").read_text("utf-8")
        page.get_root().header.add_child(folium.Element(f"<{tag}>{code}</{tag}>"))
    page.fit_bounds([[south, west], [north, east]])
    return page


def _overlay(page: folium.Map, name: str, picture: np.ndarray, bounds: tuple, show=True) -> None:
    """Lay a picture (H, W, 3 or 4) on the page, with pixels that stay squares."""
    west, south, east, north = transform_bounds(WEB_MERCATOR, "EPSG:4326", *bounds)
    how = {"opacity": 1.0 if name == "image" else 0.7, "pixelated": name != "image"}
    ImageOverlay(picture, [[south, west], [north, east]], name=name, show=show, **how).add_to(page)
