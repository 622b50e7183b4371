"""Recomputes: find memberships again from the raw facts, for one segment or for all, and report the progress."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from audience_gql.audience.definitions.segments import get_segment
from audience_gql.audience.failures import NotFound
from audience_gql.audience.ports import Ports
from audience_gql.storage.engine import fills
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import Transaction

_PROGRESS_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a fill or recompute is. `fraction` is 0 to 1. `entered` and `left` count the differences found so far."""

    phase: Literal["QUEUED", "EVALUATING", "DONE", "FAILED"]
    fraction: float
    members: int
    entered: int
    left: int
    failure: str | None


async def request_recompute(*, ports: Ports, workspace: Workspace, segment_id: int | None) -> Segment:
    """Compute a segment's membership again from the raw facts, or join the recompute or fill under way.

    A recompute that ended within the last minute is not repeated. A paused segment stays as it is. Raises NotFound.
    """

    async def work(transaction: Transaction) -> Segment:
        connection = transaction.connection
        segment = await get_segment(workspace, segment_id)
        now, ticket = await ports.clock.now(connection), await ports.database.ids.one(connection)
        await fills.request_recompute(connection, [segment.id], now=now, ticket=ticket)
        transaction.after_commit(lambda: ports.jobs.fill([segment.id]))
        return segment

    return await ports.database.run(work)


async def recompute_progress(
    *, ports: Ports, workspace: Workspace, segment_id: int | None
) -> AsyncIterator[Progress]:
    """Start a recompute or join the one under way, and report its progress from QUEUED until it ends. For a paused segment it fails at once.

    Raises NotFound.
    """
    segment = await request_recompute(ports=ports, workspace=workspace, segment_id=segment_id)
    async with ports.signals.changes(workspace.id) as wakeups:
        last: Progress | None = None
        while True:
            async with ports.database.acquire() as connection:
                row = await fills.progress(connection, segment.id)
            if row is None:
                raise NotFound("the segment was deleted", ("id",))
            progress = _progress(row)
            if last is None and progress.phase != "FAILED":  # even if the recompute has already ended
                last = replace(progress, phase="QUEUED", fraction=0.0)
                yield last
            if progress != last:
                yield progress
                last = progress
            if progress.phase in ("DONE", "FAILED"):
                return
            await wakeups.wait(_PROGRESS_SECONDS)


async def recompute_everything(*, ports: Ports) -> list[int]:
    """Request a recompute of every segment. A worker does it, repairs wrong memberships and logs them as errors. Returns the segments' ids."""
    async with ports.database.transaction() as transaction:
        connection = transaction.connection
        segment_ids = await fills.all_segment_ids(connection)
        now = await ports.clock.now(connection)
        ticket = await ports.database.ids.one(connection)
        await fills.request_recompute(connection, segment_ids, now=now, ticket=ticket)
    ports.jobs.fill(segment_ids)
    return segment_ids


def _progress(row: fills.FillProgress) -> Progress:
    failure = "the segment is paused; resumeSegment fills it again" if row.is_paused else row.failure
    if failure is not None:
        phase: Literal["QUEUED", "EVALUATING", "DONE", "FAILED"] = "FAILED"
    elif row.fraction >= 1:
        phase = "DONE"
    else:
        phase = "EVALUATING" if row.fraction > 0 else "QUEUED"
    return Progress(
        phase=phase,
        fraction=row.fraction,
        members=row.members,
        entered=row.entered,
        left=row.left,
        failure=failure,
    )
