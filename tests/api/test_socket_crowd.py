"""What becomes of clients who read slowly, say too much or say nothing, and of all of them when their server stops."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.types import Message

from audience_gql.api.transport.streaming.messages import PING, PONG, PROTOCOL
from audience_gql.api.transport.streaming.sockets import Sockets
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from tests.api.conftest import served_by
from tests.api.test_socket import CHANGES, closing_code, entered, opened, received, send, subscribe

_LONG = " ".join(f"f{n}: externalId" for n in range(29))
GREEDY = f"subscription {{ membershipChanges {{ cursor changes {{ subscriber {{ {_LONG} }} }} }} }}"
"""What five hundred changes come to, no buffers between a server and a client who does not read can hold many times."""


class SlowReader:
    """A websocket by hand, for the libraries read even when nobody asks them to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def enter(cls, url: str, token: str) -> SlowReader:
        parts = urlsplit(url)
        # What the kernel keeps for a client is little here, and the library's own buffer too.
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1024)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        socket = cls(reader, writer)
        socket.say({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert await socket.frame() == (1, b'{"type":"connection_ack"}')
        return socket

    def say(self, message: dict) -> None:
        payload = json.dumps(message).encode()
        length = (
            bytes([128 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        )
        self._writer.write(b"\x81" + length + b"\0\0\0\0" + payload)

    async def frame(self) -> tuple[int, bytes]:
        opcode, length = await self._reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self._reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self._reader.readexactly(8), "big")
        return opcode & 15, await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


class Wire:
    """What a server is to an application, without a network: a client's messages in a queue, and what it is sent in another."""

    task: asyncio.Task[None]
    """The application, since `enter`."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: asyncio.Queue[Message] = asyncio.Queue()

    @classmethod
    async def enter(cls, sockets: Sockets, token: str) -> Wire:
        wire = cls()
        scope = {"type": "websocket", "headers": [], "subprotocols": [PROTOCOL], "extensions": {}}
        wire.heard.put_nowait({"type": "websocket.connect"})
        wire.hear({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        wire.task = asyncio.create_task(sockets(scope, wire.heard.get, wire.sent.put))
        assert (await wire.sent.get())["type"] == "websocket.accept"
        assert json.loads((await wire.sent.get())["text"]) == {"type": "connection_ack"}
        return wire

    def hear(self, message: dict) -> None:
        self.heard.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def go(self) -> None:
        self.heard.put_nowait({"type": "websocket.disconnect"})


async def join(served, group: str, part: int) -> None:
    """Let 500 people with long names into a group."""
    people = [{"externalId": f"{part}-{n}-" + "x" * 200, "addToGroupIds": [group]} for n in range(500)]
    await served.upsert(*people)
    await served.tick()


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.faults
async def test_a_slow_client_is_sent_away_with_its_cursor_and_costs_nobody_anything(
    database_url, redis_url, served, tmp_path
):
    group, token = await served.group("Everyone"), await served.token()
    async with (
        served_by(database_url, redis_url, tmp_path / "web.log") as server,
        entered(server, token) as quick,
    ):
        await send(quick, subscribe(CHANGES))
        told, cursor = 0, (await received(quick))["payload"]["data"]["membershipChanges"]["cursor"]
        slow = await SlowReader.enter(server.socket_url, token)
        slow.say(subscribe(GREEDY))
        await slow.frame()
        before = resident_bytes(server.process.pid)
        largest, begun = 0, time.monotonic()

        for part in range(8):
            await join(served, group, part)
            while told < 500 * (part + 1):
                message = await received(quick, seconds=30)
                if message["type"] == "ping":
                    await send(quick, {"type": "pong"})
                    continue
                batch = message["payload"]["data"]["membershipChanges"]
                assert batch["after"] == cursor
                told, cursor = told + len(batch["changes"]), batch["cursor"]
                largest = max(largest, resident_bytes(server.process.pid) - before)
        while await server.metric("audience_live_connections") > 1:
            assert time.monotonic() - begun < 60, "the slow client is still there"
            await asyncio.sleep(0.5)
        largest = max(largest, resident_bytes(server.process.pid) - before)

    assert told == 4_000
    assert largest <= 64 * 2**20
    slow.close()


@pytest.mark.faults
async def test_a_slow_client_hears_why_and_from_where_to_go_on(database_url, redis_url, served, tmp_path):
    group, token = await served.group("Everyone"), await served.token()
    async with served_by(
        database_url, redis_url, tmp_path / "web.log", AUDIENCE_SLOW_CLIENT_SECONDS="1"
    ) as server:
        slow = await SlowReader.enter(server.socket_url, token)
        slow.say(subscribe(GREEDY))
        await slow.frame()
        for part in range(6):
            await join(served, group, part)
        await asyncio.sleep(4)

        frames: list[tuple[int, bytes]] = []
        async with asyncio.timeout(20):
            while not frames or frames[-1][0] != 8:
                frames.append(await slow.frame())
        slow.close()

    log = (tmp_path / "web.log").read_text(encoding="utf-8")
    assert "ERROR" not in log, log
    *results, (_, parting), (_, close) = frames
    cursor = json.loads(results[-1][1])["payload"]["data"]["membershipChanges"]["cursor"]
    error = json.loads(parting)
    assert int.from_bytes(close[:2], "big") == 4413
    assert close[2:].decode() == cursor
    assert (error["id"], error["type"]) == ("1", "error")
    assert error["payload"][0]["extensions"] == {"code": "SLOW_CLIENT", "cursor": cursor}


@pytest.mark.faults
async def test_a_client_is_asked_whether_he_is_there_and_goes_when_he_does_not_say(api):
    settings = replace(api.services.settings, socket_ping_seconds=0.9)
    services = replace(api.services, settings=settings)
    token = await api.token()
    async with Sockets(Subscriptions(api.schema, services), services).running() as sockets:
        alive, dead = await Wire.enter(sockets, token), await Wire.enter(sockets, token)
        pings = 0
        async with asyncio.timeout(20):
            while (sent := await dead.sent.get())["type"] != "websocket.close":
                assert sent["text"] == PING
                assert (await alive.sent.get())["text"] == PING
                alive.hear({"type": "pong"})
                pings += 1

        assert sent["code"] == 4408
        assert pings >= 1
        alive.hear({"type": "ping"})
        async with asyncio.timeout(5):
            while (answer := (await alive.sent.get())["text"]) == PING:
                alive.hear({"type": "pong"})
        assert answer == PONG
        alive.go()
        dead.go()


async def test_too_many_messages_close_the_socket(server, api):
    async with entered(server, await api.token()) as socket:
        for _ in range(300):
            await send(socket, {"type": "pong"})

        assert await closing_code(socket) == 1013


@pytest.mark.faults
async def test_a_stopping_server_answers_and_sends_everybody_on(database_url, redis_url, served, tmp_path):
    token, group = await served.token(), await served.group("Friends")
    async with served_by(database_url, redis_url, tmp_path / "web.log") as server:
        async with entered(server, token) as socket, opened(server) as silent:
            await send(socket, subscribe(CHANGES))
            cursor = (await received(socket))["payload"]["data"]["membershipChanges"]["cursor"]
            server.process.terminate()

            assert await closing_code(socket) == 1001
            assert await closing_code(silent) == 1001
        await server.process.wait()
    await served.upsert({"externalId": "1", "addToGroupIds": [group]})
    await served.tick()
    async with (
        served_by(database_url, redis_url, tmp_path / "other.log") as other,
        entered(other, token) as socket,
    ):
        await send(
            socket,
            subscribe(CHANGES.replace("membershipChanges", f'membershipChanges(after: "{cursor}")', 1)),
        )
        batch = (await received(socket))["payload"]["data"]["membershipChanges"]

    assert server.process.returncode == -signal.SIGTERM  # the end of one that was asked to
    assert batch["after"] == cursor
    assert [change["subscriber"]["externalId"] for change in batch["changes"]] == ["1"]
