"""What a tick needs to know of a workspace's segments: what each reads, when the clock moves anybody, and why somebody changed.

Pure: it is made from parsed conditions, and cached by the revisions it was made from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from audience_gql.conditions.base import Condition, DayEdge, Edge
from audience_gql.conditions.dependencies import edges, reads
from audience_gql.conditions.nesting import reading_order
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.evaluation import Evaluable
from audience_gql.storage.facts import CHANNEL_NUMBERS
from audience_gql.storage.membership import Cause, Change, TakenMark

Fact: TypeAlias = tuple[str, int]
"""A kind of fact as marks and reads name it: ("event", name id), ("field", field id), ("group", group id), ("profile", 0)."""

_CAUSES: Final[Mapping[str, Cause]] = {
    "event": "EVENT",
    "group": "GROUP",
    "profile": "SUBSCRIBER",
    "field": "SUBSCRIBER",
    "channel": "SUBSCRIBER",
    "created": "SUBSCRIBER",
    "clock": "CLOCK",
}
_CREATED: Final[Fact] = ("created", 0)
_CLOCK: Final[Fact] = ("clock", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about a workspace's segments that does not depend on people or the time."""

    evaluable: Evaluable
    timezone: str
    """The workspace's."""
    revisions: Mapping[int, int]
    edges: frozenset[Edge | DayEdge]
    direct: Mapping[int, frozenset[Fact]]
    """What each evaluated segment's own condition reads."""
    indirect: Mapping[int, frozenset[Fact]]
    """What the segments that it reads, read."""
    concerned: frozenset[Fact]

    def concerns(self, mark: TakenMark) -> bool:
        """Whether a mark can change any membership."""
        return fact_of(mark) in self.concerned

    def cause(self, segment_id: int, facts: Collection[Fact], *, is_on_edge: bool) -> Cause:
        """Why somebody with these marks changed: what the segment reads itself says it best, then what it reads through others."""
        direct = self.direct[segment_id].intersection(facts)
        if direct:
            return _CAUSES[min(direct)[0]]
        if self.indirect[segment_id].intersection(facts):
            return "SEGMENT"
        if _CREATED in facts:
            return "SUBSCRIBER"
        if is_on_edge or not facts:
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
    direct = {segment_id: _facts(conditions[segment_id], vocabulary) for segment_id in used}
    inner = {segment_id: conditions[segment_id] for closure in closures.values() for segment_id in closure}
    return Plan(
        evaluable=Evaluable(
            key=(
                vocabulary.timezone,
                *((segment_id, revisions[segment_id]) for segment_id in sorted(used)),
            ),
            conditions={segment_id: conditions[segment_id] for segment_id in evaluated},
            inner=inner,
            vocabulary=vocabulary,
        ),
        timezone=vocabulary.timezone,
        revisions=revisions,
        edges=frozenset(edge for segment_id in used for edge in edges(conditions[segment_id], vocabulary)),
        direct={segment_id: direct[segment_id] for segment_id in evaluated},
        indirect={
            segment_id: frozenset(fact for inner_id in closures[segment_id] for fact in direct[inner_id])
            for segment_id in evaluated
        },
        concerned=frozenset({_CREATED, _CLOCK}).union(*direct.values()),
    )


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
