"""From painted ground to a picture: sun and shade, air, optics, noise; and the annotator's hand."""

import math

import numpy as np

from .city import City
from .lattice import hashed, noise, octaves, uniform
from .surface import COLOR, DUSTY, GRAIN, Canvas
from .surface import Material as M

_DOUBLINGS = 7  # shadows reach 2⁷ − 1 pixels at most along the steeper axis
_STAIRWELL = 4.0  # meters that roofs may rise above the greatest height of a quarter
_SHADE = (0.30, 0.33, 0.40)  # red, green, blue left in the shade: the sky is blue
_DUST = (166, 158, 150)  # red, green, blue
_WARM = (1.0, 0.1, -1.0)  # what warmth adds to red, green, blue
_WIDE = (1, 4, 6, 4, 1)  # the blur that sharpening takes off
_FIXED_POINT = 16  # gray levels are whole sixteenths while they are filtered
_SHALLOW = (120, 118, 102)  # red, green, blue over a pale bottom
_ALGAE, _MUD = 34.0, 60.0  # gray levels that water gains at most
_DEPTH = 32.0  # meters from the shore to where the bottom is lost


def shadow_steps(city: City) -> tuple[float, float, float]:
    """Return rows and columns per step towards the sun, and meters that the ray climbs with it."""
    azimuth, elevation = (math.radians(angle) for angle in city.sun)
    row, column = -math.cos(azimuth), math.sin(azimuth)
    longest = max(abs(row), abs(column))
    climb = city.pixel / longest * math.tan(elevation)
    return round(row / longest, 6), round(column / longest, 6), round(climb, 6)


def shadow_reach(city: City) -> int:
    """Return how many steps away something can still throw its shadow on a pixel."""
    tallest = max(quarter.height[1] for quarter in city.quarters) + _STAIRWELL
    return min(2**_DOUBLINGS - 1, math.ceil(tallest / shadow_steps(city)[2]))


def shade(height: np.ndarray, city: City) -> np.ndarray:
    """Return how much of the sun each pixel loses, float32 (H, W) in 0–1.

    The highest ray that still meets an obstacle is found by doubling: 1, 2, 4 … steps to the sun.
    """
    row, column, climb = shadow_steps(city)
    ray = height.copy()
    reach = 1
    while reach <= shadow_reach(city):
        moved = _shift(ray, round(row * reach), round(column * reach))
        ray = np.maximum(ray, moved - np.float32(climb * reach))
        reach *= 2
    return ((ray - height - np.float32(0.3)) * np.float32(1.2)).clip(0, 1)


def _shift(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return what lies `rows` down and `columns` right of each pixel; 0 beyond the edge."""
    height, width = values.shape
    moved = np.zeros_like(values)
    source = (slice(max(rows, 0), height + min(rows, 0)),
              slice(max(columns, 0), width + min(columns, 0)))  # fmt: skip
    target = (slice(max(-rows, 0), height + min(-rows, 0)),
              slice(max(-columns, 0), width + min(-columns, 0)))  # fmt: skip
    moved[target] = values[source]
    return moved


def expose(canvas: Canvas, lost: np.ndarray, x, y, city: City) -> np.ndarray:
    """Return the picture before the optics: int32 (3, H, W), whole sixteenths of a gray level.

    Args:
        canvas: what is seen, (H, W).
        lost: share of the sun that each pixel loses, from `shade`.
        x, y: meters, (1, W) and (H, 1).
        city: whose sensor it is.
    """
    colors = COLOR.copy()
    for material, color in city.colors.items():
        colors[material] = color
    grain = noise(x, y, 1.1, city.seed + 501) + 0.6 * noise(x, y, 2.7, city.seed + 502)
    tone = canvas.tone * (1 + np.take(GRAIN, canvas.material) * grain)
    strip = 1 + 0.20 * noise(x, y, 480, city.seed + 503)
    haze = (city.haze * 255) * (1 + 0.8 * noise(x, y, 1500, city.seed + 504))
    dust = (city.dust * (1 + 1.1 * octaves(x, y, 210, city.seed + 505, 2))).clip(0, 0.8)
    hidden = dust * np.take(DUSTY, canvas.material)
    wet = canvas.material == M.WATER
    depth = _depth(x, y, canvas.shore, city) if wet.any() else None
    bands = []
    for band, (left, light, warm) in enumerate(zip(_SHADE, city.light, _WARM, strict=True)):
        cast = 0.04 * noise(x, y, 600, city.seed + 506 + band)
        value = np.take(colors[:, band], canvas.material) * tone + np.float32(warm) * canvas.warmth
        value += (np.float32(_DUST[band]) * (0.6 + 0.4 * tone) - value) * hidden
        if depth is not None:
            shallow = np.float32(_SHALLOW[band] - colors[M.WATER, band])
            value = np.where(wet, value + shallow * depth[0] + depth[1][band], value)
        lit = 1 - np.float32(1 - left) * lost
        value = value * lit * (strip * np.float32(light) + cast) + haze
        value = (value - 120) * np.float32(city.contrast) + 120
        bands.append(np.rint(value * _FIXED_POINT).astype(np.int32))
    return np.stack(bands)


def _depth(x, y, shore: np.ndarray, city: City):
    """Return how much bottom shows through the water (0–1), and the water's own tint by band."""
    bank = octaves(x, y, 160, city.seed + 511, 3)
    seen = (1 + shore / _DEPTH + 0.55 * bank).clip(0, 1)
    wave = noise(x, y, 2.2, city.seed + 515) + noise(x, y, 5.5, city.seed + 516)
    algae = (_ALGAE * noise(x, y, 1200, city.seed + 517)).clip(0, None)
    mud = (_MUD * noise(x, y, 620, city.seed + 519)).clip(0, None)
    wave = wave * (1.6 + 0.05 * mud)
    return seen * seen * seen * 0.85, (
        mud + wave,
        algae + 0.85 * mud + wave,
        0.5 * algae + 0.7 * mud + wave,
    )


def develop(exposed: np.ndarray, x: np.ndarray, y: np.ndarray, city: City) -> np.ndarray:
    """Blur, sharpen and grain a picture: uint8 (H, W, 3).

    Args:
        exposed: int32 (3, H, W) in sixteenths.
        x, y: meters, (1, W) and (H, 1): each place has its own noise.
        city: whose sensor it is.
    """
    spread = (city.blur, 16 - 2 * city.blur, city.blur)
    soft = _filter(exposed, spread)
    wide = _filter(soft, _WIDE)
    sharp = soft + (soft - wide) * city.sharpening // 16
    chance = hashed(city.seed + 521, *(np.floor(v / city.pixel) for v in (y, x)))
    common = uniform(chance, 0) + uniform(chance, 1) - 1
    image = np.empty((*common.shape, 3), np.uint8)
    for band in range(3):
        own = uniform(chance >> np.uint64(5 * band + 3), 2) - np.float32(0.5)
        grain = np.rint((common + own) * np.float32(2 * city.noise * _FIXED_POINT)).astype(np.int32)
        image[..., band] = ((sharp[band] + grain) // _FIXED_POINT).clip(0, 255)
    return image


def _filter(bands: np.ndarray, weights: tuple[int, ...]) -> np.ndarray:
    """Filter rows and columns with whole weights: exact, so alike on every machine."""
    reach = len(weights) // 2
    for axis in (1, 2):
        around = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(bands, around, mode="edge")
        length = bands.shape[axis]
        bands = sum(
            weight * padded[(slice(None),) * axis + (slice(step, step + length),)]
            for step, weight in enumerate(weights)
        )
    return bands // sum(weights) ** 2


def annotate(label: np.ndarray, x, y, city: City) -> np.ndarray:
    """Return the labels as a human draws them: outlines stray by up to `city.slip`."""
    reach = city.slip / city.pixel
    size = 14.0
    down = np.rint(reach * noise(x, y, size, city.seed + 531)).astype(np.intp)
    right = np.rint(reach * noise(x, y, size, city.seed + 532)).astype(np.intp)
    height, width = label.shape
    row = (np.arange(height)[:, None] + down).clip(0, height - 1)
    column = (np.arange(width)[None, :] + right).clip(0, width - 1)
    return label[row, column]
