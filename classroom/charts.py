"""Charts of scores: grouped bars, and curves of trainings.

Taught in notebooks 01 and 03.
"""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from segkit.classes import ClassScheme
from segkit.plots import LINE_COLORS, styled

#: Networks keep their color from notebook to notebook.
NETWORKS = {"U-Net": LINE_COLORS[0], "EfficientNet U-Net": LINE_COLORS[2]}
#: What columns of a history are called on an axis.
AXES = {"miou": "mean IoU", "images": "images seen", "seconds": "seconds of training"}


@styled
def bars(table: pd.DataFrame, ylabel: str, scheme: ClassScheme | None = None) -> Figure:
    """Draw grouped bars: one group per row of the table, one bar per column."""
    of = NETWORKS
    if scheme:
        of = {n: tuple(np.array(c) / 255) for n, c in zip(scheme.names, scheme.colors, strict=True)}
    taken = {of.get(name) for name in table.columns}
    free = cycle(color for color in LINE_COLORS if color not in taken)
    colors = [of[name] if name in of else next(free) for name in table.columns]
    figure, ax = plt.subplots(figsize=(7.5, 3))
    table.plot.bar(ax=ax, color=colors, edgecolor="0.4", width=0.8, rot=0, legend=False)
    ax.set(ylabel=ylabel, xlabel="")
    figure.legend(loc="outside lower center", ncols=6)
    return figure


@styled
def curves(
    histories: dict[str, pd.DataFrame], panels=(("epoch", "loss"), ("epoch", "miou")), train=True
) -> Figure:
    """Draw scores over the course of trainings, one color per run.

    Args:
        histories: name → what `training.fit` returned.
        panels: for each picture, what lies to the right (epoch, images or seconds) and upwards.
        train: draw training's values, dashed, beside those of validation.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(8.5, 3))
    for color, (name, history) in zip(cycle(LINE_COLORS), histories.items(), strict=False):
        for ax, (x, y) in zip(axes, panels, strict=True):
            place = history[x] + (x == "epoch")
            if train:
                ax.plot(place, history[y], "--", color=color, alpha=0.6, label=f"{name}, training")
            if f"val_{y}" in history:
                ax.plot(place, history[f"val_{y}"], ".-", color=color, label=f"{name}, validation")
            ax.set(xlabel=AXES.get(x, x), ylabel=AXES.get(y, y))
    axes[-1].legend()
    return figure
