"""Checks of notebook 11 Land planning."""

import numpy as np

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `greenest` to the name of a district and a share from 0 to 1.",
    "A share of the land compares districts of any size, and of any share of water.",
)
def greenest(greenest, hectares):
    """11, warm-up: the district with the largest green share of its land."""
    if not isinstance(greenest, tuple | list) or len(greenest) != 2:
        raise Wrong("Two things are asked for: the name and the share, such as `(name, 0.5)`.")
    name, share = greenest
    if isinstance(share, str) and not isinstance(name, str):
        raise Wrong("The name comes first, then the share.")
    if name not in hectares.index:
        raise Wrong(f"No such district. The table has {', '.join(hectares.index)}.")
    (found,) = numbers(share, 1)
    green, all_of_it = hectares["Vegetation"], hectares.sum(axis=1)
    land = all_of_it - hectares.get("Water", 0)
    right = green / land
    if name != right.idxmax():
        raise Wrong(f"Not {name}: another district has more green for each hectare of its land.")
    if near(found, right[name], 0.002):
        return
    if near(found, green[name] / all_of_it[name], 0.002):
        raise Wrong("The district is right; but its water is still counted as land here.")
    if near(found, green[name], 0.02):
        raise Wrong("These are its hectares of green: divide them by those of its land.")
    if near(found, 100 * right[name], 0.2):
        raise Wrong("The district is right, and this is a percentage: give a share from 0 to 1.")
    if near(found, green[name] / green.sum(), 0.002):
        raise Wrong("This is its share of all green. Asked for: the green share of its own land.")
    raise Wrong("The district is right. Its share: hectares of green by hectares of land.")


@check(
    "Set `factor` to a number: the new half widths divided by the old ones, their mean.",
    "Four times the places, about half the width: a square root. Halving it again takes 16 times.",
)
def more_places(factor):
    """11, knob: four times as many places make the intervals about half as wide."""
    (found,) = numbers(factor, 1)
    if 0.38 <= found <= 0.62:
        return
    if 1.6 <= found <= 2.7:
        raise Wrong("New by old, please: turn it round.")
    if 0.2 <= found <= 0.3:
        raise Wrong("A quarter would be four times as good. Measure it: what stands under a root?")
    if 0.9 <= found <= 1.1:
        raise Wrong("No change at all: are these intervals computed from the new sample?")
    if 3.3 <= found <= 4.7:
        raise Wrong("This is how many more places there are, not what they do to the width.")
    raise Wrong("Hardly. Draw both samples in the same way, and divide half width by half width.")


@check(
    "`with_numbers` takes districts and a table, and returns the districts with its columns.",
    "Joined by name: whatever the order, each district carries its own numbers.",
)
def joined_by_name(with_numbers):
    """11, repair: numbers joined to districts row by row."""
    import geopandas
    import pandas as pd
    from shapely.geometry import box

    order = ["Villas", "Harbor", "Old Town", "Gardens"]
    boxes = [box(i, 0, i + 1, 1) for i in range(4)]
    given = geopandas.GeoDataFrame({"name": order}, geometry=boxes, crs="EPSG:4326")
    table = pd.DataFrame({"green": [1.0, 2, 3, 4], "sealed": [5.0, 6, 7, 8]}, sorted(order))
    for rows, before in ((table, given), (table.drop("Harbor"), given)):
        kept, numbers_before = before.copy(), rows.copy()
        found = _joined(with_numbers, before, rows)
        if not before.equals(kept) or not rows.equals(numbers_before):
            raise Wrong("What the function was given has changed: work on a copy.")
        _compare_rows(found, before, rows)


def _joined(with_numbers, districts, table):
    """Return what a learner's function makes of districts and a table."""
    try:
        return call(with_numbers, districts, table)
    except (KeyError, ValueError) as error:
        if len(table) < len(districts):
            raise Wrong(
                "Right while both list the same districts. One of four has no numbers here, as "
                f"one outside the map: then it stops, with {type(error).__name__}. Join by name."
            ) from None
        raise


def _compare_rows(found, districts, table) -> None:
    """Raise `Wrong` unless each district carries its own outline and its own numbers."""
    if not hasattr(found, "geometry") or "name" not in found:
        raise Wrong("The outlines or their names are gone: return the districts with more columns.")
    if not hasattr(found, "crs"):
        raise Wrong("This is a plain table now, without a CRS: start from the districts.")
    if missing := [column for column in table if column not in found]:
        raise Wrong(f"The column {missing[0]!r} of the table has not arrived.")
    if found["name"].isna().any() or found.geometry.isna().any():
        raise Wrong("A row has no outline or no name: start from the districts.")
    if len(found) > len(districts):
        raise Wrong(f"{len(districts)} districts became {len(found)} rows.")
    outlines = districts.set_index("name").geometry
    if not found.set_index("name").geometry.geom_equals(outlines[found["name"]], align=False).all():
        raise Wrong("The names have parted from their outlines: move whole rows, or none.")
    numbers_found = found.set_index("name")[list(table)]
    own = table.reindex(numbers_found.index)
    if numbers_found.isna().all(axis=None):
        raise Wrong("No number has arrived: row numbers were compared with names.")
    if not set(table.index) <= set(numbers_found.index):
        raise Wrong("A district that has numbers is gone.")
    wrong = ~np.isclose(numbers_found, own, equal_nan=True).all(axis=1)
    if wrong.any():
        name = numbers_found.index[wrong][0]
        green = numbers_found["green"][name]
        whose = table.index[table["green"] == green]
        those = f"those of {whose[0]}" if len(whose) else "numbers of no district"
        raise Wrong(f"{name} carries {those}. Rows of two tables have orders of their own.")
