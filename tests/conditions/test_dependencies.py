"""What a condition says it depends on: exactly for each kind, and never too little under random change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from audience_gql.conditions.base import AnyEdge, CalendarEdge, Condition, DayEdge, Edge, Read
from audience_gql.conditions.calendar import anniversary, day_start, zone_of
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.reasoning.dependencies import edges, leaf_count, merged, reads
from audience_gql.conditions.values import date_of
from audience_gql.conditions.vocabulary import BIRTHDAY_DATE, CHANNELS
from tests.conditions.chance import NOON, Chance, share, turns_of
from tests.conditions.world import EVENT_NAMES, VOCABULARY, condition_of

_NOTHING = timedelta(0)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def event_edge(name: str, offset: timedelta, newest: int | None = None) -> Edge:
    return Edge(table="events", ref=EVENT_NAMES[name], offset=offset, newest=newest)


def date_edge(field_id: int, offset: timedelta) -> Edge:
    return Edge(table="subscriber_dates", ref=field_id, offset=offset)


def group_edge(group_id: int, offset: timedelta) -> Edge:
    return Edge(table="group_members", ref=group_id, offset=offset)


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
            {
                "lastEvent": {
                    "name": "cart_updated",
                    "at": {"isSet": True},
                    "notFollowedBy": {"name": "order_placed"},
                }
            },
            {Read(source="event", ref="cart_updated"), Read(source="event", ref="order_placed")},
        ),
        (
            {
                "eventSequence": {
                    "steps": [{"name": "page_viewed"}, {"name": "cart_updated"}],
                    "notFollowedBy": {"name": "order_placed"},
                }
            },
            {
                Read(source="event", ref="page_viewed"),
                Read(source="event", ref="cart_updated"),
                Read(source="event", ref="order_placed"),
            },
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
            {event_edge("email_opened", _NOTHING), event_edge("email_opened", _DAY, 1)},
        ),
        *(
            (
                {"event": {"name": "email_opened", "times": times, "within": {"last": {"hours": 1}}}},
                {event_edge("email_opened", _NOTHING), *by_age},
            )
            for times, by_age in (
                ({"atLeast": 3}, {event_edge("email_opened", _HOUR, 3)}),
                ({"atMost": 3}, {event_edge("email_opened", _HOUR, 4)}),
                ({"exactly": 0}, {event_edge("email_opened", _HOUR, 1)}),
                ({"between": {"from": 1, "to": 2}}, {event_edge("email_opened", _HOUR, 3)}),
                ({"atLeast": 0}, set()),
                ({"atLeast": 21}, {event_edge("email_opened", _HOUR)}),
            )
        ),
        (
            {
                "event": {
                    "name": "email_opened",
                    "within": {"last": {"hours": 1}},
                    "where": [{"key": "campaign", "text": {"is": "x"}}],
                }
            },
            {event_edge("email_opened", _NOTHING), event_edge("email_opened", _HOUR)},
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
                    "notFollowedBy": {"name": "order_placed"},
                }
            },
            {
                event_edge("cart_updated", _NOTHING),
                event_edge("cart_updated", _DAY, 1),
                event_edge("order_placed", _NOTHING),
            },
        ),
        (
            {"lastEvent": {"name": "cart_updated", "at": {"before": "2026-03-31T12:00:00Z"}}},
            {event_edge("cart_updated", _NOTHING)},
        ),
        *(
            (
                {
                    "lastEvent": {
                        "name": "cart_updated",
                        "at": {"inLast": {"days": 1}},
                        "notFollowedBy": {"name": "order_placed", "within": {"hours": 1}, **same},
                    }
                },
                {
                    event_edge("cart_updated", _NOTHING),
                    event_edge("cart_updated", _HOUR, newest),
                    event_edge("cart_updated", _DAY, newest),
                    event_edge("order_placed", _NOTHING),
                },
            )
            for same, newest in (({}, 1), ({"sameProperty": "cart"}, None))
        ),
        (
            {
                "eventSequence": {
                    "steps": [{"name": "page_viewed"}, {"name": "cart_updated", "within": {"hours": 1}}],
                    "within": {"last": {"days": 1}},
                    "notFollowedBy": {"name": "order_placed", "within": {"hours": 1}},
                }
            },
            {
                event_edge("page_viewed", _NOTHING),
                event_edge("page_viewed", _DAY),
                event_edge("cart_updated", _NOTHING),
                event_edge("cart_updated", _DAY),
                event_edge("cart_updated", _HOUR),
                event_edge("order_placed", _NOTHING),
            },
        ),
        (
            {"event": {"name": "order_placed", "within": {"last": {"days": 1}}, "perProperty": "sku"}},
            {event_edge("order_placed", _NOTHING), event_edge("order_placed", _DAY)},
        ),
    ],
)
def test_edges(value: object, expected: set[Edge]) -> None:
    assert edges(condition_of(value), VOCABULARY) == expected


@pytest.mark.parametrize(
    ("newest", "together"), [((1, 3, 2), 3), ((1, None, 3), None), ((None, None), None), ((2,), 2)]
)
def test_edges_at_one_place_are_one_at_which_everything_counts_that_counts_for_any(
    newest: tuple[int | None, ...], together: int | None
) -> None:
    crossed = [event_edge("email_opened", _DAY, number) for number in newest]
    elsewhere = event_edge("email_opened", _HOUR, 1)

    standing_for = merged([*crossed, elsewhere])

    assert {standing_for[edge] for edge in crossed} == {event_edge("email_opened", _DAY, together)}
    assert standing_for[elsewhere] == elsewhere


def test_leaf_count() -> None:
    assert (
        leaf_count(condition_of({"all": [{"city": {"is": "x"}}, {"not": {"any": [{"city": {"is": "y"}}]}}]}))
        == 2
    )


def _instants(edge: AnyEdge, person: Facts) -> list[datetime]:
    """When this edge passes this person."""
    if isinstance(edge, CalendarEdge):
        return turns_of(edge, person)
    if isinstance(edge, DayEdge):
        return _midnights(edge, person)
    key = edge.ref
    match edge.table:
        case "events":
            at = [event.occurred_at for event in person.events if EVENT_NAMES[event.name] == key]
        case "subscriber_dates":
            trial_ends = person.fields.get(17)
            of_field = datetime.fromisoformat(trial_ends) if isinstance(trial_ends, str) else None
            at = [time for time in ({1: person.created_at, 2: person.updated_at, 17: of_field}[key],) if time]  # type: ignore[index]  # the ids of dates
        case "group_members":
            at = [added_at for group_id, added_at in person.groups.items() if group_id == key]
        case "channel_states":
            at = [state.changed_at for channel, state in person.channels.items() if channel == key]
        case "segment_members":
            at = [entered_at for segment_id, entered_at in person.segments.items() if segment_id == key]
    return [instant + edge.offset for instant in at]


def _midnights(edge: DayEdge, person: Facts) -> list[datetime]:
    renewal = person.fields.get(16)
    day = person.birthday if edge.field_id == BIRTHDAY_DATE else date_of(str(renewal))
    if day is None:
        return []
    zone = zone_of(person.profile.get("timezone"), VOCABULARY.timezone)
    days = [anniversary(day, year) for year in range(2025, 2028)] if edge.yearly else [day]
    return [day_start(one + timedelta(days=edge.days), zone) - edge.lead for one in days]


def test_no_verdict_changes_between_edges() -> None:
    """Sound: between one edge of a person and the next, the clock alone changes nothing."""
    chance = Chance(seed=3)
    changes = 0

    for _ in range(share(1_500)):
        condition = chance.condition(segment_ids=[])
        person = chance.facts(1)
        due = {instant for edge in edges(condition, VOCABULARY) for instant in _instants(edge, person)}
        moments = sorted({NOON + timedelta(hours=hours) for hours in range(-2_000, 2_000, 37)} | due)
        verdicts = [
            evaluate(condition, person, moment, {}, timezone=VOCABULARY.timezone) for moment in moments
        ]
        for (_, before), (moment, after) in pairwise(zip(moments, verdicts, strict=True)):
            if before is not after:
                changes += 1
                assert moment in due, f"{condition} changes at {moment} for {person}"

    assert changes > share(200)


def _without(source: str, ref: int | str, person: Facts) -> Facts:
    """The person, had this fact been otherwise."""
    match source:
        case "profile":
            moved = person.updated_at - timedelta(days=3)
            return replace(
                person, profile={"country": "X"}, birthday=None, created_at=moved, updated_at=moved
            )
        case "field":
            return replace(person, fields={key: value for key, value in person.fields.items() if key != ref})
        case "channel":
            return replace(
                person, channels={key: state for key, state in person.channels.items() if key != ref}
            )
        case "group":
            return replace(person, groups={key: at for key, at in person.groups.items() if key != ref})
        case _:
            return replace(person, events=tuple(event for event in person.events if event.name != ref))


def test_no_verdict_changes_by_what_is_not_read() -> None:
    """Complete: a fact that a condition does not read has no part in its verdict."""
    chance = Chance(seed=4)
    facts: list[Read] = [Read(source="profile", ref=0)]
    facts += [Read(source="field", ref=field_id) for field_id in range(11, 19)]
    facts += [Read(source="channel", ref=channel) for channel in CHANNELS]
    facts += [Read(source="group", ref=group_id) for group_id in (21, 22)]
    facts += [Read(source="event", ref=name) for name in EVENT_NAMES]
    changed_by_reads = 0

    for _ in range(share(1_500)):
        condition: Condition = chance.condition(segment_ids=[])
        person = chance.facts(1)
        verdict = evaluate(condition, person, NOON, {}, timezone=VOCABULARY.timezone)
        for fact in facts:
            other = _without(fact.source, fact.ref, person)
            changes = evaluate(condition, other, NOON, {}, timezone=VOCABULARY.timezone) is not verdict
            if fact in reads(condition):
                changed_by_reads += changes
            else:
                assert not changes, f"{condition} does not say that it reads {fact}"

    assert changed_by_reads > share(100)
