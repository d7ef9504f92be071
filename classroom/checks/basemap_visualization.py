"""Checks of notebook 07 Basemap visualization."""

import tempfile
from pathlib import Path

import numpy as np

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `middle` to two numbers: easting and northing of the scene's middle.",
    "A transform has turned column and row into a place on the ground.",
)
def scene_middle(middle, scene_tif):
    """07, warm-up: easting and northing of the middle of the scene, to one pixel."""
    import rasterio

    found = numbers(middle, 2)
    with rasterio.open(scene_tif) as scene:
        rows, columns, pixel = scene.height // 2, scene.width // 2, max(scene.res)
        expected, corner = scene.xy(rows, columns), scene.xy(0, 0)
        south_east = scene.xy(scene.height - 1, scene.width - 1)
    if near(found, expected, pixel):
        return
    if near(found, expected, 4 * pixel):
        raise Wrong("Nearly, but more than one pixel away: keep all digits.")
    if near(found, expected[::-1], pixel):
        raise Wrong("Easting comes first, then northing.")
    if near(found, (rows, columns), 1) or near(found, (columns, rows), 1):
        raise Wrong("This is row and column of the middle. `scene.xy` turns them into a place.")
    for place, name in ((corner, "upper left"), (south_east, "lower right")):
        if near(found, place, pixel):
            raise Wrong(f"This is the {name} corner: ask for the row and the column in the middle.")
    if abs(found[0]) <= 180 and abs(found[1]) <= 90:
        raise Wrong("These look like longitude and latitude: give the scene's own coordinates.")
    raise Wrong(
        "Which row and which column lie in the middle? `scene.xy` wants them in this order."
    )


@check(
    "`write_map` takes class numbers (H, W), the path of the scene and that of the map.",
    "The map lies where the scene lies, pixel on pixel.",
)
def placed_map(write_map):
    """07, repair: a map written without the scene's transform lies nowhere."""
    import rasterio

    corner, mask = (326_200, 2_790_100), np.arange(24, dtype=np.uint8).reshape(4, 6) // 5
    place = {"crs": "EPSG:32640", "transform": rasterio.transform.from_origin(*corner, 0.5, 0.5)}
    with tempfile.TemporaryDirectory() as folder:
        scene_tif, map_tif = Path(folder) / "scene.tif", Path(folder) / "map.tif"
        with rasterio.open(scene_tif, "w", "GTiff", 6, 4, 3, dtype="uint8", **place) as scene:
            scene.write(np.stack([mask] * 3))
        call(write_map, mask.copy(), scene_tif, map_tif, parts=0)
        if not map_tif.exists():
            raise Wrong("No file appears under the path of the map.")
        with rasterio.open(map_tif) as found:
            _compare_place(found, place["transform"])
            if found.count != 1:
                raise Wrong(f"A map has one band, this one has {found.count}: `count` is not 1.")
            if np.array_equal(found.read(1), mask[::-1]):
                raise Wrong("The place is right, but the rows are upside down in it.")
            if not np.array_equal(found.read(1), mask):
                raise Wrong("The map lies right, but its class numbers are not those it was given.")


def _compare_place(found, expected) -> None:
    """Raise `Wrong` unless an opened map has the scene's size, CRS and transform."""
    transform = found.transform
    if found.shape != (4, 6):
        raise Wrong(f"The scene has 4 rows of 6 pixels, the map {found.shape}.")
    if transform.is_identity:
        raise Wrong(
            "The map's upper left corner lies at 0 m east, 0 m north, in the Indian Ocean, and its "
            "pixels are 1 m wide. Which six numbers of the scene has it lost?"
        )
    if found.crs is None:
        raise Wrong("The numbers are there, but not what they count: the map has no CRS.")
    if found.crs.to_epsg() != 32640:
        raise Wrong(f"The scene is in EPSG:32640, the map says {found.crs}.")
    if transform.e > 0:
        raise Wrong("The map is upside down: rows count southwards, northing falls.")
    if not near((transform.a, transform.e), (expected.a, expected.e), 1e-6):
        raise Wrong(f"The scene's pixels are 0.5×0.5 m, the map's {transform.a}×{-transform.e} m.")
    if not near(transform[:6], expected[:6], 1e-6):
        east, south = transform.c - expected.c, expected.f - transform.f
        raise Wrong(f"The map is shifted by {east:g} m to the east and {south:g} m to the south.")


@check(
    "`weights` takes the size of a window; it returns an array (size, size).",
    "Highest in the middle, low at the border, and never 0: every pixel gets an answer.",
)
def border_weights(weights):
    """07, repair: blending weights of exactly 0 at the window's border."""
    found = np.asarray(call(weights, 32), float)
    if found.shape != (32, 32):
        raise Wrong(f"A window of 32×32 pixels needs 32×32 weights; here are {found.shape}.")
    if not np.isfinite(found).all() or found.min() < 0:
        raise Wrong("A weight is a number from 0 up: here some are negative or not finite.")
    if not found.any(axis=1).all():
        rows = ", ".join(str(row) for row in np.flatnonzero(~found.any(axis=1)))
        raise Wrong(
            f"The weights of row(s) {rows} are exactly 0. At the border of a scene, where one "
            "window alone sees a pixel, its answer would be 0 / 0."
        )
    if found.min() == 0:
        raise Wrong("Some weights are still exactly 0: look at the columns and the corners.")
    if np.ptp(found) < 1e-6:
        raise Wrong("All weights are alike: windows are not blended, and their seams stay visible.")
    if not (near(found, found[::-1], 1e-6) and near(found, found[:, ::-1], 1e-6)):
        raise Wrong("The weights lean to one side: the middle of the window should weigh most.")
    if found[15, 15] < found.max() - 1e-6:
        raise Wrong("The border weighs more than the middle, where a window sees all around.")
    if max(found[0].max(), found[:, 0].max()) > 0.75 * found.max():
        raise Wrong("A border weighs nearly as much as the middle: fade out both down and across.")
    if found[15, 8] > 0.99 * found.max():
        raise Wrong("Flat but for its border: halfway to the middle it should weigh less.")
    if np.shape(weights(20)) != (20, 20):
        raise Wrong("Right for 32 pixels, not for 20: is there a number where `size` belongs?")
