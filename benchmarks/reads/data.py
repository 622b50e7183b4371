"""Loads the demo's data, and what the questions need beyond it: names, places, more groups and channel states of the same people."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from audience_gql.audience.access import create_token
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.demo import loading
from audience_gql.demo.cdnow import CUSTOMERS
from audience_gql.opened_ports import open_ports
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.schema import analyze, migrate
from benchmarks.engine.observed import ObservedWorker

_VIEWS: Final = Path(__file__).with_name("views.sql")
_PATIENCE_SECONDS: Final = 300
_BATCH: Final = 1_000
_FIRST: Final = ("Ada", "Jonas", "Mia", "Luka", "Nora", "Emil", "Ieva", "Oskar", "Lena", "Tomas", "Sofia")
_LAST: Final = ("Kazlauskas", "Meyer", "Rossi", "Novak", "Larsen", "Dubois", "Tamm")
_PLACES: Final = (
    ("LT", "Vilnius", "lt"),
    ("DE", "Berlin", "de"),
    ("FR", "Lyon", "fr"),
    ("EE", "Tartu", "et"),
)
_GROUPS: Final = ("Newsletter", "Vinyl", "Concerts", "Beta readers", "Gift cards", "Surveys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What the questions name. All numbers are those of storage."""

    workspace_id: int
    bucket_id: int
    token: str
    segment_ids: tuple[int, ...]
    """By name."""
    person_ids: tuple[int, ...]
    """Some people, drawn by their random ids."""


async def prepared(database_url: str, redis_url: str, *, people: int) -> Data:
    """Load everything unless it is there, with a worker that fills the segments and then ends. `people` is how many to name."""
    await migrate(database_url)
    async with open_ports(database_url, redis_url) as ports:
        workspace = await loading.open_workspace(ports=ports)
        if not await ports.database.fetchval("SELECT to_regnamespace('reads') IS NOT NULL"):  # made last
            async with ObservedWorker.started(ports.database, database_url=database_url, redis_url=redis_url):
                await _load(ports, workspace)
                await _until_settled(ports, workspace)
        _, token = await create_token(ports=ports, workspace=workspace, name="reads", scopes=["READ"])
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_VIEWS.read_text(encoding="utf-8"))
        await connection.execute("VACUUM ANALYZE")  # as autovacuum does after a while
        return await _named(connection, workspace.id, token, people)
    finally:
        await connection.close()


async def _load(ports: Ports, workspace: Workspace) -> None:
    await loading.load(ports=ports, workspace=workspace, advance=lambda _: None)
    groups = [
        (await create_group(ports=ports, workspace=workspace, name=name, description=None)).id
        for name in _GROUPS
    ]
    log = await ports.database.fetch(
        "SELECT s.external_id FROM buckets b JOIN subscribers s ON s.bucket_id = b.id WHERE b.workspace_id = $1 "
        "ORDER BY s.external_id",
        workspace.id,
    )
    assert len(log) == CUSTOMERS
    for start in range(0, len(log), _BATCH):
        items = [
            _item(number, log[number]["external_id"], groups)
            for number in range(start, min(start + _BATCH, len(log)))
        ]
        upserted = await upsert_subscribers(ports=ports, workspace=workspace, items=items, bulk=True)
        assert not upserted.rejects, upserted.rejects[0]


def _item(number: int, external_id: str, groups: list[int]) -> dict[str, object]:
    """What is known about this person beyond the demo: four to six groups, and one or two channels."""
    country, city, language = _PLACES[number % len(_PLACES)]
    channels = [{"channel": "EMAIL", "status": ("ACTIVE", "UNSUBSCRIBED")[number % 7 == 0]}]
    if number % 3 == 0:
        channels.append({"channel": "SMS", "status": "ACTIVE"})
    return {
        "externalId": external_id,
        "firstName": _FIRST[number % len(_FIRST)],
        "lastName": _LAST[number % len(_LAST)],
        "country": country,
        "city": city,
        "language": language,
        "channels": channels,
        "addToGroupIds": groups[: 4 + number % 3],
    }


async def _until_settled(ports: Ports, workspace: Workspace) -> None:
    """Wait until every segment is filled, no mark is left and the automation has acted."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    quiet = 0
    while quiet < 5:
        assert time.monotonic() < deadline, "the worker does not finish"
        await asyncio.sleep(0.2)
        busy = await ports.database.fetchval(
            "SELECT (SELECT count(*) FROM dirty) + (SELECT count(*) FROM segments s CROSS JOIN buckets b "
            "LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id "
            "WHERE b.workspace_id = $1 AND s.workspace_id = $1 "
            "AND (t.generation IS DISTINCT FROM s.generation OR t.filled_to IS NOT NULL))",
            workspace.id,
        )
        quiet = 0 if busy else quiet + 1
    await analyze(ports.database)


async def _named(
    connection: asyncpg.Connection[asyncpg.Record], workspace_id: int, token: str, people: int
) -> Data:
    buckets = await connection.fetch("SELECT id FROM buckets WHERE workspace_id = $1", workspace_id)
    assert len(buckets) == 1, "the views of the other servers are made for one bucket"
    segments = await connection.fetch(
        "SELECT id FROM segments WHERE workspace_id = $1 ORDER BY name_folded", workspace_id
    )
    chosen = await connection.fetch(
        "SELECT id FROM subscribers WHERE bucket_id = $1 ORDER BY id LIMIT $2", buckets[0]["id"], people
    )
    return Data(
        workspace_id=workspace_id,
        bucket_id=buckets[0]["id"],
        token=token,
        segment_ids=tuple(row["id"] for row in segments),
        person_ids=tuple(row["id"] for row in chosen),
    )
