"""Profile, workspace folder, catch-up, and the command that runs all notebooks.

Taught in notebook 00.
"""

import argparse
import base64
import importlib.metadata
import importlib.util
import io
import os
import platform
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from PIL import Image

from segkit import datasets, patches, store
from segkit.files import REPOSITORY, shown, whole, work_root

#: The first eight notebooks lead from tiles to a map.
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("0[0-7]_*.ipynb"))
CELL_TIMEOUT_S = 24 * 3600
PACKAGES = ("tensorflow", "keras", "segmentation_models", "rasterio", "geopandas", "contextily")
PYTHON_OK = (3, 11) <= sys.version_info[:2] <= (3, 13)


@dataclass(frozen=True)
class Profile:
    """How large and how long the notebooks train.

    Attributes:
        name: "quick" (two CPU cores, minutes) or "full" (a GPU).
        width: filters of the U-Net's first block.
        crop: pixels of a training crop, both ways.
        batch_size: crops in a batch.
        steps: batches in an epoch.
        epochs: of the short training in notebook 03; notebook 05 takes more.
        tuned_epochs: of the training in notebook 05.
        transfer_epochs: of notebook 04, (with a frozen encoder, with all layers).
        transfer_steps: batches in an epoch of notebook 04.
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


QUICK = Profile("quick", 16, 128, 16, 30, 4, 9, (2, 2), 8)
FULL = Profile("full", 64, 256, 16, 200, 20, 60, (5, 20), 200)


def profile() -> Profile:
    """Return "quick" or "full": `SEGKIT_PROFILE` if set, else what suits this machine."""
    stated = os.environ.get("SEGKIT_PROFILE")
    if stated is None:
        return FULL if _gpu() else QUICK
    known = {"quick": QUICK, "full": FULL}
    if stated not in known:
        raise ValueError(f"SEGKIT_PROFILE={stated!r}: choose quick or full")
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
    return Path(stated).expanduser() if stated else _city() / "scene" / "scene.tif"


def scene_truth() -> Path | None:
    """Return the true classes of the embedded city's scene; None for a scene of your own."""
    return None if os.environ.get("SEGKIT_SCENE") else _city() / "scene" / "scene_mask.tif"


def _city() -> Path:
    return datasets.find("sample").tiles[0].image.parents[3]


def check() -> pd.DataFrame:
    """Look at the machine: columns found and next step, one row for each thing looked at."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    free = shutil.disk_usage(workspace()).free / 1e9
    try:
        data, data_step = f"{len(datasets.find(dataset_name()).tiles)} tiles", ""
    except (datasets.DatasetNotFound, datasets.DatasetError) as error:
        data, data_step = "not found", str(error)
    rows = {
        "Python": (platform.python_version(), "" if PYTHON_OK else "install Python 3.11 to 3.13"),
        "packages": (
            "all there" if not missing else f"missing: {', '.join(missing)}",
            "pip install --no-deps -r requirements.txt" if missing else "",
        ),
        "GPU": ("yes", "") if _gpu() else ("no", "none needed: the quick profile fits a CPU"),
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
        print(f"{artifact} is not there yet: making it (the notebook before this one tells how)")
        MAKERS[artifact](path)
    return path


def _tiles(path: Path) -> None:
    store.build(datasets.find(dataset_name()), path)


def _patches(path: Path) -> None:
    patches.cut(catch_up("tiles.h5"), path)
    patches.split(path, by="tile-part")


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


def run(notebooks: list[Path], folder: Path) -> pd.DataFrame:
    """Execute notebooks in order, and say which one runs and how long it took.

    Args:
        notebooks: which ones.
        folder: where the executed notebooks go, under their names within `notebooks/`.

    Returns:
        One row per notebook: its name and the seconds it took.
    """
    import nbformat
    from nbclient import NotebookClient

    times = {}
    for number, path in enumerate(notebooks, 1):
        name = path.relative_to(REPOSITORY / "notebooks")
        print(f"[{number}/{len(notebooks)}] {name.with_suffix('')} … ", end="", flush=True)
        began = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
        try:
            client.execute()
        finally:
            _tidy(notebook, folder / "images" / f"{path.stem}.png", path.parent.name == "notebooks")
            with whole(folder / name) as part:
                nbformat.write(notebook, part)
        times[name.with_suffix("").as_posix()] = round(time.perf_counter() - began)
        print(f"{times[name.with_suffix('').as_posix()]} s", flush=True)
    print(f"all of them: {sum(times.values())} s")
    return pd.Series(times, name="seconds").rename_axis("notebook").reset_index()


def _tidy(notebook, picture: Path, keep_last: bool) -> None:
    """Join streams, make stored pictures small, and keep the last one as the title picture."""
    last = b""
    for cell in notebook.cells:
        merged = []
        for output in cell.get("outputs", []):
            before = merged[-1] if merged else {}
            if output.output_type == "stream" and before.get("name") == output.name:
                before["text"] += output.text
            else:
                merged.append(output)
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
                last = base64.b64decode(output.data["image/png"])
        if "outputs" in cell:
            cell["outputs"] = merged
    if keep_last and last:
        with whole(picture) as part:
            part.write_bytes(last)


def _smaller(png: str) -> str:
    """Store a picture (base64 PNG) with a palette of 256 colors."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture, io.BytesIO() as small:
        colors = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        colors.save(small, "PNG", optimize=True)
        return base64.b64encode(small.getvalue()).decode()


def main() -> None:
    """Run all notebooks from the command line: `python -m segkit.course`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--renew", action="store_true", help="store the outputs in notebooks/")
    os.environ["SEGKIT_PROGRESS"] = "0"
    print(stamp())
    if parser.parse_args().renew:
        solutions = [path.parent / "solutions" / path.name for path in NOTEBOOKS]
        times = run([*NOTEBOOKS, *solutions], REPOSITORY / "notebooks").assign(run=stamp())
        times.to_csv(REPOSITORY / "benchmarks" / "results" / "notebooks.csv", index=False)
        return
    folder = workspace()
    run(NOTEBOOKS, folder / "notebooks")
    print("What the course made:")
    for pattern in ("*.h5", "models/*.keras", "models/*.json", "scores.csv", "maps/*", "notebooks"):
        for path in sorted(folder.glob(pattern)):
            print(f"  {shown(path)}")


if __name__ == "__main__":
    sys.exit(main())
