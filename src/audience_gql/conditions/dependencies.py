"""What a verdict depends on: the facts that a condition reads, and the edges at which the clock moves it.

Only what the condition itself says: what its inner segments depend on, these are asked for themselves.
"""

from __future__ import annotations

from audience_gql.conditions.base import Condition, DayEdge, Edge, Read, leaves
from audience_gql.conditions.vocabulary import Vocabulary


def reads(condition: Condition) -> frozenset[Read]:
    return frozenset(read for leaf in leaves(condition) for read in leaf.reads())


def edges(condition: Condition, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:
    """Never too few; an event name that nobody has used has none."""
    return frozenset(edge for leaf in leaves(condition) for edge in leaf.edges(vocabulary))


def leaf_count(condition: Condition) -> int:
    """For the limit on a segment together with all that it reads."""
    return sum(1 for _ in leaves(condition))
