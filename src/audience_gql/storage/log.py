"""Reads the membership log. Its sequence is gapless and in commit order within each bucket."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from audience_gql.storage.people.facts import Identity, Owner
from audience_gql.storage.people.identities import owners_of
from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedChange:
    """One row of the log."""

    bucket_id: int
    sequence: int
    list_kind: str
    list_id: int
    subscriber_id: int
    entered: bool
    cause: str
    revision: int | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFilter:
    """Which changes to read; None means any. With both lists and people, a change must match both."""

    segment_ids: frozenset[int] | None = None
    group_ids: frozenset[int] | None = None
    subscribers: frozenset[Owner] | None = None
    identity: Identity | None = None
    """Whoever has this key counts as one of the `subscribers`. `with_holder` looks up who has it now."""


class Pruned(Exception):
    """The changes after a position are no longer in the log, or the log now ends before the position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The complete part of each bucket's log: the sequences after `starts`, up to and including `heads`."""

    starts: Mapping[int, int]
    heads: Mapping[int, int]

    def holds(self, positions: Mapping[int, int]) -> bool:
        """Whether every change after these positions is in the log or still to be written."""
        return all(
            self.starts[bucket_id] <= positions.get(bucket_id, 0) <= head
            for bucket_id, head in self.heads.items()
        )


async def extent(connection: Connection, workspace_id: int) -> Extent:
    rows = await connection.fetch(
        "SELECT id, next_sequence - 1 AS last, pruned_through FROM buckets WHERE workspace_id = $1 ORDER BY id",
        workspace_id,
    )
    return Extent(
        starts={row["id"]: row["pruned_through"] for row in rows},
        heads={row["id"]: row["last"] for row in rows},
    )


async def heads(connection: Connection, workspace_id: int, positions: Mapping[int, int]) -> dict[int, int]:
    """Each bucket's last sequence. Raises Pruned if it lies before a position: the database was then replaced by an older one."""
    rows = await connection.fetch(
        "SELECT id, next_sequence - 1 AS last FROM buckets WHERE workspace_id = $1 ORDER BY id", workspace_id
    )
    found = {row["id"]: row["last"] for row in rows}
    if any(position > found.get(bucket_id, 0) for bucket_id, position in positions.items()):
        raise Pruned
    return found


async def traces_between(
    connection: Connection, workspace_id: int, positions: Mapping[int, int], reached: Mapping[int, int]
) -> list[str]:
    """The traces of the ticks that have written changes between these positions. Each bucket remembers its latest traced tick alone."""
    rows = await connection.fetch(
        "SELECT id, trace, trace_sequence FROM buckets WHERE workspace_id = $1 AND trace IS NOT NULL ORDER BY id",
        workspace_id,
    )
    return [
        row["trace"]
        for row in rows
        if positions.get(row["id"], 0) < row["trace_sequence"] <= reached.get(row["id"], 0)
    ]


async def with_holder(connection: Connection, workspace_id: int, wanted: FeedFilter) -> FeedFilter:
    """Add the present owner of the filter's key to the filter's `subscribers`; earlier owners stay.

    Call this after reading the heads of the log: an owner with a change up to there had the key before that read.
    """
    if wanted.identity is None:
        return wanted
    owners = await owners_of(connection, workspace_id, [wanted.identity])
    found = frozenset(owners.values())
    return replace(wanted, subscribers=(wanted.subscribers or frozenset()) | found)


async def changes_after(
    connection: Connection,
    positions: Mapping[int, int],
    heads_: Mapping[int, int],
    wanted: FeedFilter,
    limit: int,
) -> tuple[list[LoggedChange], dict[int, int]]:
    """Up to `limit` changes after these positions, and the positions up to which the log was read.

    The caller reads `heads_` first, so that a position never passes a change that was not read. Raises Pruned.
    """
    changes: list[LoggedChange] = []
    reached = dict(positions)
    for bucket_id, head in heads_.items():
        after = positions.get(bucket_id, 0)
        room = limit - len(changes)
        if head <= after or room == 0:
            reached.setdefault(bucket_id, after)
            continue
        found = await _bucket_changes(connection, bucket_id, after, head, wanted, room)
        changes.extend(found)
        reached[bucket_id] = found[-1].sequence if len(found) == room else head
    return changes, reached


async def _bucket_changes(
    connection: Connection, bucket_id: int, after: int, upto: int, wanted: FeedFilter, limit: int
) -> Sequence[LoggedChange]:
    people = None
    if wanted.subscribers is not None:
        people = sorted(person_id for of, person_id in wanted.subscribers if of == bucket_id)
        if not people:
            return []
    rows = await connection.fetch(
        "SELECT b.pruned_through, c.* FROM buckets b LEFT JOIN LATERAL ("
        "SELECT c.bucket_id, c.sequence, c.list_kind, c.list_id, c.subscriber_id, c.entered, c.cause, c.revision, c.occurred_at "
        "FROM membership_changes c WHERE c.bucket_id = $1 AND c.sequence > $2 AND c.sequence <= $3 "
        "AND ($4::bigint[] IS NULL AND $5::bigint[] IS NULL "
        "  OR c.list_kind = 'SEGMENT' AND c.list_id = ANY($4::bigint[]) "
        "  OR c.list_kind = 'GROUP' AND c.list_id = ANY($5::bigint[])) "
        "AND ($6::bigint[] IS NULL OR c.subscriber_id = ANY($6::bigint[])) "
        "ORDER BY c.sequence LIMIT $7) c ON true WHERE b.id = $1 ORDER BY c.sequence",
        bucket_id,
        after,
        upto,
        _ids(wanted.segment_ids),
        _ids(wanted.group_ids),
        people,
        limit,
    )
    if rows[0]["pruned_through"] > after:  # read in the same snapshot as the changes
        raise Pruned
    return [
        LoggedChange(**{name: row[name] for name in LoggedChange.__dataclass_fields__})
        for row in rows
        if row["sequence"] is not None
    ]


def _ids(ids: Collection[int] | None) -> list[int] | None:
    return None if ids is None else sorted(ids)
