"""Clients as people have them meet a running server: how they show their token, what they do when refused, and persisted queries."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests import npm
from tests.api.test_socket import entered
from tests.api.test_trusted_documents import hash_of, limited_token, publish

FOLDER = Path(__file__).parents[1] / "clients" / "runtime"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def program(node):
    npm.install(node, FOLDER)
    return node.program


@asynccontextmanager
async def running(program, server, token: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client, while it does what the words say."""
    addresses = {"URL": f"{server.url}/graphql", "SOCKET_URL": server.socket_url, "TOKEN": token}
    process = await asyncio.create_subprocess_exec(
        program, "clients.mjs", *words, cwd=FOLDER, env={**os.environ, **addresses},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def outcome(process: asyncio.subprocess.Process):
    async with asyncio.timeout(30):
        told, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return json.loads(told)


async def done(program, server, token: str, *words: str):
    async with running(program, server, token, *words) as process:
        return await outcome(process)


@pytest.mark.parametrize(
    ("payload", "upgrade"),
    [
        ({"authorization": "Bearer {token}"}, {}),
        ({"Authorization": "Bearer {token}"}, {}),
        ({"headers": {"Authorization": "Bearer {token}"}}, {}),
        ({}, {"Authorization": "Bearer {token}"}),
    ],
)
async def test_graphql_ws_is_let_in_however_it_shows_its_token(program, server, api, payload, upgrade):
    token = await api.token()
    words = [json.dumps(it).replace("{token}", token) for it in (payload, upgrade)]

    told = await done(program, server, token, "socket", *words)

    assert told == {"data": {"viewer": {"workspace": {"name": api.access.workspace.name}}}}


async def test_graphql_ws_tries_again_when_a_token_has_too_many_sockets(program, server, api):
    token = await api.token()
    async with AsyncExitStack() as others:
        for _ in range(5):
            await others.enter_async_context(entered(server, token))
        async with running(program, server, token, "refused") as process:
            assert process.stderr is not None
            async with asyncio.timeout(30):
                assert await process.stderr.readline() == b"refused\n"
            await others.aclose()

            told = await outcome(process)

    assert told["result"]["data"]["viewer"]["workspace"]["name"] == api.access.workspace.name
    assert set(told["codes"]) == {1013}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("client", ["apollo", "urql"])
async def test_clients_with_persisted_queries_fall_back_to_documents_for_good(
    program, server, api, client, method
):
    told = await done(program, server, await api.token(), client, method)

    assert told["data"] == [api.access.workspace.name] * 2
    assert [it["hasQuery"] for it in told["sent"]] == [False, True, True]
    assert told["sent"][0]["method"] == method


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("client", ["apollo", "urql"])
async def test_clients_with_persisted_queries_send_no_text_of_a_trusted_document(
    program, server, api, client, method
):
    token = await api.token()
    before = await done(program, server, token, client, method)
    text = next(it["query"] for it in before["sent"] if it["hasQuery"])
    await publish(api, text)
    limited = await limited_token(api)

    told = await done(program, server, limited, client, method)

    assert told["data"] == [api.access.workspace.name] * 2
    assert [(it["hasQuery"], it["method"], it["status"]) for it in told["sent"]] == [(False, method, 200)] * 2


async def test_urql_sends_the_id_of_a_document(program, server, api):
    text = "{ viewer { workspace { name } } }"
    await publish(api, text)

    told = await done(program, server, await limited_token(api), "urqlById", f"sha256:{hash_of(text)}")

    assert told["data"] == api.access.workspace.name
    assert [(it["hasQuery"], it["documentId"]) for it in told["sent"]] == [(False, f"sha256:{hash_of(text)}")]


async def test_apollo_s_cache_knows_the_possible_types_of_interfaces(program, server, api):
    token, file = await api.token(), FOLDER.parents[2] / "clients" / "possible-types.json"

    told = await done(program, server, token, "possibleTypes", str(file))

    failure = told["previewSegment"]
    assert failure["__typename"] == "NotFound"
    assert failure["path"] == ["comparedTo"]
    assert failure["message"]


async def test_without_them_it_does_not(program, server, api):
    told = await done(program, server, await api.token(), "possibleTypes", "")

    assert "message" not in ((told or {}).get("previewSegment") or {})
