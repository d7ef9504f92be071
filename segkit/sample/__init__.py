"""The embedded data: a procedural, georeferenced city, made on the spot."""

from .city import CITY, CRS, SECOND_CITY, City
from .dataset import write
from .mountains import write_landslides
from .scene import render, transform

__all__ = ["CITY", "CRS", "SECOND_CITY", "City", "render", "transform", "write", "write_landslides"]
