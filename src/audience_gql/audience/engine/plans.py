"""Caches a workspace's plan while its segments do not change.

It never reads the current versions itself: the tick reads them under its lock and passes them in.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from audience_gql.audience.engine.affected import Plan, plan_of
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.membership import BucketHead, TickSegments
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.segment_definitions import SegmentDefinition

_PLANS_KEPT: Final = 300
_BUCKETS_KEPT: Final = 3_000
_CONDITIONS_KEPT: Final = 6_000


class Plans:
    """One cache per process. A plan is used only for exactly the versions that it was computed from."""

    def __init__(self) -> None:
        self._segments: OrderedDict[int, tuple[tuple[int, int], TickSegments]] = OrderedDict()
        """By bucket id, its segments and the versions under which they were read."""
        self._kept: OrderedDict[tuple[int, TickSegments], Plan] = OrderedDict()
        self._conditions: OrderedDict[tuple[int, int], Condition] = OrderedDict()
        """By segment id and revision: while many segments are filled, plan follows plan, each with one segment more."""

    async def plan(self, connection: Connection, bucket: BucketHead, definitions_version: int) -> Plan:
        """The plan for a bucket. Reads its segments when a version is new, and their conditions when a revision is new."""
        segments = await self._segments_of(connection, bucket, definitions_version)
        return await self._plan_of(connection, bucket.workspace_id, segments)

    async def _segments_of(
        self, connection: Connection, bucket: BucketHead, definitions_version: int
    ) -> TickSegments:
        versions = definitions_version, bucket.states_version
        kept = self._segments.get(bucket.id)
        if kept is not None and kept[0] == versions:
            self._segments.move_to_end(bucket.id)
            return kept[1]
        segments = await membership.tick_segments(connection, bucket)
        self._segments[bucket.id] = versions, segments
        if len(self._segments) > _BUCKETS_KEPT:
            self._segments.popitem(last=False)
        return segments

    async def _plan_of(self, connection: Connection, workspace_id: int, segments: TickSegments) -> Plan:
        key = workspace_id, segments
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        plan = await self._make(connection, workspace_id, segments)
        self._kept[key] = plan
        if len(self._kept) > _PLANS_KEPT:
            self._kept.popitem(last=False)
        return plan

    async def _make(self, connection: Connection, workspace_id: int, wanted: TickSegments) -> Plan:
        vocabulary = await definitions.vocabulary(connection, workspace_id)
        conditions: dict[int, Condition] = {}
        revisions: dict[int, int] = {}
        for segment in await segment_definitions.segments(connection, workspace_id):
            conditions[segment.id] = self._condition_of(segment, vocabulary)
            revisions[segment.id] = segment.revision
        # A segment that was edited between the two reads has a new generation and waits for its fill.
        evaluated = [
            segment_id
            for segment_id, revision, is_evaluated in zip(
                wanted.ids, wanted.revisions, wanted.evaluated, strict=True
            )
            if is_evaluated and revisions.get(segment_id) == revision
        ]
        return plan_of(conditions, revisions, evaluated, vocabulary)

    def _condition_of(self, segment: SegmentDefinition, vocabulary: Vocabulary) -> Condition:
        """A revision has one condition. What it names stays: nothing that a segment reads can be deleted."""
        key = segment.id, segment.revision
        found = self._conditions.pop(key, None)
        if found is None:
            found = parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        self._conditions[key] = found
        if len(self._conditions) > _CONDITIONS_KEPT:
            self._conditions.popitem(last=False)
        return found
