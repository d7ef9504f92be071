"""Colors to classes and back."""

import json
import pickle
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from segkit.classes import (
    DEEPGLOBE,
    DUBAI,
    LANDSLIDE,
    LOVEDA,
    MAP_COLORS,
    POTSDAM,
    ClassScheme,
    UnknownColorError,
)

masks = arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 9)] * 2), elements=st.integers(0, 5))


@given(masks)
def test_encode_then_decode_gives_the_mask_back(mask):
    for scheme in (DUBAI, DEEPGLOBE, POTSDAM):
        assert np.array_equal(scheme.decode(scheme.encode(mask)), mask)
    assert np.array_equal(DUBAI.from_one_hot(DUBAI.one_hot(mask)), mask)


def test_the_palette_of_the_dubai_masks():
    water_road = np.array([[[226, 169, 41], [110, 193, 228]]], np.uint8)
    assert [DUBAI.names[i] for i in DUBAI.decode(water_road)[0]] == ["Water", "Road"]
    assert DUBAI.names[DUBAI.ignore_index] == "Unlabeled"
    assert LANDSLIDE.ignore_index is None


def test_an_unknown_color_is_named_and_counted_with_its_file():
    rgb_mask = DUBAI.encode(np.zeros((4, 4), np.uint8))
    rgb_mask[0] = (0, 0, 0)
    rgb_mask[1, 0] = (1, 2, 3)
    with pytest.raises(
        UnknownColorError, match=r"part_003.*\(0, 0, 0\): 4 px, \(1, 2, 3\): 1 px"
    ) as e:
        DUBAI.decode(rgb_mask, source="part_003.png")
    assert e.value.colors == {(0, 0, 0): 4, (1, 2, 3): 1}
    ignored = DUBAI.decode(rgb_mask, unknown="ignore")
    assert (ignored == 5).sum() == 5 and (ignored == 0).sum() == 11


@pytest.mark.parametrize("near", [(60, 16, 151), (60, 17, 152), (255, 255, 255), (61, 16, 152)])
def test_a_color_one_off_is_unknown(near):
    with pytest.raises(UnknownColorError):
        DUBAI.decode(np.array([[near]], np.uint8))


def test_the_error_of_a_mask_comes_back_from_another_process():
    with pytest.raises(UnknownColorError) as e:
        DUBAI.decode(np.zeros((2, 2, 3), np.uint8), source="a.png")
    again = pickle.loads(pickle.dumps(e.value))
    assert str(again) == str(e.value) and again.colors == {(0, 0, 0): 4}


def test_a_scheme_of_numpy_values_is_the_plain_one():
    names, colors = np.array(["roof", "sea"]), np.eye(3, dtype=np.uint8)[:2]
    scheme = ClassScheme("x", names, colors, np.int64(1))
    plain = ClassScheme("x", ["roof", "sea"], colors.tolist(), 1)
    assert scheme == plain and repr(scheme) == repr(plain)
    assert json.dumps(scheme.to_dict()) == json.dumps(plain.to_dict())


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        DUBAI.decode(np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="6 classes"):
        DUBAI.encode(np.array([[6]]))
    with pytest.raises(ValueError, match="integers"):
        DUBAI.one_hot(np.array([[0.5]]))
    with pytest.raises(ValueError, match="4 channels"):
        DUBAI.from_one_hot(np.zeros((2, 2, 4)))
    with pytest.raises(ValueError, match="no ignored class"):
        POTSDAM.decode(np.zeros((1, 1, 3), np.uint8), unknown="ignore")


@pytest.mark.parametrize(
    ("names", "colors", "ignored"),
    [("ab", [(0, 0, 0)], None), ("ab", [(0, 0, 0)] * 2, None), ("a", [(0, 0, 0)], 1)],
)
def test_a_scheme_that_cannot_be_is_refused(names, colors, ignored):
    with pytest.raises(ValueError):
        ClassScheme("x", list(names), colors, ignored)


@pytest.mark.parametrize("scheme", [DUBAI, DEEPGLOBE, POTSDAM, LOVEDA, LANDSLIDE])
def test_a_map_has_colors_that_readers_know(scheme):
    mapped = scheme.for_maps()  # two classes with one color would be refused
    assert (mapped.name, mapped.names) == (scheme.name, scheme.names)
    for name, drawn, own in zip(scheme.names, mapped.colors, scheme.colors, strict=True):
        assert drawn == MAP_COLORS.get(name, own)
    if "Water" in scheme.names:
        red, green, blue = mapped.colors[scheme.names.index("Water")]
        assert blue > green > red


#: What the eye without red or green cones makes of linear RGB (Machado et al. 2009).
COLOR_BLIND = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
}
TO_XYZ = np.array([[0.412, 0.358, 0.180], [0.213, 0.715, 0.072], [0.019, 0.119, 0.950]])


def lab(color, eye):
    """Return CIE L*a*b* of an sRGB color as an eye sees it."""
    linear = (np.array(color) / 255) ** 2.2
    x, y, z = np.cbrt(TO_XYZ @ np.clip(eye @ linear, 0, 1) / TO_XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", [np.eye(3), *map(np.array, COLOR_BLIND.values())])
def test_the_classes_of_a_map_are_told_apart_by_every_eye(eye):
    colors = DUBAI.for_maps().colors[:5]
    for one, other in combinations(colors, 2):
        assert np.linalg.norm(lab(one, eye) - lab(other, eye)) > 20  # 2 is just seen


def test_any_classes_that_maps_know_can_stand_on_one_map():
    assert len(set(MAP_COLORS.values())) == len(MAP_COLORS)


def test_a_class_that_maps_do_not_know_keeps_its_color():
    scheme = ClassScheme("mine", ("Water", "Kelp"), ((9, 9, 9), (1, 2, 3)))
    assert scheme.for_maps().colors == (MAP_COLORS["Water"], (1, 2, 3))
    assert scheme.colors == ((9, 9, 9), (1, 2, 3))


def test_a_palette_is_opaque_where_there_is_a_class():
    found = DUBAI.palette()
    assert found.shape == (256, 4) and found.dtype == np.uint8
    assert [tuple(row) for row in found[:6, :3]] == list(DUBAI.colors)
    assert (found[:6, 3] == 255).all() and not found[6:].any()
