"""Reads from the log who was a member of a segment at an instant of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.storage.insights.log_positions import COMPLETE_SINCE, ceilings_at, positions_at
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.list_pages import Members
from audience_gql.storage.reads.records import Owner, SubscriberRecord, columns_of
from audience_gql.storage.reads.slices import Entries, Order, Slice, bind, by_parent

_ORDER: Final = Order(("c.occurred_at", "c.bucket_id", "c.sequence"))
_PARENTS: Final = "unnest($1::bigint[]) WITH ORDINALITY AS p (id, number)"
_BUCKETS: Final = "unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS b (id, head, ceiling)"
_ONE_PARENT: Final = "(SELECT $1::bigint AS id, 1 AS number) AS p"
_ONE_BUCKET: Final = "(SELECT $2::bigint AS id, $3::bigint AS head, $4::bigint AS ceiling) AS b"


@dataclass(frozen=True, slots=True)
class WasMember:
    """The question whether a person was a member of a segment at an instant."""

    owner: Owner
    segment_id: int
    at: datetime


async def members_of_segments(
    database: Database, workspace_id: int, segment_ids: Sequence[int], part: Slice, *, instant: datetime
) -> dict[int, Members]:
    """The people who were members of each segment at an instant. Those who had entered last come first. Raises LogExpired.

    A person was a member if their last change up to then is an entry. Changes are read from the latest one back, so that a page costs
    what it holds, and those people whom it passes over because they had left.
    """
    async with database.snapshot() as connection:
        heads = await positions_at(connection, workspace_id, instant)
        ceilings = await _ceilings(connection, workspace_id, part, heads, instant)
        if database.is_cluster:
            entries = {
                segment_id: await _entries_one_by_one(connection, segment_id, part, heads, ceilings)
                for segment_id in segment_ids
            }
        else:
            values = [list(segment_ids), list(heads), list(heads.values()), [ceilings[it] for it in heads]]
            rows = await _members(  # never on a cluster
                connection, part, values, parents=_PARENTS, buckets=_BUCKETS
            )
            entries = by_parent(segment_ids, rows, _ORDER)
    return {segment_id: Members(entries.get(segment_id, Entries()), heads) for segment_id in segment_ids}


async def were_members(
    database: Database, workspace_id: int, questions: Sequence[WasMember]
) -> dict[WasMember, bool]:
    """The answers to these questions, without those from before the log of the person's bucket is complete."""
    rows = await database.fetch(
        "SELECT q.number, coalesce(x.entered, false) AS was_member "
        "FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[]) WITH ORDINALITY "
        "AS q (bucket_id, subscriber_id, segment_id, at, number) "
        "JOIN buckets b ON b.id = q.bucket_id AND b.workspace_id = $1 "
        "LEFT JOIN LATERAL ("
        "SELECT c.entered FROM membership_changes c "
        "WHERE c.bucket_id = b.id AND c.subscriber_id = q.subscriber_id AND c.list_id = q.segment_id "
        "AND c.occurred_at <= q.at ORDER BY c.sequence DESC LIMIT 1) x ON true "
        f"WHERE ({COMPLETE_SINCE} <= q.at) IS NOT FALSE",
        workspace_id,
        [question.owner[0] for question in questions],
        [question.owner[1] for question in questions],
        [question.segment_id for question in questions],
        [question.at for question in questions],
    )
    return {questions[row["number"] - 1]: row["was_member"] for row in rows}


async def _ceilings(
    connection: Connection, workspace_id: int, part: Slice, heads: Mapping[int, int], instant: datetime
) -> Mapping[int, int]:
    """The sequences of each bucket at which the page begins, so that no page reads those before it again."""
    if part.after is None:
        return heads
    reached, bucket_id, sequence = part.after
    found = await ceilings_at(connection, workspace_id, min(reached, instant))
    return {
        each: min(ceiling, sequence - 1) if each == bucket_id else ceiling for each, ceiling in found.items()
    }


async def _entries_one_by_one(
    connection: Connection,
    segment_id: int,
    part: Slice,
    heads: Mapping[int, int],
    ceilings: Mapping[int, int],
) -> Entries[SubscriberRecord]:
    """A segment's page on a cluster, which limits rows only within a bucket that a value names."""
    pages = [
        await _members(
            connection,
            part,
            [segment_id, bucket_id, head, ceilings[bucket_id]],
            parents=_ONE_PARENT,
            buckets=_ONE_BUCKET,
        )
        for bucket_id, head in heads.items()
    ]
    rows = _ORDER.merge(pages, part.rows)
    return Entries(rows, [*map(_ORDER.position, rows)])


async def _members(
    connection: Connection, part: Slice, values: Sequence[object], *, parents: str, buckets: str
) -> list[SubscriberRecord]:
    """`parents` and `buckets` are tables `p (id, number)` and `b (id, head, ceiling)` that are made of the values."""
    bound = [*values]
    beyond = "true"
    if part.after is not None:
        beyond = (
            f"(c.occurred_at, c.bucket_id) <= ({bind(part.after[0], bound)}, {bind(part.after[1], bound)})"
        )
    # Postgres cannot estimate how many changes are somebody's last one. So both subqueries are written to run once for each change, by an
    # index: the person's last change, and the person. As joins, they might read everybody.
    return await connection.fetch(
        f"SELECT p.number, x.* FROM {parents} CROSS JOIN LATERAL ("
        f"SELECT y.* FROM {buckets} CROSS JOIN LATERAL ("
        f"SELECT s.*, {_ORDER.columns} FROM membership_changes c CROSS JOIN LATERAL ("
        f"SELECT {columns_of(SubscriberRecord, 's')} FROM subscribers s "
        "WHERE s.bucket_id = b.id AND s.id = c.subscriber_id LIMIT 1) s "
        "WHERE c.bucket_id = b.id AND c.list_id = p.id AND c.sequence <= b.ceiling AND c.entered "
        f"AND {beyond} AND c.sequence = ("
        "SELECT max(l.sequence) FROM membership_changes l WHERE l.bucket_id = b.id "
        "AND l.subscriber_id = c.subscriber_id AND l.list_id = p.id AND l.sequence <= b.head) "
        f"ORDER BY c.sequence DESC {part.limit}) y "
        f"ORDER BY {_ORDER.outer_clause} {part.limit}) x ORDER BY p.number, {_ORDER.outer_clause}",
        *bound,
        record_class=SubscriberRecord,
    )
