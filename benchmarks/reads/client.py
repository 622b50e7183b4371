"""Sends requests over a few keep-alive connections, as fast as the server answers. Started as a process of its own, so that its CPU time is known.

Each line on stdin is an order, and is answered with one line of figures. A connection sends its next request as soon as it has read the whole response.
It does as little as it can for each response: it parses HTTP in C, and looks for "errors" in the body.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any, Final

import httptools
import uvloop

_FAILED: Final = b'"errors"'
_PATIENCE_SECONDS: Final = 30
"""How long the last responses may take after the end of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to send, and for how long. The bodies take turns."""

    port: int
    path: str
    headers: dict[str, str]
    bodies: tuple[str, ...]
    connections: int
    seconds: float

    def requests(self) -> list[bytes]:
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return [_request(self.path, self.port, head, body.encode()) for body in self.bodies]


@dataclass(slots=True, kw_only=True)
class Load:
    """What was received. Every request that was sent has its response."""

    requests: int = 0
    failures: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """The processor time of this process."""
    p50_ms: float = 0.0
    p99_ms: float = 0.0


@dataclass(slots=True)
class _Run:
    requests: Iterator[bytes]
    deadline: float
    load: Load = field(default_factory=Load)
    took: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One connection: one request at a time until the deadline."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = 0.0
        self._body: list[bytes] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:  # Any: the loop's own transport
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the server closed the connection"))

    def on_body(self, part: bytes) -> None:
        self._body.append(part)

    def on_message_complete(self) -> None:
        run, now = self._run, time.perf_counter()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        run.load.requests += 1
        run.load.bytes += len(body)
        run.load.failures += self._parser.get_status_code() != 200 or _FAILED in body
        run.took.append(now - self._sent_at)
        self._body.clear()
        if now < run.deadline:
            self._send()
        else:
            self.ended.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._run.requests))


async def load(order: Order) -> Load:
    """Carry out an order. Raises ConnectionError if the server closes a connection, and TimeoutError if responses are missing at the end."""
    begun, cpu = time.perf_counter(), time.process_time()
    run = _Run(cycle(order.requests()), begun + order.seconds)
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: _Connection(run), "127.0.0.1", order.port))[1]
        for _ in range(order.connections)
    ]
    async with asyncio.timeout(order.seconds + _PATIENCE_SECONDS):
        await asyncio.gather(*(connection.ended for connection in opened))
    run.load.seconds = time.perf_counter() - begun
    run.load.cpu_seconds = time.process_time() - cpu
    run.took.sort()
    run.load.p50_ms, run.load.p99_ms = (1000 * _at(run.took, share) for share in (0.5, 0.99))
    return run.load


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _request(path: str, port: int, head: str, body: bytes) -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    return lines.encode() + body


async def main() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        given = json.loads(line)
        done = await load(Order(**given | {"bodies": tuple(given["bodies"])}))
        print(json.dumps(asdict(done)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
