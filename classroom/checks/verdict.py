"""What a check is made of: verdicts, and looks at an answer that raise `Wrong`."""

import functools
import inspect
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np


class Wrong(Exception):
    """What is wrong with an answer, and what to look at."""


@dataclass(frozen=True)
class Verdict:
    """What a check says; true if the answer is right.

    Attributes:
        passed: whether the answer is right.
        text: one or two sentences.
    """

    passed: bool
    text: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{'Right' if self.passed else 'Not yet'}. {self.text}"

    def _repr_markdown_(self) -> str:
        return f"**{'Right' if self.passed else 'Not yet'}.** {self.text}"


def check(todo: str, right: str) -> Callable:
    """Turn a function that raises `Wrong` at a wrong answer into one that returns a verdict.

    Args:
        todo: what is asked for; said while a value is missing, and if it breaks the check off.
        right: said of a right answer.
    """

    def wrap(judge: Callable) -> Callable:
        name, *_ = inspect.signature(judge).parameters

        @functools.wraps(judge)
        def checked(answer=None, *given, **named) -> Verdict:
            answer = named.pop(name, answer)
            try:
                if unset(answer):
                    return Verdict(False, todo)
                with warnings.catch_warnings(action="ignore"):
                    judge(answer, *given, **named)
            except Wrong as wrong:
                return Verdict(False, str(wrong))
            except (Exception, SystemExit) as error:  # whatever a learner's code can raise
                stopped = type(error).__name__
                with suppress(Exception):
                    stopped = f"{stopped}: {error}"
                stopped = quoted(stopped)
                return Verdict(False, f"This stops with {stopped}. {todo}")
            return Verdict(True, right)

        return checked

    return wrap


def unset(value) -> bool:
    """Return whether a value, or a part of it, is still to be filled in: None or `...`."""
    if isinstance(value, tuple | list):
        return any(map(unset, value))
    return value is None or value is ...


def quoted(text: str) -> str:
    """Return the first line of a text, as Markdown shows code."""
    line = text.strip().split("\n")[0].replace("`", "’")
    return f"`{line:.120}`"


def numbers(answer, *counts: int) -> list[float]:
    """Return numbers from a number or anything that holds them: as many as one of the counts."""
    try:
        if np.asarray(answer).dtype.kind in "USb":  # text, or True and False
            raise TypeError
        found = np.asarray(answer, float).ravel().tolist()
    except (TypeError, ValueError):
        said = f"Numbers asked for: {counts[0]}, plain ones, such as 0.5."
        raise Wrong(f"{said} Found here: {quoted(repr(answer))}.") from None
    if len(found) not in counts:
        raise Wrong(f"Numbers asked for: {counts[0]}. Numbers found here: {len(found)}.")
    return found


def by_key(answer, keys: tuple) -> list:
    """Return the values of a dictionary, in the order of the keys that it should have."""
    if hasattr(answer, "to_dict"):  # a Series of pandas
        answer = answer.to_dict()
    if not isinstance(answer, dict):
        raise Wrong(f"This is a {type(answer).__name__}: make a dictionary with {keys} as keys.")
    if set(map(str, keys)) & (set(answer) - set(keys)):
        raise Wrong(f'The keys are in quotes here: write {keys[0]}, not "{keys[0]}".')
    if missing := [key for key in keys if unset(answer.get(key))]:
        raise Wrong(f"No value yet for {', '.join(map(str, missing))}.")
    return [answer[key] for key in keys]


def near(found, expected, tolerance: float = 0.006) -> bool:
    """Return whether numbers agree to about two digits."""
    return np.allclose(found, expected, rtol=0, atol=tolerance)


def call(function, *given, parts: int = 1):
    """Return what a learner's function returns: one array, or so many parts (0: whatever it is)."""
    if not callable(function):
        raise Wrong("Give the check the function itself, without parentheses.")
    name, found = getattr(function, "__name__", "your function"), function(*given)
    if parts and found is None:
        raise Wrong(f"`{name}` returns nothing: does it end with `return …`?")
    several = isinstance(found, tuple | list) and len(found) < 4  # a long list can be an array
    if parts and parts != (count := len(found) if several else 1):
        raise Wrong(f"`{name}` should return {parts} array(s). It returns {count}.")
    return found
