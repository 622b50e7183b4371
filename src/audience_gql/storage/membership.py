"""The statements with which a tick or a fill holds a bucket, takes what is due, and writes the changes.

Every function works inside the caller's transaction, under the bucket's lock, and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from audience_gql.storage.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)
_TO_THE_END: Final = 2**63 - 1

ListKind: TypeAlias = Literal["SEGMENT", "GROUP"]
Cause: TypeAlias = Literal[
    "SUBSCRIBER", "EVENT", "GROUP", "SEGMENT", "CLOCK", "DEFINITION", "REPAIR", "MANUAL"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketHead:
    """What the lock gives to its holder."""

    id: int
    workspace_id: int
    next_sequence: int
    last_instant: datetime
    evaluated_through: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TickSegment:
    id: int
    revision: int
    timezone: str
    """The workspace's."""
    is_evaluated: bool
    """False while the segment waits for its fill, is paused, or has failed; its condition may be read by others all the same."""


@dataclass(frozen=True, slots=True)
class TakenMark:
    subscriber_id: int
    kind: str
    ref: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One person entering or leaving one list."""

    list_kind: ListKind
    list_id: int
    subscriber_id: int
    entered: bool
    cause: Cause
    revision: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillState:
    workspace_id: int
    revision: int
    generation: int
    failure: str | None
    is_paused: bool
    filled_to: int | None
    fill_cause: Cause | None
    is_started: bool
    """Whether the state speaks of the present generation."""


async def lock_bucket(connection: Connection, bucket_id: int) -> BucketHead | None:
    """Hold the bucket until the end of the transaction; None when there is none."""
    row = await connection.fetchrow(_SQL["lock_bucket"], bucket_id)
    return None if row is None else BucketHead(id=bucket_id, **row)


async def tick_segments(connection: Connection, bucket: BucketHead) -> list[TickSegment]:
    rows = await connection.fetch(_SQL["tick_segments"], bucket.id, bucket.workspace_id)
    return [TickSegment(**row) for row in rows]


async def take_marks(connection: Connection, bucket_id: int, limit: int) -> list[TakenMark]:
    """Delete and return up to `limit` marks, live ones first, and with a group's mark all others of that person and group."""
    rows = await connection.fetch(_SQL["take_marks"], bucket_id, limit)
    marks = [TakenMark(**row) for row in rows]
    pairs = {(mark.subscriber_id, mark.ref) for mark in marks if mark.kind in ("group_joined", "group_left")}
    if pairs and len(marks) == limit:
        subscriber_ids, group_ids = zip(*pairs, strict=True)
        rows = await connection.fetch(_SQL["take_group_marks"], bucket_id, subscriber_ids, group_ids)
        marks.extend(TakenMark(**row) for row in rows)
    return marks


async def mark_people(connection: Connection, bucket_id: int, ids: Collection[int], *, batch: int) -> None:
    """Put people off to later ticks."""
    await connection.execute(_SQL["mark_people"], bucket_id, batch, list(ids))


async def apply(connection: Connection, bucket: BucketHead, changes: Sequence[Change], now: datetime) -> int:
    """Write changes to the log and to the membership. Returns the next free sequence."""
    if not changes:
        return bucket.next_sequence
    await connection.execute(
        _SQL["log_changes"],
        bucket.id,
        bucket.next_sequence,
        now,
        [change.list_kind for change in changes],
        [change.list_id for change in changes],
        [change.subscriber_id for change in changes],
        [change.entered for change in changes],
        [change.cause for change in changes],
        [change.revision for change in changes],
    )
    segments = [change for change in changes if change.list_kind == "SEGMENT"]
    entered = [change for change in segments if change.entered]
    left = [change for change in segments if not change.entered]
    if entered:
        await connection.execute(
            _SQL["members_in"],
            bucket.id,
            now,
            [change.list_id for change in entered],
            [change.subscriber_id for change in entered],
        )
    if left:
        await connection.execute(
            _SQL["members_out"],
            bucket.id,
            [change.list_id for change in left],
            [change.subscriber_id for change in left],
        )
    await _count(connection, bucket.id, "count_segments", segments)
    await _count(connection, bucket.id, "count_groups", [c for c in changes if c.list_kind == "GROUP"])
    return bucket.next_sequence + len(changes)


async def leave_bucket(
    connection: Connection, bucket_id: int, *, next_sequence: int, now: datetime, next_due_at: datetime | None
) -> None:
    """The last statement of a tick: everything up to `now` has been taken or marked."""
    await connection.execute(_SQL["leave_bucket"], bucket_id, next_sequence, now, now, next_due_at)


async def advance_bucket(
    connection: Connection, bucket_id: int, *, next_sequence: int, now: datetime
) -> None:
    """The last statement of a fill, which takes nothing that is due."""
    await connection.execute(_SQL["advance_bucket"], bucket_id, next_sequence, now)


async def segment_to_fill(connection: Connection, bucket_id: int, segment_id: int) -> FillState | None:
    row = await connection.fetchrow(_SQL["segment_to_fill"], bucket_id, segment_id)
    return None if row is None else FillState(**row)


async def start_fill(connection: Connection, bucket_id: int, segment_id: int, generation: int) -> None:
    """From here on ticks evaluate the segment too; what they have not seen is found by the ranges."""
    await connection.execute(_SQL["start_fill"], bucket_id, segment_id, generation)


async def range_end(connection: Connection, bucket_id: int, after: int, people: int) -> int | None:
    """The id that ends a range of so many people, or None when it reaches to the end."""
    end: int | None = await connection.fetchval(_SQL["range_end"], bucket_id, after, people)
    return end


async def leave_fill(
    connection: Connection,
    bucket_id: int,
    segment_id: int,
    *,
    filled_to: int | None,
    changes: Sequence[Change],
    now: datetime,
) -> None:
    entered = sum(change.entered for change in changes)
    await connection.execute(
        _SQL["leave_fill"], bucket_id, segment_id, filled_to, entered, len(changes) - entered, now
    )


async def forget_segment(connection: Connection, bucket_id: int, segment_id: int, people: int) -> bool:
    """Remove a slice of what a deleted segment left behind; True when that was the last."""
    status = await connection.execute(_SQL["forget_segment"], bucket_id, segment_id, people)
    if int(status.split()[-1]) >= people:
        return False
    await connection.execute(_SQL["forget_state"], bucket_id, segment_id)
    return True


def to_the_end(end: int | None) -> int:
    """A range's upper bound as a number."""
    return _TO_THE_END if end is None else end


async def _count(connection: Connection, bucket_id: int, statement: str, changes: Sequence[Change]) -> None:
    differences: Counter[int] = Counter()
    for change in changes:
        differences[change.list_id] += 1 if change.entered else -1
    if differences:
        await connection.execute(
            _SQL[statement], bucket_id, list(differences.keys()), list(differences.values())
        )
