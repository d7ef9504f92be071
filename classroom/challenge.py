"""A city that nobody has seen, to be mapped: a class competes, each year on another one.

    python -m classroom.challenge new
    python -m classroom.challenge score map.tif --seed <the number> --team "Blue crabs"

`new` draws a seed, says it, and writes tiles with masks to train on and a scene without. The seed
is the answer key: who teaches keeps it. `score` makes the scene's truth again from the seed,
compares, and appends a row to the table of this city, once for each team.
"""

import argparse
import hashlib
import secrets
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

import cityscape
from classroom import measures
from segkit import metrics
from segkit.classes import DUBAI
from segkit.files import alone, shown, whole, work_root

#: Pixels within which a border counts as found.
TOLERANCE = 3
#: A map may lie off its place by so small a share of a pixel: rounding.
OFF = 0.01
NO_DATA = 255
#: Bits of a seed that is drawn: too many to try them all.
BITS = 60
#: Who only tries a map, as often as they like.
NOBODY = "nobody"


class NotComparable(ValueError):
    """The map cannot be laid over the scene; the text says why, and what to do."""


def checked(map_tif: Path, scene: Path) -> np.ndarray:
    """Return the class indices of a map that lies on a scene's grid, uint8 (H, W).

    Raises:
        NotComparable: no such raster; another system, place, pixel or size; no class indices.
    """
    grid = "predict the scene with segkit.scenes.predict, which keeps its grid"
    try:
        mapped = rasterio.open(map_tif)
    except rasterio.RasterioIOError as error:
        raise NotComparable(f"{shown(map_tif)} is no raster that can be read: {error}") from error
    with mapped, rasterio.open(scene) as given:
        if mapped.crs != given.crs:
            found = mapped.crs or "no coordinate system"
            raise NotComparable(f"the map is in {found}, the scene in {given.crs}: {grid}")
        if not np.allclose(*([t.a, t.b, t.d, t.e] for t in (mapped.transform, given.transform))):
            sizes = f"{mapped.res[0]:g} m, those of the scene {given.res[0]:g} m, north up"
            raise NotComparable(f"the map's pixels are {sizes}: {grid}")
        right, up = (mapped.transform.c - given.transform.c, mapped.transform.f - given.transform.f)
        if not max(abs(right), abs(up)) <= OFF * given.res[0]:  # what is no number, neither
            if max(abs(right), abs(up)) >= given.width * given.res[0]:
                away = np.hypot(right, up) / 1000
                raise NotComparable(
                    f"the map is of another place, {away:.0f} km away: map {scene.name}, "
                    "or give the seed of its own city"
                )
            off = f"{right:+g} m east and {up:+g} m north"
            raise NotComparable(f"the map lies {off} of the scene: {grid}")
        if mapped.shape != given.shape:
            raise NotComparable(
                f"the map has {mapped.shape} pixels, the scene {given.shape}: {grid}"
            )
        if mapped.count != 1 or mapped.dtypes[0] != "uint8":
            bands = f"{mapped.count} bands of {mapped.dtypes[0]}"
            raise NotComparable(f"the map has {bands}: it must have one of uint8, class indices")
        try:
            indices = mapped.read(1)
        except rasterio.RasterioIOError as error:
            raise NotComparable(f"{shown(map_tif)} is cut off: copy it again ({error})") from error
    unknown = sorted(set(np.unique(indices)) - set(range(len(DUBAI))))
    if unknown:
        more = "no data: every pixel needs a class" if unknown == [NO_DATA] else "no classes"
        raise NotComparable(f"the map holds {list(map(int, unknown))}, which are {more}")
    return indices


def scores(truth: np.ndarray, mapped: np.ndarray) -> dict[str, float]:
    """Compare a map with the truth, both uint8 (H, W); unlabeled pixels count nowhere.

    Returns:
        miou; accuracy; boundary f1, the mean over the classes; area error: which share of
        the area would have to change its class for each class to have its true area (quantity
        disagreement, Pontius and Millones 2011); IoU by class.
    """
    counts = metrics.confusion(truth, mapped, len(DUBAI))
    labeled = np.delete(counts, DUBAI.ignore_index, axis=0)
    true, claimed = np.append(labeled.sum(axis=1), 0), labeled.sum(axis=0)
    borders = measures.boundary_counts(truth, mapped, len(DUBAI), DUBAI.ignore_index, TOLERANCE)
    summary = metrics.summary(counts, DUBAI)
    return {
        "miou": summary["miou"],
        "accuracy": summary["accuracy"],
        "boundary f1": float(measures.boundary_f1(borders, DUBAI).mean()),
        "area error": float(np.abs(claimed - true).sum() / (2 * true.sum())),
        **metrics.scores(counts, DUBAI)["iou"].dropna().add_prefix("iou ").to_dict(),
    }


def score(map_tif: Path, seed: int) -> dict[str, float]:
    """Score a map of the challenge's scene; it is made again from the seed, with its truth."""
    with tempfile.TemporaryDirectory() as folder:
        place = cityscape.write_scene(Path(folder) / "scene", cityscape.invented(seed))
        mapped = checked(map_tif, place / "scene.tif")
        with rasterio.open(place / "scene_mask.tif") as drawn:
            return scores(drawn.read(1), mapped)


def append(table: Path, row: dict) -> pd.DataFrame:
    """Add a row to a table; return it, best first.

    Raises:
        NotComparable: the team is there already, or this is no such table.
    """
    with alone(table):
        before = kept(table, row["team"])
        found = pd.concat([*before, pd.DataFrame([row])], ignore_index=True)
        with whole(table) as part:
            found.to_csv(part, index=False)
    return found.sort_values("miou", ascending=False, ignore_index=True)


def kept(table: Path, team: str) -> list[pd.DataFrame]:
    """Return what a table holds, in a list; nothing where there is none yet.

    Raises:
        NotComparable: the team is there already, or this is no such table.
    """
    if not table.exists():
        return []
    # A team may be called 7, or NA.
    plain = {"dtype": {"team": str, "map": str}, "keep_default_na": False, "na_values": [""]}
    try:
        before = pd.read_csv(table, **plain)
        there = {_plain(one) for one in before["team"].fillna("")} - {NOBODY}
        before["miou"].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise NotComparable(f"{shown(table)} is no table of scores: {error!r}") from error
    if _plain(team) in there:
        raise NotComparable(f"{team} has handed in a map already: one map for each team")
    return [before]


def _plain(team: str) -> str:
    return team.strip().casefold()


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError("a whole number from 0 to 2⁶³ − 1")
    return int(text)


def main(words: list[str] | None = None) -> None:
    """Write a challenge, or score a map."""
    folder = work_root() / "challenge"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tasks = parser.add_subparsers(dest="task", required=True)
    new, scored = tasks.add_parser("new"), tasks.add_parser("score")
    new.add_argument("--seed", type=_seed, help="drawn by default")
    scored.add_argument("--seed", type=_seed, required=True, help="names the city: keep it secret")
    new.add_argument("--folder", type=Path, default=folder / "city", help="to be handed out")
    scored.add_argument("map", type=Path, help="a GeoTIFF of class indices on the scene's grid")
    scored.add_argument("--team", default=NOBODY, help="who made the map")
    scored.add_argument("--table", type=Path, help="where scores are kept; one for each city")
    given = parser.parse_args(words)
    if given.task == "new":
        if (given.folder / "sample.json").exists():
            sys.exit(f"{shown(given.folder)} holds a city already: name another --folder")
        seed = secrets.randbits(BITS) if given.seed is None else given.seed
        try:
            made = cityscape.write(given.folder, cityscape.invented(seed), True, hidden=True)
        except OSError as error:
            sys.exit(str(error))
        print(f"The seed is {seed}: keep it to score by, and keep it secret.")
        print(f"Hand out {shown(made)}. The notebooks train on its tiles and map its scene with:")
        print("  SEGKIT_DATASET=dubai SEGKIT_DATA=path/of/city \\")
        print(
            "  SEGKIT_SCENE=path/of/city/scene/scene.tif SEGKIT_WORK=work/challenge/mine make lab"
        )
        return
    city = hashlib.sha256(str(given.seed).encode()).hexdigest()[:8]
    row = {
        "date": date.today().isoformat(),
        "team": given.team.strip() or NOBODY,
        "map": given.map.name,
    }
    table = given.table or folder / f"scores_{city}.csv"
    try:
        kept(table, row["team"])  # before the long work
        found = {key: round(value, 4) for key, value in score(given.map, given.seed).items()}
        print(append(table, row | found).to_string())
    except (NotComparable, OSError) as error:
        sys.exit(str(error))
    print(f"Kept in {shown(table)}.")


if __name__ == "__main__":
    main()
