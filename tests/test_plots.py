"""What figures show."""

import numpy as np
import pytest

from segkit import plots
from segkit.rasters import NODATA


@pytest.mark.parametrize("ignored", [None, 2])
def test_what_has_no_data_is_no_error(ignored):
    truth = np.array([[0, 0, 2, NODATA, 1]], np.uint8)
    found = np.array([[0, 1, 1, 1, NODATA]], np.uint8)
    wrong, right, aside = (np.array(color) for color in plots.ERROR_COLORS)
    expected = [right, wrong, aside if ignored else wrong, aside, aside]
    assert np.array_equal(plots.error_map(truth, found, ignored), [expected])
