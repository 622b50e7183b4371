"""Reads what an automation has to decide in one bucket, and writes its runs and its place in the log.

Every function works inside the caller's transaction and decides nothing. `lock_place` comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import NamedStatement, load_statements

_SQL: Final = load_statements(__file__)
_ADD_RUNS: Final = NamedStatement(_SQL["add_runs"])

RunState: TypeAlias = Literal["WAITING", "DONE", "CANCELLED", "SKIPPED", "FAILED", "CUT_OFF"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far an automation has come in one bucket."""

    sequence: int
    """Everything in the log up to here is decided."""
    begun_after: int
    """The automation has read everything after this sequence."""
    existing_to: int | None
    """Members up to this id have had the run for existing members; None when nobody is to have one."""
    is_filled: bool
    """Whether the members of the automation's list are known. Those of a segment are unknown while it is filled."""


class ReadChange(NamedTuple):
    """One person entered or left the automation's list."""

    sequence: int
    subscriber_id: int
    entered: bool
    cause: str
    origin: int
    occurred_at: datetime
    unchanged_at: datetime | None
    """An instant before the change at which the membership is known to have been the opposite; None for unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """The next changes of the automation's list, read in one snapshot with how far the bucket is."""

    changes: Sequence[ReadChange]
    head: int
    """The last sequence of the bucket's log."""
    evaluated_through: datetime


class WaitingRun(NamedTuple):
    """A run that waits for the end of a hold."""

    id: int
    subscriber_id: int
    entered: bool
    origin: int
    cause: str
    started_at: datetime
    due_at: datetime
    is_over: bool
    """Whether the log shows that the person stayed until `due_at`, unless it says otherwise later."""


class History(NamedTuple):
    """What an automation has done for a person."""

    last_at: datetime
    """The instant of the change, or of the end of the hold, for which it acted last."""
    runs: int
    """How often it has acted lately."""


class NewRun(NamedTuple):
    id: int
    subscriber_id: int
    state: RunState
    reason: str | None
    entered: bool
    cause: str
    sequence: int | None
    origin: int
    started_at: datetime
    due_at: datetime | None


class EndedRun(NamedTuple):
    id: int
    state: RunState
    reason: str | None


async def automations_with_work(connection: Connection, bucket_id: int) -> list[int]:
    """The ids of the automations that have something to do in a bucket. It is read without a lock, so it is a hint."""
    return [row["automation_id"] for row in await connection.fetch(_SQL["automations_with_work"], bucket_id)]


async def buckets_with_work(connection: Connection) -> list[int]:
    """The buckets in which automations have something to do that is not the end of a hold."""
    return [row["bucket_id"] for row in await connection.fetch(_SQL["buckets_with_work"])]


async def ending_holds(connection: Connection, upto: datetime) -> dict[int, datetime]:
    """By bucket, when the first hold ends. Buckets without a hold that ends up to `upto` are left out."""
    rows = await connection.fetch(_SQL["ending_holds"], upto)
    return {row["bucket_id"]: row["due_at"] for row in rows}


async def lock_place(connection: Connection, bucket_id: int, automation_id: int) -> Place | None:
    """Lock an automation's place in a bucket until the end of the transaction. None when the automation was deleted."""
    row = await connection.fetchrow(_SQL["lock_place"], bucket_id, automation_id)
    return None if row is None else Place(**row)


async def unread(
    connection: Connection, bucket_id: int, list_kind: ListKind, list_id: int, after: int, limit: int
) -> Unread:
    rows = await connection.fetch(_SQL["unread"], bucket_id, list_kind, list_id, after, limit)
    changes = [ReadChange(*row[2:]) for row in rows if row["sequence"] is not None]
    return Unread(changes=changes, head=rows[0]["head"], evaluated_through=rows[0]["evaluated_through"])


async def waiting_runs(
    connection: Connection,
    bucket_id: int,
    automation_id: int,
    people: Collection[int],
    evaluated_through: datetime,
    limit: int,
) -> list[WaitingRun]:
    """The waiting runs of these people, and up to `limit` of others whose hold is over, the earliest first."""
    rows = await connection.fetch(
        _SQL["waiting"], bucket_id, automation_id, list(people), evaluated_through, limit
    )
    return [WaitingRun(*row) for row in rows]


async def histories(
    connection: Connection, bucket_id: int, automation_id: int, people: Collection[int], since: datetime
) -> dict[int, History]:
    """By person, what the automation has done. `runs` counts from `since` on. People without a run are left out."""
    rows = await connection.fetch(_SQL["histories"], bucket_id, automation_id, list(people), since)
    return {row["subscriber_id"]: History(row["last_at"], row["runs"]) for row in rows}


async def existing_members(
    connection: Connection,
    bucket_id: int,
    list_kind: ListKind,
    list_id: int,
    after: int,
    head: int,
    limit: int,
) -> list[int]:
    """The next members of a list in the order of their ids, without those about whom the log tells after `head`, or is going to tell."""
    statement = _SQL["existing_in_segment" if list_kind == "SEGMENT" else "existing_in_group"]
    rows = await connection.fetch(statement, bucket_id, list_id, after, head, limit)
    return [row["subscriber_id"] for row in rows]


async def with_a_run(
    connection: Connection, bucket_id: int, automation_id: int, people: Collection[int], after: int
) -> set[int]:
    """Those of these people who have had a run because of a change after a sequence."""
    rows = await connection.fetch(_SQL["with_a_run"], bucket_id, automation_id, list(people), after)
    return {row["subscriber_id"] for row in rows}


async def add_runs(
    connection: Connection,
    bucket_id: int,
    automation_id: int,
    revision: int,
    runs: Sequence[NewRun],
    now: datetime,
) -> None:
    if not runs:
        return
    columns = [list(column) for column in zip(*runs, strict=True)]
    names = (
        "ids",
        "people",
        "states",
        "reasons",
        "have_entered",
        "causes",
        "sequences",
        "origins",
        "instants",
        "dues",
    )
    values = _ADD_RUNS.arguments(
        bucket_id=bucket_id,
        automation_id=automation_id,
        revision=revision,
        now=now,
        **dict(zip(names, columns, strict=True)),
    )
    await connection.execute(_ADD_RUNS.text, *values)


async def end_runs(connection: Connection, bucket_id: int, ended: Sequence[EndedRun], now: datetime) -> None:
    if ended:
        ids, states, reasons = zip(*ended, strict=True)
        await connection.execute(_SQL["end_runs"], bucket_id, now, ids, states, reasons)


async def move_place(
    connection: Connection, bucket_id: int, automation_id: int, *, sequence: int, existing_to: int | None
) -> None:
    """The last statement: everything up to here is decided and done."""
    await connection.execute(_SQL["move_place"], bucket_id, automation_id, sequence, existing_to)


async def next_due(connection: Connection, bucket_id: int) -> datetime | None:
    """When the first hold in the bucket is over; None without one."""
    due_at: datetime | None = await connection.fetchval(_SQL["next_due"], bucket_id)
    return due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTotals:
    """How many runs there are, of all workspaces."""

    by_state: Mapping[str, int]
    """WAITING: those that wait now. Other states: those that ended lately."""
    oldest_unread: datetime | None
    """When the first change occurred that some automation has not read; None when all are read."""


async def totals(connection: Connection, since: datetime) -> RunTotals:
    """What monitoring asks for. Ended runs count from `since` on."""
    by_state: Counter[str] = Counter()
    for row in await connection.fetch(_SQL["recent_runs"], since):
        by_state[row["state"]] += row["runs"]
    for row in await connection.fetch(_SQL["waiting_runs"]):
        by_state["WAITING"] += row["runs"]
    unread = [row["oldest"] for row in await connection.fetch(_SQL["oldest_unread"])]
    return RunTotals(by_state=by_state, oldest_unread=min(filter(None, unread), default=None))


async def prune_runs(connection: Connection, bucket_id: int, *, before: datetime, limit: int) -> bool:
    """Delete up to `limit` runs that ended before this instant. Returns False when there are none."""
    return await connection.execute(_SQL["prune_runs"], bucket_id, before, limit) != "DELETE 0"


async def buckets_with_places(connection: Connection) -> list[int]:
    """The buckets in which automations act."""
    return sorted(row["bucket_id"] for row in await connection.fetch(_SQL["buckets_with_places"]))
