"""How the web server ends: no connection that it has accepted is reset, whenever its client connects or asks."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvicorn

from audience_gql.draining import DrainingServer, refuse_new
from audience_gql.serving.http_protocol import HttpProtocol, Limits

pytestmark = pytest.mark.slow
ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def application(scope, receive, send) -> None:
    """Answers everything with "here"; takes half a second for /slow."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"here"})


async def no_streams(_: object) -> None:
    """The application has none."""


@asynccontextmanager
async def served() -> AsyncIterator[tuple[DrainingServer, socket.socket]]:
    """A server and the socket on which it listens. The test ends it, or the context."""
    ending = asyncio.Event()
    http = cast("Any", partial(HttpProtocol, limits=Limits(request_seconds=20.0), ending=ending))
    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, http=http, log_level="error", timeout_graceful_shutdown=5
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    server = DrainingServer(config, ending=ending, end_streams=no_streams)
    running = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110  # the library tells it so
        await asyncio.sleep(0.01)
    yield server, listening
    server.should_exit = True
    await running


def connected(address: tuple[str, int]) -> tuple[socket.socket, int]:
    """A client that has begun to connect, and what the kernel says so far."""
    client = socket.socket()
    client.setblocking(False)
    return client, client.connect_ex(address)


async def answer(client: socket.socket, asked: bytes = ASK) -> bytes:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        await loop.sock_sendall(client, asked)
        heard = b""
        while chunk := await loop.sock_recv(client, 1000):
            heard += chunk
    client.close()
    return heard


@pytest.fixture
def kernel_s_refusal() -> None:
    """Skips the test where the kernel does not let this user refuse new connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if not refuse_new(listening):
            pytest.skip("the kernel lets this user attach no filter to a socket, so an instant remains")


async def test_who_connects_just_before_the_signal_is_answered():
    async with served() as (server, listening):
        client, _ = connected(listening.getsockname())
        server.should_exit = True
        while listening.fileno() != -1:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.01)

        assert (await answer(client)).endswith(b"here")


@pytest.mark.usefixtures("kernel_s_refusal")
async def test_who_connects_just_before_the_socket_closes_is_refused_and_not_reset():
    """In the last instant before the listening socket closes, nobody can take another connection from its queue."""
    async with served() as (server, listening):
        address = listening.getsockname()
        clients: list[socket.socket] = []
        close = server.servers[0].close

        def connect_and_close() -> None:
            if not clients:
                clients.append(connected(address)[0])
            close()

        server.servers[0].close = connect_and_close  # type: ignore[method-assign]  # injects the instant
        server.should_exit = True
        while not clients or listening.fileno() != -1:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.01)

        assert await outcome(clients[0]) == errno.ECONNREFUSED


async def outcome(client: socket.socket) -> int:
    """The error of the connection; 0 if it was made."""
    with client:
        for _ in range(400):
            error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                return error
            try:
                client.getpeername()
            except OSError:
                await asyncio.sleep(0.01)
                continue
            try:
                client.send(ASK)
                await asyncio.sleep(0.05)
                client.recv(1)
            except OSError as failure:
                return failure.errno or -1
            return 0
    raise AssertionError("neither connected nor refused")


async def test_the_first_request_of_a_new_connection_is_waited_for():
    async with served() as (server, listening):
        client, _ = connected(listening.getsockname())
        await asyncio.sleep(0.05)
        server.should_exit = True
        await asyncio.sleep(1.2)

        heard = await answer(client)

    assert heard.endswith(b"here")
    assert b"\r\nconnection: close\r\n" in heard


async def test_a_connection_that_is_kept_closes_after_its_next_answer():
    async with served() as (server, listening):
        client, _ = connected(listening.getsockname())
        await asyncio.sleep(0.05)
        slow = asyncio.create_task(answer(client, ASK.replace(b"/ ", b"/slow ")))
        await asyncio.sleep(0.1)
        server.should_exit = True

        heard = await slow

    assert heard.endswith(b"here")
    assert b"\r\nconnection: close\r\n" in heard
