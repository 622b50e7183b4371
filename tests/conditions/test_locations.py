"""Distances on the sphere: how far they are from those on the ellipsoid, how fine they are, and what circles and boxes are refused."""

from __future__ import annotations

from math import asin, atan, atan2, cos, degrees, hypot, radians, sin, tan
from random import Random

import pytest

from audience_gql.conditions.base import InvalidCondition, Leaf, Moment
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.locations import MEAN_RADIUS, Location, distance, location_at, squared_chord
from audience_gql.conditions.vocabulary import PLAIN_IDS
from tests.conditions.chance import NOON
from tests.conditions.world import condition_of

Point = tuple[float, float]
VILNIUS = {"latitude": 54.6872, "longitude": 25.2797, "kilometers": 5}
BOX = {"south": 1, "west": 2, "north": 3, "east": 4}


def on_the_ellipsoid(one: Point, other: Point) -> float:
    """The distance in kilometers on WGS 84, by T. Vincenty, "Direct and inverse solutions of geodesics on the ellipsoid with application of
    nested equations", Survey Review 23 (1975), to less than a millimeter. It does not converge for almost opposite points."""
    a, f = 6378.137, 1 / 298.257223563
    b = (1 - f) * a
    u1, u2 = (atan((1 - f) * tan(radians(latitude))) for latitude, _ in (one, other))
    difference = longitude = radians(other[1] - one[1])
    for _ in range(200):
        sin_sigma = hypot(cos(u2) * sin(longitude), cos(u1) * sin(u2) - sin(u1) * cos(u2) * cos(longitude))
        cos_sigma = sin(u1) * sin(u2) + cos(u1) * cos(u2) * cos(longitude)
        sigma = atan2(sin_sigma, cos_sigma)
        sin_alpha = cos(u1) * cos(u2) * sin(longitude) / sin_sigma
        cos2 = 1 - sin_alpha**2
        middle = cos_sigma - 2 * sin(u1) * sin(u2) / cos2 if cos2 else 0.0
        c = f / 16 * cos2 * (4 + f * (4 - 3 * cos2))
        turn = sigma + c * sin_sigma * (middle + c * cos_sigma * (2 * middle**2 - 1))
        before, longitude = longitude, difference + (1 - c) * f * sin_alpha * turn
        if abs(longitude - before) < 1e-12:
            break
    else:
        raise ValueError("does not converge")
    square = cos2 * (a**2 - b**2) / b**2
    big_a = 1 + square / 16384 * (4096 + square * (-768 + square * (320 - 175 * square)))
    big_b = square / 1024 * (256 + square * (-128 + square * (74 - 47 * square)))
    inner = cos_sigma * (2 * middle**2 - 1) - big_b / 6 * middle * (4 * sin_sigma**2 - 3) * (
        4 * middle**2 - 3
    )
    return b * big_a * (sigma - big_b * sin_sigma * (middle + big_b / 4 * inner))


def error(one: Point, other: Point) -> float:
    """How much longer than on the ellipsoid the distance is, in percent."""
    exact = on_the_ellipsoid(one, other)
    return 100 * (distance(location_at(*one), location_at(*other)) - exact) / exact


def random_pairs(count: int) -> list[tuple[Point, Point]]:
    """Half of them anywhere on the sphere, the others up to ten degrees apart."""
    random = Random(18)

    def anywhere() -> Point:
        return degrees(asin(random.uniform(-1, 1))), random.uniform(-180, 180)

    def beside(point: Point) -> Point:
        reach = 10 ** random.uniform(-3, 1)
        latitude = point[0] + random.uniform(-reach, reach)
        return max(-90, min(90, latitude)), (point[1] + random.uniform(-reach, reach) + 180) % 360 - 180

    points = [anywhere() for _ in range(count)]
    return [(point, beside(point) if number % 2 else anywhere()) for number, point in enumerate(points)]


def test_the_ellipsoid_of_this_test() -> None:
    flinders_peak, buninyong = (-(37 + 57 / 60 + 3.72030 / 3600), 144 + 25 / 60 + 29.52440 / 3600), (-(37 + 39 / 60 + 10.15610 / 3600), 143 + 55 / 60 + 35.38390 / 3600)  # fmt: skip

    # Geocentric Datum of Australia, Technical Manual: 54,972.271 m on GRS 80, which is WGS 84 to a tenth of a millimeter
    assert on_the_ellipsoid(flinders_peak, buninyong) == pytest.approx(54.972271, abs=1e-6)


def test_distances_are_within_0_57_percent_of_those_on_the_ellipsoid() -> None:
    found = [
        error(one, other)
        for one, other in random_pairs(4_000)
        if distance(location_at(*one), location_at(*other)) < 19_900
    ]

    assert len(found) > 3_900
    assert -0.448 < min(found) < -0.4
    assert 0.5 < max(found) < 0.562
    assert error((0, 0), (0.1, 0)) == pytest.approx(0.561, abs=0.001)  # along a meridian at the equator
    assert error((90, 0), (89.9, 0)) == pytest.approx(-0.447, abs=0.001)  # at a pole


@pytest.mark.parametrize("kilometers", [1e-5, 1e-3, 1, 1_000, 20_000])
def test_a_distance_is_exact_to_a_micrometer(kilometers: float) -> None:
    random = Random(3)
    angle = degrees(kilometers / MEAN_RADIUS)
    for _ in range(200):
        latitude, longitude = (
            random.uniform(-90, 90 - angle) if angle < 180 else -90,
            random.uniform(-180, 180),
        )

        found = distance(location_at(latitude, longitude), location_at(latitude + angle, longitude))

        # Near the opposite point, the chord hardly grows with the distance.
        assert found == pytest.approx(kilometers, abs=1e-9 if kilometers < 10_000 else 1e-6)


def test_no_square_is_too_small_for_postgres() -> None:
    chords = [
        squared_chord(location_at(0, 0), location_at(tiny, -tiny)) for tiny in (1e-300, 1e-17, 1e-14, 1e-13)
    ]

    assert all(chord == 0 or chord > 1e-33 for chord in chords)
    assert chords[0] == 0 < chords[-1]


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"near": VILNIUS | {"latitude": 90.1}}, [("OUT_OF_RANGE", ("near", "latitude"))]),
        ({"near": VILNIUS | {"longitude": -180.1}}, [("OUT_OF_RANGE", ("near", "longitude"))]),
        ({"near": VILNIUS | {"kilometers": 0}}, [("OUT_OF_RANGE", ("near", "kilometers"))]),
        ({"near": VILNIUS | {"kilometers": 20_038.1}}, [("OUT_OF_RANGE", ("near", "kilometers"))]),
        ({"near": {"latitude": 1, "longitude": 2}}, [("REQUIRED", ("near", "kilometers"))]),
        ({"near": VILNIUS | {"longitude": "25"}}, [("WRONG_TYPE", ("near", "longitude"))]),
        ({"within": BOX | {"south": 3.5}}, [("OUT_OF_RANGE", ("within",))]),
        ({"within": BOX | {"north": 91, "east": 181}}, [("OUT_OF_RANGE", ("within", "north")), ("OUT_OF_RANGE", ("within", "east"))]),
        ({"near": VILNIUS, "isSet": True}, [("CONFLICT", ())]),
        ({}, [("REQUIRED", ())]),
    ],
)  # fmt: skip
def test_what_is_refused(given: object, problems: list[tuple[str, tuple[str, ...]]]) -> None:
    with pytest.raises(InvalidCondition) as refused:
        condition_of({"not": {"location": given}})

    assert [(it.code, it.path) for it in refused.value.problems] == [
        (code, ("not", "location", *path)) for code, path in problems
    ]


@pytest.mark.parametrize(
    ("given", "location", "observed"),
    [
        ({"near": VILNIUS}, location_at(54.8985, 23.9036), {"latitude": 54.8985, "longitude": 23.9036, "kilometers": 91.292}),
        ({"within": BOX}, location_at(0, 1), {"latitude": 0, "longitude": 1}),
        ({"isSet": False}, location_at(0, 1), {"latitude": 0, "longitude": 1}),
        ({"near": VILNIUS}, None, None),
    ],
)  # fmt: skip
def test_what_an_explanation_shows(given: object, location: Location | None, observed: object) -> None:
    leaf = condition_of({"location": given})
    person = Facts(id=1, created_at=NOON, updated_at=NOON, location=location)

    assert isinstance(leaf, Leaf)
    assert leaf.observe(person, Moment(now=NOON, timezone="UTC", verdicts={}), PLAIN_IDS) == observed
