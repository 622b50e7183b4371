"""Finds the people that keys name, and protects them from erasure until the transaction ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.profiles import named_identity
from audience_gql.storage import definitions, facts
from audience_gql.storage.database import Connection
from audience_gql.storage.facts import Identity


async def resolve_people(
    connection: Connection, workspace_id: int, keys: Sequence[SubscriberKey]
) -> list[SubscriberRef | None]:
    """Each key's person or None, in the order of the keys. The people found cannot be erased before the transaction ends."""
    identities = [_identity(key) for key in keys]
    owners = await _owners(connection, workspace_id, {name for name in identities if name is not None})
    bucket_ids: frozenset[int] = frozenset()
    if any(key.kind == "id" for key in keys):
        bucket_ids = frozenset(await definitions.bucket_ids(connection, workspace_id))
    found: list[SubscriberRef | None] = []
    for key, name in zip(keys, identities, strict=True):
        if name is not None:
            found.append(owners.get(name))
        elif isinstance(key.value, SubscriberRef) and key.value.bucket_id in bucket_ids:
            found.append(key.value)
        else:
            found.append(None)
    return await _held(connection, found)


def _identity(key: SubscriberKey) -> Identity | None:
    """The identity to look up; None for an id, and for a text that cannot be a key."""
    return None if key.kind == "id" else named_identity(key.kind, key.value)


async def _owners(
    connection: Connection, workspace_id: int, names: set[Identity]
) -> dict[Identity, SubscriberRef]:
    if not names:
        return {}
    owners = await facts.owners_of(connection, workspace_id, names)
    return {name: SubscriberRef(*owner) for name, owner in owners.items()}


async def _held(connection: Connection, found: list[SubscriberRef | None]) -> list[SubscriberRef | None]:
    wanted: dict[int, set[int]] = defaultdict(set)
    for ref in found:
        if ref is not None:
            wanted[ref.bucket_id].add(ref.id)
    there = {
        bucket_id: await facts.hold_people(connection, bucket_id, ids)
        for bucket_id, ids in sorted(wanted.items())
    }
    return [ref if ref is not None and ref.id in there[ref.bucket_id] else None for ref in found]
