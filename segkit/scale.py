"""Many scenes, or very large ones, on Dask: the cores of one machine, or a cluster.

Taught in notebook 14. A worker loads the model once. What it makes appears whole or not at all,
with a receipt beside it, so that a rerun makes only what is missing or no longer current.
"""

import functools
import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import fsspec
import pandas as pd
import psutil
import rasterio
from dask.distributed import Client, LocalCluster, as_completed
from rasterio.merge import merge
from rasterio.vrt import WarpedVRT

from segkit import rasters, scenes
from segkit.files import progress, whole
from segkit.models.files import load, located
from segkit.patches import starts
from segkit.rasters import NODATA

#: Of a local cluster: workers with one core, and a dashboard for this machine alone.
LOCAL = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
ONE_CORE = {"distributed.nanny.pre-spawn-environ.TF_NUM_INTRAOP_THREADS": 1}
#: Of GDAL: seconds until it gives a web address up, and how often it tries again.
PATIENCE = {"GDAL_HTTP_CONNECTTIMEOUT": 10, "GDAL_HTTP_TIMEOUT": 60, "GDAL_HTTP_MAX_RETRY": 2}
COLUMNS = ("scene", "map", "state", "seconds", "memory", "notes")
#: Some rows of a raster, as GDAL names them: file, first row, width, number of rows.
ROWS = "vrt://{}?srcwin=0,{},{},{}"
#: What the map of a band is called: by the rows that are kept.
BAND = "_bands/{2}_{3}"


@contextmanager
def connected(client: Client | str | None = None) -> Iterator[Client]:
    """Give the client of a cluster.

    Args:
        client: one that is there; the address of a scheduler; or None for a cluster of this
            machine's cores, which ends with the block.
    """
    with dask.config.set(ONE_CORE), ExitStack() as made:
        if not isinstance(client, Client):
            client = made.enter_context(Client(client or made.enter_context(LocalCluster(**LOCAL))))
        yield client


def predict_scenes(model, sources: Sequence, target, client=None, rows=None, **how) -> pd.DataFrame:
    """Map scenes, each as `scenes.predict` does, on the workers of a cluster.

    Args:
        model: a `.keras` file that all workers can read, or the name of one that ships.
        sources: paths or addresses of rasters, as rasterio knows them (`s3://…`, `https://…`,
            `/vsicurl/…`); no two may have the same name.
        target: the folder of the maps, a path or an address that fsspec knows.
        client: see `connected`.
        rows: cut scenes of more rows into bands of about so many, which are mapped apart and then
            joined; the map is the same, byte for byte. Scenes without a place, and
            those with maps of confidence or probabilities, stay whole.
        how: more of what `scenes.predict` takes; `engine`, as `training.load` takes it.

    Returns:
        One row for each scene: scene, map, state ("mapped", "current" or "failed"), seconds,
        memory (MB of the worker), notes (what was warned of, or the error).

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: two scenes have the same name, or their maps would replace them.
    """
    path, home, found = located(model), str(target), {}
    home = home if "://" in home else str(Path(home).resolve())
    known = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {sorted(how.items())}"
    places = {f"{home}/{Path(str(source)).stem}": str(source) for source in sources}
    taken = {str(Path(source).resolve()) for source in places.values()}
    if len(places) < len(sources) or taken & {f"{place}.tif" for place in places}:
        raise ValueError("two maps would have one name, or replace their scenes: choose others")
    with connected(client) as cluster:
        submit = functools.partial(cluster.submit, pure=False, retries=2)
        for place, source in places.items():
            ask, parts = (path, source, place, known, how), _bands(source, rows, **how)
            done = [submit(_map, *ask, BAND.format(*part), part) for part in parts]
            task = submit(_join, place, parts, done) if parts else submit(_map, *ask)
            found[task] = dict.fromkeys(COLUMNS) | {"scene": source, "map": f"{place}.tif"}
        for task in progress(as_completed(found), "scenes", len(found)):
            failed = {"state": "failed", "notes": str(task.exception())}
            found[task] |= failed if task.exception() else task.result()
    return pd.DataFrame(found.values(), columns=COLUMNS)


def _bands(source: str, rows: int | None, window=256, overlap=0.5, **how) -> list[tuple]:
    """Cut a large scene into bands of about so many rows that can be mapped apart.

    Returns:
        Of each band the first row that is read and the one after the last, and of those the first
        that is kept and the one after the last: all windows that count in these were read.
    """
    found, each = [], max(1, (rows or 0) // max(1, round(window * (1 - overlap))))
    with suppress(OSError), rasterio.Env(**PATIENCE), rasters.opened(source) as raster:
        tops, ends = starts(raster.height, window, overlap), raster.height
        alone = "?" in source or raster.transform.e > 0 or how.keys() & {*scenes.LAYERS}
        for i in range(0, len(tops), each) if rows and ends > rows and not alone else ():
            after = tops[i + each] if i + each < len(tops) else ends
            first = next(top for top in tops if top + window > tops[i])
            last = max(top for top in tops if top < after) + window
            found.append((first, min(last, ends), tops[i], after))
    return found


def _current(place: str, mark: str) -> dict | None:
    """Return the receipt of a map that is there and current."""
    fs, path = fsspec.core.url_to_fs(place)
    with suppress(OSError, ValueError, KeyError):
        found = json.loads(fs.cat_file(f"{path}.json"))
        if found["mark"] == mark and fs.exists(f"{path}.tif"):
            return found | {"state": "current"}


#: A worker keeps the model that it used last.
_loaded = functools.lru_cache(maxsize=1)(lambda model, engine, digest: load(model, engine))


def _map(model: Path, source: str, place: str, known: str, how: dict, part="", band=None) -> dict:
    """In a worker: map a scene, or a band of its rows, and put the map in its place."""
    began, how, digest = time.perf_counter(), dict(how), known.partition(" ")[0]
    with suppress(Exception):  # not every address tells its age
        fs, path = fsspec.core.url_to_fs(source)
        known += fs.ukey(path)
    with rasterio.Env(**PATIENCE), rasters.opened(source) as raster, TemporaryDirectory() as folder:
        mark = hashlib.sha256(f"{source} {raster.shape} {known}".encode()).hexdigest()
        if found := _current(place, mark) or _current(place + part, mark):
            return found
        net = _loaded(model, how.pop("engine", "tensorflow"), digest)
        target = Path(folder, "map.tif")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            if band:
                first, last, top, after = band
                read = ROWS.format(raster.files[0], first, raster.width, last - first)
                wide = scenes.predict(net, read, Path(folder, "apart", "map.tif"), **how)
                kept = ROWS.format(wide, top - first, raster.width, after - top)
                rasters.cloud_optimized(kept, target)
            else:
                scenes.predict(net, source, target, **how)
        notes = {str(one.message) for one in told if one.category is UserWarning}
        return _put(folder, place + part, {"mark": mark, "notes": "; ".join(notes)}, began)


def _put(folder: str, place: str, receipt: dict, began: float) -> dict:
    """Bring the maps in a folder to their place, each whole, the receipt last; return it."""
    receipt |= {"state": "mapped", "seconds": round(time.perf_counter() - began, 2)}
    receipt["memory"] = psutil.Process().memory_info().rss // 10**6
    Path(folder, "map.json").write_text(json.dumps(receipt), encoding="utf-8")
    fs, path = fsspec.core.url_to_fs(place)
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    for file in sorted(Path(folder).glob("map*"), key=lambda one: one.suffix, reverse=True):
        end = f"{path}{file.name.removeprefix('map')}"
        fs.put_file(str(file), f"{end}.part")
        fs.mv(f"{end}.part", end)
    return receipt


def _join(place: str, parts: list[tuple], done: list[dict]) -> dict:
    """In a worker: join the maps of a scene's bands, and clear these away."""
    receipt = {"mark": done[0]["mark"], "notes": done[0]["notes"]}
    if not (found := _current(place, receipt["mark"])):
        began = time.perf_counter() - sum(one["seconds"] for one in done)
        with TemporaryDirectory() as folder:
            mosaic([f"{place}{BAND.format(*part)}.tif" for part in parts], Path(folder, "map.tif"))
            found = _put(folder, place, receipt, began)
        fsspec.core.url_to_fs(place)[0].rm(f"{place}_bands", recursive=True)
    return found


def mosaic(maps: Iterable[str | Path], target: str | Path, crs=None) -> Path:
    """Join class maps into one; where they overlap, the first that has data counts.

    Args:
        maps: paths or addresses of maps with the same classes.
        target: a cloud-optimized GeoTIFF.
        crs: of the result; that of the first map by default. Maps of another one are warped.

    Raises:
        ValueError: maps with different classes.
    """
    with ExitStack() as files, TemporaryDirectory() as folder, whole(target) as part:
        opened = [files.enter_context(rasters.opened(one)) for one in maps]
        first, crs, plain = opened[0], crs or opened[0].crs, Path(folder, "plain.tif")
        if len({one.tags().get("scheme") for one in opened}) > 1:
            raise ValueError("these maps have different classes")
        turned = [WarpedVRT(x, crs=crs, nodata=NODATA) if x.crs != crs else x for x in opened]
        merge(turned, nodata=NODATA, dst_path=plain, dst_kwds={"driver": "GTiff", "tiled": False})
        with rasters.opened(plain, "r+") as joined:
            joined.update_tags(**first.tags())
            joined.write_colormap(1, first.colormap(1))
        rasters.cloud_optimized(plain, part)
    return Path(target)
