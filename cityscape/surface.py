"""What the ground is covered with: materials, and the canvas they are painted on."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

BUILDING, LAND, ROAD, VEGETATION, WATER, UNLABELED = range(6)

#: what can be seen from above: name → class, color (red, green, blue), grain (relative, 0–1).
_TABLE = {
    "SAND": (LAND, (203, 196, 190), 0.06),
    "GRAVEL": (LAND, (132, 126, 125), 0.10),
    "DARK_SOIL": (LAND, (112, 105, 103), 0.12),
    "GARDEN_SOIL": (LAND, (158, 148, 140), 0.14),
    "PAVING": (LAND, (172, 166, 164), 0.06),
    "PARKING": (LAND, (112, 106, 108), 0.07),
    "WALL": (LAND, (214, 206, 196), 0.05),
    "BUNKER": (LAND, (222, 214, 202), 0.03),
    "SHRUB": (LAND, (92, 92, 78), 0.15),
    "DAMP": (LAND, (122, 113, 97), 0.12),
    "COURT": (LAND, (96, 112, 96), 0.05),
    "ASPHALT": (ROAD, (82, 74, 78), 0.06),
    "STREET": (ROAD, (92, 84, 88), 0.06),
    "WORN_ASPHALT": (ROAD, (112, 104, 106), 0.08),
    "TRACK": (ROAD, (184, 175, 168), 0.03),
    "MARKING": (ROAD, (176, 172, 170), 0.05),
    "LAWN": (VEGETATION, (104, 108, 82), 0.09),
    "DRY_GRASS": (VEGETATION, (158, 150, 132), 0.12),
    "CANOPY": (VEGETATION, (58, 66, 48), 0.30),
    "PALM": (VEGETATION, (78, 84, 62), 0.30),
    "MANGROVE": (VEGETATION, (70, 72, 54), 0.26),
    "WATER": (WATER, (18, 30, 26), 0.10),
    "POOL": (WATER, (104, 162, 172), 0.05),
    "ROOF_WHITE": (BUILDING, (236, 233, 229), 0.03),
    "ROOF_CREAM": (BUILDING, (212, 198, 180), 0.05),
    "ROOF_SAND": (BUILDING, (194, 184, 174), 0.06),
    "ROOF_LIGHT_GRAY": (BUILDING, (176, 174, 178), 0.06),
    "ROOF_GRAY": (BUILDING, (126, 123, 128), 0.07),
    "ROOF_DARK": (BUILDING, (84, 79, 84), 0.07),
    "ROOF_BLUE": (BUILDING, (136, 142, 178), 0.06),
    "ROOF_TILE": (BUILDING, (186, 114, 84), 0.08),
    "ROOF_BROWN": (BUILDING, (132, 108, 96), 0.08),
    "ROOF_GREEN": (BUILDING, (104, 116, 96), 0.07),
    "CONCRETE": (UNLABELED, (168, 163, 160), 0.12),
    "CONTAINER": (UNLABELED, (130, 120, 118), 0.08),
    "SHIP": (UNLABELED, (190, 184, 182), 0.10),
    "CAR": (ROAD, (150, 148, 150), 0.05),
}
Material = IntEnum("Material", list(_TABLE), start=0)
CLASS = np.array([row[0] for row in _TABLE.values()], np.uint8)
COLOR = np.array([row[1] for row in _TABLE.values()], np.float32)
GRAIN = np.array([row[2] for row in _TABLE.values()], np.float32)
#: how much of a material's color dust can hide, by class.
DUSTY = np.array([0.5, 0.6, 0.75, 0.8, 0.0, 0.5], np.float32)[CLASS]


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
    def blank(cls, shape: tuple[int, ...], material: Material = Material.SAND) -> "Canvas":
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

    def shadow(self, where, factor) -> None:
        """Darken (factor below 1) or brighten the pixels in `where`."""
        np.multiply(self.tone, np.float32(factor), out=self.tone, where=where)

    def crop(self, window: tuple[slice, slice]) -> "Canvas":
        """Return the part of the canvas in a window of rows and columns."""
        return Canvas(*(layer[window] for layer in self.layers()))

    def take(self, pixels: np.ndarray) -> "Canvas":
        """Return a copy of some pixels (flat indices) as a flat canvas."""
        return Canvas(*(np.take(layer, pixels) for layer in self.layers()))

    def put(self, pixels: np.ndarray, part: "Canvas") -> None:
        """Write a flat canvas back to the pixels it came from."""
        for layer, values in zip(self.layers(), part.layers(), strict=True):
            layer.reshape(-1)[pixels] = values

    def layers(self) -> tuple[np.ndarray, ...]:
        """Return the arrays in the order of the attributes."""
        return self.material, self.label, self.tone, self.warmth, self.height, self.shore
