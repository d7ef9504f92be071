"""The Dubai tiles: 8 tiles of 9 parts, RGB and color masks."""

from pathlib import Path

from segkit.classes import DUBAI
from segkit.datasets.base import Dataset, DatasetNotFound, Tile, described, natural, pairs
from segkit.files import data_root, shown

FOLDER = "Semantic segmentation dataset"
BLACK = (0, 0, 0)
KAGGLE = "https://www.kaggle.com/datasets/humansintheloop/"
ADDRESS = KAGGLE + "semantic-segmentation-of-aerial-imagery"


def find(root: Path | None) -> Dataset:
    """Find the tiles below `dubai/` of the data folder."""
    root = root or data_root()
    for folder in (root / "dubai", root):
        if (folder / FOLDER).is_dir():
            return laid_out("dubai", folder / FOLDER)
    raise DatasetNotFound(
        f"the Dubai tiles are not in {shown(root / 'dubai')}. Download {ADDRESS}, unzip it there "
        f"so that '{shown(root / 'dubai' / FOLDER / 'Tile 1')}' exists, or point SEGKIT_DATA at "
        "the folder that holds dubai/. See data/README.md."
    )


def laid_out(name: str, folder: Path) -> Dataset:
    """`Tile 1/images/image_part_001.jpg` beside `Tile 1/masks/image_part_001.png`."""
    tiles = []
    for tile in sorted(folder.glob("Tile *"), key=natural):
        prefix = tile.name.lower().replace(" ", "")
        for image, mask in pairs(tile / "images", tile / "masks"):
            part = image.stem.removeprefix("image_").replace("_", "")
            tiles.append(Tile(f"{prefix}_{part}", tile.name, image, mask))
    if not tiles:
        raise DatasetNotFound(f"{folder} holds no 'Tile …' folder: unzip the data set again")
    card = described(tiles[0].image, dataset=name, scheme=DUBAI, parts=True)
    return Dataset(card, tuple(tiles), recolor={BLACK: "Unlabeled"})
