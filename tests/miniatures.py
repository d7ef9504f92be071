"""Tiny data sets, made up, in the layout that their makers publish."""

from pathlib import Path

import h5py
import numpy as np
import rasterio
from helpers import dubai_tree
from PIL import Image
from rasterio.transform import from_origin

from segkit import classes

SIDE = 64
POTSDAM_TILES = ("2_10", "2_11", "3_10", "7_13")
CROPS = "{}_0_0_64_64"


def save(path: Path, array: np.ndarray, place=None) -> None:
    """Write (H, W) or (H, W, C) as what the name's ending says; a GeoTIFF somewhere or nowhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["img" if array.ndim == 3 else "mask"] = array
    elif path.suffix == ".tif":
        bands = np.moveaxis(np.atleast_3d(array), -1, 0)
        profile = dict(zip(("count", "height", "width"), bands.shape, strict=True))
        with rasterio.open(path, "w", "GTiff", dtype=array.dtype, **profile, **place or {}) as file:
            file.write(bands)
    else:
        Image.fromarray(array).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def pixels(count: int, seed: int) -> np.ndarray:
    """Draw squares of so many classes, (SIDE, SIDE)."""
    squares = np.random.default_rng(seed).integers(0, count, (SIDE // 16, SIDE // 16))
    return np.kron(squares, np.ones((16, 16), int)).astype(np.uint8)


def seen(mask: np.ndarray, bands: int = 3) -> np.ndarray:
    """Return an image uint8 (SIDE, SIDE, bands) in which each class has a gray of its own."""
    return np.repeat((mask * 23 + 20)[..., None], bands, axis=-1).astype(np.uint8)


def _colors(root: Path, images: str, masks: str, names, bands=3, ending="tif") -> list[np.ndarray]:
    drawn = [pixels(6, i) for i in range(len(names))]
    for name, mask in zip(names, drawn, strict=True):
        save(root / images.format(name), seen(mask, bands))
        save(root / masks.format(name), classes.POTSDAM.encode(mask))
    return drawn


def _crops(root: Path, names) -> list[np.ndarray]:
    """mmsegmentation's conversion of Potsdam and Vaihingen: 0 is black, 1 to 6 the classes."""
    drawn = [pixels(7, i) for i in range(len(names))]
    for i, (name, mask) in enumerate(zip(names, drawn, strict=True)):
        part = "train" if i < 3 else "val"
        save(root / f"img_dir/{part}/{CROPS.format(name)}.png", seen(mask))
        save(root / f"ann_dir/{part}/{CROPS.format(name)}.png", (mask + 1) % 7)
    return drawn


def deepglobe(root: Path) -> list[np.ndarray]:
    drawn = [pixels(7, i) for i in range(4)]
    for i, mask in enumerate(drawn):
        save(root / f"deepglobe/train/{100 + i}_sat.jpg", seen(mask))
        save(root / f"deepglobe/train/{100 + i}_mask.png", classes.DEEPGLOBE.encode(mask))
    save(root / "deepglobe/valid/9_sat.jpg", seen(drawn[0]))
    (root / "deepglobe/class_dict.csv").write_text("name,r,g,b\n")
    return drawn


def potsdam(root: Path) -> list[np.ndarray]:
    where = "potsdam/2_Ortho_RGB/top_potsdam_{}_RGB.tif"
    drawn = _colors(root, where, "potsdam/5_Labels_all/top_potsdam_{}_label.tif", POTSDAM_TILES)
    save(root / where.format("5_15"), seen(drawn[0]))  # one of the test, without labels
    (root / where.format("5_15")).with_suffix(".tfw").write_text("0.05")
    return drawn


def potsdam_borders(root: Path) -> list[np.ndarray]:
    images = "potsdam/2_Ortho_RGB/top_potsdam_{}_RGB.tif"
    masks = "potsdam/5_Labels_all_noBoundary/top_potsdam_{}_label_noBoundary.tif"
    _colors(root, images, masks, POTSDAM_TILES)
    drawn = [pixels(7, i) for i in range(4)]
    for name, mask in zip(POTSDAM_TILES, drawn, strict=True):
        save(root / masks.format(name), classes.POTSDAM.ignoring("Boundary").encode(mask))
    return drawn


def potsdam_crops(root: Path) -> list[np.ndarray]:
    return _crops(root / "potsdam", POTSDAM_TILES)


def potsdam_irrg(root: Path) -> list[np.ndarray]:
    where = "potsdam/3_Ortho_IRRG/top_potsdam_{}_IRRG.tif"
    return _colors(root, where, "potsdam/top_potsdam_{}_label.tif", POTSDAM_TILES)


def potsdam_rgbir(root: Path) -> list[np.ndarray]:
    where = "potsdam/4_Ortho_RGBIR/top_potsdam_{}_RGBIR.tif"
    return _colors(root, where, "potsdam/top_potsdam_{}_label.tif", POTSDAM_TILES, bands=4)


def vaihingen(root: Path) -> list[np.ndarray]:
    where = "vaihingen/{}/top_mosaic_09cm_area{{}}.tif"
    found = where.format("top"), where.format("gts_for_participants")
    return _colors(root, *found, ("1", "3", "5", "11"))


def vaihingen_flat(root: Path) -> list[np.ndarray]:
    where = "vaihingen/{}top_mosaic_09cm_area{{}}.tif"
    return _colors(root, where.format("top/"), where.format(""), ("1", "3", "5", "11"))


def vaihingen_borders(root: Path) -> list[np.ndarray]:
    images, masks = "Vaihingen/top/{}.tif", "Vaihingen/eroded/{}_noBoundary.tif"
    names = [f"top_mosaic_09cm_area{i}" for i in (1, 3, 5, 11)]
    drawn = _colors(root, images, masks, names)
    save(root / masks.format("top_mosaic_09cm_area9"), classes.POTSDAM.encode(drawn[0]))
    return drawn


def vaihingen_crops(root: Path) -> list[np.ndarray]:
    return _crops(root / "vaihingen", ("area1", "area3", "area5", "area11"))


def loveda(root: Path) -> list[np.ndarray]:
    drawn = [pixels(8, i) for i in range(8)]
    for i, mask in enumerate(drawn):
        folder = root / "loveda" / ("Train", "Val")[i % 2] / ("Urban", "Rural")[i // 2 % 2]
        save(folder / f"images_png/{i}.png", seen(mask))
        save(folder / f"masks_png/{i}.png", mask)
    save(root / "loveda/Test/Urban/images_png/99.png", seen(drawn[0]))
    return [drawn[i] for i in (2, 6, 0, 4, 3, 7, 1, 5)]  # in the order of the tiles' names


def loveda_crops(root: Path) -> list[np.ndarray]:
    drawn = [pixels(8, i) for i in range(4)]
    for i, mask in enumerate(drawn):
        part = ("train", "val")[i % 2]
        save(root / f"loveDA/img_dir/{part}/{i}.png", seen(mask))
        save(root / f"loveDA/ann_dir/{part}/{i}.png", mask)
    return [drawn[i] for i in (0, 2, 1, 3)]


def landslide4sense(root: Path) -> list[np.ndarray]:
    drawn, folder = [pixels(2, i) for i in range(4)], root / "landslide/landslide4sense/TrainData"
    for i, mask in enumerate(drawn, 1):
        save(folder / f"img/image_{i}.h5", seen(mask, 14) / 100.0)
        save(folder / f"mask/mask_{i}.h5", mask)
    return drawn


def sentinel2_landslides(root: Path) -> list[np.ndarray]:
    drawn, folder = [pixels(3, i) for i in range(4)], root / "landslide/sentinel2"
    place = {"crs": "EPSG:4326", "transform": from_origin(91.7, 22.5, 9e-5, 9e-5)}
    for i, mask in enumerate(drawn):
        save(folder / f"images/{i:012d}.tif", seen(mask, 4) * 20.0, place)
        save(folder / f"labels/{i:012d}.tif", mask.astype(np.uint16), place)
    return drawn


def inria(root: Path) -> list[np.ndarray]:
    drawn, folder = [pixels(2, i) for i in range(6)], root / "inria/AerialImageDataset"
    for i, mask in enumerate(drawn):
        name = f"{('austin', 'kitsap', 'tyrol-w')[i // 2]}{i % 2 + 1}.tif"
        save(folder / "train/images" / name, seen(mask))
        save(folder / "train/gt" / name, mask * 255)
    save(folder / "test/images/bellingham1.tif", seen(drawn[0]))
    return drawn


def dubai(root: Path) -> list[np.ndarray]:
    dubai_tree(root, tiles=2, parts=3)
    return []


#: What makes each of them: the data set's name is what stands before "+".
MAKERS = {
    "dubai": dubai, "deepglobe": deepglobe, "potsdam": potsdam,
    "potsdam+borders": potsdam_borders, "potsdam+crops": potsdam_crops,
    "potsdam_irrg": potsdam_irrg, "potsdam_rgbir": potsdam_rgbir, "vaihingen": vaihingen,
    "vaihingen+flat": vaihingen_flat, "vaihingen+borders": vaihingen_borders,
    "vaihingen+crops": vaihingen_crops, "loveda": loveda, "loveda+crops": loveda_crops,
    "landslide4sense": landslide4sense,
    "sentinel2_landslides": sentinel2_landslides, "inria": inria,
}  # fmt: skip
