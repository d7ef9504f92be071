"""The page data/README.md: one table for each data set that the library knows.

    make sources      (or: python -m classroom.sources)

writes them between two marks, from `segkit/datasets/table.toml`.
"""

import re
from pathlib import Path

from segkit import datasets

PAGE = Path(__file__).resolve().parent.parent / "data" / "README.md"
MARKS = re.compile(r"(<!-- data sets -->\n).*?(<!-- /data sets -->)", re.DOTALL)
ADDRESS = re.compile(r"https://[^\s,]+")
ROWS = {
    "what": "What", "license": "License", "size": "Size", "split": "Official split",
    "get": "How to get it", "where": "Where to put it", "becomes": "What it becomes",
    "mind": "Mind",
}  # fmt: skip


def section(name: str, entry: dict) -> str:
    """Return the heading and the table of one data set."""
    if not entry.get("city"):
        folder = entry.get("folders", [name])[0]
        entry = entry | {"where": f"`data/{folder}/{entry['example']}` and so on"}
    rows = {title: entry[key] for key, title in ROWS.items() if entry.get(key)}
    rows["How to get it"] = ADDRESS.sub(r"<\g<0>>", rows["How to get it"])
    if entry.get("kaggle") or entry.get("files"):
        rows["How to get it"] += f', or `segkit.datasets.fetch("{name}")`'
    lines = [f"| {title} | {text} |" for title, text in rows.items()]
    return "\n".join([f"## {name}: {entry['title']}", "", "| | |", "|---|---|", *lines, ""])


def rendered(text: str) -> str:
    """Return a page with the tables of today between its marks."""
    told = "\n".join(section(name, entry) for name, entry in datasets.REGISTRY.items())
    return MARKS.sub(lambda marks: f"{marks[1]}\n{told}\n{marks[2]}", text)


def main() -> None:
    """Write the page."""
    PAGE.write_text(rendered(PAGE.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
