"""The checks: a fault fails as planted, passes repaired, and a wrong repair hears what is wrong."""

import ast
import inspect
import sys
from functools import partial
from itertools import count
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import rasterio
from helpers import dubai_tree
from PIL import Image

from classroom import checks
from segkit import classes, datasets, store

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
#: What the exercises' cells take from the cells above them; `now` stands for a seed that changes.
NAMES = {"np": np, "Image": Image, "rasterio": rasterio, "checks": checks, "now": count()}
CHECKS = {n for n, f in inspect.getmembers(checks, inspect.isfunction) if hasattr(f, "__wrapped__")}


def cells_that_call(folder: Path, tagged: bool) -> dict[str, nbformat.NotebookNode]:
    """Return, for each check, the cell that calls it: an exercise, or else a solution."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and "\nchecks." in cell.source:
                name = cell.source.rsplit("\nchecks.", 1)[1].split("(")[0]
                if ("exercise" in cell.metadata.get("tags", [])) == tagged:
                    found[f"{path.stem[:2]} {name}"] = cell
    return found


STUBS, SOLUTIONS = (cells_that_call(NOTEBOOKS / "solutions", tagged) for tagged in (True, False))


def source_of(cells: dict, name: str) -> str:
    """Return the code that calls a check."""
    return next(cell.source for key, cell in cells.items() if key[3:] == name)


def verdict(source: str) -> checks.Verdict:
    """Run a cell, and return what its last line gives."""
    *body, last = ast.parse(source).body
    names = dict(NAMES)
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


NAMED, FIFTH = "sorted(set(place_names))", "len(set(place_names)) // 5"
#: For each fault: the faulty line; what repairs it; what does not, and a word of what is said then.
REPAIRS = {
    "band_order": (
        "return imread(path)",
        ["return imread(path)[:, :, [2, 1, 0]]", "return np.flip(imread(path), axis=2)"],
        {
            "return imread(path)[::-1]": "upside down",
            "return imread(path)[:, ::-1]": "mirrored",
            "return imread(path)[::-1, ::-1, ::-1]": "turned",
            "return np.roll(imread(path), 1, axis=-1)": "not to red, green, blue",
            "return 255 - imread(path)": "numbers themselves",
            "return imread(path).mean(axis=-1)": "keep its shape",
            "return imread(path)[..., ::-1].astype(float)": "keep them uint8",
            "return imread(path), path": "1 array(s)",
            "imread(path)[..., ::-1]": "returns nothing",
        },
    ),
    "halved_mask": (
        "mask = Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR)",
        [
            "mask = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)",
            "mask = mask[: height // 2 * 2 : 2, : width // 2 * 2 : 2]",
        ],
        {
            "mask = Image.fromarray(mask).resize(size[::-1], 0)": "(width, height)",
            "mask = mask[::2, ::2]": "both should be 6×9",
            "mask = np.float32(mask[1::2, 1::2])": "whole numbers",
            "mask = np.where(mask[:12:2, ::2] != mask[1::2, ::2], 5, mask[:12:2, ::2])": (
                "the small one 1, 3, 5"
            ),
            "mask = mask[:6, :9]": "cropped",
            "mask = 1 + 2 * (np.asarray(Image.fromarray(mask).resize(size, 2)) > 2)": "some Road",
            "image, mask = 255 - np.array(image), mask[1::2, 1::2]": "image has changed",
            "image, mask = mask[1::2, 1::2], image": "have changed places",
            "return image": "2 array(s)",
        },
    ),
    "raw_pixels": (
        "return (patch - patch.min()) / (patch.max() - patch.min())",
        ["return patch", "return patch.clip(0, 255)", "return patch / 255 * 255"],
        {
            "return patch / 255": "it would see black",
            "return 255 * (patch - patch.min()) / (patch.max() - patch.min())": "Back on 0 to 255",
            "return (patch - patch.mean()) / patch.std()": "The same roof",
            "return patch / 127.5 - 1": "again inside the model",
            "return patch[None]": "keep its shape",
            "return patch * 2": "not those of the patch",
        },
    ),
    "held_out": (
        "held_out = rng.permutation(len(place_names)) < len(place_names) // 5",
        [
            f"held_out = np.isin(place_names, rng.choice({NAMED}, {FIFTH}, replace=False))",
        ],
        {
            "held_out = np.argsort(np.argsort(place_names)) < len(place_names) // 5 + 4": "in two",
            f"held_out = np.isin(place_names, {NAMED}[: len(place_names) // 5])": "on one side",
            f"held_out = rng.permutation(len({NAMED})) < 2": "one for each",
            f"held_out = np.isin(place_names, rng.permutation({NAMED})[:5])": "50%",
            f"held_out = np.isin(place_names, np.roll({NAMED}, next(now))[:2])": "two ways",
            f"held_out = np.isin(place_names, {NAMED}[:2])": "Of 500 places 2",
            f"held_out = np.isin(place_names, {NAMED}[-({FIFTH}) :])": "the same places",
            f"held_out = np.isin(place_names, rng.choice({NAMED}, {FIFTH}))": "none twice",
            f"drawn = rng.permutation({NAMED}); sizes = [(place_names == x).sum() for x in drawn]; "
            "few = np.cumsum(sizes) - sizes < len(place_names) // 5; "
            "held_out = np.isin(place_names, drawn[few])": "Of 500 places",
            f"return np.isin(place_names, {NAMED}[:2])": 'neither "train" nor "test"',
        },
    ),
    "placed_map": (
        'place = {"crs": scene.crs}',
        ['place = {"crs": scene.crs, "transform": scene.transform}'],
        {
            'place = {"transform": scene.transform}': "no CRS",
            'place = {"crs": "EPSG:3857", "transform": scene.transform}': "EPSG:3857",
            'place = {"crs": scene.crs, "transform": rasterio.Affine(1, 0, 0, 0, 1, 5)}': "down",
            'place = {"crs": scene.crs, "transform": scene.transform * rasterio.Affine.scale(2)}': (
                "0.5×0.5 m"
            ),
            'place = {"crs": scene.crs, "transform": scene.window_transform(((2, 4), (0, 6)))}': (
                "1 m to the south"
            ),
            "place = scene.profile": "stops with `TypeError",
            'rasterio.open(map_tif, "w", **scene.profile).write(mask, 1); return': "one band",
            'mask, place = mask[::-1], {"crs": scene.crs, "transform": scene.transform}': "rows",
        },
    ),
    "labeled_tiles": (
        "return rng.choice(tiles, count, replace=False).tolist()",
        [
            "return rng.choice(sorted(set(tiles) - set(test)), count, replace=False)",
            "return [x for x in rng.permutation(tiles).tolist() if x not in test][:count]",
        ],
        {
            "return [x for x in rng.permutation(tiles).tolist() if x not in test]": "number",
            "return rng.choice([x for x in tiles if x not in test], count).tolist()": "twice",
            "return [x for x in tiles if x not in test][:count]": "the same tiles",
            "return rng.permutation([x for x in tiles if x not in test][:count])": "never drawn",
            'return [f"{i} x" for i in rng.permutation(40)[:count]]': "none of the tiles",
            "import random; left = sorted({*tiles} - {*test}); return random.sample(left, count)": (
                "let `rng` alone draw"
            ),
            "pass": "does it end with",
        },
    ),
    "chip_mean": (
        "scores.append(2 * hit / both if both else 1.0)",
        [
            "scores.append(2 * hit / both if both else np.nan)\n    return np.nanmean(scores)",
            "scores += [2 * hit / both] if both else []",
        ],
        {
            "scores.append(2 * hit / max(both, 1))": "nobody asked",
            "scores += [2 * hit / both] if truth.any() else []": "False alarm".lower(),
            "scores.append(1.0 if both else 0.0)": "nothing found",
            "scores.append(hit)": "the mean is 0.5",
            "scores += [hit / (both - hit)] if both else []": "Half of a third",
        },
    ),
    "border_weights": (
        "across = np.hanning(size)",
        [
            "across = np.hanning(size + 2)[1:-1]",
            "across = np.hamming(size)",
            "across = np.hanning(size) + 0.001",
            "across = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2",
        ],
        {
            "across = np.hanning(size + 1)[1:]": "row(s) 31",
            "across = np.ones(size)": "alike",
            "across = np.hanning(size) - 0.01": "not finite",
            "across = 1 - 0.9 * np.hanning(size)": "border weighs more",
            "across = np.linspace(0.1, 1, size)": "lean",
            "across = np.hanning(size + 2)": "(34, 34)",
            "across = np.hanning(34)[1:-1]": "not for 20",
            "across = np.r_[0.1, 0.1, np.ones(size - 4), 0.1, 0.1]": "Flat but",
            "return np.tile(np.hamming(size), (size, 1))": "both down and across",
        },
    ),
    "safe_legend": (
        'lines = [f"<li>{name}: {share:.0%}</li>" for name, share in zip(names, shares)]',
        [
            "import html; lines = [f'<li>{html.escape(n)}: {s:.0%}</li>' "
            "for n, s in zip(names, shares)]",
            "from html import escape; lines = [f'<li>{escape(n, quote=False)}: {s:.0%}</li>' "
            "for n, s in zip(names, shares)]",
        ],
        {
            "lines = [f'<li>{n}: {s:.0%}</li>' for n, s in zip(names, shares) "
            "if '<' not in n]": "A line is gone",
            "lines = [f\"<li>{n.replace('&', '&amp;').split('<')[0]}: {s:.0%}</li>\" "
            "for n, s in zip(names, shares)]": "as it is",
            "lines = [f\"<li>{n.replace('<', '&lt;')}: {s:.0%}</li>\" "
            "for n, s in zip(names, shares)]": "plain &",
            "lines = [f\"<li>{n.replace('&', '&amp;').replace('<script', '')}: {s:.0%}</li>\" "
            "for n, s in zip(names, shares)]": "other code than scripts",
            "lines = [f\"<li>{n.replace('&', '&amp;').replace('<', '')}: {s:.0%}</li>\" "
            "for n, s in zip(names, shares)]": "as it is",
            "return '\\n'.join(names)": "<ul>",
            "import html; lines = [f'<li>{html.escape(html.escape(n))}: {s:.0%}</li>' "
            "for n, s in zip(names, shares)]": "Escaped twice",
            "return len(names)": "as one text",
        },
    ),
    "chosen_run": (
        'best = table.sort_values("test_miou").iloc[-1]',
        [
            'best = table[table["state"] == "finished"].sort_values("val_miou").iloc[-1]',
            'best = table.loc[table["val_miou"].where(table["state"] == "finished").idxmax()]',
        ],
        {
            'best = table.sort_values("val_miou").iloc[-1]': "not finished",
            'best = table.sort_values("val_miou").iloc[0]': "not the best",
            "best = table.iloc[0]": "not the best",
            'best = table.dropna().sort_values("val_miou").iloc[-1]': "it stops, with IndexError",
            'best = table.loc[(table["val_miou"] + table["test_miou"]).idxmax()]': "best on test",
            'best = table.loc[table.filter(like="miou").fillna(0).min(axis=1).idxmax()]': "'e'",
            'best = table.sort_values("valmiou").iloc[-1]': "It stops, with KeyError 'valmiou'",
            "return table": "*name*",
        },
    ),
    "whole_task": (
        """    if target.exists():
        return
    with target.open("wb") as file:
        for piece in pieces:
            file.write(piece)
""",
        [
            """    if target.exists():
        return
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    part.replace(target)
""",
            """    import os
    target = target.resolve()
    if os.path.lexists(target):
        return
    part = target.with_suffix(".part")
    part.write_bytes(b"".join(pieces))
    os.link(part, target)
    part.unlink()
""",
            """    if target.exists():
        return
    import os, tempfile
    with tempfile.NamedTemporaryFile(delete=False, dir=target.parent) as file:
        for piece in pieces:
            file.write(piece)
    os.replace(file.name, target)
""",
        ],
        {
            """    if not target.exists():
        target.write_bytes(b"".join(pieces))
""": "under the name that counts",
            """    try:
        target.write_bytes(b"".join(pieces))
    except Exception:
        return
""": "pass for one",
            """    try:
        with target.open("wb") as file:
            for piece in pieces:
                file.write(piece)
    except BaseException:
        target.unlink()
        raise
""": "one who is killed cannot",
            """    target.write_bytes(b"".join(pieces))
""": "done again",
            """    if target.exists():
        return
    part = target.with_name(target.name + ".part")
    with part.open("ab") as file:
        for piece in pieces:
            file.write(piece)
    part.replace(target)
""": "nothing of the first try",
            """    part = target.with_name(target.name + ".part")
    if not target.exists():
        part.write_bytes(b"".join(pieces))
        target.write_bytes(part.read_bytes())
""": "left over: map.tif.part",
            """    part = target.with_name(target.name + ".part")
    if not target.exists():
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            part.replace(target)
""": "still open",
        },
    ),
    "joined_by_name": (
        "joined[list(table)] = table.to_numpy()",
        [
            "joined[list(table)] = table.reindex(joined['name']).to_numpy()",
            'joined = joined.join(table, on="name")',
            'joined = joined.merge(table, left_on="name", right_index=True)',
            'joined = joined.set_index("name").join(table).reset_index()',
        ],
        {
            "joined[list(table)] = table": "row numbers were compared",
            "joined[list(table)] = 0.5": "numbers of no district",
            'joined = joined.sort_values("name"); joined[list(table)] = table.to_numpy()': (
                "One of four has no numbers"
            ),
            'joined["name"] = sorted(joined["name"]); joined = joined.join(table, on="name")': (
                "parted from their outlines"
            ),
            "joined = table.reset_index(names='name')": "outlines or their names are gone",
            "pass": "has not arrived",
            'joined[list(table)] = table.loc[joined["name"]].to_numpy()': "One of four has no",
            'joined = table.merge(districts, left_index=True, right_on="name")': "a plain table",
            'joined = districts; joined[list(table)] = table.loc[joined["name"]].values': "a copy",
            'joined = joined.join(table, on="name").iloc[:2]': "is gone",
        },
    ),
}


@pytest.mark.parametrize("name", REPAIRS)
def test_a_planted_fault_fails_and_its_repairs_pass(name):
    line, repairs, _ = REPAIRS[name]
    planted = source_of(STUBS, name)
    assert planted.count(line) == 1
    assert not verdict(planted)
    for repair in repairs:
        assert verdict(planted.replace(line, repair)), repair
    # what stands before a solution is the exercise itself, with its imports and helpers
    without_check = planted.rsplit("\nchecks.", 1)[0]
    assert verdict(f"{without_check}\n{source_of(SOLUTIONS, name)}")


def test_test_tiles_are_known_by_name_not_by_where_they_stand():
    line, planted = REPAIRS["labeled_tiles"][0], source_of(STUBS, "labeled_tiles")
    last = planted.replace(line, "return rng.choice(tiles[: -len(test)], count, replace=False)")
    assert "a leak" in verdict(last).text


@pytest.mark.parametrize("name", REPAIRS)
def test_a_wrong_repair_hears_what_is_wrong(name):
    line, _, wrong = REPAIRS[name]
    planted = source_of(STUBS, name)
    said = {getattr(checks, name)().text, verdict(planted).text}
    for repair, word in wrong.items():
        found = verdict(planted.replace(line, repair))
        assert not found and word in found.text, (repair, found)
        said.add(found.text)
    assert len(said) == 2 + len(wrong) >= 5


@pytest.fixture(scope="module")
def large_tiles_h5(tmp_path_factory):
    """A store whose third tile holds a window of 100×100 pixels at row 60, column 60."""
    folder = dubai_tree(tmp_path_factory.mktemp("large"), tiles=1, parts=3, size=170)
    return store.build(datasets.find("dubai", folder), folder / "tiles.h5")


LISTED = pd.DataFrame({"height": [398, 519, 1024], "width": [506, 397, 1030]})
LOST = {
    s: 1 - sum(h // s * s * (w // s * s) for h, w in LISTED.to_numpy()) / LISTED.prod(axis=1).sum()
    for s in (64, 128, 256, 320)
}
MEAN_LOST = {
    s: float(np.mean([1 - h // s * s * (w // s * s) / (h * w) for h, w in LISTED.to_numpy()]))
    for s in LOST
}
PALETTE = dict(zip(classes.DUBAI.names, classes.DUBAI.colors, strict=True))
PAINTED = np.ones((20, 20), int)
PAINTED[:10, :10] = 5
ROWS = PAINTED.copy()
ROWS[:10] = 5
HECTARES = pd.DataFrame(
    {"Land": [4.0, 30.0], "Vegetation": [4.0, 12.0], "Water": [2.0, 6.0]}, ["Gardens", "Sands"]
)
EVEN = np.full((1, 64, 96, 6), 1 / 6, np.float32)
#: For each warm-up and knob: what the check is given, the right answer, and wrong ones.
RECORD = {"options": {"steps": 20, "images_per_step": 8}, "history": [{}, {}, {}]}
ANSWERS = {
    "palette": (
        (classes.DUBAI,),
        PALETTE,
        [
            ({color: name for name, color in PALETTE.items()}, "changed places"),
            (list(PALETTE.items()), "list"),
            ({**PALETTE, "Road": PALETTE["Water"]}, "Road is not (226, 169, 41)"),
            ({**PALETTE, "Road": "#6EC1E4"}, "three numbers"),
            ({**PALETTE, "Water": (..., ..., ...)}, "No value yet for Water"),
            ({name: PALETTE[name] for name in ("Building", "Land")}, "Road, Vegetation"),
        ],
    ),
    "growth": (
        (),
        1_945_606 / 488_070,
        [
            (2, "also reads"),
            (0.25, "turn it round"),
            (1_945_606, "a number of"),
            (63.6, "twice"),
            (2.99, "no increase"),
            ({16: 1_945_606}, "plain ones"),
        ],
    ),
    "ignored_block": (
        (classes.DUBAI,),
        PAINTED,
        [
            (PAINTED * 0, "Building"),
            (PAINTED * 0 + 5, "No pixel is left"),
            (np.zeros((20, 20, 3)), "(20, 20, 3)"),
            (ROWS, "More than 10×10"),
            (PAINTED + 1, "class numbers 0 to 5"),
        ],
    ),
    "patch_grid": (
        (),
        (3, 2),
        [
            ((2, 1), "border"),
            ((2, 3), "changed places"),
            (6, "in all"),
            ((7, 4), "every pixel"),
            ((3, 2, 1), "found here: 3"),
            (np.zeros((3, 2, 4, 4)), "themselves"),
            ("3 × 2", "plain ones"),
        ],
    ),
    "thrown_away": (
        (LISTED,),
        LOST,
        [
            ({s: 100 * x for s, x in LOST.items()}, "percentages"),
            ({s: 1 - x for s, x in LOST.items()}, "kept"),
            (MEAN_LOST, "mean over the tiles"),
            ({**LOST, 320: 0.5}, "size 320"),
            ({str(s): x for s, x in LOST.items()}, "in quotes"),
        ],
    ),
    "model_answer": (
        ((64, 96), 6),
        EVEN,
        [
            (EVEN.transpose(0, 2, 1, 3), "64 rows of 96"),
            (EVEN[0], "batch"),
            (EVEN.argmax(axis=-1), "class numbers"),
            (np.zeros((1, 64, 96, 3)), "the picture"),
            (EVEN.shape, "the array itself"),
            (EVEN * 2, "sum up"),
        ],
    ),
    "bottom_sizes": (
        (),
        {2: 64, 3: 32, 4: 16, 5: 8},
        [
            ({2: 128, 3: 64, 4: 32, 5: 16}, "too few"),
            ({2: 32, 3: 16, 4: 8, 5: 4}, "too many"),
            ({2: 128, 3: 85, 4: 64, 5: 51}, "Each level"),
            ({2: 64, 3: 32, 4: 16, 5: 10}, "depth 5"),
            ({2: 64, 3: None, 4: 16, 5: ...}, "No value yet for 3, 5"),
        ],
    ),
    "learning_share": (
        (),
        866_438 / 3_825_286,
        [
            (866_438, "a number"),
            (22, "0 and 1"),
            (1.0, "models.unfreeze"),
            (0.773, "held still"),
            (866_438 / 3_785_830, "norms stand still"),
            (866_438 / 3_865_830, "only stored"),
        ],
    ),
    "dice_ends": (
        (),
        (0, 0.8),
        [
            ((0.8, 0), "changed places"),
            ((0, 1), "added above"),
            ((1, 0.2), "overlaps"),
            (0, "asked for: 2"),
        ],
    ),
    "rare_weights": (
        (),
        {0: 1, 0.5: 7, 1: 49},
        [
            ({0: 1, 0.5: 1 / 7, 1: 1 / 49}, "turn it round"),
            ({0: (1, 1), 0.5: (0.89, 6.25), 1: (0.51, 25)}, "two weights"),
            ({0: 1, 0.5: 24.5, 1: 49}, "square root"),
            ({0: 1, 0.5: 7, 1: 25}, "power 1"),
            ({0: 1, 0.5: 6.25, 1: 25}, "the second by the first"),
        ],
    ),
    "both_ious": (
        (),
        (2 / 3, 0.5),
        [
            ((0.5, 0.667), "changed places"),
            ((0.8, 0.667), "Dice"),
            ((0.667, 1), "recall"),
            ((1, 0.5), "precision"),
            ((66.7, 50), "no percentage"),
            (0.75, "asked for: 2"),
        ],
    ),
    "shown_width": (
        (),
        600,
        [(1667, "turn it round"), (0.6, "factor"), (300, "meters"), (1000, "stay"), (500, "How")],
    ),
    "running_means": (
        (),
        (1.422, 5),
        [
            ((5, 1.422), "other order"),
            ((8.478, 5), "share of the *old*"),
            ((5, 5), "one by one"),
            ((1.2, 5), "0.2 after the first"),
            ((1.422, 4), "2/2 + 4/2"),
        ],
    ),
    "rare_scores": (
        (),
        (0.978, 160 / 380),
        [
            ((97.8, 42), "from 0 to 1"),
            ((160 / 380, 0.978), "other order"),
            ((0.99, 160 / 380), "120 pixels are missed"),
            ((0.978, 0.4), "recall, or precision"),
            ((0.978, 80 / 300), "IoU"),
            ((0.978, 0.5), "does the map claim"),
        ],
    ),
    "cheapest_threshold": (
        (),
        0.2,
        [
            (0.7, "turn it round"),
            (0.1, "a false alarm less"),
            (0.5, "landslides are missed"),
            (0.3, "10 ×"),
        ],
    ),
    "gate_count": ((), 9, [(179, "all of the network"), (7, "biases"), (4, "skip"), (10, "bias")]),
    "greenest": (
        (HECTARES,),
        ("Gardens", 0.5),
        [
            (("Gardens", 0.4), "water is still counted"),
            (("Gardens", 4), "hectares of green"),
            (("Gardens", 50), "percentage"),
            (("Gardens", 0.25), "share of all green"),
            (("Gardens", 0.7), "by hectares of land"),
            (("Sands", 0.25), "Not Sands"),
            ((0.5, "Gardens"), "name comes first"),
            (("Harbor", 0.5), "No such district"),
            ("Gardens", "Two things"),
        ],
    ),
    "more_places": (
        (),
        0.5,
        [
            (2, "turn it round"),
            (0.25, "four times as good"),
            (1, "No change"),
            (4, "how many more"),
            (0.75, "Hardly"),
            ((0.5, 0.5), "found here: 2"),
        ],
    ),
    "gigabytes": (
        (),
        1.8,
        [
            (0.6, "one band"),
            (1.676, "2³⁰"),
            (14.4, "gigabits"),
            (1.8e9, "digits"),
            (3, "three bands"),
        ],
    ),
    "waits": (
        (),
        (60, 31.5, 10),
        [
            ((31.5, 60, 10), "last one first"),
            ((57, 28.5, 10), "own turn"),
            ((60, 30, 10), "first one waits"),
            ((60, 20, 10), "The mean"),
            ((20, 3, 10), "and so on"),
            ((60, 31.5, 9), "at most 30"),
        ],
    ),
    "crops_seen": (
        (RECORD,),
        480,
        [(160, "one epoch"), (60, "These are steps"), (24, "not one step"), (7, "length")],
    ),
    "luck": (
        (),
        0.0373,
        [
            (0.0187, "old spread"),
            (0.837, "take off"),
            (0.0, "best of its 20"),
            (0.08, "best of all worlds"),
            (0.03, "average"),
        ],
    ),
    "country_hours": (
        (),
        3.7156,
        [
            (3.7156 * 100, "one core alone"),
            (3.7156 * 3600, "seconds"),
            (3.7156 / 2, "0.25 m²"),
            (3.7156 / 24, "days"),
            (12, "5 million"),
        ],
    ),
    "worker_count": (
        (),
        13,
        [
            (16, "All cores"),
            (18, "its scene"),
            (13.33, "come whole"),
            (14, "does not fit"),
            (3, "down"),
        ],
    ),
    "far_sight": ((), 1, [(9, "24 places apart"), (0, "middle"), (81, "count_nonzero")]),
}

#: Right answers in another form.
ALSO_RIGHT = {
    "palette": [pd.Series(PALETTE), {name: np.array(color) for name, color in PALETTE.items()}],
    "growth": [4, np.float32(3.99), [3.986]],
    "ignored_block": [PAINTED.tolist(), PAINTED.astype(np.uint8)],
    "patch_grid": [[3, 2], np.array([3, 2]), (3, 2, 4, 4)],
    "thrown_away": [pd.Series(LOST), {np.int64(s): round(x, 2) for s, x in LOST.items()}],
    "learning_share": [0.23, 8_059_942 / 25_608_558],
    "greenest": [["Gardens", np.float64(0.5)], ("Gardens", 0.501)],
    "more_places": [np.float64(0.45), [0.53]],
    "rare_weights": [{0.0: 1, 0.5: 7, 1.0: 49}, pd.Series([1, 7, 49], [0, 0.5, 1])],
    "both_ious": [(0.67, 0.5), pd.Series([2 / 3, 1 / 2])],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_told_right_from_wrong(name):
    given, right, wrong = ANSWERS[name]
    check = getattr(checks, name)
    for answer in (right, *ALSO_RIGHT.get(name, [])):
        assert check(answer, *given), answer
    said = {check(None, *given).text}
    for answer, word in wrong:
        found = check(answer, *given)
        assert not found and word in found.text, (answer, found)
        said.add(found.text)
    assert len(said) == 1 + len(wrong)


def test_a_window_is_told_right_from_wrong(large_tiles_h5):
    third = store.index(large_tiles_h5).index[2]
    size = {"height": 100, "width": 100}
    right = store.read(large_tiles_h5, third, 50, 60, **size)
    wrong = {
        "changed places": store.read(large_tiles_h5, third, 60, 50, **size),
        "elsewhere": store.read(large_tiles_h5, third, **size),
        "how large": store.read(large_tiles_h5, third, 50, 60),
        "comes first": right[::-1],
        "both": right[0],
        "mask is not": (right[0], right[1][::-1]),
        "image is not": (right[0] / 255, right[1]),
    }
    assert checks.window_read(right, large_tiles_h5)
    for word, window in wrong.items():
        found = checks.window_read(window, large_tiles_h5)
        assert not found and word in found.text


def test_the_middle_of_a_scene_is_told_right_from_wrong(tmp_path):
    place = {"crs": "EPSG:32640", "transform": rasterio.Affine(0.5, 0, 331_793, 0, -0.5, 2_781_724)}
    path = tmp_path / "scene.tif"
    with rasterio.open(path, "w", "GTiff", 300, 200, 1, dtype="uint8", **place) as scene:
        scene.write(np.ones((200, 300), np.uint8), 1)
    assert checks.scene_middle((331_868, 2_781_674), path)
    wrong = {
        "first": (2_781_674, 331_868),
        "row and column": (100, 150),
        "upper left": (331_793, 2_781_724),
        "lower right": (331_943, 2_781_624),
        "longitude": (55.33, 25.13),
        "order": (331_843, 2_781_649),
        "Nearly": (331_869, 2_781_674),
    }
    for word, middle in wrong.items():
        found = checks.scene_middle(middle, path)
        assert not found and word in found.text, (middle, found)


def test_every_check_is_tested_and_belongs_to_an_exercise():
    assert {*REPAIRS, *ANSWERS, "window_read", "scene_middle"} == CHECKS
    assert {key[3:] for key in STUBS} == CHECKS
    assert STUBS.keys() == SOLUTIONS.keys()


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_never_raises(name):
    def breaks(*_):
        raise RuntimeError("as a learner's code may")

    given = () if name in REPAIRS else ANSWERS.get(name, [("no tiles",)])[0]

    class Silent(Exception):
        def __str__(self):
            raise ValueError

    def whispers(*_):
        raise Silent

    odd = (None, "text", "0.5", ["0.5", "1"], True, object(), [], {}, (None, None), np.zeros(0))
    for answer in (*odd, breaks, whispers, print):
        found = getattr(checks, name)(answer, *given)
        assert not found and 3 < len(found.text.split()) < 60, (answer, found)


def test_whatever_a_call_does_is_a_verdict():
    def noisy(size):
        raise ValueError("a `first` line\nand a second")

    assert checks.growth(factor=4)
    for found, word in (
        (checks.growth(weights=4), "Set `factor`"),
        (checks.growth(4, weights=8), "unexpected keyword"),
        (checks.growth(...), "Set `factor`"),
        (checks.both_ious((None, 0.5)), "Set `ious`"),
        (checks.placed_map("map.tif"), "without parentheses"),
        (checks.border_weights(sys.exit), "stops with `SystemExit: 32`. `weights`"),
        (checks.border_weights(noisy), "stops with `ValueError: a ’first’ line`. `weights`"),
        (checks.border_weights(partial(print, end="")), "`your function` returns nothing"),
    ):
        assert not found and word in found.text, found


def test_a_verdict_reads_well():
    verdict = checks.Verdict(False, "Look at the border.")
    assert repr(verdict) == "Not yet. Look at the border." and not verdict
    assert checks.Verdict(True, "So it is.")._repr_markdown_() == "**Right.** So it is."


@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_stored_outputs_say_what_is_right(folder):
    where = NOTEBOOKS if folder == "notebooks" else NOTEBOOKS / "solutions"
    for tagged, begins in ((True, "Not yet. "), (False, "Right. ")):
        for key, cell in cells_that_call(where, tagged).items():
            said = [o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"]
            assert said and said[0].startswith(begins), (key, said)
