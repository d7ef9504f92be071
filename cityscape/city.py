"""What sets one city apart from another: where it lies, who looks at it, how it is built."""

from dataclasses import dataclass, field, replace

from .surface import Material as M

CRS = "EPSG:32640"


@dataclass(frozen=True)
class Quarter:
    """How one kind of quarter is built. Lengths in meters, shares and odds from 0 to 1.

    Attributes:
        name: what a resident would call it.
        block: length and depth of a block, street centers to street centers.
        street: half the width of a street, pavements included.
        lot: width and depth of a lot.
        missing: odds that a street between two blocks was never built.
        uses: odds of a block's use: built, park, empty, site, parking.
        covered: least and greatest share of a lot's sides that the building takes.
        height: least and greatest height of a roof.
        vacant: odds that a lot is empty.
        garden: odds that an open part of a lot is green.
        roofs: odds of the roof materials.
        grown: whether streets grew (irregular blocks) or were planned (straight ones).
        hipped: odds that a roof slopes to four sides.
        ribbed: whether roofs are long sheets of metal.
        ground: what covers open ground inside blocks.
    """

    name: str
    block: tuple[float, float]
    street: float
    lot: tuple[float, float]
    missing: float
    uses: dict[str, float]
    covered: tuple[float, float]
    height: tuple[float, float]
    vacant: float
    garden: float
    roofs: dict[M, float]
    grown: bool = False
    hipped: float = 0.0
    ribbed: bool = False
    ground: M = M.GARDEN_SOIL


FLAT_ROOFS = {
    M.ROOF_WHITE: 3, M.ROOF_CREAM: 3, M.ROOF_SAND: 4, M.ROOF_LIGHT_GRAY: 4, M.ROOF_GRAY: 3,
    M.ROOF_DARK: 2, M.ROOF_BROWN: 1,
}  # fmt: skip
VILLA_ROOFS = {
    M.ROOF_WHITE: 3, M.ROOF_CREAM: 3, M.ROOF_SAND: 3, M.ROOF_LIGHT_GRAY: 3, M.ROOF_BLUE: 2,
    M.ROOF_TILE: 2, M.ROOF_GRAY: 2, M.ROOF_BROWN: 1,
}  # fmt: skip
SHED_ROOFS = {
    M.ROOF_WHITE: 4, M.ROOF_LIGHT_GRAY: 4, M.ROOF_BLUE: 2, M.ROOF_SAND: 2, M.ROOF_TILE: 1,
    M.ROOF_GRAY: 3, M.ROOF_DARK: 1, M.ROOF_GREEN: 2,
}  # fmt: skip

QUARTERS = (
    Quarter(
        "harbor", (150, 96), 7.0, (46, 40), 0.25,
        {"built": 5, "park": 0.4, "empty": 3, "site": 0.9, "parking": 1.2},
        (0.62, 0.92), (6, 12), 0.25, 0.03, SHED_ROOFS, ribbed=True, ground=M.GRAVEL,
    ),
    Quarter(
        "old town", (74, 66), 4.6, (17, 15), 0.0,
        {"built": 9, "park": 0.6, "empty": 1.0, "site": 0.2, "parking": 0.8},
        (0.74, 1.0), (5, 13), 0.12, 0.08, FLAT_ROOFS, grown=True,
    ),
    Quarter(
        "villas", (156, 74), 5.6, (21, 29), 0.22,
        {"built": 9, "park": 1.1, "empty": 1.8, "site": 0.4, "parking": 0.2},
        (0.56, 0.80), (5, 9), 0.08, 0.42, VILLA_ROOFS, hipped=0.45,
    ),
    Quarter(
        "towers", (150, 124), 8.0, (58, 50), 0.18,
        {"built": 9, "park": 1.6, "empty": 2.0, "site": 0.6, "parking": 0.9},
        (0.50, 0.76), (16, 40), 0.15, 0.30, FLAT_ROOFS, ground=M.PAVING,
    ),
    Quarter(
        "gardens", (240, 170), 6.0, (26, 26), 0.45,
        {"built": 2.2, "park": 6, "empty": 1.2, "site": 0.2, "parking": 0.5},
        (0.50, 0.74), (5, 10), 0.15, 0.6, VILLA_ROOFS, hipped=0.5,
    ),
    Quarter(
        "desert fringe", (190, 150), 6.0, (38, 20), 0.62,
        {"built": 2.6, "park": 0.15, "empty": 10, "site": 0.6},
        (0.60, 0.88), (4, 8), 0.30, 0.03, SHED_ROOFS, ribbed=True, ground=M.SAND,
    ),
)  # fmt: skip
HARBOR, OLD_TOWN, VILLAS, TOWERS, GARDENS, DESERT = range(len(QUARTERS))


@dataclass(frozen=True)
class City:
    """A world without end, and the sensor that looks at it.

    Attributes:
        seed: another seed, another city.
        pixel: ground size of a pixel in meters.
        origin: UTM easting and northing of the upper left corner of pixel (0, 0), meters.
        sun: azimuth (clockwise from north) and elevation, degrees.
        quarters: the kinds of quarters, in the order of HARBOR … DESERT.
        colors: materials whose color differs from the usual, (red, green, blue) 0–255.
        light: (red, green, blue) factor of the sensor.
        haze: light that the air adds, 0–1 of full scale.
        dust: mean share of a color that dust hides, 0–1.
        contrast: factor around middle gray.
        blur: weight in 1/16 of each of the two neighbors in the point spread.
        sharpening: strength of the pan-sharpening overshoot, in 1/16.
        noise: standard deviation, gray levels.
        slip: farthest that an annotator's outline strays, meters.
        jpeg_quality: 1 to 95.
        places: middles of the tiles of the sample, meters east and south of the origin.
        scene: middle of the scene, likewise.
        taken: when the sensor looked, as TIFF writes it (the sun stood so then), or "": not said.
    """

    seed: int
    pixel: float = 0.5
    origin: tuple[float, float] = (331_000.0, 2_782_000.0)
    sun: tuple[float, float] = (139.0, 56.0)
    quarters: tuple[Quarter, ...] = QUARTERS
    colors: dict[M, tuple[int, int, int]] = field(default_factory=dict)
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    haze: float = 0.02
    dust: float = 0.36
    contrast: float = 1.22
    blur: int = 3
    sharpening: int = 14
    noise: float = 3.5
    slip: float = 0.9
    jpeg_quality: int = 88
    places: tuple[tuple[float, float], ...] = ()
    scene: tuple[float, float] = (0.0, 0.0)
    taken: str = ""


CITY = City(
    seed=2024,
    places=((-625, 635), (60, 990), (1950, -360), (3340, 500), (3840, -475), (5330, 100)),
    scene=(1305, 788),
    taken="2021:03:17 07:00:00",
)
#: The same ground years later, on another day: vacant lots and empty blocks are built on.
LATER_CITY = replace(
    CITY,
    quarters=tuple(
        replace(
            quarter,
            vacant=0.2 * quarter.vacant,
            uses={**quarter.uses, "built": quarter.uses["built"] + 0.4 * quarter.uses["empty"],
                  "empty": 0.6 * quarter.uses["empty"]},
        )
        for quarter in QUARTERS
    ),
    sun=(152.0, 49.0),
    taken="2027:10:24 06:50:00",
    light=(0.98, 1.0, 1.03),
    haze=0.035,
)  # fmt: skip
SECOND_CITY = City(
    seed=77,
    pixel=0.3,
    origin=(402_000.0, 2_801_000.0),
    sun=(212.0, 36.0),
    colors={
        M.SAND: (196, 172, 146), M.GARDEN_SOIL: (160, 140, 118), M.LAWN: (86, 112, 62),
        M.DRY_GRASS: (128, 128, 88), M.ASPHALT: (98, 96, 100), M.WORN_ASPHALT: (124, 120, 120),
        M.ROOF_TILE: (170, 92, 66), M.ROOF_BLUE: (110, 126, 140), M.ROOF_CREAM: (206, 186, 158),
        M.WATER: (24, 44, 52), M.GRAVEL: (150, 138, 124), M.TRACK: (182, 160, 136),
    },
    light=(1.02, 0.98, 0.92),
    haze=0.06,
    contrast=0.94,
    blur=4,
    sharpening=6,
    noise=2.0,
    places=((-1080, 1200), (300, 1420), (380, 2480), (1000, 1800), (1750, -380), (-250, 1100)),
    scene=(885, 2350),
)  # fmt: skip
