"""Send the app what visitors send: two hundred bad files, then twenty people at once.

    python -m benchmarks.visitors

starts the app in a process of its own, as `segkit app` does, and asks it over the network. Appends
two rows to results/visitors.csv:

uploads: how many of the files got a map, how many a sentence, how many neither; how much more
memory the server holds afterwards than before; files that it left outside its own folder.

users: how many were served; the median of the seconds from one person's map to the next one's, over
those that `scenes.predict` takes for the same picture, here, with the server idle.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import requests
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from rasterio.io import MemoryFile

from segkit import scenes, training
from segkit.files import progress

RESULTS = Path(__file__).parent / "results" / "visitors.csv"
FILES, USERS, MODEL = 200, 20, "city-lite0"
START = "from segkit import app; app.launch().block_thread()"


def picture(kind: str, mode: str, size=(64, 48), **how) -> bytes:
    """Return a picture of one gray as the bytes of a file."""
    file = io.BytesIO()
    Image.new(mode, size, 100 if mode in ("L", "P", "I;16") else None).save(file, kind, **how)
    return file.getvalue()


def raster(pixels: np.ndarray) -> bytes:
    """Return pixels (bands, H, W) as the bytes of a GeoTIFF without a place."""
    count, height, width = pixels.shape
    with MemoryFile() as memory:
        how = {"driver": "GTiff", "count": count, "height": height, "width": width}
        with memory.open(dtype=pixels.dtype, **how) as file:
            file.write(pixels)
        return memory.read()


def bad(number: int) -> tuple[str, bytes]:
    """Return the name and content of a bad or unusual file; each number gives another one."""
    rng = np.random.default_rng(number)
    side = int(rng.integers(40, 200))
    noise = rng.integers(0, 255, (3, side, side), np.uint8)
    photo, tiff = picture("PNG", "RGB", (side, side)), raster(noise)
    more = {"save_all": True, "append_images": [Image.new("P", (64, 48))]}
    kinds = [
        ("cut.png", lambda: photo[: int(rng.integers(1, len(photo)))]),
        ("cut.tif", lambda: tiff[: int(rng.integers(1, len(tiff)))]),
        ("bomb.png", lambda: picture("PNG", "1", (30_000, 20_000 + number))),
        ("large.png", lambda: picture("PNG", "1", (9_000, 5_000 + number))),
        ("empty.png", lambda: b""),
        ("empty.tif", lambda: b""),
        ("text.tif", lambda: b"/etc/passwd"),
        ("page.png", lambda: b"<script>alert(1)</script>"),
        ("page.html", lambda: b"<script>alert(1)</script>"),
        ("program.exe", lambda: b"MZ" + noise.tobytes()),
        ("cmyk.jpg", lambda: picture("JPEG", "CMYK", (side, side))),
        ("deep.png", lambda: picture("PNG", "I;16", (side, side))),
        ("palette.png", lambda: picture("PNG", "P", (side, side))),
        ("moving.gif", lambda: picture("GIF", "P", **more)),
        ("moving.png", lambda: picture("PNG", "P", **more)),
        ("one.tif", lambda: raster(noise[:1])),
        ("fourteen.tif", lambda: raster(np.zeros((14, side, side), np.uint16))),
        ("nan.tif", lambda: raster(np.full((3, side, side), np.nan, np.float32))),
        ("../../../tmp/escaped.png", lambda: photo),
        ("<img src=x onerror=alert(1)>.png", lambda: photo),
        ("small.png", lambda: picture("PNG", "RGB", (1, side))),
        ("chain.tif", lambda: b'<VRTDataset rasterXSize="64" rasterYSize="64"></VRTDataset>'),
    ]
    name, content = kinds[number % len(kinds)]
    return name, content()


def started() -> tuple[psutil.Process, str]:
    """Start the app; return its process and address."""
    command = [sys.executable, "-c", START]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=tempfile.gettempdir()
    )
    for line in process.stdout:
        if "http" in line:
            return psutil.Process(process.pid), line.split()[-1].rstrip("/")
    raise RuntimeError("the app did not start")


def sent(address: str, name: str, content: bytes) -> dict:
    """Upload a file as a browser does; return what the app calls it."""
    answer = requests.post(
        f"{address}/gradio_api/upload", files={"files": (name, content)}, timeout=60
    )
    answer.raise_for_status()
    return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}


def asked(client: Client, file: dict) -> str:
    """Ask for a map; return "map", "sentence", or what went wrong."""
    try:
        said = client.predict(file, MODEL, "none", api_name="/answer")
    except AppError:  # Gradio's own sentence: a type that the field does not take
        return "sentence"
    except Exception as error:  # whatever a server does
        return f"{type(error).__name__}: {error}"
    return "sentence" if "No map" in str(said) else "map"


def around() -> set[str]:
    """Return what lies where a file might escape to, the app's own folders left out."""
    temporary = Path(tempfile.gettempdir())
    found = {*temporary.iterdir(), *Path.cwd().iterdir(), *Path.home().iterdir()}
    return {str(path) for path in found if not path.name.startswith(("segkit", "gradio", "tmp"))}


def uploads(process: psutil.Process, address: str, client: Client) -> dict:
    """Send the bad files; return the row."""
    asked(client, sent(address, "good.png", picture("PNG", "RGB", (256, 256))))
    before, there = process.memory_info().rss, around()
    answers = [asked(client, sent(address, *bad(n))) for n in progress(range(FILES), "uploads")]
    lost = [one for one in answers if one not in ("map", "sentence")]
    print(*sorted(set(lost)), sep="\n")
    assert requests.get(address, timeout=10).ok, "the server is gone"
    found = {"asked": FILES, "maps": answers.count("map"), "sentences": answers.count("sentence")}
    more = (process.memory_info().rss - before) / 1e6
    return found | {"failed": len(lost), "more memory, MB": more, "outside": len(around() - there)}


def users(address: str, client: Client) -> dict:
    """Let many people ask at the same time; return the row."""
    scene = np.random.default_rng(0).integers(60, 200, (3, 512, 512), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path, model = Path(folder, "scene.tif"), training.load(MODEL)
        path.write_bytes(raster(scene))
        for _ in range(2):
            began = time.perf_counter()
            scenes.predict(model, path, Path(folder, "map.tif"), confidence=True)
            plain = time.perf_counter() - began
    file, ends = sent(address, "scene.tif", raster(scene)), []
    asked(client, file)
    jobs = [client.submit(file, MODEL, "none", api_name="/answer") for _ in range(USERS)]
    told = set()
    while len(ends) < USERS:
        told |= {job for job in jobs if job.status().rank is not None}
        ends += [time.perf_counter()] * (sum(job.done() for job in jobs) - len(ends))
        time.sleep(0.02)
    assert all(job.exception() is None for job in jobs), "somebody was not served"
    over = float(np.median(np.diff(sorted(ends)))) - plain
    return {"asked": USERS, "maps": len(ends), "told their place": len(told), "overhead, s": over}


def record(rows: list[dict], command: str) -> None:
    """Append rows to the table, with where and when they were measured; print them."""
    told = {"hardware": f"CPU, {os.cpu_count()} cores", "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    told["command"] = command
    found = pd.DataFrame(rows).assign(**told).round(3)
    kept = [pd.read_csv(RESULTS)] if RESULTS.exists() else []
    table = pd.concat([*kept, found])
    table[[*table.columns.drop(list(told)), *told]].to_csv(RESULTS, index=False)
    print(found.T.to_string(header=False))


def main() -> None:
    """Measure both, and append the rows."""
    process, address = started()
    try:
        client = Client(address, verbose=False)
        rows = [{"what": "uploads", **uploads(process, address, client)}]
        rows.append({"what": "users", **users(address, client)})
    finally:
        process.kill()
    record(rows, "python -m benchmarks.visitors")


if __name__ == "__main__":
    main()
