"""The embedded data: a procedural, georeferenced city, and mountains, made on the spot."""

from .city import CITY, CRS, LATER_CITY, SECOND_CITY, City
from .dataset import write, write_scene
from .districts import write_districts
from .invented import invented
from .mountains import MOUNTAINS, Mountains, write_landslides
from .scene import render, transform

__all__ = [
    "CITY",
    "CRS",
    "LATER_CITY",
    "MOUNTAINS",
    "SECOND_CITY",
    "City",
    "Mountains",
    "invented",
    "render",
    "transform",
    "write",
    "write_districts",
    "write_landslides",
    "write_scene",
]
