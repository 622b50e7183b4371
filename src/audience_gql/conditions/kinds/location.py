"""location: where on the earth the person is, as latitude and longitude of the profile say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from audience_gql.conditions.base import PROFILE, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.locations import (
    Location,
    distance,
    location_at,
    longest_squared_chord,
    squared_chord,
)
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfRow, Parameters
from audience_gql.conditions.values import Json, number_of
from audience_gql.conditions.vocabulary import IdCodec
from audience_gql.conditions.words.wording import number

_MOST_KILOMETERS: Final = 20_038
"""A little more than half of the equator, so that every point of the earth can be near."""
_METERS: Final = 3
_HALF_CIRCLE: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """At most this far from a point."""

    latitude: Decimal
    longitude: Decimal
    kilometers: Decimal

    @property
    def center(self) -> Location:
        return location_at(float(self.latitude), float(self.longitude))

    def matches(self, location: Location) -> bool:
        return squared_chord(location, self.center) <= longest_squared_chord(float(self.kilometers))

    def sql(self, parameters: Parameters) -> str:
        center = self.center
        vector = (("s.location_x", center.x), ("s.location_y", center.y), ("s.location_z", center.z))
        sides = [f"({column} - {_double(value, parameters)})" for column, value in vector]
        chord = " + ".join(f"{side} * {side}" for side in sides)
        return f"{chord} <= {_double(longest_squared_chord(float(self.kilometers)), parameters)}"

    def dump(self) -> Json:
        return {
            "near": {
                "latitude": number_of(self.latitude),
                "longitude": number_of(self.longitude),
                "kilometers": number_of(self.kilometers),
            }
        }

    def words(self) -> str:
        """A predicate: `is within 5 km of 54.6872° N, 25.2797° E`."""
        return f"is within {number(self.kilometers)} km of {_point(self.latitude, self.longitude)}"

    def observe(self, location: Location) -> dict[str, Json]:
        return {"kilometers": round(distance(location, self.center), _METERS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Between two parallels and two meridians. If west is greater than east, the box crosses the meridian of 180 degrees."""

    south: Decimal
    west: Decimal
    north: Decimal
    east: Decimal

    def matches(self, location: Location) -> bool:
        is_between = float(self.south) <= location.latitude <= float(self.north)
        return is_between and any(west <= location.longitude <= east for west, east in self._spans())

    def sql(self, parameters: Parameters) -> str:
        latitude = _between("s.latitude", float(self.south), float(self.north), parameters)
        first, second = (_between("s.longitude", *span, parameters) for span in self._spans())
        return f"({latitude} AND ({first} OR {second}))"

    def dump(self) -> Json:
        return {
            "within": {
                "south": number_of(self.south),
                "west": number_of(self.west),
                "north": number_of(self.north),
                "east": number_of(self.east),
            }
        }

    def words(self) -> str:
        """A predicate: `is in the box from 54.5° N, 25.1° E to 54.8° N, 25.4° E`."""
        return f"is in the box from {_point(self.south, self.west)} to {_point(self.north, self.east)}"

    def observe(self, location: Location) -> dict[str, Json]:  # noqa: ARG002  # latitude and longitude say it all
        return {}

    def _spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Longitudes from west to east, in two spans. -180 and 180 are the same meridian."""
        west, east = float(self.west), float(self.east)
        if west > east:
            return (west, _HALF_CIRCLE), (-_HALF_CIRCLE, east)
        if east == _HALF_CIRCLE:
            return (west, east), (-_HALF_CIRCLE, -_HALF_CIRCLE)
        if west == -_HALF_CIRCLE:
            return (west, east), (_HALF_CIRCLE, _HALF_CIRCLE)
        return (west, east), (west, east)


@dataclass(frozen=True, slots=True, kw_only=True)
class IsSet:
    """Whether there is a location."""

    value: bool

    def sql(self, parameters: Parameters) -> str:  # noqa: ARG002  # no value to bind
        return f"s.latitude IS {'NOT NULL' if self.value else 'NULL'}"

    def dump(self) -> Json:
        return {"isSet": self.value}

    def words(self) -> str:
        return "is set" if self.value else "is not set"


LocationFilter: TypeAlias = Near | Within | IsSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Leaf):
    """The person's location passes a filter."""

    filter: LocationFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {"location": self.filter.dump()}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        return f"whose location {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:  # noqa: ARG002  # independent of the time
        if isinstance(self.filter, IsSet):
            return (person.location is not None) is self.filter.value
        return person.location is not None and self.filter.matches(person.location)

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        location = person.location
        if location is None:
            return None
        more = {} if isinstance(self.filter, IsSet) else self.filter.observe(location)
        return {"latitude": location.latitude, "longitude": location.longitude, **more}

    def reads(self) -> frozenset[Read]:
        return frozenset({PROFILE})

    def sql(self, parameters: Parameters) -> OfRow:
        return OfRow(expression=self.filter.sql(parameters))


def _double(value: float, parameters: Parameters) -> str:
    return parameters.constant(value, "double precision")


def _between(column: str, low: float, high: float, parameters: Parameters) -> str:
    return f"({column} >= {_double(low, parameters)} AND {column} <= {_double(high, parameters)})"


def _point(latitude: Decimal, longitude: Decimal) -> str:
    north = f"{number(abs(latitude))}° {'S' if latitude < 0 else 'N'}"
    return f"{north}, {number(abs(longitude))}° {'W' if longitude < 0 else 'E'}"


def _degrees(most: int) -> Callable[[Decimal, Parsing], Decimal]:
    def check(degrees: Decimal, parsing: Parsing) -> Decimal:
        if abs(degrees) > most:
            parsing.problem("OUT_OF_RANGE", f"must be between -{most} and {most}")
        return degrees

    return check


def _kilometers(kilometers: Decimal, parsing: Parsing) -> Decimal:
    if not 0 < kilometers <= _MOST_KILOMETERS:
        parsing.problem("OUT_OF_RANGE", f"must be more than 0, and at most {_MOST_KILOMETERS:,}")
    return kilometers


def _build_within(given: Given, parsing: Parsing) -> Within:
    if given["south"] > given["north"]:
        parsing.problem("OUT_OF_RANGE", "`south` must not be greater than `north`")
    return Within(**given)


def _build(given: Given, _: Parsing) -> Located:
    ((operator, value),) = given.items()
    return Located(filter=IsSet(value=value) if operator == "isSet" else value)


def _number(name: str, check: Callable[[Decimal, Parsing], Decimal], description: str) -> InputField:
    return InputField(name=name, type=Scalar.FLOAT, required=True, check=check, description=description)


_NEAR: Final = Shape(
    name="NearPoint",
    description="A circle around a point.",
    fields=(
        _number("latitude", _degrees(90), "Of the point: degrees north, from -90 to 90."),
        _number("longitude", _degrees(180), "Of the point: degrees east, from -180 to 180."),
        _number(
            "kilometers",
            _kilometers,
            f"The greatest distance: more than 0, and at most {_MOST_KILOMETERS:,}.",
        ),
    ),
    build=lambda given, _: Near(**given),
)
_WITHIN: Final = Shape(
    name="WithinBox",
    description="A box between two parallels and two meridians. Its edges are included.",
    fields=(
        _number("south", _degrees(90), "The least latitude, from -90 to 90."),
        _number("west", _degrees(180), "The longitude of the western edge, from -180 to 180."),
        _number("north", _degrees(90), "The greatest latitude, from -90 to 90."),
        _number(
            "east",
            _degrees(180),
            "The longitude of the eastern edge, from -180 to 180. If it is less than `west`, the box crosses the meridian of 180 degrees.",
        ),
    ),
    build=_build_within,
)
_LOCATION_FILTER: Final = Shape(
    name="LocationFilter",
    one_of=True,
    description="Where the person is. People without a latitude and a longitude match only `isSet: false`.",
    fields=(
        InputField(
            name="near",
            type=_NEAR,
            description="At most so many kilometers from a point, along a great circle of a sphere with the earth's mean radius "
            "(6,371.0088 km). The distance differs from that on the WGS 84 ellipsoid by at most 0.57 %.",
        ),
        InputField(name="within", type=_WITHIN, description="In a box of latitudes and longitudes."),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is a location."),
    ),
    build=_build,
)

register(
    Kind(
        name="location",
        label="location",
        description="The latitude and longitude of the profile.",
        category="DEMOGRAPHIC",
        type=_LOCATION_FILTER,
        build=lambda condition, _: condition,
        example={"near": {"latitude": 54.6872, "longitude": 25.2797, "kilometers": 5}},
    )
)
