"""Tells why a condition matches as few people as it does: for each of its nodes, who matches it and who lacks only it.

It reads everything in one snapshot and writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace

from audience_gql.audience.answers.estimates import Estimate, estimate
from audience_gql.audience.definitions.stored_conditions import StoredConditions
from audience_gql.audience.ports import Ports
from audience_gql.conditions.base import Names, Path
from audience_gql.conditions.reasoning.near_misses import count_nodes, near_miss
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.insights import funnels
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.pages import Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelNode:
    """One node of a condition, with the people counted or estimated for it."""

    path: Path
    summary: str
    matched: Estimate
    """Who matches the node by itself."""
    near_misses: Estimate
    """Who does not match the condition, and would if only this node's verdict were the opposite."""
    whole: Filter
    """The condition that the node is in."""

    def near_miss_filter(self) -> Filter:
        """The near misses, as a filter of people."""
        return replace(self.whole, condition=near_miss(self.whole.condition, self.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """The nodes of a condition, each before the nodes inside it. All counts are of one instant."""

    people: int
    """The size of the audience."""
    is_exact: bool
    nodes: tuple[FunnelNode, ...]


async def condition_funnel(*, ports: Ports, workspace_id: int, matching: Filter, budget: Budget) -> Funnel:
    """The funnel of a condition that is not stored, at the filter's instant, with the facts of now."""
    async with ports.database.snapshot() as connection:
        names = await definitions.names(connection, workspace_id)
        return await _funnel(connection, workspace_id, matching, names, budget)


async def segment_funnels(
    *, ports: Ports, workspace_id: int, segment_ids: Collection[int], budget: Budget
) -> dict[int, Funnel]:
    """The funnels of segments, by id, in one snapshot. One that does not exist or cannot be evaluated is left out.

    The budget is for each of them. A paused segment's funnel is about whom its condition matches now.
    """
    async with ports.database.snapshot() as connection:
        now = await ports.clock.now(connection)
        vocabulary, names = await definitions.vocabulary_and_names(connection, workspace_id)
        segments = await segment_definitions.segments(connection, workspace_id)
        conditions = StoredConditions(segments, vocabulary)
        able = [it.id for it in segments if it.id in segment_ids and it.failure is None]
        found = {}
        for segment_id in able:
            matching = Filter(
                condition=conditions[segment_id], inner=conditions, vocabulary=vocabulary, now=now
            )
            found[segment_id] = await _funnel(connection, workspace_id, matching, names, budget)
        return found


async def _funnel(
    connection: Connection, workspace_id: int, matching: Filter, names: Names, budget: Budget
) -> Funnel:
    counted = await funnels.count_combinations(connection, workspace_id, matching, budget=budget)
    seen, people = counted.figures.seen, counted.people
    # In a thread, because there may be very many combinations and the event loop serves everybody else.
    nodes = await asyncio.to_thread(count_nodes, matching.condition, counted.figures.people)
    return Funnel(
        people=people,
        is_exact=seen == people,
        nodes=tuple(
            FunnelNode(
                path=node.path,
                summary=node.condition.summary(names),
                matched=estimate(matched=node.matched, seen=seen, people=people),
                near_misses=estimate(matched=node.near_misses, seen=seen, people=people),
                whole=matching,
            )
            for node in nodes
        ),
    )
