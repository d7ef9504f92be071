"""Profile, workspace folder, and catching up on what an earlier notebook makes.

Taught in notebook 00.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from segkit import datasets, patches, sample, store
from segkit.classes import DUBAI, ClassScheme
from segkit.files import REPOSITORY, work_root

PACKAGES = ("tensorflow", "keras", "segmentation_models", "rasterio", "geopandas", "contextily")
PYTHON_OK = (3, 11) <= sys.version_info[:2] <= (3, 13)
#: The split that the notebooks train and test on.
SPLIT = "tile-part"
#: How long a training that catches up takes, for each profile.
PATIENCE = {
    "smoke": "seconds, for a network that has learned next to nothing",
    "quick": "some minutes on a CPU",
    "full": "how long depends on the GPU; the first line tells it for one epoch",
}


@dataclass(frozen=True)
class Profile:
    """How large and how long the notebooks train.

    Attributes:
        name: "quick" (two CPU cores, minutes), "full" (a GPU), or "smoke": every line runs, and
            nothing is learned. `make test` takes that one.
        width: filters of the U-Net's first block.
        crop: pixels of a training crop, both ways.
        batch_size: crops in a batch.
        steps: batches in an epoch.
        epochs: of the short training in notebook 03; notebook 05 takes more.
        tuned_epochs: of the training in notebook 05.
        transfer_epochs: of notebook 04, (with a frozen encoder, with all layers).
        transfer_steps: batches in an epoch of notebook 04.
        minutes: of each training in notebook 08.
    """

    name: str
    width: int
    crop: int
    batch_size: int
    steps: int
    epochs: int
    tuned_epochs: int
    transfer_epochs: tuple[int, int]
    transfer_steps: int
    minutes: float


SMOKE = Profile("smoke", 8, 128, 4, 20, 1, 3, (1, 1), 2, 0.05)
QUICK = Profile("quick", 16, 128, 8, 60, 3, 6, (1, 2), 6, 0.3)
FULL = Profile("full", 64, 256, 16, 200, 20, 60, (5, 20), 200, 10)


def profile() -> Profile:
    """Return what `SEGKIT_PROFILE` names, or else "quick" or "full": what suits this machine."""
    stated = os.environ.get("SEGKIT_PROFILE")
    if stated is None:
        return FULL if _gpu() else QUICK
    known = {"smoke": SMOKE, "quick": QUICK, "full": FULL}
    if stated not in known:
        raise ValueError(f"SEGKIT_PROFILE={stated!r}: choose quick, full or smoke")
    return known[stated]


def _gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def dataset_name() -> str:
    """Return which data set the notebooks use: `SEGKIT_DATASET`, or the embedded city."""
    return os.environ.get("SEGKIT_DATASET", "sample")


def workspace() -> Path:
    """Return the folder of what the course makes from the chosen data set, such as work/sample."""
    folder = work_root() / Path(dataset_name()).name
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
    return _city() / "scene" / "scene.tif"


def scene_truth(scheme: ClassScheme) -> Path | None:
    """Return the true classes of the embedded city's scene.

    Args:
        scheme: of the model that maps it.

    Returns:
        A raster of class indices; None for a scene of your own, or where the model has other
        classes than the city.
    """
    known = not os.environ.get("SEGKIT_SCENE") and scheme.names == DUBAI.names
    return _city() / "scene" / "scene_mask.tif" if known else None


def later_scene() -> Path | None:
    """Return the embedded city's scene years later, its truth beside it; None for your own."""
    if os.environ.get("SEGKIT_SCENE"):
        return None
    return sample.write_scene(_city() / "scene_later", sample.LATER_CITY) / "scene.tif"


def _city() -> Path:
    return datasets.find("sample").tiles[0].image.parents[3]


def check() -> pd.DataFrame:
    """Look at the machine: columns found and next step, one row for each thing looked at."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    free, gpu = shutil.disk_usage(workspace()).free / 1e9, "tensorflow" not in missing and _gpu()
    try:
        found = datasets.find(dataset_name())
        bands = datasets.read_image(found.tiles[0].image).shape[-1]
        data = f"{len(found.tiles)} tiles of {bands} bands"
        data_step = "" if bands == 3 else "the notebooks take three bands: keep red, green, blue"
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
    """Return a file of the workspace; make it, and what it needs, if it is not there yet.

    Args:
        artifact: "tiles.h5", "patches.h5", or "models/…" with unet, efficientnet or tuned.keras.
    """
    if artifact not in MAKERS:
        raise ValueError(f"{artifact!r}: catch_up makes {', '.join(MAKERS)}")
    path = workspace() / artifact
    if not path.exists():
        print(f"{artifact} is not there yet: making it (an earlier notebook tells how)")
        MAKERS[artifact](path)
    elif artifact == "patches.h5" and SPLIT not in patches.splits(path):
        patches.split(path, by=SPLIT)  # notebook 02 was left between cutting and splitting
    return path


def _tiles(path: Path) -> None:
    store.build(datasets.find(dataset_name()), path)


def _patches(path: Path) -> None:
    patches.cut(catch_up("tiles.h5"), path)
    patches.split(path, by=SPLIT)


def _unet(path: Path) -> None:
    _train("unet", path, profile().epochs, profile().steps)


def _efficientnet(path: Path) -> None:
    _train("efficientnet_unet", path, sum(profile().transfer_epochs), profile().transfer_steps)


def _tuned(path: Path) -> None:
    _train("unet", path, profile().tuned_epochs, profile().steps)


def _train(network: str, path: Path, epochs: int, steps: int) -> None:
    """Train a network with the default loss, as notebook 03 does."""
    from segkit import models, pipeline, training

    chosen, tiles_h5, patches_h5 = profile(), catch_up("tiles.h5"), catch_up("patches.h5")
    with store.opened(tiles_h5) as file:
        scheme = store.scheme(file)
    training.setup()
    print(f"training {path.stem}: {epochs} epochs of {steps} steps, {PATIENCE[chosen.name]}")
    if network == "unet":
        model = models.unet(len(scheme), chosen.width)
    else:
        model = models.efficientnet_unet(len(scheme), weights=None)
    train = pipeline.crops(
        tiles_h5, patches.tiles(patches_h5, "train"), chosen.crop, chosen.batch_size
    )
    validation = pipeline.batches(patches_h5, "validation", chosen.batch_size)
    training.fit(model, train, validation, scheme, path, epochs, steps)


MAKERS = {
    "tiles.h5": _tiles,
    "patches.h5": _patches,
    "models/unet.keras": _unet,
    "models/efficientnet.keras": _efficientnet,
    "models/tuned.keras": _tuned,
}
