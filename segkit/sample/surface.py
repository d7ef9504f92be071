"""What the ground is covered with: materials, and the canvas they are painted on."""

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np

BUILDING, LAND, ROAD, VEGETATION, WATER, UNLABELED = range(6)


class Material(IntEnum):
    """Everything that can be seen from above."""

    SAND = 0
    GRAVEL = auto()
    DARK_SOIL = auto()
    GARDEN_SOIL = auto()
    PAVING = auto()
    PARKING = auto()
    WALL = auto()
    BUNKER = auto()
    SHRUB = auto()
    DAMP = auto()
    COURT = auto()
    ASPHALT = auto()
    STREET = auto()
    WORN_ASPHALT = auto()
    TRACK = auto()
    MARKING = auto()
    LAWN = auto()
    DRY_GRASS = auto()
    CANOPY = auto()
    PALM = auto()
    MANGROVE = auto()
    WATER = auto()
    POOL = auto()
    ROOF_WHITE = auto()
    ROOF_CREAM = auto()
    ROOF_SAND = auto()
    ROOF_LIGHT_GRAY = auto()
    ROOF_GRAY = auto()
    ROOF_DARK = auto()
    ROOF_BLUE = auto()
    ROOF_TILE = auto()
    ROOF_BROWN = auto()
    ROOF_GREEN = auto()
    CONCRETE = auto()
    CONTAINER = auto()
    SHIP = auto()
    CAR = auto()


M = Material

#: material → class, color (red, green, blue) in the default city, grain (relative, 0–1).
_TABLE = {
    M.SAND: (LAND, (203, 196, 190), 0.06),
    M.GRAVEL: (LAND, (132, 126, 125), 0.10),
    M.DARK_SOIL: (LAND, (112, 105, 103), 0.12),
    M.GARDEN_SOIL: (LAND, (158, 148, 140), 0.14),
    M.PAVING: (LAND, (172, 166, 164), 0.06),
    M.PARKING: (LAND, (112, 106, 108), 0.07),
    M.WALL: (LAND, (214, 206, 196), 0.05),
    M.BUNKER: (LAND, (222, 214, 202), 0.03),
    M.SHRUB: (LAND, (92, 92, 78), 0.15),
    M.DAMP: (LAND, (112, 112, 88), 0.11),
    M.COURT: (LAND, (96, 112, 96), 0.05),
    M.ASPHALT: (ROAD, (82, 74, 78), 0.06),
    M.STREET: (ROAD, (92, 84, 88), 0.06),
    M.WORN_ASPHALT: (ROAD, (112, 104, 106), 0.08),
    M.TRACK: (ROAD, (188, 180, 173), 0.04),
    M.MARKING: (ROAD, (176, 172, 170), 0.05),
    M.LAWN: (VEGETATION, (104, 108, 82), 0.09),
    M.DRY_GRASS: (VEGETATION, (158, 150, 132), 0.12),
    M.CANOPY: (VEGETATION, (58, 66, 48), 0.30),
    M.PALM: (VEGETATION, (78, 84, 62), 0.30),
    M.MANGROVE: (VEGETATION, (70, 72, 54), 0.26),
    M.WATER: (WATER, (18, 30, 26), 0.10),
    M.POOL: (WATER, (104, 162, 172), 0.05),
    M.ROOF_WHITE: (BUILDING, (236, 233, 229), 0.03),
    M.ROOF_CREAM: (BUILDING, (212, 198, 180), 0.05),
    M.ROOF_SAND: (BUILDING, (194, 184, 174), 0.06),
    M.ROOF_LIGHT_GRAY: (BUILDING, (176, 174, 178), 0.06),
    M.ROOF_GRAY: (BUILDING, (126, 123, 128), 0.07),
    M.ROOF_DARK: (BUILDING, (84, 79, 84), 0.07),
    M.ROOF_BLUE: (BUILDING, (136, 142, 178), 0.06),
    M.ROOF_TILE: (BUILDING, (186, 114, 84), 0.08),
    M.ROOF_BROWN: (BUILDING, (132, 108, 96), 0.08),
    M.ROOF_GREEN: (BUILDING, (104, 116, 96), 0.07),
    M.CONCRETE: (UNLABELED, (168, 163, 160), 0.12),
    M.CONTAINER: (UNLABELED, (130, 120, 118), 0.08),
    M.SHIP: (UNLABELED, (190, 184, 182), 0.10),
    M.CAR: (ROAD, (150, 148, 150), 0.05),
}
CLASS = np.array([_TABLE[m][0] for m in Material], np.uint8)
COLOR = np.array([_TABLE[m][1] for m in Material], np.float32)
GRAIN = np.array([_TABLE[m][2] for m in Material], np.float32)
#: how much of a material's color dust can hide, by class.
DUSTY = np.array([0.5, 0.6, 0.85, 0.8, 0.0, 0.5], np.float32)[CLASS]


@dataclass
class Canvas:
    """Pixels being painted, from the ground up; arrays of one shape, (N,) or (H, W).

    Attributes:
        material: uint8, index of `Material`.
        label: uint8 class index that an annotator gives.
        tone: float32, brightness relative to the material's color.
        warmth: float32, redder (> 0) or bluer (< 0) than the material's color, in gray levels.
        height: float32, meters above the ground.
        shore: float32, meters from the water's edge, below 0 in water.
    """

    material: np.ndarray
    label: np.ndarray
    tone: np.ndarray
    warmth: np.ndarray
    height: np.ndarray
    shore: np.ndarray

    @classmethod
    def blank(cls, shape: tuple[int, ...], material: Material = M.SAND) -> "Canvas":
        """Return a canvas covered with one material."""
        return cls(
            np.full(shape, material, np.uint8),
            np.full(shape, CLASS[material], np.uint8),
            np.ones(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.full(shape, np.inf, np.float32),
        )

    def paint(self, where, material, tone=1.0, height=None, warmth=None, label=None) -> None:
        """Cover the pixels in `where` with a material; `label` -1 leaves their class as it is."""
        np.copyto(
            self.material, np.uint8(material) if np.isscalar(material) else material, where=where
        )
        np.copyto(self.tone, np.float32(tone), where=where)
        if label is None:
            label = CLASS[material]
        if np.ndim(label) or label >= 0:
            np.copyto(self.label, label, where=where, casting="unsafe")
        if height is not None:
            np.copyto(self.height, np.float32(height), where=where)
        if warmth is not None:
            np.copyto(self.warmth, np.float32(warmth), where=where)

    def take(self, pixels: np.ndarray) -> "Canvas":
        """Return a copy of some pixels (flat indices) as a flat canvas."""
        return Canvas(*(np.take(layer, pixels) for layer in self.layers()))

    def put(self, pixels: np.ndarray, part: "Canvas") -> None:
        """Write a flat canvas back to the pixels it came from."""
        for layer, values in zip(self.layers(), part.layers()):
            layer.reshape(-1)[pixels] = values

    def layers(self) -> tuple[np.ndarray, ...]:
        """Return the arrays in the order of the attributes."""
        return self.material, self.label, self.tone, self.warmth, self.height, self.shore
