"""Every score of a trained model on held-out patches, each with its convention.

Unless a name says otherwise: data-set level, one confusion matrix over all held-out pixels, each
counted once, the real classes, unlabeled pixels left out. The other conventions and the borders
take whole patches, so that pixels where patches overlap count more than once.
"""

from pathlib import Path

import keras
import numpy as np

from classroom import measures
from segkit import evaluation, metrics, patches, store

CONVENTION = "data-set level, real classes, unlabeled ignored"
#: From so many groups of images on, an interval over groups is given.
FEWEST_GROUPS = 5
INTERVAL = ("miou low (95 %, groups drawn)", "miou high")


def held_out(patches_h5: Path, split: str) -> list[str]:
    """Return the subsets that were not trained on and are not empty."""
    subsets = ("validation", "test")
    return [subset for subset in subsets if len(patches.members(patches_h5, subset, split))]


def all_scores(model: keras.Model, patches_h5: Path, split: str) -> dict[str, float | None]:
    """Predict the held-out patches once and read every score from the counts."""
    scheme, groups = store.scheme(patches_h5), patches.index(patches_h5)["group"]
    classes, ignored = len(scheme), scheme.ignore_index
    subsets, units, matrices, whole, borders, sure = [], [], [], [], 0, 0
    for subset in held_out(patches_h5, split):
        for i, mask, found, new in evaluation.answers(model, patches_h5, subset, split):
            answer = found.argmax(axis=-1)
            subsets.append(subset)
            units.append(groups[i])
            matrices.append(metrics.confusion(mask[new], answer[new], classes))
            whole.append(metrics.confusion(mask, answer, classes))
            borders = borders + measures.boundary_counts(mask, answer, classes, ignored)
            sure = sure + measures.reliability(mask[new], found[new], ignored)
    total, others = sum(matrices), measures.conventions(np.stack(whole), scheme)
    by_subset = dict(zip(*evaluation.gathered(subsets, matrices), strict=True))
    six = metrics.summary(total)
    return {
        **metrics.summary(total, scheme),
        **_interval(evaluation.gathered(units, matrices)[1], scheme),
        **{f"miou ({name})": _miou(by_subset.get(name), scheme) for name in patches.SUBSETS[1:]},
        "miou, six classes": six["miou"],
        "accuracy, six classes": six["accuracy"],
        **{f"miou, {name}": others[name] for name in list(others)[1:]},
        "boundary f1 (3 px)": float(measures.boundary_f1(borders, scheme).mean()),
        "calibration error": measures.calibration_error(sure),
        **_by_class(total, scheme),
    }


def _miou(matrix, scheme) -> float | None:
    return None if matrix is None else metrics.summary(matrix, scheme)["miou"]


def _interval(by_group: np.ndarray, scheme) -> dict[str, float | None]:
    """Return the ends of the interval, or None where there are too few groups for one."""
    few = len(by_group) < FEWEST_GROUPS
    ends = (None, None) if few else measures.bootstrap(by_group, scheme)
    return dict(zip(INTERVAL, ends, strict=True))


def _by_class(matrix: np.ndarray, scheme) -> dict[str, float]:
    """Return the IoU of each class that counts; NaN for one that is nowhere."""
    found = metrics.scores(matrix, scheme)["iou"]
    if scheme.ignore_index is not None:
        found = found.drop(scheme.names[scheme.ignore_index])
    return {f"iou {name}": value for name, value in found.items()}


def quick_scores(model: keras.Model, patches_h5: Path, split: str, tta: bool = False) -> dict:
    """Return mean IoU, mean F1 and accuracy alone."""
    found = [
        evaluation.evaluate(model, patches_h5, subset, split, tta=tta)
        for subset in held_out(patches_h5, split)
    ]
    return metrics.summary(sum(found), store.scheme(patches_h5))
