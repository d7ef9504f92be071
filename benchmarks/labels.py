"""Say how many pixels of the recorded labels look wrong, by a network that never saw them.

    python -m benchmarks.labels --model dubai-lite2

Confident learning (Northcutt et al., 2021, https://doi.org/10.1613/jair.1.12125): a pixel labeled A
looks wrong where the network gives another class B at least the probability that it gives B on
average where the label is B. Near a border every label is a matter of taste, so pixels within 3 of
one are counted apart. Held-out images only; no label is changed.
"""

import argparse
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import score, tables, train
from benchmarks.options import FRACTIONS, RESULTS, rule
from classroom import measures
from segkit import store, training
from segkit.classes import ClassScheme

NEAR = 3  # pixels


def suspects(mask: np.ndarray, probabilities: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Return where a label looks wrong, bool (H, W).

    Args:
        mask: class indices (H, W), the labels.
        probabilities: (H, W, C).
        usual: (C,) mean probability of each class where the label is that class.
    """
    confident = np.where(probabilities >= usual, probabilities, 0)
    other = confident.argmax(axis=-1)
    return (confident.max(axis=-1) > 0) & (other != mask)


def usual_probabilities(answers, classes: int) -> np.ndarray:
    """Return (C,): the mean probability of a class where it is the label; infinite if nowhere."""
    total, pixels = np.zeros(classes), np.zeros(classes)
    for mask, probabilities, counted in answers:
        for klass in range(classes):
            there = counted & (mask == klass)
            total[klass] += probabilities[there][:, klass].sum(dtype=float)
            pixels[klass] += there.sum()
    return np.where(pixels > 0, total / np.maximum(pixels, 1), np.inf)


def table(answers, usual: np.ndarray, scheme: ClassScheme) -> pd.DataFrame:
    """Count labeled and suspect pixels per class, near borders and away from them."""
    counts = np.zeros((len(scheme), 4), np.int64)
    for mask, probabilities, counted in answers:
        wrong = suspects(mask, probabilities, usual)
        near = measures.distance_to_border(mask, scheme.ignore_index) < NEAR
        for klass in range(len(scheme)):
            there = counted & (mask == klass)
            counts[klass] += [
                (there & ~near).sum(), (there & ~near & wrong).sum(),
                (there & near).sum(), (there & near & wrong).sum(),
            ]  # fmt: skip
    columns = ["away", "away, looks wrong", "near a border", "near a border, looks wrong"]
    found = pd.DataFrame(counts, index=list(scheme.names), columns=columns)
    if scheme.ignore_index is not None:
        found = found.drop(scheme.names[scheme.ignore_index])
    return found[found.sum(axis=1) > 0]


def held_out_answers(model, patches_h5: Path, split: str, ignore_index: int | None):
    """Yield mask, probabilities and which pixels count, for each held-out patch."""
    for subset in score.held_out(patches_h5, split):
        for _, mask, probabilities, new in training.answers(model, patches_h5, subset, split):
            yield mask, probabilities, new & (mask != ignore_index)


def main() -> None:
    """Count, print, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="dubai")
    parser.add_argument("--split", default="image", type=rule, choices=list(FRACTIONS))
    parser.add_argument("--model", required=True, help="a name or a file, trained on that split")
    options = parser.parse_args()
    tiles_h5, patches_h5 = train.data(options.dataset, options.split)
    scheme, model = store.scheme(tiles_h5), training.load(options.model)
    if rule(model.record.get("split", "")) != options.split:
        parser.error(f"{options.model} was trained on split {model.record.get('split')}")
    what = (model, patches_h5, options.split, scheme.ignore_index)
    usual = usual_probabilities(held_out_answers(*what), len(scheme))
    found = table(held_out_answers(*what), usual, scheme)
    found.loc["all"] = found.sum()
    for where in ("away", "near a border"):
        found[f"share {where}"] = (found[f"{where}, looks wrong"] / found[where]).round(4)
    told = {
        "dataset": options.dataset,
        "split": f"{options.split}, seed 0, held out",
        "model": Path(options.model).stem,
        **tables.told(f"python -m benchmarks.labels {shlex.join(sys.argv[1:])}"),
    }
    found.rename_axis("label").assign(**told).to_csv(RESULTS / "labels.csv")
    print(found.to_string())


if __name__ == "__main__":
    main()
