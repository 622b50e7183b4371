"""Keeps a workspace's plan as long as its segments stay as they are.

It must never be asked what the segments are: the tick reads their revisions under its lock and hands them in.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from audience_gql.audience.affected import Plan, plan_of
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.database import Connection
from audience_gql.storage.membership import TickSegments

_PLANS_KEPT: Final = 300


class Plans:
    """One process' cache; a plan is used only for exactly the revisions it was made from."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, TickSegments], Plan] = OrderedDict()

    async def plan(self, connection: Connection, workspace_id: int, segments: TickSegments) -> Plan:
        """The plan for these segments. Reads their conditions only when a revision is new."""
        key = workspace_id, segments
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        plan = await _make(connection, workspace_id, segments)
        self._kept[key] = plan
        if len(self._kept) > _PLANS_KEPT:
            self._kept.popitem(last=False)
        return plan


async def _make(connection: Connection, workspace_id: int, wanted: TickSegments) -> Plan:
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    conditions: dict[int, Condition] = {}
    revisions: dict[int, int] = {}
    for segment in await definitions.segments(connection, workspace_id):
        conditions[segment.id] = parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        revisions[segment.id] = segment.revision
    # A segment edited between the two reads has a generation of its own by now, and waits for its fill.
    evaluated = [
        segment_id
        for segment_id, revision, is_evaluated in zip(
            wanted.ids, wanted.revisions, wanted.evaluated, strict=True
        )
        if is_evaluated and revisions.get(segment_id) == revision
    ]
    return plan_of(conditions, revisions, evaluated, vocabulary)
