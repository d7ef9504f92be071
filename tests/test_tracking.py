"""Run records: written while a run goes on, compared, noted, tracked elsewhere."""

import json
import sys
from pathlib import Path

import helpers
import keras
import pytest
from test_training import Stop, net

from segkit import patches, pipeline, tracking, training
from segkit.classes import DUBAI


@pytest.fixture
def data(tiles_h5, patches_h5):
    """Crops to train on and a validation subset."""
    crops = pipeline.crops(tiles_h5, patches.tiles(patches_h5, "train"), 32, 4)
    return crops, pipeline.batches(patches_h5, "validation", 8)


def train(data, path, **how):
    """Train an instant; return the run's folder."""
    plan = {"epochs": 2, "steps": 1, **how}
    return Path(training.fit(net(), *data, DUBAI, path, **plan).attrs["run"])


def test_a_finished_run_says_what_was_done_and_how_it_went(data, tmp_path):
    training.setup(seed=11)
    path = tmp_path / "models" / "m.keras"
    run = train(data, path, learning_rate=0.02, record={"note": "first"})
    assert run.parent == tmp_path / "runs" and [p.name for p in run.iterdir()] == ["run.json"]
    (one,) = tracking.read(tmp_path / "runs")
    assert one["state"] == "finished" and one["model"] == path.resolve() and one["folder"] == run
    options = {"epochs": 2, "steps": 1, "learning_rate": 0.02, "seed": 11, "note": "first"}
    assert options.items() <= one["options"].items() and one["options"]["loss"] == "default_loss"
    assert one["data"] == {"name": "dubai", "fingerprint": data[0].card.fingerprint}
    assert {"keras", "python", "cores", "segkit"} <= one["environment"].keys()
    assert [row["epoch"] for row in one["history"]] == [0, 1] and "val_miou" in one["history"][0]
    before = one["fingerprint"]
    again = train(data, path)
    assert again != run and len(tracking.read(tmp_path / "runs")) == 2
    assert tracking.read([again])[0]["fingerprint"] != before


KILLED = """
import os, signal, sys
sys.path.insert(0, "tests")
import keras
from test_training import net
from segkit import pipeline, patches, training
from segkit.classes import DUBAI
class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
crops = pipeline.crops(sys.argv[1], patches.tiles(sys.argv[2], "train"), 32, 4)
held_out = pipeline.batches(sys.argv[2], "validation", 8)
training.fit(net(), crops, held_out, DUBAI, sys.argv[3], epochs=9, steps=1, callbacks=[Kill()])
"""


@pytest.mark.parametrize("epoch", [0, 3])
def test_a_killed_run_leaves_a_record_that_compares(epoch, data, tiles_h5, patches_h5, tmp_path):
    path = tmp_path / "models" / "m.keras"
    path.parent.mkdir()
    helpers.python(KILLED, tiles_h5, patches_h5, path, epoch).communicate()
    train(data, path.with_name("whole.keras"))
    table, figure = tracking.compare(tmp_path / "runs")
    assert sorted(table["state"]) == ["finished", "unfinished"]
    told = table.set_index("state").loc["unfinished"]
    assert told["epochs"] == epoch and told.isna()["val_miou"] == (epoch == 0)
    assert len(figure.axes[0].lines) == 2


def test_a_resumed_run_goes_on_in_its_record(data, tmp_path):
    path = tmp_path / "m.keras"
    with pytest.raises(KeyboardInterrupt):
        train(data, path, epochs=4, callbacks=[Stop(2)])
    (one,) = tracking.read(tmp_path / "runs")
    assert one["state"] == "unfinished" and len(one["history"]) == 2
    train(data, path, epochs=4, resume=True)
    (again,) = tracking.read(tmp_path / "runs")
    assert again["id"] == one["id"] and again["began"] == one["began"]
    assert again["state"] == "finished" and len(again["history"]) == 4


def test_runs_are_compared_by_what_differs_best_first(data, tmp_path):
    rates = (0.0, 0.05)
    runs = [train(data, tmp_path / f"m{i}.keras", learning_rate=x) for i, x in enumerate(rates)]
    tracking.note(runs[0], test_miou=0.25)
    tracking.note(runs[0], test_accuracy=0.5)
    table, figure = tracking.compare(runs)
    assert list(table.columns) == [
        "run", "state", "learning_rate", "epochs", "minutes", "val_miou", "test_miou",
        "test_accuracy",
    ]  # fmt: skip
    assert table["val_miou"].is_monotonic_decreasing
    noted = table.set_index("run").loc[runs[0].name]
    assert (noted["test_miou"], noted["test_accuracy"]) == (0.25, 0.5)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels[0].startswith("learning_rate 0.0,") and len(set(labels)) == 2
    best = {row["id"]: max(x["val_miou"] for x in row["history"]) for row in tracking.read(runs)}
    assert table.set_index("run")["val_miou"].to_dict() == pytest.approx(best)
    with pytest.raises(FileNotFoundError, match="no run lies in"):
        tracking.compare(tmp_path)


def test_words_of_ones_own_are_compared_whatever_they_are_called(data, tmp_path):
    told = [{"data": "drained", "cores": 3}, {"data": "flooded", "cores": 4}]
    runs = [train(data, tmp_path / f"m{i}.keras", record=one) for i, one in enumerate(told)]
    table = tracking.compare(runs)[0]
    assert {*table["data"]} == {"drained", "flooded"} and {*table["cores"]} == {3, 4}


def test_a_run_lies_beside_the_folder_of_models_wherever_one_stands(data, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path / "models")
    train(data, Path("m.keras"))
    assert len(tracking.read(tmp_path / "runs")) == 1


def test_an_option_that_one_run_lacks_is_told(data, tmp_path):
    runs = [
        train(data, tmp_path / f"m{i}.keras", **how) for i, how in enumerate(({}, {"patience": 9}))
    ]
    assert "patience" in tracking.compare(runs)[0].columns


def test_tensorboard_gets_its_events(data, tmp_path):
    run = train(data, tmp_path / "m.keras", track="tensorboard")
    assert list((run / "tensorboard").rglob("events.out.tfevents.*"))
    with pytest.raises(ValueError, match="choose tensorboard or wandb"):
        train(data, tmp_path / "n.keras", track="paper")


def test_tensorboard_starts_on_this_machines_packages():
    code = "from tensorboard import main, program; program.TensorBoard().configure(logdir='x')"
    done = helpers.python(code)
    done.communicate()
    assert done.returncode == 0


def test_weights_and_biases_keeps_an_offline_run(data, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run = train(data, tmp_path / "m.keras", track="wandb")
    assert list((run / "wandb").glob("offline-run-*/*.wandb"))
    assert json.loads((run / "run.json").read_text())["state"] == "finished"
    assert sys.modules["wandb"].run is None  # it was ended


def test_a_loss_of_ones_own_is_named(data, tmp_path):
    run = train(data, tmp_path / "m.keras", loss=keras.losses.SparseCategoricalCrossentropy())
    assert tracking.read([run])[0]["options"]["loss"] == "of your own"


def test_a_run_that_was_killed_at_its_very_start_breaks_no_comparison(tmp_path):
    """Its name is kept first; its record is whole from the first writing on."""
    kept, model = tmp_path / "m.run" / "run", tmp_path / "models" / "m.keras"
    kept.parent.mkdir()
    told = {"data": None, "options": {}, "environment": {}}
    run = tracking.begin(model, kept, **told)
    (run / "run.json").unlink()  # or its folder was deleted
    assert tracking.begin(model, kept, **told) == run
    table, _ = tracking.compare(tmp_path / "runs")
    assert list(table["state"]) == ["unfinished"]
