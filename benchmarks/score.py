"""Every score of a trained model on held-out patches, each with its convention.

Unless a name says otherwise: data-set level, one confusion matrix over all held-out pixels, each
counted once, the real classes, unlabeled pixels left out.
"""

from pathlib import Path

import keras
import numpy as np

from segkit import metrics, patches, store, training

CONVENTION = "data-set level, real classes, unlabeled ignored"


def held_out(patches_h5: Path, split: str) -> list[str]:
    """Return the subsets that were not trained on and are not empty."""
    subsets = ("validation", "test")
    return [subset for subset in subsets if len(patches.members(patches_h5, subset, split))]


def all_scores(model: keras.Model, patches_h5: Path, split: str) -> dict[str, float]:
    """Predict the held-out patches once and read every score from the counts."""
    with store.opened(patches_h5, patches.FORMAT) as file:
        scheme, groups = store.scheme(file), file["group"].asstr()[:]
    classes, ignored = len(scheme), scheme.ignore_index
    counts, units, matrices, borders, sure = {}, [], [], 0, 0
    for subset in held_out(patches_h5, split):
        first = len(matrices)
        for i, mask, found, new in training.answers(model, patches_h5, subset, split):
            answer = found.argmax(axis=-1)
            truth = np.where(new, mask, ignored).astype(np.uint8)
            units.append(groups[i])
            matrices.append(metrics.confusion(mask[new], answer[new], classes))
            borders = borders + metrics.boundary_counts(truth, answer, classes, ignored)
            sure = sure + metrics.reliability(truth, found, ignored)
        counts[subset] = sum(matrices[first:])
    total, each = sum(counts.values()), np.stack(matrices)
    low, high = metrics.bootstrap(training.gathered(units, matrices)[1], scheme)
    six = metrics.summary(total)
    others = metrics.conventions(each, scheme)
    by_subset = {f"miou ({s})": metrics.summary(c, scheme)["miou"] for s, c in counts.items()}
    return {
        **metrics.summary(total, scheme),
        "miou low (95 %, groups drawn)": low,
        "miou high": high,
        "miou (validation)": None,
        "miou (test)": None,
        **by_subset,
        "miou, six classes": six["miou"],
        "accuracy, six classes": six["accuracy"],
        **{f"miou, {name}": others[name] for name in list(others)[1:]},
        "boundary f1 (3 px)": float(metrics.boundary_f1(borders, scheme).mean()),
        "calibration error": metrics.calibration_error(sure),
        **{f"iou {k}": v for k, v in metrics.scores(total, scheme)["iou"].dropna().items()},
    }


def quick_scores(model: keras.Model, patches_h5: Path, split: str, tta: bool = False) -> dict:
    """Return mean IoU, mean F1 and accuracy alone."""
    found = [
        training.evaluate(model, patches_h5, subset, split, tta=tta)
        for subset in held_out(patches_h5, split)
    ]
    with store.opened(patches_h5, patches.FORMAT) as file:
        return metrics.summary(sum(found), store.scheme(file))
