"""Run those runs of a plan that are not recorded yet, one after the other.

    python -m benchmarks.plan transfer              what benchmarks/plans/transfer.txt lists
    taskset -c 0 python -m benchmarks.plan transfer --part 1 2      beside it: -c 1 … --part 2 2

Each line of a plan holds the options of one `benchmarks.train`; lines that begin with # say why.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd

from benchmarks import options

PLANS = Path(__file__).parent / "plans"


def listed(path: Path) -> list[str]:
    """Return the runs of a plan, each as the command that is recorded with it."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    return [f"python -m benchmarks.train {line}" for line in lines]


def missing(commands: list[str]) -> list[str]:
    """Return those commands whose recipe no recorded run has followed."""
    return [one for one in commands if options.recipe(one) not in _recorded(one)]


def _recorded(command: str) -> list[dict]:
    """Return the recipes of the runs where a command would record its own."""
    given = options.read(shlex.split(command)[3:])
    board = given.results / "scoreboard.csv"
    return [options.recipe(one) for one in pd.read_csv(board)["command"]] if board.exists() else []


def main() -> None:
    """Run what is missing; a run that fails does not stop the others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("plan", help=", ".join(sorted(path.stem for path in PLANS.glob("*.txt"))))
    parser.add_argument("--part", type=int, nargs=2, default=(1, 1), metavar=("K", "N"))
    parser.add_argument("--list", action="store_true", help="only say what is missing")
    given = parser.parse_args()
    (k, n), failed = given.part, 0
    commands = missing(listed(PLANS / f"{given.plan}.txt")[k - 1 :: n])
    for number, command in enumerate(commands, 1):
        print(f"[{number}/{len(commands)}] {command}", flush=True)
        if not given.list:
            failed += subprocess.run([sys.executable, *shlex.split(command)[1:]]).returncode != 0
    sys.exit(f"{failed} of {len(commands)} runs failed" if failed else 0)


if __name__ == "__main__":
    main()
