"""Writes the audit trail: each change of a definition is recorded in the transaction that makes it.

The actor comes from the ports, which every door binds: the API to the token of the request, a command to the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from audience_gql.audience.ports import Ports
from audience_gql.storage import trail
from audience_gql.storage.postgres.database import Transaction
from audience_gql.storage.trail import EntryRecord

EntryKind: TypeAlias = Literal[
    "SEGMENT_CREATED",
    "SEGMENT_EDITED",
    "SEGMENT_PAUSED",
    "SEGMENT_RESUMED",
    "SEGMENT_DELETED",
    "GROUP_CREATED",
    "GROUP_EDITED",
    "GROUP_DELETED",
    "CUSTOM_FIELD_DEFINED",
    "CUSTOM_FIELD_EDITED",
    "CUSTOM_FIELD_DELETED",
    "AUTOMATION_CREATED",
    "AUTOMATION_EDITED",
    "AUTOMATION_PAUSED",
    "AUTOMATION_RESUMED",
    "AUTOMATION_DELETED",
    "WEBHOOK_ENDPOINT_CREATED",
    "WEBHOOK_ENDPOINT_EDITED",
    "WEBHOOK_ENDPOINT_ENABLED",
    "WEBHOOK_ENDPOINT_DISABLED",
    "WEBHOOK_ENDPOINT_DELETED",
    "WEBHOOK_SECRET_ROTATED",
    "API_TOKEN_CREATED",
    "API_TOKEN_REVOKED",
    "API_TOKEN_ROTATED",
    "TRUSTED_DOCUMENT_PUBLISHED",
    "TRUSTED_DOCUMENT_WITHDRAWN",
    "IMPORT_STARTED",
    "IMPORT_CANCELLED",
    "IMPORT_UNDONE",
    "EXPORT_STARTED",
    "SUBSCRIBER_ERASED",
    "SUBSCRIBER_EXPORTED",
    "WORKSPACE_CREATED",
    "WORKSPACE_EDITED",
]
Portrait: TypeAlias = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one object. `before` is None for something new, and `after` for something deleted."""

    kind: EntryKind
    object_id: int
    object_name: str | None
    object_bucket: int | None = None
    before: Portrait | None = None
    after: Portrait | None = None
    lines_added: Sequence[str] = ()
    """How the condition changed, in words."""
    lines_removed: Sequence[str] = ()


async def record(
    ports: Ports, transaction: Transaction, workspace_id: int, now: datetime, *changes: Change
) -> None:
    """Append an entry for each change, in one statement. If the transaction fails, there are no entries.

    `now` is read after the transaction's locks, so that entries about one object are in the order of its changes.
    """
    ids = await ports.database.ids.take(len(changes), transaction.connection)
    entries = [
        EntryRecord(
            id=id_,
            at=now,
            actor_kind=ports.actor.kind,
            token_id=ports.actor.token_id,
            actor_name=ports.actor.name,
            kind=change.kind,
            object_id=change.object_id,
            object_bucket=change.object_bucket,
            object_name=change.object_name,
            before=None if change.before is None else dict(change.before),
            after=None if change.after is None else dict(change.after),
            lines_added=list(change.lines_added),
            lines_removed=list(change.lines_removed),
        )
        for id_, change in zip(ids, changes, strict=True)
    ]
    await trail.add(transaction.connection, workspace_id, entries)
