"""Puts what an automation has to send to webhooks into the outbox, in the transaction that records its runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import NamedStatement, load_statements
from audience_gql.telemetry.traces import trace_to_leave

_SQL: Final = load_statements(__file__)
_PUT: Final = NamedStatement(_SQL["put"])


class NewChange(NamedTuple):
    """One person entered or left a list, and a run sends it to an endpoint."""

    run_id: int
    subscriber_id: int
    entered: bool
    cause: str
    occurred_at: datetime
    sequence: int
    """The change's place in the bucket's log, or that of the last change that the automation had read before."""
    fields: Sequence[str]


async def put(
    connection: Connection,
    *,
    bucket_id: int,
    endpoint_id: int,
    automation_id: int,
    list_kind: ListKind,
    list_id: int,
    changes: Sequence[NewChange],
    now: datetime,
) -> None:
    """Append changes to a lane. The lane is locked until the end of the transaction, so its numbers follow the order of the commits."""
    first = await connection.fetchval(_SQL["take_numbers"], bucket_id, endpoint_id, len(changes), now)
    runs, people, entered, causes, instants, sequences, fields = zip(*changes, strict=True)
    values = _PUT.arguments(
        bucket_id=bucket_id,
        endpoint_id=endpoint_id,
        automation_id=automation_id,
        list_kind=list_kind,
        list_id=list_id,
        numbers=range(first, first + len(changes)),
        runs=runs,
        people=people,
        have_entered=entered,
        causes=causes,
        instants=instants,
        sequences=sequences,
        fields=[" ".join(names) for names in fields],
        trace=trace_to_leave(),
    )
    await connection.execute(_PUT.text, *values)
