"""Checks one item of an upsert and turns it into a patch for a person's row.

It must not touch the database; subscribers.py finds out who the person is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from audience_gql.audience.failures import Issue, Path, ProblemCode
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.value_checks import (
    Problem,
    country_problem,
    email_problem,
    language_problem,
    phone_problem,
    zone_problem,
)
from audience_gql.conditions.addresses import fold_address
from audience_gql.conditions.given_values import (
    BadValue,
    given_day,
    given_instant,
    given_key,
    given_line,
    given_number,
    given_text,
    shown,
)
from audience_gql.conditions.locations import location_at
from audience_gql.conditions.profile import DEGREE_COLUMNS, TEXT_COLUMNS, TEXT_OF_NAME, VECTOR_COLUMNS
from audience_gql.conditions.values import fold
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS, FieldRef
from audience_gql.conditions.zones import zone_named
from audience_gql.storage.people.facts import KEY_COLUMNS, Identity, PersonRow

LIST_LIMIT: Final = 100
FIELD_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
"""A valid key of a custom field."""
_LARGEST: Final = Decimal("1e300")
_MOST_DEGREES: Final = {"latitude": 90, "longitude": 180}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPatch:
    channel: str
    status: str
    reason: str | None


@dataclass(slots=True, kw_only=True)
class PersonPatch:
    """One checked item: its changes, and the keys by which it names its person."""

    ref: SubscriberRef | None = None
    keys: dict[str, str] = field(default_factory=dict)
    """The identities in the item, by kind."""
    columns: dict[str, str | date | float | None] = field(default_factory=dict)
    fields: dict[FieldRef, object] = field(default_factory=dict)
    channels: list[ChannelPatch] = field(default_factory=list)
    join: list[int] = field(default_factory=list)
    leave: list[int] = field(default_factory=list)


class _Problems:
    """Collects the problems of an item while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.issues: list[Issue] = []

    def add(self, code: ProblemCode, message: str, *where: str | int) -> None:
        self.issues.append(Issue(code=code, message=message, path=(*self._path, *where)))


def parse_person(
    item: Mapping[str, object], *, fields: Mapping[str, FieldRef], group_ids: frozenset[int], path: Path
) -> PersonPatch | tuple[Issue, ...]:
    """Check one item of an upsert. Returns the patch, or all issues found.

    `item` has only the keys that the caller gave, named as in SubscriberInput. None clears a value, and so does an empty text.
    """
    problems = _Problems(path)
    patch = PersonPatch()
    _read_keys_and_columns(item, patch, problems)
    _read_fields(item, patch, fields, problems)
    _read_channels(item, patch, problems)
    patch.join = _read_groups(item, "addToGroupIds", group_ids, problems)
    patch.leave = _read_groups(item, "removeFromGroupIds", group_ids, problems)
    if "id" in item and not isinstance(item["id"], SubscriberRef):
        problems.add("UNKNOWN", "there is no subscriber with this id", "id")
    elif isinstance(ref := item.get("id"), SubscriberRef):
        patch.ref = ref
    if patch.ref is None and not patch.keys and not problems.issues:
        problems.add("REQUIRED", "give at least one of id, externalId, email and phone")
    return tuple(problems.issues) or patch


def named_definitions(items: Iterable[Mapping[str, object]]) -> tuple[set[str], set[int]]:
    """The well-formed keys of custom fields, and the ids of groups, that items of an upsert name. They may be unknown."""
    keys: set[str] = set()
    group_ids: set[int] = set()
    for item in items:
        if "fields" in item:
            keys |= {str(entry.get("key")) for entry in _entries(item["fields"])}
        for name in ("addToGroupIds", "removeFromGroupIds"):
            given = item.get(name)
            if isinstance(given, Sequence):
                group_ids |= {group_id for group_id in given if isinstance(group_id, int)}
    return {key for key in keys if FIELD_KEY.fullmatch(key)}, group_ids


def named_identity(kind: str, value: object) -> Identity | None:
    """The identity that a key names; None if the text cannot be a key."""
    try:
        text = given_key(value)
    except BadValue:
        return None
    return None if text is None else identity(kind, text)


def identity(kind: str, value: str) -> Identity:
    """The form in which a key is unique: an email address folded for comparison, other keys as written."""
    match kind:
        case "email":
            return "email", fold_address(value)
        case "phone":
            return "phone", value
        case "externalId":
            return "externalId", value
    raise ValueError(f"{kind} is not a kind of identity")


def apply_columns(row: PersonRow, patch: PersonPatch) -> None:
    """Write a patch's columns and custom fields into a row, with their folded forms."""
    for column, value in patch.columns.items():
        row[column] = value
        if isinstance(value, str):
            row[f"{column}_folded"] = fold_address(value) if column == "email" else fold(value)
        elif column in TEXT_COLUMNS:
            row[f"{column}_folded"] = None
    if not patch.columns.keys().isdisjoint(DEGREE_COLUMNS):
        row |= _vector(row["latitude"], row["longitude"])
    for ref, entry in patch.fields.items():
        key = str(ref.id)
        row["fields"].pop(key, None)
        row["fields_folded"].pop(key, None)
        if entry is not None:
            row["fields"][key] = entry
            if (folded := _folded(entry)) != entry and ref.type in ("TEXT", "LIST"):
                row["fields_folded"][key] = folded


def _vector(latitude: float | None, longitude: float | None) -> dict[str, float | None]:
    if latitude is None or longitude is None:
        return dict.fromkeys(VECTOR_COLUMNS)
    location = location_at(latitude, longitude)
    return dict(zip(VECTOR_COLUMNS, (location.x, location.y, location.z), strict=True))


def field_date(value: object) -> datetime | None:
    """The instant of a DATE or DATETIME field's value in subscriber_dates; None for null."""
    if not isinstance(value, str):
        return None
    instant = datetime.fromisoformat(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def kept_number(value: object) -> Decimal:
    """A number that may be stored for a person or an event. Raises BadValue."""
    number = given_number(value)
    if abs(number) > _LARGEST:  # so that sums stay finite
        raise BadValue("OUT_OF_RANGE", "must be between -1e300 and 1e300")
    return number


def _read_keys_and_columns(item: Mapping[str, object], patch: PersonPatch, problems: _Problems) -> None:
    for name, column in TEXT_OF_NAME.items():
        if name not in item:
            continue
        try:
            text = _profile_text(name, item[name])
        except BadValue as error:
            problems.add(error.code, error.message, name)
            continue
        if text is not None and (problem := _CHECKS.get(name, _any_text)(text)):
            problems.add(*problem, name)
            continue
        patch.columns[column] = None if text is None else _STORED.get(name, str)(text)
        if text is not None and name in KEY_COLUMNS:
            patch.keys[name] = text
    if "birthday" in item:
        try:
            patch.columns["birthday"] = _day(item["birthday"])
        except BadValue as error:
            problems.add(error.code, error.message, "birthday")
    _read_location(item, patch, problems)


def _read_location(item: Mapping[str, object], patch: PersonPatch, problems: _Problems) -> None:
    given = {name: item[name] for name in DEGREE_COLUMNS if name in item}
    lacking = [name for name in DEGREE_COLUMNS if name not in given] or [
        name for name, degrees in given.items() if degrees is None
    ]
    if given and len(lacking) == 1:
        problems.add("REQUIRED", "give both latitude and longitude, or null for both", lacking[0])
        return
    for name, degrees in given.items():
        try:
            patch.columns[name] = None if degrees is None else _degrees(degrees, _MOST_DEGREES[name])
        except BadValue as error:
            problems.add(error.code, error.message, name)


def _profile_text(name: str, value: object) -> str | None:
    if value is None:
        return None
    return given_key(value) if name in KEY_COLUMNS else given_line(value)


def _day(value: object) -> date | None:
    """The day; None for null and blank text, which clear it."""
    return None if value is None or (isinstance(value, str) and not value.strip()) else given_day(value)


def _degrees(value: object, most: int) -> float:
    degrees = given_number(value)
    if abs(degrees) > most:
        raise BadValue("OUT_OF_RANGE", f"must be between -{most} and {most}")
    return float(degrees) + 0.0  # not -0.0


def _any_text(_: str) -> Problem | None:
    return None


_CHECKS: Final[Mapping[str, Callable[[str], Problem | None]]] = {
    "email": email_problem,
    "phone": phone_problem,
    "country": country_problem,
    "language": language_problem,
    "timezone": zone_problem,
}


_STORED: Final[Mapping[str, Callable[[str], str | None]]] = {"country": str.upper, "timezone": zone_named}
"""How a valid text becomes the stored one, where the two differ."""


def _read_fields(
    item: Mapping[str, object], patch: PersonPatch, fields: Mapping[str, FieldRef], problems: _Problems
) -> None:
    for index, entry in enumerate(_entries(item.get("fields"))):
        where = ("fields", index)
        ref = fields.get(str(entry.get("key")))
        if ref is None:
            problems.add(
                "UNKNOWN", f"there is no custom field {shown(str(entry.get('key')))!r}", *where, "key"
            )
            continue
        try:
            patch.fields[ref] = _field_value(ref, entry.get("value"))
        except BadValue as error:
            problems.add(error.code, f"{ref.key} is {ref.type}: {error.message}", *where, "value")


def _field_value(ref: FieldRef, value: object) -> object:
    """The value as it is stored; None for null and blank text, which remove it. Raises BadValue."""
    if value is None or (isinstance(value, str) and given_text(value) is None):
        return None
    return _FIELD_TYPES[ref.type](value)


def _entries(value: object) -> Sequence[Mapping[str, object]]:
    return value if isinstance(value, Sequence) else ()


def _number_value(value: object) -> object:
    kept_number(value)
    return value


def _boolean_value(value: object) -> object:
    if not isinstance(value, bool):
        raise BadValue("WRONG_TYPE", "expected true or false")
    return value


def _date_value(value: object) -> object:
    return given_day(value).isoformat()


def _datetime_value(value: object) -> object:
    return given_instant(value).isoformat()


def _list_value(value: object) -> object:
    if not isinstance(value, list):
        raise BadValue("WRONG_TYPE", "expected a list of texts")
    if len(value) > LIST_LIMIT:
        raise BadValue("OUT_OF_RANGE", f"can hold at most {LIST_LIMIT} texts, not {len(value):,}")
    texts = (given_text(entry) for entry in value)
    return [text for text in texts if text is not None]


_FIELD_TYPES: Final[Mapping[str, Callable[[object], object]]] = {
    "TEXT": given_text,
    "NUMBER": _number_value,
    "BOOLEAN": _boolean_value,
    "DATE": _date_value,
    "DATETIME": _datetime_value,
    "LIST": _list_value,
}
FIELD_TYPES: Final = tuple(_FIELD_TYPES)


def _folded(value: object) -> object:
    if isinstance(value, str):
        return fold(value)
    if isinstance(value, list):
        return [fold(entry) for entry in value]
    return value


def _read_channels(item: Mapping[str, object], patch: PersonPatch, problems: _Problems) -> None:
    for index, entry in enumerate(_entries(item.get("channels"))):
        channel, status, reason = entry.get("channel"), entry.get("status"), entry.get("reason")
        if channel not in CHANNELS or status not in CHANNEL_STATUSES:
            problems.add("UNKNOWN", "unknown channel or status", "channels", index)
            continue
        try:
            told = None if reason is None else given_text(reason)
        except BadValue as error:
            problems.add(error.code, error.message, "channels", index, "reason")
            continue
        patch.channels.append(ChannelPatch(channel=str(channel), status=str(status), reason=told))


def _read_groups(
    item: Mapping[str, object], name: str, group_ids: frozenset[int], problems: _Problems
) -> list[int]:
    given = item.get(name) or ()
    known = []
    for index, group_id in enumerate(given if isinstance(given, Sequence) else ()):
        if isinstance(group_id, int) and group_id in group_ids:
            known.append(group_id)
        else:
            problems.add("UNKNOWN", "there is no group with this id", name, index)
    return known
