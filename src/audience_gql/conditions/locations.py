"""Locations on the earth, and how far apart two of them are: along a great circle of a sphere with the earth's mean radius.

Each location has its unit vector, which is computed once. Whether two locations are near each other is then decided with subtractions,
multiplications and additions only, which every machine rounds in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, pi, radians, sin, sqrt
from typing import Final

MEAN_RADIUS: Final = 6371.0088
"""In kilometers: the mean radius R1 = (2a + b) / 3 of the ellipsoids GRS 80 and WGS 84."""
_FARTHEST: Final = MEAN_RADIUS * pi
_ALL_CHORDS: Final = 5.0
"""More than any squared chord of the unit sphere, the largest of which is 4."""
_GRID: Final = 2.0**52
"""Coordinates of vectors are multiples of 1/_GRID (1.4 nanometers on the earth). So their differences are exact, and no square of a
difference is too small for a double, which Postgres would refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Degrees north and east, and the unit vector: x towards (0, 0), y towards (0, 90), z towards the north pole."""

    latitude: float
    longitude: float
    x: float
    y: float
    z: float


def location_at(latitude: float, longitude: float) -> Location:
    """The location with these coordinates in degrees."""
    north, east = radians(latitude), radians(longitude)
    return Location(
        latitude=latitude,
        longitude=longitude,
        x=_on_grid(cos(north) * cos(east)),
        y=_on_grid(cos(north) * sin(east)),
        z=_on_grid(sin(north)),
    )


def squared_chord(one: Location, other: Location) -> float:
    """The square of the straight distance between two unit vectors. SQL computes the same in the same order."""
    x, y, z = one.x - other.x, one.y - other.y, one.z - other.z
    return x * x + y * y + z * z


def longest_squared_chord(kilometers: float) -> float:
    """The squared chord of two locations that are this far apart."""
    if kilometers >= _FARTHEST:
        return _ALL_CHORDS
    chord = 2 * sin(kilometers / (2 * MEAN_RADIUS))
    return chord * chord


def distance(one: Location, other: Location) -> float:
    """The distance in kilometers, for people to read."""
    return 2 * MEAN_RADIUS * asin(min(1.0, sqrt(squared_chord(one, other)) / 2))


def _on_grid(coordinate: float) -> float:
    return round(coordinate * _GRID) / _GRID
