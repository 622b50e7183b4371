"""Finds what reads a group, a custom field or a segment: segments and automations. What is read cannot be deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from audience_gql.conditions.base import Read
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.postgres.database import Connection


async def segments_reading(connection: Connection, workspace_id: int, read: Read) -> tuple[int, ...]:
    """Ids of the segments whose own condition reads this. The answer stays true while the workspace is locked."""
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    return tuple(
        segment.id
        for segment in await segment_definitions.segments(connection, workspace_id)
        if read in reads(parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS))
    )


async def automations_naming(connection: Connection, workspace_id: int, read: Read) -> tuple[int, ...]:
    """Ids of the automations that this starts, whose condition reads it, or whose actions name it. True as long as the answer above."""
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    rows = await Automation.filter(workspace_id=workspace_id).order_by("id")
    return tuple(row.id for row in rows if read in named_by(row, vocabulary))


def named_by(row: Automation, vocabulary: Vocabulary) -> frozenset[Read]:
    """What starts an automation, what its condition reads, and what its actions name."""
    return frozenset(_named(row, vocabulary))


async def automations_asking(connection: Connection, workspace_id: int, read: Read) -> tuple[int, ...]:
    """Ids of the automations whose condition reads this."""
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    rows = await Automation.filter(workspace_id=workspace_id).order_by("id")
    return tuple(row.id for row in rows if read in set(_asked(row, vocabulary)))


async def automations_sending_to(workspace_id: int, endpoint_id: int) -> tuple[int, ...]:
    """Ids of the automations that send webhooks to this endpoint, read in the current transaction."""
    rows = await Automation.filter(workspace_id=workspace_id).order_by("id")
    return tuple(
        row.id
        for row in rows
        if any(action["webhook"]["endpoint"] == endpoint_id for action in row.actions if "webhook" in action)
    )


def _named(row: Automation, vocabulary: Vocabulary) -> Iterator[Read]:
    yield Read(source="segment" if row.list_kind == "SEGMENT" else "group", ref=row.list_id)
    yield from _asked(row, vocabulary)
    for action in row.actions:
        yield from _of_action(action, vocabulary)


def _asked(row: Automation, vocabulary: Vocabulary) -> Iterator[Read]:
    if row.rules["onlyIf"] is not None:
        yield from reads(parse(row.rules["onlyIf"], vocabulary=vocabulary, ids=PLAIN_IDS))


def _of_action(action: Mapping[str, Any], vocabulary: Vocabulary) -> Iterator[Read]:  # Any: JSON
    match action:
        case {"addToGroup": group_id} | {"removeFromGroup": group_id}:
            yield Read(source="group", ref=group_id)
        case {"setField": {"key": key}}:
            yield Read(source="field", ref=vocabulary.fields[key].id)
        case {"webhook": {"fields": keys}}:
            for key in vocabulary.fields.keys() & set(keys):
                yield Read(source="field", ref=vocabulary.fields[key].id)
