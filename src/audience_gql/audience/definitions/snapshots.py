"""Reads a segment's members at one instant, so that they can be added to a group or removed from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, NotFound
from audience_gql.storage.people import facts
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads import batches

MEMBERS_AT_ONCE: Final = 10_000
"""More would block other writers of these people for too long."""
_PATH: Final = ("segment_id",)


async def members_now(
    connection: Connection, workspace_id: int, segment_id: int | None
) -> Mapping[int, set[int]]:
    """The members of a segment, by bucket. None of them can be erased before the transaction ends.

    Raises NotFound, and InvalidInput if its members are not known yet or are too many.
    """
    figures = await batches.figures_by_segments(connection, workspace_id, [segment_id or 0])
    if segment_id is None or segment_id not in figures:
        raise NotFound("there is no segment with this id", _PATH)
    if figures[segment_id].state not in ("READY", "PAUSED"):
        message = f"the segment is {figures[segment_id].state}: its members are not known yet"
        raise InvalidInput((Issue(code="CONFLICT", message=message, path=_PATH),))
    owners = await batches.members_of_segment(connection, workspace_id, segment_id, MEMBERS_AT_ONCE + 1)
    if len(owners) > MEMBERS_AT_ONCE:
        message = (
            f"at most {MEMBERS_AT_ONCE:,} people at once; send the pages of its members as `subscribers`"
        )
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=_PATH),))
    wanted: dict[int, set[int]] = defaultdict(set)
    for bucket_id, person_id in owners:
        wanted[bucket_id].add(person_id)
    return {
        bucket_id: set(await facts.hold_people(connection, bucket_id, ids))
        for bucket_id, ids in sorted(wanted.items())
    }
