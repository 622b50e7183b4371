"""Finds the types that a condition requires of event properties, and warns if stored events have other types.

Only hints for people use it. A leaf that it does not recognise counts as requiring nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.base import Condition, leaves
from audience_gql.conditions.reasoning.canonical import ALWAYS, NEVER, canonical
from audience_gql.conditions.reasoning.comparisons import comparisons_of_where
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.conditions.words.wording import counted, listed

_MOST: Final = 8
_JSON_TYPES: Final = {"text": "string", "number": "number", "boolean": "boolean"}
_OF_NUMBERS: Final = frozenset({"SUM", "AVERAGE", "MIN", "MAX"})
_OWN_VALUE: Final = "value"
_WORDS: Final = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedType:
    """A property of the events with one name. Only values of this JSON type count."""

    event: str
    key: str
    json_type: str


def wanted_types(condition: Condition) -> tuple[WantedType, ...]:
    """The required types without duplicates, at most eight. None if the condition is always or never true."""
    if canonical(condition) in (ALWAYS, NEVER):
        return ()
    found = (it for leaf in leaves(condition) for it in _wanted_of(leaf.dump(PLAIN_IDS)))
    return tuple(dict.fromkeys(found))[:_MOST]


def never_has_type(wanted: WantedType, events_by_type: Mapping[str, int]) -> str | None:
    """The sentence that none of the examined events has the required type. None if one has it, or if no event has the property."""
    if not events_by_type or wanted.json_type in events_by_type:
        return None
    events = counted(sum(events_by_type.values()), f'"{wanted.event}" event')
    types = listed([_WORDS[name] for name in sorted(events_by_type)], joint="or")
    return f'In the latest {events} with "{wanted.key}", it is {types}, and never {_WORDS[wanted.json_type]}.'


def _wanted_of(leaf: Mapping[str, Json]) -> Iterator[WantedType]:
    ((_, body),) = leaf.items()
    if not isinstance(body, dict):
        return
    steps = body.get("steps")
    for part in (body, *(steps if isinstance(steps, list) else ()), body.get("notFollowedBy")):
        if isinstance(part, dict):
            yield from _wanted_of_events(part)


def _wanted_of_events(body: dict[str, Json]) -> Iterator[WantedType]:
    """What a selection of events requires of their properties."""
    name = body.get("name")
    if not isinstance(name, str):
        return
    for comparison in comparisons_of_where(body):
        if comparison.name is not None and not comparison.holds_when_missing:
            yield WantedType(event=name, key=comparison.name, json_type=_JSON_TYPES[comparison.kind])
    of = body.get("of")
    if body.get("function") in _OF_NUMBERS and isinstance(of, str) and of != _OWN_VALUE:
        yield WantedType(event=name, key=of, json_type="number")
