"""The road in six pictures, from a tile to hectares, for the README: `python -m classroom.road`.

Everything drawn is what the library makes of the embedded city; the network is the small one that
ships, which has not seen this ground.
"""

import tempfile
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from classroom import course
from classroom.notebooks import compact
from segkit import datasets, maps, models, patches, plots, rasters, scenes
from segkit.files import REPOSITORY, whole

TARGET = REPOSITORY / "notebooks" / "images" / "road.png"
#: The tile and its squares: held out from the network's training; the corner of the scene.
TILE, PATCH, GAP, SCENE = "tile2_part009", 64, 8, "vrt://{}?srcwin=1150,150,640,640"
TITLES = ("a tile", "its classes", "patches", "a network's answer", "a map of a scene")


def spread(image: np.ndarray) -> np.ndarray:
    """Return an image cut into patches, with white between them."""
    edge = ((0, GAP), (0, GAP), (0, 0))
    rows = [
        [np.pad(one, edge, constant_values=255) for one in row]
        for row in patches.patchify(image, PATCH)
    ]
    return np.vstack([np.hstack(row) for row in rows])[:-GAP, :-GAP]


@plots.styled
def draw(folder: Path) -> Figure:
    """Draw the six pictures in a row.

    Args:
        folder: for the map on the way.
    """
    model, city = models.load("city-lite0"), datasets.find("sample")
    image, mask, _ = city.read(next(tile for tile in city.tiles if tile.id == TILE))
    side = min(image.shape[:2]) // PATCH * PATCH
    image, mask = image[:side, :side], mask[:side, :side]
    answer = models.predict(model, image[None]).argmax(axis=-1)[0]
    map_tif = scenes.predict(model, SCENE.format(course.scene()), folder / "map.tif")
    outlines, hectares = maps.polygons(map_tif, simplify=1), maps.areas(map_tif)
    figure, axes = plt.subplots(1, 6, figsize=(13, 3))
    with rasters.opened(map_tif) as raster:
        mapped = raster.read(1)
    scheme = model.scheme.for_maps()
    shown = (image, scheme.encode(mask), spread(image), scheme.encode(answer))
    for ax, array, title in zip(axes, (*shown, scheme.encode(mapped)), TITLES, strict=False):
        plots.show(ax, array)
        ax.set_title(title, y=1)
    colors = dict(zip(scheme.names, np.array(scheme.colors) / 255, strict=True))
    outlines.plot(ax=axes[-1], color=outlines["class"].map(colors), edgecolor="0.2", linewidth=0.5)
    axes[-1].set_axis_off()
    axes[-1].margins(0)
    first = hectares.iloc[0]
    axes[-1].set_title(f"polygons: {first['hectares']:.1f} ha {first['class']}", y=1)
    for left, right in zip(axes, axes[1:], strict=False):
        ends = {"xyA": (1.01, 0.5), "xyB": (-0.01, 0.5), "coordsA": left.transAxes}
        figure.add_artist(ConnectionPatch(**ends, coordsB=right.transAxes, arrowstyle="->"))
    plots.legend(figure, scheme)
    return figure


def main() -> None:
    """Draw the picture, and keep it as small as those of the notebooks."""
    with tempfile.TemporaryDirectory() as folder, whole(TARGET) as part:
        draw(Path(folder)).savefig(part, dpi=100)
        part.write_bytes(compact(part.read_bytes()))


if __name__ == "__main__":
    main()
