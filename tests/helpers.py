"""What several test files share: small data sets, made up; fixtures are in conftest.py."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from segkit import classes
from segkit.classes import DUBAI

REPOSITORY = Path(__file__).resolve().parent.parent


def write_pair(folder: Path, name: str, image: np.ndarray, rgb_mask: np.ndarray):
    """Write one image as PNG and its mask beside it."""
    for kind, array in (("images", image), ("masks", rgb_mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / f"{name}.png")


def dubai_tree(root: Path, tiles: int = 3, parts: int = 9, seed: int = 0, size: int = 60) -> Path:
    """Write a small data set in the Dubai layout; return the folder that holds dubai/."""
    rng = np.random.default_rng(seed)
    for tile in range(1, tiles + 1):
        folder = root / "dubai" / "Semantic segmentation dataset" / f"Tile {tile}"
        for part in range(1, parts + 1):
            shape = (size + 3 * tile, size + 20 + part % 2)
            squares = rng.integers(0, 6, (shape[0] // 10 + 1, shape[1] // 10 + 1))
            mask = np.kron(squares, np.ones((10, 10), int))
            rgb_mask = classes.DUBAI.encode(mask[: shape[0], : shape[1]])
            image = rng.integers(0, 256, (*shape, 3), np.uint8)
            write_pair(folder, f"image_part_{part:03d}", image, rgb_mask)
    return root


def dead_process() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def python(code: str, *arguments, **variables) -> subprocess.Popen:
    """Start some code in a process of its own; what goes in and comes out is piped."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    own = {**os.environ, **variables}
    return subprocess.Popen(command, env=own, cwd=REPOSITORY, text=True, **options)


#: For JAX: programs are compiled in less time; the answers are the same.
HASTY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

#: A web server of a folder that answers as buckets do: also to those who ask for some bytes alone.
SERVER = """
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def send_head(self):
        asked, path = self.headers.get("Range"), Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            return super().send_head()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        size = path.stat().st_size
        last = min(int(last or size), size - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", last - int(first) + 1)
        self.end_headers()
        self.wfile.write(path.read_bytes()[int(first) : last + 1])

server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def served(folder: Path):
    """Serve a folder on this machine, from a process of its own; give the address."""
    process = python(SERVER, folder)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


#: A corner near Dubai, UTM zone 40 north, in meters.
EAST, NORTH = 326_000, 2_787_000


class ByColor:
    """A model that answers the class that the first band names; other bands must be equal."""

    scheme, input_shape = DUBAI, (None, None, None, 3)

    def predict_on_batch(self, images):
        assert images.shape[1] == images.shape[2] and images.shape[-1] == 3
        return np.eye(6, dtype=np.float32)[np.rint(images[..., 0]).astype(int) % 6]


class Constant(ByColor):
    """A model that always answers Road."""

    def predict_on_batch(self, images):
        return np.broadcast_to(np.eye(6, dtype=np.float32)[2], (*images.shape[:3], 6))


def write(path, array, crs="EPSG:32640", **more):
    """Write (bands, H, W) as a GeoTIFF with pixels of half a meter."""
    bands, height, width = array.shape
    place = from_origin(326_000, 2_788_000, 0.5, 0.5) if crs else None
    profile = {"count": bands, "height": height, "width": width, "dtype": array.dtype}
    with rasterio.open(path, "w", "GTiff", crs=crs, transform=place, **profile, **more) as raster:
        raster.write(array)
    return path


def scene_of(shape, seed=0):
    """Return (3, H, W) uint8 with classes in all bands."""
    classes = np.random.default_rng(seed).integers(0, 6, shape).astype(np.uint8)
    return np.stack([classes] * 3)


def write_map(path, indices, crs, transform):
    """Write class indices as a map."""
    profile = {"height": indices.shape[0], "width": indices.shape[1], "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", "GTiff", crs=crs, transform=transform, **profile) as raster:
        raster.nodata = 255
        raster.write(indices, 1)
    return path
