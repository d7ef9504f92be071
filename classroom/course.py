"""Profile, workspace folder, and catching up on what an earlier notebook makes.

Taught in notebook 00.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import rasterio
from IPython import get_ipython
from rasterio.windows import Window

import cityscape
from segkit import datasets, files, patches, store
from segkit.classes import DUBAI, ClassScheme
from segkit.files import REPOSITORY, work_root

PACKAGES = ("tensorflow", "keras", "segmentation_models", "rasterio", "geopandas", "contextily")
PYTHON_OK = (3, 11) <= sys.version_info[:2] <= (3, 13)
#: The split that the notebooks train and test on.
SPLIT = "image"
#: Pixels of a patch; chips that are smaller make smaller ones.
PATCH = 256
#: The data sets of notebook 10.
LANDSLIDES = ("mountains", "landslide4sense", "sentinel2_landslides")
#: What Linux, WSL included, calls the devices that TensorFlow can use.
GPU_DEVICES = ("nvidia[0-9]*", "dxg", "kfd")
#: How long a training that catches up takes, for each profile.
PATIENCE = {
    "smoke": "seconds, for a network that has learned next to nothing",
    "quick": "some minutes on a CPU",
    "gpu": "nobody has timed it on a GPU yet",
    "full": "how long depends on the GPU; the first line tells it for one epoch",
}


@dataclass(frozen=True)
class Profile:
    """How large and how long the notebooks train.

    Attributes:
        name: "quick" (two CPU cores, minutes), "gpu" (one GPU, minutes), "full" (a GPU, as long as
            papers train), or "smoke": every line runs, nothing is learned, and TensorFlow builds
            no graphs, for tests.
        width: filters of the U-Net's first block.
        crop: pixels of a training crop, both ways.
        batch_size: crops in a batch.
        steps: batches in an epoch.
        epochs: of the training in notebook 03.
        tuned_epochs: of the training in notebook 05.
        transfer_epochs: of each training in notebook 04.
        transfer_steps: batches in an epoch there.
        transfer_crop: pixels of a crop there.
        minutes: of each training in notebook 08.
        encoder: variant of the pretrained network in notebooks 04 and 08.
        scene: pixels of the embedded city's scene, both ways.
    """

    name: str
    width: int
    crop: int
    batch_size: int
    steps: int
    epochs: int
    tuned_epochs: int
    transfer_epochs: int
    transfer_steps: int
    transfer_crop: int
    minutes: float
    encoder: str = "lite0"
    scene: int = 2048


SMOKE = Profile("smoke", 8, 64, 4, 8, 1, 3, 1, 1, 64, 0.05, scene=1024)
QUICK = Profile("quick", 16, 128, 8, 60, 8, 6, 3, 20, 256, 1)
GPU = Profile("gpu", 32, 256, 16, 100, 20, 30, 15, 100, 256, 5)
FULL = Profile("full", 64, 256, 16, 200, 20, 60, 50, 100, 256, 10, "b4")


def profile() -> Profile:
    """Return what `SEGKIT_PROFILE` names, or else "quick" or "gpu": what suits this machine."""
    stated = os.environ.get("SEGKIT_PROFILE")
    if not stated:
        return GPU if _gpu() else QUICK
    known = {one.name: one for one in (SMOKE, QUICK, GPU, FULL)}
    if stated not in known:
        raise ValueError(f"SEGKIT_PROFILE={stated!r}: choose {', '.join(known)}")
    if stated == "smoke" and get_ipython() and "tensorflow" in sys.modules:
        _build_no_graphs()
    return known[stated]


def _build_no_graphs() -> None:
    """Let a notebook's TensorFlow compute at once: a graph takes longer than some steps of it."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    # Both are no news: data are read by programs all the same, and a list of one image is an image.
    for told in ("Even though the .tf.config", "The structure of .inputs. doesn't match"):
        warnings.filterwarnings("ignore", told)


def _gpu() -> bool:
    """Return whether TensorFlow sees a GPU; it is not loaded where Linux has no such device."""
    if sys.platform == "linux" and not any(map(list, map(Path("/dev").glob, GPU_DEVICES))):
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def dataset_name() -> str:
    """Return which data set the notebooks use: `SEGKIT_DATASET`, or the embedded city."""
    return os.environ.get("SEGKIT_DATASET") or "sample"


def workspace() -> Path:
    """Return the folder of what the course makes from the chosen data set, such as work/sample."""
    folder = work_root() / Path(dataset_name()).resolve().name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def stamp() -> str:
    """Return what a notebook's numbers came from: data set, profile, hardware, versions, date."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name.lower())}" for name in ("TensorFlow", "Keras")
    )
    hardware = "GPU" if _gpu() else f"CPU, {os.cpu_count()} cores"
    return (
        f"data set {Path(dataset_name()).name} · profile {profile().name} · {hardware} · "
        f"Python {platform.python_version()}, {versions} · {date.today().isoformat()}"
    )


def scene() -> Path:
    """Return the scene to map: `SEGKIT_SCENE`, or the embedded city's, which has coordinates."""
    stated = os.environ.get("SEGKIT_SCENE")
    if stated:
        return REPOSITORY / Path(stated).expanduser()
    return _city_scene("scene") / "scene.tif"


def scene_truth(scheme: ClassScheme) -> Path | None:
    """Return the true classes of the embedded city's scene.

    Args:
        scheme: of the model that maps it.

    Returns:
        A raster of class indices; None for a scene of your own, or where the model has other
        classes than the city.
    """
    known = not os.environ.get("SEGKIT_SCENE") and scheme.names == DUBAI.names
    return _city_scene("scene") / "scene_mask.tif" if known else None


def basemap() -> Path | None:
    """Return the embedded city's own basemap; None, a provider's, for a scene of your own."""
    if os.environ.get("SEGKIT_SCENE") or os.environ.get("SEGKIT_BASEMAP"):
        return None
    return datasets.find("sample").tiles[0].image.parents[3] / "basemap.tif"


def later_scene() -> Path | None:
    """Return the embedded city's scene years later, its truth beside it; None for your own."""
    if os.environ.get("SEGKIT_SCENE"):
        return None
    return _city_scene("scene_later") / "scene.tif"


def districts() -> Path | None:
    """Return the outlines of districts: what `SEGKIT_DISTRICTS` names, or the embedded city's.

    None for a scene of your own without districts of its own.
    """
    stated = os.environ.get("SEGKIT_DISTRICTS")
    if stated:
        return REPOSITORY / Path(stated).expanduser()
    if os.environ.get("SEGKIT_SCENE"):
        return None
    folder = datasets.find("sample").tiles[0].image.parents[3] / "districts"
    return cityscape.write_districts(folder) / "districts.gpkg"


def _city_scene(name: str) -> Path:
    """Return the folder of a scene and its mask, as large as the profile says."""
    folder, side = datasets.find("sample").tiles[0].image.parents[3] / name, profile().scene
    if name == "scene_later":
        cityscape.write_scene(folder, cityscape.LATER_CITY)
    small = folder.with_name(f"{name}_{side}")
    for kind in ("scene.tif", "scene_mask.tif"):
        with rasterio.open(folder / kind) as whole:
            if side >= whole.width:
                return folder
            how, target = whole.profile | {"width": side, "height": side}, small / kind
            if not target.exists():
                with files.whole(target) as part, rasterio.open(part, "w", **how) as cut:
                    cut.write(whole.read(window=Window(0, 0, side, side)))
                    cut.update_tags(**whole.tags())
    return small


def check() -> pd.DataFrame:
    """Look at the machine: columns found and next step, one row for each thing looked at."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    free, gpu = shutil.disk_usage(workspace()).free / 1e9, "tensorflow" not in missing and _gpu()
    try:
        found = datasets.find(dataset_name())
        bands = len(found.card.bands)
        data = f"{len(found.tiles)} tiles, {bands} bands of {found.card.dtype}"
        data_step = "" if bands >= 3 else "the notebooks draw three bands: give them three or more"
    except (datasets.DatasetNotFound, datasets.DatasetError) as error:
        data, data_step = "not found", str(error)
    rows = {
        "Python": (platform.python_version(), "" if PYTHON_OK else "install Python 3.11 to 3.13"),
        "packages": (
            "all there" if not missing else f"missing: {', '.join(missing)}",
            "pip install --no-deps -r requirements.txt" if missing else "",
        ),
        "GPU": ("yes", "") if gpu else ("no", "none needed: the quick profile fits a CPU"),
        "disk": (f"{free:.0f} GB free", "" if free > 2 else "the course needs 2 GB"),
        f"data set {Path(dataset_name()).name}": (data, data_step),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["found", "next step"])


def catch_up(artifact: str) -> Path:
    """Return a file of the workspace; make it, and what it needs, if it is not there or stale.

    What is stale was made of other data than the data set holds now, or under another profile, or
    is broken. One process at a time makes a file; another one waits, and then finds it.

    Args:
        artifact: "tiles.h5", "patches.h5", or "models/…" with unet, efficientnet or tuned.keras.
    """
    if artifact not in MAKERS:
        raise ValueError(f"{artifact!r}: catch_up makes {', '.join(MAKERS)}")
    path = workspace() / artifact
    with files.alone(path.with_suffix(".run")):  # whoever trains it now may finish
        pass
    with files.alone(path):
        if not path.exists():
            print(f"{artifact} is not there yet: making it (an earlier notebook tells how)")
            MAKERS[artifact](path)
        elif reason := _stale(artifact, path):
            print(f"{artifact} {reason}: making it anew (an earlier notebook tells how)")
            _keep(path)
            MAKERS[artifact](path)
        elif artifact == "patches.h5" and SPLIT not in patches.splits(path):
            print(f"{artifact} is not split by {SPLIT} yet: splitting it")
            patches.split(path, by=SPLIT)
    return path


def _keep(path: Path) -> None:
    """Put a model that was trained under another profile aside: it may have taken hours."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        trained = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["profile"]
        if trained not in ("smoke", profile().name):
            for one in (path, path.with_suffix(".json")):
                kept = one.replace(one.with_stem(f"{path.stem}-{trained}"))
            print(f"the old one is kept as {kept.with_suffix('.keras').name}")


def _stale(artifact: str, path: Path) -> str | None:
    """Return what is wrong with a file that is there; None if it is as it should be."""
    tiles = artifact == "tiles.h5"
    now = _files_now() if tiles else store.card(catch_up("tiles.h5")).fingerprint
    try:
        if tiles:
            store.card(path)  # that it holds one
            made_of = store.attributes(path)["files"]
            return None if now in (None, made_of) else "was made of other files, classes or groups"
        if artifact == "patches.h5":
            return None if store.card(path).fingerprint == now else "was cut from other tiles"
        return _stale_model(path, now)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "is broken, or of an older version"


def _files_now() -> str | None:
    """Return the digest of the data set's files; None for a known one that was moved away."""
    try:
        return datasets.find(dataset_name()).files()
    except datasets.DatasetNotFound:
        if dataset_name() in datasets.REGISTRY:
            return None
        raise


def _stale_model(path: Path, fingerprint: str) -> str | None:
    """Return what is wrong with a model; its record says, so no network is loaded."""
    note, wanted = path.with_suffix(".json"), profile().name
    if not note.exists():
        return "has no record"
    record = json.loads(note.read_text(encoding="utf-8"))
    try:
        with zipfile.ZipFile(path) as archive:
            whole = archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # by where it is damaged
        whole = False
    if not whole:
        return "is broken"
    if (trained := record.get("profile")) != wanted:
        return f"was trained under profile {trained or '(not recorded)'}, not {wanted}"
    if record["card"]["fingerprint"] != fingerprint:
        return "was trained on other tiles"
    return None


def _tiles(path: Path) -> None:
    store.build(datasets.find(dataset_name()), path)


def _patches(path: Path) -> None:
    tiles_h5 = catch_up("tiles.h5")
    smallest = int(store.index(tiles_h5)[["height", "width"]].min(axis=None))
    patches.cut(tiles_h5, path, size=min(PATCH, max(32, smallest // 32 * 32)))
    patches.split(path, by=SPLIT)


def _model(path: Path) -> None:
    """Train a network as its notebook does."""
    chosen, sources = profile(), (catch_up("tiles.h5"), catch_up("patches.h5"))
    from classroom import recipes  # loads TensorFlow

    epochs, steps = {
        "unet": (chosen.epochs, chosen.steps),
        "efficientnet": (chosen.transfer_epochs, chosen.transfer_steps),
        "tuned": (chosen.tuned_epochs, chosen.steps),
    }[path.stem]
    print(f"training {path.stem}: {epochs} epochs of {steps} steps, {PATIENCE[chosen.name]}")
    getattr(recipes, path.stem)(chosen, *sources, path)


MAKERS = {
    "tiles.h5": _tiles,
    "patches.h5": _patches,
    "models/unet.keras": _model,
    "models/efficientnet.keras": _model,
    "models/tuned.keras": _model,
}
