"""Checks of notebook 13 Tracking."""

import pandas as pd

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `crops_seen` to a number: crops in a step, steps in an epoch, epochs.",
    "Crops say more than epochs: an epoch is as long as somebody made it.",
)
def crops_seen(crops_seen, record):
    """13, warm-up: what a run has seen, from its record."""
    (found,), options = numbers(crops_seen, 1), record["options"]
    steps, batch, epochs = options["steps"], options["images_per_step"], len(record["history"])
    if near(found, steps * batch * epochs, 0.5):
        return
    if near(found, steps * batch, 0.5):
        raise Wrong("This is one epoch.")
    if near(found, steps * epochs, 0.5):
        raise Wrong("These are steps. How many crops does a step take?")
    if near(found, epochs * batch, 0.5):
        raise Wrong("An epoch is not one step: see the option `steps`.")
    raise Wrong("Look at `images_per_step`, `steps`, and the length of the history.")


@check(
    "Set `luck` to a number: the mean of the best of 20 scores, above the truth.",
    "Twice the spread, twice the luck: about 1.9 times the spread for 20 runs.",
)
def luck(luck):
    """13, knob: the winner's curse grows with the spread."""
    (found,) = numbers(luck, 1)
    if 0.0355 <= found <= 0.0395:
        return
    if 0.017 <= found <= 0.0205:
        raise Wrong("This is the luck with the old spread of 0.01.")
    if 3.5 <= found <= 4:
        raise Wrong("In mIoU from 0 to 1, please, not in hundredths.")
    if found > 0.5:
        raise Wrong("Above the truth: take off the true score.")
    if abs(found) < 0.003:
        raise Wrong("This is the mean of all. Of each world, take the best of its 20 runs.")
    if 0.045 <= found <= 0.1:
        raise Wrong("The best of all worlds? Take the best of each, then the mean over the worlds.")
    raise Wrong("Draw worlds of 20 runs with a spread of 0.02; take each one's best; average.")


#: Runs as `tracking.compare` tells them; the best by validation is not the best by test, nor by
#: the sum of the two, nor by the lower of the two. One was never scored on test.
PLAIN = pd.DataFrame(
    {
        "run": ["a", "b", "e", "c", "f"],
        "state": ["finished"] * 5,
        "val_miou": [0.75, 0.72, 0.70, 0.60, 0.50],
        "test_miou": [0.69, None, 0.71, 0.95, 0.52],
    }
)


@check(
    "`chosen_run` takes a table and returns the name of one run.",
    "Chosen on validation, among runs that have a model; the test set stays out of it.",
)
def chosen_run(chosen_run):
    """13, repair: a run chosen by its score on test."""
    killed = pd.DataFrame({"run": ["d"], "state": ["unfinished"], "val_miou": [0.9]})
    fresh, turned = PLAIN.assign(test_miou=None), PLAIN[::-1].reset_index(drop=True)
    cases = [(PLAIN, "a", "by validation"), (turned, "a", "in another order")]
    cases.append((pd.concat([killed, PLAIN], ignore_index=True), "a", "finished runs"))
    cases.append((fresh, "a", "scored by nobody yet"))
    cases.append((PLAIN.drop(columns="test_miou"), "a", "without scores on test"))
    for table, right, about in cases:
        kept = table.copy()
        try:
            found = call(chosen_run, table, parts=0)
        except (KeyError, IndexError) as error:
            early = "test_miou" in str(error) or isinstance(error, IndexError)
            early = early and ("test_miou" not in table or table["test_miou"].isna().all())
            told = "Where nobody has scored on test it stops" if early else "It stops"
            raise Wrong(f"{told}, with {type(error).__name__} {error}.") from None
        if not table.equals(kept):
            raise Wrong("The table has changed: work on a copy, or change nothing.")
        if found is None:
            raise Wrong("It returns nothing: does it end with `return …`?")
        if not isinstance(found, str):
            raise Wrong("The *name* of a run is asked for: the column `run`.")
        _compare(found, right, about)


def _compare(found: str, right: str, about: str) -> None:
    """Raise `Wrong` unless the right run was chosen."""
    if found == right:
        return
    if found == "d":
        raise Wrong("It chose a run that is not finished: there is no model to load.")
    if found == "b":
        raise Wrong("It chose a run without a score on test: sorted by that, it comes last.")
    if about == "by validation" and found == "c":
        raise Wrong("It chose the best on test. What is chosen by test has no honest score left.")
    raise Wrong(f"It chose {found!r} ({about}), whose validation mIoU is not the best.")
