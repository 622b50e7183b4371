"""An operation that nobody waits for any more, or that takes too long, ends in Postgres, too."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.api.conftest import Api, Server
from tests.api.test_socket import entered, received, send, subscribe
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.slow
"""These tests start two web processes, and wait for them."""

PATIENT = """
import sys
from dataclasses import replace
from audience_gql.app import create_app
from audience_gql.config import settings_from_environment
from audience_gql.serving.server import serve

usual = settings_from_environment()
patient = replace(usual, statement_timeout_seconds=100, lock_timeout_seconds=100, operation_seconds=float(sys.argv[2]))
serve(create_app(patient), host="127.0.0.1", port=int(sys.argv[1]), settings=patient)
"""
"""A web process in which only the operation's own end ends a statement: Postgres' limits are far away."""
READS = {
    "a page": ("imports", "{ imports(first: 5) { edges { node { id state } } } }"),
    "a loader": ("group_members", "{ subscribers(first: 5) { edges { node { groups { edges { node { name } } } } } } }"),
    "a heavy read": ("segment_members", '{ segmentOverlap(segmentIds: ["SEGMENT", "SEGMENT"]) { members } }'),
}  # fmt: skip
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'
"""


@asynccontextmanager
async def patient_server(
    database_url: str, redis_url: str, seconds: float, **environment: str
) -> AsyncIterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "AUDIENCE_SECRET_KEY": "a key",
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PATIENT, str(port), str(seconds), env={**os.environ, **told}, stderr=subprocess.PIPE
    )  # fmt: skip
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:

            async def is_there() -> bool:
                with suppress(httpx.ConnectError):
                    return (await client.get(f"http://127.0.0.1:{port}/healthz")).is_success
                return False

            await until(is_there)
        yield Server(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/graphql", process)
    finally:
        process.terminate()
        await process.wait()
    assert b"Traceback" not in await errors


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def patient(database_url, redis_url) -> AsyncIterator[Server]:
    async with patient_server(database_url, redis_url, 100) as started:
        yield started


def is_met(found: int, wanted: int) -> bool:
    return found >= wanted if wanted else found == 0


@asynccontextmanager
async def locked(database_url: str, table: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Nobody reads the table during the context. The function waits until at least so many statements wait for it, or none."""
    blocker, watcher = await asyncpg.connect(database_url), await asyncpg.connect(database_url)

    async def waiting(number: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_met(await watcher.fetchval(WAITING, table), number):  # noqa: ASYNC110  # Postgres tells nobody
                await asyncio.sleep(0.02)

    try:
        async with blocker.transaction():
            await blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield waiting
    finally:
        await blocker.close()
        await watcher.close()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def hasty(database_url, redis_url) -> AsyncIterator[Server]:
    async with patient_server(database_url, redis_url, 2) as started:
        yield started


async def read_of(api: Api, name: str) -> tuple[str, str]:
    table, document = READS[name]
    await api.upsert({"externalId": "ada"})
    return table, document.replace("SEGMENT", await api.segment(f"Everyone {name}", {"all": []}))


@pytest.mark.parametrize("name", READS)
async def test_a_client_that_closes_the_connection_ends_its_statement(database_url, patient, api, name):
    table, document = await read_of(api, name)
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with locked(database_url, table) as waiting:
        async with httpx.AsyncClient(base_url=patient.url, headers=headers, timeout=60) as client:
            task = asyncio.create_task(client.post("/graphql", json={"query": document}))
            await waiting(1)
            task.cancel()

        await waiting(0)

    async with httpx.AsyncClient(base_url=patient.url, headers=headers, timeout=60) as client:
        answer = await client.post("/graphql", json={"query": document})
    assert "errors" not in answer.json(), "the connection to Postgres is of use again"


@pytest.mark.parametrize("name", READS)
async def test_an_operation_that_a_socket_s_client_completes_ends_its_statement(
    database_url, patient, api, name
):
    table, document = await read_of(api, name)
    async with locked(database_url, table) as waiting, entered(patient, await api.token()) as one:
        await send(one, subscribe(document))
        await waiting(1)

        await send(one, {"type": "complete", "id": "1"})

        await waiting(0)
        await send(one, subscribe("{ __typename }"))
        assert (await received(one))["payload"] == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("name", READS)
async def test_an_operation_that_takes_too_long_ends_its_statement(database_url, hasty, api, name):
    table, document = await read_of(api, name)
    headers = {"authorization": f"Bearer {await api.token()}"}
    async with (
        httpx.AsyncClient(base_url=hasty.url, headers=headers, timeout=60) as client,
        locked(database_url, table) as waiting,
    ):
        task = asyncio.create_task(client.post("/graphql", json={"query": document}))
        await waiting(1)
        answer = await task
        await waiting(0)

    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "TIMEOUT"
    assert (
        error["message"]
        == "The operation took more than 2 s and was stopped. Its changes up to then are kept."
    )


async def test_a_mutation_does_what_it_was_sent_for_although_nobody_reads_the_answer(
    database_url, patient, api
):
    headers = {"authorization": f"Bearer {await api.token()}"}
    create = 'mutation { createGroup(input: {name: "Sent"}) { __typename } }'
    async with (
        locked(database_url, "groups") as waiting,
        httpx.AsyncClient(base_url=patient.url, headers=headers, timeout=60) as client,
    ):
        task = asyncio.create_task(client.post("/graphql", json={"query": create}))
        await waiting(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    found: list[object] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not found:
            await asyncio.sleep(0.05)
            found = (await api.data("{ groups { edges { node { name } } } }"))["groups"]["edges"]
    assert found == [{"node": {"name": "Sent"}}]
