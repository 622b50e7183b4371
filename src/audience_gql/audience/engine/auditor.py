"""Audits random slices of the membership all the time, and counts the differences for /metrics. The count should stay 0."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from audience_gql.audience.engine.membership import EVERYBODY, Membership
from audience_gql.audience.engine.sharing import MISSED_AFTER
from audience_gql.audience.ports import Ports
from audience_gql.storage.engine import audits, membership
from audience_gql.storage.ids import SUBSCRIBER_IDS
from audience_gql.storage.postgres.database import Connection

SLICES: Final = 20
PEOPLE_A_SLICE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """The result of one round."""

    slices: int
    people: int
    differences: int
    """How many memberships were wrong. They have been repaired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    bucket_id: int
    segment_id: int
    after: int
    upto: int
    people: int


async def audit_slices(*, ports: Ports, membership: Membership, slices: int = SLICES) -> Audited:
    """Compare `slices` random slices with the facts. A slice is one segment's members among about 2,000 people of a bucket."""
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
    """The metrics of the engine by name. Times are in seconds since the epoch."""
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
    """A random slice; None when the chosen bucket has no filled segment."""
    last = await audits.last_bucket(connection)
    if last is None:
        return None
    bucket_id = await audits.bucket_from(connection, secrets.randbelow(last) + 1)
    segment_ids = [] if bucket_id is None else await audits.filled_segments(connection, bucket_id)
    if bucket_id is None or not segment_ids:
        return None
    after = secrets.randbelow(SUBSCRIBER_IDS)
    end = await membership.range_end(connection, bucket_id, after, PEOPLE_A_SLICE)
    if end is None:  # too near the end for a whole slice: begin a small bucket from its start
        after, end = -1, await membership.range_end(connection, bucket_id, -1, PEOPLE_A_SLICE)
    upto = EVERYBODY if end is None else end
    return _Slice(
        bucket_id=bucket_id,
        segment_id=secrets.choice(segment_ids),
        after=after,
        upto=upto,
        people=await audits.people_between(connection, bucket_id, after, upto),
    )
