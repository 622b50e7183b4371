"""Find the people that keys name, and hold them against erasure while facts about them are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from audience_gql.audience.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.profiles import identity, text_problem
from audience_gql.storage import definitions, facts
from audience_gql.storage.database import Connection


async def resolve_people(
    connection: Connection, workspace_id: int, keys: Sequence[SubscriberKey]
) -> list[SubscriberRef | None]:
    """Each key's person, or None, aligned with the keys. Those found cannot be erased before the transaction ends."""
    identities = {
        key: identity(key.kind, key.value)
        for key in keys
        if key.kind != "id" and isinstance(key.value, str) and text_problem(key.value) is None
    }
    owners = await facts.owners_of(connection, workspace_id, set(identities.values()))
    bucket_ids = frozenset(await definitions.bucket_ids(connection, workspace_id))
    found: list[SubscriberRef | None] = []
    for key in keys:
        if isinstance(key.value, SubscriberRef):
            found.append(key.value if key.value.bucket_id in bucket_ids else None)
        else:
            owner = owners.get(identities[key]) if key in identities else None
            found.append(None if owner is None else SubscriberRef(*owner))
    return await _held(connection, found)


async def _held(connection: Connection, found: list[SubscriberRef | None]) -> list[SubscriberRef | None]:
    wanted: dict[int, set[int]] = defaultdict(set)
    for ref in found:
        if ref is not None:
            wanted[ref.bucket_id].add(ref.id)
    there: set[SubscriberRef] = set()
    for bucket_id, ids in sorted(wanted.items()):
        there |= {
            SubscriberRef(bucket_id, person_id)
            for person_id in await facts.hold_people(connection, bucket_id, ids)
        }
    return [ref if ref in there else None for ref in found]
