"""The statements with which a tick or a fill holds a bucket, takes what is due, and writes the changes.

Every function works inside the caller's transaction, under the bucket's lock, and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Final, Literal, NamedTuple, TypeAlias

from audience_gql.storage.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)
_PERSON_AND_LIST: Final = attrgetter("subscriber_id", "list_id")
_TO_THE_END: Final = 2**63 - 1

ListKind: TypeAlias = Literal["SEGMENT", "GROUP"]
Cause: TypeAlias = Literal[
    "SUBSCRIBER", "EVENT", "GROUP", "SEGMENT", "CLOCK", "DEFINITION", "REPAIR", "MANUAL"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTimes:
    """How far a bucket is with what the clock brings."""

    evaluated_through: datetime
    """Whoever crossed an edge up to here is evaluated, or marked."""
    next_due_at: datetime | None
    """Before this instant nobody crosses an edge, but for people with marks."""
    has_events_ahead: bool
    """Whether events may be known that are stamped later than `evaluated_through`."""
    crowd_through: datetime | None = None
    """While a crowd is being marked in slices: it crossed edges after `evaluated_through`, and up to here."""
    crowd_marked_to: int | None = None
    """The id up to which its people are marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketHead(BucketTimes):
    """What the lock gives to its holder."""

    id: int
    workspace_id: int
    next_sequence: int
    last_instant: datetime
    states_version: int
    """Raised whenever ticks begin to evaluate another segment in this bucket alone."""
    turn: int
    """Raised by every tick, fill and repair: whoever remembers the last one knows whether it is still the last."""

    @property
    def is_up_to_date(self) -> bool:
        """Whether its members are those of `last_instant`, but for people with marks."""
        return self.evaluated_through == self.last_instant


@dataclass(frozen=True, slots=True)
class TickSegments:
    """A workspace's segments as a tick of one bucket finds them; equal as long as nothing about them has changed."""

    timezone: str
    """The workspace's."""
    ids: tuple[int, ...]
    revisions: tuple[int, ...]
    evaluated: tuple[bool, ...]
    """False while the segment waits for its fill, is paused, or has failed; its condition may be read by others all the same."""


class TakenMark(NamedTuple):
    subscriber_id: int
    kind: str
    ref: int
    lane: int
    at: datetime | None
    """When the one event happened that it tells of, where it tells of one."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a tick takes to work off."""

    asked_at: datetime
    """The database's time when the marks were asked for: all that was committed by then is among them."""
    definitions_version: int
    """Of the workspace, read with the marks."""
    marks: Sequence[TakenMark]


class Change(NamedTuple):
    """One person entering or leaving one list. There are many of them: a tuple is made in a fraction of the time."""

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

    @property
    def is_filling(self) -> bool:
        """Whether its members are still to be found; they mean nothing until then."""
        if self.failure is not None or self.is_paused:
            return False
        return not self.is_started or (self.filled_to is not None and self.fill_cause == "DEFINITION")

    @property
    def is_to_be_recomputed(self) -> bool:
        if self.failure is not None or self.is_paused:
            return False
        return self.is_started and self.filled_to is not None and self.fill_cause == "REPAIR"


async def lock_bucket(connection: Connection, bucket_id: int) -> BucketHead | None:
    """Hold the bucket until the end of the transaction; None when there is none."""
    row = await connection.fetchrow(_SQL["lock_bucket"], bucket_id)
    return None if row is None else BucketHead(id=bucket_id, **row)


async def read_bucket(connection: Connection, bucket_id: int) -> BucketHead | None:
    """The bucket as a snapshot shows it, held by nobody; None when there is none."""
    row = await connection.fetchrow(_SQL["read_bucket"], bucket_id)
    return None if row is None else BucketHead(id=bucket_id, **row)


async def tick_segments(connection: Connection, bucket: BucketHead) -> TickSegments:
    row = await connection.fetchrow(_SQL["tick_segments"], bucket.id, bucket.workspace_id)
    assert row is not None  # noqa: S101  # a bucket goes with its workspace
    return TickSegments(row["timezone"], tuple(row["ids"]), tuple(row["revisions"]), tuple(row["evaluated"]))


async def definitions_version(connection: Connection, workspace_id: int) -> int:
    """It rises with every change of what is evaluated."""
    version: int = await connection.fetchval(_SQL["definitions_version"], workspace_id)
    return version


async def take_marks(connection: Connection, bucket: BucketHead, limit: int) -> Taken:
    """Delete and return up to `limit` marks, live ones first, and with a group's mark all others of that person and group."""
    row = await connection.fetchrow(_SQL["take_marks"], bucket.id, limit, bucket.workspace_id)
    assert row is not None  # noqa: S101  # a bucket goes with its workspace
    asked_at, version, *columns = row
    marks = [] if columns[0] is None else list(map(TakenMark, *columns))
    pairs = {(mark.subscriber_id, mark.ref) for mark in marks if mark.kind in ("group_joined", "group_left")}
    if pairs and len(marks) == limit:
        subscriber_ids, group_ids = zip(*pairs, strict=True)
        rows = await connection.fetch(_SQL["take_group_marks"], bucket.id, subscriber_ids, group_ids)
        marks.extend(TakenMark(*row) for row in rows)
    return Taken(asked_at, version, marks)


async def leave_bucket(
    connection: Connection,
    bucket: BucketHead,
    changes: Sequence[Change],
    *,
    now: datetime,
    times: BucketTimes,
) -> None:
    """The last statement of a tick: write what changed to the log and to the membership, and how far the bucket is.

    Changes are logged person by person, which keeps neighbours in the widest of the indexes together.
    """
    if changes:
        await _apply(connection, bucket, changes, now=now, times=times)
    else:
        await connection.execute(_SQL["leave_bucket"], bucket.id, now, *_columns(times))


async def log_outside_a_tick(
    connection: Connection, bucket: BucketHead, changes: Sequence[Change], *, now: datetime
) -> None:
    """Write changes that no tick has found, under the bucket's lock all the same. What became due is left to the next tick."""
    await _apply(connection, bucket, changes, now=now, times=replace(bucket, next_due_at=now))


async def _apply(
    connection: Connection,
    bucket: BucketHead,
    changes: Sequence[Change],
    *,
    now: datetime,
    times: BucketTimes,
) -> None:
    changes = sorted(changes, key=_PERSON_AND_LIST)
    columns = list(zip(*changes, strict=True)) or [()] * len(Change._fields)
    segments = [change for change in changes if change.list_kind == "SEGMENT"]
    entered = [change for change in segments if change.entered]
    left = [change for change in segments if not change.entered]
    counts = _differences(segments)
    await connection.execute(
        _SQL["apply_changes"],
        bucket.id,
        bucket.next_sequence,
        now,
        *columns,
        [change.list_id for change in entered],
        [change.subscriber_id for change in entered],
        [change.list_id for change in left],
        [change.subscriber_id for change in left],
        list(counts.keys()),
        list(counts.values()),
        len(changes),
        *_columns(times),
    )
    groups = _differences([change for change in changes if change.list_kind == "GROUP"])
    if groups:
        await connection.execute(_SQL["count_groups"], bucket.id, list(groups.keys()), list(groups.values()))


async def apply_to_segment(
    connection: Connection,
    bucket: BucketHead,
    segment_id: int,
    *,
    entering: Sequence[int],
    leaving: Sequence[int],
    cause: Cause,
    revision: int,
    now: datetime,
) -> int:
    """Write many changes of one segment to the log and to the membership. Returns the next free sequence."""
    next_sequence = bucket.next_sequence
    for people, entered in ((entering, True), (leaving, False)):
        if people:
            await connection.execute(
                _SQL["log_people"],
                bucket.id,
                next_sequence,
                segment_id,
                entered,
                cause,
                revision,
                now,
                people,
            )
            next_sequence += len(people)
    if entering:
        await connection.execute(_SQL["people_in"], bucket.id, segment_id, entering, now)
    if leaving:
        await connection.execute(_SQL["people_out"], bucket.id, segment_id, leaving)
    if len(entering) != len(leaving):
        await connection.execute(
            _SQL["count_segments"], bucket.id, [segment_id], [len(entering) - len(leaving)]
        )
    return next_sequence


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
    entered: int,
    left: int,
    now: datetime,
) -> None:
    """Note how far a fill is, and what it found."""
    await connection.execute(_SQL["leave_fill"], bucket_id, segment_id, filled_to, entered, left, now)


async def leave_recompute(
    connection: Connection,
    bucket_id: int,
    segment_id: int,
    *,
    generation: int,
    entered: int,
    left: int,
    now: datetime,
) -> None:
    """Note that a recompute is done, unless the segment was edited meanwhile."""
    await connection.execute(_SQL["leave_recompute"], bucket_id, segment_id, generation, entered, left, now)


async def marked_people(connection: Connection, bucket_id: int, people: Collection[int]) -> set[int]:
    """Those of them whom a tick is still to look at."""
    if not people:
        return set()
    rows = await connection.fetch(_SQL["marked_people"], bucket_id, list(people))
    return {row["subscriber_id"] for row in rows}


async def forget_segment(connection: Connection, bucket_id: int, segment_id: int, people: int) -> bool:
    """Remove a slice of what a deleted segment left behind; True when that was the last."""
    end = await connection.fetchval(_SQL["forget_end"], bucket_id, segment_id, people)
    await connection.execute(_SQL["forget_people"], bucket_id, segment_id, to_the_end(end))
    if end is not None:
        return False
    await connection.execute(_SQL["forget_state"], bucket_id, segment_id)
    return True


def to_the_end(end: int | None) -> int:
    """A range's upper bound as a number."""
    return _TO_THE_END if end is None else end


def _columns(times: BucketTimes) -> tuple[object, ...]:
    return (
        times.evaluated_through,
        times.next_due_at,
        times.has_events_ahead,
        times.crowd_through,
        times.crowd_marked_to,
    )


def _differences(changes: Sequence[Change]) -> Counter[int]:
    """By list, how many more members it has."""
    differences: Counter[int] = Counter()
    for change in changes:
        differences[change.list_id] += 1 if change.entered else -1
    return differences
