"""The feed: all changes after a cursor, read from the log, and then each new one, without a gap between the two.

Signals only wake it. Every change comes from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.log.cursors import CursorCodec, CursorExpired, CursorOutdated
from audience_gql.audience.ports import Ports
from audience_gql.storage import log
from audience_gql.storage.log import FeedFilter, LoggedChange
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import UNREACHABLE
from audience_gql.telemetry import traces
from audience_gql.telemetry.metrics import FEED_BATCHES, FEED_CHANGES

CHANGES_A_BATCH: Final = 500
_AWAY_SECONDS: Final = 1.0
"""How long to wait before asking Postgres again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes in order. `after` equals the `cursor` of the previous batch, which proves to a client that it missed nothing."""

    changes: list[LoggedChange]
    after: str
    cursor: str
    traces: Sequence[str] = ()
    """The traces of the ticks behind these changes, as far as they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the log, for a client that asks again by itself."""

    changes: list[LoggedChange]
    after: str
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The result of one read of the log."""

    changes: list[LoggedChange]
    reached: Mapping[int, int]
    heads: Mapping[int, int]
    """The end of the log at the time of the read."""
    traces: Sequence[str]
    wanted: FeedFilter
    """The filter of the next read. It keeps everybody who ever had the key, so that none of their changes is lost when the key moves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feed:
    """The log of one workspace as clients read it. Every method raises CursorInvalid for a cursor that is not of this log."""

    ports: Ports
    workspace: Workspace
    cursors: CursorCodec

    async def follow(
        self,
        *,
        after: str | None,
        wanted: FeedFilter,
        poll_seconds: float = 5.0,
        heartbeat_seconds: float = 30.0,
    ) -> AsyncGenerator[Batch, None]:
        """All changes after `after`, then each new one. If it is None, only new ones.

        A key in the filter is looked up again with every read, so that a person who gets it later is included from their first change on.
        The first batch comes at once, possibly empty. While no change matches, an empty batch moves the cursor every `heartbeat_seconds`.
        While Postgres is away, it waits. Raises CursorExpired.
        """
        async with self.ports.signals.changes(self.workspace.id) as wakeups:
            positions = await self.arrive(after)  # later than the signals begin, so that there is no gap
            cursor = after if after is not None else self._cursor(positions)
            sent, is_first = positions, True
            sent_at = asyncio.get_running_loop().time()
            while True:
                try:
                    part = await self._read(positions, wanted, CHANGES_A_BATCH)
                except UNREACHABLE:
                    await wakeups.wait(_AWAY_SECONDS)
                    continue
                now = asyncio.get_running_loop().time()
                if part.changes or is_first or (part.reached != sent and now - sent_at >= heartbeat_seconds):
                    next_cursor = self._cursor(part.reached)
                    FEED_BATCHES.inc()
                    FEED_CHANGES.inc(len(part.changes))
                    yield Batch(changes=part.changes, after=cursor, cursor=next_cursor, traces=part.traces)
                    cursor, sent, sent_at, is_first = next_cursor, part.reached, now, False
                positions, wanted = part.reached, part.wanted
                if len(part.changes) < CHANGES_A_BATCH:
                    await wakeups.wait(min(poll_seconds, heartbeat_seconds))

    async def read_page(self, *, after: str | None, wanted: FeedFilter, limit: int) -> Page:
        """At most `limit` changes after `after`; none if it is None. Raises CursorExpired."""
        start = await self.positions_at(after)
        part = await self._read(start, wanted, limit)
        return Page(
            changes=part.changes,
            after=self._cursor(start) if after is None else after,
            cursor=self._cursor(part.reached),
            has_more=any(part.reached[bucket_id] < head for bucket_id, head in part.heads.items()),
        )

    async def read_between(self, *, after: str, until: str, wanted: FeedFilter) -> Batch | None:
        """The next batch after one cursor and not beyond the other. When nothing is left between them, its cursor is `until`.

        None while Postgres is away. Raises CursorExpired.
        """
        heads = self.cursors.decode(self.workspace, until)
        try:
            part = await self._read(
                self.cursors.decode(self.workspace, after), wanted, CHANGES_A_BATCH, heads
            )
        except UNREACHABLE:
            return None
        is_there = all(part.reached[bucket_id] >= head for bucket_id, head in heads.items())
        cursor = until if is_there else self._cursor(part.reached)
        return Batch(changes=part.changes, after=after, cursor=cursor)

    async def arrive(self, after: str | None) -> Mapping[int, int]:
        """The same as `positions_at`. While Postgres is away, it waits."""
        while True:
            try:
                return await self.positions_at(after)
            except UNREACHABLE:
                await asyncio.sleep(_AWAY_SECONDS)

    async def positions_at(self, after: str | None) -> Mapping[int, int]:
        """The positions by bucket at which a reader continues: those of `after`, or the end of the log if it is None.

        Raises CursorExpired if the changes after the cursor are not in the log, or no longer.
        """
        async with self.ports.database.acquire() as connection:
            extent = await log.extent(connection, self.workspace.id)
        if after is None:
            return extent.heads
        try:
            positions = self.cursors.decode(self.workspace, after)
        except CursorOutdated as error:
            raise CursorExpired(self._cursor(extent.starts)) from error
        if not extent.holds(positions):
            raise CursorExpired(self._cursor(extent.starts))
        return positions

    def is_past(self, cursor: str, other: str) -> bool:
        """Whether `cursor` is after `other` in any bucket."""
        seen = self.cursors.decode(self.workspace, other)
        reached = self.cursors.decode(self.workspace, cursor)
        return any(sequence > seen.get(bucket_id, 0) for bucket_id, sequence in reached.items())

    async def _read(
        self,
        positions: Mapping[int, int],
        wanted: FeedFilter,
        limit: int,
        until: Mapping[int, int] | None = None,
    ) -> _Part:
        """The next changes, up to `until` or the end of the log. Raises CursorExpired."""
        try:
            async with self.ports.database.acquire() as connection:
                heads = await log.heads(connection, self.workspace.id, positions) if until is None else until
                found = await log.with_holder(connection, self.workspace.id, wanted)
                changes, reached = await log.changes_after(connection, positions, heads, found, limit)
                traced: Sequence[str] = ()
                if changes and traces.current is not None:
                    traced = await log.traces_between(connection, self.workspace.id, positions, reached)
        except log.Pruned as error:
            async with self.ports.database.acquire() as connection:
                extent = await log.extent(connection, self.workspace.id)
            raise CursorExpired(self._cursor(extent.starts)) from error
        return _Part(changes=changes, reached=reached, heads=heads, traces=traced, wanted=found)

    def _cursor(self, positions: Mapping[int, int]) -> str:
        return self.cursors.encode(self.workspace, positions)
