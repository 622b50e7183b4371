"""When two events have the same value of a property: numbers by value, texts without case, and others if they are equal."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from audience_gql.conditions.facts import Event
from audience_gql.conditions.filters.properties import number_in
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import fold


def sameness(value: object) -> Hashable:
    """A key that is equal for values that count as the same: equal numbers, texts with the same folded form, and equal others."""
    number = number_in(value)
    if number is not None:
        return "number", number
    match value:
        case str():
            return "text", fold(value)
        case list():
            return "list", tuple(_sameness_within(item) for item in value)
        case dict():
            return "object", frozenset((key, _sameness_within(item)) for key, item in value.items())
        case _:
            return "other", repr(value)


def sameness_sql(key: str, parameters: Parameters) -> str:
    """The SQL of such a key for the property `key` of an event, alias `e`; null for an event without the property."""
    name = parameters.constant(key, "text")
    return f"nullif(coalesce(e.properties_folded -> {name}, e.properties -> {name}), 'null'::jsonb)"


def by_value(events: Iterable[Event], key: str) -> dict[Hashable, list[Event]]:
    """The events by their value of the property `key`. Events without it are left out."""
    found: dict[Hashable, list[Event]] = {}
    for event in events:
        value = event.properties.get(key)
        if value is not None:
            found.setdefault(sameness(value), []).append(event)
    return found


def _sameness_within(value: object) -> Hashable:
    """The same inside lists and objects, where texts are not folded."""
    return ("exact", value) if isinstance(value, str) else sameness(value)
