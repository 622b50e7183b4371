"""What a condition says it depends on: exactly for each kind, and never too little under random change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from audience_gql.conditions.base import Condition, Edge, Read
from audience_gql.conditions.dependencies import edges, leaf_count, reads
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import Facts
from tests.conditions.chance import NOON, Chance
from tests.conditions.world import EVENT_NAMES, VOCABULARY, condition_of

_NOTHING = timedelta(0)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def event_edge(name: str, offset: timedelta) -> Edge:
    return Edge(table="events", keys=(("name_id", EVENT_NAMES[name]),), column="occurred_at", offset=offset)


def date_edge(field_id: int, offset: timedelta) -> Edge:
    return Edge(table="subscriber_dates", keys=(("field_id", field_id),), column="at", offset=offset)


def group_edge(group_id: int, offset: timedelta) -> Edge:
    return Edge(table="group_members", keys=(("group_id", group_id),), column="added_at", offset=offset)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"country": {"is": "LT"}}, {Read(source="profile", ref=0)}),
        ({"createdAt": {"inLast": {"days": 1}}}, {Read(source="profile", ref=0)}),
        ({"field": {"key": "size", "number": {"gt": 1}}}, {Read(source="field", ref=13)}),
        ({"group": {"anyOf": ["21", "22"]}}, {Read(source="group", ref=21), Read(source="group", ref=22)}),
        ({"segment": {"anyOf": ["41"]}}, {Read(source="segment", ref=41)}),
        ({"event": {"name": "unheard_of"}}, {Read(source="event", ref="unheard_of")}),
        (
            {"lastEvent": {"name": "cart_updated", "at": {"isSet": True}, "notFollowedBy": "order_placed"}},
            {Read(source="event", ref="cart_updated"), Read(source="event", ref="order_placed")},
        ),
        (
            {"all": [{"not": {"city": {"is": "x"}}}, {"any": [{"event": {"name": "email_opened"}}]}]},
            {Read(source="profile", ref=0), Read(source="event", ref="email_opened")},
        ),
        ({"all": []}, set()),
    ],
)
def test_reads(value: object, expected: set[Read]) -> None:
    assert reads(condition_of(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"country": {"is": "LT"}}, set()),
        ({"createdAt": {"before": "2026-03-31T12:00:00Z"}}, set()),
        ({"createdAt": {"inLast": {"days": 1}}}, {date_edge(1, _NOTHING), date_edge(1, _DAY)}),
        ({"updatedAt": {"notInLast": {"days": 1}}}, {date_edge(2, _NOTHING), date_edge(2, _DAY)}),
        ({"updatedAt": {"inNext": {"days": 1}}}, {date_edge(2, -_DAY), date_edge(2, _NOTHING)}),
        ({"field": {"key": "size", "number": {"gt": 1}}}, set()),
        ({"group": {"anyOf": ["21"]}}, set()),
        ({"group": {"anyOf": ["21"], "joined": {"after": "2026-03-31T12:00:00Z"}}}, set()),
        (
            {"group": {"anyOf": ["21", "22"], "joined": {"inLast": {"days": 1}}}},
            {group_edge(21, _NOTHING), group_edge(21, _DAY), group_edge(22, _NOTHING), group_edge(22, _DAY)},
        ),
        ({"segment": {"anyOf": ["41"]}}, set()),
        ({"event": {"name": "email_opened"}}, {event_edge("email_opened", _NOTHING)}),
        ({"event": {"name": "unheard_of"}}, set()),
        (
            {"event": {"name": "email_opened", "within": {"last": {"hours": 24}}}},
            {event_edge("email_opened", _NOTHING), event_edge("email_opened", _DAY)},
        ),
        (
            {"event": {"name": "email_opened", "within": {"olderThan": {"days": 1}}}},
            {event_edge("email_opened", _NOTHING), event_edge("email_opened", _DAY)},
        ),
        (
            {"event": {"name": "email_opened", "within": {"ago": {"from": {"days": 1}, "to": {"hours": 1}}}}},
            {event_edge("email_opened", offset) for offset in (_NOTHING, _HOUR, _DAY)},
        ),
        (
            {"event": {"name": "email_opened", "within": {"since": "2026-03-31T12:00:00Z"}}},
            {event_edge("email_opened", _NOTHING)},
        ),
        (
            {
                "eventTotal": {
                    "name": "order_placed",
                    "of": "value",
                    "function": "SUM",
                    "is": {"gt": 1},
                    "within": {"last": {"days": 1}},
                }
            },
            {event_edge("order_placed", _NOTHING), event_edge("order_placed", _DAY)},
        ),
        (
            {
                "lastEvent": {
                    "name": "cart_updated",
                    "at": {"notInLast": {"days": 1}},
                    "notFollowedBy": "order_placed",
                }
            },
            {
                event_edge("cart_updated", _NOTHING),
                event_edge("cart_updated", _DAY),
                event_edge("order_placed", _NOTHING),
            },
        ),
        (
            {"lastEvent": {"name": "cart_updated", "at": {"before": "2026-03-31T12:00:00Z"}}},
            {event_edge("cart_updated", _NOTHING)},
        ),
    ],
)
def test_edges(value: object, expected: set[Edge]) -> None:
    assert edges(condition_of(value), VOCABULARY) == expected


def test_leaf_count() -> None:
    assert (
        leaf_count(condition_of({"all": [{"city": {"is": "x"}}, {"not": {"any": [{"city": {"is": "y"}}]}}]}))
        == 2
    )


def _instants(edge: Edge, person: Facts) -> list[datetime]:
    """When this edge passes this person."""
    ((_, key),) = edge.keys
    match edge.table:
        case "events":
            at = [event.occurred_at for event in person.events if EVENT_NAMES[event.name] == key]
        case "subscriber_dates":
            at = [person.created_at if key == 1 else person.updated_at]
        case "group_members":
            at = [added_at for group_id, added_at in person.groups.items() if group_id == key]
    return [instant + edge.offset for instant in at]


def test_no_verdict_changes_between_edges() -> None:
    """Sound: between one edge of a person and the next, the clock alone changes nothing."""
    chance = Chance(seed=3)
    changes = 0

    for _ in range(1_500):
        condition = chance.condition(segment_ids=[])
        person = chance.facts()
        due = {instant for edge in edges(condition, VOCABULARY) for instant in _instants(edge, person)}
        moments = sorted({NOON + timedelta(hours=hours) for hours in range(-2_000, 2_000, 37)} | due)
        verdicts = [evaluate(condition, person, moment, {}) for moment in moments]
        for (_, before), (moment, after) in pairwise(zip(moments, verdicts, strict=True)):
            if before is not after:
                changes += 1
                assert moment in due, f"{condition} changes at {moment} for {person}"

    assert changes > 200


def _without(source: str, ref: int | str, person: Facts) -> Facts:
    """The person, had this fact been otherwise."""
    match source:
        case "profile":
            moved = person.updated_at - timedelta(days=3)
            return replace(person, profile={"country": "X"}, created_at=moved, updated_at=moved)
        case "field":
            return replace(person, fields={key: value for key, value in person.fields.items() if key != ref})
        case "group":
            return replace(person, groups={key: at for key, at in person.groups.items() if key != ref})
        case _:
            return replace(person, events=tuple(event for event in person.events if event.name != ref))


def test_no_verdict_changes_by_what_is_not_read() -> None:
    """Complete: a fact that a condition does not read has no part in its verdict."""
    chance = Chance(seed=4)
    facts: list[Read] = [Read(source="profile", ref=0)]
    facts += [Read(source="field", ref=field_id) for field_id in (11, 12, 13, 14)]
    facts += [Read(source="group", ref=group_id) for group_id in (21, 22)]
    facts += [Read(source="event", ref=name) for name in EVENT_NAMES]
    changed_by_reads = 0

    for _ in range(1_500):
        condition: Condition = chance.condition(segment_ids=[])
        person = chance.facts()
        verdict = evaluate(condition, person, NOON, {})
        for fact in facts:
            changes = evaluate(condition, _without(fact.source, fact.ref, person), NOON, {}) is not verdict
            if fact in reads(condition):
                changed_by_reads += changes
            else:
                assert not changes, f"{condition} does not say that it reads {fact}"

    assert changed_by_reads > 100
