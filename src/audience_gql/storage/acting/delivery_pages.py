"""Pages of the deliveries of endpoints, and of the attempts of deliveries: one statement for any number of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from audience_gql.storage.acting.deliveries import AttemptRecord, DeliveryState
from audience_gql.storage.database import Database
from audience_gql.storage.reads.slices import Entry, Order, Slice, by_parent

DeliveryKey: TypeAlias = tuple[int, int]
"""A delivery: (bucket id, delivery id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One message to one endpoint."""

    bucket_id: int
    id: int
    endpoint_id: int
    automation_id: int
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


async def deliveries_of_endpoints(
    database: Database,
    workspace_id: int,
    endpoint_ids: Sequence[int],
    part: Slice,
    *,
    states: Collection[DeliveryState] = (),
) -> dict[int, list[Entry[DeliveryRecord]]]:
    """The deliveries of each endpoint in one of these states, the latest first. No states means any state."""
    order = Order(("d.created_at", "d.id", "d.bucket_id"))
    bound: list[object] = [workspace_id, list(endpoint_ids), list(states) or None]
    beyond = order.beyond(part.after, bound)
    columns = ", ".join(f"d.{name}" for name in DeliveryRecord.__dataclass_fields__)
    rows = await database.fetch(
        "SELECT p.number, x.* FROM unnest($2::bigint[]) WITH ORDINALITY AS p (id, number) CROSS JOIN LATERAL ("
        "SELECT y.* FROM buckets b CROSS JOIN LATERAL ("
        f"SELECT {columns}, {order.columns} FROM deliveries d "
        f"WHERE d.bucket_id = b.id AND d.endpoint_id = p.id AND ($3::text[] IS NULL OR d.state = ANY($3::text[])) AND {beyond} "
        f"ORDER BY {order.clause} {part.limit}) y "
        f"WHERE b.workspace_id = $1 ORDER BY {order.outer_clause} {part.limit}) x "
        f"ORDER BY p.number, {order.outer_clause}",
        *bound,
    )
    names = DeliveryRecord.__dataclass_fields__
    return by_parent(
        endpoint_ids,
        rows,
        lambda row: Entry(DeliveryRecord(**{name: row[name] for name in names}), order.position(row)),
    )


async def attempts_of_deliveries(
    database: Database, keys: Sequence[DeliveryKey], part: Slice
) -> dict[DeliveryKey, list[Entry[AttemptRecord]]]:
    """The attempts of each delivery, the latest first."""
    order = Order(("a.number",))
    bound: list[object] = [[bucket_id for bucket_id, _ in keys], [delivery_id for _, delivery_id in keys]]
    beyond = order.beyond(part.after, bound)
    names = AttemptRecord.__dataclass_fields__
    columns = ", ".join(f"a.{name} AS a_{name}" for name in names)
    rows = await database.fetch(
        "SELECT p.number, x.* FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (bucket_id, id, number) "
        f"CROSS JOIN LATERAL (SELECT {columns}, {order.columns} FROM delivery_attempts a "
        f"WHERE a.bucket_id = p.bucket_id AND a.delivery_id = p.id AND {beyond} ORDER BY {order.clause} {part.limit}) x "
        f"ORDER BY p.number, {order.outer_clause}",
        *bound,
    )
    return by_parent(
        keys,
        rows,
        lambda row: Entry(AttemptRecord(**{name: row[f"a_{name}"] for name in names}), order.position(row)),
    )
