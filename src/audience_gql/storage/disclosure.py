"""Reads everything that is stored about one person, in the caller's snapshot.

A test compares the tables that it reads with the tables that hold facts about people.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

from audience_gql.conditions.profile import COLUMNS
from audience_gql.storage.imports.import_messages import (
    REJECT_COLUMNS,
    RejectRecord,
    hash_of_key,
    quoted_in_messages,
    reject_of,
)
from audience_gql.storage.people.facts import Identity, Owner
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.person_facts import MOST_EVENTS, TooManyEvents

Row: TypeAlias = Mapping[str, Any]  # Any: the columns' own types

_PERSON: Final = ", ".join(f"s.{column}" for column in ("id", *COLUMNS, "created_at", "updated_at"))
_SECTIONS: Final = {
    "fields": (
        "SELECT f.id AS field_id, f.key, f.label, s.fields -> f.id::text AS value FROM subscribers s "
        "JOIN custom_fields f ON f.workspace_id = $3 AND jsonb_exists(s.fields, f.id::text) "
        "WHERE s.bucket_id = $1 AND s.id = $2 ORDER BY f.key"
    ),
    "channels": (
        "SELECT c.channel, c.status, c.changed_at, c.reason, c.before_status, c.before_changed_at, c.before_reason FROM channel_states c "
        "WHERE c.bucket_id = $1 AND c.subscriber_id = $2 AND $3::bigint IS NOT NULL ORDER BY c.channel"
    ),
    "groups": (
        "SELECT m.group_id, g.name, m.added_at FROM group_members m LEFT JOIN groups g ON g.id = m.group_id AND g.workspace_id = $3 "
        "WHERE m.bucket_id = $1 AND m.subscriber_id = $2 ORDER BY m.added_at, m.group_id"
    ),
    "segments": (
        "SELECT m.segment_id, s.name, m.entered_at FROM segment_members m "
        "LEFT JOIN segments s ON s.id = m.segment_id AND s.workspace_id = $3 "
        "WHERE m.bucket_id = $1 AND m.subscriber_id = $2 ORDER BY m.entered_at, m.segment_id"
    ),
    "events": (
        "SELECT n.name, e.occurred_at, to_jsonb(e.value) AS value, e.properties FROM events e "
        "JOIN event_names n ON n.id = e.name_id AND n.workspace_id = $3 "
        "WHERE e.bucket_id = $1 AND e.subscriber_id = $2 ORDER BY e.occurred_at, e.id"
    ),
    "event_keys": (
        "SELECT k.key FROM event_keys k WHERE k.bucket_id = $1 AND k.subscriber_id = $2 AND $3::bigint IS NOT NULL ORDER BY k.key"
    ),
    "membership_changes": (
        "SELECT c.list_kind, c.list_id, coalesce(s.name, g.name) AS name, c.entered, c.cause, c.occurred_at FROM membership_changes c "
        "LEFT JOIN segments s ON s.id = c.list_id AND s.workspace_id = $3 LEFT JOIN groups g ON g.id = c.list_id AND g.workspace_id = $3 "
        "WHERE c.bucket_id = $1 AND c.subscriber_id = $2 ORDER BY c.sequence"
    ),
    "automation_runs": (
        "SELECT r.automation_id, a.name, r.state, r.reason, r.entered, r.cause, r.started_at, r.due_at, r.ended_at FROM runs r "
        "LEFT JOIN automations a ON a.id = r.automation_id AND a.workspace_id = $3 "
        "WHERE r.bucket_id = $1 AND r.subscriber_id = $2 ORDER BY r.started_at, r.id"
    ),
    "webhook_changes": (
        "SELECT c.endpoint_id, e.name AS endpoint, e.url, c.automation_id, c.list_kind, c.list_id, c.entered, c.cause, c.occurred_at, "
        "c.fields, m.state, m.created_at AS formed_at, m.ended_at FROM webhook_changes c "
        "LEFT JOIN webhook_endpoints e ON e.id = c.endpoint_id AND e.workspace_id = $3 LEFT JOIN LATERAL ("
        "SELECT d.last_number, d.state, d.created_at, d.ended_at FROM deliveries d WHERE d.bucket_id = $1 AND d.endpoint_id = c.endpoint_id "
        "AND d.first_number <= c.number ORDER BY d.first_number DESC LIMIT 1) m ON m.last_number >= c.number "
        "WHERE c.bucket_id = $1 AND c.subscriber_id = $2 ORDER BY c.occurred_at, c.number"
    ),
    "import_effects": (
        "SELECT f.import_id, f.at, f.is_created, f.joined AS joined_group_ids, f.changes FROM import_effects f "
        "WHERE f.bucket_id = $1 AND f.subscriber_id = $2 AND $3::bigint IS NOT NULL ORDER BY f.import_id, f.step"
    ),
    "disclosures": (
        "SELECT t.at, t.actor_kind, t.actor_name FROM trail_entries t WHERE t.workspace_id = $3 AND t.object_id = $2 AND t.object_bucket = $1 "
        "ORDER BY t.at, t.id"
    ),
}
"""What is stored about a person, by the name of its section: $1 is the bucket, $2 the person, and $3 the workspace."""
_COUNTS: Final = (
    "SELECT (SELECT count(*) FROM (SELECT FROM events e WHERE e.bucket_id = $1 AND e.subscriber_id = $2 LIMIT $3) x), "
    "(SELECT count(*) FROM (SELECT FROM membership_changes c WHERE c.bucket_id = $1 AND c.subscriber_id = $2 LIMIT $3) x)"
)
_JSON: Final = frozenset({"value", "properties", "changes"})


async def person(
    connection: Connection, owner: Owner
) -> dict[str, Any] | None:  # Any: the columns' own types
    """The profile of a person, by column; None for somebody who does not exist."""
    row = await connection.fetchrow(
        f"SELECT {_PERSON} FROM subscribers s WHERE s.bucket_id = $1 AND s.id = $2", *owner
    )
    return None if row is None else dict(row)


async def sections(connection: Connection, workspace_id: int, owner: Owner) -> dict[str, list[Row]]:
    """Everything else that is stored about a person, by section. Raises TooManyEvents for more events, or changes in the log, than MOST_EVENTS."""
    counts = await connection.fetchrow(_COUNTS, *owner, MOST_EVENTS + 1)
    if counts is not None and max(counts) > MOST_EVENTS:
        raise TooManyEvents(
            f"The person has more than {MOST_EVENTS:,} events, or changes in the log, which is too much for one answer."
        )
    return {
        name: [_read(dict(row)) for row in await connection.fetch(statement, *owner, workspace_id)]
        for name, statement in _SECTIONS.items()
    }


async def keys_of(connection: Connection, workspace_id: int, owner: Owner) -> list[Identity]:
    """The keys of a person, as they are stored."""
    rows = await connection.fetch(
        "SELECT i.kind, i.value FROM identities i WHERE i.workspace_id = $1 AND i.bucket_id = $2 AND i.subscriber_id = $3",
        workspace_id,
        *owner,
    )
    return [(row["kind"], row["value"]) for row in rows]


async def rejects_about(
    connection: Connection, workspace_id: int, subscriber_id: int, keys: Collection[Identity]
) -> list[RejectRecord]:
    """The rejects and notices that name this person or have one of these keys in their row, of all imports."""
    rows = await connection.fetch(
        f"SELECT {REJECT_COLUMNS} FROM import_rejects r JOIN imports i ON i.id = r.import_id "
        "WHERE i.workspace_id = $1 AND ($2::bigint = ANY(r.people) OR r.key_hashes && $3::text[] OR EXISTS ("
        "SELECT 1 FROM unnest($4::text[]) AS k (text) WHERE strpos(lower(r.message), k.text) > 0)) ORDER BY r.import_id, r.line",
        workspace_id,
        subscriber_id,
        [hash_of_key(key) for key in keys],
        quoted_in_messages(keys),
    )
    return [reject_of(row) for row in rows]


async def imports_quoting(
    connection: Connection, workspace_id: int, keys: Collection[Identity]
) -> list[dict[str, Any]]:  # Any: the columns' own types
    """The imports whose file's name, or the reason of whose failure, quotes one of these keys."""
    rows = await connection.fetch(
        "SELECT i.id AS import_id, i.file_name, i.failure FROM imports i WHERE i.workspace_id = $1 AND EXISTS ("
        "SELECT 1 FROM unnest($2::text[]) AS k (text) WHERE strpos(lower(i.failure), k.text) > 0) OR i.workspace_id = $1 AND EXISTS ("
        "SELECT 1 FROM unnest($3::text[]) AS k (text) WHERE strpos(lower(i.file_name), k.text) > 0) ORDER BY i.id",
        workspace_id,
        quoted_in_messages(keys),
        [value.lower() for _, value in keys],
    )
    return [dict(row) for row in rows]


def _read(row: Row) -> Row:
    return {
        name: json.loads(value) if name in _JSON and isinstance(value, str) else value
        for name, value in row.items()
    }
