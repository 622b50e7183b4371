"""Many websocket clients in one process, as cheap as possible: they subscribe, count deliveries and report their latency.

    python clients.py ws://127.0.0.1:8000/graphql TOKEN 1000

It writes one line of JSON when all clients have their first result, and a line with the figures for every line that it reads. "forget"
resets the figures.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import sys
import time
from array import array
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import uvloop

DOCUMENT: Final = """
subscription {
  membershipChanges {
    after cursor
    changes { kind occurredAt segment { id name } subscriber { id externalId email } }
  }
}
"""
AT_A_TIME: Final = 100
OCCURRED: Final = b'"occurredAt":"'
PING: Final = b'{"type":"ping"}'
PONG: Final = b'{"type":"pong"}'


class Tally:
    """What all clients of this process have received."""

    def __init__(self) -> None:
        self.first = 0
        self.closed = 0
        self.instants: dict[bytes, float] = {}
        self.forget()

    def forget(self) -> None:
        self.deliveries = 0
        self.bytes = 0
        self.late = array("d")
        self.began = self.ended = time.time()

    def note(self, payload: bytes) -> None:
        start = payload.rfind(OCCURRED)
        if start < 0:
            self.first += 1
            return
        text = payload[start + len(OCCURRED) : payload.index(b'"', start + len(OCCURRED))]
        instant = self.instants.get(text)
        if instant is None:
            instant = self.instants[text] = datetime.fromisoformat(text.decode()).timestamp()
        now = time.time()
        self.late.append(now - instant)
        self.ended = now
        self.deliveries += 1
        self.bytes += len(payload)


class Client(asyncio.Protocol):
    """One socket: a handshake, an init and a subscription. After that it only reads."""

    def __init__(self, tally: Tally, host: str, path: str, token: str, ready: asyncio.Future[None]) -> None:
        self.tally = tally
        self.host = host
        self.path = path
        self.token = token
        self.ready = ready
        self.buffer = b""
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # the loop passes a Transport
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.is_open:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.is_open, self.buffer = True, rest
            init = {"type": "connection_init", "payload": {"authorization": f"Bearer {self.token}"}}
            self.send(json.dumps(init).encode())
            self.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": DOCUMENT}}).encode())
        self.take_frames()

    def take_frames(self) -> None:
        buffer, place = self.buffer, 0
        while len(buffer) - place >= 2:
            length, start = buffer[place + 1], place + 2
            if length == 126:
                if len(buffer) < start + 2:
                    break
                length, start = int.from_bytes(buffer[start : start + 2], "big"), start + 2
            elif length == 127:
                if len(buffer) < start + 8:
                    break
                length, start = int.from_bytes(buffer[start : start + 8], "big"), start + 8
            if len(buffer) < start + length:
                break
            self.take(buffer[place] & 15, buffer[start : start + length])
            place = start + length
        self.buffer = buffer[place:]

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == 1 and b'"type":"next"' in payload[:60].replace(b'": "', b'":"'):
            self.tally.note(payload)
            if not self.ready.done():
                self.ready.set_result(None)
        elif opcode == 1 and payload == PING:
            self.send(PONG)
        elif opcode == 9:
            self.send(payload, opcode=10)
        elif opcode == 1 and b'"error"' in payload:
            raise RuntimeError(payload)

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """Send a masked frame. The mask is zero, which the protocol allows and which needs no work."""
        length = len(payload)
        head = bytes([128 | opcode]) + (
            bytes([128 | length]) if length < 126 else bytes([128 | 126]) + struct.pack("!H", length)
        )
        self.transport.write(head + b"\0\0\0\0" + payload)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self.tally.closed += 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before the first result"))


async def main(url: str, token: str, count: int) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    assert host is not None, "the URL names no host"
    assert port is not None, "the URL names no port"
    tally, loop = Tally(), asyncio.get_running_loop()
    clients = []
    for start in range(0, count, AT_A_TIME):
        made = []
        for _ in range(start, min(start + AT_A_TIME, count)):
            joining = partial(Client, tally, parts.netloc, parts.path, token, loop.create_future())
            _, client = await loop.create_connection(joining, host, port)
            made.append(client)
        await asyncio.wait_for(asyncio.gather(*(client.ready for client in made)), 60)
        clients += made
    say({"ready": len(clients)})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (line := await reader.readline()).strip():
        if line.strip() == b"forget":
            tally.forget()
        say(figures(tally))


def figures(tally: Tally) -> dict[str, float]:
    late = sorted(tally.late)

    def at(share: float) -> float:
        return late[min(len(late) - 1, int(share * len(late)))] * 1000 if late else 0.0

    return {
        "deliveries": tally.deliveries,
        "bytes": tally.bytes,
        "seconds": tally.ended - tally.began,
        "p50": at(0.5),
        "p99": at(0.99),
        "max": at(1.0),
        "closed": tally.closed,
    }


def say(what: dict[str, float]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
