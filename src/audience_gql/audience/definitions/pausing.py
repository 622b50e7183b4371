"""Pauses and resumes segments. The members of a paused segment stay as they are until it is resumed.

Nothing reads a paused segment: a segment that others read cannot be paused, and a new condition cannot name a paused segment.
"""

from __future__ import annotations

from datetime import datetime

from audience_gql.audience.definitions.readers import automations_asking
from audience_gql.audience.definitions.segments import InUse, get_segment, have_filled
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, EntryKind, record
from audience_gql.conditions.base import Read
from audience_gql.storage import buckets, definitions, segment_definitions
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import Connection, Transaction
from audience_gql.storage.reads import batches


async def pause_segment(*, ports: Ports, workspace: Workspace, segment_id: int | None) -> Segment:
    """Exclude a segment from ticks, fills and recomputes. After this returns, nobody enters or leaves it until it is resumed.

    A segment that is already paused stays as it is. Raises NotFound, InUse.
    """

    async def work(transaction: Transaction) -> Segment:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        segment = await get_segment(workspace, segment_id)
        if segment.is_paused:
            return segment
        used_by = await segment_definitions.segments_using(connection, segment.id)
        automation_ids = await automations_asking(
            connection, workspace.id, Read(source="segment", ref=segment.id)
        )
        if used_by or automation_ids:
            raise InUse(used_by, automation_ids)
        # A tick or fill under way may have read that the segment is not paused. The locks wait until it has ended.
        await buckets.lock_buckets(connection, workspace.id)
        segment.is_paused = True
        segment.paused_through = await _evaluated_through(ports, connection, segment)
        await segment.save(update_fields=["is_paused", "paused_through"])
        await _record(ports, transaction, segment, "SEGMENT_PAUSED")
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))
        return segment

    return await ports.database.run(work)


async def resume_segment(*, ports: Ports, workspace: Workspace, segment_id: int | None) -> Segment:
    """Fill a paused segment again and keep it up to date from then on. A segment that is not paused stays as it is. Raises NotFound."""

    async def work(transaction: Transaction) -> Segment:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        segment = await get_segment(workspace, segment_id)
        if not segment.is_paused:
            return segment
        segment.is_paused = False
        segment.paused_through = None
        segment.generation += 1
        segment.failure = None
        await segment.save(update_fields=["is_paused", "paused_through", "generation", "failure"])
        await _record(ports, transaction, segment, "SEGMENT_RESUMED")
        await have_filled(ports, transaction, [segment.id])
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))
        return segment

    return await ports.database.run(work)


async def _record(ports: Ports, transaction: Transaction, segment: Segment, kind: EntryKind) -> None:
    after = portraits.of_segment(segment)
    change = Change(
        kind=kind,
        object_id=segment.id,
        object_name=segment.name,
        before={**after, "isPaused": not segment.is_paused},
        after=after,
    )
    now = await ports.clock.now(transaction.connection)
    await record(ports, transaction, segment.workspace_id, now, change)


async def _evaluated_through(ports: Ports, connection: Connection, segment: Segment) -> datetime | None:
    now = await ports.clock.now(connection)
    figures = await batches.figures_by_segments(connection, segment.workspace_id, [segment.id])
    if segment.id not in figures or figures[segment.id].state != "READY":
        return None
    return await batches.evaluated_through(connection, segment.workspace_id, now)
