"""Class schemes: names, colors, the ignored class; RGB mask ⇄ class index ⇄ one-hot.

Taught in notebook 01.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np


class UnknownColorError(ValueError):
    """A mask holds colors that its scheme does not know.

    Attributes:
        colors: dict of (red, green, blue) → number of pixels, most frequent first.
    """


@dataclass(frozen=True)
class ClassScheme:
    """The classes of a data set.

    Attributes:
        name: short name of the scheme.
        names: one name per class, in index order.
        colors: one (red, green, blue), 0–255, per class.
        ignore_index: index of the class that counts in no loss and no score, or None.
    """

    name: str
    names: Sequence[str]
    colors: Sequence[tuple[int, int, int]]
    ignore_index: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        object.__setattr__(self, "colors", tuple(tuple(map(int, color)) for color in self.colors))
        object.__setattr__(self, "ignore_index", np.array(self.ignore_index).item())
        if len(self.names) != len(self.colors):
            raise ValueError(f"{len(self.names)} names but {len(self.colors)} colors")
        if len(set(self.colors)) < len(self.colors) or len(set(self.names)) < len(self.names):
            raise ValueError(f"two classes share a color or a name: {self.names}, {self.colors}")
        if {*map(len, self.colors)} - {3} or {*sum(self.colors, ())} - {*range(256)}:
            raise ValueError("a color is red, green, blue, each 0 to 255")
        if not 1 <= len(self) <= 255:
            raise ValueError(f"{len(self)} classes: a mask of uint8 holds 1 to 255")
        if self.ignore_index is not None and not 0 <= self.ignore_index < len(self):
            raise ValueError(f"ignore_index {self.ignore_index} is no class of {len(self)}")

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, rgb_mask: np.ndarray, unknown: str = "raise", source=None) -> np.ndarray:
        """Turn colors into class indices.

        Args:
            rgb_mask: uint8 (H, W, 3).
            unknown: "raise", or "ignore" to give unknown colors the ignored class.
            source: the file it comes from, named in the error.

        Returns:
            uint8 (H, W) class indices.

        Raises:
            UnknownColorError: names every unknown color and its count.
            ValueError: the array is no uint8 RGB mask, or there is no class to ignore with.
        """
        if rgb_mask.ndim != 3 or rgb_mask.shape[-1] != 3 or rgb_mask.dtype != np.uint8:
            raise ValueError(f"RGB is uint8 (H, W, 3), not {rgb_mask.dtype} {rgb_mask.shape}")
        if unknown not in ("raise", "ignore"):
            raise ValueError(f"unknown={unknown!r}: choose 'raise' or 'ignore'")
        if unknown == "ignore" and self.ignore_index is None:
            raise ValueError(f"the scheme {self.name!r} has no ignored class: set ignore_index")
        parts = np.array_split(rgb_mask, max(1, len(rgb_mask) // 64))  # a cache holds 64 rows
        class_of = np.full(2**24, 255, np.uint8)  # one byte for each color there can be
        class_of[_code(np.array(self.colors))] = range(len(self))
        mask = np.concatenate([class_of[_code(part)] for part in parts])
        strange = mask == 255
        if strange.any():
            if unknown == "raise":
                raise _unknown(_count(_code(rgb_mask[strange])), self, source)
            mask[strange] = self.ignore_index
        return mask

    def encode(self, mask: np.ndarray) -> np.ndarray:
        """Turn class indices (H, W) into colors, uint8 (H, W, 3)."""
        return np.array(self.colors, np.uint8)[self._checked(mask)]

    def one_hot(self, mask: np.ndarray) -> np.ndarray:
        """Turn class indices (H, W) into uint8 (H, W, classes), 1 for the pixel's class."""
        return np.eye(len(self), dtype=np.uint8)[self._checked(mask)]

    def from_one_hot(self, a: np.ndarray) -> np.ndarray:
        """Turn one-hot or probabilities (..., classes) into uint8 class indices (...)."""
        if a.shape[-1] != len(self):
            raise ValueError(f"{a.shape[-1]} channels, but {self.name!r} has {len(self)} classes")
        return np.argmax(a, axis=-1).astype(np.uint8)

    def ignoring(self, name: str | None, color: tuple[int, int, int] = (0, 0, 0)) -> "ClassScheme":
        """Return the scheme with another ignored class, or with none (None).

        Args:
            name: of a class; one that the scheme does not have yet is added as its last.
            color: of a class that is added.
        """
        names, colors = list(self.names), list(self.colors)
        if name is not None and (name := str(name)) not in names:
            names, colors = [*names, name], [*colors, color]
        index = None if name is None else names.index(name)
        return replace(self, names=names, colors=colors, ignore_index=index)

    def for_maps(self) -> "ClassScheme":
        """Return the scheme in colors that maps use (`MAP_COLORS`); masks keep theirs."""
        pairs = zip(self.names, self.colors, strict=True)
        return replace(self, colors=[MAP_COLORS.get(name, own) for name, own in pairs])

    def palette(self) -> np.ndarray:
        """Return uint8 (256, 4): red, green, blue and alpha of each class; the rest is clear."""
        return np.uint8(np.pad(np.insert(self.colors, 3, 255, 1), ((0, 256 - len(self)), (0, 0))))

    def to_dict(self) -> dict:
        """Return the scheme as plain values, for JSON."""
        return asdict(self)

    def _checked(self, mask: np.ndarray) -> np.ndarray:
        if not np.issubdtype(mask.dtype, np.integer):
            raise ValueError(f"class indices are integers, not {mask.dtype}")
        if mask.size and not 0 <= int(mask.min()) <= int(mask.max()) < len(self):
            known = f"{self.name!r} has {len(self)} classes"
            raise ValueError(f"class indices run from {mask.min()} to {mask.max()}, but {known}")
        return mask


def _unknown(colors: dict[tuple, int], scheme: ClassScheme, source) -> UnknownColorError:
    """Return the error of a mask; a plain one, so that other processes can raise it, too."""
    listed = ", ".join(f"{color}: {count:,} px" for color, count in list(colors.items())[:10])
    more = f" and {len(colors) - 10} more" if len(colors) > 10 else ""
    where = f"{source}: " if source else ""
    known = ", ".join(map("{} {}".format, scheme.names, scheme.colors))
    text = f"{where}colors that the scheme {scheme.name!r} does not know: {listed}{more}"
    how = "unknown='ignore' to leave these pixels out of training and scores"
    error = UnknownColorError(f"{text}. Known: {known}. Correct the mask, or decode with {how}.")
    error.colors = colors
    return error


def _code(colors: np.ndarray) -> np.ndarray:
    """Pack (..., 3) colors into one integer each: 0xRRGGBB."""
    return (colors.astype(np.float32) @ np.float32([1 << 16, 1 << 8, 1])).astype(np.intp)


def _count(codes: np.ndarray) -> dict[tuple[int, int, int], int]:
    values, counts = np.unique(codes, return_counts=True)
    found = sorted(zip(counts.tolist(), values.tolist(), strict=True), reverse=True)
    return {(v >> 16, v >> 8 & 255, v & 255): n for n, v in found}


_KNOWN = tomllib.loads(Path(__file__).with_name("schemes.toml").read_text(encoding="utf-8"))
#: Colors that readers of maps know: water is blue. A class that is not here keeps its own.
MAP_COLORS = {name: tuple(color) for name, color in _KNOWN.pop("MAP_COLORS").items()}
#: What each of them is, `schemes.toml` says.
DUBAI, DEEPGLOBE, POTSDAM, LOVEDA, LANDSLIDE = (ClassScheme(**known) for known in _KNOWN.values())
