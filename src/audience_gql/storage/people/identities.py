"""The keys of people: whose they are, and how they are claimed, moved and released.

A key belongs to one person in the whole workspace, so its row has no bucket of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from audience_gql.storage.arrays import arrays_of
from audience_gql.storage.people.facts import KEY_COLUMNS, Identity, IdentityKind, Owner
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Connection, RunAgain
from audience_gql.storage.postgres.known_buckets import KnownBuckets, WorkspaceBuckets

_OWNERS: Final = " UNION ALL ".join(
    "SELECT kind, value, bucket_id, subscriber_id FROM identities "
    f"WHERE workspace_id = $1 AND kind = '{kind}' AND value = ANY(${position}::text[])"
    for position, kind in enumerate(KEY_COLUMNS, 2)
)
_BUCKETS: Final = "SELECT array_agg(id) AS ids, max(id) FILTER (WHERE is_open) AS open_id FROM buckets WHERE workspace_id = $1"
_RESOLVE: Final = (
    "SELECT statement_timestamp() AS asked_at, b.ids AS bucket_ids, b.open_id, o.kind, o.value, o.bucket_id, o.subscriber_id "
    f"FROM ({_BUCKETS}) b LEFT JOIN ({_OWNERS}) o ON true"
)
_RESOLVE_KEYS: Final = (
    "SELECT statement_timestamp() AS asked_at, o.kind, o.value, o.bucket_id, o.subscriber_id "
    f"FROM (SELECT 1 AS one) b LEFT JOIN ({_OWNERS}) o ON true"
)
_AWAY_SECONDS: Final = 5.0
"""For so long nobody asks again which buckets there are, after a machine could not answer."""


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


async def resolve(
    connection: Connection, workspace_id: int, identities: Collection[Identity], named: Collection[int] = ()
) -> Resolved:
    """The owner of each of these keys, and what else every writer of people and events needs to know first.

    On a cluster, only the coordinator is asked, unless the workspace's buckets are not known yet, or `named` has one that is not known.
    Raises RunAgain if no bucket is open: the machines of a cluster were read while one bucket took the place of another.
    """
    known: KnownBuckets | None = getattr(connection, "known_buckets", None)
    if known is None:
        rows = await connection.fetch(_RESOLVE, workspace_id, *_by_kind(identities))
        buckets = _buckets_in(rows[0]["bucket_ids"], rows[0]["open_id"])
    else:
        buckets = await _known_buckets(connection, known, workspace_id, named)
        rows = await connection.fetch(_RESOLVE_KEYS, workspace_id, *_by_kind(identities))
    return Resolved(
        owners={
            (row["kind"], row["value"]): (row["bucket_id"], row["subscriber_id"])
            for row in rows
            if row["kind"] is not None
        },
        bucket_ids=buckets.ids,
        open_bucket_id=buckets.open_id,
        asked_at=rows[0]["asked_at"],
    )


async def _known_buckets(
    connection: Connection, known: KnownBuckets, workspace_id: int, named: Collection[int]
) -> WorkspaceBuckets:
    """The buckets of a workspace on a cluster. While a machine is lost, those that are known are enough.

    Raises RunAgain if the machine was found to be lost just now, because that has ended the transaction.
    """
    found = known.find(workspace_id)
    is_enough = found is not None and found.ids.issuperset(named)
    if found is not None and is_enough and not known.is_stale(workspace_id):
        return found
    try:
        row = await connection.fetchrow(_BUCKETS, workspace_id)
    except (*UNREACHABLE, *BUSY) as error:
        if not is_enough:
            raise
        known.keep(workspace_id, _AWAY_SECONDS)
        raise RunAgain from error
    assert row is not None  # noqa: S101  # an aggregate has one row
    buckets = _buckets_in(row["ids"], row["open_id"])
    known.remember(workspace_id, buckets)
    return buckets


def _buckets_in(ids: Collection[int], open_id: int | None) -> WorkspaceBuckets:
    if open_id is None:
        raise RunAgain
    return WorkspaceBuckets(ids=frozenset(ids), open_id=open_id)


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
