"""The feed: all changes after a cursor, read from the log, and then each new one, without a gap between the two.

Signals only wake it. Every change comes from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.log.cursors import CursorCodec, CursorExpired, CursorOutdated
from audience_gql.audience.ports import Ports
from audience_gql.storage import log
from audience_gql.storage.database import UNREACHABLE
from audience_gql.storage.log import FeedFilter, LoggedChange
from audience_gql.storage.models import Workspace

CHANGES_A_BATCH: Final = 500
_AWAY_SECONDS: Final = 1.0
"""How long to wait before asking Postgres again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes in order. `after` equals the `cursor` of the previous batch, which proves to a client that it missed nothing."""

    changes: list[LoggedChange]
    after: str
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the log, for a client that asks again by itself."""

    changes: list[LoggedChange]
    after: str
    cursor: str
    has_more: bool


def is_past(*, cursors: CursorCodec, workspace: Workspace, cursor: str, other: str) -> bool:
    """Whether `cursor` is after `other` in any bucket. Raises CursorInvalid."""
    seen = cursors.decode(workspace, other)
    return any(
        sequence > seen.get(bucket_id, 0) for bucket_id, sequence in cursors.decode(workspace, cursor).items()
    )


async def positions_at(
    *, ports: Ports, workspace: Workspace, cursors: CursorCodec, after: str | None
) -> Mapping[int, int]:
    """The positions by bucket at which a reader continues: those of `after`, or the end of the log if it is None.

    Raises CursorInvalid, and CursorExpired if the changes after the cursor are not in the log, or no longer.
    """
    async with ports.database.acquire() as connection:
        extent = await log.extent(connection, workspace.id)
    if after is None:
        return extent.heads
    try:
        positions = cursors.decode(workspace, after)
    except CursorOutdated as error:
        raise CursorExpired(cursors.encode(workspace, extent.starts)) from error
    if not extent.holds(positions):
        raise CursorExpired(cursors.encode(workspace, extent.starts))
    return positions


async def arrive(
    *, ports: Ports, workspace: Workspace, cursors: CursorCodec, after: str | None
) -> Mapping[int, int]:
    """The same as `positions_at`. While Postgres is away, it waits."""
    while True:
        try:
            return await positions_at(ports=ports, workspace=workspace, cursors=cursors, after=after)
        except UNREACHABLE:
            await asyncio.sleep(_AWAY_SECONDS)


async def read_page(
    *,
    ports: Ports,
    workspace: Workspace,
    cursors: CursorCodec,
    after: str | None,
    wanted: FeedFilter,
    limit: int,
) -> Page:
    """At most `limit` changes after `after`; none if it is None. Raises CursorInvalid, CursorExpired."""
    start = await positions_at(ports=ports, workspace=workspace, cursors=cursors, after=after)
    part = await _read(ports, workspace, cursors, start, wanted, limit)
    return Page(
        changes=part.changes,
        after=cursors.encode(workspace, start) if after is None else after,
        cursor=cursors.encode(workspace, part.reached),
        has_more=any(part.reached[bucket_id] < head for bucket_id, head in part.heads.items()),
    )


async def read_between(
    *, ports: Ports, workspace: Workspace, cursors: CursorCodec, after: str, until: str, wanted: FeedFilter
) -> Batch | None:
    """The next batch after one cursor and not beyond the other. When nothing is left between them, its cursor is `until`.

    None while Postgres is away. Raises CursorInvalid, CursorExpired.
    """
    positions, heads = cursors.decode(workspace, after), cursors.decode(workspace, until)
    try:
        async with ports.database.acquire() as connection:
            found = await log.with_holder(connection, workspace.id, wanted)
            changes, reached = await log.changes_after(connection, positions, heads, found, CHANGES_A_BATCH)
    except log.Pruned as error:
        raise await _expired(ports, workspace, cursors) from error
    except UNREACHABLE:
        return None
    is_there = all(reached[bucket_id] >= head for bucket_id, head in heads.items())
    return Batch(
        changes=changes, after=after, cursor=until if is_there else cursors.encode(workspace, reached)
    )


async def follow(
    *,
    ports: Ports,
    workspace: Workspace,
    cursors: CursorCodec,
    after: str | None,
    wanted: FeedFilter,
    poll_seconds: float = 5.0,
    heartbeat_seconds: float = 30.0,
) -> AsyncGenerator[Batch, None]:
    """All changes after `after`, then each new one. If it is None, only new ones.

    A key in the filter is looked up again with every read, so that a person who gets it later is included from their first change on.
    The first batch comes at once, possibly empty. While no change matches, an empty batch moves the cursor every `heartbeat_seconds`.
    While Postgres is away, it waits. Raises CursorInvalid, CursorExpired.
    """
    async with ports.signals.changes(
        workspace.id
    ) as wakeups:  # before the first read, so that there is no gap
        positions = await arrive(ports=ports, workspace=workspace, cursors=cursors, after=after)
        cursor = after if after is not None else cursors.encode(workspace, positions)
        sent, is_first = positions, True
        sent_at = asyncio.get_running_loop().time()
        while True:
            try:
                part = await _read(ports, workspace, cursors, positions, wanted, CHANGES_A_BATCH)
            except UNREACHABLE:
                await wakeups.wait(_AWAY_SECONDS)
                continue
            now = asyncio.get_running_loop().time()
            if part.changes or is_first or (part.reached != sent and now - sent_at >= heartbeat_seconds):
                next_cursor = cursors.encode(workspace, part.reached)
                yield Batch(changes=part.changes, after=cursor, cursor=next_cursor)
                cursor, sent, sent_at, is_first = next_cursor, part.reached, now, False
            positions, wanted = part.reached, part.wanted
            if len(part.changes) < CHANGES_A_BATCH:
                await wakeups.wait(min(poll_seconds, heartbeat_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The result of one read of the log."""

    changes: list[LoggedChange]
    reached: Mapping[int, int]
    heads: Mapping[int, int]
    """The end of the log at the time of the read."""
    wanted: FeedFilter
    """The filter of the next read. It keeps everybody who ever had the key, so that none of their changes is lost when the key moves."""


async def _read(
    ports: Ports,
    workspace: Workspace,
    cursors: CursorCodec,
    positions: Mapping[int, int],
    wanted: FeedFilter,
    limit: int,
) -> _Part:
    """The next changes. Raises CursorExpired."""
    try:
        async with ports.database.acquire() as connection:
            heads = await log.heads(connection, workspace.id, positions)
            found = await log.with_holder(connection, workspace.id, wanted)
            changes, reached = await log.changes_after(connection, positions, heads, found, limit)
    except log.Pruned as error:
        raise await _expired(ports, workspace, cursors) from error
    return _Part(changes=changes, reached=reached, heads=heads, wanted=found)


async def _expired(ports: Ports, workspace: Workspace, cursors: CursorCodec) -> CursorExpired:
    async with ports.database.acquire() as connection:
        extent = await log.extent(connection, workspace.id)
    return CursorExpired(cursors.encode(workspace, extent.starts))
