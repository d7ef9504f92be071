"""Run the notebooks from tiles to a map: `python -m classroom`, or `make course`."""

import argparse
import base64
import contextlib
import copy
import io
import math
import os
import re
import shutil
import subprocess
import time
from datetime import datetime
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from nbclient import NotebookClient
from PIL import Image

from classroom import course
from classroom.colab import main_ones
from segkit.classes import DUBAI, LANDSLIDE
from segkit.files import REPOSITORY, shown, whole, work_root

NOTEBOOKS = main_ones(REPOSITORY / "notebooks")
ROAD = [
    path for path in NOTEBOOKS if path.name < "08"
]  # from tiles to a map; the others go further
TIMES = REPOSITORY / "benchmarks" / "results" / "notebooks.csv"
CELL_TIMEOUT_S = 24 * 3600
#: Gray levels within which a color of a picture gives way to white, black, or a class color.
CLOSE = 8
#: Sliders are nothing without a kernel.
WIDGET = "application/vnd.jupyter.widget-view+json"
#: A cell with a tag such as "image:city" has its picture kept as images/city.png.
IMAGE_TAG = "image:"
#: The page of notebook 07, and its picture in a browser: pixels from left to right, from top down.
PAGE, PAGE_PICTURE, WINDOW = "maps/map.html", "07_page.png", "1040,640"
#: Cells with this tag are the exercises; they stand in a notebook and in its solutions.
EXERCISE = "exercise"


def run(notebooks: list[Path], folder: Path) -> pd.DataFrame:
    """Execute notebooks in order; say which one runs, how long it took, and how much memory.

    Args:
        notebooks: which ones.
        folder: where the executed notebooks go, under their names within `notebooks/`.

    Returns:
        One row per notebook: its name, the seconds it took, and GiB of memory at its peak, NaN
        where no system says so.
    """
    rows = []
    for number, path in enumerate(notebooks, 1):
        name = path.relative_to(REPOSITORY / "notebooks").with_suffix("").as_posix()
        print(f"[{number}/{len(notebooks)}] {name} … ", end="", flush=True)
        began = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
        taken = []  # GiB at the kernel's peak
        client.on_cell_complete = partial(_look, taken, client)
        try:
            client.execute()
        except Exception:
            if folder != REPOSITORY / "notebooks":  # what is kept there has run to its end
                _write(notebook, path, folder)
            raise
        _write(notebook, path, folder)
        rows.append([name, round(time.perf_counter() - began), taken[0] if taken else math.nan])
        print(f"{rows[-1][1]} s, {rows[-1][2]} GiB", flush=True)
    table = pd.DataFrame(rows, columns=["notebook", "seconds", "peak GiB"])
    print(f"all of them: {table['seconds'].sum()} s")
    return table


def _look(taken: list, client: NotebookClient, **_) -> None:
    """Note the GiB that a notebook's kernel took at its peak, where the system says so (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        status = Path(f"/proc/{client.km.provisioner.pid}/status").read_text()
        taken[:] = [round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20, 1)]


def record(times: pd.DataFrame, path: Path) -> None:
    """Write the times of notebooks into the table of all; those that did not run keep theirs."""
    before = pd.read_csv(path)
    kept = before[~before["notebook"].isin(times["notebook"])]
    order = before["notebook"].tolist() + times["notebook"].tolist()
    after = pd.concat([kept, times]).sort_values(
        "notebook", key=lambda names: names.map(order.index)
    )
    with whole(path) as part:
        after.to_csv(part, index=False)


def _write(notebook, path: Path, folder: Path) -> None:
    """Write an executed notebook, and the pictures of a main one."""
    kept = _tidy(notebook)
    if path in NOTEBOOKS:
        _keep(kept, folder / "images", path.stem)
    with whole(folder / path.relative_to(REPOSITORY / "notebooks")) as part:
        nbformat.write(notebook, part)


def _tidy(notebook) -> dict[str, bytes]:
    """Join streams, drop sliders, make pictures small; return tagged ones, and the last as ""."""
    kept = {}
    for cell in notebook.cells:
        merged = []
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                continue
            before = merged[-1] if merged else {}
            if output.output_type == "stream" and before.get("name") == output.name:
                before["text"] += output.text
            else:
                merged.append(output)
            if "image/png" in output.get("data", {}):
                picture = compact(base64.b64decode(output.data["image/png"]))
                output.data["image/png"] = base64.b64encode(picture).decode()
                tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith(IMAGE_TAG)]
                for name in ["", *(tag.removeprefix(IMAGE_TAG) for tag in tags)]:
                    kept[name] = picture
        if "outputs" in cell:
            cell["outputs"] = merged
    notebook.metadata.pop("widgets", None)
    return kept


def _keep(pictures: dict[str, bytes], folder: Path, title: str) -> None:
    """Write pictures as PNG; the last one of a notebook is its title picture."""
    for name, picture in pictures.items():
        with whole(folder / f"{name or title}.png") as part:
            part.write_bytes(picture)


def compact(png: bytes) -> bytes:
    """Return a picture (PNG) with a palette: white, black, colors of masks and maps, 96 more."""
    with Image.open(io.BytesIO(png)) as picture, io.BytesIO() as small:
        full = picture.convert("RGB")
        found = full.quantize(96, dither=Image.Dither.NONE).getpalette("RGB")
        palette = Image.new("P", (1, 1))
        fixed = [(255,) * 3, (0,) * 3, *DUBAI.colors, *DUBAI.for_maps().colors[:-1]]
        fixed = np.array([*fixed, *LANDSLIDE.colors])
        found = np.reshape(found, (-1, 3))
        far = np.abs(found[:, None] - fixed).max(axis=-1).min(axis=1) > CLOSE
        palette.putpalette([*fixed.ravel().tolist(), *found[far].ravel().tolist()])
        colors = full.quantize(palette=palette, dither=Image.Dither.NONE)
        colors.save(small, "PNG", optimize=True)
        return small.getvalue()


def photograph(page: Path, target: Path) -> None:
    """Keep a picture of a page as Chromium shows it; without that browser, say so."""
    if (browser := shutil.which("chromium") or shutil.which("google-chrome")) is None:
        print(f"no Chromium here: {shown(target)} stays as it is")
        return
    with whole(target) as part:
        how = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WINDOW}"]
        how += ["--virtual-time-budget=5000", f"--screenshot={part}", page.resolve().as_uri()]
        subprocess.run([browser, *how], check=True, capture_output=True, timeout=120)
        part.write_bytes(compact(part.read_bytes()))


def with_exercises(notebook, solutions):
    """Return a notebook with its "Your turn" as the solutions have it.

    The solutions are the source: each cell tagged "exercise", text or code, is copied word for
    word; what stands between them is a solution, and stays there. A cell that the notebook has
    already keeps its outputs; a new or changed one has none until it is run.

    Args:
        notebook, solutions: as nbformat reads them.
    """
    exercises = [c for c in solutions.cells if EXERCISE in c.metadata.get("tags", [])]
    headings = [cell.source.split("\n")[0] for cell in notebook.cells]
    first, last = headings.index("## Your turn") + 1, headings.index("## Recap")
    ran = {cell.source: cell for cell in notebook.cells[first:last] if cell.cell_type == "code"}
    written, copied = copy.deepcopy(notebook), copy.deepcopy(exercises)
    for cell in copied:
        if cell.cell_type == "code":
            before = ran.get(cell.source, {})
            cell.outputs = before.get("outputs", [])
            cell.execution_count = before.get("execution_count")
    written.cells[first:last] = copied
    return written


def main() -> None:
    """Run notebooks 00 to 07 and say where the results lie."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--renew", action="store_true", help="all notebooks and solutions; outputs go to notebooks/"
    )
    parser.add_argument(
        "--exercises", action="store_true", help="copy the exercises from solutions/; run nothing"
    )
    parser.add_argument("names", nargs="*", help='with --renew, only those that begin so: "04"')
    chosen = parser.parse_args()
    solutions = [path.parent / "solutions" / path.name for path in NOTEBOOKS]
    if chosen.exercises:
        for path, solved in zip(NOTEBOOKS, solutions, strict=True):
            notebook, source = (nbformat.read(one, as_version=4) for one in (path, solved))
            if (written := with_exercises(notebook, source)) != notebook:
                aside = work_root() / "replaced" / f"{datetime.now():%Y%m%d-%H%M%S}-{path.name}"
                aside.parent.mkdir(parents=True, exist_ok=True)
                kept = shown(shutil.copy(path, aside))
                print(f"{path.name}: exercises written anew; as it was: {kept}")
                with whole(path) as part:
                    nbformat.write(written, part)
        return
    os.environ["SEGKIT_PROGRESS"] = "0"
    print(course.stamp())
    if chosen.renew:
        both = [*NOTEBOOKS, *solutions]
        wanted = [
            path for path in both if not chosen.names or path.stem.startswith((*chosen.names,))
        ]
        from benchmarks import speed  # loads TensorFlow

        stamp = f"{course.stamp()} · {speed.milliseconds():.0f} ms per 128-pixel crop of training"
        record(run(wanted, REPOSITORY / "notebooks").assign(run=stamp), TIMES)
        if (page := course.workspace() / PAGE).exists():
            photograph(page, REPOSITORY / "notebooks" / "images" / PAGE_PICTURE)
        return
    folder = course.workspace()
    run(ROAD, folder / "notebooks")
    print("What the course made:")
    for pattern in ("*.h5", "models/*.keras", "models/*.json", "scores.csv", "maps/*", "notebooks"):
        for path in sorted(folder.glob(pattern)):
            print(f"  {shown(path)}")
