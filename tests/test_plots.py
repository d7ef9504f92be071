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
