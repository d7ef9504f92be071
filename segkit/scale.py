"""Many scenes, or very large ones, on Dask: the cores of one machine, or a cluster.

Taught in notebook 14. A worker loads the model once. What it makes appears whole or not at all,
with a receipt beside it, so that a rerun makes only what is missing or no longer current.
"""

import functools
import hashlib
import json
import time
from contextlib import ExitStack, nullcontext, suppress
from itertools import pairwise, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import fsspec
import jinja2
import pandas as pd
import psutil
import pystac_client
from dask.distributed import Client, as_completed
from pystac import Item
from shapely.geometry import box, shape

from segkit import files, models, patches, rasters, scenes, store
from segkit.rasters import mosaic

#: Of a local cluster: workers with one core, and a dashboard for this machine alone.
LOCAL = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
LOCAL["env"] = {"TF_NUM_INTRAOP_THREADS": "1"}
COLUMNS = ("scene", "map", "state", "seconds", "memory", "notes")
#: Some rows of a raster, as GDAL names them: file, first row, width, number of rows. And what the
#: map of a band is called: by the rows that are kept.
ROWS, BAND = "vrt://{}?srcwin=0,{},{},{}", ".segkit/{2}_{3}"
#: Seconds that a catalog may be silent; bands unless others are asked for; tiles read in advance.
TIMEOUT_S, RGB, AHEAD = 10, ("red", "green", "blue"), 8
#: Where an item says what its bands are: before STAC 1.1, and since.
LISTS = ("eo:bands", "raster:bands", "bands")
#: A raster that is made of the bands of others.
STACK = jinja2.Template(Path(__file__).with_name("scale.vrt").read_text("utf-8"))


def connected(client: Client | str | None = None):
    """Give the client of a cluster, for a `with` block.

    Args:
        client: one that is there; the address of a scheduler; or None for a cluster of this
            machine's cores, which ends with the block.
    """
    there = isinstance(client, Client)
    return nullcontext(client) if there else Client(client) if client else Client(**LOCAL)


def predict_scenes(model, sources: list, target, client=None, rows=None, **how) -> pd.DataFrame:
    """Map scenes, each as `scenes.predict` does, on the workers of a cluster.

    Args:
        model: a `.keras` file that all workers can read, or the name of one that ships.
        sources: paths or addresses of rasters, as rasterio knows them (`s3://…`, `https://…`,
            `/vsicurl/…`); no two may have the same name.
        target: the folder of the maps, a path or an address that fsspec knows.
        client: see `connected`.
        rows: cut scenes of more rows into bands of about so many, which are mapped apart and then
            joined; the map is the same, byte for byte. Scenes without a place or with a turned
            one, and those with maps of confidence or probabilities, stay whole.
        how: more of what `scenes.predict` takes; `engine`, as `training.load` takes it.

    Returns:
        One row for each scene: scene, map, state ("mapped", "current" or "failed"), seconds,
        memory (MB of the worker), notes (what was warned of, or the error).

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: two scenes have the same name, or their maps would replace them.
    """
    path, home, found = models.located(model), str(target).removeprefix("file://"), {}
    home = home.removesuffix("/") if "://" in home else str(Path(home).resolve())
    known = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {sorted(how.items())}"
    places = {f"{home}/{Path(str(source)).stem}": str(source) for source in sources}
    taken = {str(Path(x.removeprefix("file://")).resolve()) for x in places.values()}
    if len(places) < len(sources) or {*taken, *places.values()} & {f"{x}.tif" for x in places}:
        raise ValueError("two maps would have one name, or replace their scenes: choose others")
    with connected(client) as cluster:
        submit = functools.partial(cluster.submit, pure=False, retries=2)
        for place, source in places.items():
            ask, parts = (path, source, place, known, how), rows and _bands(source, rows, **how)
            done = [submit(_map, *ask, BAND.format(*part), part) for part in parts or ()]
            task = submit(_join, place, parts, done) if parts else submit(_map, *ask)
            found[task] = dict.fromkeys(COLUMNS) | {"scene": source, "map": f"{place}.tif"}
        for task in files.progress(as_completed(found), "scenes", len(found)):
            failed = {"state": "failed", "notes": str(task.exception())}
            found[task] |= failed if task.exception() else task.result()
    return pd.DataFrame(found.values(), columns=COLUMNS)


def _bands(source: str, rows: int, window=256, overlap=0.5, **how) -> list[tuple]:
    """Cut a large scene into bands of about so many rows that can be mapped apart.

    Returns:
        Of each band the first row that is read and the one after the last, and of those the first
        that is kept and the one after the last: all windows that count in these were read.
    """
    found, each = [], max(1, rows // max(1, round(window * (1 - overlap))))
    with suppress(OSError), rasters.opened(source) as raster:
        tops, ends = patches.starts(raster.height, window, overlap), raster.height
        turned = (t := raster.transform).a < 0 or t.b or t.d or t.e > 0
        alone = "?" in source or turned or how.keys() & {*scenes.LAYERS}
        for top, after in pairwise([*tops[::each], ends]) if ends > rows and not alone else ():
            first = next(x for x in tops if x + window > top)
            last = max(x for x in tops if x < after) + window
            found.append((first, min(last, ends), top, after))
    return found


def _current(place: str, mark: str) -> dict | None:
    """Return the receipt of a map that is there and current."""
    fs, path = fsspec.core.url_to_fs(place)
    with suppress(OSError, ValueError, KeyError):
        found = json.loads(fs.cat_file(f"{path}.segkit.json"))
        if found["mark"] == mark and fs.exists(f"{path}.tif"):
            return found | {"state": "current"}


#: A worker keeps the model that it used last.
_loaded = functools.lru_cache(maxsize=1)(lambda model, engine, digest: models.load(model, engine))


def _map(model: Path, source: str, place: str, known: str, how: dict, part="", band=None) -> dict:
    """In a worker: map a scene, or a band of its rows, and put the map in its place."""
    began, how, digest = time.perf_counter(), dict(how), known.partition(" ")[0]
    with suppress(Exception):  # not every address tells its age
        fs, path = fsspec.core.url_to_fs(source)
        known += fs.ukey(path)
    with rasters.opened(source) as raster, TemporaryDirectory() as folder:
        mark = hashlib.sha256(f"{source} {raster.shape} {known}".encode()).hexdigest()
        if found := _current(place, mark) or _current(place + part, mark):
            return found
        net = _loaded(model, how.pop("engine", "tensorflow"), digest)
        target, wide = Path(folder, "map.tif"), Path(folder, "apart", "map.tif")
        first, last, top, after = band or (0, 0, 0, 0)
        read = ROWS.format(raster.files[0], first, raster.width, last - first) if band else source
        notes = scenes.noted(net, read, wide if band else target, **how)
        if band:
            kept = ROWS.format(wide, top - first, raster.width, after - top)
            rasters.cloud_optimized(kept, target)
        return _put(folder, place + part, {"mark": mark, "notes": "; ".join(notes)}, began)


def _put(folder: str, place: str, receipt: dict, began: float) -> dict:
    """Bring the maps in a folder to their place, each whole, the receipt last; return it."""
    receipt |= {"state": "mapped", "seconds": round(time.perf_counter() - began, 2)}
    receipt["memory"] = psutil.Process().memory_info().rss // 10**6
    Path(folder, "map.segkit.json").write_text(json.dumps(receipt), encoding="utf-8")
    fs, path = fsspec.core.url_to_fs(place)
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    for file in sorted(Path(folder).glob("map*"), key=lambda one: one.suffix, reverse=True):
        end = f"{path}{file.name.removeprefix('map')}"
        fs.put_file(str(file), f"{end}.part")
        fs.mv(f"{end}.part", end)
    return receipt


def _join(place: str, parts: list[tuple], done: list[dict]) -> dict:
    """In a worker: join the maps of a scene's bands, and clear these away."""
    if not (found := _current(place, done[0]["mark"])):
        began = time.perf_counter() - sum(one["seconds"] for one in done)
        with TemporaryDirectory() as folder:
            mosaic([f"{place}{BAND.format(*part)}.tif" for part in parts], Path(folder, "map.tif"))
            notes = dict.fromkeys("; ".join(x["notes"] for x in done if x["notes"]).split("; "))
            found = _put(folder, place, {"mark": done[0]["mark"], "notes": "; ".join(notes)}, began)
        fsspec.core.url_to_fs(place)[0].rm(f"{place}.segkit", recursive=True)
    return found


def build_store(dataset, path: str | Path, client=None) -> Path:
    """Write all tiles of a data set into one HDF5 file, as `store.build` does; workers read them.

    Reading, decoding and checking is theirs; this process writes. At most `AHEAD` tiles are held at
    once, each whole, on the workers: a tile that is larger than memory goes by `store.build`.

    Args:
        dataset: what `datasets.find` gave; all workers can read its files.
        path: where the store goes, here.
        client: see `connected`.

    Returns:
        `path`; the file is that of `store.build`, to the byte of each array, with its fingerprint.

    Raises:
        DatasetError, UnknownColorError: a tile cannot be read; any older store is left as it was.
    """
    with connected(client) as cluster:
        ahead, read = {}, lambda tile: [*dataset.strips(tile)]

        def strips(tile):
            more = [x for x in dataset.tiles[dataset.tiles.index(tile) :][:AHEAD] if x not in ahead]
            ahead.update(zip(more, cluster.map(read, more, pure=False, retries=2), strict=True))
            return ahead.pop(tile).result()

        return store.build(dataset, path, strips)


@pystac_client.warnings.ignore()  # that a static catalog is none that can search
def scenes_from_stac(
    catalog: str, collection=None, bbox=None, dates=None, bands=RGB, folder="stac", cloud=100
) -> pd.DataFrame:
    """List the scenes of a STAC catalog; each becomes a small file that stands for its bands.

    Pixels are read when the scene is mapped, and mean the same in all scenes: an offset that an
    item states is added, in units of its scale. Of an item that is broken the problem is told.

    Args:
        catalog: the address of a STAC API, or of a static catalog.
        collection: the id of one; all by default.
        bbox: west, south, east, north in degrees.
        dates: the first and the last day, such as ("2026-05-01", "2026-06-30") or
            "2026-05-01/2026-06-30"; a single one; all by default.
        bands: in the model's order, by the keys of their assets or by their common names.
        folder: where the scenes' files go (VRT, which GDAL reads).
        cloud: percent of an item that clouds may cover.

    Returns:
        One row for each item: item, date, cloud (percent, if told), scene (a path), problem.
    """
    top = pystac_client.Client.open(str(catalog), timeout=TIMEOUT_S)
    found = (link for inside, _, _ in top.walk() for link in inside.get_item_links())
    if searches := top.conforms_to("ITEM_SEARCH"):
        found = top.search(collections=collection, bbox=bbox, datetime=dates).items_as_dicts()
    ends = dates.split("/") if isinstance(dates, str) else dates or ("", "")
    w, s, e, n = (-180, -90, 180, 90) if bbox is None else bbox  # w > e: across 180 degrees
    places = box(w, s, e + 360 * (w > e), n) | box(w - 360 * (w > e), s, e, n)
    first, last, *rows = (str(one or "")[:10].strip(".") for one in (*ends, *ends)[:2])
    for x in files.progress(found, "items"):
        row = {"item": x.get("id") if searches else x.absolute_href}
        try:
            item = Item.from_dict(x, root=top) if searches else x.resolve_stac_object(top).target
            day = f"{item.common_metadata.start_datetime or item.datetime:%Y-%m-%d}"
            there = bbox is None or item.geometry and places.intersects(shape(item.geometry))
            # Of a period, its end counts, too; "~" sorts after "-".
            when = first <= str(item.common_metadata.end_datetime or day) and day <= f"{last or 9}~"
            if not (there and when and collection in (None, item.collection_id)):
                continue
            row |= {"item": item.id, "date": day, "cloud": item.properties.get("eo:cloud_cover")}
            if (row["cloud"] or 0) > cloud:
                raise ValueError(f"clouds cover {row['cloud']:g} %, more than {cloud:g} %")
            row["scene"] = _stacked(item, bands, Path(folder, f"{item.id.replace('/', '_')}.vrt"))
        except Exception as error:  # whatever is wrong with one item stops no other
            row["problem"] = str(error)
        rows.append(row)
    return pd.DataFrame(rows, columns=["item", "date", "cloud", "scene", "problem"])


def _stacked(item, bands: tuple[str, ...], target: Path) -> str:
    """Write a file that stands for some bands of an item, on the finest one's grid; its path."""
    known, lists = {}, lambda asset: [asset.extra_fields.get(one) or [{}] for one in LISTS]
    # A file for each band comes first: one of several may be no more than a picture to look at.
    for key, asset in sorted(item.assets.items(), key=lambda one: max(map(len, lists(one[1])))):
        for i, parts in enumerate(zip_longest(*lists(asset), fillvalue={})):
            told = functools.reduce(dict.__or__, parts, item.properties | asset.extra_fields)
            told = {x.rpartition(":")[2]: y for x, y in told.items()}
            told |= {"href": asset.get_absolute_href(), "number": i + 1}
            known = dict.fromkeys((key, told.get("name"), told.get("common_name")), told) | known
    if lacking := [name for name in bands if name not in known]:
        raise LookupError(f"no band {', '.join(lacking)}; there: {', '.join(filter(None, known))}")
    layers = [known[name] | {"name": name} for name in bands]
    with ExitStack() as stay:
        opened = [stay.enter_context(rasters.opened(one["href"])) for one in layers]
        if len({(x.crs, x.dtypes[0], *(round(y, 6) for y in x.bounds)) for x in opened}) > 1:
            raise ValueError("its bands differ in type, projection or place")
        text = STACK.render(layers=layers, opened=opened, item=item)
    return str(files.settle(target, text))
