"""One event as it is given, and what it must be to be taken in.

It must not look anything up: whose event it is, and whether it came before, is settled in events.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from audience_gql.audience.failures import ProblemCode
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.profiles import text_problem
from audience_gql.conditions.values import decimal_of, fold, instant_of, instant_text
from audience_gql.storage import facts

NAME_LIMIT: Final = 100
KEY_LIMIT: Final = 200
PROPERTY_KEYS: Final = 256
PROPERTY_BYTES: Final = 64 * 1024
PROPERTY_DEPTH: Final = 8
_YEARS: Final = range(1900, 2201)
_LARGEST: Final = Decimal("1e300")
_NO_PROPERTIES: Final = ("{}", "{}", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventItem:
    """One event as a caller gives it. Without `occurred_at` it happens now."""

    subscriber: SubscriberKey
    name: str
    occurred_at: datetime | None = None
    value: float | Decimal | None = None
    properties: object = None
    key: str | None = None


class CheckedEvent(NamedTuple):
    """An event as it is stored. A tuple, since making one is a good part of the cost of an event."""

    name: str
    occurred_at: datetime | None
    value: Decimal | None
    properties: str
    properties_folded: str
    properties_times: str | None
    key: str | None


class RefusedEvent(Exception):
    """The event cannot be taken in as it is; `where` leads to the part that is wrong."""

    def __init__(self, code: ProblemCode, message: str, *where: str) -> None:
        super().__init__(message)
        self.code, self.message, self.where = code, message, where


def check_event(item: EventItem, latest: datetime) -> CheckedEvent:
    """The event, if it is right and not of after `latest`. Raises RefusedEvent."""
    if problem := text_problem(item.name, NAME_LIMIT):
        raise RefusedEvent(*problem, "name")
    if not item.name.strip():
        raise RefusedEvent("REQUIRED", "an event needs a name", "name")
    if item.key is not None and (problem := text_problem(item.key, KEY_LIMIT)):
        raise RefusedEvent(*problem, "key")
    properties, folded, times = _NO_PROPERTIES if item.properties is None else _properties(item.properties)
    return CheckedEvent(
        item.name,
        None if item.occurred_at is None else _instant(item.occurred_at, latest),
        None if item.value is None else _number(item.value),
        properties,
        folded,
        times,
        item.key or None,
    )


def _instant(occurred_at: datetime, latest: datetime) -> datetime:
    if occurred_at.tzinfo is None:
        raise RefusedEvent("MALFORMED", "a time needs its zone, such as 2026-03-01T12:00:00Z", "occurredAt")
    if occurred_at.year not in _YEARS:
        raise RefusedEvent("OUT_OF_RANGE", "times lie between 1900 and 2200", "occurredAt")
    if occurred_at > latest:
        raise RefusedEvent("OUT_OF_RANGE", "at most one day ahead of now", "occurredAt")
    return occurred_at


def _number(value: float | Decimal) -> Decimal:
    try:
        number = decimal_of(value)
    except (ValueError, InvalidOperation) as error:
        raise RefusedEvent("MALFORMED", "expected a finite number", "value") from error
    if abs(number) > _LARGEST:
        raise RefusedEvent("OUT_OF_RANGE", "at most 1e300", "value")
    return number


def _properties(given: object) -> tuple[str, str, str | None]:
    """The JSON of the properties, of the folded twins of those texts that folding changes, and of those that are instants."""
    if not isinstance(given, dict):
        raise RefusedEvent("WRONG_TYPE", "properties are an object", "properties")
    if len(given) > PROPERTY_KEYS:
        raise RefusedEvent("TOO_MANY", f"at most {PROPERTY_KEYS} properties", "properties")
    _check_json(given, ("properties",))
    kept = {
        key: value for key, value in given.items() if value != ""
    }  # empty text is missing text, as everywhere
    text = facts.json_text(kept)
    if len(text.encode()) > PROPERTY_BYTES:
        raise RefusedEvent("OUT_OF_RANGE", f"at most {PROPERTY_BYTES} bytes of properties", "properties")
    folded: dict[str, str] = {}
    times: dict[str, str] = {}
    for key, value in kept.items():
        if isinstance(value, str):
            if (in_common := fold(value)) != value:
                folded[key] = in_common
            if instant := instant_of(value):
                times[key] = instant_text(instant)
    return (
        text,
        facts.json_text(folded) if folded else "{}",
        facts.json_text(times) if times else None,
    )


def _check_json(value: object, where: tuple[str, ...]) -> None:
    if len(where) > PROPERTY_DEPTH:
        raise RefusedEvent("OUT_OF_RANGE", f"properties nest at most {PROPERTY_DEPTH} deep", *where)
    match value:
        case str():
            if problem := text_problem(value, 10_000):
                raise RefusedEvent(*problem, *where)
        case float() if not math.isfinite(value):
            raise RefusedEvent("MALFORMED", "expected a finite number", *where)
        case dict():
            for key, inner in value.items():
                if problem := text_problem(key):
                    raise RefusedEvent(*problem, *where)
                _check_json(inner, (*where, key))
        case list():
            for index, inner in enumerate(value):
                _check_json(inner, (*where, str(index)))
