"""The dependencies of a verdict: the facts that a condition reads, and the edges at which the clock can alter it.

They do not include the dependencies of segments that the condition names; ask for those segments separately.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from audience_gql.conditions.base import AnyEdge, Condition, DayEdge, Edge, Read, leaves, leaves_in_time
from audience_gql.conditions.periods import Period
from audience_gql.conditions.vocabulary import Vocabulary


def reads(condition: Condition) -> frozenset[Read]:
    return frozenset(read for leaf in leaves(condition) for read in leaf.reads())


def edges(condition: Condition, vocabulary: Vocabulary, later: timedelta = timedelta()) -> frozenset[AnyEdge]:
    """The edges of all leaves of a condition that is evaluated so much later than now.

    None is missing, some may be unnecessary. An event name that was never used has none.
    """
    found: set[AnyEdge] = set()
    for leaf, lead in leaves_in_time(condition, later):
        own = leaf.edges(vocabulary)
        found |= own if not lead else {edge.earlier(lead) for edge in own} | set(filter(_is_of_entry, own))
    return frozenset(found)


def _is_of_entry(edge: AnyEdge) -> bool:
    """Whether it is the instant of an entry, which is also seen when it comes: a fill stores entries without marks."""
    return isinstance(edge, Edge) and edge.table == "segment_members" and not edge.offset


def periods(condition: Condition) -> frozenset[Period]:
    """The calendar periods that the verdict depends on, besides days on which a date or an anniversary is."""
    return frozenset(period for leaf in leaves(condition) for period in leaf.periods())


def looks_at_calendar(condition: Condition, vocabulary: Vocabulary) -> bool:
    """Whether the verdict depends on when days begin, where the person lives."""
    return bool(periods(condition)) or any(isinstance(edge, DayEdge) for edge in edges(condition, vocabulary))


def merged(crossed: Iterable[AnyEdge]) -> dict[AnyEdge, AnyEdge]:
    """For each edge, the one that represents all with the same table, ref and offset. Everybody who crosses one of them crosses it too."""
    widest: dict[AnyEdge, AnyEdge] = {}
    places = {edge: replace(edge, newest=None) if isinstance(edge, Edge) else edge for edge in crossed}
    for edge, place in places.items():
        widest[place] = _wider(widest.get(place, edge), edge)
    return {edge: widest[place] for edge, place in places.items()}


def _wider(one: AnyEdge, other: AnyEdge) -> AnyEdge:
    if not isinstance(one, Edge) or not isinstance(other, Edge) or one.newest is None:
        return one
    return other if other.newest is None or other.newest > one.newest else one


def event_leaf_count(condition: Condition) -> int:
    """The number of leaves that examine a person's events."""
    return sum(any(read.source == "event" for read in leaf.reads()) for leaf in leaves(condition))


def leaf_count(condition: Condition) -> int:
    """The number of leaves, for the limit on a segment together with all that it reads."""
    return sum(1 for _ in leaves(condition))
