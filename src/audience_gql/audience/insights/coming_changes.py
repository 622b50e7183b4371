"""Tells who will enter or leave a segment next if nothing else happens, the soonest first, and why.

It goes through the time ahead in stretches. In each, it looks at the people whom the clock may move, and at what it does to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from audience_gql.audience.insights.futures import PEOPLE_AT_ONCE, SegmentFuture, read_future
from audience_gql.audience.ports import Ports
from audience_gql.conditions.base import Leaf
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.reasoning.explanation import Finding, explain
from audience_gql.conditions.vocabulary import IdCodec
from audience_gql.storage.engine.edges import ids_on_edges
from audience_gql.storage.insights import people
from audience_gql.storage.people.facts import Owner
from audience_gql.storage.postgres.database import Connection

MOST_LOOKED_AT: Final = 20_000
"""After so many people, a page ends even if it is not full."""
_AT_ONCE: Final = 5_000
"""A stretch of time in which the clock may move more people than this is divided."""
_CHEAP: Final = 10
"""Passing over so many people costs as much as looking at one."""
_LAST_ID: Final = 2**63 - 1
_FIRST_PART: Final = 256
"""The first stretch is this part of the whole time. Each one after it is four times as long as the one before."""
_MOMENT: Final = timedelta(microseconds=1)

Place: TypeAlias = tuple[datetime, int, int]
"""A place in the order of the changes: instant, bucket id and subscriber id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingChange:
    """Somebody's next entry or exit."""

    owner: Owner
    at: datetime
    reasons: tuple[Finding, ...]
    """The leaves of the condition whose verdict changes at that instant, as they are from then on."""

    @property
    def place(self) -> Place:
        return (self.at, *self.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingChanges:
    """A page. `ends_at` is where the next one continues; None if there is none."""

    changes: tuple[ComingChange, ...]
    ends_at: Place | None


async def coming_changes(
    *,
    ports: Ports,
    workspace_id: int,
    segment_id: int,
    entering: bool,
    within: timedelta,
    size: int,
    after: Place | None,
    ids: IdCodec,
) -> ComingChanges:
    """The next `size` people who enter the segment, or leave it, within this time. Each person is in the list once, with their next change.

    A page can be shorter although more follow. Raises TooManyEvents.
    """
    async with ports.database.snapshot() as connection:
        now = await ports.clock.now(connection)
        segment = await read_future(connection, workspace_id, segment_id, now)
        search = _Search(connection, workspace_id, segment, entering=entering, end=now + within, after=after)
        found, ends_at = await search.page(size)
    changes = tuple(
        ComingChange(owner=each.owner, at=each.at, reasons=_reasons(segment, each, ids)) for each in found
    )
    return ComingChanges(changes=changes, ends_at=ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    owner: Owner
    at: datetime
    person: Facts
    """The facts just before the change."""

    @property
    def place(self) -> Place:
        return (self.at, *self.owner)


class _Search:
    """The search for one page."""

    def __init__(
        self,
        connection: Connection,
        workspace_id: int,
        segment: SegmentFuture,
        *,
        entering: bool,
        end: datetime,
        after: Place | None,
    ) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._segment = segment
        self._entering = entering
        self._end = end
        self._after = after
        self._looked_at = 0
        self._rests_at: Place | None = None
        """Where the page ends although it is not full; None while it goes on."""
        self._waiting: dict[Owner, _Change | None] = {}
        """The next change of everybody who was looked at."""

    async def page(self, size: int) -> tuple[list[_Change], Place | None]:
        """The changes of the page, and where the next page continues."""
        page: list[_Change] = []
        start = self._start
        step = first_step = (self._end - self._segment.now) / _FIRST_PART
        while start < self._end:
            upto = min(start + max(step, _MOMENT), self._end)
            moving = await self._segment.people_moving(self._connection, start, upto, limit=_AT_ONCE)
            if moving is None and upto - start > _MOMENT:
                step = (upto - start) / 16
                continue
            if moving is None:
                page += await self._crowd(start, upto, size + 1 - len(page))
                step = first_step
            else:
                await self._look_at(moving)
                page += self._between(start, upto)
                step *= 4
            if len(page) > size:
                return page[:size], page[size - 1].place
            self._rest_at((upto, _LAST_ID, _LAST_ID))
            if self._rests_at is not None:
                return page, self._rests_at
            start = upto
        return page, None

    def _rest_at(self, place: Place) -> None:
        """End the page at this place if enough people were looked at for one page. It must be beyond the page before, so that pages end."""
        is_beyond = self._after is None or place > self._after
        if self._rests_at is None and is_beyond and self._looked_at > MOST_LOOKED_AT:
            self._rests_at = place

    @property
    def _start(self) -> datetime:
        """An instant after which all changes of the page come."""
        present = self._segment.now - _MOMENT
        if self._after is None or self._segment.future.depends_on_entries:
            return present
        return max(present, self._after[0] - _MOMENT)

    def _between(self, start: datetime, upto: datetime) -> list[_Change]:
        """The changes in (start, upto] that belong to the page, in order."""
        found = (
            change
            for change in self._waiting.values()
            if change is not None
            and start < change.at <= upto
            and (self._after is None or change.place > self._after)
        )
        return sorted(found, key=lambda change: change.place)

    async def _crowd(self, start: datetime, upto: datetime, wanted: int) -> list[_Change]:
        """The first changes at one instant at which the clock may move very many people."""
        for bucket_id in self._segment.evaluated_through:
            above = self._looked_through(upto, bucket_id)
            ranges = self._segment.ranges(bucket_id, start, upto)
            while ids := await ids_on_edges(
                self._connection, bucket_id, ranges, above=above, limit=PEOPLE_AT_ONCE
            ):
                await self._look_at([(bucket_id, id_) for id_ in ids])
                above = ids[-1]
                # Somebody with a higher id can be known already, but not everybody before them.
                through = upto, bucket_id, above
                found = [change for change in self._between(start, upto) if change.place <= through]
                self._rest_at(through)
                if len(found) >= wanted or self._rests_at is not None:
                    return found[:wanted]
        return self._between(start, upto)[:wanted]

    def _looked_through(self, instant: datetime, bucket_id: int) -> int:
        """The id up to which earlier pages have the changes of a bucket at this instant."""
        if self._after is None or self._after[0] != instant or bucket_id > self._after[1]:
            return -1
        return self._after[2] if bucket_id == self._after[1] else _LAST_ID

    async def _look_at(self, owners: Sequence[Owner]) -> None:
        unknown = [owner for owner in owners if owner not in self._waiting]
        for first in range(0, len(unknown), PEOPLE_AT_ONCE):
            some = unknown[first : first + PEOPLE_AT_ONCE]
            self._waiting.update(dict.fromkeys(some))
            members = await people.members_among(
                self._connection, self._workspace_id, self._segment.segment_id, some
            )
            able = [owner for owner in some if (owner in members) is not self._entering]
            found = await self._segment.each(self._connection, self._workspace_id, able, self._next_change)
            self._waiting.update((change.owner, change) for change in found if change is not None)
            self._looked_at += len(able) + len(some) // _CHEAP

    def _next_change(self, owner: Owner, person: Facts) -> _Change | None:
        """When somebody who is outside enters, or somebody who is inside leaves; None if they do not."""
        segment = self._segment
        for state in segment.future.states(person, segment.now, self._end):
            if state.matches is self._entering:
                return _Change(owner=owner, at=state.at, person=state.person)
        return None


def _reasons(segment: SegmentFuture, change: _Change, ids: IdCodec) -> tuple[Finding, ...]:
    """The leaves whose verdict is another one from the change on."""
    earlier = _findings(segment, change.person, change.at - _MOMENT, ids)
    then = _findings(segment, change.person, change.at, ids)
    return tuple(
        finding
        for finding, was in zip(then, earlier, strict=True)
        if isinstance(finding.condition, Leaf) and finding.matches is not was.matches
    )


def _findings(segment: SegmentFuture, person: Facts, at: datetime, ids: IdCodec) -> Iterator[Finding]:
    return iter(
        explain(
            segment.conditions[segment.segment_id],
            person,
            at,
            segment.conditions,
            timezone=segment.vocabulary.timezone,
            week_start=segment.vocabulary.week_start,
            names=segment.names,
            ids=ids,
        )
    )
