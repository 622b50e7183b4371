"""What a tick needs to know of a workspace's segments: what each reads, when the clock moves anybody, and why somebody changed.

Pure: it is made from parsed conditions, and cached by the revisions it was made from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias, TypeGuard

from audience_gql.conditions.base import Condition, DayEdge, Edge
from audience_gql.conditions.reasoning.dependencies import edges, merged, reads
from audience_gql.conditions.reasoning.nesting import reading_order
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.engine.edges import clock_ref
from audience_gql.storage.engine.evaluation import Evaluable
from audience_gql.storage.engine.membership import Cause, Change, TakenMark
from audience_gql.storage.facts import CHANNEL_NUMBERS

Fact: TypeAlias = tuple[str, int]
"""A kind of fact as marks and reads name it: ("event", name id), ("field", field id), ("group", group id), ("profile", 0); for
whom the clock moves, ("edge", its number in the plan), or, of marks, ("clock", what the edge looks at)."""

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
"""Where facts of a kind have their instants; those about the person herself, among her dates."""
_CREATED: Final[Fact] = ("created", 0)
_NONE: Final[frozenset[int]] = frozenset()
_LOOKS_A_TICK: Final = 6
_WORTH_IT: Final = 0.8
"""How much of the work must be left for taking the segments apart to pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about a workspace's segments that does not depend on people or the time."""

    evaluable: Evaluable
    timezone: str
    """The workspace's."""
    revisions: Mapping[int, int]
    edges: Mapping[Edge | DayEdge, int]
    """Numbered; at each place one that stands for all."""
    edges_of_events_themselves: frozenset[Edge | DayEdge]
    """Those that an event crosses at its own instant: not to be looked at while none is known that is yet to come."""
    edges_by_event: Mapping[int, tuple[Edge, ...]]
    """Those that events cross, by the id of their name."""
    edges_by_entering: Mapping[int, tuple[Edge, ...]]
    """Those that members of a segment cross at some time after they entered, by its id."""
    direct: Mapping[int, frozenset[Fact]]
    """What each evaluated segment's own condition reads."""
    indirect: Mapping[int, frozenset[Fact]]
    """What the segments that it reads, read."""
    affected: Mapping[Fact, frozenset[int]]
    """The segments whose verdict a fact of this kind can change; what is not named changes none."""

    def fact_of_edge(self, edge: Edge | DayEdge) -> Fact:
        """As what crossing it counts."""
        return "edge", self.edges[edge]

    def segments_affected(self, fact: Fact) -> frozenset[int]:
        return self.affected.get(fact, _NONE)

    def edges_moved_by(self, facts: Collection[Fact]) -> frozenset[Edge | DayEdge]:
        """The edges that new facts of these kinds may cross."""
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
        )

    def due_by_events(
        self, instants: Mapping[int, Collection[datetime]], now: datetime
    ) -> Iterator[tuple[Edge | DayEdge, datetime]]:
        """When the first of these events, by the id of their name, crosses each edge, after `now`."""
        for name_id, found in instants.items():
            ordered = sorted(found)
            for edge in self.edges_by_event.get(name_id, ()):
                ahead = bisect_right(ordered, now - edge.offset)
                if ahead < len(ordered):
                    yield edge, ordered[ahead] + edge.offset

    def due_by_entering(
        self, list_ids: Collection[int], now: datetime
    ) -> Iterator[tuple[Edge | DayEdge, datetime]]:
        """When those who enter these lists now cross an edge of their membership."""
        for list_id in self.edges_by_entering.keys() & list_ids:
            for edge in self.edges_by_entering[list_id]:
                yield edge, now + edge.offset

    def causes(self, facts_of: Mapping[int, Collection[Fact]]) -> Callable[[int, int], Cause]:
        """Why somebody with these facts changed, by (segment, person). Found once for all who have the same facts."""
        known: dict[tuple[int, frozenset[Fact]], Cause] = {}
        kinds = {person: frozenset(facts) for person, facts in facts_of.items()}

        def cause_of(segment_id: int, subscriber_id: int) -> Cause:
            key = segment_id, kinds[subscriber_id]
            if key not in known:
                known[key] = self.cause(*key)
            return known[key]

        return cause_of

    def cause(self, segment_id: int, facts: Collection[Fact]) -> Cause:
        """Why somebody with these marks changed: what the segment reads itself says it best, then what it reads through others."""
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
    """The plan for these segments, of which only `evaluated` take part in ticks; the others may be read by them."""
    closures = {segment_id: reading_order((conditions[segment_id],), conditions) for segment_id in evaluated}
    used = frozenset(evaluated).union(*closures.values())
    own_facts = {segment_id: _facts(conditions[segment_id], vocabulary) for segment_id in used}
    own_edges = {segment_id: edges(conditions[segment_id], vocabulary) for segment_id in used}
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
            for each in (segment_id, *closures[segment_id])
            for edge in own_edges[each]
            for fact in (("clock", clock_ref(edge)), ("edge", numbers[standing_for[edge]]))
        )
        for segment_id in evaluated
    }
    return Plan(
        evaluable=Evaluable(
            key=(
                vocabulary.timezone,
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
        edges_by_entering=_by_ref(
            edge for edge in numbers if _is_of(edge, "segment_members") and edge.offset
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


def _by_ref(edges: Iterable[Edge]) -> dict[int, tuple[Edge, ...]]:
    found: dict[int, list[Edge]] = defaultdict(list)
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
    """Whom to look at for which segments, (segments, people) each: everybody for what her facts can change.

    Of many kinds of facts those of few people are looked at together, for all segments: a statement has its price too, and looking
    at more is never wrong.
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


def is_of_event_itself(edge: Edge | DayEdge) -> bool:
    """Whether an event crosses it at its own instant."""
    return _is_of(edge, "events") and not edge.offset


def _is_of(edge: Edge | DayEdge, table: str) -> TypeGuard[Edge]:
    return isinstance(edge, Edge) and edge.table == table


def fact_of(mark: TakenMark) -> Fact:
    kind = "group" if mark.kind in ("group_joined", "group_left") else mark.kind
    return kind, mark.ref


def group_changes(marks: Iterable[TakenMark]) -> list[Change]:
    """What the marks say of groups, netted: who came and went between two ticks has not changed.

    Of one person and group, comings and goings alternate, because each is marked only when a row was really written or removed.
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
