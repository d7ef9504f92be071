"""Make a model that ships: its weights in half as many bytes, its scores before and after.

    python -m benchmarks.ship work/benchmarks/sample/<model>.keras city-lite0
    python -m benchmarks.ship --cards       (cards anew from the data sets; the weights stay)

The first writes models/city-lite0.keras and a row of results/shipped.csv, and from all rows the
table of models/README.md. The model was trained by `benchmarks.train`; its record holds that
command. On disk its weights are float16, but for those that float16 cannot hold; in use they are
float32.
"""

import argparse
import io
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from benchmarks import options, score, train
from benchmarks.options import RESULTS
from segkit import store, training
from segkit.files import whole
from segkit.models.files import RECORD, SHIPPED

SHIPMENTS = RESULTS / "shipped.csv"
MARKS = re.compile(r"(<!-- shipped -->\n).*?(<!-- /shipped -->)", re.DOTALL)
#: The largest relative error that a weight may suffer; else it stays float32.
TOLERANCE = 1e-3
WEIGHTS = "model.weights.h5"


def halved(array: np.ndarray) -> np.ndarray:
    """Return an array as float16 where that keeps every value but for `TOLERANCE`."""
    if array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    error = np.abs(half.astype(np.float32) - array)
    # What lies far below the largest value adds nothing to a sum with it.
    small = TOLERANCE * np.maximum(np.abs(array), 1e-2 * np.abs(array).max(initial=0))
    return half if (error <= small).all() else array


def halve(path: Path, target: Path, **more) -> Path:
    """Copy a model, its weights halved, everything compressed; `more` goes into its record."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    light = io.BytesIO()
    with h5py.File(io.BytesIO(members[WEIGHTS])) as old, h5py.File(light, "w") as new:

        def copy(name: str, found) -> None:
            if isinstance(found, h5py.Group):
                made = new.require_group(name)
            else:
                how = {"compression": 9, "shuffle": True} if found.ndim else {}
                made = new.create_dataset(name, data=halved(found[()]), **how)
            made.attrs.update(found.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
    members[WEIGHTS] = light.getvalue()
    members[RECORD] = json.dumps(json.loads(members[RECORD]) | more, indent=1).encode()
    with whole(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def ship(name: str, path: Path, folder: Path = SHIPPED) -> dict:
    """Write the light model; return its row, with its scores on the held-out parts, and before."""
    model, target = training.load(path), folder / f"{name}.keras"
    record = model.record
    chosen = options.recipe(record["command"])
    _, patches_h5 = train.data(chosen["dataset"], chosen["split"])
    before = score.quick_scores(model, patches_h5, chosen["split"])
    held_out = " and ".join(score.held_out(patches_h5, chosen["split"]))
    told = {"scores": before, "held_out": held_out, "convention": score.CONVENTION}
    after = training.load(halve(path, target, **told))
    found = score.quick_scores(after, patches_h5, chosen["split"])
    return {
        "model": name,
        "network": f"{chosen['model']}, {chosen['variant']}",
        "data set": chosen["dataset"],
        "held out": held_out,
        "MB": round(target.stat().st_size / 1e6, 1),
        **{f"{key}, shipped": round(value, 4) for key, value in found.items()},
        **{f"{key}, trained": round(value, 4) for key, value in before.items()},
        "convention": score.CONVENTION,
        "fingerprint": record["card"]["fingerprint"],
        "crops seen": round(record["history"][-1]["images"]),
        "made": record["made"],
        "date": datetime.now(UTC).date().isoformat(),
        "command": record["command"],
    }


def renew_card(path: Path) -> None:
    """Write a shipped model's card anew from the data that it has learned from."""
    record = training.load(path).record
    tiles_h5 = train.data(record["card"]["dataset"], "image")[0]
    card = json.loads(store.card(tiles_h5).to_json())
    if card["fingerprint"] != record["card"]["fingerprint"]:
        raise SystemExit(f"{path.name} has learned from other tiles than {tiles_h5} holds")
    halve(path, path, card=record["card"] | {"spread": card["spread"]})


def table(found: pd.DataFrame) -> str:
    """Write the shipped models as Markdown."""
    shown = {
        "model": [f"`{name}`" for name in found["model"]],
        "network": found["network"],
        "learned from": found["data set"],
        "MB": found["MB"].map("{:.1f}".format),
        "crops seen": found["crops seen"].map("{:,}".format),
        "mIoU": found["miou, shipped"].map("{:.3f}".format),
        "accuracy": found["accuracy, shipped"].map("{:.3f}".format),
        "trained by": [f"`{command}`" for command in found["command"]],
    }
    return pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True) + "\n"


def main() -> None:
    """Write the model, its row, and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--cards", action="store_true")
    given = parser.parse_args()
    if given.cards:
        for path in sorted(SHIPPED.glob("*.keras")):
            renew_card(path)
        return
    if not given.name:
        parser.error("which model, under which name? Or --cards")
    new = pd.DataFrame([ship(given.name, given.path)])
    if SHIPMENTS.exists():
        before = pd.read_csv(SHIPMENTS)
        new = pd.concat([before[before["model"] != given.name], new], ignore_index=True)
    new.to_csv(SHIPMENTS, index=False)
    readme = SHIPPED / "README.md"
    text = MARKS.sub(lambda hit: hit[1] + table(new) + hit[2], readme.read_text("utf-8"))
    readme.write_text(text, encoding="utf-8")
    print(new.iloc[-1].to_string())


if __name__ == "__main__":
    main()
