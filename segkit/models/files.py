"""Models on disk: a `.keras` file and, beside it, all that is needed to use it.

The record lies in the `.keras` file itself as well, so that the two can never disagree: a killed
process leaves the old model or the new one, each with its own record.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import keras

from segkit import __version__
from segkit.classes import ClassScheme
from segkit.datasets import Card
from segkit.files import REPOSITORY, settle, shown, whole
from segkit.models.engines import Engine

#: The record's name inside a `.keras` file, which is a zip archive.
RECORD = "segkit.json"
#: Tells the commit that is checked out here, and whether anything was changed since.
GIT = ("git", "describe", "--always", "--dirty", "--exclude", "*")
#: Where trained models lie that come with the project.
SHIPPED = REPOSITORY / "models"


def save(model: keras.Model, path: str | Path, scheme: ClassScheme, card=None, **record) -> Path:
    """Save a model and, beside it, all that is needed to use it with nothing else known.

    Args:
        model: any functional Keras model.
        path: a `.keras` file; `.json` beside it holds the record, for people and other programs.
        scheme: the classes that it learned.
        card: of the data that it learned from.
        record: whatever else should be said; what JSON cannot say is written as text.

    Returns:
        `path`.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ValueError(f"{path.name}: a model's file ends in .keras")
    told = {"scheme": scheme.to_dict(), "card": json.loads(card.to_json()) if card else None}
    told |= {"options": dict(getattr(model, "options", {})), "parameters": model.count_params()}
    made = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "with": environment()}
    record, note = told | record | told | made, path.with_suffix(".json")
    text = json.dumps(record, indent=1, default=lambda x: getattr(x, "tolist", x.__str__)())
    with whole(path) as part:
        keras.Model(model.inputs, model.outputs, name=model.name).save(part)  # no optimizer
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(RECORD, text)
        note.unlink(missing_ok=True)  # never the old one beside the new model
    settle(note, text)
    tell(model, record)
    return path


def environment() -> dict:
    """Return what a model is made with: versions, machine and, where there is one, git commit."""
    versions = {x: importlib.metadata.version(x) for x in ("keras", keras.backend.backend())}
    found = {"segkit": __version__, **versions, "python": platform.python_version()}
    found |= {"machine": platform.machine(), "cores": os.cpu_count()}
    with suppress(OSError, subprocess.SubprocessError):
        commit = subprocess.check_output(GIT, stderr=subprocess.DEVNULL, text=True, timeout=9)
        found["commit"] = commit.strip()
    return found


def load(path: str | Path, engine: str = "tensorflow") -> keras.Model | Engine:
    """Load a model that `save` wrote; `.scheme`, `.card` (or None) and `.record` come with it.

    Args:
        path: a `.keras` file, or the name of one that lies in the project's `models/`.
        engine: what runs it: "tensorflow" (Keras itself), "onnx" (ONNX Runtime) or "openvino",
            which need the extra `export` and only predict.

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: the file is broken, or has no record; no such engine.
        ImportError: a package of the extra is missing.
    """
    path = located(path)
    record, model = read_record(path), keras.models.load_model(path, compile=False)
    tell(model, record)
    return model if engine == "tensorflow" else Engine(model, engine, path)


def located(path: str | Path) -> Path:
    """Return the absolute path of a model's file, or of one that ships; raise if there is none."""
    path = (Path(path) if Path(path).suffix else SHIPPED / f"{path}.keras").resolve()
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in SHIPPED.glob("*.keras")))
        raise FileNotFoundError(f"{shown(path)} does not exist: train it first (there: {known})")
    return path


def read_record(path: str | Path) -> dict:
    """Return what was recorded of a model, without loading it; raises as `load` does."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():
                raise zipfile.BadZipFile
            return json.loads(archive.read(RECORD))
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise ValueError(f"{shown(path)} is no whole model: train or copy it again") from error
    except KeyError as error:
        raise ValueError(f"{shown(path)} has no record: write it with segkit") from error


def tell(model: keras.Model, record: dict) -> None:
    """Leave a record on its model: `.record`, `.options`, `.scheme`, `.card`."""
    card, model.options = record.get("card"), record.get("options", {})
    model.scheme, model.record = ClassScheme(**record["scheme"]), record
    model.card = Card.from_json(json.dumps(card)) if card else None
