"""Pages of the deliveries of endpoints, and of the attempts of deliveries: one statement for any number of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg

from audience_gql.storage.acting.deliveries import AttemptRecord, DeliveryState
from audience_gql.storage.acting.pages import RUN_COLUMNS, RunRecord, run_record
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.keyed_rows import KeyedRows, rows_of_keys
from audience_gql.storage.reads.parent_pages import Listing, rows_of_pages, rows_of_pages_in_buckets
from audience_gql.storage.reads.slices import Entries, Order, Slice, by_parent

DeliveryKey: TypeAlias = tuple[int, int]
"""A delivery: (bucket id, delivery id)."""
DeliveriesOf: TypeAlias = tuple[int, tuple[str, ...]]
"""The deliveries of an endpoint, by its id, in one of these states; () for all states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One message to one endpoint."""

    bucket_id: int
    id: int
    endpoint_id: int
    automation_id: int
    epoch: int
    """Of the log when the message was formed. It is part of the message's id."""
    first_number: int
    last_number: int
    state: DeliveryState
    after: str
    cursor: str
    attempts: int
    """How many there were."""
    next_attempt_at: datetime | None
    """None unless the message waits."""
    created_at: datetime
    ended_at: datetime | None
    """None while the message waits."""

    @property
    def key(self) -> DeliveryKey:
        return self.bucket_id, self.id


_COLUMNS: Final = ", ".join(f"d.{name}" for name in DeliveryRecord.__dataclass_fields__)
_DELIVERIES: Final = KeyedRows(
    _COLUMNS,
    "JOIN deliveries d ON d.bucket_id = b.id AND d.id = k.id JOIN webhook_endpoints e ON e.id = d.endpoint_id",
    {"id": "bigint"},
)
_TOLD_RUNS: Final = KeyedRows(
    f"d.id AS delivery_id, {RUN_COLUMNS}",
    "JOIN deliveries d ON d.bucket_id = b.id AND d.id = k.id "
    "JOIN webhook_changes c ON c.bucket_id = b.id AND c.endpoint_id = d.endpoint_id "
    "AND c.number >= d.first_number AND c.number <= d.last_number "
    "JOIN runs r ON r.bucket_id = b.id AND r.id = c.run_id ORDER BY c.number",
    {"id": "bigint"},
)


async def pages_of_deliveries(
    database: Database, workspace_id: int, wanted: Sequence[DeliveriesOf], part: Slice
) -> dict[DeliveriesOf, Entries[DeliveryRecord]]:
    """The deliveries of each endpoint in one of its states, the latest first: one statement for each different choice of states."""
    found: dict[DeliveriesOf, Entries[DeliveryRecord]] = {}
    for states in {states for _, states in wanted}:
        endpoint_ids = [endpoint_id for endpoint_id, chosen in wanted if chosen == states]
        pages = await deliveries_of_endpoints(database, workspace_id, endpoint_ids, part, states=states)
        found |= {(endpoint_id, states): page for endpoint_id, page in pages.items()}
    return found


async def deliveries_of_endpoints(
    database: Database,
    workspace_id: int,
    endpoint_ids: Sequence[int],
    part: Slice,
    *,
    states: Collection[str] = (),
) -> dict[int, Entries[DeliveryRecord]]:
    """The deliveries of each endpoint in one of these states, the latest first. No states means any state."""
    order = Order(("d.created_at", "d.id", "d.bucket_id"))
    bound: list[object] = [workspace_id, None, list(states) or None]
    beyond = order.beyond(part.after, bound)
    rows_of_bucket = (
        f"SELECT {_COLUMNS}, {order.columns} FROM deliveries d WHERE d.bucket_id = b.id AND d.endpoint_id = {{parent}} "
        f"AND ($3::text[] IS NULL OR d.state = ANY($3::text[])) AND {beyond}"
    )
    listing = Listing(rows=rows_of_bucket, order=order, part=part)
    rows = await rows_of_pages(database, endpoint_ids, listing, bound)
    return by_parent(endpoint_ids, rows, order, _delivery)


async def deliveries_by_keys(
    database: Database, workspace_id: int, keys: Collection[DeliveryKey]
) -> dict[DeliveryKey, DeliveryRecord]:
    """Without the deliveries of deleted endpoints, which are deleted in the background."""
    rows = await rows_of_keys(database, workspace_id, keys, _DELIVERIES)
    return {(row["bucket_id"], row["id"]): _delivery(row) for row in rows}


async def runs_of_deliveries(
    database: Database, workspace_id: int, keys: Collection[DeliveryKey]
) -> dict[DeliveryKey, list[RunRecord]]:
    """The runs that each message tells, in its order. Those that are deleted already are missing."""
    rows = await rows_of_keys(database, workspace_id, keys, _TOLD_RUNS)
    found: dict[DeliveryKey, list[RunRecord]] = {}
    for row in rows:
        found.setdefault((row["bucket_id"], row["delivery_id"]), []).append(run_record(row))
    return found


async def attempts_of_deliveries(
    database: Database, workspace_id: int, keys: Sequence[DeliveryKey], part: Slice
) -> dict[DeliveryKey, Entries[AttemptRecord]]:
    """The attempts of each delivery, the latest first."""
    order = Order(("a.number",))
    bound: list[object] = [workspace_id, None, None]
    beyond = order.beyond(part.after, bound)
    names = AttemptRecord.__dataclass_fields__
    columns = ", ".join(f"a.{name} AS a_{name}" for name in names)
    rows_of_delivery = (
        f"SELECT {columns}, {order.columns} FROM delivery_attempts a "
        f"WHERE a.bucket_id = {{bucket}} AND a.delivery_id = {{parent}} AND {beyond}"
    )
    listing = Listing(rows=rows_of_delivery, order=order, part=part)
    rows = await rows_of_pages_in_buckets(database, keys, listing, bound)
    return by_parent(
        keys, rows, order, lambda row: AttemptRecord(**{name: row[f"a_{name}"] for name in names})
    )


def _delivery(row: asyncpg.Record) -> DeliveryRecord:
    return DeliveryRecord(**{name: row[name] for name in DeliveryRecord.__dataclass_fields__})
