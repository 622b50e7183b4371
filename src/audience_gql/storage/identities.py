"""The keys of people: whose they are, and how they are claimed, moved and released.

A key belongs to one person in the whole workspace, so its row has no bucket of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from audience_gql.storage.arrays import arrays_of
from audience_gql.storage.database import Connection, RunAgain
from audience_gql.storage.facts import KEY_COLUMNS, Identity, IdentityKind, Owner

_OWNERS: Final = " UNION ALL ".join(
    "SELECT kind, value, bucket_id, subscriber_id FROM identities "
    f"WHERE workspace_id = $1 AND kind = '{kind}' AND value = ANY(${position}::text[])"
    for position, kind in enumerate(KEY_COLUMNS, 2)
)
_RESOLVE: Final = (
    "SELECT statement_timestamp() AS asked_at, b.ids AS bucket_ids, b.open_id, o.kind, o.value, o.bucket_id, o.subscriber_id "
    "FROM (SELECT array_agg(id) AS ids, max(id) FILTER (WHERE is_open) AS open_id FROM buckets WHERE workspace_id = $1) b "
    f"LEFT JOIN ({_OWNERS}) o ON true"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Whose keys these are, at one instant."""

    owners: dict[Identity, Owner]
    """Keys without an owner are left out."""
    bucket_ids: frozenset[int]
    """All buckets of the workspace."""
    open_bucket_id: int
    """The bucket for new people."""
    asked_at: datetime
    """The database's time. It lies before any wait for a lock that follows."""


async def resolve(connection: Connection, workspace_id: int, identities: Collection[Identity]) -> Resolved:
    """The owner of each of these keys, and what else every writer of people and events needs to know first.

    Raises RunAgain if no bucket is open: the machines of a cluster were read while one bucket took the place of another.
    """
    rows = await connection.fetch(_RESOLVE, workspace_id, *_by_kind(identities))
    if rows[0]["open_id"] is None:
        raise RunAgain
    return Resolved(
        owners={
            (row["kind"], row["value"]): (row["bucket_id"], row["subscriber_id"])
            for row in rows
            if row["kind"] is not None
        },
        bucket_ids=frozenset(rows[0]["bucket_ids"]),
        open_bucket_id=rows[0]["open_id"],
        asked_at=rows[0]["asked_at"],
    )


async def owners_of(
    connection: Connection, workspace_id: int, identities: Collection[Identity]
) -> dict[Identity, Owner]:
    """The owner of each of these keys. Keys without an owner are left out."""
    rows = await connection.fetch(_OWNERS, workspace_id, *_by_kind(identities))
    return {(kind, value): (bucket_id, subscriber_id) for kind, value, bucket_id, subscriber_id in rows}


def _by_kind(identities: Collection[Identity]) -> list[list[str]]:
    values: dict[IdentityKind, list[str]] = {kind: [] for kind in KEY_COLUMNS}
    for kind, value in identities:
        values[kind].append(value)
    return list(values.values())


async def claim_identities(
    connection: Connection, workspace_id: int, claims: Mapping[Identity, Owner]
) -> bool:
    """Give these keys to their owners. Returns False if another caller has claimed one of them first: then roll back and resolve again."""
    rows = await connection.fetch(
        "INSERT INTO identities (workspace_id, kind, value, bucket_id, subscriber_id) "
        "SELECT $1::bigint, k.kind, k.value, k.bucket_id, k.subscriber_id "
        "FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS k (kind, value, bucket_id, subscriber_id) "
        "ON CONFLICT (workspace_id, kind, value) DO NOTHING RETURNING 1",
        workspace_id,
        *_by_column(claims),
    )
    return len(rows) == len(claims)


async def move_identities(connection: Connection, workspace_id: int, moves: Mapping[Identity, Owner]) -> None:
    """Give keys to another person. Both the present and the new owner must be locked, or new."""
    await connection.execute(
        "UPDATE identities i SET bucket_id = k.bucket_id, subscriber_id = k.subscriber_id "
        "FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS k (kind, value, bucket_id, subscriber_id) "
        "WHERE i.workspace_id = $1 AND i.kind = k.kind AND i.value = k.value",
        workspace_id,
        *_by_column(moves),
    )


async def release_identities(
    connection: Connection, workspace_id: int, released: Mapping[Identity, Owner]
) -> None:
    """Take these keys from these people, so that nobody owns them. The people must be locked."""
    await connection.execute(
        "DELETE FROM identities i "
        "USING unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS k (kind, value, bucket_id, subscriber_id) "
        "WHERE i.workspace_id = $1 AND i.kind = k.kind AND i.value = k.value "
        "AND i.bucket_id = k.bucket_id AND i.subscriber_id = k.subscriber_id",
        workspace_id,
        *_by_column(released),
    )


def _by_column(owners: Mapping[Identity, Owner]) -> list[list[Any]]:  # Any: the columns' own types
    """Columns of kinds, values, buckets and people. They are sorted, so that two writers of the same keys wait for each other and never deadlock."""
    return arrays_of([(*key, *owner) for key, owner in sorted(owners.items())], 4)
