"""The live feed: everything after a cursor out of the log, then what happens, without a hole between the two.

Signals only wake it; what it tells comes from the log alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.cursors import CursorCodec
from audience_gql.audience.ports import Ports
from audience_gql.storage import feed
from audience_gql.storage.database import UNREACHABLE
from audience_gql.storage.feed import FeedFilter, LoggedChange
from audience_gql.storage.models import Workspace

CHANGES_A_BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes in order. `after` equals the previous batch's `cursor`, which is how a client proves that it lost nothing."""

    changes: list[LoggedChange]
    after: str
    cursor: str


def is_past(*, cursors: CursorCodec, workspace: Workspace, cursor: str, other: str) -> bool:
    """Whether one cursor has seen something that the other has not. Raises CursorInvalid."""
    seen = cursors.decode(workspace.id, other)
    return any(
        sequence > seen.get(bucket_id, 0)
        for bucket_id, sequence in cursors.decode(workspace.id, cursor).items()
    )


async def read_between(
    *, ports: Ports, workspace: Workspace, cursors: CursorCodec, after: str, until: str, wanted: FeedFilter
) -> Batch | None:
    """The next changes after one cursor, none of them after the other; with the last of them the batch's cursor is `until`.

    None while Postgres is away. Raises CursorInvalid.
    """
    positions, heads = cursors.decode(workspace.id, after), cursors.decode(workspace.id, until)
    try:
        async with ports.database.acquire() as connection:
            changes, reached = await feed.changes_after(connection, positions, heads, wanted, CHANGES_A_BATCH)
    except UNREACHABLE:
        return None
    is_there = all(reached[bucket_id] >= head for bucket_id, head in heads.items())
    return Batch(
        changes=changes, after=after, cursor=until if is_there else cursors.encode(workspace.id, reached)
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

    The first batch comes at once, possibly empty; while nothing matches, an empty one moves the cursor now and then. While Postgres is
    away it waits. Raises CursorInvalid.
    """
    positions = None if after is None else cursors.decode(workspace.id, after)
    async with ports.signals.changes(workspace.id) as wakeups:  # listen first, then look: no hole
        if positions is None:
            async with ports.database.acquire() as connection:
                positions = await feed.heads(connection, workspace.id)
        cursor = after if after is not None else cursors.encode(workspace.id, positions)
        is_first = True
        told_at = asyncio.get_running_loop().time()
        while True:
            read = await _read(ports, workspace, positions, wanted)
            if read is None:
                await wakeups.wait(1.0)
                continue
            changes, reached = read
            now = asyncio.get_running_loop().time()
            if changes or is_first or (reached != positions and now - told_at >= heartbeat_seconds):
                next_cursor = cursors.encode(workspace.id, reached)
                yield Batch(changes=changes, after=cursor, cursor=next_cursor)
                cursor, told_at, is_first = next_cursor, now, False
            positions = reached
            if len(changes) < CHANGES_A_BATCH:
                await wakeups.wait(min(poll_seconds, heartbeat_seconds))


async def _read(
    ports: Ports, workspace: Workspace, positions: Mapping[int, int], wanted: FeedFilter
) -> tuple[list[LoggedChange], dict[int, int]] | None:
    """The next changes, or None while Postgres is away."""
    try:
        async with ports.database.acquire() as connection:
            heads = await feed.heads(connection, workspace.id)
            return await feed.changes_after(connection, positions, heads, wanted, CHANGES_A_BATCH)
    except UNREACHABLE:
        return None
