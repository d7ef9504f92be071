"""The runner's rows, the reference recipe, and the table that is made from rows."""

import dataclasses
import functools
import json
import os
import re
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
import rasterio
import tensorflow as tf
from helpers import HASTY, ByColor, dubai_tree, python, scene_of, write

from benchmarks import (
    bench,
    blending,
    labels,
    options,
    pairs,
    plan,
    reference,
    score,
    scoreboard,
    ship,
    speed,
    tables,
    tile,
    train,
    variety,
    workers,
)
from segkit import losses, maps, metrics, models, pipeline, training
from segkit.classes import DUBAI


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Three groups of nine images of about 270 pixels, and a folder for what is made of them."""
    return dubai_tree(tmp_path_factory.mktemp("data"), size=260), tmp_path_factory.mktemp("work")


def plain(table):
    """Return Markdown tables without the spaces that line their columns up."""
    return re.sub(r" +", " ", table)


def run(workplace, monkeypatch, *flags, rows=True):
    """Run the command for an instant; return the two tables that it wrote, if any."""
    monkeypatch.setenv("SEGKIT_DATA", str(workplace[0]))
    monkeypatch.setenv("SEGKIT_WORK", str(workplace[1]))
    results = workplace[1] / "results"
    command = ["train", "--dataset", "dubai", "--minutes", "0.02", "--results", str(results)]
    monkeypatch.setattr(sys, "argv", [*command, *flags])
    train.main()
    return (pd.read_csv(results / "scoreboard.csv"), results / "curves.csv") if rows else None


@pytest.mark.filterwarnings("ignore::segkit.patches.LeakWarning")
@pytest.mark.parametrize("split", [*options.FRACTIONS, "without Tile 1"])
def test_a_run_leaves_a_row_with_every_score(workplace, monkeypatch, split):
    flags = ["--split", split, "--width", "4", "--crop", "64", "--score-at", "0.01"]
    rows, curves = run(workplace, monkeypatch, *flags)
    row, curve = rows.iloc[-1], pd.read_csv(curves).iloc[-1]
    assert row["split"].startswith(split) and row["model"] == "unet, width 4"
    assert np.isnan(row["miou high"])  # three groups are too few for an interval
    expected = {"patch": [True, False], "image": [False, False], "group": [False, False]}
    expected["without Tile 1"] = [True, False]
    assert row[["miou (validation)", "miou (test)"]].isna().tolist() == expected[split]
    held_out = ["miou (validation)", "miou (test)", "miou low (95 %, groups drawn)"]
    scores = row.loc["miou":"iou Water"].drop([*held_out, "miou high"])
    assert scores.between(0, 1).all() and len(scores) == 16
    assert "--score-at 0.01" in row["command"]
    assert 0.01 <= curve["minutes"] <= 0.03 and curve["images"] <= row["images_seen"]


def test_all_scores_are_those_of_the_library(workplace, monkeypatch):
    monkeypatch.setenv("SEGKIT_DATA", str(workplace[0]))
    monkeypatch.setenv("SEGKIT_WORK", str(workplace[1]))
    _, patches_h5 = train.data("dubai", "image")
    model = models.unet(6, 4)
    found = score.all_scores(model, patches_h5, "image")
    quick = score.quick_scores(model, patches_h5, "image")
    assert {key: found[key] for key in quick} == pytest.approx(quick)
    test = training.evaluate(model, patches_h5, "test")
    assert found["miou (test)"] == pytest.approx(metrics.summary(test, DUBAI)["miou"])
    both = test + training.evaluate(model, patches_h5, "validation")
    assert found["miou, six classes"] == pytest.approx(metrics.summary(both)["miou"])
    assert found["iou Water"] == pytest.approx(metrics.scores(both, DUBAI)["iou"]["Water"])


def test_what_a_step_costs_is_measured_and_kept(workplace, monkeypatch):
    monkeypatch.setattr(options, "COSTS", workplace[1] / "costs.csv")
    monkeypatch.setattr(speed, "yardstick", lambda: lambda: 0.032)
    small = "--width 4 --crop 32 --batch-size 2 --clock pace --measure"
    run(workplace, monkeypatch, *small.split(), rows=False)
    (cost,) = pd.read_csv(options.COSTS)["ms per step"]
    assert cost > 0


def test_a_pretrained_run_on_a_tenth_of_the_images_goes_on_after_its_frozen_part(
    workplace, monkeypatch
):
    """By the pace: minutes are so many steps."""
    lite = "--model efficientnet_unet --variant lite0 --crop 64 --batch-size 2 --clock pace"
    monkeypatch.setattr(train, "known_cost", lambda _: 0.5)
    more = "--weights imagenet --frozen 0.5 --share 0.1 --score-at 0.015 --minutes 0.05"
    more += " --scales 0.75 1.25 --tint 0.1 --smoothing 0.1"
    rows, curves = run(workplace, monkeypatch, *lite.split(), *more.split())
    row, curve = rows.iloc[-1], pd.read_csv(curves).iloc[-1]
    assert row["model"] == "efficientnet_unet, lite0" and row["clock"] == "pace"
    assert row["pretrained"] == "ImageNet" and row["hardware"].endswith("500 ms per step")
    assert curve["minutes"] == 0.02 and curve["images"] == 2 * 3  # the first step is not counted
    assert row["images_seen"] == 2 * (4 + 4)  # three steps of half a second in each phase, and one


def as_data(images, masks):
    return tf.data.Dataset.from_tensors((np.float32(images), np.uint8(masks)))


def test_a_square_twice_as_large_becomes_half_as_large_image_and_mask_alike():
    blocks = np.kron(np.arange(16).reshape(4, 4), np.ones((2, 2)))[None]  # 8×8, in blocks of 2×2
    data = as_data(10 * blocks[..., None], blocks)
    assert variety.reach(4, (0.5, 2)) == 8
    ((image, mask),) = variety.scaled(data, 4, (2.0, 2.0)).as_numpy_iterator()
    assert np.array_equal(mask[0], np.arange(16).reshape(4, 4)) and mask.dtype == np.uint8
    np.testing.assert_allclose(image[0, ..., 0], 10 * mask[0])
    ((image, mask),) = variety.scaled(data, 8, (0.5, 0.5)).as_numpy_iterator()
    assert image.shape == (1, 8, 8, 1) and len(np.unique(mask)) <= 9  # 4×4 pixels of it


def test_a_window_of_a_patch_is_cut_from_image_and_mask_alike():
    places = np.arange(3 * 6 * 6).reshape(3, 6, 6)
    ((images, masks),) = variety.cropped(as_data(places[..., None], places), 4).as_numpy_iterator()
    assert masks.shape == (3, 4, 4) and np.array_equal(images[..., 0], masks)
    for whole, mask in zip(places, masks, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(whole, (4, 4))
        assert (windows == mask).all(axis=(2, 3)).sum() == 1


@pytest.mark.parametrize(("average", "share"), [(None, 0.25), (0.5, 1)])
def test_an_encoder_takes_its_share_of_the_learning_rate(average, share):
    """The first step of Adam is as long as the learning rate, whatever the slope."""
    model = models.efficientnet_unet(3, None, "lite0")
    optimizer = variety.stepping(model, average, share)(0.01)
    optimizer.build(model.trainable_variables)
    before = [v.numpy() for v in model.trainable_variables]
    optimizer.apply([np.ones(v.shape, np.float32) for v in model.trainable_variables])
    after = [v.numpy() for v in model.trainable_variables]
    moved = [np.median(np.abs(a - b)) for a, b in zip(after, before, strict=True)]
    theirs = sum(len(layer.trainable_variables) for layer in models.encoder_layers(model))
    assert 0 < theirs < len(moved) and bool(optimizer.use_ema) is (average is not None)
    np.testing.assert_allclose(moved[:theirs], 0.01 * share, rtol=0.03)
    np.testing.assert_allclose(moved[theirs:], 0.01, rtol=0.03)


def test_a_tint_is_one_factor_for_each_band_of_an_image():
    data = as_data(np.full((2, 3, 3, 2), 100), np.zeros((2, 3, 3)))
    ((image, _),) = variety.tinted(data, 0.2).as_numpy_iterator()
    assert np.ptp(image, axis=(1, 2)).max() == 0 and len(np.unique(image)) == 4
    assert image.min() >= 80 and image.max() <= 120


def test_smoothed_labels_worked_out_by_hand():
    """One pixel of class 0, one unlabeled (class 2)."""
    truth, answer = np.array([[[0, 2]]]), np.float32([[[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]]])
    usual = functools.partial(losses.weighted_crossentropy, ignore_index=2)
    found = float(variety.smoothed(usual, 0.1, 2)(truth, answer))
    assert found == pytest.approx(-0.95 * np.log(0.7) - 0.05 * np.log(0.2), abs=1e-6)


def test_what_decides_a_steps_cost_is_named_where_it_is_not_the_usual():
    given = ["--model", "unet", "--crop", "256", "--seed", "3", "--scales", "0.75", "1.5"]
    assert options.costly(options.read(given)) == "model unet, crop 256, scales [0.75, 1.5]"
    for step in pd.read_csv(options.COSTS)["step"]:
        assert step.startswith("model ")


def test_a_plan_runs_what_no_recorded_run_has_followed(tmp_path):
    board = tmp_path / "scoreboard.csv"
    lines = [f"--results {tmp_path} --minutes 1 --seed {seed}" for seed in range(3)]
    path = tmp_path / "plan.txt"
    path.write_text("# why\n" + "\n\n".join(lines) + "\n")
    commands = plan.listed(path)
    assert len(commands) == 3 and plan.missing(commands) == commands
    done = [f"python -m benchmarks.train --seed {seed} --minutes 1.0 --tta" for seed in (0, 2)]
    pd.DataFrame({"command": done}).to_csv(board, index=False)
    assert plan.missing(commands) == [commands[1]]


def test_every_line_of_a_plan_is_understood_and_stands_once():
    for path in plan.PLANS.glob("*.txt"):
        recipes = [options.recipe(one) for one in plan.listed(path)]
        assert recipes and all(recipes.count(one) == 1 for one in recipes), path


def test_a_step_costs_as_many_of_the_yardsticks_as_its_time_holds(monkeypatch):
    """The yardstick takes 32 ms here, 16 at the pace: of a step's 100 ms, 50 are left."""
    now = iter(np.arange(0, 1000, 0.1))
    monkeypatch.setattr(speed, "processor_time", lambda: next(now))
    monkeypatch.setattr(speed, "yardstick", lambda: lambda: 0.032)
    found = speed.Cost()
    found.set_model(models.unet(6, 4))
    for step in range(speed.FIRST + speed.STEPS):
        found.on_train_batch_begin(step)
        found.on_train_batch_end(step)
    assert found.per_step == pytest.approx(0.05) and found.milliseconds == pytest.approx(32)
    assert found.model.stop_training


def test_minutes_by_the_pace_are_steps(workplace, monkeypatch, tmp_path):
    watch = training.Clock(minutes=1, now=speed.pace(7.5))
    watch.set_model(models.unet(6, 4))
    watch.on_train_begin()
    while not getattr(watch.model, "stop_training", False):
        watch.on_train_batch_begin(0)
        watch.on_train_batch_end(0)
    assert watch.steps == 1 + 60 / 7.5
    monkeypatch.setattr(options, "COSTS", tmp_path / "costs.csv")
    tables.append(options.COSTS, [{"step": "another", "ms per step": 1.0}])
    with pytest.raises(ValueError, match="not known .*width 4.*--measure"):
        run(workplace, monkeypatch, "--width", "4", "--clock", "pace")


def test_a_share_of_the_images_is_drawn_by_the_seed():
    tiles = [f"tile_{i}" for i in range(40)]
    tenth = train.drawn(tiles, 0.1, seed=1)
    assert len(tenth) == 4 and tenth == train.drawn(tiles, 0.1, seed=1) == sorted(tenth)
    assert tenth != train.drawn(tiles, 0.1, seed=2) and train.drawn(tiles, 1, seed=1) == sorted(
        tiles
    )
    assert len(train.drawn(tiles, 0.001, seed=0)) == 1


def test_weights_are_halved_only_where_that_keeps_them():
    values = np.array([1.0, -0.3333, 0.0, 2e-9], np.float32)
    assert ship.halved(values).dtype == np.float16
    assert ship.halved(np.array([1e5, 1], np.float32)).dtype == np.float32
    assert ship.halved(np.array([1e-7, 2e-7], np.float32)).dtype == np.float32
    assert ship.halved(np.arange(3)).dtype == np.arange(3).dtype


def test_a_shipped_model_is_smaller_and_answers_as_before(tmp_path):
    model = models.unet(6, width=8)
    path = training.save(model, tmp_path / "model.keras", DUBAI, note="kept")
    light = training.load(ship.halve(path, tmp_path / "light.keras", scores={"miou": 0.5}))
    assert (tmp_path / "light.keras").stat().st_size < 0.6 * path.stat().st_size
    assert light.record["note"] == "kept" and light.record["scores"] == {"miou": 0.5}
    assert light.weights[0].dtype == "float32"
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(model(image), light(image), atol=5e-3)


@pytest.mark.filterwarnings("ignore::segkit.patches.LeakWarning")
def test_the_reference_recipe_runs_on_its_split(workplace, monkeypatch):
    row = run(workplace, monkeypatch, "--model", "reference", "--split", "patch")[0].iloc[-1]
    assert row["model"] == "reference, six classes learned" and row["images_seen"] >= 16


def test_the_reference_network_is_the_one_described():
    model = reference.unet(6)
    # The well-known U-Net of 16 to 256 filters with one output has 1,941,105 weights; each more
    # class adds 16 and a bias.
    assert model.count_params() == 1_941_105 + 5 * 17
    image = np.random.default_rng(0).uniform(60, 180, (2, 64, 64, 3)).astype(np.float32)
    # Scaling each band of each image takes its own contrast and brightness off.
    contrast = np.float32([[[[0.5, 0.6, 0.7]]], [[[0.9, 0.8, 1.0]]]])
    stretched = image * contrast + 20 * contrast
    assert np.allclose(model(image), model(stretched), atol=1e-4)


def test_the_reference_loss_is_that_of_segmentation_models():
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, 6, (2, 8, 8)), rng.dirichlet(np.ones(6), (2, 8, 8))
    answer, one_hot = answer.astype(np.float32), np.eye(6, dtype=np.float32)[truth]
    sm = models.segmentation_models()
    theirs = sm.losses.DiceLoss(class_weights=np.full(6, 1 / 6, np.float32), smooth=1.0)
    focal = sm.losses.CategoricalFocalLoss()
    expected = float(theirs(one_hot, answer)) + float(focal(one_hot, answer))
    found = float(reference.loss(truth, answer))
    assert found == pytest.approx(expected - (1 - 1 / 6), abs=1e-5)  # a constant apart


@pytest.mark.parametrize(
    "words",
    [
        "--model deeplabv3plus --stride 2",
        "--split patch --candidates 4",
        "--model reference --six",
        "--model reference --crop 64",
        "--weights imagenet",
        "--split patch --share 0.1",
        "--model reference --share 0.2",
        "--model efficientnet_unet --width 64",
        "--model efficientnet_unet --frozen 1",
        "--model efficientnet_unet --fine-rate 1e-4",
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words, capsys):
    with pytest.raises(SystemExit):
        options.read(words.split())
    assert words.split()[-2].strip("-") in capsys.readouterr().err


def test_every_choice_of_the_command_line_exists():
    assert set(options.MODELS) == set(train.MODELS)
    assert all(options.read(["--clock", clock]) for clock in (*train.CLOCKS, "pace"))


def test_a_recorded_command_says_what_was_learned():
    short = options.recipe("python -m benchmarks.train --seed=1 --tta")
    assert short == options.recipe("python -m benchmarks.train --seed 1 --width 16")
    assert short["seed"] == 1 and "seed" not in options.recipe("benchmarks.train", ("seed",))


def test_a_table_of_other_columns_is_refused(tmp_path):
    tables.append(tmp_path / "s.csv", [{"a": 1, "b": 2}])
    with pytest.raises(ValueError, match=r"\['b', 'c'\]"):
        tables.append(tmp_path / "s.csv", [{"a": 1, "c": 2}])
    assert (tmp_path / "s.csv").read_text().splitlines() == ["a,b", "1,2"]
    with pytest.raises(ValueError, match="move it away"):
        scoreboard.check(tmp_path / "s.csv")


ROWS = pd.DataFrame(
    {
        "model": ["a", "b", "c"],
        "dataset": ["dubai", "dubai", "sample"],
        "split": ["tile-part, seed 0", "patch, seed 0", "patch, seed 0"],
        "minutes": [30.0, 4.0, 4.0],
        "seed": 0,
        "clock": ["cpu", "wall", "cpu"],
        "command": ["benchmarks.train --dataset dubai", "benchmarks.train", "benchmarks.train"],
        "miou": [0.61234, 0.7, 0.9],
        "miou low (95 %, groups drawn)": [0.5, np.nan, 0.1],
        "miou high": [0.7, np.nan, 0.9],
        "accuracy": 0.8,
        "miou, turned and flipped": np.nan,
        "miou, six classes": 0.5,
        "parameters": 1_900_000,
        "pretrained": "no",
        "images_seen": 1600,
        "iou Road": 0.4,
        "iou Vegetation": 0.3,
    }
)


def test_the_tables_go_between_the_marks(tmp_path):
    other = ROWS.iloc[:1].assign(split="without Tile 3, seed 0")  # no kind of split of the tables
    pd.concat([ROWS, other]).to_csv(tmp_path / "s.csv", index=False)
    found = scoreboard.runs(tmp_path / "s.csv")
    assert list(found["model"]) == ["b", "a"]  # real tiles only; the kind of split decides first
    text = "before\n<!-- scoreboard {} -->\nold\n<!-- /scoreboard -->\nafter"
    both = scoreboard.rendered(text.format("everything") + text.format("architectures"), found)
    assert "| images | a | 30 | 0 | 0.61 | 0.50–0.70 | 0.80 | | 0.50 |" in plain(both)
    assert "| random patches (leaks) | b | 4 (wall) | 0 | 0.70 | |" in plain(both)
    assert "| a | 1.9 | no | 1,600 | 0.61 | 0.50–0.70 | 0.80 | 0.40 | 0.30 |\n<!--" in plain(both)
    assert "old" not in both and both.count("after") == 2
    assert scoreboard.rendered(both, found) == both
    assert scoreboard.figure(found).axes


def test_runs_that_differ_in_their_split_alone_share_a_row():
    command = "python -m benchmarks.train --dataset dubai --model unet"
    rows = {
        "command": [
            command,
            "python -m benchmarks.train --split patch --model unet --dataset dubai",
            f"{command} --split tile --width 4",
            f"{command} --tta --width 8",
            f"{command} --width 8 --split patch",
        ],
        "rule": ["image", "patch", "group", "image", "patch"],
        "model": "unet",
        "minutes": 4.0,
        "seed": 0,
        "miou": [0.5, 0.7, 0.4, 0.6, 0.8],
    }
    table = scoreboard.splits(pd.DataFrame(rows))
    assert plain(table).splitlines()[2:] == [
        "| unet | 4 | 0 | 0.70 | 0.50 | |",
        "| unet | 4 | 0 | 0.80 | 0.60 | |",
    ]


def test_the_arms_of_the_transfer_table_differ_in_the_network_or_its_start():
    lite = "--model efficientnet_unet --variant lite0"
    arms = {("unet", ""): 0.5, ("lite0", lite): 0.4, ("lite0", f"{lite} --weights imagenet"): 0.6}
    rows = [
        {"command": f"benchmarks.train {flags} --seed {seed} --share 0.1", "model": model,
         "seed": seed, "miou": miou + seed / 100, "accuracy": 0.8, "minutes": 1, "images_seen": 900}
        for (model, flags), miou in arms.items() for seed in range(3)
    ]  # fmt: skip
    assert plain(scoreboard.transfer(pd.DataFrame(rows))).splitlines()[2:] == [
        "| 10% | 1 | lite0, random weights | 3 | 900 | 0.410 | 0.400–0.420 | 0.800 |",
        "| 10% | 1 | unet, random weights | 3 | 900 | 0.510 | 0.500–0.520 | 0.800 |",
        "| 10% | 1 | lite0, ImageNet weights | 3 | 900 | 0.610 | 0.600–0.620 | 0.800 |",
    ]


def test_lessons_are_summed_up_over_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(scoreboard, "NEIGHBORS", tmp_path / "neighbors.csv")
    rows = [
        {"passes": 2, "seed": seed, "without": 0.5, "with": 0.5 + gap, "gap low (95 %)": low}
        for seed, gap, low in ((0, 0.1, 0.05), (1, 0.2, 0.1), (2, 0.0, -0.1))
    ]
    pd.DataFrame(rows).to_csv(scoreboard.NEIGHBORS, index=False)
    assert plain(scoreboard.neighbors(None)).splitlines()[2:] == [
        "| 2 | 3 | 0.500 | 0.600 | 0.000–0.200 | 2 of 3 |",
    ]
    monkeypatch.setattr(scoreboard, "LANDSLIDES", tmp_path / "landslides.csv")
    rows = [
        {"passes": 10, "loss": loss, "seed": seed, "iou": iou, "precision": 0.5, "recall": iou}
        for loss, iou in (("b", 0.2), ("a", 0.4)) for seed in range(2)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(scoreboard.LANDSLIDES, index=False)
    assert plain(scoreboard.landslides(None)).splitlines()[2:] == [
        "| 10 | b | 2 | 0.200 | 0.200–0.200 | 0.500 | 0.200 |",
        "| 10 | a | 2 | 0.400 | 0.400–0.400 | 0.500 | 0.400 |",
    ]


def test_what_of_an_encoder_learns_is_a_row_beside_the_arms():
    lite = "benchmarks.train --model efficientnet_unet --variant lite0 --weights imagenet"
    chosen = {
        "--still-norms": 0.6,
        "--still-norms --learning 0": 0.3,
        "--still-norms --learning 0.5": 0.4,
        "--still-norms --encoder-rate 0.1": 0.5,
        "": 0.7,
    }
    rows = [
        {"command": f"{lite} {flags} --seed {seed}", "model": "efficientnet_unet, lite0",
         "seed": seed,
         "miou": miou + seed / 100, "accuracy": 0.8, "minutes": 1, "images_seen": 900}
        for flags, miou in chosen.items() for seed in range(2)
    ]  # fmt: skip
    rows.append({**rows[0], "command": f"{lite} --still-norms --share 0.1", "miou": 0.1})
    found = pd.DataFrame(rows)
    assert plain(scoreboard.encoder(found)).splitlines()[2:] == [
        "| frozen | 2 | 900 | 0.305 | 0.300–0.310 |",
        "| the half near the decoder | 2 | 900 | 0.405 | 0.400–0.410 |",
        "| whole, norms still, 0.1 of the rate | 2 | 900 | 0.505 | 0.500–0.510 |",
        "| whole, norms still | 2 | 900 | 0.605 | 0.600–0.610 |",
        "| whole | 2 | 900 | 0.705 | 0.700–0.710 |",
    ]
    assert plain(scoreboard.arms(found)).splitlines()[2:] == [
        "| 100% | 1 | ImageNet | 2 | 900 | 0.605 | 0.600–0.610 | 0.800 |",
        "| 10% | 1 | ImageNet | 1 | 900 | 0.100 | | 0.800 |",
    ]


def test_the_best_runs_say_their_recipe_and_both_scores():
    row = {"command": "benchmarks.train --model unet --minutes 20 --tta --crop 256", "minutes": 20,
           "model": "unet", "images_seen": 16440, "miou": 0.7, "accuracy": 0.8,
           "miou, turned and flipped": 0.75, "accuracy, turned and flipped": 0.9}  # fmt: skip
    assert plain(scoreboard.best(pd.DataFrame([row]))).splitlines()[2:] == [
        "| unet, random weights | 20 | 16,440 | crop 256 | 0.700 | 0.800 | 0.750 | 0.900 |"
    ]


def test_each_group_left_out_is_a_row_of_the_folds_table():
    lite = "--model efficientnet_unet --variant lite0 --weights imagenet"
    arms = {("unet", "--model unet"): [0.2, 0.4], ("lite0", lite): [0.5, 0.6]}
    rows = [
        {"command": f"benchmarks.train {flags}", "model": model, "miou": miou,
         "split": f"without {group}, seed 0"}
        for (model, flags), found in arms.items()
        for group, miou in zip(("Tile 1", "Tile, 2"), found, strict=True)
    ]  # fmt: skip
    table = plain(scoreboard.folds(pd.DataFrame(rows))).splitlines()
    assert table[0] == "| left out | unet, random weights | lite0, ImageNet weights | gain |"
    assert table[2:] == [
        "| Tile 1 | 0.200 | 0.500 | 0.300 |",
        "| Tile, 2 | 0.400 | 0.600 | 0.200 |",
        "| mean | 0.300 | 0.550 | 0.250 |",
        "| standard deviation | 0.141 | 0.071 | 0.071 |",
    ]


def test_a_split_that_is_not_there_is_refused(workplace, monkeypatch, capsys):
    with pytest.raises(ValueError, match="no split 'without Tile 9'.*without Tile 1"):
        run(workplace, monkeypatch, "--split", "without Tile 9")
    with pytest.raises(SystemExit):
        options.read(["--split", "tile_wise"])
    assert "without <group>" in capsys.readouterr().err


def test_runs_that_differ_in_their_seed_alone_make_a_spread():
    command = "python -m benchmarks.train --model unet"
    rows = {
        "command": [f"{command} --seed 0", f"{command} --seed 1", f"{command} --width 4 --seed 0"],
        "held_out": "images",
        "model": "unet",
        "minutes": 4.0,
        "seed": [0, 1, 0],
        "miou": [0.52, 0.5, 0.9],
        "accuracy": [0.7, 0.8, 0.9],
    }
    table = plain(scoreboard.seeds(pd.DataFrame(rows))).splitlines()[2:]
    assert table == ["| images | unet | 4 | 2 | 0.500–0.520 | 0.700–0.800 |"]


def test_the_pace_is_when_the_best_of_the_reference_was_reached(tmp_path, monkeypatch):
    commands = ["reference", "ours", "ours, six", "reference on images"]
    rows = {
        "command": commands,
        "rule": ["patch", "patch", "patch", "image"],
        "model": commands,
        "minutes": [30.0, 8.0, 8.0, 30.0],
        "seed": 0,
        "clock": "cpu",
        "miou": [0.6, 0.7, 0.9, 0.9],
        "accuracy": 0.8,
    }
    points = {
        "command": [commands[i] for i in (0, 1, 1, 2, 3)],
        "minutes": [15.0, 2.0, 4.0, 2.0, 15.0],
        "miou": [0.65, 0.5, 0.66, 0.9, 0.8],
        "accuracy": 0.8,
    }
    pd.DataFrame(points).to_csv(tmp_path / "curves.csv", index=False)
    monkeypatch.setattr(scoreboard, "CURVES", tmp_path / "curves.csv")
    assert plain(scoreboard.pace(pd.DataFrame(rows))).splitlines()[2:] == [
        "| reference, 30 min, seed 0 | 0.65 | 15.0 |",
        "| ours, 8 min, seed 0 | 0.70 | 4.0 |",
    ]
    assert len(scoreboard.pace_figure(pd.DataFrame(rows)).axes[0].lines) == 2
    twice = pd.concat([pd.DataFrame(rows)] * 2)
    with pytest.raises(ValueError, match="twice"):
        scoreboard.pace(twice)
    with pytest.raises(ValueError, match="clocks"):
        scoreboard.pace(pd.DataFrame(rows).assign(clock=["cpu", "wall", "cpu", "cpu"]))


def test_a_trial_says_what_it_did_differently_from_the_first():
    command = "python -m benchmarks.train --stride 2 --minutes 4 --tta --results here"
    rows = {
        "command": [command, command.replace("2", "1"), f"{command} --average 0.99"],
        "minutes": 4.0,
        "images_seen": 1000,
        "miou (validation)": [0.5, 0.4, 0.6],
        "miou (test)": [0.3, 0.2, 0.1],
    }
    table = plain(scoreboard.trials(pd.DataFrame(rows))).splitlines()[2:]
    assert [row.split(" | ")[0] for row in table] == [
        "| average 0.99",
        "| nothing: the recipe of these trials",
        "| stride 1",
    ]
    assert table[0].endswith("| 4 | 1,000 | 0.600 | 0.100 |")


def test_a_label_looks_wrong_where_another_class_is_as_likely_as_it_usually_is():
    mask = np.array([[0, 0, 1, 1]], np.uint8)
    sure = np.array([[0.9, 0.2, 0.4, 0.45]])
    answer = np.stack([sure, 1 - sure], axis=-1)
    usual = labels.usual_probabilities([(mask, answer, np.ones(mask.shape, bool))], 2)
    assert usual == pytest.approx([(0.9 + 0.2) / 2, (0.6 + 0.55) / 2])
    assert labels.suspects(mask, answer, usual).tolist() == [[False, True, False, False]]
    absent = np.concatenate([answer * 0.7, np.full((1, 4, 1), 0.3)], axis=-1)
    usual = labels.usual_probabilities([(mask, absent, np.ones(mask.shape, bool))], 3)
    assert labels.suspects(mask, absent, usual).tolist() == [[False, True, False, False]]


def test_the_labels_that_look_wrong_make_a_table(tmp_path, monkeypatch):
    counts = {"away": 2000, "share away": 0.1234, "near a border": 10, "share near a border": 0.5}
    pd.DataFrame({"label": ["Road"], **counts}).to_csv(tmp_path / "labels.csv", index=False)
    monkeypatch.setattr(scoreboard, "LABELS", tmp_path / "labels.csv")
    table = plain(scoreboard.labels(None)).splitlines()
    assert table[2] == "| Road | 2,000 | 12.3% | 10 | 50.0% |"


def test_suspect_labels_are_counted_by_class_and_place():
    mask = np.repeat(np.array([[0, 1]], np.uint8), 8, axis=1).repeat(4, axis=0)
    answer = np.eye(6)[mask] * 0.9
    answer[0, 0] = answer[1, 7] = np.eye(6)[1]  # far from the border, and at it
    counted = np.ones(mask.shape, bool)
    counted[3] = False
    table = labels.table([(mask, answer, counted)], np.full(6, 0.5), DUBAI)
    assert table.loc["Building"].tolist() == [15, 1, 9, 1]
    assert table.loc["Land"].tolist() == [15, 0, 9, 0]
    assert set(table.index) == {"Building", "Land"}


@pytest.mark.parametrize("way", [blending.smooth, blending.summed, blending.patchwork])
def test_other_ways_to_map_reach_every_pixel(tmp_path, way):
    array = scene_of((150, 217))
    source = write(tmp_path / "scene.tif", array)
    assert np.array_equal(way(ByColor(), source, window=64), array[0])


def test_a_tile_is_mapped_by_an_engine_in_a_process_of_its_own(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tile, "RESULTS", tmp_path / "tile.csv")
    monkeypatch.setattr(tile, "ENGINES", ("openvino",))
    monkeypatch.setattr(tile, "SIDE", 300)
    monkeypatch.setattr(sys, "argv", ["tile"])
    tile.main()
    (row,) = pd.read_csv(tile.RESULTS).to_dict("records")
    assert row["engine"] == "openvino" and row["rows"] == row["columns"] == 300
    assert row["windows"] == 2 * 2 and row["over the network alone"] >= 1


def test_pages_and_notebooks_show_the_recorded_runs():
    found = scoreboard.runs()
    for page in scoreboard.PAGES:
        shown = page.read_text("utf-8")
        assert scoreboard.MARKS.search(shown) and scoreboard.rendered(shown, found) == shown
    for path in scoreboard.NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        marked = [cell.source for cell in cells if scoreboard.MARKS.search(cell.source)]
        assert marked and all(scoreboard.rendered(text, found) == text for text in marked)


def test_of_many_windows_the_one_with_most_of_a_class_is_taken():
    full, part = np.full((8, 8), DUBAI.ignore_index, np.uint8), np.zeros((8, 8), np.uint8)
    part[:] = DUBAI.ignore_index
    part[0, :2] = 1
    masks = np.stack([full, part] * 400)  # of each two, one holds a little of class 1
    images = np.repeat(masks[..., None], 3, axis=-1).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((images, masks)).batch(80)
    data.card, data.restart, data.images_per_step = "card", list, 80
    tf.random.set_seed(0)
    found = variety.chosen(data, 2, DUBAI)
    assert found.images_per_step == 40 and pipeline.origin(found) is found
    pairs = list(found.as_numpy_iterator())
    seen, kept = (np.concatenate(part) for part in zip(*pairs, strict=True))
    np.testing.assert_array_equal(seen[..., 0], kept)  # image and mask stay together
    assert len(kept) == 400
    # One class of five is drawn that the second window has and the first one lacks.
    assert 0.1 < (kept == 1).any(axis=(1, 2)).mean() < 0.3


def test_two_ways_take_turns_and_must_agree(monkeypatch):
    monkeypatch.setattr(bench.gc, "collect", lambda: 0)  # seconds, of what other tests have left
    calls = []

    def way(name, answer):
        return lambda: calls.append(name) or np.array(answer)

    pair = pairs.Pair("add", 2.0, way("ours", [1, 2]), "another", way("theirs", [1, 2]))
    row = bench.compared(pair, 4, 3)
    turns = ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert calls == turns and row["size"] == 4 and row["rounds"] == 2
    assert row["least"] <= row["ratio"] <= row["most"] and row["differs"] == 0
    wrong = pairs.Pair("add", 2.0, way("ours", [1, 2]), "another", way("theirs", [1, 3]))
    with pytest.raises(ValueError, match="different answers"):
        bench.compared(wrong, 1, 1)
    assert bench.compared(dataclasses.replace(wrong, alike=0.5), 1, 1)["differs"] == 0.5
    alone = bench.compared(pairs.Pair("draw", 1.0, way("ours", 0)), 1, 2)
    assert np.isnan(alone["ratio"]) and alone["other MiB"] is None


def test_a_stage_that_grows_in_proportion_has_the_slope_one(tmp_path, monkeypatch):
    rows = []
    for size, seconds in ((1, 0.1), (4, 0.4), (16, 1.6)):
        took = pd.DataFrame({"ours": [seconds] * 2, "theirs": [2 * seconds, 4 * seconds]})
        pair = pairs.Pair("count", float(size), None, "a loop", None)
        rows.append(bench.row(pair, size, took, {"ours": 1, "theirs": 2}))
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "bench.csv")
    pd.DataFrame(rows).assign(hardware="CPU").to_csv(bench.RESULTS, index=False)
    table = bench.summary()
    assert table["what"] == ["count"] and table["slope"] == ["1.00"]
    assert table["ratio, size 1"] == ["3 (2–4)"] and table["Mpx a second"] == ["10.0"]
    assert len(bench.figure().axes) == 2


def test_a_crop_takes_a_part_alone_and_a_part_that_is_shared():
    """2 ms of one worker: 0.4 alone and 1.6 shared; two take 1.2 ms, eight 0.6."""
    assert workers.expected(1000 / 1.2, 2 * 500, 8) == pytest.approx(1000 / 0.6)
    assert workers.expected(1000, 1000, 8) == 4000  # nobody waits
    assert workers.expected(1001, 1000, 8) == 4000


def test_programs_draw_crops_at_the_same_time(monkeypatch):
    """Each waits until the other is ready: alone, a barrier of two would break."""
    monkeypatch.setattr(workers, "rate", ready_with_the_other)
    assert workers.apart(2) == (2.0, 1.0)


def ready_with_the_other(_, ready):
    ready(30)
    return 1.0, 1.0


def test_crops_are_counted_by_workers(tmp_path, monkeypatch):
    for name, value in {"TABLE": tmp_path / "w.csv", "SIZE": 64, "BATCHES": 2, "ROUNDS": 2}.items():
        monkeypatch.setattr(workers, name, value)
    monkeypatch.setattr(scoreboard, "WORKERS", workers.TABLE)
    monkeypatch.setattr(workers, "apart", workers.rate)  # no programs of their own
    workers.main()
    found = pd.read_csv(workers.TABLE)
    cores = range(1, (os.cpu_count() or 1) + 1)
    wanted = [(1, n) for n in cores] + [(n, 1) for n in cores[1:]]
    assert list(zip(found["programs"], found["workers of each"], strict=True)) == wanted
    assert (found["least"] <= found["crops a second"]).all() and (found["processor ms"] > 0).all()
    assert "| 1 | 8, expected |" in plain(scoreboard.reading(pd.DataFrame()))


def test_what_ours_is_compared_with_gives_the_same(tmp_path):
    mask = np.random.default_rng(0).integers(0, 5, (40, 50)).astype(np.uint8)
    assert np.array_equal(pairs.color_by_color(DUBAI.encode(mask)), mask)
    path = write(tmp_path / "map.tif", mask[None])
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(scheme=json.dumps(DUBAI.to_dict()))
    drawn = pairs.sums(maps.polygons(path))
    assert np.array_equal(drawn, pairs.sums(pairs.class_by_class(path)))


def test_the_time_to_a_score_is_the_shortest_run_whose_mean_reached_it():
    base = "python -m benchmarks.train --dataset dubai --model unet --width 16 --minutes"
    rows = [
        {"minutes": m, "seed": s, "miou": v, "command": f"{base} {m} --seed {s}"}
        for m, s, v in ((1, 0, 0.58), (1, 1, 0.60), (4, 0, 0.64), (4, 1, 0.66))
    ]
    text = plain(scoreboard.quality(pd.DataFrame(rows).assign(model="unet, width 16")))
    assert "| unet, width 16, random weights | 4 | 4 | | 4 min | 0.650 |" in text


ON_JAX = """
import importlib.abc, sys

class NoTensorFlow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError("no tensorflow here")

sys.meta_path.insert(0, NoTensorFlow())
from benchmarks import gpu
sys.argv[1:] = [*sys.argv[1:], "--width", "4", "--minutes", "0.01", "--batch-sizes", "4"]
sys.argv += ["--precisions", "mixed_bfloat16"]
gpu.main()
"""


def test_a_gpu_is_measured_by_jax_alone(patches_h5, tmp_path):
    pytest.importorskip("jax")
    table = tmp_path / "gpu.csv"
    own = {"KERAS_BACKEND": "jax", "XLA_FLAGS": HASTY}
    done = python(ON_JAX, patches_h5, "--table", table, **own)
    said = done.communicate()[0]
    found = pd.read_csv(table) if table.exists() else pytest.fail(said)
    assert list(found["precision"]) == ["mixed_bfloat16"]
    assert (found[["images a second", "network alone", "images seen"]] > 0).all(axis=None)
    assert found["miou"].between(0, 1).all() and set(found["hardware"]) == {"cpu"}
    assert found["share of peak"].isna().all()  # nobody has told a CPU's
