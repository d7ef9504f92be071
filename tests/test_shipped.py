"""The models that come with the project: whole, safe, and as good as their table says."""

import os

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import REPOSITORY

from benchmarks import score, ship, train
from segkit import training
from segkit.models.files import SHIPPED

ROWS = pd.read_csv(ship.SHIPMENTS).set_index("model")


def test_every_model_has_its_row_and_all_are_light():
    found = {path.stem: path.stat().st_size / 1e6 for path in SHIPPED.glob("*.keras")}
    assert found.keys() == set(ROWS.index) and max(found.values()) < 12
    assert sum(found.values()) < 20
    shown = (SHIPPED / "README.md").read_text("utf-8")
    assert ship.MARKS.sub(lambda hit: hit[1] + ship.table(ROWS.reset_index()) + hit[2], shown) == (
        shown
    )


@pytest.mark.parametrize("name", ROWS.index)
def test_a_shipped_model_opens_in_safe_mode_and_knows_its_data(name, monkeypatch):
    opened = keras.models.load_model
    asked = []

    def spy(path, **how):
        asked.append(how.get("safe_mode", True))
        return opened(path, **how)

    monkeypatch.setattr(keras.models, "load_model", spy)
    model = training.load(name)
    assert asked == [True]
    assert model.card.dataset == ROWS.loc[name, "data set"] and model.card.scheme == model.scheme
    assert model.record["scores"]["miou"] == pytest.approx(
        ROWS.loc[name, "miou, trained"], abs=1e-4
    )
    assert "benchmarks.train" in model.record["command"]
    answer = model.predict_on_batch(np.full((1, 64, 96, 3), 99, np.float32))
    assert answer.shape == (1, 64, 96, len(model.scheme)) and answer.dtype == np.float32


@pytest.mark.parametrize("name", ROWS.index)
def test_a_shipped_model_scores_what_its_table_says(name, request, monkeypatch, tmp_path):
    row = ROWS.loc[name]
    if row["data set"] == "dubai":
        request.getfixturevalue("real_dubai")
        here = os.environ.get("SEGKIT_DATA") or REPOSITORY.parent / "shared" / "data"
        monkeypatch.setenv("SEGKIT_DATA", str(here))
    monkeypatch.setenv("SEGKIT_WORK", str(tmp_path))
    _, patches_h5 = train.data(row["data set"], "image")
    found = score.quick_scores(training.load(name), patches_h5, "image")
    assert found["miou"] == pytest.approx(row["miou, shipped"], abs=0.002)
    assert found["accuracy"] == pytest.approx(row["accuracy, shipped"], abs=0.002)
    assert found["miou"] == pytest.approx(row["miou, trained"], abs=0.002)
