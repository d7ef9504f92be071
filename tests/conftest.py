"""Small data sets for the tests, and the real ones where they are at hand."""

import os
from pathlib import Path

import pytest
from helpers import REPOSITORY, dubai_tree

from segkit import datasets, patches, store

os.environ["SEGKIT_PROGRESS"] = "0"


@pytest.fixture(scope="session", autouse=True)
def nothing_of_tensorflow_that_will_go():
    """Fail where our code calls what TensorFlow has deprecated: it logs that, and warns nobody."""
    from tensorflow.python.util import deprecation

    def log(message: str, *where, **_) -> None:
        ours = [place for place in map(str, where) if place.startswith(f"{REPOSITORY}/")]
        if [place for place in ours if "site-packages" not in place]:
            raise DeprecationWarning(message % where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deprecation, "_log_deprecation", log)
        yield


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A folder with dubai/ in it: 3 tiles of 9 parts, made up."""
    return dubai_tree(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tiles_h5(tree, tmp_path_factory):
    """The store of `tree`."""
    return store.build(datasets.find("dubai", tree), tmp_path_factory.mktemp("h5") / "tiles.h5")


@pytest.fixture(scope="session")
def patches_h5(tiles_h5):
    """Patches of 32 pixels of `tree`, split by image."""
    path = patches.cut(tiles_h5, tiles_h5.with_name("patches.h5"), size=32)
    patches.split(path, by="image")
    return path


@pytest.fixture(scope="session")
def real_dubai():
    """The 72 real Dubai tiles, where they are at hand."""
    for root in (os.environ.get("SEGKIT_DATA"), REPOSITORY.parent / "shared" / "data"):
        if root and (Path(root) / "dubai" / "Semantic segmentation dataset").is_dir():
            return datasets.find("dubai", root)
    pytest.skip("the real Dubai tiles are not here: set SEGKIT_DATA")


@pytest.fixture(scope="session")
def real_tiles_h5(real_dubai, tmp_path_factory):
    """The store of the real Dubai tiles."""
    return store.build(real_dubai, tmp_path_factory.mktemp("real") / "tiles.h5")
