"""Finds the segments that read a group or a custom field. Such a group or field cannot be deleted."""

from __future__ import annotations

from audience_gql.conditions.base import Read
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.database import Connection


async def segments_reading(connection: Connection, workspace_id: int, read: Read) -> tuple[int, ...]:
    """Ids of the segments whose own condition reads this. The answer stays true while the workspace is locked."""
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    return tuple(
        segment.id
        for segment in await definitions.segments(connection, workspace_id)
        if read in reads(parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS))
    )
