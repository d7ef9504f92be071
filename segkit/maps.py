"""From a class map to polygons, hectares and a figure over a basemap.

Taught in notebook 07.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely
from rasterio.features import shapes
from rasterio.transform import rowcol
from rasterio.windows import Window, subdivide

from segkit import rasters
from segkit.basemaps import add_basemap  # noqa: F401 (maps.add_basemap)
from segkit.rasters import BLOCK, EARTH, NODATA, scheme_of, write

SQUARE_METERS_PER_HECTARE, METERS_PER_DEGREE = 10_000, 111_320
#: Points added along each edge of a block before it is laid on the ellipsoid; meters that a block
#: may be wide, for its pixels count as equal.
POINTS_PER_EDGE, WIDEST = 8, 10_000


def polygons(map_tif: str | Path, simplify: float = 0.0) -> geopandas.GeoDataFrame:
    """Turn a class map into polygons, one per connected area (4 neighbors) of a class.

    Args:
        map_tif: what `scenes.predict` wrote, or any raster of class indices.
        simplify: outlines lose their steps: corners go whose triangle is smaller than a square with
            sides of so many units of the CRS; one or two pixels are usual. Neighbors move together:
            no gap and no overlap appears.

    Returns:
        Columns class (name, or number where the map carries none) and geometry, in the map's CRS.
        Pixels without data belong to no polygon.

    Raises:
        ValueError: the raster holds no class indices of 8 bits.
    """
    with rasters.opened(map_tif) as raster:
        indices, valid = rasters.read(raster)
        found = list(shapes(indices, mask=valid, transform=raster.transform))
        crs = raster.crs.to_string() if raster.crs else None
    names, drawn = _names(map_tif), [shapely.geometry.shape(outline) for outline, _ in found]
    called = {"class": [names.get(int(value), str(int(value))) for _, value in found]}
    drawn = shapely.coverage_simplify(drawn, simplify)
    return geopandas.GeoDataFrame(called, geometry=drawn, crs=crs)


def areas(mapped: str | Path | geopandas.GeoDataFrame) -> pd.DataFrame:
    """Measure the area of each class on the ellipsoid, whatever the CRS.

    Args:
        mapped: a class map (path), or polygons with a column "class".

    Returns:
        Columns class, hectares, share (0–1 of all mapped area), largest first. Without a CRS there
        are no hectares: columns class, pixels (or square units of the polygons), share.

    Raises:
        ValueError: the raster holds no class indices of 8 bits, or a part lies off the Earth.
    """
    if isinstance(mapped, geopandas.GeoDataFrame):
        size, unit = _polygon_areas(mapped)
    else:
        table, unit = _compared(mapped, mapped)
        size = table["before"]
    table = size[size > 0].sort_values(ascending=False).rename_axis("class").reset_index(name=unit)
    table["share"] = table[unit] / table[unit].sum()
    return table


def adjusted_areas(confusion: np.ndarray, mapped: Sequence[float], names=None) -> pd.DataFrame:
    """Estimate true areas from a map and a sample of checked places (Olofsson et al. 2014).

    A map that calls too much Water gets too much water when its pixels are counted. A random sample
    in each mapped class says how often the map is wrong, and corrects the area; the interval says
    how sure that is. Pixels of whole tiles are no such sample: neighbors err together, and the
    interval comes out too short.

    Args:
        confusion: (C, C) counts of checked places, rows = truth, columns = map, as
            `metrics.confusion` gives; Olofsson et al. write it the other way round.
        mapped: area of each class on the map (C,), in any unit.
        names: of the classes.

    Returns:
        One row per class: mapped, adjusted, and the half width of the 95 % interval, in the unit
        given. NaN for all where a mapped class has fewer than two checked places.
    """
    counts, mapped = np.asarray(confusion, float).T, np.asarray(mapped, float)
    checked, weight = counts.sum(axis=1, keepdims=True), (mapped / mapped.sum())[:, None]
    if ((checked[:, 0] < 2) & (mapped > 0)).any():
        counts = np.full_like(counts, np.nan)
    share = np.where(mapped[:, None] > 0, counts / np.maximum(checked, 1), 0)
    variance = weight**2 * share * (1 - share) / np.maximum(checked - 1, 1)
    table = {"mapped": mapped, "adjusted": mapped.sum() * (weight * share).sum(axis=0)}
    table["± 95 %"] = 1.96 * mapped.sum() * np.sqrt(variance.sum(axis=0))
    index = pd.Index(names if names is not None else range(len(mapped)), name="class")
    return pd.DataFrame(table, index)


def changes(before: str | Path, after: str | Path, target=None) -> pd.DataFrame:
    """Compare two maps of one place: what each class gained and lost.

    Both maps err, and where either does, a change appears that never was: the more the maps err,
    the more of what they call change is none.

    Args:
        before, after: class maps on the same grid.
        target: write a map of what changed pixels became; the others have no data.

    Returns:
        One row per class: before, after, gained, lost; hectares, or pixels without a CRS. Pixels
        without data in either map count in none of them.

    Raises:
        ValueError: the two maps differ in size, place, or classes.
    """
    return _compared(before, after, target)[0]


def _compared(before, after, target=None) -> tuple[pd.DataFrame, str]:
    """Return the table of `changes`, and its unit."""
    with rasters.opened(before) as old, rasters.opened(after) as new:
        _check_same(old, new)
        project = rasters.to_degrees(old.crs) if rasters.pixel_size(old) else None
        moved, became = np.zeros((256, 256)), np.full(old.shape if target else 0, NODATA, np.uint8)
        unit = METERS_PER_DEGREE if project and old.crs.is_geographic else 1
        tall = abs(old.transform.e) * unit if project else 1
        side = max(1, min(BLOCK, int(WIDEST / max(tall, rasters.pixel_size(old) or 1))))
        for area in subdivide(Window(0, 0, old.width, old.height), side, side):
            (was, known), (now, there) = rasters.read(old, area), rasters.read(new, area)
            known &= there
            size = _pixel_area(old, area, project) if project and known.any() else 1
            pairs = was[known].astype(int) * 256 + now[known]
            moved += np.bincount(pairs, minlength=256**2).reshape(256, 256) * size
            if target:
                became[area.toslices()] = np.where(known & (was != now), now, NODATA)
        if target:
            write(became, after, target)
    if project is None:
        _warn_no_crs("pixels")
    names, stayed = _names(after), np.diag(moved)
    table = {"before": moved.sum(axis=1), "after": moved.sum(axis=0)}
    table |= {"gained": table["after"] - stayed, "lost": table["before"] - stayed}
    present = np.flatnonzero(table["before"] + table["after"])
    index = pd.Index([names.get(i, str(i)) for i in present], name="class")
    table = pd.DataFrame({key: values[present] for key, values in table.items()}, index)
    return table, "hectares" if project else "pixels"


def _check_same(old, new) -> None:
    corners = [(0, 0), (old.height, 0), (0, old.width)]
    there = [rowcol(new.transform, *old.xy(*one, offset="ul"), op=float) for one in corners]
    same_place = old.name == new.name or old.crs == new.crs and np.allclose(there, corners, 0, 0.01)
    if old.shape != new.shape or not same_place:
        grids = f"{old.name} and {new.name} lie on different grids"
        raise ValueError(f"{grids}: rasterio.warp.reproject puts one scene on the other's grid")
    if old.tags().get("scheme") != new.tags().get("scheme"):
        raise ValueError(f"{old.name} and {new.name} have different classes")


def _polygon_areas(gdf: geopandas.GeoDataFrame) -> tuple[pd.Series, str]:
    if gdf.crs is None or not (gdf.crs.is_projected or gdf.crs.is_geographic):
        _warn_no_crs("square units of the polygons")
        return gdf.geometry.area.groupby(gdf["class"]).sum(), "square_units"
    project, unit = rasters.to_degrees(gdf.crs), gdf.crs.axis_info[0].unit_conversion_factor
    drawn = gdf.geometry.segmentize(0.01 if gdf.crs.is_geographic else 1_000 / unit)  # straight
    if gdf.crs.to_epsg() == 4326:  # also what is larger than half the Earth
        equal = drawn.clip_by_rect(-720, -90, 720, 90).to_crs("+proj=cea +ellps=WGS84 +over")
        hectares = equal.area / SQUARE_METERS_PER_HECTARE
    else:
        hectares = pd.Series([_true_area(x, project) if x else 0 for x in drawn], gdf.index, float)
    return hectares.groupby(gdf["class"]).sum(), "hectares"


def _pixel_area(raster, area, project) -> float:
    """Return the true hectares of one pixel of a block."""
    rows, columns = area.toslices()
    pixels = shapely.box(columns.start, rows.start, columns.stop, rows.stop)
    outline = shapely.affinity.affine_transform(pixels, raster.transform.to_shapely())
    longest = max(outline.length / 4 / POINTS_PER_EDGE, 1e-12)
    return _true_area(outline.segmentize(longest), project) / (area.width * area.height)


def _true_area(one, project) -> float:
    """Return the hectares of a polygon on the ellipsoid."""
    # Holes count as such only where they turn the other way; at 180 degrees nobody can tell.
    degrees = shapely.transform(shapely.orient_polygons(one), project.transform, interleaved=False)
    area = abs(EARTH.geometry_area_perimeter(degrees)[0]) / SQUARE_METERS_PER_HECTARE
    if not np.isfinite(area):
        raise ValueError("a part lies off the Earth, beyond a pole or its CRS: cut it away first")
    return area


def _names(map_tif: str | Path) -> dict[int, str]:
    return dict(enumerate(getattr(scheme_of(map_tif), "names", ())))


def _warn_no_crs(unit: str) -> None:
    warnings.warn(f"the map has no CRS, so there are no hectares: {unit} instead", stacklevel=4)
