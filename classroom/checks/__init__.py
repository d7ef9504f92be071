"""Checks of the exercises: each tells a wrong answer what is wrong with it, a right one that it is.

Every "Your turn" uses them. A check is called at the end of an exercise's cell, and its verdict is
what the cell shows:

    grid = None  # (rows, columns) of patches
    checks.patch_grid(grid)      # Not yet. Set `grid` to (rows, columns), such as (4, 5).

An answer is a value, or, in a repair, the learner's function itself, which the check calls with
inputs of its own. A check never raises and changes nothing: nothing done yet, a wrong answer and an
answer that breaks off are all verdicts. So a notebook runs from start to end, solved or not.

To grade: run a learner's notebook. The output of each cell that ends in a check begins with "Right"
or "Not yet". Or call a check with an answer: the verdict is true where it is right, and `.passed`
and `.text` say so one by one. A learner who can read these files can find the answers in them, as
in `notebooks/solutions/`: the checks are there to help, not to examine.

To write one: in the file of its notebook, a function that raises `Wrong`, with a sentence or two,
for each mistake that somebody makes, the most telling first, and ends when all is well; `@check`
does the rest; then name it here. In a repair, one of the mistakes is the fault as planted.
`tests/test_checks.py` holds each check to its answers.
"""

from classroom.checks.app import gigabytes, safe_legend, waits
from classroom.checks.architectures import far_sight, gate_count
from classroom.checks.basemap_visualization import border_weights, placed_map, scene_middle
from classroom.checks.evaluation import both_ious, held_out
from classroom.checks.generalization import labeled_tiles, running_means, shown_width
from classroom.checks.hdf5_data_preparation import band_order, ignored_block, window_read
from classroom.checks.land_planning import greenest, joined_by_name, more_places
from classroom.checks.landslides import cheapest_threshold, chip_mean, rare_scores
from classroom.checks.patchification import halved_mask, patch_grid, thrown_away
from classroom.checks.pretrained_efficientnet_unet import learning_share, raw_pixels
from classroom.checks.scaling_out import country_hours, whole_task, worker_count
from classroom.checks.start_here import growth, palette
from classroom.checks.tracking import chosen_run, crops_seen, luck
from classroom.checks.training_on_gpu import dice_ends, rare_weights
from classroom.checks.unet_from_scratch import bottom_sizes, model_answer
from classroom.checks.verdict import Verdict, Wrong, check

__all__ = [
    "Verdict",
    "Wrong",
    "check",
    "palette",
    "growth",
    "window_read",
    "ignored_block",
    "band_order",
    "patch_grid",
    "thrown_away",
    "halved_mask",
    "model_answer",
    "bottom_sizes",
    "learning_share",
    "raw_pixels",
    "dice_ends",
    "rare_weights",
    "both_ious",
    "held_out",
    "scene_middle",
    "placed_map",
    "border_weights",
    "gate_count",
    "far_sight",
    "shown_width",
    "running_means",
    "labeled_tiles",
    "rare_scores",
    "cheapest_threshold",
    "chip_mean",
    "greenest",
    "more_places",
    "joined_by_name",
    "crops_seen",
    "luck",
    "chosen_run",
    "gigabytes",
    "waits",
    "safe_legend",
    "country_hours",
    "worker_count",
    "whole_task",
]
