"""Rows of recorded runs: appended to a table, never changed."""

import csv
import platform
from datetime import UTC, datetime
from pathlib import Path

from segkit import __version__


def told(command: str) -> dict[str, str]:
    """Return what every row says of its making: version, day, command."""
    version = f"segkit {__version__}, Python {platform.python_version()}"
    return {"version": version, "date": datetime.now(UTC).date().isoformat(), "command": command}


def append(path: Path, rows: list[dict]) -> None:
    """Add rows to a CSV; a file with other columns is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        new = not path.exists()
        if not new:
            with path.open(newline="", encoding="utf-8") as file:
                if (header := next(csv.reader(file))) != list(row):
                    raise ValueError(f"{path} has other columns: {sorted(set(header) ^ set(row))}")
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
