"""Finds the people that keys name, and protects them from erasure until the transaction ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.profiles import named_identity
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import Identity
from audience_gql.storage.people.identities import resolve
from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The people that keys name, in the order of the keys. None of them is protected yet, and those named by id may not exist."""

    refs: list[SubscriberRef | None]
    asked_at: datetime
    """The database's time. It lies before any wait for a lock that follows."""


async def resolve_people(
    connection: Connection, workspace_id: int, keys: Sequence[SubscriberKey]
) -> list[SubscriberRef | None]:
    """Each key's person or None, in the order of the keys. The people found cannot be erased before the transaction ends."""
    return await held(connection, (await find_people(connection, workspace_id, keys)).refs)


async def find_people(connection: Connection, workspace_id: int, keys: Sequence[SubscriberKey]) -> Found:
    """Each key's person or None. Call `held` before anything is written about them."""
    identities = [_identity(key) for key in keys]
    named = {key.value.bucket_id for key in keys if isinstance(key.value, SubscriberRef)}
    resolved = await resolve(connection, workspace_id, {it for it in identities if it is not None}, named)
    refs: list[SubscriberRef | None] = []
    for key, name in zip(keys, identities, strict=True):
        if name is not None:
            owner = resolved.owners.get(name)
            refs.append(None if owner is None else SubscriberRef(*owner))
        elif isinstance(key.value, SubscriberRef) and key.value.bucket_id in resolved.bucket_ids:
            refs.append(key.value)
        else:
            refs.append(None)
    return Found(refs=refs, asked_at=resolved.asked_at)


def _identity(key: SubscriberKey) -> Identity | None:
    """The identity to look up; None for an id, and for a text that cannot be a key."""
    return None if key.kind == "id" else named_identity(key.kind, key.value)


async def held(connection: Connection, refs: Sequence[SubscriberRef | None]) -> list[SubscriberRef | None]:
    """Those of these people who exist; None for the others. None of them can be erased before the transaction ends."""
    wanted: dict[int, set[int]] = defaultdict(set)
    for ref in refs:
        if ref is not None:
            wanted[ref.bucket_id].add(ref.id)
    there = {
        bucket_id: await facts.hold_people(connection, bucket_id, ids)
        for bucket_id, ids in sorted(wanted.items())
    }
    return [ref if ref is not None and ref.id in there[ref.bucket_id] else None for ref in refs]
