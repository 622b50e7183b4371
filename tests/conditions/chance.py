"""Random conditions, made from the shapes of all registered kinds, and random people for them.

A new kind needs no change here if the people have the facts that it reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import nextafter
from random import Random
from typing import Any

from audience_gql.conditions.base import CalendarEdge, Condition, DayEdge, Edge, InvalidCondition
from audience_gql.conditions.calendar import LocalCalendar, anniversary, day_start, zone_of
from audience_gql.conditions.facts import ChannelFact, Event, Facts
from audience_gql.conditions.input.shapes import Enumeration, InputField, Reference, Scalar, Shape
from audience_gql.conditions.locations import (
    Location,
    distance,
    location_at,
    longest_squared_chord,
    squared_chord,
)
from audience_gql.conditions.reasoning.dependencies import edges
from audience_gql.conditions.registry import condition_shape
from audience_gql.conditions.values import decimal_of
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS
from tests.conditions.world import EVENT_NAMES, FIELDS, GROUPS, SEGMENTS, VOCABULARY, Person, condition_of

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
_MOST_CASES = 1_500
CASES = int(
    os.environ.get("AUDIENCE_FUZZ_CASES", _MOST_CASES if os.environ.get("AUDIENCE_FUZZ_LONG") else 600)
)
"""How many conditions the largest of the random tests tries."""
_MICROSECOND = timedelta(microseconds=1)

_TEXTS = [
    "LT",
    "lt",
    "Straße",
    "STRASSE",
    "İ",
    "ΟΔΟΣ",
    "οδος",
    "Cafe\u0301",
    "café",
    "100%",
    "a_b",
    "b",
    "pro",
]
_NEEDLES = [*_TEXTS, "", "s", "%", "_", "e\u0301", "é", "t"]
_PATTERNS = [
    "*", "?", "??", "l?", "*t", "L*|b", r"\*|\\", "100%", "100?", "?_?", "_*", "*e\u0301", "caf?", "str?*e", "%", "_", "__", "?%", "%t", "_*", "STRASS?", "?δο?|i?", "?*?", "pr|p*o", "", "|b",
]  # fmt: skip
_NUMBERS = [0, 1, 5, 0.1, 0.2, 0.3, 0.30000000000000004, 100, -1, 1e22, 2**53 - 1, 1e-7]
_INSTANTS = [
    "2026-03-30T12:00:00Z",
    "2026-03-30T14:00:00+02:00",
    "2026-02-30T00:00:00Z",
    "2026-03-31T12:00:00",
]
_SHARES = [0, 0.1, 12.5, 33.3, 50, 100]
_FEW_NUMBERS = [*_NUMBERS, *[0.3, 0.6, 0.7] * 4, 0.15, 1, 1, 5, 5]
_PROPERTIES = ["brand", "price"]
_COMMON = ["LT", "b", 1, 5]
"""So few that several events of a person share a value, and others differ."""
ZONES = ["Europe/Vilnius", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12"]
_LOCATIONS = [
    (0, 0), (0, 1), (0, 90), (0, 180), (0, -180), (0, 179.5), (0, -179.5), (54.6872, 25.2797), (54.6917, 25.2797), (-33.8688, 151.2093),
    (90, 0), (90, 77), (-90, 0), (1e-300, -1e-300),
]  # fmt: skip
_LENGTHS = {
    "minutes": [1, 60, 1440],
    "hours": [1, 24, 48],
    "days": [1, 2, 7, 30, 366],
    "weeks": [1, 4],
    "month": [2, 3, 4],
    "calendarDays": [1, 2, 7, 31],
    "calendarMonths": [1, 2],
}
_COUNTS = {"where": [0, 1, 2, 2, 3], "steps": [2, 2, 3, 4]}
_STEPS = [timedelta(0), *(timedelta(hours=hours) for hours in (1, 24, 48, 168, 720)), timedelta(minutes=1)]


def share(count: int) -> int:
    """This number of cases in a long run, and fewer in proportion to CASES in a quicker one."""
    return count * min(CASES, _MOST_CASES) // _MOST_CASES


class Chance:
    """The seeded source of all random values. Most leaves are of the kind `about`, if one is given."""

    def __init__(self, seed: int, *, about: str | None = None) -> None:
        self.random = Random(seed)
        self._about = about

    # ---- conditions

    def condition(self, *, segment_ids: list[int], depth: int | None = None) -> Condition:
        """A condition that may read these segments. It is often a single leaf, so that other nodes do not hide a mistake."""
        if depth is None:
            depth = self.random.choice([0, 0, 1, 2, 4])
        return condition_of(self._condition(segment_ids, depth))

    def _condition(self, segment_ids: list[int], depth: int, *, is_about: bool = True) -> dict[str, object]:
        kinds = [field for field in condition_shape().fields if segment_ids or field.name != "segment"]
        inner = [kind for kind in kinds if isinstance(kind.type, Reference)]
        leaves = self._leaves_of(kinds, is_about=is_about)
        kind = self.random.choice(inner if depth and self.random.random() < 0.7 else leaves)
        if not isinstance(kind.type, Reference):
            return self._leaf(kind, segment_ids)
        if not kind.many:
            return {kind.name: self._condition(segment_ids, depth - 1)}
        count = self.random.choice([0, 1, 2, 2, 3, 3])
        return {kind.name: [self._condition(segment_ids, depth - 1) for _ in range(count)]}

    def _leaves_of(self, kinds: list[InputField], *, is_about: bool) -> list[InputField]:
        if self._about is None or not is_about or self.random.random() < 0.2:
            return _leaves_of(kinds)
        return [kind for kind in kinds if kind.name == self._about]

    def _leaf(self, kind: InputField, segment_ids: list[int]) -> dict[str, object]:
        """Draw until the codec accepts the condition, so that rules which no shape expresses are not repeated here."""
        while True:
            drawn = {kind.name: self._value(kind, kind.name, segment_ids)}
            try:
                condition_of(drawn)
            except InvalidCondition:
                continue
            return drawn

    def _value(self, field: InputField, owner: str, segment_ids: list[int]) -> object:
        if field.name == "where" and self.random.random() < 0.5:
            return self._two_properties()
        if field.many:
            count = self.random.choice(_COUNTS.get(field.name, [0, 1, 1, 2]))
            return [self._item(field, owner, segment_ids) for _ in range(count)]
        return self._item(field, owner, segment_ids)

    def _two_properties(self) -> list[object]:
        """Filters that some event of a person is likely to match. Fewer events match two of them."""
        text, number = self.random.choice([{"is": "LT"}, {"is": "b"}]), {"eq": self.random.choice([1, 5])}
        return [{"key": "brand", "text": text}, {"key": "price", "number": number}]

    def _item(self, field: InputField, owner: str, segment_ids: list[int]) -> object:
        match field.type:
            case Shape() as shape:
                return self._object(shape, segment_ids)
            case Enumeration(values=values):
                return self.random.choice([*values, values[0]]).name
            case Scalar() as scalar:
                return self._scalar(scalar, field.name, owner, segment_ids)
            case Reference():
                return self._condition(segment_ids, self.random.choice([0, 0, 1]), is_about=False)
        raise TypeError(f"no random {field.type}")

    def _near(self) -> dict[str, object]:
        """A circle on whose edge a person is likely to be, or the next smaller or larger circle."""
        center, other = self.random.choice(_LOCATIONS), self.random.choice(_LOCATIONS)
        kilometers = kilometers_between(location_at(*center), location_at(*other))
        beside = self.random.choice([kilometers, kilometers, nextafter(kilometers, 0), kilometers + 0.001, 1])
        return {"latitude": center[0], "longitude": center[1], "kilometers": min(beside, 20_038)}

    def _scalar(self, scalar: Scalar, name: str, owner: str, segment_ids: list[int]) -> object:
        draw: Mapping[Scalar, Callable[[], object]] = {
            Scalar.STRING: lambda: self._string(name, owner),
            Scalar.INT: lambda: self.random.choice(_LENGTHS.get(name, [0, 1, 1, 2, 3])),
            Scalar.FLOAT: lambda: self.random.choice(_numbers(name, owner)),
            Scalar.BOOLEAN: lambda: self.random.random() < 0.5,
            Scalar.ID: lambda: str(
                self.random.choice(
                    segment_ids
                    if owner == "SegmentFilter"
                    else [*GROUPS, *GROUPS, *map(str.upper, GROUPS.values())]
                )
            ),
            Scalar.DATE_TIME: self.instant,
            Scalar.DATE: self.day,
        }
        return draw[scalar]()

    def _object(self, shape: Shape, segment_ids: list[int]) -> dict[str, object]:
        if shape.name == "NearPoint":
            return self._near()
        if shape.one_of:
            chosen = [self.random.choice(shape.fields)]
        else:
            chosen = [field for field in shape.fields if field.required or self.random.random() < 0.4]
        return {field.name: self._value(field, shape.name, segment_ids) for field in chosen}

    def _string(self, name: str, owner: str) -> str:
        pools: Mapping[tuple[str, str], list[str]] = {
            ("key", "FieldFilter"): list(FIELDS)[:8],  # those that people have
            ("key", "PropertyFilter"): _PROPERTIES,
            ("of", "EventTotalFilter"): ["value", "value", *_PROPERTIES],
            ("matches", "TextFilter"): _PATTERNS,
        }
        if name in {"name", "notFollowedBy"}:
            return self.random.choice([*list(EVENT_NAMES)[:3], "unheard_of"])
        if name in {"sameProperty", "perProperty"}:
            return self.random.choice(_PROPERTIES)
        return self.random.choice(pools.get((name, owner), _NEEDLES))

    # ---- people

    def person(self, *, bucket_id: int, id: int) -> Person:  # noqa: A002  # the row's id
        return Person(bucket_id=bucket_id, facts=self.facts(id))

    def facts(self, id_: int) -> Facts:
        names = ["email", "firstName", "country", "city", "postalCode"]
        return Facts(
            id=id_,
            created_at=self.instant(),
            updated_at=self.instant(),
            profile=self._some(names, lambda: self.random.choice(_TEXTS))
            | self._some(["timezone"], lambda: self.random.choice(ZONES)),
            birthday=self.day() if self.random.random() < 0.7 else None,
            location=location_at(*self.random.choice(_LOCATIONS)) if self.random.random() < 0.8 else None,
            channels=self._some(list(CHANNELS), self._channel_state),
            segments=self._some(list(SEGMENTS), self.instant),
            fields=self._some([11, 12], lambda: self.random.choice(_TEXTS))
            | self._some([13, 14], lambda: self.random.choice(_NUMBERS))
            | self._some([15], lambda: self.random.random() < 0.5)
            | self._some([16], lambda: self.day().isoformat())
            | self._some([17], lambda: self.instant().isoformat())
            | self._some([18], lambda: self.random.sample(_TEXTS, self.random.choice([0, 1, 2, 3]))),
            groups=self._some(list(GROUPS), self.instant),
            events=tuple(self._event() for _ in range(self.random.choice([0, 0, 1, 3, 6, 12]))),
        )

    def instant(self) -> datetime:
        """An instant that is mostly a whole number of windows before noon, so that windows end exactly there; sometimes later."""
        at = NOON - self.random.choice(_STEPS) - self.random.choice(_STEPS)
        return at + self.random.choice([timedelta(0), timedelta(0), _MICROSECOND, timedelta(days=3)])

    def day(self) -> date:
        """A day of some year near today's date, or near the leap day."""
        near = NOON.date() + timedelta(days=self.random.choice([-31, -30, -8, -7, -2, -1, 0, 0, 1, 2, 7, 29]))
        day = self.random.choice([near, near, date(2024, 2, 29), date(2025, 3, 1), date(2025, 2, 28)])
        return anniversary(day, self.random.choice([1996, 2000, 2007, 2024, 2025, 2026, 2026, 2027]))

    def _channel_state(self) -> ChannelFact:
        return ChannelFact(status=self.random.choice(list(CHANNEL_STATUSES)), changed_at=self.instant())

    def _event(self) -> Event:
        return Event(
            name=self.random.choice([*list(EVENT_NAMES)[:3], next(iter(EVENT_NAMES))]),
            occurred_at=self.instant(),
            value=decimal_of(self.random.choice([*_NUMBERS, *[0.1, 0.2] * 6]))
            if self.random.random() < 0.6
            else None,
            properties=self._some(
                _PROPERTIES,
                lambda: (
                    self.random.choice(_COMMON)
                    if self.random.random() < 0.6
                    else self.random.choice(
                        [*_TEXTS, *_NUMBERS, *_INSTANTS, "5", True, False, None, ["LT"], {"brand": 5}]
                    )
                ),
            ),
        )

    def _some(
        self, keys: list[Any], value: Callable[[], Any]
    ) -> dict[Any, Any]:  # Any: the caller's keys and values
        return {key: value() for key in keys if self.random.random() < 0.6}

    # ---- time

    def now(self, condition: Condition, person: Facts) -> datetime:
        """An instant, often exactly at an edge of the condition or a microsecond beside it."""
        facts = [person.created_at, person.updated_at, *person.groups.values()]
        facts += [event.occurred_at for event in person.events]
        facts += [state.changed_at for state in person.channels.values()]
        facts += list(person.segments.values())
        if self.random.random() < 0.2:
            return NOON
        beside = self.random.choice([timedelta(0), timedelta(0), _MICROSECOND, -_MICROSECOND])
        found = edges(condition, VOCABULARY)
        days = sorted((edge.days, edge.lead) for edge in found if isinstance(edge, DayEdge))
        if days and self.random.random() < 0.6:
            ahead, lead = self.random.choice(days)
            return self._midnight(person, ahead) - lead + beside
        periods = [edge for edge in found if isinstance(edge, CalendarEdge)]
        if periods and person.events and self.random.random() < 0.6:
            turns = [at for edge in sorted(periods, key=repr) for at in turns_of(edge, person)]
            return self.random.choice(turns or facts) + beside
        offsets = sorted({edge.offset for edge in found if isinstance(edge, Edge)}) or [timedelta(0)]
        return self.random.choice(facts) + self.random.choice(offsets) + beside

    def _midnight(self, person: Facts, days: int) -> datetime:
        """Midnight in the person's time zone, this many days after one of their dates."""
        day = self.random.choice([person.birthday or self.day(), self.day()])
        year = self.random.choice([day.year, NOON.year, NOON.year + 1])
        zone = zone_of(person.profile.get("timezone"), VOCABULARY.timezone)
        return day_start(anniversary(day, max(year, 1990)) + timedelta(days=days), zone)


def turns_of(edge: CalendarEdge, person: Facts) -> list[datetime]:
    """When this edge passes this person."""
    zone = zone_of(person.profile.get("timezone"), VOCABULARY.timezone)
    calendar = LocalCalendar(zone=zone, week_start=edge.week_start)
    return [
        calendar.start_of(edge.period, event.occurred_at, moved=moved) - edge.lead
        for event in person.events
        if EVENT_NAMES[event.name] == edge.ref
        for moved in range(edge.last + 1, edge.first + 1)
    ]


def _numbers(name: str, owner: str) -> Sequence[float]:
    if owner == "WithinBox":
        return sorted({degrees[name in ("west", "east")] for degrees in _LOCATIONS})
    return _SHARES if owner == "SampleFilter" else _FEW_NUMBERS


def kilometers_between(one: Location, other: Location) -> float:
    """The distance for which a circle's edge goes exactly through the other location, if there is such a number."""
    wanted, kilometers = squared_chord(one, other), max(distance(one, other), 1e-9)
    for _ in range(100):
        found = longest_squared_chord(kilometers)
        if found == wanted:
            return kilometers
        kilometers = nextafter(kilometers, 0 if found > wanted else 1e9)
    return kilometers


def _leaves_of(kinds: list[InputField]) -> list[InputField]:
    """Kinds, so that each sort of filter is equally frequent: the eleven texts of the profile are one sort. Event kinds occur twice."""
    by_filter = {kind.type.name: kind for kind in kinds if isinstance(kind.type, Shape)}
    of_events = [kind for name, kind in by_filter.items() if name.startswith("Event")]
    return [*by_filter.values(), *of_events]
