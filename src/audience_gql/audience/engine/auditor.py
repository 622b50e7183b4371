"""Looks over random slices of the membership, all the time: what it finds is 0, and everybody can see that it is."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.engine.membership import EVERYBODY, Membership
from audience_gql.audience.engine.sharing import MISSED_AFTER
from audience_gql.audience.ports import Ports
from audience_gql.storage.database import Connection
from audience_gql.storage.engine import audits, membership
from audience_gql.storage.ids import SUBSCRIBER_IDS

SLICES: Final = 20
PEOPLE_A_SLICE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What one round has looked at."""

    slices: int
    people: int
    differences: int
    """Memberships that were wrong; they are right by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    bucket_id: int
    segment_id: int
    after: int
    upto: int
    people: int


async def audit_slices(*, ports: Ports, membership: Membership, slices: int = SLICES) -> Audited:
    """Compare so many random slices, each one segment's members among some 2,000 people of a bucket, with the facts."""
    looked_at = people = differences = 0
    for _ in range(slices):
        async with ports.database.acquire() as connection:
            chosen = await _choose(connection)
        if chosen is None:
            continue
        repaired = await membership.audit(
            chosen.bucket_id, chosen.segment_id, after=chosen.after, upto=chosen.upto
        )
        if repaired is not None:
            looked_at += 1
            people += chosen.people
            differences += repaired.entered + repaired.left
    async with ports.database.acquire() as connection:
        now = await ports.clock.now(connection)
        await audits.note(connection, now, slices=looked_at, people=people, differences=differences)
    return Audited(slices=looked_at, people=people, differences=differences)


async def metrics(*, ports: Ports) -> dict[str, float]:
    """What an operator watches, by name; times are in seconds."""
    async with ports.database.acquire() as connection:
        now = await ports.clock.now(connection)
        totals = await audits.totals(connection, now - MISSED_AFTER)
    return {
        "audience_audited_slices_total": totals.slices,
        "audience_audited_people_total": totals.people,
        "audience_wrong_memberships_total": totals.differences,
        "audience_last_audit_timestamp_seconds": totals.last_at.timestamp() if totals.last_at else 0.0,
        "audience_marks_waiting": totals.marks,
        "audience_fills_waiting": totals.fills,
        "audience_workers_alive": totals.workers,
    }


async def _choose(connection: Connection) -> _Slice | None:
    """A slice anywhere; None where chance has hit upon nothing."""
    last = await audits.last_bucket(connection)
    if last is None:
        return None
    bucket_id = await audits.bucket_from(connection, secrets.randbelow(last) + 1)
    segment_ids = [] if bucket_id is None else await audits.filled_segments(connection, bucket_id)
    if bucket_id is None or not segment_ids:
        return None
    after = secrets.randbelow(SUBSCRIBER_IDS)
    end = await membership.range_end(connection, bucket_id, after, PEOPLE_A_SLICE)
    if end is None:  # too near the end for a whole slice: a small bucket is looked over from its start
        after, end = -1, await membership.range_end(connection, bucket_id, -1, PEOPLE_A_SLICE)
    upto = EVERYBODY if end is None else end
    return _Slice(
        bucket_id=bucket_id,
        segment_id=secrets.choice(segment_ids),
        after=after,
        upto=upto,
        people=await audits.people_between(connection, bucket_id, after, upto),
    )
