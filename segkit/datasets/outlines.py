"""Outlines that somebody drew, in any program and any CRS, as a mask on a scene.

Taught in notebook 11.
"""

import geopandas
import numpy as np
from rasterio.features import rasterize
from scipy import ndimage

from segkit import rasters
from segkit.classes import MAP_COLORS, ClassScheme
from segkit.datasets.readers import DatasetError, described

#: What pixels are that no outline covers.
UNLABELED = ("Unlabeled", (155, 155, 155))


def from_polygons(scene, polygons, column, scheme=None, order=(), all_touched=False, rim=0.0):
    """Draw outlines as a mask that lies on a scene, pixel by pixel.

    Args:
        scene: a raster with a CRS.
        polygons: GeoPackage, GeoJSON or Shapefile, or what geopandas read of it, in any CRS.
        column: which column names each outline's class.
        scheme: the classes; by default the names in the column, in alphabetical order. Where no
            outline lies, a pixel is of the ignored class, "Unlabeled" if there is none yet.
        order: names of classes from the lowest to the topmost, where outlines overlap; those not
            named lie below them. By default the later outline of the file lies on top.
        all_touched: count a pixel that an outline touches; by default its middle must lie inside.
        rim: meters on both sides of a border between classes where nobody knows: they are ignored.

    Returns:
        uint8 (H, W) class indices, for `rasters.write(mask, like=scene, target=…)`, and the scheme.

    Raises:
        DatasetError: no such column, an outline without a class or of an unknown one, no CRS, or
            no outline on the scene.
    """
    drawn = polygons if hasattr(polygons, "geometry") else geopandas.read_file(polygons)
    drawn = drawn[~drawn.is_empty].dropna(subset=[drawn.geometry.name])
    if column not in drawn.columns or drawn[column].isna().any():
        raise DatasetError(f"each outline needs a class in {column!r}; columns: {list(drawn)}")
    if drawn.empty or set(drawn.geom_type) - {"Polygon", "MultiPolygon"}:
        raise DatasetError(f"no outline, or not all are polygons: {set(drawn.geom_type)}")
    called, order = drawn[column].astype(str), [*map(str, order)]
    if scheme is None:
        names = sorted({*called, *order} - {UNLABELED[0]})
        plain = [(67 * i % 256, 131 * i % 256, 200) for i in range(len(names))]
        scheme = ClassScheme(column, names, list(map(MAP_COLORS.get, names, plain)))
    scheme = scheme.ignoring(*UNLABELED) if scheme.ignore_index is None else scheme
    if strange := {*called, *order} - {*scheme.names}:
        raise DatasetError(f"{', '.join(sorted(strange))}: none of {', '.join(scheme.names)}")
    crs, shape, transform, meters = described(scene, _place)
    if crs is None or drawn.crs is None or (rim and crs.is_geographic):
        raise DatasetError(f"{scene} and its outlines need a CRS; for a rim, one in meters")
    shapes, mask = drawn.geometry.to_crs(crs), np.full(shape, scheme.ignore_index, np.uint8)
    height = {name: i for i, name in enumerate(order)}
    lowest_first = called.map(height).fillna(-1).argsort(kind="stable")
    pairs = [(shapes.iloc[i], scheme.names.index(called.iloc[i])) for i in lowest_first]
    rasterize(pairs, out=mask, transform=transform, all_touched=all_touched)
    if (mask == scheme.ignore_index).all():
        raise DatasetError(f"no outline lies on {scene}: is their CRS, {drawn.crs}, the right one?")
    cross = ndimage.generate_binary_structure(2, 1)
    if rim and (border := ndimage.morphological_gradient(mask, footprint=cross)).any():
        away = (ndimage.distance_transform_edt(border == 0) + 0.5) * meters
        mask[away <= rim] = scheme.ignore_index
    return mask, scheme


def _place(raster) -> tuple:
    return raster.crs, raster.shape, raster.transform, rasters.pixel_size(raster)
