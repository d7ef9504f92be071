"""`python -m classroom.book`: build the website of the course."""

import argparse
import sys

from classroom import book, publish
from segkit import files


def main() -> None:
    """Build the website of the course into work/book, and say how large it is."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    try:
        folder = book.build(files.work_root() / "book", repository=publish.current())
    except ValueError as error:
        sys.exit(str(error))
    written = [path for path in folder.rglob("*.html") if path.parent.name != "_static"]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    print(f"{files.shown(folder / 'index.html')}: {len(written)} pages, {size:.0f} MB in all")


if __name__ == "__main__":
    main()
