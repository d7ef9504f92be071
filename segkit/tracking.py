"""Run records: what was trained, on what, how it went; several side by side; other trackers.

Taught in notebook 13. `training.fit` leaves a folder for each run, `runs/<id>/`, beside `models/`;
its `run.json` is whole at every moment, so a run that was killed leaves all epochs that it ended.
"""

import json
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import keras
import pandas as pd
from matplotlib.figure import Figure

from segkit import plots
from segkit.files import settle, shown

RECORD = "run.json"
#: What a run is compared by.
SCORE = "val_miou"


def begin(model_path: Path, kept: Path, **told) -> Path:
    """Begin a run's record, or go on with that of a run that was interrupted.

    Args:
        model_path: where the model goes.
        kept: a file that holds the run's name until it is finished.
        told: what the record says of data, options, machine.

    Returns:
        The run's folder.
    """
    home, now = model_path.parents[model_path.parent.name == "models"] / "runs", datetime.now(UTC)
    if not kept.exists():
        settle(kept, f"{now:%Y%m%d-%H%M%S}-{model_path.stem}-{secrets.token_hex(2)}")
    run = home / kept.read_text(encoding="utf-8")
    if not (run / RECORD).exists():
        told |= {"id": run.name, "began": now.isoformat(), "history": [], "scores": {}}
    model = Path(os.path.relpath(model_path.resolve(), run.resolve())).as_posix()
    write(run, state="unfinished", model=model, **told)
    return run


def write(run: str | Path, **told) -> None:
    """Write what is new into the record in a run's folder."""
    path = Path(run) / RECORD
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    settle(path, json.dumps(known | told, indent=1, default=str))


def note(run: str | Path, **scores: float) -> None:
    """Write scores that were measured later, such as those on test, into a run's record."""
    write(run, scores=read([run])[0]["scores"] | {k: float(v) for k, v in scores.items()})


def callbacks(tool: str | None, run: Path) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a tracker, "tensorboard" or "wandb"; none of None."""
    if tool not in (None, "tensorboard", "wandb"):
        raise ValueError(f"track={tool!r}: choose tensorboard or wandb")
    if tool == "tensorboard":
        return [keras.callbacks.TensorBoard(run / tool, write_graph=False)]
    if tool == "wandb":
        import wandb.integration.keras

        os.environ.setdefault("WANDB_MODE", "offline")
        quiet = {"disable_git": True, "save_code": False, "silent": True, "x_disable_stats": True}
        quiet |= {"console": "off", "reinit": "finish_previous"}
        about = {"project": "segkit", "name": run.name, "config": read([run])[0]["options"]}
        wandb.init(dir=run, settings=wandb.Settings(**quiet), **about)
        end = keras.callbacks.LambdaCallback(on_train_end=lambda logs: wandb.finish())
        return [wandb.integration.keras.WandbMetricsLogger(), end]
    return []


def read(runs: str | Path | Iterable[str | Path]) -> list[dict]:
    """Read records, oldest first; each gets its `folder`, and its `model` becomes a path.

    Args:
        runs: a folder of runs, or the folders of some.

    Raises:
        FileNotFoundError: no record there.
    """
    folder, found = isinstance(runs, str | Path), []
    for path in Path(runs).glob(f"*/{RECORD}") if folder else [Path(run, RECORD) for run in runs]:
        one = json.loads(path.read_text(encoding="utf-8"))
        found.append(one | {"folder": path.parent, "model": (path.parent / one["model"]).resolve()})
    if not found:
        raise FileNotFoundError(f"no run lies in {shown(runs) if folder else runs}: train first")
    return sorted(found, key=lambda one: one["began"])


def compare(runs: str | Path | Iterable[str | Path]) -> tuple[pd.DataFrame, Figure]:
    """Set runs side by side.

    Args:
        runs: as in `read`.

    Returns:
        A table, best first, of: run; state (finished or unfinished); what differs of options, of
        versions and machine, and of the data (their fingerprint); epochs; minutes of training; best
        validation mIoU, `val_miou`; scores noted later.
        And a figure of the validation mIoU after each epoch.
    """
    found, rows = read(runs), []
    for one in found:
        data = {"data": (one["data"] or {}).get("fingerprint")}
        one["options"] = one["environment"] | data | one["options"]
    options = pd.DataFrame([one["options"] for one in found]).astype(str)
    differ = options.columns[options.nunique(dropna=False) > 1]
    for one in found:
        history = pd.DataFrame(one["history"], columns=["seconds", SCORE])
        row = {"run": one["id"], "state": one["state"]} | {k: one["options"].get(k) for k in differ}
        row |= {"epochs": len(history), "minutes": history["seconds"].max() / 60}
        rows.append(row | {SCORE: history[SCORE].max()} | one["scores"])
    table = pd.DataFrame(rows).sort_values(SCORE, ascending=False, ignore_index=True)
    return table, curves(found, differ)


@plots.styled
def curves(found: list[dict], differ: Iterable[str]) -> Figure:
    """Draw the validation mIoU of some records after each epoch."""
    lines = {}
    for one in found:
        told = [f"{k} {one['options'].get(k)}" for k in differ]
        scores = {row["epoch"] + 1: row.get(SCORE) for row in one["history"]}
        lines[", ".join([*told, f"…{one['id'][-4:]}"])] = pd.Series(scores, dtype=float)
    axes = {"xlabel": "epoch", "ylabel": "validation mIoU", "figsize": (7, 3.6), "style": ".-"}
    return pd.DataFrame(lines).plot(color=[*plots.LINE_COLORS], **axes).figure
