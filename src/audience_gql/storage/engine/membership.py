"""The statements with which a tick or a fill locks a bucket, takes its marks and writes the changes.

Every function works inside the caller's transaction, under the bucket's lock, and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Final, Literal, NamedTuple, TypeAlias

from audience_gql.conditions.periods import WeekStart
from audience_gql.storage.postgres.database import Connection, RunAgain
from audience_gql.storage.statements import NamedStatement, load_statements

_SQL: Final = load_statements(__file__)
_APPLY_CHANGES: Final = NamedStatement(_SQL["apply_changes"])
_LEAVE_BUCKET: Final = NamedStatement(_SQL["leave_bucket"])
_LOG_PEOPLE: Final = NamedStatement(_SQL["log_people"])
_PERSON_AND_LIST: Final = attrgetter("subscriber_id", "list_id")
_TO_THE_END: Final = 2**63 - 1

ListKind: TypeAlias = Literal["SEGMENT", "GROUP"]
Cause: TypeAlias = Literal[
    "SUBSCRIBER", "EVENT", "GROUP", "SEGMENT", "CLOCK", "DEFINITION", "REPAIR", "MANUAL"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTimes:
    """A bucket's progress through time."""

    evaluated_through: datetime
    """Everybody who crossed an edge up to this instant is evaluated or marked."""
    next_due_at: datetime | None
    """Nobody without a mark crosses an edge before this instant; None when nobody ever will."""
    has_events_ahead: bool
    """Whether events may be known that happen after `evaluated_through`."""
    crowd_through: datetime | None = None
    """Set while a crowd is being marked in slices: it crossed edges after `evaluated_through` and up to this instant."""
    crowd_marked_to: int | None = None
    """The id up to which the people of the crowd are marked; None before the first slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketHead(BucketTimes):
    """The row of a bucket, as the holder of its lock reads it."""

    id: int
    workspace_id: int
    next_sequence: int
    last_instant: datetime
    states_version: int
    """Raised whenever ticks start to evaluate another segment in this bucket alone."""
    settled_at: datetime | None
    """The instant of the last tick after which nobody waited for an evaluation; None before the first one."""
    turn: int
    """Raised by every tick, fill and repair, and by whoever locks all buckets. A worker that remembers the turn can tell whether another has held the bucket since."""

    @property
    def is_up_to_date(self) -> bool:
        """Whether the membership of everybody without a mark is that of `last_instant`."""
        return self.evaluated_through == self.last_instant


@dataclass(frozen=True, slots=True)
class TickSegments:
    """A workspace's segments as a tick of one bucket reads them. Two are equal as long as nothing about the segments has changed."""

    timezone: str
    """The workspace's time zone."""
    week_start: WeekStart
    """The day on which the workspace's weeks begin."""
    ids: tuple[int, ...]
    revisions: tuple[int, ...]
    evaluated: tuple[bool, ...]
    """False for segments that wait for their fill, are paused or have failed. Other segments may still read their conditions."""


class TakenMark(NamedTuple):
    subscriber_id: int
    kind: str
    ref: int
    lane: int
    at: datetime | None
    """When the event happened, if the mark is for exactly one event."""
    origin: int
    """Where the fact comes from; see Mark."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The marks that a tick handles."""

    asked_at: datetime
    """The database's time at the statement that took the marks. It saw every mark that was committed before."""
    definitions_version: int
    """The workspace's version of its definitions, read with the marks."""
    marks: Sequence[TakenMark]
    traces: Sequence[str] = ()
    """The traces that the marks come from, as far as they were sampled."""


class Change(NamedTuple):
    """One person entering or leaving one list. It is a tuple because there are many, and a tuple is built much faster."""

    list_kind: ListKind
    list_id: int
    subscriber_id: int
    entered: bool
    cause: Cause
    revision: int | None
    origin: int = 0
    """Where the facts behind the change come from, as in a mark."""


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
    """Whether the state belongs to the segment's present generation."""

    @property
    def is_filling(self) -> bool:
        """Whether the segment's members are still being found. Until then its membership has no meaning."""
        if self.failure is not None or self.is_paused:
            return False
        return not self.is_started or (self.filled_to is not None and self.fill_cause == "DEFINITION")

    @property
    def is_to_be_recomputed(self) -> bool:
        if self.failure is not None or self.is_paused:
            return False
        return self.is_started and self.filled_to is not None and self.fill_cause == "REPAIR"


async def lock_bucket(connection: Connection, bucket_id: int) -> BucketHead | None:
    """Lock the bucket until the end of the transaction. Returns None when it does not exist."""
    row = await connection.fetchrow(_SQL["lock_bucket"], bucket_id)
    return None if row is None else BucketHead(id=bucket_id, **row)


async def read_bucket(connection: Connection, bucket_id: int) -> BucketHead | None:
    """Read the bucket without a lock. Returns None when it does not exist."""
    row = await connection.fetchrow(_SQL["read_bucket"], bucket_id)
    return None if row is None else BucketHead(id=bucket_id, **row)


async def tick_segments(connection: Connection, bucket: BucketHead) -> TickSegments:
    row = await connection.fetchrow(_SQL["tick_segments"], bucket.id, bucket.workspace_id)
    assert row is not None  # noqa: S101  # a bucket is deleted with its workspace
    return TickSegments(
        row["timezone"],
        row["week_start"],
        tuple(row["ids"]),
        tuple(row["revisions"]),
        tuple(row["evaluated"]),
    )


async def definitions_version(connection: Connection, workspace_id: int) -> int:
    """A number that rises with every change of the workspace's definitions."""
    version: int = await connection.fetchval(_SQL["definitions_version"], workspace_id)
    return version


async def take_marks(connection: Connection, bucket: BucketHead, limit: int) -> Taken:
    """Delete and return up to `limit` marks, live marks first. With a mark of a group it takes all marks of that person about groups."""
    row = await connection.fetchrow(_SQL["take_marks"], bucket.id, limit, bucket.workspace_id)
    assert row is not None  # noqa: S101  # a bucket is deleted with its workspace
    asked_at, version, traces, *columns = row
    marks = [] if columns[0] is None else list(map(TakenMark, *columns))
    people = {mark.subscriber_id for mark in marks if mark.kind in ("group_joined", "group_left")}
    if people and len(marks) == limit:
        rows = await connection.fetch(_SQL["take_group_marks"], bucket.id, list(people))
        marks.extend(TakenMark(*row) for row in rows)
    return Taken(asked_at, version, marks, traces or ())


async def leave_trace(connection: Connection, bucket_id: int, trace: str, *, sequence: int) -> None:
    """Note the trace of this tick, and the last sequence that it writes, for those who read the log."""
    await connection.execute(_SQL["leave_trace"], bucket_id, trace, sequence)


async def leave_bucket(
    connection: Connection,
    bucket: BucketHead,
    changes: Sequence[Change],
    *,
    now: datetime,
    times: BucketTimes,
    settled_at: datetime | None,
) -> None:
    """The last statement of a tick: write the changes to the log and to the membership, and store the bucket's progress.

    Changes are logged person by person, so that entries of one person are neighbours in the widest index. Raises RunAgain if another
    transaction has held the bucket since it was locked.
    """
    if changes:
        await _apply(connection, bucket, changes, now=now, times=times, settled_at=settled_at)
    else:
        values = _LEAVE_BUCKET.arguments(
            bucket_id=bucket.id, turn=bucket.turn, now=now, settled_at=settled_at, **_progress(times)
        )
        _check_turn(await connection.execute(_LEAVE_BUCKET.text, *values))


async def log_outside_a_tick(
    connection: Connection, bucket: BucketHead, changes: Sequence[Change], *, now: datetime
) -> None:
    """Write changes that no tick has found. The caller holds the bucket's lock. The next tick handles what has become due."""
    times = replace(bucket, next_due_at=now)
    await _apply(connection, bucket, changes, now=now, times=times, settled_at=bucket.settled_at)


async def _apply(
    connection: Connection,
    bucket: BucketHead,
    changes: Sequence[Change],
    *,
    now: datetime,
    times: BucketTimes,
    settled_at: datetime | None,
) -> None:
    changes = sorted(changes, key=_PERSON_AND_LIST)
    segments = [change for change in changes if change.list_kind == "SEGMENT"]
    entered = [change for change in segments if change.entered]
    left = [change for change in segments if not change.entered]
    counts = _differences(segments)
    values = _APPLY_CHANGES.arguments(
        bucket_id=bucket.id,
        turn=bucket.turn,
        sequence=bucket.next_sequence,
        now=now,
        list_kinds=[change.list_kind for change in changes],
        list_ids=[change.list_id for change in changes],
        people=[change.subscriber_id for change in changes],
        have_entered=[change.entered for change in changes],
        causes=[change.cause for change in changes],
        revisions=[change.revision for change in changes],
        origins=[change.origin for change in changes],
        unchanged_at=bucket.settled_at,
        settled_at=settled_at,
        entered_lists=[change.list_id for change in entered],
        entered_people=[change.subscriber_id for change in entered],
        left_lists=[change.list_id for change in left],
        left_people=[change.subscriber_id for change in left],
        counted_lists=list(counts.keys()),
        differences=list(counts.values()),
        changes=len(changes),
        **_progress(times),
    )
    _check_turn(await connection.execute(_APPLY_CHANGES.text, *values))
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
    """Write many changes of one segment to the log and to the membership. Returns the next free sequence number."""
    next_sequence = bucket.next_sequence
    for people, entered in ((entering, True), (leaving, False)):
        if people:
            values = _LOG_PEOPLE.arguments(
                bucket_id=bucket.id,
                sequence=next_sequence,
                segment_id=segment_id,
                entered=entered,
                cause=cause,
                revision=revision,
                now=now,
                unchanged_at=bucket.settled_at,
                people=people,
            )
            await connection.execute(_LOG_PEOPLE.text, *values)
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
    connection: Connection, bucket: BucketHead, *, next_sequence: int, now: datetime
) -> None:
    """The last statement of a fill. It leaves due edges to the next tick. Raises RunAgain like leave_bucket."""
    _check_turn(await connection.execute(_SQL["advance_bucket"], bucket.id, next_sequence, now, bucket.turn))


async def segment_to_fill(connection: Connection, bucket_id: int, segment_id: int) -> FillState | None:
    row = await connection.fetchrow(_SQL["segment_to_fill"], bucket_id, segment_id)
    return None if row is None else FillState(**row)


async def start_fill(connection: Connection, bucket_id: int, segment_id: int, generation: int) -> None:
    """Make ticks evaluate the segment from here on. The fill's ranges find everybody whom ticks have not evaluated."""
    await connection.execute(_SQL["start_fill"], bucket_id, segment_id, generation)


async def range_end(connection: Connection, bucket_id: int, after: int, people: int) -> int | None:
    """The last id of the range of `people` people after `after`; None when the range reaches the end."""
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
    """Store a fill's progress and what it found."""
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
    """Store that a recompute is done, unless the segment was edited in the meantime."""
    await connection.execute(_SQL["leave_recompute"], bucket_id, segment_id, generation, entered, left, now)


async def marked_people(connection: Connection, bucket_id: int, people: Collection[int]) -> set[int]:
    """Those of these people who have marks, so that a tick will evaluate them."""
    if not people:
        return set()
    rows = await connection.fetch(_SQL["marked_people"], bucket_id, list(people))
    return {row["subscriber_id"] for row in rows}


async def forget_segment(connection: Connection, bucket_id: int, segment_id: int, people: int) -> bool:
    """Delete a slice of a deleted segment's rows. Returns True after the last slice."""
    end = await connection.fetchval(_SQL["forget_end"], bucket_id, segment_id, people)
    await connection.execute(_SQL["forget_people"], bucket_id, segment_id, to_the_end(end))
    if end is not None:
        return False
    await connection.execute(_SQL["forget_state"], bucket_id, segment_id)
    return True


def to_the_end(end: int | None) -> int:
    """The upper bound of a range as a number."""
    return _TO_THE_END if end is None else end


def _check_turn(status: str) -> None:
    """Postgres keeps the bucket's lock for its holder. A Citus cluster may move the bucket to another machine meanwhile, and the lock stays behind."""
    if status == "UPDATE 0":
        raise RunAgain("the bucket was moved to another machine while this transaction held its lock")


def _progress(times: BucketTimes) -> dict[str, object]:
    return {name: getattr(times, name) for name in BucketTimes.__dataclass_fields__}


def _differences(changes: Sequence[Change]) -> Counter[int]:
    """By list id, by how much its number of members grows."""
    differences: Counter[int] = Counter()
    for change in changes:
        differences[change.list_id] += 1 if change.entered else -1
    return differences
