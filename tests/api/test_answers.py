"""What every HTTP answer carries, what pages of other origins may do, and who reads the metrics: against servers of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from websockets import connect
from websockets.exceptions import InvalidStatus

from audience_gql.embedded.ports import free_port
from tests.api.conftest import Server, served_by
from tests.api.test_imports import COLUMNS, START
from tests.api.test_socket import PROTOCOL
from tests.api.test_sse import CHANGES, VIEWER, Stream
from tests.deployment.test_commands import run

APP = "https://app.example"
pytestmark = pytest.mark.faults


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(database_url, redis_url, tmp_path_factory) -> AsyncIterator[Server]:
    """A server for pages of one other origin, whose metrics have a token."""
    log = tmp_path_factory.mktemp("guarded") / "web.log"
    settings = {
        "AUDIENCE_ALLOWED_ORIGINS": f"{APP}, http://b.example:81",
        "AUDIENCE_METRICS_TOKEN": "figures",
    }
    async with served_by(database_url, redis_url, log, **settings) as started:
        yield started


def client(server, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=20)


async def upload_url(api) -> str:
    return (await api.data(START, input={"columns": COLUMNS}))["startImport"]["uploadUrl"]


async def preflight(browser: httpx.AsyncClient, path: str, origin: str, method: str, *names: str):
    asked = {"origin": origin, "access-control-request-method": method}
    if names:
        asked["access-control-request-headers"] = ",".join(names)
    return await browser.options(path, headers=asked)


@pytest.mark.parametrize("origin", [APP, "http://b.example:81"])
async def test_pages_of_allowed_origins_ask_by_http_and_read_streams_and_upload(guarded, api, origin):
    token, path = await api.token(), await upload_url(api)
    async with client(guarded) as browser:
        asked = await preflight(
            browser,
            "/graphql",
            origin,
            "POST",
            "authorization",
            "content-type",
            "last-event-id",
            "x-request-id",
        )
        told = await preflight(browser, path, origin, "PUT", "content-type")
        file = await preflight(browser, "/exports/exp_AQ/x", origin, "GET", "range", "if-range")
    for answer, methods in ((asked, "GET, POST"), (told, "PUT"), (file, "GET, HEAD")):
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
        assert answer.headers["access-control-allow-methods"] == methods
        assert "access-control-allow-credentials" not in answer.headers

    async with client(guarded, origin=origin, authorization=f"Bearer {token}") as browser:
        answers = [
            await browser.post("/graphql", json={"query": VIEWER}),
            await browser.get("/graphql", params={"query": VIEWER}),
            await browser.post("/graphql", json={"query": "{"}),
            await browser.put(path, content=b"id,mail\n1,a@x.org\n", headers={"content-type": "text/csv"}),
            await browser.put(path, content=b"", headers={"content-type": "text/plain"}),
            await browser.get("/exports/exp_AQ/x"),
        ]
        accept = {"accept": "text/event-stream"}
        async with browser.stream("POST", "/graphql", json={"query": CHANGES}, headers=accept) as response:
            first = await Stream(response).next()
            answers.append(response)
    async with client(guarded, origin=origin) as browser:
        answers.append(await browser.post("/graphql", json={"query": VIEWER}))

    assert [answer.status_code for answer in answers] == [200, 200, 200, 202, 415, 404, 200, 401]
    assert first.kind == "next"
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == origin
        exposed = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Preference-Applied, RateLimit, RateLimit-Policy, Replica-Lag, Retry-After, X-Request-Id"
        assert answer.headers["access-control-expose-headers"] == exposed
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example", "https://app.example.evil.example", "null"]
)
async def test_pages_of_other_origins_read_nothing(guarded, api, origin):
    path = await upload_url(api)
    async with client(guarded, authorization=f"Bearer {await api.token()}") as browser:
        for asked, method in (("/graphql", "POST"), (path, "PUT")):
            refused = await preflight(browser, asked, origin, method, "content-type")
            assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)
        answer = await browser.post("/graphql", json={"query": VIEWER}, headers={"origin": origin})

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/graphql", "/imports/imp_AQ/x", "/exports/exp_AQ/x"])
async def test_a_cache_keeps_the_answers_to_different_origins_apart(guarded, path):
    async with client(guarded) as caller:
        answers = [await caller.get(path, headers=it) for it in ({}, {"origin": APP}, {"origin": "null"})]

    assert ["Origin" in it.headers["vary"] for it in answers] == [True] * 3
    assert ["access-control-allow-origin" in it.headers for it in answers] == [False, True, False]


async def test_without_allowed_origins_no_page_reads_anything(server):
    async with client(server) as browser:
        answer = await preflight(browser, "/graphql", APP, "POST", "content-type")

    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (405, False)


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz"])
async def test_what_is_for_operators_is_for_no_page(guarded, path):
    async with client(guarded, origin=APP) as browser:
        answer = await browser.get(path)

    assert "access-control-allow-origin" not in answer.headers


async def test_every_answer_is_kept_by_no_cache_and_has_an_id(guarded, api):
    token = f"Bearer {await api.token()}"
    asked: list[tuple[str, str, dict[str, Any], int]] = [
        ("POST", "/graphql", {"json": {"query": VIEWER}, "headers": {"authorization": token}}, 200),
        ("POST", "/graphql", {"json": {"query": VIEWER}}, 401),
        ("POST", "/graphql", {"content": b"{", "headers": {"authorization": token, "content-type": "application/json"}}, 400),
        ("DELETE", "/graphql", {}, 405),
        ("PUT", await upload_url(api), {"content": b"", "headers": {"content-type": "text/plain"}}, 415),
        ("GET", await upload_url(api), {}, 405),
        ("GET", "/healthz", {}, 200),
        ("GET", "/metrics", {}, 401),
        ("GET", "/graphql", {"params": {"query": VIEWER}, "headers": {"authorization": token, "accept": "text/event-stream"}}, 200),
    ]  # fmt: skip
    seen = set()
    async with client(guarded) as browser:
        for method, path, given, status in asked:
            answer = await browser.request(method, path, **given)
            assert answer.status_code == status
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
            seen.add(answer.headers["x-request-id"])

    assert len(seen) == len(asked)


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("8f3c-1.web:7", True),
        ("a" * 100, True),
        ("a" * 101, False),
        ("a b", False),
        ('"', False),
        ("", False),
    ],
)
async def test_a_request_s_own_id_is_kept_when_it_can_be_logged_as_it_is(guarded, given, is_kept):
    async with client(guarded) as browser:
        answer = await browser.get("/healthz", headers={"x-request-id": given})

    assert (answer.headers["x-request-id"] == given) is is_kept


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "figures"}, 401),
        ({"authorization": "Bearer f\u00efgures"}, 401),
        ({"authorization": "Bearer figures"}, 200),
    ],
)
async def test_metrics_are_for_whoever_has_their_token(guarded, headers, status):
    async with client(guarded) as reader:
        answer = await reader.get("/metrics", headers={k: v.encode("latin-1") for k, v in headers.items()})

    assert answer.status_code == status
    assert ("audience_live_connections" in answer.text) is (status == 200)


async def test_metrics_can_have_a_port_of_their_own(database_url, redis_url, tmp_path):
    port = free_port()
    async with served_by(
        database_url, redis_url, tmp_path / "web.log", AUDIENCE_METRICS_PORT=str(port)
    ) as started:
        async with (
            client(started) as outside,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as inside,
        ):
            answers = {
                path: ((await outside.get(path)).status_code, (await inside.get(path)).status_code)
                for path in ("/metrics", "/healthz", "/readyz", "/graphiql", "/graphql")
            }
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{port}/graphql", subprotocols=[PROTOCOL]):
                pass

    assert answers.pop("/metrics") == (404, 200)
    assert {inside for _, inside in answers.values()} == {404}
    assert answers["/healthz"] == (200, 404)


@pytest.mark.parametrize(
    ("is_of_metrics", "named"), [(False, "127.0.0.1 port"), (True, "AUDIENCE_METRICS_PORT")]
)
async def test_a_port_that_is_taken_is_told(server, database_url, redis_url, is_of_metrics, named):
    taken = str(urlsplit(server.url).port)
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    if is_of_metrics:
        settings["AUDIENCE_METRICS_PORT"] = taken

    ended = await run("serve", "--port", "0" if is_of_metrics else taken, **settings)

    assert ended.code == 1
    assert ended.err == f"audience-gql: cannot listen on {named} {taken}: Address already in use\n"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
async def test_metrics_without_a_token_are_for_this_machine_alone(server, header):
    async with client(server) as reader:
        near = await reader.get("/metrics")
        far = await reader.get("/metrics", headers={header: "203.0.113.7"})

    assert (near.status_code, far.status_code) == (200, 403)
    assert "audience_live_connections" not in far.text


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity"])
async def test_a_compressed_body_is_of_no_type_that_is_taken(guarded, api, encoding):
    headers = {"content-type": "application/json", "content-encoding": encoding}
    async with client(guarded, authorization=f"Bearer {await api.token()}") as sender:
        answer = await sender.post("/graphql", content=b"\x1f\x8b\x08", headers=headers)
        plain = await sender.post(
            "/graphql",
            content=json.dumps({"query": VIEWER}),
            headers=headers | {"content-encoding": "identity"},
        )

    assert (answer.status_code, answer.headers["accept-encoding"], plain.status_code) == (
        415,
        "identity",
        200,
    )
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert encoding in error["message"]


def asking(token: str, query: str, *lines: str, version: str = "1.1") -> bytes:
    """A POST as it is on the wire."""
    body = json.dumps({"query": query})
    head = (
        f"POST /graphql HTTP/{version}",
        "host: x",
        f"authorization: Bearer {token}",
        "content-type: application/json",
    )
    return "\r\n".join((*head, *lines, f"content-length: {len(body)}", "", body)).encode()


async def heard_on_one_connection(server: Server, sent: bytes) -> bytes:
    """Everything that the server sends until it closes the connection."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(sent)
    async with asyncio.timeout(20):
        heard = await reader.read(-1)
    writer.close()
    return heard


async def test_requests_in_one_packet_are_answered_in_order_and_the_last_one_closes(server, api):
    token = await api.token()
    sent = (
        asking(token, "{ a: __typename }")
        + asking(token, "{ no such document")
        + asking(token, "{ c: __typename }", "connection: close")
    )

    heard = await heard_on_one_connection(server, sent)

    first, second, third = re.split(rb"(?=HTTP/1.1 )", heard)[1:]
    assert [it.splitlines()[0] for it in (first, second, third)] == [b"HTTP/1.1 200 OK"] * 3
    assert [it.partition(b"\r\n\r\n")[2] for it in (first, third)] == [
        b'{"data":{"a":"Query"}}',
        b'{"data":{"c":"Query"}}',
    ]
    assert [b"\r\nconnection: close\r\n" in it for it in (first, second, third)] == [False, False, True]
    for it in (first, second, third):
        assert (
            len(
                re.findall(
                    rb"\r\n(?:date|content-type|content-length|cache-control|x-content-type-options|x-request-id): ",
                    it,
                )
            )
            == 6
        )


async def test_a_client_of_http_1_0_is_answered_and_its_connection_closed(server, api):
    heard = await heard_on_one_connection(server, asking(await api.token(), "{ __typename }", version="1.0"))

    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in heard
    assert heard.endswith(b'{"data":{"__typename":"Query"}}')
