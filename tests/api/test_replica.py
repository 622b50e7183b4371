"""Queries of clients that prefer the replica, on a real one: what it answers, and when the primary answers instead."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from audience_gql.config import MalformedSetting, settings_from_environment
from audience_gql.storage.engine.sweeps import beat
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.postgres.replica import Pools, Replica
from tests.api.conftest import Api, served_by, web_client
from tests.standby import Standby, standby_of

LT = {"country": {"is": "LT"}}
MEMBERS = """query ($id: ID!) { segment(by: {id: $id}) {
  members(first: 10) { feedCursor edges { node { externalId } } }
  memberCount evaluatedThrough
} }"""
TAIL = """query ($id: ID!, $after: String) {
  membershipChanges(segmentIds: [$id], after: $after) { hasMore changes { kind subscriberId } } }"""
EXPLAIN = """query ($id: ID!, $person: ID!) { segment(by: {id: $id}) {
  explain(subscriber: {id: $person}) { isMember } } }"""
PREFERRED = {"prefer": "respond-async, Replica; x=1"}


@pytest.fixture(scope="module")
def standby(pytestconfig, database_url) -> Any:
    if pytestconfig.option.postgres or {"DATABASE_URL", "CITUS_URL"} & os.environ.keys():
        pytest.skip("the replica has the programs of the wheel's Postgres, and the primary has others")
    with standby_of(database_url) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pools(standby: Standby) -> AsyncIterator[Pools]:
    opened = [
        await Database.open(
            standby.url, statement_timeout_seconds=60.0, lock_timeout_seconds=30.0, is_default=False
        )
        for _ in range(2)
    ]
    yield Pools(database=opened[0], heavy=opened[1])
    for each in opened:
        await each.close()


@pytest_asyncio.fixture(loop_scope="session")
async def replica(api: Api, pools: Pools) -> Replica:
    async def opener() -> Pools:
        return pools

    return Replica(primary=api.services.ports.database, now=api.clock.now, opener=opener, most_seconds=3600)


@pytest_asyncio.fixture(loop_scope="session")
async def web(api: Api, replica: Replica) -> AsyncIterator[httpx.AsyncClient]:
    api.services = replace(api.services, replica=replica)
    async with web_client(api) as client:
        yield client


async def ask(web: httpx.AsyncClient, document: str, *, prefer: bool = True, **variables: Any) -> Any:
    """The data of the response, and who answered."""
    found = await web.post(
        "/graphql", json={"query": document, "variables": variables}, headers=PREFERRED if prefer else {}
    )
    assert "errors" not in found.json(), found.text
    assert ("replica-lag" in found.headers) == ("preference-applied" in found.headers)
    return found.json()["data"], found.headers.get("preference-applied", "primary")


async def catch_up(replica: Replica) -> None:
    """Wait until the replica has everything that was committed so far."""
    begun = time.monotonic()
    while replica.behind_seconds is None or replica.behind_seconds > time.monotonic() - begun:
        await replica.look()


@asynccontextmanager
async def paused(pools: Pools) -> AsyncIterator[None]:
    """While the replica replays nothing."""
    await pools.database.fetchval("SELECT pg_wal_replay_pause()")
    await until(pools.database, "SELECT pg_get_wal_replay_pause_state() = 'paused'")
    try:
        yield
    finally:
        await pools.database.fetchval("SELECT pg_wal_replay_resume()")


async def test_a_replica_that_has_caught_up_answers_like_the_primary(api, web, replica):
    segment = await api.segment("LT", LT)
    await api.upsert(*({"externalId": str(number), "country": "LT"} for number in range(3)))
    await api.tick()

    before_it_was_seen = await ask(web, MEMBERS, id=segment)
    await catch_up(replica)
    there = await ask(web, MEMBERS, id=segment)
    here = await ask(web, MEMBERS, id=segment, prefer=False)
    written = await ask(web, 'mutation { createGroup(input: {name: "g"}) { ... on Group { name } } }')

    assert there == (here[0], "replica")
    assert here[0]["segment"]["memberCount"] == 3
    assert [answered for _, answered in (before_it_was_seen, here, written)] == ["primary"] * 3
    assert (replica.answers, replica.handed_back, replica.problem) == (1, 1, None)


async def test_an_old_page_and_the_changes_after_its_cursor_are_the_truth(api, web, replica, pools):
    segment = await api.segment("LT", LT)
    people = [{"externalId": str(number), "country": "LT"} for number in range(3)]
    first, *_ = await api.upsert(*people)
    await api.tick()
    await catch_up(replica)
    then = api.clock.instant

    async with paused(pools):
        api.clock.advance(timedelta(minutes=1))
        (newest,) = await api.upsert({"externalId": "new", "country": "LT"})
        await api.upsert({"externalId": "0", "country": "EE"})
        await api.tick()
        await replica.look()
        old, answered = await ask(web, MEMBERS, id=segment)
        unknown = await api.segment("EE", {"country": {"is": "EE"}})
        preview = "query ($id: ID!) { previewSegment(condition: {segment: {anyOf: [$id]}}) { ... on SegmentPreview { summary } ... on UserError { message } } }"
        by_the_primary = await ask(web, preview, id=unknown)
        replica.most_seconds = 0
        new = await ask(web, MEMBERS, id=segment)

    members = old["segment"]["members"]
    tail = (await ask(web, TAIL, prefer=False, id=segment, after=members["feedCursor"]))[0][
        "membershipChanges"
    ]
    assert answered == "replica"
    assert {edge["node"]["externalId"] for edge in members["edges"]} == {"0", "1", "2"}
    assert old["segment"]["evaluatedThrough"] == then.isoformat().replace("+00:00", "Z")
    assert {(it["kind"], it["subscriberId"]) for it in tail["changes"]} == {
        ("ENTERED", newest),
        ("LEFT", first),
    }
    assert not tail["hasMore"]
    assert by_the_primary[1] == new[1] == "primary"
    assert {it["node"]["externalId"] for it in new[0]["segment"]["members"]["edges"]} == {"1", "2", "new"}


@pytest.mark.parametrize("fault", ["recovery", "death"])
async def test_the_primary_answers_what_the_replica_does_not_finish(api, web, replica, pools, standby, fault):
    segment = await api.segment("opened", {"event": {"name": "opened", "within": {"last": {"days": 1}}}})
    (person,) = await api.upsert({"externalId": "1", "country": "LT"})
    await api.track({"subscriber": {"externalId": "1"}, "name": "opened"})
    await api.tick()
    primary = api.services.ports.database
    async with pools.database.acquire() as connection:
        await connection.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        await connection.execute("SELECT pg_reload_conf()")

    async with locked(primary, "events"):
        await catch_up(replica)
        asked = asyncio.create_task(ask(web, EXPLAIN, id=segment, person=person))
        await until_waiting(pools.database)
        if fault == "recovery":  # which takes this lock, too, from the query that holds one on the same table
            async with locked(primary, "segments"):
                pass
        else:
            standby.server.kill()
        await until_waiting(primary)
    answered = await asked

    assert answered == ({"segment": {"explain": {"isMember": True}}}, "primary")
    assert replica.handed_back == 1


@asynccontextmanager
async def locked(database: Database, table: str) -> AsyncIterator[None]:
    async with database.acquire() as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def until_waiting(database: Database) -> None:
    """Wait until a statement of this database waits for the lock on events."""
    await until(
        database,
        "SELECT count(*) > 0 FROM pg_locks l WHERE NOT l.granted AND l.relation = 'events'::regclass",
    )


async def until(database: Database, question: str) -> None:
    async with asyncio.timeout(60):
        while True:
            if await database.fetchval(question):
                return
            await asyncio.sleep(0.01)


async def test_metrics_and_readiness_tell_of_the_replica_and_the_work_needs_none(
    api, database, database_url, redis_url, standby, tmp_path
):
    now = datetime.now(UTC)
    async with database.acquire() as connection:
        await beat(connection, 1, now, now, looked_for_jobs_at=now, missed_after=timedelta(minutes=1))
    headers = {"authorization": f"Bearer {await api.token()}", **PREFERRED}
    query = {"query": "{ segments(first: 1) { edges { node { id } } } }"}
    settings = {
        "AUDIENCE_REPLICA_URL": standby.url,
        "AUDIENCE_POOL_SIZE": "3",
        "AUDIENCE_HEAVY_POOL_SIZE": "2",
    }

    async with (
        served_by(database_url, redis_url, tmp_path / "web.log", **settings) as server,
        httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client,
    ):
        await server.has("audience_replica_usable", 1, seconds=60)
        answered = await client.post("/graphql", json=query)
        usual, ready = (await client.get("/metrics")).text, await client.get("/readyz")
        standby.server.stop()
        await server.has("audience_replica_usable", 0, seconds=60)
        handed_back = await client.post("/graphql", json=query)
        without, still_ready = (await client.get("/metrics")).text, await client.get("/readyz")

    assert answered.headers["preference-applied"] == "replica"
    assert "preference-applied" not in handed_back.headers
    assert answered.json() == handed_back.json()
    expected = {
        "usable": 1,
        "queries_total replica": 1,
        "queries_total primary": 0,
        "most_connections replica": 3,
        "most_connections replica heavy": 2,
    }
    assert told_of_replica(usual) == expected
    assert told_of_replica(without) == expected | {"usable": 0, "queries_total primary": 1}
    assert (ready.status_code, ready.json()["parts"]["replica"]) == (200, "ok")
    assert (still_ready.status_code, still_ready.json()["parts"]["replica"]) == (200, "does not answer")


def told_of_replica(page: str) -> dict[str, float]:
    """The figures of the replica and of its pools, without those that change by themselves."""
    found = {
        " ".join(
            (
                it.name.removeprefix("audience_").removeprefix("replica_").removeprefix("pool_"),
                *it.labels.values(),
            )
        ): it.value
        for family in text_string_to_metric_families(page)
        for it in family.samples
        if "replica" in f"{it.name} {it.labels}"
    }
    assert found.pop("lag_seconds") >= 0
    return {name: value for name, value in found.items() if not name.startswith(("connections ", "waiting "))}


def test_the_settings_of_the_replica():
    given = {"DATABASE_URL": "a", "REDIS_URL": "b"}

    assert settings_from_environment(given).replica_url == ""
    assert settings_from_environment({**given, "AUDIENCE_REPLICA_LAG_SECONDS": "5"}).replica_lag_seconds == 5
    with pytest.raises(MalformedSetting):
        settings_from_environment({**given, "AUDIENCE_REPLICA_LAG_SECONDS": "0"})
