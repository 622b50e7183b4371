"""Forecasts a segment's size: how many people the clock will move in and out if nothing else happens.

It looks at the people whom the clock may move: all of them if there is time, otherwise a random share, from which it estimates.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from time import monotonic
from typing import Final

from audience_gql.audience.answers.estimates import Estimate, estimate
from audience_gql.audience.insights.futures import PEOPLE_AT_ONCE, SegmentFuture, read_future
from audience_gql.audience.ports import Ports
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.reasoning.future import Turn
from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.insights import people
from audience_gql.storage.people.facts import Owner
from audience_gql.storage.postgres.database import Connection

MOST_MOVING: Final = 200_000
"""If the clock may move more people than this, a random share of the whole audience is looked at instead."""
_LAST_ID: Final = SUBSCRIBER_IDS - 1
_MOMENT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAhead:
    """A segment's size in one interval of the future. A margin is 0 where the number is exact."""

    at: datetime
    """When the interval begins."""
    members: Estimate
    """The size at the end of the interval."""
    entered: Estimate
    left: Estimate


async def forecast_size(
    *,
    ports: Ports,
    workspace_id: int,
    segment_id: int,
    starts: Sequence[datetime],
    end: datetime,
    seconds: float,
) -> list[SizeAhead]:
    """The segment's size in the intervals that begin at these instants, if no fact is added or changed.

    The first interval contains the present, and what lies before the present is not part of it. `end` is the end of the last one.
    After `seconds`, the people who were looked at are taken as a random share. Raises TooManyEvents.
    """
    async with ports.database.snapshot() as connection:
        now = await ports.clock.now(connection)
        segment = await read_future(connection, workspace_id, segment_id, now)
        members = await people.members(connection, workspace_id, segment_id)
        look = _Look(connection, workspace_id, segment, starts, end - _MOMENT)
        await look.run(monotonic() + seconds)
        seen = await look.seen()
    return look.tally.sizes(members, seen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A random share of the audience."""

    people: int
    everybody: int

    def estimate(self, matched: int) -> Estimate:
        return estimate(matched=min(matched, self.people), seen=self.people, people=self.everybody)


class _Look:
    """Looks at people's futures, in the order of their ids, until the time is up."""

    def __init__(
        self,
        connection: Connection,
        workspace_id: int,
        segment: SegmentFuture,
        starts: Sequence[datetime],
        until: datetime,
    ) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._segment = segment
        self._until = until
        self._through = -1
        self.tally = _Tally(starts)

    async def run(self, deadline: float) -> None:
        segment = self._segment
        moving = await segment.people_moving(self._connection, segment.now, self._until, limit=MOST_MOVING)
        if moving is not None:
            await self._look_at(sorted(moving, key=lambda owner: owner[1]), deadline)
        else:
            await self._look_at_everybody(deadline)

    async def seen(self) -> _Seen | None:
        """The share of the audience that was seen; None for everybody."""
        if self._through >= _LAST_ID:
            return None
        seen = await people.count(self._connection, self._workspace_id, upto=self._through)
        return _Seen(seen, await people.count(self._connection, self._workspace_id, upto=_LAST_ID))

    async def _look_at(self, moving: Sequence[Owner], deadline: float) -> None:
        """Look at these people. Everybody else has no turns."""
        for start in range(0, len(moving), PEOPLE_AT_ONCE):
            some = moving[start : start + PEOPLE_AT_ONCE]
            await self._add(some)
            self._through = some[-1][1]
            if monotonic() > deadline and start + PEOPLE_AT_ONCE < len(moving):
                return
        self._through = _LAST_ID

    async def _look_at_everybody(self, deadline: float) -> None:
        everybody = await people.count(self._connection, self._workspace_id, upto=_LAST_ID)
        step = SUBSCRIBER_IDS * PEOPLE_AT_ONCE // max(everybody, 1)
        while self._through < _LAST_ID and (self._through < 0 or monotonic() <= deadline):
            upto = min(self._through + step, _LAST_ID)
            some = await people.owners(self._connection, self._workspace_id, after=self._through, upto=upto)
            await self._add(some)
            self._through = upto

    async def _add(self, owners: Sequence[Owner]) -> None:
        if not owners:
            return
        found = await self._segment.each(self._connection, self._workspace_id, owners, self._turns)
        for is_member, turns in found:
            self.tally.add(turns, is_member=is_member)

    def _turns(self, _: Owner, person: Facts) -> tuple[bool, list[Turn]]:
        segment = self._segment
        is_member = segment.segment_id in person.segments
        turns = segment.future.turns(person, segment.now, self._until, is_member=is_member)
        return is_member, [*turns]


class _Tally:
    """The turns of the people seen so far, by interval."""

    def __init__(self, starts: Sequence[datetime]) -> None:
        self._starts = starts
        self._entered = [0] * len(starts)
        self._left = [0] * len(starts)
        self._more = [0] * len(starts)
        """How many more of those who are outside now are inside at the end of each interval than at the end of the one before."""
        self._fewer = [0] * len(starts)
        """The same for those who are inside now and outside then."""

    def add(self, turns: Iterable[Turn], *, is_member: bool) -> None:
        changes = self._fewer if is_member else self._more
        for turn in turns:
            interval = bisect_right(self._starts, turn.at) - 1
            (self._entered if turn.matches else self._left)[interval] += 1
            changes[interval] += 1 if turn.matches is not is_member else -1

    def sizes(self, members: int, seen: _Seen | None) -> list[SizeAhead]:
        """The sizes for all people of a segment that has so many members now."""

        def of_all(number: int) -> Estimate:
            return Estimate(number, 0) if seen is None else seen.estimate(number)

        found = []
        rows = zip(
            self._starts,
            self._entered,
            self._left,
            accumulate(self._more),
            accumulate(self._fewer),
            strict=True,
        )
        for at, entered, left, more, fewer in rows:
            inside, outside = of_all(more), of_all(fewer)
            size = Estimate(members + inside.count - outside.count, inside.margin + outside.margin)
            found.append(SizeAhead(at=at, members=size, entered=of_all(entered), left=of_all(left)))
        return found
