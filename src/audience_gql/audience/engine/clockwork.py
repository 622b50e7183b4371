"""What the clock does in a tick: whom it moves now, and when it next moves anybody.

It remembers what it found for each bucket, edge by edge, so that a tick looks only at what has come. Only a memory: of a bucket that
somebody else has held since, or whose segments are others now, it knows nothing, and looks at everything.
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
from audience_gql.conditions.base import DayEdge, Edge
from audience_gql.storage.database import Connection
from audience_gql.storage.engine import edges, membership
from audience_gql.storage.engine.membership import BucketHead, BucketTimes, Change, TakenMark

_INSTANTS_KEPT: Final = 200_000
FIRST_SLICE: Final = 10_000
LEAST_SLICE: Final = 500
LARGEST_SLICE: Final = 100_000

Horizon: TypeAlias = Mapping[Edge | DayEdge, datetime]
"""The next instant at which anybody crosses each edge, at the earliest; what is left out nobody will cross. People with marks aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Whom the clock moves in a tick."""

    people: Mapping[int, Collection[Edge | DayEdge]]
    """The edges that each of them crosses."""
    edges: Collection[Edge | DayEdge] = ()
    """Those that were looked at."""
    is_looked_at: bool = True
    """False while the instant for it has not come. It may have come with no edge to look at: a fill always asks for a look."""
    horizon: Horizon | None = None
    """What the last tick left; None where that is not known."""
    crowd: Crowd | None = None
    """Set when the people are too many for this tick: some are marked for the next ones, and `people` is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Everybody who crossed an edge between the bucket's `evaluated_through` and this instant."""

    through: datetime
    marked_to: int | None
    """The id up to which they are marked by now; None when all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What a tick leaves to the clock."""

    times: BucketTimes
    horizon: Horizon | None
    """The instant of every edge, where they are known."""


class Clockwork:
    """Of one worker process; the buckets used longest ago are forgotten."""

    def __init__(self) -> None:
        self._left: OrderedDict[int, _Left] = OrderedDict()
        self._kept = 0
        self._slice = FIRST_SLICE
        """So many people of a bucket were looked through for a crowd in good time of late."""

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
        """Who has crossed an edge since the last tick. A crowd is marked instead, slice by slice, for the ticks that follow."""
        if bucket.crowd_through is not None and bucket.crowd_through > bucket.evaluated_through:
            return await self._marked(connection, bucket, plan, bucket.crowd_through)
        horizon = self._horizon(bucket, definitions_version)
        if bucket.next_due_at is None or bucket.next_due_at > now:
            return Crossing(
                people={}, horizon=horizon, is_looked_at=False
            )  # facts that came since have marks
        looked_at = _come(bucket, plan, horizon, now)
        stretch = partial(edges.crossed, after=bucket.evaluated_through, upto=now, timezone=plan.timezone)
        people = await edges.people_on_edges(connection, bucket.id, stretch(looked_at), limit=limit)
        if people is None:
            return await self._marked(connection, bucket, plan, now)
        return Crossing(people=people, edges=looked_at, horizon=horizon)

    async def _marked(
        self, connection: Connection, bucket: BucketHead, plan: Plan, through: datetime
    ) -> Crossing:
        """Mark the next slice of a crowd: those of the bucket's next so many people who have crossed an edge up to `through`.

        Newer events of theirs are not asked for, though one may keep somebody's verdict as it is: to ask that of each of a crowd
        would hold the bucket for longer than it takes to look at too many.
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
        return Crossing(people={}, crowd=Crowd(through=through, marked_to=upto))

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
        """What comes next. Edges that nobody has crossed, and that no fact or change has to do with, stay as they were."""
        if crossing.crowd is not None:
            return Ahead(times=_beside(bucket, crossing.crowd, now), horizon=None)
        is_all_new = crossing.horizon is None and crossing.is_looked_at
        told, untold = _by_what_they_tell(marks)
        moved = plan.edges.keys() if is_all_new else plan.edges_moved_by(untold).union(crossing.edges)
        due = await edges.due_by_edge(connection, bucket.id, moved, now)
        for edge, at in plan.due_by_events(told, now):
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
        """Remember what the tick of this bucket has left, once it is committed."""
        self._forget(bucket.id)
        if horizon is None:
            return
        versions = definitions_version, bucket.states_version
        self._left[bucket.id] = _Left(turn=bucket.turn + 1, versions=versions, horizon=horizon)
        self._kept += len(horizon)
        while self._kept > _INSTANTS_KEPT and len(self._left) > 1:
            self._forget(next(iter(self._left)))

    def _horizon(self, bucket: BucketHead, definitions_version: int) -> Horizon | None:
        left = self._left.get(bucket.id)
        versions = definitions_version, bucket.states_version
        if left is None or left.turn != bucket.turn or left.versions != versions:
            return None
        self._left.move_to_end(bucket.id)
        return left.horizon

    def _forget(self, bucket_id: int) -> None:
        left = self._left.pop(bucket_id, None)
        if left is not None:
            self._kept -= len(left.horizon)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What a tick left of a bucket. Whoever held it after that has raised its turn."""

    turn: int
    versions: tuple[int, int]
    """Of the definitions, the workspace's and the bucket's. A plan itself would be kept by it for longer than it is used."""
    horizon: Horizon


def _by_what_they_tell(marks: Collection[TakenMark]) -> tuple[Mapping[int, set[datetime]], set[Fact]]:
    """The instants of events, by the id of their name, and the facts of which nothing more is told."""
    told: dict[int, set[datetime]] = defaultdict(set)
    untold: set[Fact] = set()
    for mark in marks:
        if mark.at is None:
            untold.add(fact_of(mark))
        else:
            told[mark.ref].add(mark.at)
    return told, untold


def _come(
    bucket: BucketHead, plan: Plan, horizon: Horizon | None, now: datetime
) -> Collection[Edge | DayEdge]:
    """The edges that somebody may have crossed by now."""
    if horizon is not None:
        return [edge for edge, at in horizon.items() if at <= now]
    return plan.edges if bucket.has_events_ahead else plan.edges.keys() - plan.edges_of_events_themselves


def _beside(bucket: BucketHead, crowd: Crowd, now: datetime) -> BucketTimes:
    """Of a bucket whose crowd is being marked. It stays where it was until all are, and is due at once, for what came after."""
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
