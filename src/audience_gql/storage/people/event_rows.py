"""Writes events and the marks about them, in one statement for a few events and by COPY for many.

It must not decide anything: audience/people/events.py has found the people and checked the events.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from audience_gql.storage.people.facts import CALLER, Mark, Source
from audience_gql.storage.postgres.database import Connection
from audience_gql.telemetry.traces import trace_to_leave

_FEW: Final = 30
"""Up to so many rows, one statement is faster than COPY twice, which takes four round trips. For more rows, COPY is faster, because
it saves the driver from encoding every value of many arrays."""
_MARK_COLUMNS: Final = ("bucket_id", "lane", "origin", "subscriber_id", "kind", "ref", "at")
_TRACED: Final = (*_MARK_COLUMNS, "trace")


class EventRow(NamedTuple):
    """A row of `events`, its columns in this order."""

    bucket_id: int
    subscriber_id: int
    name_id: int
    occurred_at: datetime
    id: int
    value: Decimal | None
    properties: str
    properties_folded: str
    properties_times: str | None


_WRITE_FEW: Final = (
    f"WITH marked AS (INSERT INTO dirty ({', '.join(_TRACED)}) "
    "SELECT $1::bigint, $2::smallint, $3::smallint, m.subscriber_id, m.kind, m.ref, m.at, $16::text "
    "FROM unnest($4::bigint[], $5::text[], $6::bigint[], $7::timestamptz[]) AS m (subscriber_id, kind, ref, at)) "
    f"INSERT INTO events ({', '.join(EventRow._fields)}) "
    f"SELECT $1::bigint, {', '.join(f'e.{name}' for name in EventRow._fields[1:])} "
    "FROM unnest($8::bigint[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::numeric[], $13::jsonb[], $14::jsonb[], $15::jsonb[]) "
    f"AS e ({', '.join(EventRow._fields[1:])})"
)


async def claim_event_keys(
    connection: Connection, bucket_id: int, keys: Collection[tuple[int, str]]
) -> set[tuple[int, str]]:
    """Record these (subscriber, key) pairs as used. Returns those that were not used before."""
    ordered = sorted(keys)
    rows = await connection.fetch(
        "INSERT INTO event_keys (bucket_id, subscriber_id, key) "
        "SELECT $1::bigint, k.subscriber_id, k.key FROM unnest($2::bigint[], $3::text[]) AS k (subscriber_id, key) "
        "ON CONFLICT (bucket_id, subscriber_id, key) DO NOTHING RETURNING subscriber_id, key",
        bucket_id,
        [subscriber_id for subscriber_id, _ in ordered],
        [key for _, key in ordered],
    )
    return {(row["subscriber_id"], row["key"]) for row in rows}


async def write_events(
    connection: Connection, events: Sequence[EventRow], marks: Mapping[int, set[Mark]], *, source: Source
) -> None:
    """Append events of any buckets, and the marks about them by bucket."""
    if len(marks) == 1 and len(events) <= _FEW:
        ((bucket_id, found),) = marks.items()
        await _write_few(connection, bucket_id, events, found, source)
        return
    await connection.copy_records_to_table("events", columns=EventRow._fields, records=events)
    await copy_marks(connection, marks, source=source)


async def copy_marks(
    connection: Connection, marks: Mapping[int, set[Mark]], *, source: Source = CALLER
) -> None:
    """Append many marks in several buckets, given by bucket. Cheaper per mark than `facts.write_marks`, but more expensive for a single mark."""
    trace = trace_to_leave()
    left = () if trace is None else (trace,)
    await connection.copy_records_to_table(
        "dirty",
        columns=_TRACED if left else _MARK_COLUMNS,
        records=[(bucket_id, *source, *mark, *left) for bucket_id, found in marks.items() for mark in found],
    )


async def _write_few(
    connection: Connection, bucket_id: int, events: Sequence[EventRow], marks: set[Mark], source: Source
) -> None:
    _, *columns = zip(*events, strict=True)
    await connection.execute(
        _WRITE_FEW, bucket_id, *source, *zip(*marks, strict=True), *columns, trace_to_leave()
    )
