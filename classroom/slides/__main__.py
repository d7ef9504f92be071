"""`python -m classroom.slides`: write one sheet for each notebook, and the notes."""

from classroom import slides
from segkit import files

if __name__ == "__main__":
    for path in slides.build(files.work_root() / "slides"):
        print(f"{files.shown(path)}: {path.stat().st_size / 1e6:.1f} MB; open it, and print it")
