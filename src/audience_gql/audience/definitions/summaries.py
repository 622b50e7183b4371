"""Rewrites stored summaries. A summary contains the names of groups and segments, so it changes when one of them is renamed."""

from __future__ import annotations

from collections.abc import Collection

from audience_gql.conditions.codec import parse
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.conditions.words.summary import summarize
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Segment
from audience_gql.storage.postgres.database import Connection


async def rewrite_summaries(connection: Connection, workspace_id: int, segment_ids: Collection[int]) -> None:
    """Write the present names into the summaries of these segments. The caller must have called lock_workspace."""
    if not segment_ids:
        return
    vocabulary, names = await definitions.vocabulary_and_names(connection, workspace_id)
    for segment in await Segment.filter(id__in=list(segment_ids)):
        segment.summary = summarize(parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS), names)
        await segment.save(update_fields=["summary"])
