"""A receiver of webhooks that fails in many ways, but each message at most once, and remembers what it has accepted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson
from standardwebhooks.webhooks import Webhook

ACCEPTED = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
FAILURES = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    b"",  # closes without an answer
)


@dataclass
class Receiver:
    """A server on 127.0.0.1. Its `secret` is set when the endpoint is created."""

    chance: random.Random
    port: int = 0
    secret: str = ""
    accepted: list[tuple[str, list[str]]] = field(default_factory=list)
    """(message id, ids of the runs) of each message, when it was accepted for the first time, in order."""
    told: dict[str, list[str]] = field(default_factory=dict)
    """The runs of each message at its first attempt."""
    failed: set[str] = field(default_factory=set)
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers["content-length"]))
            writer.write(await self._answer(headers, body))
            await writer.drain()
        writer.close()

    async def _answer(self, headers: dict[str, str], body: bytes) -> bytes:
        Webhook(self.secret).verify(
            body, headers
        )  # raises for a wrong signature, which then is a message that never arrives
        message_id = headers["webhook-id"]
        runs = [change["run"] for change in orjson.loads(body)["data"]["changes"]]
        if self.told.setdefault(message_id, runs) != runs:
            self.wrong.append(f"message {message_id} tells {runs}, and told {self.told[message_id]}")
        if message_id not in self.failed and self.chance.random() < 0.04:
            self.failed.add(message_id)
            return self.chance.choice(FAILURES)
        await asyncio.sleep(0.05 * self.chance.random())
        if any(message_id == known for known, _ in self.accepted):
            self.repeated += 1
        else:
            self.accepted.append((message_id, runs))
        return ACCEPTED


@asynccontextmanager
async def receiving(chance: random.Random) -> AsyncIterator[Receiver]:
    receiver = Receiver(chance)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
