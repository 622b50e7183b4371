"""Random conditions, made from the shapes of whatever kinds are registered, and random people for them.

A new kind needs no change here, as long as the people have the facts that it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from audience_gql.conditions.base import Condition, InvalidCondition
from audience_gql.conditions.dependencies import edges
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.registry import condition_shape
from audience_gql.conditions.shapes import Enumeration, InputField, Reference, Scalar, Shape
from audience_gql.conditions.values import decimal_of
from tests.conditions.world import EVENT_NAMES, FIELDS, GROUPS, VOCABULARY, Person, condition_of

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
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
_NUMBERS = [0, 1, 5, 0.1, 0.2, 0.3, 0.30000000000000004, 100, -1, 1e22, 2**53 - 1, 1e-7]
_PROPERTIES = ["brand", "price"]
_LENGTHS = {"minutes": [1, 60, 1440], "hours": [1, 24, 48], "days": [1, 2, 7, 30], "weeks": [1, 4]}
_STEPS = [timedelta(0), *(timedelta(hours=hours) for hours in (1, 24, 48, 168, 720)), timedelta(minutes=1)]


class Chance:
    """One seeded source of everything random."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    # ---- conditions

    def condition(self, *, segment_ids: list[int], depth: int = 4) -> Condition:
        """A condition that may read these segments."""
        return condition_of(self._condition(segment_ids, depth))

    def _condition(self, segment_ids: list[int], depth: int) -> dict[str, object]:
        kinds = [field for field in condition_shape().fields if segment_ids or field.name != "segment"]
        inner = [kind for kind in kinds if isinstance(kind.type, Reference)]
        kind = self.random.choice(inner if depth and self.random.random() < 0.7 else _leaves_of(kinds))
        if not isinstance(kind.type, Reference):
            return self._leaf(kind, segment_ids)
        if not kind.many:
            return {kind.name: self._condition(segment_ids, depth - 1)}
        count = self.random.choice([0, 1, 2, 2, 3, 3])
        return {kind.name: [self._condition(segment_ids, depth - 1) for _ in range(count)]}

    def _leaf(self, kind: InputField, segment_ids: list[int]) -> dict[str, object]:
        """Draws until the codec accepts it: rules that no shape can say need not be repeated here."""
        while True:
            drawn = {kind.name: self._value(kind, kind.name, segment_ids)}
            try:
                condition_of(drawn)
            except InvalidCondition:
                continue
            return drawn

    def _value(self, field: InputField, owner: str, segment_ids: list[int]) -> object:
        if field.many:
            return [self._item(field, owner, segment_ids) for _ in range(self.random.choice([0, 1, 1, 2]))]
        return self._item(field, owner, segment_ids)

    def _item(self, field: InputField, owner: str, segment_ids: list[int]) -> object:
        match field.type:
            case Shape() as shape:
                return self._object(shape, segment_ids)
            case Enumeration(values=values):
                return self.random.choice(values).name
            case Scalar() as scalar:
                return self._scalar(scalar, field.name, owner, segment_ids)
        raise TypeError(f"no random {field.type}")

    def _scalar(self, scalar: Scalar, name: str, owner: str, segment_ids: list[int]) -> object:
        draw: Mapping[Scalar, Callable[[], object]] = {
            Scalar.STRING: lambda: self._string(name, owner),
            Scalar.INT: lambda: self.random.choice(_LENGTHS.get(name, [0, 1, 1, 2, 3])),
            Scalar.FLOAT: lambda: self.random.choice(_NUMBERS),
            Scalar.BOOLEAN: lambda: self.random.random() < 0.5,
            Scalar.ID: lambda: str(
                self.random.choice(segment_ids if owner == "SegmentFilter" else list(GROUPS))
            ),
            Scalar.DATE_TIME: self.instant,
            Scalar.DATE: lambda: self.instant().date(),
        }
        return draw[scalar]()

    def _object(self, shape: Shape, segment_ids: list[int]) -> dict[str, object]:
        if shape.one_of:
            chosen = [self.random.choice(shape.fields)]
        else:
            chosen = [field for field in shape.fields if field.required or self.random.random() < 0.4]
        return {field.name: self._value(field, shape.name, segment_ids) for field in chosen}

    def _string(self, name: str, owner: str) -> str:
        pools: Mapping[tuple[str, str], list[str]] = {
            ("key", "FieldFilter"): list(FIELDS),
            ("key", "PropertyFilter"): _PROPERTIES,
            ("of", "EventTotalFilter"): ["value", *_PROPERTIES],
        }
        if name in {"name", "notFollowedBy"}:
            return self.random.choice([*list(EVENT_NAMES)[:3], "unheard_of"])
        return self.random.choice(pools.get((name, owner), _NEEDLES))

    # ---- people

    def person(self, *, bucket_id: int, id: int) -> Person:  # noqa: A002  # the row's id
        return Person(bucket_id=bucket_id, id=id, facts=self.facts())

    def facts(self) -> Facts:
        names = ["email", "firstName", "country", "city", "postalCode"]
        return Facts(
            created_at=self.instant(),
            updated_at=self.instant(),
            profile=self._some(names, lambda: self.random.choice(_TEXTS)),
            fields=self._some([11, 12], lambda: self.random.choice(_TEXTS))
            | self._some([13, 14], lambda: self.random.choice(_NUMBERS)),
            groups=self._some(list(GROUPS), self.instant),
            events=tuple(self._event() for _ in range(self.random.choice([0, 0, 1, 2, 3, 6]))),
        )

    def instant(self) -> datetime:
        """Mostly a whole number of windows before noon, so that windows end exactly there; at times later."""
        at = NOON - self.random.choice(_STEPS) - self.random.choice(_STEPS)
        return at + self.random.choice([timedelta(0), timedelta(0), _MICROSECOND, timedelta(days=3)])

    def _event(self) -> Event:
        return Event(
            name=self.random.choice(list(EVENT_NAMES)[:3]),
            occurred_at=self.instant(),
            value=decimal_of(self.random.choice(_NUMBERS)) if self.random.random() < 0.6 else None,
            properties=self._some(
                _PROPERTIES,
                lambda: self.random.choice([*_TEXTS, *_NUMBERS, "5", True, None, ["LT"], {"brand": 5}]),
            ),
        )

    def _some(
        self, keys: list[Any], value: Callable[[], Any]
    ) -> dict[Any, Any]:  # Any: the caller's keys and values
        return {key: value() for key in keys if self.random.random() < 0.6}

    # ---- time

    def now(self, condition: Condition, person: Facts) -> datetime:
        """Often exactly at an edge of the condition, or a microsecond beside it."""
        facts = [person.created_at, person.updated_at, *person.groups.values()]
        facts += [event.occurred_at for event in person.events]
        offsets = sorted({edge.offset for edge in edges(condition, VOCABULARY)}) or [timedelta(0)]
        if self.random.random() < 0.2:
            return NOON
        return (
            self.random.choice(facts)
            + self.random.choice(offsets)
            + self.random.choice([timedelta(0), timedelta(0), _MICROSECOND, -_MICROSECOND])
        )


def _leaves_of(kinds: list[InputField]) -> list[InputField]:
    """Each sort of filter as often as any other: eleven texts of the profile are one sort."""
    by_filter = {kind.type.name: kind for kind in kinds if isinstance(kind.type, Shape)}
    return list(by_filter.values())
