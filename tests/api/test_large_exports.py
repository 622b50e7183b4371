"""Exports of many people: the purchase log of the demo there and back, and the memory that a large file takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from audience_gql.audience.imports.lifecycle import receive_file, start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.demo import cdnow
from tests.exporting import FIELD, export, number, rows_of, runner, written

pytestmark = pytest.mark.bulk
TYPES = {"orders": "NUMBER", "spent": "NUMBER", "first_order": "DATE", "days": "LIST"}
COLUMNS = ["externalId", *TYPES]


def customers() -> dict[str, dict[str, Any]]:
    """What plain Python makes of the log, by customer."""
    orders: dict[str, list[cdnow.Purchase]] = defaultdict(list)
    for purchase in cdnow.purchases():
        orders[purchase.customer_id].append(purchase)
    return {name: _customer(list_) for name, list_ in orders.items()}


def _customer(orders: list[cdnow.Purchase]) -> dict[str, Any]:
    days: list[date] = sorted({it.day for it in orders})
    return {
        "orders": len(orders),
        "spent": float(sum((it.dollars for it in orders), Decimal(0))),
        "first_order": days[0].isoformat(),
        "days": [day.isoformat() for day in days][:100],
    }


def expected(customer: dict[str, Any], name: str) -> dict[str, str]:
    return {
        "externalId": name,
        "orders": str(customer["orders"]),
        "spent": repr(customer["spent"]),
        "first_order": customer["first_order"],
        "days": ";".join(customer["days"]),
    }


async def define(api: Any) -> None:
    for key, type_ in TYPES.items():
        await api.data(FIELD, key=key, type=type_)


async def import_file(api: Any, content: bytes) -> None:
    columns = tuple(
        ColumnPlan(header=name, kind="field" if name in TYPES else "profile", target=name) for name in COLUMNS
    )
    ports = api.services.ports
    made, secret = await start_import(
        ports=ports, workspace=api.access.workspace, plan=ImportPlan(columns=columns), dry_run=False
    )

    async def parts():
        yield content

    await receive_file(ports=ports, import_id=made.id, secret=secret, content=parts())
    await ImportRunner(ports).work_off(made.id)


async def test_the_purchase_log_there_and_back(api, stranger):
    people = customers()
    for it in (api, stranger):
        await define(it)
    items = [
        {"externalId": name, "fields": [{"key": key, "value": value} for key, value in one.items()]}
        for name, one in people.items()
    ]
    for start in range(0, len(items), 1000):
        await api.upsert(*items[start : start + 1000])
    condition = {"field": {"key": "spent", "number": {"gte": 500}}}
    whole = await api.segment("All", {"all": []})
    big = await api.segment("Big spenders", condition)

    content = await written(api, whole, fields=COLUMNS)
    spenders = await written(api, big, fields=COLUMNS)
    await import_file(stranger, content)
    again = await stranger.segment("All", {"all": []})
    back = await written(stranger, again, fields=COLUMNS)

    wanted = {name: expected(one, name) for name, one in people.items()}
    assert {row["externalId"]: row for row in rows_of(content)} == wanted
    assert {row["externalId"]: row for row in rows_of(spenders)} == {
        name: row for name, row in wanted.items() if people[name]["spent"] >= 500
    }
    assert sorted(content.splitlines()) == sorted(back.splitlines())


async def test_a_large_file_takes_little_memory(api):
    """100,000 rows of 400 bytes: 40 MB."""
    people = 100_000
    group = await api.group("Everybody")
    (row,) = await api.services.ports.database.fetch(
        "SELECT id FROM groups WHERE workspace_id = $1", api.access.workspace.id
    )
    for start in range(0, people, 50_000):
        await api.services.ports.database.fetch(
            "WITH p AS (INSERT INTO subscribers (bucket_id, id, external_id, external_id_folded, first_name, first_name_folded, "
            "created_at, updated_at) SELECT $1, n, n::text, n::text, repeat('x', 350), repeat('x', 350), $3, $3 "
            "FROM generate_series($4::bigint + 1, $4::bigint + 50000) AS n RETURNING id) "
            "INSERT INTO group_members (bucket_id, group_id, subscriber_id, added_at) SELECT $1, $2, p.id, $3 FROM p",
            api.bucket_id,
            row["id"],
            api.clock.instant,
            start,
        )
    made = (await export(api, group, fields=["id", "externalId", "firstName", "enteredAt"]))["export"]
    gc.collect()
    tracemalloc.start()
    try:
        await runner(api).work_off(number(made["id"]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    (found,) = await api.services.ports.database.fetch(
        "SELECT state, rows, bytes FROM exports WHERE id = $1", number(made["id"])
    )
    assert (found["state"], found["rows"]) == ("DONE", people)
    assert found["bytes"] > 37_000_000
    assert peak < 12_000_000
