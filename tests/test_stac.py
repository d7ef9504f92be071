"""Scenes of a catalog: listed, filtered, stacked and mapped, from a server on this machine."""

import json
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio
from helpers import served, write
from rasterio.transform import from_origin

pytest.importorskip("pystac_client")
pytest.importorskip("distributed")

from segkit import models, scale, training
from segkit.classes import DUBAI
from segkit.datasets import Card

BANDS = ("red", "green", "blue")
#: Degrees around the scenes of zone 40, and around those of zone 41, which lie 700 km to the west.
HERE = [55.2, 25.1, 55.4, 25.3]


def raster(path: Path, pixels: np.ndarray, size: float, epsg: int) -> None:
    """Write one band with 0 as no data."""
    place = {"crs": f"EPSG:{epsg}", "transform": from_origin(326_000, 2_788_000, size, size)}
    shape = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 1, "nodata": 0}
    with rasterio.open(path, "w", "GTiff", dtype="uint16", **shape, **place) as file:
        file.write(pixels, 1)


def item(
    folder: Path, name: str, day: str, epsg=32640, cloud=3, offset=0.0, middle=55.3, **more
) -> str:
    """Write an item with its three bands; the green one is coarser; return its file's name."""
    rng, assets = np.random.default_rng(len(name)), {}
    for band in BANDS:
        side = 48 if band == "green" else 96
        pixels = rng.integers(1000, 3000, (side, side), np.uint16)
        pixels[:10] = 0
        raster(folder / f"{name}_{band}.tif", pixels, 10 * 96 / side, epsg)
        told = {"scale": 0.0001, "offset": offset, "nodata": 0}
        named = {"name": f"B-{band}", "common_name": band}
        assets[f"B-{band}"] = {"href": f"./{name}_{band}.tif", "eo:bands": [named]}
        assets[f"B-{band}"]["raster:bands"] = [told]
    colors = [{"name": f"B-{band}", "common_name": band} for band in BANDS]
    assets = {"look": {"href": "./look.jpg", "eo:bands": colors}} | assets
    assets["red-jp2"] = {"href": "./red.jp2", "eo:bands": colors[:1]}
    west, south = middle - 0.05, 25.15
    ring = [[west, south], [west + 0.1, south], [west + 0.1, 25.2], [west, 25.2], [west, south]]
    found = {"type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "little"}
    found |= {"geometry": {"type": "Polygon", "coordinates": [ring]}, "assets": assets}
    found |= {"bbox": [west, south, west + 0.1, 25.2]}
    found["properties"] = {"datetime": f"{day}T07:00:00Z", "eo:cloud_cover": cloud} | more
    found["links"] = [{"rel": "parent", "href": "./catalog.json"}]
    (folder / f"{name}.json").write_text(json.dumps(found))
    return f"{name}.json"


@pytest.fixture
def catalog(tmp_path):
    """A static catalog: two projections, two days, one cloudy, one cut off, one without a band."""
    home = tmp_path / "catalog"
    home.mkdir()
    names = [
        item(home, "early", "2026-05-01"),
        item(home, "moved", "2026-06-01", offset=-0.1),
        item(home, "west", "2026-05-01", epsg=32639, middle=49.3),
        item(home, "cloudy", "2026-05-01", cloud=85.5),
        item(home, "cut", "2026-05-01"),
        item(home, "broken", "2026-05-01"),
    ]
    (home / "broken.json").write_text("{")
    (home / "cut_blue.tif").write_bytes((home / "cut_blue.tif").read_bytes()[:50])
    return catalog_of(home, [*names, "nowhere.json"])


def catalog_of(folder: Path, names: list[str]) -> Path:
    """Write the catalog of some items; return its folder."""
    links = [{"rel": "item", "href": f"./{name}"} for name in names]
    told = {"type": "Catalog", "id": "little", "stac_version": "1.0.0", "description": "little"}
    (folder / "catalog.json").write_text(json.dumps(told | {"links": links}))
    return folder


def listed(catalog, tmp_path, **how):
    with served(catalog) as address:
        return scale.scenes_from_stac(
            f"{address}/catalog.json", folder=tmp_path / "stac", **how
        ).set_index("item")


def test_items_are_listed_and_what_is_wrong_with_them_is_told(catalog, tmp_path):
    table = listed(catalog, tmp_path, cloud=50)
    good = table[table["problem"].isna()]
    assert set(good.index) == {"early", "moved", "west"} and good["scene"].notna().all()
    assert table.loc["early", ["date", "cloud"]].tolist() == ["2026-05-01", 3]
    assert "clouds cover 85.5 %, more than 50 %" in table.loc["cloudy", "problem"]
    assert "cut_blue.tif" in table.loc["cut", "problem"]
    lost = [name for name in table.index if name.endswith(".json")]
    assert len(lost) == 2 and table.loc[lost, "problem"].notna().all()


def test_only_what_is_asked_for_is_listed(catalog, tmp_path):
    def names(**how):
        table = listed(catalog, tmp_path, **how)
        return set(table[table["problem"].isna()].index)

    assert names(bbox=HERE, cloud=50) == {"early", "moved"}
    assert names(dates=("2026-05-15", "2026-06-30")) == {"moved"}
    assert names(collection="another") == set()
    table = listed(catalog, tmp_path, bands=("red", "nir"))
    told = table.loc["early", "problem"]
    assert told.startswith("no band nir; there: ") and "red-jp2" in told


def test_a_box_may_cross_180_degrees(tmp_path):
    names = [item(tmp_path, f"at {x}", "2026-05-01", middle=x) for x in (55, 178, -172)]
    table = listed(catalog_of(tmp_path, names), tmp_path, bbox=np.array([177, 20, -171, 30]))
    assert {*table.index} == {"at 178", "at -172"}


@pytest.mark.parametrize(
    ("dates", "wanted"),
    [
        ("2026-05-15/2026-06-30", {"moved"}),
        ("2026-05-01", {"early", "west"}),
        (("2026-05-15T00:00:00Z", None), {"moved"}),
        ("../2026-05-15", {"early", "west"}),
        ("2026-05", {"early", "west"}),
        ("2026", {"early", "west", "moved"}),
        ((date(2026, 5, 15), date(2026, 6, 30)), {"moved"}),
    ],
)
def test_dates_are_told_in_many_ways(dates, wanted, catalog, tmp_path):
    table = listed(catalog, tmp_path, dates=dates, cloud=50)
    assert set(table[table["problem"].isna()].index) == wanted


def test_a_period_is_listed_on_each_of_its_days(tmp_path):
    period = {"start_datetime": "2026-05-01T00:00:00Z", "end_datetime": "2026-05-31T23:00:00Z"}
    for name, middle in (("month", {"datetime": None}), ("both", {})):
        month = item(tmp_path, name, "2026-05-15", **middle, **period)
        catalog = catalog_of(tmp_path, [month])
        for day, there in (("2026-05-03", 1), ("2026-05-31", 1), ("2026-06-01", 0), ("2026-04", 0)):
            assert len(listed(catalog, tmp_path, dates=day)) == there, (name, day)


def test_several_bands_may_lie_in_one_file(tmp_path):
    """As in aerial images; files of one band go first, and null is neither scale nor offset."""
    pixels = np.random.default_rng(0).integers(0, 255, (4, 30, 30), np.uint8)
    write(tmp_path / "all.tif", pixels)
    name = item(tmp_path, "a", "2026-05-01")
    told = json.loads((tmp_path / name).read_text())
    bands = [{"name": f"b{i}", "common_name": x} for i, x in enumerate((*BANDS, "nir"))]
    scales = [{"scale": None, "offset": None}] * 4
    whole = {"image": {"href": "./all.tif", "eo:bands": bands, "raster:bands": scales}}
    (tmp_path / "b.json").write_text(json.dumps(told | {"id": "b", "assets": whole}))
    both = json.dumps(told | {"id": "c", "assets": whole | told["assets"]})
    (tmp_path / "c.json").write_text(both)
    catalog_of(tmp_path, ["b.json", "c.json"])
    how = {"folder": tmp_path / "stac", "bands": ("nir", "green")}
    table = scale.scenes_from_stac(tmp_path / "catalog.json", **how).set_index("item")
    with rasterio.open(table.loc["b", "scene"]) as stack:
        assert np.array_equal(stack.read(), pixels[[3, 1]]) and stack.dtypes[0] == "uint8"
    assert "differ in type" in table.loc["c", "problem"]
    table = scale.scenes_from_stac(tmp_path / "catalog.json", folder=tmp_path / "stac")
    with rasterio.open(table.set_index("item").loc["c", "scene"]) as stack:
        assert set(stack.dtypes) == {"uint16"}


def test_a_stack_reads_its_bands_on_the_finest_grid(catalog, tmp_path):
    paths = {name: catalog / f"moved_{name}.tif" for name in BANDS}
    with served(catalog) as address:
        table = scale.scenes_from_stac(f"{address}/catalog.json", folder=tmp_path / "stac")
        scene = table.set_index("item").loc["moved", "scene"]
        with rasterio.open(scene) as stack, rasterio.open(paths["red"]) as red:
            assert stack.descriptions == BANDS and set(stack.dtypes) == {"uint16"}
            assert stack.crs == red.crs and stack.transform == red.transform
            pixels, valid = stack.read(), stack.dataset_mask() > 0
            source = red.read(1)
        assert not valid[:10].any() and valid[12:].all()
        # An offset of -0.1 in units of 0.0001 takes 1000 from each value; 0 is still a value.
        assert np.array_equal(pixels[0][valid], source[valid] - 1000)
        before = Path(scene).stat().st_mtime_ns
        scale.scenes_from_stac(f"{address}/catalog.json", folder=tmp_path / "stac")
        assert Path(scene).stat().st_mtime_ns == before


def test_a_catalog_becomes_maps(catalog, tmp_path):
    import distributed

    card = Card("made up", DUBAI, dtype="uint16", ranges=[(0, 3000)] * 3)
    model = training.save(models.unet(6, width=2, depth=2), tmp_path / "m.keras", DUBAI, card)
    with (
        served(catalog) as address,
        distributed.Client(processes=False, n_workers=1, dashboard_address=None) as client,
    ):
        table = scale.scenes_from_stac(f"{address}/catalog.json", folder=tmp_path / "stac")
        found = table["scene"].dropna()
        (catalog / "early_red.tif").unlink()
        maps = scale.predict_scenes(model, found, tmp_path / "maps", client, window=64)
    state = dict(zip(maps["scene"].map(lambda path: Path(path).stem), maps["state"], strict=True))
    assert state == {"early": "failed", "moved": "mapped", "west": "mapped", "cloudy": "mapped"}
    crs = {rasterio.open(path).crs.to_epsg() for path in (tmp_path / "maps").glob("*.tif")}
    assert crs == {32639, 32640}


def test_an_offset_that_pixels_have_had_already_is_not_taken_twice(tmp_path):
    applied = {"earthsearch:boa_offset_applied": True}
    period = {"start_datetime": "2026-05-01T00:00:00Z", "end_datetime": "2026-05-31T00:00:00Z"}
    names = [item(tmp_path, "a", "2026-05-01", offset=-0.1, **applied)]
    names.append(item(tmp_path, "month", "2026-05-01", **period | {"datetime": None}))
    catalog_of(tmp_path, names)
    table = scale.scenes_from_stac(tmp_path / "catalog.json", folder=tmp_path / "stac")
    table = table.set_index("item")
    assert table["problem"].isna().all() and table.loc["month", "date"] == "2026-05-01"
    with (
        rasterio.open(table.loc["a", "scene"]) as stack,
        rasterio.open(tmp_path / "a_red.tif") as red,
    ):
        assert np.array_equal(stack.read(1), red.read(1))


def test_bands_of_another_type_or_place_are_no_scene(tmp_path):
    names = [item(tmp_path, "a", "2026-05-01"), item(tmp_path, "b", "2026-05-01")]
    raster(tmp_path / "a_blue.tif", np.ones((96, 96), np.uint16), 10, 32639)
    raster(tmp_path / "b_blue.tif", np.ones((96, 90), np.uint16), 10, 32640)
    catalog_of(tmp_path, names)
    table = scale.scenes_from_stac(tmp_path / "catalog.json", folder=tmp_path / "stac")
    assert table["problem"].str.contains("differ in type, projection or place").all()


class Api(BaseHTTPRequestHandler):
    """A STAC API of some items, as they are: it finds them all, whatever is asked."""

    def do_GET(self):
        if self.path.startswith("/search"):
            return self.answer({"type": "FeatureCollection", "features": self.server.items})
        kinds = ("core", "item-search")
        conforms = [f"https://api.stacspec.org/v1.0.0/{kind}" for kind in kinds]
        home = f"http://127.0.0.1:{self.server.server_port}"
        told = {"type": "Catalog", "id": "api", "stac_version": "1.0.0", "description": "an API"}
        told |= {"conformsTo": conforms}
        told["links"] = [
            {"rel": "search", "href": f"{home}/search", "type": "application/geo+json"}
        ]
        return self.answer(told)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def answer(self, told):
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def test_a_service_is_asked_and_a_broken_item_of_it_stops_no_other(tmp_path):
    items = []
    for name in ("good", "no_properties", "no_day", "late"):
        item(tmp_path, name, "2026-06-01" if name == "late" else "2026-05-01")
        told = json.loads((tmp_path / f"{name}.json").read_text())
        for asset in told["assets"].values():
            asset["href"] = str(tmp_path / asset["href"])
        items.append(told | {"links": []})
    del items[1]["properties"]
    items[2]["properties"]["datetime"] = "never"
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.items = items
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_port}"
        how = {"dates": "2026-05", "folder": tmp_path / "stac"}
        table = scale.scenes_from_stac(where, **how).set_index("item")
        server.shutdown()
    assert table["problem"].notna().to_dict() == {
        "good": False, "no_properties": True, "no_day": True,
    }  # fmt: skip
    with rasterio.open(table.loc["good", "scene"]) as scene:
        assert scene.count == 3


def test_what_an_item_says_of_all_its_bands_counts_for_each(tmp_path):
    item(tmp_path, "one", "2026-05-01")
    told = json.loads((tmp_path / "one.json").read_text())
    for asset in told["assets"].values():
        asset.pop("raster:bands", None)
    told["properties"] |= {"raster:scale": 0.0001, "raster:offset": -0.1, "nodata": 0}
    (tmp_path / "one.json").write_text(json.dumps(told))
    catalog = catalog_of(tmp_path, ["one.json"]) / "catalog.json"
    table = scale.scenes_from_stac(catalog, folder=tmp_path / "stac")
    with (
        rasterio.open(table["scene"].iloc[0]) as stack,
        rasterio.open(tmp_path / "one_red.tif") as red,
    ):
        stored, read = red.read(1).astype(int), stack.read(1).astype(int)
    assert (read[stored > 1000] == stored[stored > 1000] - 1000).all()
