"""Remembers that somebody has looked at segments and found them right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from audience_gql.audience.definitions.segments import get_segment
from audience_gql.audience.failures import InvalidInput, Issue, ProblemCode
from audience_gql.audience.ports import Ports
from audience_gql.storage.insights import advice
from audience_gql.storage.orm.models import Segment, Workspace
from audience_gql.storage.postgres.database import Transaction

MOST_REVIEWED: Final = 100


async def mark_reviewed(
    *, ports: Ports, workspace: Workspace, segment_ids: Sequence[int | None]
) -> list[Segment]:
    """Note for each of these segments that it is reviewed now, and return them in this order, each once.

    Raises InvalidInput unless there are 1 to MOST_REVIEWED. Raises NotFound if one does not exist; then none is noted.
    """
    if not 1 <= len(segment_ids) <= MOST_REVIEWED:
        message = f"takes 1 to {MOST_REVIEWED} segments, not {len(segment_ids)}"
        code: ProblemCode = "TOO_MANY" if segment_ids else "REQUIRED"
        raise InvalidInput((Issue(code=code, message=message, path=("segment_ids",)),))

    async def work(transaction: Transaction) -> list[Segment]:
        found = {
            segment.id: segment
            for place, id_ in enumerate(segment_ids)
            for segment in [await get_segment(workspace, id_, ("segment_ids", place))]
        }
        now = await ports.clock.now(transaction.connection)
        await advice.mark_reviewed(transaction.connection, workspace.id, found.keys(), now)
        for segment in found.values():
            segment.reviewed_at = now
        transaction.after_commit(lambda: ports.signals.changed([workspace.id]))
        return list(found.values())

    return await ports.database.run(work)
