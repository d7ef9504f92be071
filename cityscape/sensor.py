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
_SKIMMED, _PENUMBRA = 0.3, 1.2  # meters of ray without shade; shade for each meter above
_DUST = (166, 158, 150)  # red, green, blue
_DUST_SIZE, _DUST_VARIES, _DUSTIEST = 210, 1.1, 0.8  # meters, lattice; of its mean; most hidden
_DUST_TONE = (0.6, 0.4)  # brightness of dust: its own, and what it takes from the ground
_FINE, _COARSE, _COARSE_GRAIN = 1.1, 2.7, 0.6  # meters, lattices of grain; strength of the coarse
#: strength, and meters of lattice, of what a picture is uneven by: strips, haze, cast of color.
_STRIPS, _HAZE, _CAST = (0.20, 480), (0.8, 1500), (0.04, 600)
_MIDDLE_GRAY = 120  # gray level that contrast leaves alone
_WARM = (1.0, 0.1, -1.0)  # what warmth adds to red, green, blue
_WIDE = (1, 4, 6, 4, 1)  # the blur that sharpening takes off
_FIXED_POINT = 16  # gray levels are whole sixteenths while they are filtered
_SHALLOW = (120, 118, 102)  # red, green, blue over a pale bottom
_ALGAE, _MUD = 34.0, 60.0  # gray levels that water gains at most
_DEPTH = 32.0  # meters from the shore to where the bottom is lost
_BANKS, _BOTTOM = (0.55, 160), 0.85  # depths, and meters of lattice; most of the bottom that shows
_RIPPLES, _SWELL, _BLOOMS, _PLUMES = 2.2, 5.5, 1200, 620  # meters, lattices: waves, algae, mud
_WAVE, _MUDDY_WAVE = 1.6, 0.05  # gray levels of waves, and what each gray level of mud adds
_MUD_TINT, _ALGAE_TINT = (0.85, 0.7), 0.5  # of their gray levels: mud green and blue; algae blue
_SLIPS = 14.0  # meters, lattice of how an annotator's hand strays


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
    return ((ray - height - np.float32(_SKIMMED)) * np.float32(_PENUMBRA)).clip(0, 1)


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
    tone = _grained(canvas, x, y, city)
    strip = 1 + _STRIPS[0] * noise(x, y, _STRIPS[1], city.seed + 503)
    haze = (city.haze * 255) * (1 + _HAZE[0] * noise(x, y, _HAZE[1], city.seed + 504))
    dust = city.dust * (1 + _DUST_VARIES * octaves(x, y, _DUST_SIZE, city.seed + 505, 2))
    hidden = dust.clip(0, _DUSTIEST) * np.take(DUSTY, canvas.material)
    wet = canvas.material == M.WATER
    depth = _depth(x, y, canvas.shore, city) if wet.any() else None
    bands = []
    for band, (left, light, warm) in enumerate(zip(_SHADE, city.light, _WARM, strict=True)):
        cast = _CAST[0] * noise(x, y, _CAST[1], city.seed + 506 + band)
        value = np.take(colors[:, band], canvas.material) * tone + np.float32(warm) * canvas.warmth
        dust = np.float32(_DUST[band]) * (_DUST_TONE[0] + _DUST_TONE[1] * tone)
        value += (dust - value) * hidden
        if depth is not None:
            shallow = np.float32(_SHALLOW[band] - colors[M.WATER, band])
            value = np.where(wet, value + shallow * depth[0] + depth[1][band], value)
        lit = 1 - np.float32(1 - left) * lost
        value = value * lit * (strip * np.float32(light) + cast) + haze
        value = (value - _MIDDLE_GRAY) * np.float32(city.contrast) + _MIDDLE_GRAY
        bands.append(np.rint(value * _FIXED_POINT).astype(np.int32))
    return np.stack(bands)


def _grained(canvas: Canvas, x, y, city: City) -> np.ndarray:
    """Return the canvas' tone with the grain of its materials."""
    grain = noise(x, y, _FINE, city.seed + 501)
    grain = grain + _COARSE_GRAIN * noise(x, y, _COARSE, city.seed + 502)
    return canvas.tone * (1 + np.take(GRAIN, canvas.material) * grain)


def _depth(x, y, shore: np.ndarray, city: City):
    """Return how much bottom shows through the water (0–1), and the water's own tint by band."""
    bank = octaves(x, y, _BANKS[1], city.seed + 511, 3)
    seen = (1 + shore / _DEPTH + _BANKS[0] * bank).clip(0, 1)
    wave = noise(x, y, _RIPPLES, city.seed + 515) + noise(x, y, _SWELL, city.seed + 516)
    algae = (_ALGAE * noise(x, y, _BLOOMS, city.seed + 517)).clip(0, None)
    mud = (_MUD * noise(x, y, _PLUMES, city.seed + 519)).clip(0, None)
    wave = wave * (_WAVE + _MUDDY_WAVE * mud)
    red, green = mud + wave, algae + _MUD_TINT[0] * mud + wave
    blue = _ALGAE_TINT * algae + _MUD_TINT[1] * mud + wave
    return seen * seen * seen * _BOTTOM, (red, green, blue)


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
    down = np.rint(reach * noise(x, y, _SLIPS, city.seed + 531)).astype(np.intp)
    right = np.rint(reach * noise(x, y, _SLIPS, city.seed + 532)).astype(np.intp)
    height, width = label.shape
    row = (np.arange(height)[:, None] + down).clip(0, height - 1)
    column = (np.arange(width)[None, :] + right).clip(0, width - 1)
    return label[row, column]
