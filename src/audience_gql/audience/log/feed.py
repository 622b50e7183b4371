"""The live feed: everything after a cursor out of the log, then what happens, without a hole between the two.

Signals only wake it; what it tells comes from the log alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.log.cursors import CursorCodec, CursorExpired, CursorOutdated
from audience_gql.audience.ports import Ports
from audience_gql.storage import feed
from audience_gql.storage.database import UNREACHABLE
from audience_gql.storage.feed import FeedFilter, LoggedChange
from audience_gql.storage.models import Workspace

CHANGES_A_BATCH: Final = 500
_AWAY_SECONDS: Final = 1.0
"""How long to wait before asking Postgres again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes in order. `after` equals the previous batch's `cursor`, which is how a client proves that it lost nothing."""

    changes: list[LoggedChange]
    after: str
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the log, for whoever asks again himself."""

    changes: list[LoggedChange]
    after: str
    cursor: str
    has_more: bool


def is_past(*, cursors: CursorCodec, workspace: Workspace, cursor: str, other: str) -> bool:
    """Whether one cursor has seen something that the other has not. Raises CursorInvalid."""
    seen = cursors.decode(workspace, other)
    return any(
        sequence > seen.get(bucket_id, 0) for bucket_id, sequence in cursors.decode(workspace, cursor).items()
    )


async def positions_at(
    *, ports: Ports, workspace: Workspace, cursors: CursorCodec, after: str | None
) -> Mapping[int, int]:
    """Where somebody goes on who has read up to `after`; without it, where the log ends.

    Raises CursorInvalid, and CursorExpired where the log has not, or not any more, what follows.
    """
    async with ports.database.acquire() as connection:
        extent = await feed.extent(connection, workspace.id)
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
    """The same for those who listen: while Postgres is away they wait."""
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
    """Up to so many of the next changes; none without `after`. Raises CursorInvalid, CursorExpired."""
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
    """The next changes after one cursor, none of them after the other; with the last of them the batch's cursor is `until`.

    None while Postgres is away. Raises CursorInvalid, CursorExpired.
    """
    positions, heads = cursors.decode(workspace, after), cursors.decode(workspace, until)
    try:
        async with ports.database.acquire() as connection:
            found = await feed.with_holder(connection, workspace.id, wanted)
            changes, reached = await feed.changes_after(connection, positions, heads, found, CHANGES_A_BATCH)
    except feed.Pruned as error:
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
    """Everything after `after`, then what happens; without `after`, from now on.

    Where the filter has a key, it is looked up with every part of the log: somebody who comes later is heard of from their first change on.
    The first batch comes at once, possibly empty; while nothing matches, an empty one moves the cursor now and then. While Postgres is
    away it waits. Raises CursorInvalid, CursorExpired.
    """
    async with ports.signals.changes(workspace.id) as wakeups:  # listen first, then look: no hole
        positions = await arrive(ports=ports, workspace=workspace, cursors=cursors, after=after)
        cursor = after if after is not None else cursors.encode(workspace, positions)
        told, is_first = positions, True
        told_at = asyncio.get_running_loop().time()
        while True:
            try:
                part = await _read(ports, workspace, cursors, positions, wanted, CHANGES_A_BATCH)
            except UNREACHABLE:
                await wakeups.wait(_AWAY_SECONDS)
                continue
            now = asyncio.get_running_loop().time()
            if part.changes or is_first or (part.reached != told and now - told_at >= heartbeat_seconds):
                next_cursor = cursors.encode(workspace, part.reached)
                yield Batch(changes=part.changes, after=cursor, cursor=next_cursor)
                cursor, told, told_at, is_first = next_cursor, part.reached, now, False
            positions, wanted = part.reached, part.wanted
            if len(part.changes) < CHANGES_A_BATCH:
                await wakeups.wait(min(poll_seconds, heartbeat_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one look at the log found."""

    changes: list[LoggedChange]
    reached: Mapping[int, int]
    heads: Mapping[int, int]
    """Where the log ended by then."""
    wanted: FeedFilter
    """What to look for next. Who had the filter's key once stays wanted: nothing of what they still do is lost when it changes hands."""


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
            heads = await feed.heads(connection, workspace.id, positions)
            found = await feed.with_holder(connection, workspace.id, wanted)
            changes, reached = await feed.changes_after(connection, positions, heads, found, limit)
    except feed.Pruned as error:
        raise await _expired(ports, workspace, cursors) from error
    return _Part(changes=changes, reached=reached, heads=heads, wanted=found)


async def _expired(ports: Ports, workspace: Workspace, cursors: CursorCodec) -> CursorExpired:
    async with ports.database.acquire() as connection:
        extent = await feed.extent(connection, workspace.id)
    return CursorExpired(cursors.encode(workspace, extent.starts))
