"""Recorded runs, and the tables and the figure made from them.

    python -m benchmarks.scoreboard      (or: make scoreboard)

Runs are appended by `benchmarks.train` and never changed. This command writes a table between each
pair of scoreboard marks, in two pages and notebooks 04 and 08, and the figures that they show.
Scores are written to two decimals, the spread of runs that differ in their seed alone to three.
"""

import json
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks import bench, options
from benchmarks.options import RESULTS, recipe
from benchmarks.score import INTERVAL
from benchmarks.workers import expected
from classroom import measures
from segkit import plots

TRIALS = RESULTS / "trials" / "scoreboard.csv"
TRANSFER = RESULTS / "transfer" / "scoreboard.csv"
FOLDS = RESULTS / "folds" / "scoreboard.csv"
BEST = RESULTS / "best" / "scoreboard.csv"
RECIPE = RESULTS / "recipe" / "scoreboard.csv"
CITY = RESULTS / "city_arms" / "scoreboard.csv"
RANDOM = RESULTS / "random" / "scoreboard.csv"
CURVES = RESULTS / "curves.csv"
NEIGHBORS = RESULTS / "neighbors.csv"
LANDSLIDES = RESULTS / "landslides.csv"
SLIDES = RESULTS / "slides.csv"
GENERALIZATION = RESULTS / "generalization.csv"
DISTANCES = RESULTS / "distances.csv"
CITY_FOLDS = RESULTS / "city_folds" / "scoreboard.csv"
NETWORKS = RESULTS / "city_networks" / "scoreboard.csv"
LABELS = RESULTS / "labels.csv"
STORING = RESULTS / "storing.csv"
ENGINES = RESULTS / "engines.csv"
TILE = RESULTS / "tile.csv"
WORKERS = RESULTS / "workers.csv"
VISITORS = RESULTS / "visitors.csv"
BASELINES = RESULTS / "baselines.csv"
ROOT = RESULTS.parent.parent
PAGES = (ROOT / "README.md", RESULTS.parent / "README.md")
SHOWING = ("04_pretrained_efficientnet_unet", "08_architectures")
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in SHOWING]
FIGURE = ROOT / "notebooks" / "images" / "scoreboard.png"
PACE, BENCH = FIGURE.with_name("pace.png"), FIGURE.with_name("bench.png")
MARKS = re.compile(r"(<!-- scoreboard (\w+) -->\n).*?(<!-- /scoreboard -->)", re.DOTALL)
#: What a split holds out, in words; the order of the table.
SPLITS = {"patch": "random patches (leaks)", "image": "images", "group": "groups"}
#: What notebook 04 calls its arms.
ARMS = {
    "unet, width 16, random weights": "U-Net",
    "efficientnet_unet, lite0, random weights": "random",
    "efficientnet_unet, lite0, ImageNet weights, norms still": "ImageNet",
}
#: What the first page calls those that it shows; it has room for eight rows.
SHORT = {
    "unet, width 16, random weights": "U-Net, from scratch",
    "efficientnet_unet, lite0, random weights": "U-Net on Lite0, from scratch",
    "efficientnet_unet, lite0, ImageNet weights, norms still": "U-Net on Lite0, pretrained",
    "efficientnet_unet, lite2, ImageNet weights, norms still": "U-Net on Lite2, pretrained",
}
#: Where, and how, a network that meets the second city has learned.
LEARNED = {
    "plain": "the first city",
    "second city": "the second city",
    "scales": "the first, squares of many sizes",
    "random encoder": "the first, from random numbers",
    "colors": "the first, bands tinted",
}
#: Scores whose time is told.
GOALS = (0.60, 0.65, 0.68)
#: Minutes of the runs that compare architectures, and what may differ between them.
MINUTES, COMPARED = 30, ("dataset", "model", "width", "minutes", "clock")


def check(path: Path) -> None:
    """Refuse a table of older columns before a long run, not after it."""
    if path.exists() and not set(INTERVAL) <= set(pd.read_csv(path, nrows=0)):
        raise ValueError(f"{path} has other columns than today's runs: move it away")


def runs(path: Path = RESULTS / "scoreboard.csv", dataset: str = "dubai") -> pd.DataFrame:
    """Read the runs on a data set, the real Dubai tiles, best first within each kind of split."""
    found = pd.read_csv(path)
    rule = found["split"].str.split(",").str[0].map(options.rule)
    found = found.assign(rule=rule, held_out=rule.map(SPLITS))
    found = found[(found["dataset"] == dataset) & rule.isin(SPLITS)]
    found = found.assign(rank=found["rule"].map(list(SPLITS).index))
    return found.sort_values(["rank", "miou"], ascending=[True, False])


def everything(found: pd.DataFrame) -> str:
    """Write all runs as a Markdown table."""
    wall = found["clock"].map({"wall": " (wall)", "cpu": "", "pace": " (pace)"})
    columns = {
        "held out": found["held_out"],
        "model": found["model"],
        "minutes": found["minutes"].map("{:g}".format) + wall,
        "seed": found["seed"],
        "mIoU": _numbers(found["miou"]),
        "95 %": _interval(found),
        "accuracy": _numbers(found["accuracy"]),
        "mIoU, turned and flipped": _numbers(found["miou, turned and flipped"]),
        "mIoU, six classes": _numbers(found["miou, six classes"]),
    }
    return _markdown(columns)


def architectures(found: pd.DataFrame) -> str:
    """Write the runs that differ in their network alone: whole images held out, equal minutes."""
    usual = recipe("benchmarks.train", COMPARED)
    alike = found["command"].map(lambda command: recipe(command, COMPARED) == usual)
    found = found[alike & (found["rule"] == "image") & (found["minutes"] == MINUTES)]
    found = found.sort_values("miou", ascending=False)
    columns = {
        "model": found["model"],
        "weights, million": (found["parameters"] / 1e6).map("{:.1f}".format),
        "pretrained": found["pretrained"],
        "crops seen": found["images_seen"].map("{:,}".format),
        "mIoU": _numbers(found["miou"]),
        "95 %": _interval(found),
        "accuracy": _numbers(found["accuracy"]),
        "road": _numbers(found["iou Road"]),
        "vegetation": _numbers(found["iou Vegetation"]),
    }
    return _markdown(columns)


def splits(found: pd.DataFrame) -> str:
    """Write the runs whose options differ in the split alone: one row each, one column a split.

    On random patches, a network also trains on the patches themselves, not on windows from anywhere
    in the images, and it is scored on patches that do not reach the images' right and lower ends.
    """
    found = found.assign(recipe=_recipes(found, "split"))
    found = found.groupby("recipe").filter(lambda runs: runs["rule"].nunique() > 1)
    alike = ["recipe", "model", "minutes", "seed"]
    scores = found.pivot_table(index=alike, columns="rule", values="miou")
    scores = scores.reindex(columns=list(SPLITS)).reset_index()
    columns = {
        "model": scores["model"],
        "minutes": scores["minutes"].map("{:g}".format),
        "seed": scores["seed"],
        **{SPLITS[rule]: _numbers(scores[rule]) for rule in SPLITS},
    }
    return _markdown(columns)


def seeds(found: pd.DataFrame) -> str:
    """Write how far runs lie apart that differ in their seed alone."""
    alike = found.groupby([_recipes(found, "seed"), "held_out", "model", "minutes"], sort=False)
    ends = alike.agg(
        runs=("seed", "nunique"), low=("miou", "min"), high=("miou", "max"),
        least=("accuracy", "min"), most=("accuracy", "max"),
    )  # fmt: skip
    ends = ends[ends["runs"] > 1].reset_index()
    columns = {
        "held out": ends["held_out"],
        "model": ends["model"],
        "minutes": ends["minutes"].map("{:g}".format),
        "seeds": ends["runs"],
        "mIoU": _range(ends["low"], ends["high"]),
        "accuracy": _range(ends["least"], ends["most"]),
    }
    return _markdown(columns)


def progress(found: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return, for each run on random patches, its scores by minutes, the last one included.

    The reference recipe learns six classes, ours here five; all are scored on the five.
    """
    curves, chosen = pd.read_csv(CURVES), found[found["rule"] == "patch"]
    ours_six = chosen["model"].str.contains("six") & ~chosen["model"].str.startswith("reference")
    chosen = chosen[~ours_six]
    names = chosen["model"] + chosen["minutes"].map(", {:g} min".format)
    names += chosen["seed"].map(", seed {}".format)
    if chosen["clock"].nunique() > 1 or names.duplicated().any():
        raise ValueError("random patches: different clocks, or one name twice")
    last = chosen[["command", "minutes", "miou", "accuracy"]]
    curves = curves.loc[curves["command"].isin(last["command"]), list(last)]
    points = pd.concat([curves, last]).sort_values("minutes").groupby("command")
    return {
        name: points.get_group(command)
        for name, command in zip(names, chosen["command"], strict=True)
    }


def random(found: pd.DataFrame) -> str:
    """Write the runs on random patches, by the conventions that courses score by."""
    columns = {
        "network": _arms(found),
        "minutes": found["minutes"].map("{:g}".format),
        "classes learned": found["model"].map(lambda name: 6 if "six" in name else 5),
    }
    for name, score in {
        "mIoU": "miou",
        "accuracy": "accuracy",
        "mIoU, six classes": "miou, six classes",
        "accuracy, six classes": "accuracy, six classes",
        "mIoU, batch mean": "miou, batch mean",
    }.items():
        columns[name] = _numbers(found[score], 3)
    return _markdown(columns)


def pace(found: pd.DataFrame) -> str:
    """Write when each run on random patches reached the best score of the reference recipe."""
    runs = progress(found)
    goal = max(run["miou"].max() for name, run in runs.items() if name.startswith("reference"))
    reached = [run.loc[run["miou"] >= goal, "minutes"].min() for run in runs.values()]
    columns = {
        "run": list(runs),
        "best mIoU": [f"{run['miou'].max():.2f}" for run in runs.values()],
        f"minutes to {goal:.3f}": ["" if pd.isna(m) else f"{m:.1f}" for m in reached],
    }
    return _markdown(columns)


def pace_figure(found: pd.DataFrame) -> Figure:
    """Draw the same runs, mean IoU by minutes."""
    drawn = Figure(figsize=(6.5, 3), layout="constrained", dpi=plots.DPI, facecolor="white")
    ax = drawn.subplots()
    for color, (name, run) in zip(plots.LINE_COLORS, progress(found).items(), strict=False):
        ax.plot(run["minutes"], run["miou"], "o-", color=color, label=name, markersize=4)
    ax.set(
        xlabel="minutes of training on two CPU cores",
        ylabel="mean IoU, five classes",
        xlim=(0, None),
    )
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return drawn


def trials(found: pd.DataFrame) -> str:
    """Write the short runs: what each did differently from the first, and what came of it.

    The order is that on the validation images: a recipe is not chosen by the test.
    """
    chosen = found.sort_index()["command"].map(recipe)
    differs = chosen.map(lambda one: _words(one, chosen.iloc[0]))
    found = found.assign(differs=differs).sort_values("miou (validation)", ascending=False)
    columns = {
        "what differs": found["differs"],
        "minutes": found["minutes"].map("{:g}".format),
        "crops seen": found["images_seen"].map("{:,}".format),
        "mIoU, validation": _numbers(found["miou (validation)"], 3),
        "mIoU, test": _numbers(found["miou (test)"], 3),
    }
    return _markdown(columns)


def transfer(found: pd.DataFrame, names: dict | None = None) -> str:
    """Write what ImageNet weights bring: arms that differ in the network or in its start alone.

    Args:
        found: the runs.
        names: shorter ones for some arms.
    """
    share = found["command"].map(lambda command: recipe(command)["share"])
    found = found.assign(arm=_arms(found).replace(names or {}), share=share)
    ends = _spread(found.groupby(["share", "minutes", "arm"]))
    ends = ends.sort_values(["share", "minutes", "miou"], ascending=[False, True, True])
    columns = {
        "training images": ends["share"].map("{:.0%}".format),
        "minutes": ends["minutes"].map("{:g}".format),
        "network": ends["arm"],
        **_over_seeds(ends),
        "accuracy": _numbers(ends["accuracy"], 3),
    }
    return _markdown(columns)


def headline(found: pd.DataFrame) -> str:
    """Write the runs of `SHORT` on all training images: minutes, network, mean, range."""
    found = found[found["command"].map(lambda one: recipe(one)["share"]) == 1]
    alike = found.assign(arm=_arms(found).map(SHORT)).groupby(["minutes", "arm"])
    ends = _spread(alike).assign(test=alike["miou (test)"].mean().to_numpy())
    ends = ends.sort_values(["minutes", "miou"])
    columns = {
        "minutes": ends["minutes"].map("{:g}".format),
        "network": ends["arm"],
        "mIoU": _numbers(ends["miou"], 3),
        "lowest–highest": _range(ends["low"].where(ends["seeds"] > 1), ends["high"]),
        "seeds": ends["seeds"],
        "mIoU, part 9 alone": _numbers(ends["test"], 3),
        "accuracy": _numbers(ends["accuracy"], 3),
    }
    return _markdown(columns)


def best(found: pd.DataFrame) -> str:
    """Write the runs that aim at the best score, plain and with the eight turns and flips."""
    aside = ["dataset", "minutes", "clock", "model", "variant", "weights"]
    usual = recipe("benchmarks.train", aside)
    chosen = found["command"].map(lambda command: _words(recipe(command, aside), usual))
    columns = {
        "network": _arms(found),
        "minutes": found["minutes"].map("{:g}".format),
        "crops seen": found["images_seen"].map("{:,}".format),
        "its own": chosen,
        "mIoU": _numbers(found["miou"], 3),
        "accuracy": _numbers(found["accuracy"], 3),
        "mIoU, turned and flipped": _numbers(found["miou, turned and flipped"], 3),
        "accuracy, turned and flipped": _numbers(found["accuracy, turned and flipped"], 3),
    }
    return _markdown(columns)


def arms(found: pd.DataFrame) -> str:
    """Write the arms of notebook 04: those runs whose encoder learns in the usual way."""
    chosen = found["command"].map(recipe)
    usual = chosen.map(lambda one: one["learning"] == one["encoder_rate"] == 1)
    usual &= chosen.map(lambda one: one["still_norms"] or one["weights"] == "none")
    return transfer(found[usual], ARMS)


def encoder(found: pd.DataFrame) -> str:
    """Write what the encoder of notebook 04 gains by learning, and how."""
    chosen = found["command"].map(recipe)
    borrowed = chosen.map(lambda one: one["weights"] == "imagenet" and one["share"] == 1)
    found = found.assign(learns=chosen.map(_learns))[borrowed]
    ends = _spread(found.groupby("learns")).sort_values("miou")
    return _markdown({"encoder": ends["learns"], **_over_seeds(ends)})


def _spread(alike) -> pd.DataFrame:
    """Return means and range of each group of runs that differ in their seed alone."""
    ends = alike.agg(
        seeds=("seed", "nunique"), miou=("miou", "mean"), low=("miou", "min"),
        high=("miou", "max"), accuracy=("accuracy", "mean"), crops=("images_seen", "mean"),
    )  # fmt: skip
    return ends.reset_index()


def _over_seeds(ends: pd.DataFrame) -> dict:
    """Return the columns that tables of such groups share."""
    return {
        "seeds": ends["seeds"],
        "crops seen": ends["crops"].map("{:,.0f}".format),
        "mIoU": _numbers(ends["miou"], 3),
        "lowest–highest": _range(ends["low"].where(ends["seeds"] > 1), ends["high"]),
    }


def _learns(chosen: dict) -> str:
    """Say what of an encoder learns, and how fast."""
    shares = {0: "frozen", 0.5: "the half near the decoder", 1: "whole"}
    norms = ", norms still" if chosen["still_norms"] and chosen["learning"] == 1 else ""
    slow = f", {chosen['encoder_rate']:g} of the rate" if chosen["encoder_rate"] != 1 else ""
    return shares[chosen["learning"]] + norms + slow


def folds(found: pd.DataFrame) -> str:
    """Write runs that left one group of images out: a row each, then mean and deviation."""
    group = found["split"].str.removeprefix(options.WITHOUT).str.rsplit(",", n=1).str[0]
    named = found.assign(group=group, arm=_arms(found))
    scores = named.pivot_table(index="group", columns="arm", values="miou")
    scores = scores[scores.mean().sort_values().index]
    scores["gain"] = scores.iloc[:, -1] - scores.iloc[:, 0]
    ends = {"mean": scores.mean(), "standard deviation": scores.std(ddof=1)}
    scores = pd.concat([scores, pd.DataFrame(ends).T])
    columns = {name: _numbers(scores[name], 3) for name in scores}
    return _markdown({"left out": scores.index.to_series(), **columns})


def _arms(found: pd.DataFrame) -> pd.Series:
    """Name the network of each run and what it starts from."""
    start = {"none": "random weights", "imagenet": "ImageNet weights"}
    chosen = found["command"].map(recipe)
    arms = found["model"] + ", " + chosen.map(lambda one: start[one["weights"]])
    return arms + chosen.map(lambda one: ", norms still" if one["still_norms"] else "")


def neighbors(_: pd.DataFrame) -> str:
    """Write what patches that overlap the test's add to its score (`benchmarks.lessons`)."""
    found = pd.read_csv(NEIGHBORS)
    found["gap"], found["sure"] = found["with"] - found["without"], found["gap low (95 %)"] > 0
    ends = found.groupby("passes").agg(
        seeds=("seed", "nunique"), without=("without", "mean"), neighbors=("with", "mean"),
        low=("gap", "min"), high=("gap", "max"), sure=("sure", "sum"),
    ).reset_index()  # fmt: skip
    columns = {
        "passes": ends["passes"],
        "seeds": ends["seeds"],
        "mIoU without": _numbers(ends["without"], 3),
        "with neighbors": _numbers(ends["neighbors"], 3),
        "gap, lowest–highest": _range(ends["low"], ends["high"]),
        "interval above 0": [
            f"{a} of {b}" for a, b in zip(ends["sure"], ends["seeds"], strict=True)
        ],
    }
    return _markdown(columns)


def landslides(_: pd.DataFrame) -> str:
    """Write what each loss finds of a rare class (`benchmarks.lessons`)."""
    ends = pd.read_csv(LANDSLIDES).groupby(["passes", "loss"]).agg(
        seeds=("seed", "nunique"), iou=("iou", "mean"), low=("iou", "min"), high=("iou", "max"),
        precision=("precision", "mean"), recall=("recall", "mean"),
    )  # fmt: skip
    ends = ends.reset_index().sort_values(["passes", "iou"])
    columns = {
        "passes": ends["passes"],
        "loss": ends["loss"],
        "seeds": ends["seeds"],
        "IoU of Landslide": _numbers(ends["iou"], 3),
        "lowest–highest": _range(ends["low"], ends["high"]),
        "precision": _numbers(ends["precision"], 3),
        "recall": _numbers(ends["recall"], 3),
    }
    return _markdown(columns)


def slides(_: pd.DataFrame) -> str:
    """Write what networks find that differ from the first in one thing (`benchmarks.lessons`)."""
    ends = pd.read_csv(SLIDES).groupby("arm").agg(
        seeds=("seed", "nunique"), f1=("f1 at threshold", "mean"), low=("f1 at threshold", "min"),
        high=("f1 at threshold", "max"), average=("average precision", "mean"),
    )  # fmt: skip
    ends = ends.reset_index().sort_values("f1")
    columns = {
        "network": ends["arm"],
        "seeds": ends["seeds"],
        "F1 of Landslide": _numbers(ends["f1"], 3),
        "lowest–highest": _range(ends["low"], ends["high"]),
        "average precision": _numbers(ends["average"], 3),
    }
    return _markdown(columns)


def labels(_: pd.DataFrame) -> str:
    """Write how many labels of the held-out images look wrong (`benchmarks.labels`)."""
    found = pd.read_csv(LABELS)
    columns = {"label": found["label"]}
    for where in ("away", "near a border"):
        columns[f"pixels {where}"] = found[where].map("{:,}".format)
        columns[f"look wrong {where}"] = found[f"share {where}"].map("{:.1%}".format)
    return _markdown(columns)


def storing(_: pd.DataFrame) -> str:
    """Write what a store of larger and larger tiles takes (`benchmarks.storing`)."""
    found = pd.read_csv(STORING)
    shown = ["rows", "columns", "seconds", "megapixels a second", "peak MiB"]
    return _markdown({name: found[name].map("{:,g}".format) for name in shown})


def engines(_: pd.DataFrame) -> str:
    """Write how fast engines run the same networks (`benchmarks.engines`)."""
    found = pd.read_csv(ENGINES)
    columns = {name: found[name] for name in ("hardware", "model", "engine")}
    columns["processor seconds"] = _numbers(found["seconds"], 3)
    columns["of TensorFlow's"] = _numbers(found["of TensorFlow's"])
    columns["lowest–highest"] = _range(found["least"], found["most"])
    columns["other class"] = found["other class"].map("{:.3%}".format)
    return _markdown(columns)


def tile(_: pd.DataFrame) -> str:
    """Write what a scene as large as a Sentinel-2 tile takes (`benchmarks.tile`)."""
    found = pd.read_csv(TILE)
    columns = {name: found[name] for name in ("hardware", "engine")}
    columns["minutes"] = _numbers(found["seconds"] / 60, 1)
    shown = ["windows", "over the network alone", "peak MiB"]
    return _markdown(columns | {name: found[name].map("{:,g}".format) for name in shown})


def reading(_: pd.DataFrame) -> str:
    """Write how many crops come in a second, and what eight workers may give."""
    found = pd.read_csv(WORKERS)
    columns = {name: found[name].astype(str).tolist() for name in found.columns[:2]}
    columns["crops a second"] = [f"{x:.0f}" for x in found["crops a second"]]
    spread = found[["least", "most"]].to_numpy()
    columns["lowest–highest"] = [f"{a:.0f}–{b:.0f}" for a, b in spread]
    columns["processor ms for each"] = [f"{x:.2f}" for x in found["processor ms"]]
    rates = found.set_index(["programs", "workers of each"])["crops a second"]
    if (1, 2) in rates:
        told = ["1", "8, expected", f"{expected(rates[1, 2], rates[2, 1], 8):.0f}", "", ""]
        columns = {k: [*v, one] for (k, v), one in zip(columns.items(), told, strict=True)}
    return _markdown(columns)


def visitors(_: pd.DataFrame) -> str:
    """Write what the app made of its visitors: medians, least and most (`benchmarks.visitors`)."""
    found = pd.read_csv(VISITORS)
    shown = [name for name in found if name not in ("hardware", "date", "command")]
    alike = found[shown].groupby("what", sort=False)
    columns = {"what": list(alike.groups), "measured": alike.size().tolist()}
    for name in shown[1:]:
        columns[name] = [_median(values.dropna()) for _, values in alike[name]]
    return _markdown(columns)


def _median(values: pd.Series) -> str:
    """Return the median of some numbers, with the least and the most where they differ."""
    if values.empty:
        return ""
    low, middle, high = (f"{values.quantile(q):.3g}" for q in (0, 0.5, 1))
    return middle if low == high else f"{middle} ({low}–{high})"


def baselines(_: pd.DataFrame) -> str:
    """Write what needs no network (`benchmarks.baselines`)."""
    found = pd.read_csv(BASELINES)
    columns = {name: found[name] for name in ("dataset", "method")}
    columns |= {x: _numbers(found[y], 3) for x, y in (("mIoU", "miou"), ("accuracy", "accuracy"))}
    return _markdown(columns)


def quality(found: pd.DataFrame) -> str:
    """Write in how many minutes each arm of the transfer runs reached a mean score, over seeds."""
    found = found[found["command"].map(lambda one: recipe(one)["share"]) == 1]
    means = found.groupby([_arms(found), "minutes"])["miou"].mean().unstack()
    columns = {"network": means.index}
    for goal in GOALS:
        first = (means >= goal).idxmax(axis=1).where((means >= goal).any(axis=1))
        columns[f"minutes to {goal:.2f}"] = ["" if pd.isna(m) else f"{m:g}" for m in first]
    last = means.ffill(axis=1).iloc[:, -1]
    longest = means.notna().apply(lambda row: row[row].index[-1], axis=1)
    columns["longest runs"] = longest.map("{:g} min".format)
    return _markdown(columns | {"mIoU then": _numbers(last, 3)})


def elsewhere(_: pd.DataFrame) -> str:
    """Write what a model loses in another city, and what brings it back."""
    found = pd.read_csv(GENERALIZATION)
    ends = found.groupby(["arm", "city", "remedy"], sort=False)["miou"]
    ends = ends.agg(["mean", "min", "max", "count"]).reset_index()
    columns = {
        "learned in": ends["arm"].map(LEARNED),
        "scored in": ends["city"].map({"sample": "the first", "second_city": "the second"}),
        "remedy": ends["remedy"],
        "seeds": ends["count"],
        "mean IoU": _numbers(ends["mean"], 3),
        "lowest–highest": _range(ends["min"], ends["max"]),
    }
    return _markdown(columns)


def distances(_: pd.DataFrame) -> str:
    """Write how far pictures lie from what the shipped models know (`benchmarks.distances`)."""
    found = pd.read_csv(DISTANCES)
    columns = {name: found[name] for name in ("model", "pictures", "count")}
    columns["median distance"] = _numbers(found["median"])
    columns["lowest–highest"] = _range(found["lowest"], found["highest"])
    return _markdown(columns)


def _recipes(found: pd.DataFrame, *without: str) -> pd.Series:
    """Return what decides the learning in each run, but for some options, to group by."""
    return found["command"].map(lambda command: str(recipe(command, without)))


def _words(chosen: dict, first: dict) -> str:
    """Name what a run did differently from the first one."""
    more = [f"{name} {chosen[name]}" for name in chosen if chosen[name] != first[name]]
    return ", ".join(more).replace("_", " ") or "nothing: the recipe of these trials"


TABLES = {
    "everything": everything,
    "architectures": architectures,
    "splits": splits,
    "seeds": seeds,
    "pace": pace,
    "random": lambda _: random(runs(RANDOM)),
    "networks": lambda _: transfer(runs(NETWORKS, "sample")),
    "trials": lambda _: trials(runs(TRIALS)),
    "transfer": lambda _: transfer(runs(TRANSFER)),
    "city": lambda _: transfer(runs(TRANSFER, "sample")),
    "best": lambda _: best(runs(BEST)),
    "headline": lambda _: headline(pd.concat([runs(TRANSFER), runs(BEST)])),
    "arms": lambda _: arms(runs(CITY, "sample")),
    "encoder": lambda _: encoder(runs(CITY, "sample")),
    "folds": lambda _: folds(pd.read_csv(FOLDS)),
    "recipe": lambda _: trials(runs(RECIPE)),
    "labels": labels,
    "neighbors": neighbors,
    "landslides": landslides,
    "slides": slides,
    "storing": storing,
    "reading": reading,
    "engines": engines,
    "tile": tile,
    "bench": lambda _: _markdown(bench.summary()),
    "quality": lambda _: quality(runs(TRANSFER)),
    "visitors": visitors,
    "baselines": baselines,
    "elsewhere": elsewhere,
    "distances": distances,
    "districts": lambda _: folds(pd.read_csv(CITY_FOLDS)),
}


def _numbers(column: pd.Series, digits: int = 2) -> pd.Series:
    return column.map(lambda value: "" if pd.isna(value) else f"{value:.{digits}f}")


def _range(low: pd.Series, high: pd.Series) -> list[str]:
    return ["" if pd.isna(a) else f"{a:.3f}–{b:.3f}" for a, b in zip(low, high, strict=True)]


def _interval(found: pd.DataFrame) -> list[str]:
    pairs = found[list(INTERVAL)].itertuples(index=False)
    return ["" if pd.isna(low) else f"{low:.2f}–{high:.2f}" for low, high in pairs]


def _markdown(columns: dict) -> str:
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True) + "\n"


def rendered(text: str, found: pd.DataFrame) -> str:
    """Fill in the table that each pair of marks in a text names."""
    return MARKS.sub(lambda hit: hit[1] + TABLES[hit[2]](found) + hit[3], text)


def figure(found: pd.DataFrame) -> Figure:
    """Draw the runs with their confidence intervals."""
    minutes = found["minutes"].map("{:g} min".format)
    minutes += found["clock"].map({"wall": " (wall)"}).fillna("")
    labels = found["model"] + ", " + minutes + ", seed " + found["seed"].astype(str)
    shown = found.set_index(labels)[["miou", *INTERVAL, "held_out"]]
    shown.columns = ["score", "low", "high", "group"]
    return measures.plot_intervals(shown, "mean IoU over five classes, 95 % interval over groups")


def main() -> None:
    """Render the recorded runs."""
    found = runs()
    drawn = {FIGURE: figure(found), PACE: pace_figure(found), BENCH: bench.figure()}
    for page in PAGES:
        page.write_text(rendered(page.read_text("utf-8"), found), encoding="utf-8")
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            text = rendered("".join(cell["source"]), found)
            cell["source"] = text.splitlines(keepends=True)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
    for path, picture in drawn.items():
        picture.savefig(path)
    print(f"{len(found)} runs → two pages, notebooks 04 and 08, three figures")


if __name__ == "__main__":
    main()
