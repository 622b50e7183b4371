"""When the clock next changes a segment: the instant that the engine itself would wake up for, computed without changing anything.

The result must not be stored, because every new fact may bring the instant forward.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from audience_gql.conditions.base import AnyEdge, Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import edges
from audience_gql.conditions.reasoning.nesting import verdict_order
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage import buckets, segment_definitions
from audience_gql.storage.engine.edges import due_by_edge
from audience_gql.storage.postgres.database import Connection


async def next_change_by_segments(
    *, connection: Connection, workspace_id: int, segment_ids: Collection[int], vocabulary: Vocabulary
) -> dict[int, datetime]:
    """By segment id, an instant before which the clock lets nobody in or out. Segments that the clock never changes are left out.

    It is a lower bound: at that instant a fact crosses an edge, which need not change a verdict. It may lie in the past while a tick is
    pending. The cost is a few statements per bucket, however many segments are named.
    """
    conditions = {
        segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        for segment in await segment_definitions.segments(connection, workspace_id)
    }
    wanted = {
        segment_id: edges_of(conditions[segment_id], conditions, vocabulary)
        for segment_id in segment_ids
        if segment_id in conditions
    }
    due = await _due_by_edge(connection, workspace_id, frozenset().union(*wanted.values()))
    return {
        segment_id: min(due[edge] for edge in crossed)
        for segment_id, own in wanted.items()
        if (crossed := own & due.keys())
    }


def edges_of(
    condition: Condition, conditions: Mapping[int, Condition], vocabulary: Vocabulary
) -> frozenset[AnyEdge]:
    """The edges of a condition and of all segments that it reads."""
    inner = (
        edges(conditions[verdict.id], vocabulary, verdict.later)
        for verdict in verdict_order((condition,), conditions)
    )
    return edges(condition, vocabulary).union(*inner)


async def _due_by_edge(
    connection: Connection, workspace_id: int, wanted: frozenset[AnyEdge]
) -> dict[AnyEdge, datetime]:
    """By edge, when anybody in the workspace next crosses it."""
    due: dict[AnyEdge, datetime] = {}
    for bucket in await buckets.bucket_instants(connection, workspace_id):
        after = bucket.evaluated_through
        if bucket.has_people_put_off:
            found = dict.fromkeys(wanted, after)
        else:
            found = await due_by_edge(connection, bucket.bucket_id, wanted, after)
        for edge, at in found.items():
            due[edge] = min(at, due.get(edge, at))
    return due
