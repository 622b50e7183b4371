"""Asks which people match an automation's own condition at an instant, with the same SQL as memberships."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from audience_gql.audience.acting.automation import Json
from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.nesting import segments_read
from audience_gql.conditions.sql.compiler import compile_people
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.postgres.database import Connection

_THE_CONDITION: Final = 0


async def matching_people(
    connection: Connection,
    *,
    workspace_id: int,
    bucket_id: int,
    condition: Json,
    people: Collection[int],
    now: datetime,
) -> set[int]:
    """Those of these people who match a stored condition."""
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    tree = parse(condition, vocabulary=vocabulary, ids=PLAIN_IDS)
    stored = await segment_definitions.segments_with_inner(connection, workspace_id, segments_read(tree))
    inner: dict[int, Condition] = {
        segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        for segment in stored.values()
    }
    statement = compile_people({_THE_CONDITION: tree}, inner=inner, vocabulary=vocabulary)
    rows = await connection.fetch(statement.sql, bucket_id, sorted(people), *statement.bind(now))
    return {person for person, matched in rows if matched}
