"""The clock's part of a tick: the people whose edge has come, and the next instant at which anybody crosses an edge.

It remembers each bucket's next instants edge by edge, so that a tick looks only at edges that are due. The memory is optional: when
another transaction has held the bucket since, or its segments have changed, the tick looks at every edge.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias

from audience_gql.audience.engine.affected import Fact, Plan, fact_of, is_of_event_itself
from audience_gql.audience.engine.pace import next_size
from audience_gql.conditions.base import AnyEdge, Edge
from audience_gql.storage.engine import edges, membership
from audience_gql.storage.engine.membership import BucketHead, BucketTimes, Change, TakenMark
from audience_gql.storage.postgres.database import Connection

_INSTANTS_KEPT: Final = 200_000
FIRST_SLICE: Final = 10_000
LEAST_SLICE: Final = 500
LARGEST_SLICE: Final = 100_000

Horizon: TypeAlias = Mapping[AnyEdge, datetime]
"""For each edge, a lower bound of the next instant at which anybody crosses it. Nobody will cross an edge that is missing. People with marks
are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingDue:
    """The bucket's next instant is in the future, so no edge was probed."""

    horizon: Horizon | None
    """The memory of the last tick; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """The people who crossed an edge since the last tick."""

    people: Mapping[int, Collection[AnyEdge]]
    """By subscriber id, the edges that they crossed."""
    edges: Collection[AnyEdge]
    """The edges that were probed. Empty is possible: a fill makes the bucket due even when no edge is."""
    horizon: Horizon | None
    """The memory of the last tick; None when there is none, and then every edge was probed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """More people crossed an edge than one tick can handle: a slice of them has been marked for the next ticks instead."""

    through: datetime
    """They crossed an edge after the bucket's `evaluated_through` and up to this instant."""
    marked_to: int | None
    """The id up to which they are marked; None when all are."""


Crossing: TypeAlias = NothingDue | Crossed | Crowd


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What the clock will do next, as a tick leaves it."""

    times: BucketTimes
    horizon: Horizon | None
    """The next instant of every edge; None when they are not all known."""


class Clockwork:
    """One per worker process. It forgets the least recently used buckets when it is full."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[int, _Remembered] = OrderedDict()
        self._kept = 0
        self._slice = FIRST_SLICE
        """Adaptive slice size: how many people the last slices of a crowd looked through within their time budget."""

    async def crossing(
        self,
        connection: Connection,
        bucket: BucketHead,
        plan: Plan,
        now: datetime,
        *,
        definitions_version: int,
        limit: int,
    ) -> Crossing:
        """The people who crossed an edge since the last tick. A crowd is marked slice by slice for the next ticks instead."""
        if bucket.crowd_through is not None and bucket.crowd_through > bucket.evaluated_through:
            return await self._mark_slice(connection, bucket, plan, bucket.crowd_through)
        horizon = self._horizon(bucket, definitions_version)
        if bucket.next_due_at is None or bucket.next_due_at > now:
            return NothingDue(horizon=horizon)  # facts that are newer than the bound have marks
        probed = _due_edges(bucket, plan, horizon, now)
        stretch = partial(edges.crossed, after=bucket.evaluated_through, upto=now, timezone=plan.timezone)
        people = await edges.people_on_edges(connection, bucket.id, stretch(probed), limit=limit)
        if people is None:
            return await self._mark_slice(connection, bucket, plan, now)
        return Crossed(people=people, edges=probed, horizon=horizon)

    async def _mark_slice(
        self, connection: Connection, bucket: BucketHead, plan: Plan, through: datetime
    ) -> Crowd:
        """Mark the next slice of a crowd: among a limited number of people in id order, those who crossed an edge up to `through`.

        This ignores newer events, which may leave a person's verdict unchanged: checking them for everybody in a crowd would hold
        the bucket longer than evaluating a few people too many.
        """
        begun = time.monotonic()
        after = -1 if bucket.crowd_marked_to is None else bucket.crowd_marked_to
        upto = await membership.range_end(connection, bucket.id, after, self._slice)
        everybody = {replace(edge, newest=None) if isinstance(edge, Edge) else edge for edge in plan.edges}
        crossed = edges.crossed(everybody, bucket.evaluated_through, through, timezone=plan.timezone)
        await edges.mark_people_on_edges(
            connection, bucket.id, crossed, after=after, upto=membership.to_the_end(upto)
        )
        took = time.monotonic() - begun
        self._slice = next_size(self._slice, took, least=LEAST_SLICE, most=LARGEST_SLICE)
        return Crowd(through=through, marked_to=upto)

    async def ahead(
        self,
        connection: Connection,
        bucket: BucketHead,
        plan: Plan,
        crossing: Crossing,
        marks: Collection[TakenMark],
        changes: Collection[Change],
        now: datetime,
    ) -> Ahead:
        """The next instants. Edges that nobody crossed and that no mark or change concerns keep theirs."""
        if isinstance(crossing, Crowd):
            return Ahead(times=_times_within_crowd(bucket, crossing, now), horizon=None)
        probed = crossing.edges if isinstance(crossing, Crossed) else ()
        is_all_new = crossing.horizon is None and isinstance(crossing, Crossed)
        instants, facts_without_instant = _instants_of_marks(marks)
        moved = plan.edges.keys() if is_all_new else plan.edges_moved_by(facts_without_instant).union(probed)
        due = await edges.due_by_edge(connection, bucket.id, moved, now)
        for edge, at in plan.due_by_events(instants, now):
            if edge not in moved:
                due[edge] = at
        for edge, at in plan.due_by_entering({change.list_id for change in changes if change.entered}, now):
            due[edge] = min(at, due.get(edge, at))
        if crossing.horizon is None and not is_all_new:
            times = BucketTimes(
                evaluated_through=now,
                next_due_at=_first(bucket.next_due_at, *due.values()),
                has_events_ahead=bucket.has_events_ahead or any(map(is_of_event_itself, due)),
            )
            return Ahead(times=times, horizon=None)
        horizon = dict(crossing.horizon or {})
        for edge in moved:
            horizon.pop(edge, None)
        for edge, at in due.items():
            horizon[edge] = min(at, horizon.get(edge, at))
        times = BucketTimes(
            evaluated_through=now,
            next_due_at=_first(*horizon.values()),
            has_events_ahead=not horizon.keys().isdisjoint(plan.edges_of_events_themselves),
        )
        return Ahead(times=times, horizon=horizon)

    def keep(self, bucket: BucketHead, definitions_version: int, horizon: Horizon | None) -> None:
        """Remember the horizon of this bucket's tick. To be called after the commit."""
        self._forget(bucket.id)
        if horizon is None:
            return
        versions = definitions_version, bucket.states_version
        self._remembered[bucket.id] = _Remembered(turn=bucket.turn + 1, versions=versions, horizon=horizon)
        self._kept += len(horizon)
        while self._kept > _INSTANTS_KEPT and len(self._remembered) > 1:
            self._forget(next(iter(self._remembered)))

    def _horizon(self, bucket: BucketHead, definitions_version: int) -> Horizon | None:
        found = self._remembered.get(bucket.id)
        versions = definitions_version, bucket.states_version
        if found is None or found.turn != bucket.turn or found.versions != versions:
            return None
        self._remembered.move_to_end(bucket.id)
        return found.horizon

    def _forget(self, bucket_id: int) -> None:
        found = self._remembered.pop(bucket_id, None)
        if found is not None:
            self._kept -= len(found.horizon)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """What a tick learned about a bucket. It is stale when the bucket's turn is higher: another transaction has held the bucket since."""

    turn: int
    versions: tuple[int, int]
    """The versions of the definitions: the workspace's, then the bucket's. Keeping the plan instead would keep its memory alive."""
    horizon: Horizon


def _instants_of_marks(marks: Collection[TakenMark]) -> tuple[Mapping[int, set[datetime]], set[Fact]]:
    """The instants of marked events by the id of their name, and the facts whose marks carry no instant."""
    instants: dict[int, set[datetime]] = defaultdict(set)
    facts_without_instant: set[Fact] = set()
    for mark in marks:
        if mark.at is None:
            facts_without_instant.add(fact_of(mark))
        else:
            instants[mark.ref].add(mark.at)
    return instants, facts_without_instant


def _due_edges(bucket: BucketHead, plan: Plan, horizon: Horizon | None, now: datetime) -> Collection[AnyEdge]:
    """The edges that anybody may have crossed by now."""
    if horizon is not None:
        return [edge for edge, at in horizon.items() if at <= now]
    return plan.edges if bucket.has_events_ahead else plan.edges.keys() - plan.edges_of_events_themselves


def _times_within_crowd(bucket: BucketHead, crowd: Crowd, now: datetime) -> BucketTimes:
    """The times of a bucket whose crowd is being marked.

    `evaluated_through` stays until the whole crowd is marked. The bucket is due at once, for edges crossed since the crowd's instant.
    """
    is_all_marked = crowd.marked_to is None
    return BucketTimes(
        evaluated_through=crowd.through if is_all_marked else bucket.evaluated_through,
        next_due_at=now,
        has_events_ahead=True,
        crowd_through=None if is_all_marked else crowd.through,
        crowd_marked_to=crowd.marked_to,
    )


def _first(*instants: datetime | None) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)
