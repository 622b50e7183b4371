"""Reads for many keys at once, one statement per call. The API's loaders call these.

Every read is limited to one workspace: a key of another workspace is not found. Paged lists are in pages.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm.models import ApiToken, CustomField, Group, Segment
from audience_gql.storage.people.facts import Identity
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.keyed_rows import KeyedRows, rows_of_keys
from audience_gql.storage.reads.records import (
    EVENT_COLUMNS,
    FIGURES,
    FROM_SEGMENTS_AND_STATES,
    GROUP_MARKS,
    SEGMENT_STATE,
    ChangeKey,
    ChannelRecord,
    Columns,
    EventKey,
    EventRecord,
    Owner,
    SegmentFigures,
    SubscriberRecord,
    change_of,
    columns_of,
    definition_columns,
    definition_of,
    figures_of,
)
from audience_gql.storage.reads.rows import PERSON_BY_IDENTITY

_ID: Final = {"id": "bigint"}
_MEMBERSHIPS: Final = KeyedRows(
    "m.bucket_id, m.subscriber_id, m.segment_id",
    "JOIN segment_members m ON m.bucket_id = b.id AND m.segment_id = k.segment_id AND m.subscriber_id = k.subscriber_id",
    {"subscriber_id": "bigint", "segment_id": "bigint"},
)
_CHANNELS: Final = KeyedRows(
    columns_of(ChannelRecord, "c"),
    "JOIN channel_states c ON c.bucket_id = b.id AND c.subscriber_id = k.id ORDER BY c.channel",
    _ID,
)
_EVENTS: Final = KeyedRows(
    EVENT_COLUMNS,
    "JOIN events e ON e.bucket_id = b.id AND e.subscriber_id = k.subscriber_id AND e.name_id = k.name_id "
    "AND e.occurred_at = k.occurred_at AND e.id = k.id JOIN event_names n ON n.id = e.name_id",
    {"subscriber_id": "bigint", "name_id": "bigint", "occurred_at": "timestamptz", "id": "bigint"},
)
_CHANGES: Final = KeyedRows(
    columns_of(LoggedChange, "c"),
    "JOIN membership_changes c ON c.bucket_id = b.id AND c.sequence = k.sequence",
    {"sequence": "bigint"},
)

# ---- people


async def find_owner(database: Database, workspace_id: int, identity: Identity) -> Owner | None:
    row = await database.fetchrow(
        "SELECT bucket_id, subscriber_id FROM identities WHERE workspace_id = $1 AND kind = $2 AND value = $3",
        workspace_id,
        *identity,
    )
    return None if row is None else (row["bucket_id"], row["subscriber_id"])


async def subscribers_by_owners(
    database: Database, workspace_id: int, owners: Collection[Owner], columns: Columns = None
) -> dict[Owner, SubscriberRecord]:
    people = KeyedRows(
        columns_of(SubscriberRecord, "s", None if columns is None else columns | {"bucket_id", "id"}),
        "JOIN subscribers s ON s.bucket_id = b.id AND s.id = k.id",
        _ID,
    )
    rows = await rows_of_keys(database, workspace_id, owners, people, record_class=SubscriberRecord)
    return {row.owner: row for row in rows}


async def subscriber_by_identity(
    database: Database, workspace_id: int, identity: Identity, columns: Columns = None
) -> SubscriberRecord | None:
    """The person who has this key."""
    if database.is_cluster:  # only the coordinator has the keys
        owner = await find_owner(database, workspace_id, identity)
        found = [] if owner is None else [owner]
        return next(
            iter((await subscribers_by_owners(database, workspace_id, found, columns)).values()), None
        )
    rows = await database.fetch(  # never on a cluster
        PERSON_BY_IDENTITY.write(columns).format("$2", "$3"),
        workspace_id,
        *identity,
        record_class=SubscriberRecord,
    )
    return rows[0] if rows else None


@dataclass(frozen=True, slots=True)
class MemberOf:
    """The question in which of these segments a person is."""

    owner: Owner
    segment_ids: tuple[int, ...]


async def segments_among(
    database: Database, workspace_id: int, questions: Collection[MemberOf]
) -> dict[MemberOf, set[int]]:
    """The segments of each question that the person is in: one look-up in the index for each person and segment."""
    pairs = {(*question.owner, id_) for question in questions for id_ in question.segment_ids}
    rows = await rows_of_keys(database, workspace_id, pairs, _MEMBERSHIPS)
    found: dict[Owner, set[int]] = defaultdict(set)
    for bucket_id, subscriber_id, segment_id in rows:
        found[bucket_id, subscriber_id].add(segment_id)
    return {it: found[it.owner].intersection(it.segment_ids) for it in questions}


async def channels_by_owners(
    database: Database, workspace_id: int, owners: Collection[Owner]
) -> dict[Owner, list[ChannelRecord]]:
    rows = await rows_of_keys(database, workspace_id, owners, _CHANNELS, record_class=ChannelRecord)
    found: dict[Owner, list[ChannelRecord]] = {}
    for row in rows:
        found.setdefault((row["bucket_id"], row["subscriber_id"]), []).append(row)
    return found


async def count_subscribers(database: Database, workspace_id: int) -> int:
    count: int = await database.fetchval(
        "SELECT count(*) FROM buckets b JOIN subscribers s ON s.bucket_id = b.id WHERE b.workspace_id = $1",
        workspace_id,
    )
    return count


async def events_by_keys(
    database: Database, workspace_id: int, keys: Collection[EventKey]
) -> dict[EventKey, EventRecord]:
    rows = await rows_of_keys(database, workspace_id, keys, _EVENTS, record_class=EventRecord)
    return {event.key: event for event in rows}


async def changes_by_keys(
    database: Database, workspace_id: int, keys: Collection[ChangeKey]
) -> dict[ChangeKey, LoggedChange]:
    rows = await rows_of_keys(database, workspace_id, keys, _CHANGES)
    return {(row["bucket_id"], row["sequence"]): change_of(row) for row in rows}


# ---- definitions


async def custom_fields(database: Database, workspace_id: int) -> list[CustomField]:
    """All custom fields of a workspace, ordered by key."""
    rows = await database.fetch(
        "SELECT * FROM custom_fields WHERE workspace_id = $1 ORDER BY key", workspace_id
    )
    return [definition_of(CustomField, row) for row in rows]


async def api_tokens(database: Database, workspace_id: int) -> list[ApiToken]:
    """A workspace's tokens that are not revoked, the latest first, at most 1,000."""
    rows = await database.fetch(
        "SELECT * FROM api_tokens WHERE workspace_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1000",
        workspace_id,
    )
    return [definition_of(ApiToken, row) for row in rows]


async def api_tokens_by_ids(
    database: Database, workspace_id: int, ids: Collection[int]
) -> dict[int, ApiToken]:
    """The tokens with these ids that are not revoked."""
    rows = await database.fetch(
        "SELECT * FROM api_tokens WHERE workspace_id = $1 AND id = ANY($2::bigint[]) AND revoked_at IS NULL",
        workspace_id,
        list(ids),
    )
    return {row["id"]: definition_of(ApiToken, row) for row in rows}


async def groups_by_ids(database: Database, workspace_id: int, ids: Collection[int]) -> dict[int, Group]:
    rows = await database.fetch(
        "SELECT * FROM groups WHERE workspace_id = $1 AND id = ANY($2::bigint[])", workspace_id, list(ids)
    )
    return {row["id"]: definition_of(Group, row) for row in rows}


async def segments_by_ids(database: Database, workspace_id: int, ids: Collection[int]) -> dict[int, Segment]:
    rows = await database.fetch(
        "SELECT * FROM segments WHERE workspace_id = $1 AND id = ANY($2::bigint[])", workspace_id, list(ids)
    )
    return {row["id"]: definition_of(Segment, row) for row in rows}


async def segments_that_exist(database: Database, workspace_id: int, ids: Collection[int]) -> set[int]:
    """Those of these ids that are segments."""
    rows = await database.fetch(
        "SELECT s.id FROM segments s WHERE s.workspace_id = $1 AND s.id = ANY($2::bigint[])",
        workspace_id,
        list(ids),
    )
    return {row["id"] for row in rows}


async def find_group_by_name(database: Database, workspace_id: int, name_folded: str) -> Group | None:
    row = await database.fetchrow(
        "SELECT * FROM groups WHERE workspace_id = $1 AND name_folded = $2", workspace_id, name_folded
    )
    return None if row is None else definition_of(Group, row)


async def find_segment(
    database: Database, workspace_id: int, by: int | str, columns: Columns = None
) -> tuple[Segment, SegmentFigures | None] | None:
    """The segment with this id or folded name. With its figures if `columns` names one of them."""
    selected = definition_columns(Segment, "s", columns)
    where = f"WHERE s.workspace_id = $1 AND {'s.id' if isinstance(by, int) else 's.name_folded'} = $2"
    if columns is None or not FIGURES.intersection(columns):
        row = await database.fetchrow(f"SELECT {selected} FROM segments s {where}", workspace_id, by)
        return None if row is None else (definition_of(Segment, row), None)
    row = await database.fetchrow(
        f"SELECT {selected}, {SEGMENT_STATE} AS state, coalesce(sum(t.members), 0)::bigint AS members "
        f"{FROM_SEGMENTS_AND_STATES} {where} GROUP BY s.id",
        workspace_id,
        by,
    )
    return None if row is None else (definition_of(Segment, row), figures_of(row))


async def dependencies_by_segments(
    database: Database, workspace_id: int, ids: Collection[int]
) -> dict[int, list[Segment]]:
    """The segments that each segment's condition names, ordered by name."""
    return await _related_segments(database, workspace_id, ids, of="segment_id", related="depends_on_id")


async def users_by_segments(
    database: Database, workspace_id: int, ids: Collection[int]
) -> dict[int, list[Segment]]:
    """The segments whose conditions name each segment, ordered by name."""
    return await _related_segments(database, workspace_id, ids, of="depends_on_id", related="segment_id")


async def _related_segments(
    database: Database, workspace_id: int, ids: Collection[int], *, of: str, related: str
) -> dict[int, list[Segment]]:
    rows = await database.fetch(
        f"SELECT d.{of} AS parent_id, s.* FROM segment_dependencies d JOIN segments s ON s.id = d.{related} "
        f"WHERE d.{of} = ANY($2::bigint[]) AND s.workspace_id = $1 ORDER BY s.name_folded",
        workspace_id,
        list(ids),
    )
    found: dict[int, list[Segment]] = {}
    for row in rows:
        found.setdefault(row["parent_id"], []).append(definition_of(Segment, row))
    return found


# ---- figures


async def member_count_by_groups(
    database: Database | Connection, workspace_id: int, ids: Collection[int]
) -> Mapping[int, int]:
    """The counts of the last tick, corrected by the marks that no tick has taken yet. One statement reads both, so the result is exact."""
    rows = await database.fetch(
        "SELECT i.group_id, (coalesce(t.members, 0) + coalesce(m.members, 0))::bigint AS members "
        "FROM unnest($2::bigint[]) AS i (group_id) "
        "LEFT JOIN (SELECT t.group_id, sum(t.members) AS members FROM buckets b "
        "JOIN group_states t ON t.bucket_id = b.id AND t.group_id = ANY($2::bigint[]) "
        "WHERE b.workspace_id = $1 GROUP BY t.group_id) t USING (group_id) "
        f"LEFT JOIN ({GROUP_MARKS} AND d.ref = ANY($2::bigint[]) GROUP BY d.ref) m USING (group_id)",
        workspace_id,
        list(ids),
    )
    return {row["group_id"]: row["members"] for row in rows}


async def figures_by_segments(
    database: Database | Connection, workspace_id: int, ids: Collection[int]
) -> Mapping[int, SegmentFigures]:
    rows = await database.fetch(
        f"SELECT s.id, {SEGMENT_STATE} AS state, coalesce(sum(t.members), 0)::bigint AS members "
        f"{FROM_SEGMENTS_AND_STATES} WHERE s.workspace_id = $1 AND s.id = ANY($2::bigint[]) GROUP BY s.id",
        workspace_id,
        list(ids),
    )
    return {row["id"]: figures_of(row) for row in rows}


@dataclass(frozen=True, slots=True)
class WatchedSegment:
    """A segment and its figures at one instant. Two of them are equal if nothing visible has changed in between."""

    segment: Segment = field(compare=False)
    figures: SegmentFigures = field(compare=False)
    columns: tuple[object, ...]
    """All column values, as read from the database, except when it was last read: watching it is a read. Equality compares only these."""


async def watched_segments(
    database: Database, workspace_id: int, ids: Collection[int]
) -> dict[int, WatchedSegment]:
    rows = await database.fetch(
        f"SELECT s.*, {SEGMENT_STATE} AS state, coalesce(sum(t.members), 0)::bigint AS members "
        f"{FROM_SEGMENTS_AND_STATES} WHERE s.workspace_id = $1 AND s.id = ANY($2::bigint[]) GROUP BY s.id",
        workspace_id,
        list(ids),
    )
    return {
        row["id"]: WatchedSegment(
            definition_of(Segment, row),
            figures_of(row),
            tuple(value for column, value in row.items() if column != "last_read_at"),
        )
        for row in rows
    }


async def members_of_segment(
    connection: Connection, workspace_id: int, segment_id: int, limit: int
) -> list[Owner]:
    """Up to `limit` members of a segment, ordered by bucket and id."""
    rows = await connection.fetch(
        "SELECT m.bucket_id, m.subscriber_id FROM buckets b "
        "JOIN segment_members m ON m.bucket_id = b.id AND m.segment_id = $2 "
        "WHERE b.workspace_id = $1 ORDER BY m.bucket_id, m.subscriber_id LIMIT $3",
        workspace_id,
        segment_id,
        limit,
    )
    return [(row["bucket_id"], row["subscriber_id"]) for row in rows]


async def evaluated_through(
    database: Database | Connection, workspace_id: int, now: datetime
) -> datetime | None:
    """The instant up to which ticks have taken every committed fact into account, in all buckets. Read `now` before calling this."""
    instant: datetime | None = await database.fetchval(
        "SELECT min(CASE WHEN (b.next_due_at IS NULL OR b.next_due_at > $2) "
        "AND NOT EXISTS (SELECT 1 FROM dirty d WHERE d.bucket_id = b.id) THEN $2 ELSE b.evaluated_through END) "
        "FROM buckets b WHERE b.workspace_id = $1",
        workspace_id,
        now,
    )
    return instant
