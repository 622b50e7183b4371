"""What the benchmarks' generator writes straight into the tables is what the application would have written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.engine.membership import Membership, Ticked
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs, SimulatedClock
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.profile import TEXT_COLUMNS
from audience_gql.storage import buckets, definitions, segment_definitions
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import Mark
from audience_gql.storage.postgres.database import Database
from benchmarks.engine import generator

PEOPLE, EVENTS, SEGMENTS = 500, 6_000, 100
BEFORE_ALL = datetime(
    2000, 1, 1, tzinfo=UTC
)  # a tick's time is never before the bucket's last, so it stands still there

Row = dict[str, Any]

WHO = "s.bucket_id = $1 AND s.id = x.subscriber_id AND x.bucket_id = $1"
TABLES = {
    "identities": f"SELECT s.external_id, x.kind, x.value FROM identities x JOIN subscribers s ON {WHO}",
    "own dates": f"SELECT s.external_id, x.field_id, x.at FROM subscriber_dates x JOIN subscribers s ON {WHO} WHERE x.field_id IN (3, -3)",
    "field dates": (
        f"SELECT s.external_id, f.key, x.field_id > 0 AS is_whole, x.at FROM subscriber_dates x JOIN subscribers s ON {WHO} "
        "JOIN custom_fields f ON f.id = abs(x.field_id)"
    ),
    "channels": f"SELECT s.external_id, x.channel, x.status, x.reason FROM channel_states x JOIN subscribers s ON {WHO}",
    "groups": f"SELECT s.external_id, g.name FROM group_members x JOIN subscribers s ON {WHO} JOIN groups g ON g.id = x.group_id",
    "group counters": "SELECT g.name, x.members FROM group_states x JOIN groups g ON g.id = x.group_id WHERE x.bucket_id = $1 AND x.members > 0",
    "events": (
        "SELECT s.external_id, n.name, x.occurred_at, x.value, x.properties, x.properties_folded, x.properties_times "
        f"FROM events x JOIN subscribers s ON {WHO} JOIN event_names n ON n.id = x.name_id"
    ),
}


pytestmark = pytest.mark.bulk


@dataclass
class Audience:
    """One workspace of one bucket."""

    ports: Ports
    pool: TickPool
    workspace: Workspace
    bucket_id: int

    @classmethod
    async def of(cls, ports: Ports, pool: TickPool, workspace: Workspace) -> Audience:
        async with ports.database.acquire() as connection:
            (bucket_id,) = await buckets.bucket_ids(connection, workspace.id)
        return cls(ports, pool, workspace, bucket_id)

    async def rows(self, sql: str) -> list[Row]:
        return [dict(row) for row in await self.ports.database.fetch(sql, self.bucket_id)]

    async def contents(self, table: str) -> list[Row]:
        return sorted(await self.rows(TABLES[table]), key=repr)

    async def people(self) -> list[Row]:
        """Their columns, and their fields by key."""
        columns = ", ".join(f"{name}, {name}_folded" for name in TEXT_COLUMNS)
        rows = await self.rows(
            f"SELECT {columns}, birthday, fields, fields_folded FROM subscribers WHERE bucket_id = $1 ORDER BY external_id"
        )
        async with self.ports.database.acquire() as connection:
            fields = await definitions.fields_by_key(connection, self.workspace.id)
        keys = {str(ref.id): ref.key for ref in fields.values()}
        for row in rows:
            for name in ("fields", "fields_folded"):
                row[name] = {keys[field_id]: value for field_id, value in json.loads(row[name]).items()}
        return rows

    async def tick(self) -> Ticked:
        ticked = await Membership(self.ports, self.pool).tick(self.bucket_id)
        assert ticked is not None
        return ticked


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def generated(database: Database, tick_pool: TickPool) -> AsyncIterator[Audience]:
    size = generator.Size(people=PEOPLE, events=EVENTS, segments=SEGMENTS)
    workspace = await generator.load(database, size)
    ports = Ports(
        database=database, clock=SimulatedClock(BEFORE_ALL), signals=MemorySignals(), jobs=NotedJobs()
    )
    yield await Audience.of(ports, tick_pool, workspace)


async def test_rows_are_those_that_the_application_writes(generated: Audience) -> None:
    written = await _write_the_same(generated)

    assert await written.people() == await generated.people()
    for table in TABLES:
        assert await written.contents(table) == await generated.contents(table), table


async def test_there_is_as_much_as_was_asked_for(generated: Audience) -> None:
    people = await generated.people()
    events = await generated.contents("events")

    assert len(people) == PEOPLE
    assert abs(len(events) - EVENTS) < PEOPLE
    assert any(person["last_name_folded"] == "strauss" for person in people)
    assert any(event["properties_folded"] != "{}" for event in events)
    for table in TABLES:
        assert await generated.contents(table), table


async def test_created_and_updated_have_their_dates(generated: Audience) -> None:
    people = await generated.rows("SELECT id, created_at, updated_at FROM subscribers WHERE bucket_id = $1")
    dates = await generated.rows(
        "SELECT subscriber_id, field_id, at FROM subscriber_dates WHERE bucket_id = $1 AND field_id IN (1, 2)"
    )

    at = {(row["subscriber_id"], row["field_id"]): row["at"] for row in dates}

    assert at == {
        (person["id"], field_id): person[column]
        for person in people
        for field_id, column in ((1, "created_at"), (2, "updated_at"))
    }


async def test_ticks_and_fills_agree_on_every_segment(generated: Audience) -> None:
    await generated.tick()
    engine = Membership(generated.ports, generated.pool)
    async with generated.ports.database.acquire() as connection:
        segments = await segment_definitions.segments(connection, generated.workspace.id)
    for segment in segments:
        await engine.fill(generated.bucket_id, segment.id)
    async with generated.ports.database.transaction() as transaction:
        ids = [row["id"] for row in await generated.rows("SELECT id FROM subscribers WHERE bucket_id = $1")]
        marks = [Mark(id_, "created") for id_ in ids]
        await facts.write_marks(transaction.connection, generated.bucket_id, marks)

    ticked = await generated.tick()

    sizes = await generated.rows(
        "SELECT members FROM segment_states WHERE bucket_id = $1 AND filled_to IS NULL"
    )
    assert ticked.is_drained
    assert ticked.changes == 0
    assert len(sizes) == SEGMENTS
    assert sum(row["members"] > 0 for row in sizes) > 0.9 * SEGMENTS
    assert await generated.rows("SELECT 1 FROM dirty WHERE bucket_id = $1") == []


async def _write_the_same(generated: Audience) -> Audience:
    """The same people and events, sent through the application."""
    ports = generated.ports
    workspace = await create_workspace(ports=ports, name="Benchmark, written by the application")
    for field in await generated.ports.database.fetch(
        "SELECT key, type FROM custom_fields WHERE workspace_id = $1", generated.workspace.id
    ):
        await define_custom_field(ports=ports, workspace=workspace, label=field["key"], **field)
    group_ids = {}
    for group in await ports.database.fetch(
        "SELECT name FROM groups WHERE workspace_id = $1", generated.workspace.id
    ):
        group_ids[group["name"]] = (
            await create_group(ports=ports, workspace=workspace, name=group["name"])
        ).id
    items = [item async for item in _items(generated, group_ids)]
    upserted = await upsert_subscribers(ports=ports, workspace=workspace, items=items)
    assert (upserted.created, upserted.rejects) == (PEOPLE, [])
    present = Ports(
        database=ports.database,
        clock=SimulatedClock(datetime.now(UTC)),
        signals=ports.signals,
        jobs=ports.jobs,
    )
    events = [_event(row) for row in await generated.contents("events")]
    for start in range(0, len(events), 1000):
        tracked = await track_events(ports=present, workspace=workspace, items=events[start : start + 1000])
        assert tracked.rejects == []
    written = await Audience.of(ports, generated.pool, workspace)
    while not (await written.tick()).is_drained:
        pass
    return written


async def _items(generated: Audience, group_ids: Mapping[str, int]) -> AsyncIterator[dict[str, object]]:
    """What callers would have said of these people."""
    words = dict(zip(TEXT_COLUMNS, TEXT_COLUMNS, strict=True)) | {
        "external_id": "externalId",
        "first_name": "firstName",
        "last_name": "lastName",
        "postal_code": "postalCode",
    }
    channels, groups = await generated.contents("channels"), await generated.contents("groups")
    for person in await generated.people():
        hers = person["external_id"]
        yield {
            **{word: person[column] for column, word in words.items()},
            "birthday": person["birthday"],
            "fields": [{"key": key, "value": value} for key, value in person["fields"].items()],
            "channels": [row for row in channels if row["external_id"] == hers],
            "addToGroupIds": [group_ids[row["name"]] for row in groups if row["external_id"] == hers],
        }


def _event(row: Row) -> EventItem:
    return EventItem(
        subscriber=SubscriberKey(kind="externalId", value=row["external_id"]),
        name=row["name"],
        occurred_at=row["occurred_at"],
        value=row["value"],
        properties=json.loads(row["properties"]),
    )
