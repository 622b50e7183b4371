"""One event as a caller gives it, and the checks that it must pass.

It must not look anything up: events.py finds the event's person and refuses duplicates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple, TypeVar

from audience_gql.audience.failures import Path, ProblemCode, Verbatim
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.profiles import kept_number
from audience_gql.conditions.given_values import (
    MAX_BITS,
    BadValue,
    given_instant,
    given_key,
    given_number,
    is_keepable,
)
from audience_gql.conditions.limits import MAX_TEXT
from audience_gql.conditions.values import Inexact, fold, instant_of, instant_text
from audience_gql.storage.people import facts

Value = TypeVar("Value")

NAME_LIMIT: Final = 100
KEY_LIMIT: Final = 200
PROPERTY_KEYS: Final = 256
PROPERTY_BYTES: Final = 64 * 1024
PROPERTY_DEPTH: Final = 8
PROPERTY_TEXT: Final = 10_000
_NAME: Final = partial(given_key, limit=NAME_LIMIT)
_KEY: Final = partial(given_key, limit=KEY_LIMIT)
_NO_PROPERTIES: Final = ("{}", "{}", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventItem:
    """One event as a caller gives it. Without `occurred_at` it happens now."""

    subscriber: SubscriberKey
    name: str
    occurred_at: object = None
    """An instant, or a text in RFC 3339."""
    value: object = None
    """A number. Anything else is refused."""
    properties: object = None
    key: str | None = None


class CheckedEvent(NamedTuple):
    """An event as it is stored. It is a tuple because creating it is a large part of an event's cost."""

    name: str
    occurred_at: datetime | None
    value: Decimal | None
    properties: str
    properties_folded: str
    properties_times: str | None
    key: str | None


class RefusedEvent(Exception):
    """The event is invalid; `where` is the path to the wrong part."""

    def __init__(self, code: ProblemCode, message: str, *where: str | int) -> None:
        super().__init__(message)
        self.code, self.message, self.where = code, message, where


def check_event(item: EventItem, latest: datetime) -> CheckedEvent:
    """The checked event. Raises RefusedEvent if a part is invalid or the event is later than `latest`."""
    name = _read(item.name, _NAME, "name")
    if name is None:
        raise RefusedEvent("REQUIRED", "an event needs a name", "name")
    properties, folded, times = _NO_PROPERTIES if item.properties is None else _properties(item.properties)
    return CheckedEvent(
        name,
        _instant(item.occurred_at, latest),
        _read(item.value, kept_number, "value"),
        properties,
        folded,
        times,
        _read(item.key, _KEY, "key"),
    )


def _read(value: object, read: Callable[[object], Value], *where: str | int) -> Value | None:
    try:
        return None if value is None else read(value)
    except BadValue as error:
        raise RefusedEvent(error.code, error.message, *where) from error


def _instant(occurred_at: object, latest: datetime) -> datetime | None:
    if isinstance(occurred_at, str) and not occurred_at.strip():
        return None
    instant = _read(occurred_at, given_instant, "occurred_at")
    if instant is not None and instant > latest:
        raise RefusedEvent("OUT_OF_RANGE", "can be at most one day ahead of now", "occurred_at")
    return instant


def _properties(given: object) -> tuple[str, str, str | None]:
    """Three JSON texts: the properties, the folded form of each text that folding changes, and the texts that are instants."""
    if not isinstance(given, dict):
        raise RefusedEvent("WRONG_TYPE", "expected an object", "properties")
    if len(given) > PROPERTY_KEYS:
        raise RefusedEvent("TOO_MANY", f"at most {PROPERTY_KEYS} properties", "properties")
    _check_json(given, ("properties",))
    kept = {
        key: value for key, value in given.items() if value != ""
    }  # empty text counts as missing, as everywhere
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


def _check_json(value: object, where: Path) -> None:
    if len(where) > PROPERTY_DEPTH:
        raise RefusedEvent("OUT_OF_RANGE", f"properties can nest at most {PROPERTY_DEPTH} deep", *where)
    match value:
        case str():
            _check_text(value, PROPERTY_TEXT, where)
        case int() | float() | Inexact():
            _check_number(value, where)
        case dict():
            for key, inner in value.items():
                _check_text(key, MAX_TEXT, where)
                _check_json(inner, (*where, Verbatim(key)))
        case list():
            for index, inner in enumerate(value):
                _check_json(inner, (*where, index))


def _check_text(text: str, limit: int, where: Path) -> None:
    if len(text) > limit:
        message = f"can have at most {limit:,} characters, not {len(text):,}"
        raise RefusedEvent("OUT_OF_RANGE", message, *where)
    if not is_keepable(text, limit):
        raise RefusedEvent(
            "MALFORMED", "contains U+0000 or half of a surrogate pair, which are not valid text", *where
        )


def _check_number(value: object, where: Path) -> None:
    """Integers of up to MAX_BITS are kept exactly; other numbers must be exactly a double."""
    if isinstance(value, int) and value.bit_length() <= MAX_BITS:
        return
    _read(value, given_number, *where)
