"""A receiver of webhooks in this process. It accepts every message, and records about whom it learns and when."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import ip_network
from typing import Final

LOOPBACK: Final = ip_network("127.0.0.0/8")
_ANSWER: Final = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """`told` counts the messages about each person, by id; `late` holds the milliseconds from each change to its arrival."""

    def __init__(self) -> None:
        self.port = 0
        self.told: Counter[str] = Counter()
        self.late: list[float] = []

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Receiver]:
        receiver = cls()
        server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        async with server:
            yield receiver

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a worker that may send here."""
        return {
            "AUDIENCE_WEBHOOK_NETWORKS": str(LOOPBACK),
            "AUDIENCE_WEBHOOK_HTTP": "1",
            "AUDIENCE_WEBHOOK_PORTS": str(self.port),
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        now = time.time()
        for change in body["data"]["changes"]:
            self.told[change["subscriber"]["id"]] += 1
            self.late.append((now - datetime.fromisoformat(change["occurredAt"]).timestamp()) * 1000)
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()
