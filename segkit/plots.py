"""Figures of images, masks and scores: one palette, always a legend.

A figure is returned, never shown, so that a notebook's last line displays it once.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from segkit.classes import ClassScheme
from segkit.rasters import NODATA, as_bytes

DPI = 80
#: What all figures of the course have in common.
STYLE = Path(__file__).with_name("course.mplstyle")
#: What is wrong, what is right, what does not count.
ERROR_COLORS = ((214, 39, 40), (235, 235, 235), (155, 155, 155))
#: Gray level of pixels without a class; lines that color-blind readers tell apart.
NO_CLASS, LINE_COLORS = 225, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Give what a function draws the course's style, and its figure to the caller alone."""

    @functools.wraps(draw)
    @plt.style.context([STYLE, {"figure.dpi": DPI}])
    def drawn(*given, **named) -> Figure:
        figure = draw(*given, **named)
        plt.close(figure)  # else a notebook shows it twice, and pyplot keeps it
        return figure

    return drawn


def legend(target, scheme: ClassScheme, **kwargs):
    """Add a legend of class colors below a figure, in as many rows as it needs."""
    pairs = zip(scheme.names, np.array(scheme.colors) / 255, strict=True)
    patches = [Patch(facecolor=color, edgecolor="0.4", label=name) for name, color in pairs]
    inches = sum(0.5 + 0.075 * len(name) for name in scheme.names)
    columns = int(min(1, target.figure.get_figwidth() / inches) * len(patches)) or 1
    style = {"frameon": False, "fontsize": 9, "ncols": columns, "loc": "outside lower center"}
    return target.legend(handles=patches, **style | kwargs)


@styled
def grid(rows: list, titles: list[str], scheme=None, labels=None, size=2.4) -> Figure:
    """Draw images and masks in a grid.

    Args:
        rows: per row, arrays: (H, W, 3) are drawn as images, (H, W) as masks of the scheme.
        titles: one per column.
        scheme: of the masks; gives the legend.
        labels: one per row, at its left.
        size: inches of one picture.
    """
    figure = plt.figure(figsize=(size * len(titles), size * len(rows) + 0.4))
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for i, row in enumerate(rows):
        for j, array in enumerate(row):
            show(axes[i, j], array, scheme)
        if labels:
            below = {"xytext": (0, -3), "textcoords": "offset points", "va": "top"}
            axes[i, 0].annotate(labels[i], (0, 0), xycoords="axes fraction", fontsize=9, **below)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    if scheme:
        legend(figure, scheme)
    return figure


def show(ax, array: np.ndarray, scheme: ClassScheme | None = None) -> None:
    """Draw an image, or a mask in class colors with nearest-neighbor pixels; no class, pale.

    Images hold 0–255 (H, W, C); 16-bit ones are stretched, of one or two bands the first is gray.
    """
    if array.ndim == 2 and scheme:
        known = array < len(scheme)
        array = np.where(known[..., None], scheme.encode(np.where(known, array, 0)), NO_CLASS)
    if array.ndim == 3:
        array = array[..., :3] if array.shape[-1] > 2 else array[..., :1].repeat(3, axis=-1)
        deep = array.dtype in ("u2", "i2")
        array = as_bytes(array.T).T if deep else array.clip(0, 255).astype(np.uint8)
    ax.imshow(array, interpolation="nearest" if scheme else None)
    ax.set_axis_off()


def error_map(truth: np.ndarray, predicted: np.ndarray, ignore_index: int | None) -> np.ndarray:
    """Return uint8 (H, W, 3): red where wrong, pale where right, gray where it does not count.

    The ignored class in the truth does not count, nor do pixels without data (255) in either.
    """
    state = np.where(truth == predicted, 1, 0)
    state[(truth == NODATA) | (predicted == NODATA) | (truth == ignore_index)] = 2
    return np.array(ERROR_COLORS, np.uint8)[state]


def comparison(images: list, truths: list, predictions: list, scheme, labels=None) -> Figure:
    """Draw image | truth | prediction | error, one row per example."""
    rows = [list(row) for row in zip(images, truths, predictions, strict=True)]
    rows = [[*row, error_map(*row[1:], scheme.ignore_index)] for row in rows]
    return grid(rows, ["image", "truth", "prediction", "error (red)"], scheme, labels)
