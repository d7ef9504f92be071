"""Pretrained weights: what a good, a broken, a dead, a silent and a slow server lead to."""

import contextlib
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest

from segkit import files, weights

GOOD = bytes(range(256)) * 2000
SHA = "sha256:" + hashlib.sha256(GOOD).hexdigest()


#: How long a server that has stopped keeps its line open, unless the tests end before.
ENDED = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers by the path: good, slow, short, other, stopped, silent, missing."""

    def do_GET(self):
        kind = self.path.strip("/").split(".")[0]
        if kind == "silent":  # not even headers
            ENDED.wait(20)
            return
        if kind == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        with contextlib.suppress(OSError):
            if kind == "stopped":
                self.wfile.write(GOOD[:1000])
                ENDED.wait(20)
            elif kind == "slow":  # longer than the time-out in all, but never so long silent
                for start in range(0, len(GOOD), len(GOOD) // 10):
                    self.wfile.write(GOOD[start : start + len(GOOD) // 10])
                    time.sleep(0.1)
            else:
                answers = {"good": GOOD, "short": GOOD[:-1000], "other": GOOD[::-1]}
                self.wfile.write(answers[kind])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    ENDED.set()
    server.shutdown()


@pytest.fixture
def served(address, monkeypatch, tmp_path):
    """Return a function that names the sources; the cache is a new folder."""
    monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "TIMEOUT_S", 0.5)

    def name(*kinds, checksum=SHA):
        found = tuple(
            weights.Source(f"{kind}.h5", f"{address}/{kind}.h5", checksum) for kind in kinds
        )
        monkeypatch.setitem(weights.SOURCES, "net", found)
        return tmp_path / "cache"

    return name


def test_a_good_file_is_downloaded_once(served, monkeypatch):
    cache = served("good")
    path = weights.imagenet("net")
    assert path.parent == cache and path.read_bytes() == GOOD
    monkeypatch.setattr(weights, "_download", None)
    assert weights.imagenet("net") == path


@pytest.mark.parametrize("kind", ["short", "other", "stopped", "silent", "missing"])
def test_a_broken_download_ends_soon_and_leaves_nothing(served, kind):
    cache = served(kind)
    began = time.monotonic()
    with pytest.raises(weights.WeightsNotFound, match=rf"{kind}.h5 into the folder.*weights=None"):
        weights.imagenet("net")
    assert time.monotonic() - began < 5
    assert not list(cache.glob("*"))


def test_a_slow_line_may_take_its_time(served):
    served("slow")
    began = time.monotonic()
    assert weights.imagenet("net").read_bytes() == GOOD
    assert time.monotonic() - began > weights.TIMEOUT_S


def test_a_dead_server_ends_soon_and_leaves_nothing(served, monkeypatch):
    cache = served("good")
    dead = weights.Source("dead.h5", "http://127.0.0.1:9/dead.h5", SHA)
    monkeypatch.setitem(weights.SOURCES, "net", (dead,))
    with pytest.raises(weights.WeightsNotFound, match="dead.h5"):
        weights.imagenet("net")
    assert not list(cache.glob("*"))


def test_the_second_source_is_tried_after_the_first(served):
    cache = served("stopped", "good")
    assert weights.imagenet("net") == cache / "good.h5"
    assert [path.name for path in cache.iterdir()] == ["good.h5"]


def test_a_broken_file_in_the_cache_is_replaced_or_named(served):
    cache = served("good")
    cache.mkdir()
    (cache / "good.h5").write_bytes(b"half a download")
    assert weights.imagenet("net").read_bytes() == GOOD
    served("other")
    (cache / "other.h5").write_bytes(b"half a download")
    with pytest.raises(weights.WeightsNotFound, match="wrong checksum"):
        weights.imagenet("net")


def test_the_real_sources_are_those_of_the_packages():
    from efficientnet import model
    from keras.src.applications import efficientnet, resnet

    for version in ("b0", "b4"):
        package, keras_own = weights.SOURCES[f"efficientnet{version}"]
        assert keras_own.checksum == "md5:" + efficientnet.WEIGHTS_HASHES[version][1]
        assert keras_own.address == efficientnet.BASE_WEIGHTS_PATH + keras_own.file
        digest = model.WEIGHTS_HASHES[f"efficientnet-{version}"][1]
        assert package.checksum == f"sha256:{digest}"
        assert package.address == model.BASE_WEIGHTS_PATH + package.file
    (only,) = weights.SOURCES["resnet50"]
    assert only.checksum == "md5:" + resnet.WEIGHTS_HASHES["resnet50"][1]
    assert only.address == resnet.BASE_WEIGHTS_PATH + only.file


def test_layers_are_read_in_their_order(tmp_path):
    kernel, bias = np.ones((2, 2)), np.zeros(2)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = ["z", "empty", "a"]
        layers = {"z": {"z/kernel": kernel, "z/bias": bias}, "empty": {}, "a": {"g": bias}}
        for name, arrays in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = list(arrays)
            for key, values in arrays.items():
                group[key] = values
    found = weights.read(tmp_path / "w.h5")
    assert [[x.shape for x in arrays] for arrays in found] == [[(2, 2), (2,)], [(2,)]]


@pytest.mark.parametrize("content", [b"", b"text", GOOD])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "w.h5").write_bytes(content)
    with pytest.raises(ValueError, match="whole file"):
        weights.read(tmp_path / "w.h5")


def test_a_relative_folder_of_weights_starts_at_the_course(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGKIT_WEIGHTS", "weights")
    assert weights.cache() == files.REPOSITORY / "weights"
