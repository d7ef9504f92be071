"""Majority, opening, closing, smallest area: small arrays worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segkit import cleanup
from segkit.scenes import NODATA


def array(*rows):
    """Return uint8 from strings of digits; "." is no data."""
    return np.array([[NODATA if c == "." else int(c) for c in row] for row in rows], np.uint8)


def test_a_lone_pixel_goes_with_the_majority():
    assert np.array_equal(
        cleanup.majority(array("000", "010", "000"), 3), array("000", "000", "000")
    )
    tie = array("01", "01")
    assert np.array_equal(cleanup.majority(tie, 3), tie)
    assert cleanup.majority(array("000", "021", "111"), 3)[1, 1] == 0  # neither is its own
    assert np.array_equal(cleanup.majority(array("0.0", "010"), 3), array("0.0", "000"))
    with pytest.raises(ValueError, match="odd"):
        cleanup.majority(tie, 4)


def test_opening_takes_a_thin_line_and_leaves_a_block():
    mask = array("0000000", "0111000", "0111111", "0111000", "0000000")
    opened = cleanup.opening(mask, 1)
    assert np.array_equal(opened, array("0000000", "0111000", "0111000", "0111000", "0000000"))


def test_opening_keeps_what_goes_on_beyond_the_edge():
    mask = array("1100", "1100", "0000")
    assert np.array_equal(cleanup.opening(mask, 1), mask)
    with pytest.raises(ValueError, match="radius=0"):
        cleanup.opening(mask, 1, 0)


def test_closing_fills_a_gap_and_leaves_the_border():
    mask = array("1111", "1011", "1111", "0000")
    assert np.array_equal(cleanup.closing(mask, 1), array("1111", "1111", "1111", "0000"))
    assert cleanup.closing(array("111", "1.1", "111"), 1)[1, 1] == NODATA


@pytest.mark.parametrize("change", [cleanup.opening, cleanup.closing])
def test_no_data_is_no_class_to_open_or_close(change):
    mask = np.full((9, 9), NODATA, np.uint8)
    mask[4] = 1
    assert np.array_equal(change(mask, NODATA), mask)


def test_small_areas_join_their_largest_neighbor():
    mask = array("00000", "01100", "00022", "00022")
    assert np.array_equal(cleanup.minimum_area(mask, 3), array("00000", "00000", "00022", "00022"))
    assert np.array_equal(cleanup.minimum_area(mask, 1), mask)
    assert cleanup.minimum_area(array("0.", "10"), 2)[0, 1] == NODATA


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 30))
def test_cleaning_invents_no_class_and_keeps_missing_data(seed, height, width):
    mask = np.random.default_rng(seed).choice(
        np.array([0, 1, 2, NODATA], np.uint8), (height, width)
    )
    for clean in (
        lambda m: cleanup.majority(m, 3),
        lambda m: cleanup.opening(m, 1),
        lambda m: cleanup.closing(m, 1),
        lambda m: cleanup.minimum_area(m, 4),
    ):
        found = clean(mask)
        assert found.shape == mask.shape and found.dtype == np.uint8
        assert np.array_equal(found == NODATA, mask == NODATA)
        assert set(np.unique(found)) <= set(np.unique(mask)) | {1}
