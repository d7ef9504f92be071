"""What figures show."""

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from segkit import plots
from segkit.classes import DUBAI
from segkit.rasters import NODATA


@pytest.mark.parametrize("ignored", [None, 2])
def test_what_has_no_data_is_no_error(ignored):
    truth = np.array([[0, 0, 2, NODATA, 1]], np.uint8)
    found = np.array([[0, 1, 1, 1, NODATA]], np.uint8)
    wrong, right, aside = (np.array(color) for color in plots.ERROR_COLORS)
    expected = [right, wrong, aside if ignored else wrong, aside, aside]
    assert np.array_equal(plots.error_map(truth, found, ignored), [expected])


def test_a_figure_is_shown_once_and_not_kept():
    """In a fresh kernel, with nothing but the library imported, a figure is a picture."""
    code = (
        "from segkit import plots\nimport numpy as np\nplots.grid([[np.zeros((4, 4, 3))]], ['x'])"
    )
    cell = nbformat.v4.new_code_cell(code)
    client = NotebookClient(nbformat.v4.new_notebook(cells=[cell]), timeout=120)
    (shown,) = client.execute().cells[0].outputs
    assert shown.output_type == "execute_result" and "image/png" in shown.data
    kept = plt.get_fignums()
    assert plots.grid([[np.zeros((4, 4, 3))]], ["x"]) and plt.get_fignums() == kept


@pytest.mark.parametrize(("pictures", "columns"), [(1, 1), (2, 4), (4, 6)])
def test_a_legend_is_no_wider_than_its_figure(pictures, columns):
    figure = plots.grid([[np.zeros((4, 4), np.uint8)] * pictures], ["x"] * pictures, DUBAI)
    (legend,) = figure.legends
    figure.draw_without_rendering()
    assert legend.get_window_extent().width <= figure.bbox.width and legend._ncols >= columns


def test_pictures_of_other_types_and_few_bands_are_drawn():
    """16 bits are stretched, one band is gray, what lies between 0 and 255 stays."""
    deep = np.linspace(300, 3000, 40 * 40 * 3).reshape(40, 40, 3).astype(np.uint16)
    found = []
    for image in (deep, deep[..., :1], np.full((4, 4, 2), 80.0), np.full((4, 4, 5), 999.0)):
        ax = plt.figure().add_subplot()
        plots.show(ax, image)
        found.append(np.asarray(ax.images[0].get_array()))
    plt.close("all")
    assert all(one.dtype == np.uint8 and one.shape[2] == 3 for one in found)
    assert found[0].min() == 0 and found[0].max() == 255 and 100 < found[0].mean() < 155
    assert np.array_equal(found[1][..., 0], found[1][..., 2]) and found[1].std() > 50
    assert (found[2] == 80).all() and (found[3] == 255).all()


def test_a_mask_has_the_colors_of_its_classes():
    ax = plt.figure().add_subplot()
    plots.show(ax, np.array([[0, 4, NODATA]], np.uint8), DUBAI)
    drawn = np.asarray(ax.images[0].get_array())
    plt.close("all")
    assert drawn.tolist() == [[[*DUBAI.colors[0]], [*DUBAI.colors[4]], [plots.NO_CLASS] * 3]]
