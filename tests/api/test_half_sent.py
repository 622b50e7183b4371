"""Clients who begin a request and do not end it: each is let go of in time, and the others are answered meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.api.conftest import Server, served_by
from tests.api.test_imports import COLUMNS, START
from tests.api.test_socket import VIEWER, entered, received, send, subscribe
from tests.patience import PATIENCE_SECONDS, SLACK_SECONDS

SECONDS = 1.0
pytestmark = pytest.mark.faults


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hasty(database_url, redis_url, tmp_path_factory) -> AsyncIterator[Server]:
    log = tmp_path_factory.mktemp("hasty") / "web.log"
    async with served_by(database_url, redis_url, log, AUDIENCE_REQUEST_SECONDS="1") as started:
        yield started


async def let_go_after(server, beginning: bytes, drip: bytes = b"") -> tuple[float, bytes]:
    """How long a connection lives that begins so and goes on with a byte every now and then; and what is heard on it."""
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    begun = time.monotonic()
    writer.write(beginning)

    async def go_on() -> None:
        while drip:
            await asyncio.sleep(0.2)
            writer.write(drip)

    dripping = asyncio.create_task(go_on())
    heard = b""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while part := await reader.read(4096):
                heard += part
    except ConnectionResetError:
        pass  # a byte arrived after the server had closed; what it said before counts
    finally:
        dripping.cancel()
    writer.close()
    return time.monotonic() - begun, heard


def post(token: str, length: int, body: bytes = b"") -> bytes:
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize(
    ("beginning", "drip"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"POST /graphql HT", b""),
        (b"POST /graphql HTTP/1.1\r\nhost: x\r\n", b"x"),
        (b"GET /graphql HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n", b"x"),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /heal", b"x"),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"\r\n"),
    ],
)
async def test_the_head_of_a_request_is_waited_for_so_long(hasty, beginning, drip):
    lived, heard = await let_go_after(hasty, beginning, drip)

    assert SECONDS * 0.9 <= lived < SECONDS + SLACK_SECONDS
    assert heard.startswith(b"HTTP/1.1 200" if b"healthz" in beginning else b"")


@pytest.mark.parametrize("drip", [b"", b" "])
async def test_a_body_is_waited_for_so_long(hasty, api, drip):
    lived, heard = await let_go_after(hasty, post(await api.token(), 1_000, b'{"query": '), drip)

    assert SECONDS * 0.9 <= lived < SECONDS + SLACK_SECONDS
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"The body did not arrive within 1 s." in heard


async def test_a_body_that_nobody_reads_is_waited_for_so_long(hasty):
    lived, heard = await let_go_after(hasty, post("nonsense", 1_000, b"{"), b" ")

    assert heard.startswith(b"HTTP/1.1 401 ")
    assert SECONDS * 0.9 <= lived < SECONDS + SLACK_SECONDS


async def test_a_file_that_stops_is_let_go_of_and_can_be_sent_again(hasty, api):
    path = (await api.data(START, input={"columns": COLUMNS}))["startImport"]["uploadUrl"]
    head = f"PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\n"

    lived, heard = await let_go_after(hasty, f"{head}content-length: 100\r\n\r\nid,mail\n".encode())
    slow, _ = await let_go_after(hasty, f"{head}content-length: 11\r\n\r\nid,mail\n".encode(), b"1")
    _, again = await let_go_after(
        hasty, f"{head}connection: close\r\ncontent-length: 18\r\n\r\nid,mail\n1,a@x.org\n".encode()
    )

    assert (lived >= SECONDS * 0.9, heard[:13]) == (True, b"HTTP/1.1 408 ")
    assert slow >= 0.6  # it comes slowly, and is not cut off for that
    assert again[:13] == b"HTTP/1.1 409 "  # the slow one was whole


async def test_a_client_that_sends_in_parts_and_then_asks_again_is_answered(hasty, api):
    body = b'{"query": "{ __typename }"}'
    request = post(await api.token(), len(body))
    address = urlsplit(hasty.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for _ in range(10):  # longer than any of them may take
        for part in (request[:30], request[30:], body[:5], body[5:]):
            await asyncio.sleep(0.05)
            writer.write(part)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(31) == b'{"data":{"__typename":"Query"}}'
    writer.close()


async def test_a_socket_that_is_silent_stays(hasty, api):
    async with entered(hasty, await api.token()) as socket:
        await asyncio.sleep(2 * SECONDS)
        await send(socket, subscribe(VIEWER))

        assert (await received(socket))["type"] == "next"
