"""A tick's plan for a workspace's segments: what each segment reads, which edges it has, and the cause of a change.

Pure: a plan is computed from parsed conditions and cached by their revisions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeGuard, TypeVar

from audience_gql.conditions.base import AnyEdge, CalendarEdge, Condition, DayEdge, Edge
from audience_gql.conditions.reasoning.dependencies import edges, merged, reads
from audience_gql.conditions.reasoning.nesting import reading_order, verdict_order
from audience_gql.conditions.vocabulary import SegmentAt, Vocabulary
from audience_gql.storage.engine.calendar_edges import next_crossing
from audience_gql.storage.engine.edges import clock_ref
from audience_gql.storage.engine.evaluation import Evaluable
from audience_gql.storage.engine.membership import Cause, Change, TakenMark
from audience_gql.storage.people.facts import CHANNEL_NUMBERS

Fact: TypeAlias = tuple[str, int]
"""A kind of fact as marks and reads name it: ("event", name id), ("field", field id), ("group", group id), ("profile", 0). A person who
crossed an edge has ("edge", the edge's number in the plan), or ("clock", what the edge looks at) when a mark records the crossing."""

_E = TypeVar("_E", Edge, CalendarEdge)

_CAUSES: Final[Mapping[str, Cause]] = {
    "event": "EVENT",
    "group": "GROUP",
    "profile": "SUBSCRIBER",
    "field": "SUBSCRIBER",
    "channel": "SUBSCRIBER",
    "created": "SUBSCRIBER",
    "clock": "CLOCK",
    "edge": "CLOCK",
}
_TABLES: Final[Mapping[str, str]] = {
    "event": "events",
    "group": "group_members",
    "channel": "channel_states",
    "clock": "",
    "edge": "",
}
"""The table that holds the instants of a kind of fact. Facts that are missing here have theirs in subscriber_dates."""
_CREATED: Final[Fact] = ("created", 0)
_NONE: Final[frozenset[int]] = frozenset()
_LOOKS_A_TICK: Final = 6
_WORTH_IT: Final = 0.8
"""Evaluating groups of segments apart pays only when it leaves at most this share of the whole work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about a workspace's segments that depends neither on people nor on the time."""

    evaluable: Evaluable
    timezone: str
    """The workspace's."""
    revisions: Mapping[int, int]
    edges: Mapping[AnyEdge, int]
    """Each distinct edge with its number. One edge represents all equal crossings."""
    edges_of_events_themselves: frozenset[AnyEdge]
    """Edges that an event crosses at its own instant. They need no probe while no future event is known."""
    edges_by_event: Mapping[int, tuple[Edge, ...]]
    """The edges that events cross, by the id of the event name."""
    periods_by_event: Mapping[int, tuple[CalendarEdge, ...]]
    """The same for calendar periods."""
    edges_by_entering: Mapping[int, tuple[Edge, ...]]
    """The edges that members of a segment cross some time after they entered it, by segment id."""
    direct: Mapping[int, frozenset[Fact]]
    """By segment id, the facts that the segment's own condition reads."""
    indirect: Mapping[int, frozenset[Fact]]
    """By segment id, the facts that it reads through other segments."""
    affected: Mapping[Fact, frozenset[int]]
    """By kind of fact, the segments whose verdict it can change. A missing kind changes none."""

    def fact_of_edge(self, edge: AnyEdge) -> Fact:
        """The fact that stands for a crossing of this edge."""
        return "edge", self.edges[edge]

    def segments_affected(self, fact: Fact) -> frozenset[int]:
        return self.affected.get(fact, _NONE)

    def edges_moved_by(self, facts: Collection[Fact]) -> frozenset[AnyEdge]:
        """The edges that new facts of these kinds may cross in the future."""
        tables = {_TABLES.get(kind, "subscriber_dates") for kind, _ in facts}
        event_ids = {ref for kind, ref in facts if kind == "event"}
        return frozenset(
            edge
            for edge in self.edges
            if (isinstance(edge, DayEdge) and "subscriber_dates" in tables)
            or (
                isinstance(edge, Edge)
                and edge.table in tables
                and (edge.table != "events" or edge.ref in event_ids)
            )
            or (isinstance(edge, CalendarEdge) and edge.ref in event_ids)
        )

    def due_by_events(
        self, instants: Mapping[int, Collection[datetime]], now: datetime
    ) -> Iterator[tuple[AnyEdge, datetime]]:
        """For each edge, when the first of these events crosses it after `now`. `instants` are by the id of the event name."""
        for name_id, found in instants.items():
            ordered = sorted(found)
            for period in self.periods_by_event.get(name_id, ()):
                crossings = (next_crossing(period, occurred_at, now + period.lead) for occurred_at in ordered)
                if (first := min((at for at in crossings if at is not None), default=None)) is not None:
                    yield period, first - period.lead
            for edge in self.edges_by_event.get(name_id, ()):
                ahead = bisect_right(ordered, now - edge.offset)
                if ahead < len(ordered):
                    yield edge, ordered[ahead] + edge.offset

    def due_by_entering(self, list_ids: Collection[int], now: datetime) -> Iterator[tuple[AnyEdge, datetime]]:
        """For each edge of a membership, when the people who enter these lists now cross it."""
        for list_id in self.edges_by_entering.keys() & list_ids:
            for edge in self.edges_by_entering[list_id]:
                yield edge, now + edge.offset

    def causes(self, facts_of: Mapping[int, Collection[Fact]]) -> Callable[[int, int], Cause]:
        """A function from (segment, person) to the cause of their change. It computes each cause once for all people with the same facts."""
        known: dict[tuple[int, frozenset[Fact]], Cause] = {}
        kinds = {person: frozenset(facts) for person, facts in facts_of.items()}

        def cause_of(segment_id: int, subscriber_id: int) -> Cause:
            key = segment_id, kinds[subscriber_id]
            if key not in known:
                known[key] = self.cause(*key)
            return known[key]

        return cause_of

    def cause(self, segment_id: int, facts: Collection[Fact]) -> Cause:
        """Why a person with these marks changed. Facts that the segment itself reads come first, then those read through other segments."""
        direct = self.direct[segment_id].intersection(facts)
        if direct:
            return _CAUSES[min(direct)[0]]
        if self.indirect[segment_id].intersection(facts):
            return "SEGMENT"
        if _CREATED in facts:
            return "SUBSCRIBER"
        if not facts or any(kind in ("clock", "edge") for kind, _ in facts):
            return "CLOCK"
        return _CAUSES[min(facts)[0]]


def plan_of(
    conditions: Mapping[int, Condition],
    revisions: Mapping[int, int],
    evaluated: Collection[int],
    vocabulary: Vocabulary,
) -> Plan:
    """The plan for these segments. Only `evaluated` take part in ticks; they may read the others."""
    closures = {segment_id: reading_order((conditions[segment_id],), conditions) for segment_id in evaluated}
    used = frozenset(evaluated).union(*closures.values())
    own_facts = {segment_id: _facts(conditions[segment_id], vocabulary) for segment_id in used}
    verdicts = {
        segment_id: (
            SegmentAt(segment_id),
            *(verdict_order((conditions[segment_id],), conditions) if closures[segment_id] else ()),
        )
        for segment_id in evaluated
    }
    own_edges = {
        verdict: edges(conditions[verdict.id], vocabulary, verdict.later)
        for verdict in frozenset().union(*verdicts.values())
    }
    standing_for = merged(edge for crossed in own_edges.values() for edge in crossed)
    numbers = {edge: number for number, edge in enumerate(dict.fromkeys(standing_for.values()))}
    direct = {segment_id: own_facts[segment_id] for segment_id in evaluated}
    indirect = {
        segment_id: frozenset(fact for inner_id in closures[segment_id] for fact in own_facts[inner_id])
        for segment_id in evaluated
    }
    moved_by_clock = {
        segment_id: frozenset(
            fact
            for verdict in verdicts[segment_id]
            for edge in own_edges[verdict]
            for fact in (("clock", clock_ref(edge)), ("edge", numbers[standing_for[edge]]))
        )
        for segment_id in evaluated
    }
    return Plan(
        evaluable=Evaluable(
            key=(
                vocabulary.timezone,
                vocabulary.week_start,
                *((segment_id, revisions[segment_id]) for segment_id in sorted(used)),
            ),
            conditions={segment_id: conditions[segment_id] for segment_id in evaluated},
            inner={
                segment_id: conditions[segment_id] for closure in closures.values() for segment_id in closure
            },
            vocabulary=vocabulary,
        ),
        timezone=vocabulary.timezone,
        revisions=revisions,
        edges=numbers,
        edges_of_events_themselves=frozenset(filter(is_of_event_itself, numbers)),
        edges_by_event=_by_ref(edge for edge in numbers if _is_of(edge, "events")),
        periods_by_event=_by_ref(edge for edge in numbers if isinstance(edge, CalendarEdge)),
        edges_by_entering=_by_ref(
            edge for edge in numbers if _is_of(edge, "segment_members") and edge.offset > timedelta()
        ),
        direct=direct,
        indirect=indirect,
        affected=_affected(
            {
                segment_id: direct[segment_id]
                | indirect[segment_id]
                | moved_by_clock[segment_id]
                | {_CREATED}
                for segment_id in evaluated
            }
        ),
    )


def _by_ref(edges: Iterable[_E]) -> dict[int, tuple[_E, ...]]:
    found: dict[int, list[_E]] = defaultdict(list)
    for edge in edges:
        found[int(edge.ref)].append(edge)
    return {ref: tuple(own) for ref, own in found.items()}


def _affected(facts_by_segment: Mapping[int, frozenset[Fact]]) -> dict[Fact, frozenset[int]]:
    found: dict[Fact, set[int]] = defaultdict(set)
    for segment_id, facts in facts_by_segment.items():
        for fact in facts:
            found[fact].add(segment_id)
    return {fact: frozenset(segment_ids) for fact, segment_ids in found.items()}


def looks(
    plan: Plan, facts_of: Mapping[int, Collection[Fact]]
) -> Iterator[tuple[Collection[int], Collection[int]]]:
    """Pairs of (segment ids, subscriber ids) to evaluate: each person for the segments that their facts can change.

    Kinds of facts that concern few people are evaluated together for all segments, because each statement has a cost of its own, and
    evaluating more than necessary is never wrong.
    """
    people_of: dict[frozenset[int], set[int]] = defaultdict(set)
    for subscriber_id, facts in facts_of.items():
        for fact in facts:
            people_of[plan.segments_affected(fact)].add(subscriber_id)
    people_of.pop(_NONE, None)
    every_segment = frozenset(plan.evaluable.conditions)
    for segment_ids in sorted(people_of, key=lambda segment_ids: -len(people_of[segment_ids]))[
        _LOOKS_A_TICK:
    ]:
        people_of[every_segment] |= people_of.pop(segment_ids)
    everybody: set[int] = set().union(*people_of.values())
    apart = sum(len(segment_ids) * len(people) for segment_ids, people in people_of.items())
    if len(people_of) > 1 and apart > _WORTH_IT * len(everybody) * len(every_segment):
        people_of = {every_segment: everybody}
    yield from people_of.items()


def is_of_event_itself(edge: AnyEdge) -> bool:
    """Whether an event crosses this edge at its own instant."""
    return _is_of(edge, "events") and not edge.offset


def _is_of(edge: AnyEdge, table: str) -> TypeGuard[Edge]:
    return isinstance(edge, Edge) and edge.table == table


def fact_of(mark: TakenMark) -> Fact:
    kind = "group" if mark.kind in ("group_joined", "group_left") else mark.kind
    return kind, mark.ref


def origins_of(marks: Collection[TakenMark]) -> dict[int, int]:
    """By person, where the facts of their marks come from. People with an origin of 0 are left out.

    The deepest run counts, and an import counts only if everything comes from imports. The crossing of an edge has no origin.
    """
    if not any(mark.origin for mark in marks):
        return {}
    found: dict[int, int] = {}
    for mark in marks:
        found[mark.subscriber_id] = max(mark.origin, found.get(mark.subscriber_id, mark.origin))
    return {person: origin for person, origin in found.items() if origin}


def group_changes(marks: Iterable[TakenMark], origins: Mapping[int, int]) -> list[Change]:
    """The net group changes of these marks: a person who joined and left between two ticks has not changed.

    The marks of one person and group alternate between joined and left, because a mark is written only with an inserted or deleted row.
    """
    net: dict[tuple[int, int], int] = {}
    for mark in marks:
        if mark.kind in ("group_joined", "group_left"):
            pair = (mark.ref, mark.subscriber_id)
            net[pair] = net.get(pair, 0) + (1 if mark.kind == "group_joined" else -1)
    return [
        Change(
            list_kind="GROUP",
            list_id=group_id,
            subscriber_id=subscriber_id,
            entered=difference > 0,
            cause="MANUAL",
            revision=None,
            origin=origins.get(subscriber_id, 0),
        )
        for (group_id, subscriber_id), difference in sorted(net.items())
        if difference
    ]


def _facts(condition: Condition, vocabulary: Vocabulary) -> frozenset[Fact]:
    facts: set[Fact] = set()
    for read in reads(condition):
        if read.source == "event":
            facts.add(("event", vocabulary.event_names.get(str(read.ref), 0)))
        elif read.source == "channel":
            facts.add(("channel", CHANNEL_NUMBERS[str(read.ref)]))
        elif read.source != "segment":
            facts.add((read.source, int(read.ref)))
    return frozenset(facts)
