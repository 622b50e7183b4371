"""A network that can be told to fail, between our processes and a server: a TCP proxy of the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 64 * 1024


@dataclass(eq=False)
class _Line:
    """One connection through the proxy, with an end on either side."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    is_stranded: bool = False
    """Whether nothing goes through any more in either direction, and nobody is told."""


@dataclass(eq=False)
class Proxy:
    """Carries bytes both ways until it is told to do otherwise. It never closes what its client has open."""

    host: str
    port: int
    delay_seconds: float = 0.0
    is_black_hole: bool = False
    """New connections are taken in, and never answered."""
    address: str = ""
    _lines: set[_Line] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def strand(self) -> None:
        """Let nothing more through on the connections that there are; new ones pass."""
        for line in self._lines:
            line.is_stranded = True

    def vanish(self) -> None:
        """Become a black hole, for the connections that there are and for new ones."""
        self.strand()
        self.is_black_hole = True

    def part(self) -> None:
        """Half-open: end every connection on the server's side, and do not tell the client."""
        self.strand()
        for line in self._lines:
            if line.server is not None:
                line.server.transport.abort()

    def come_back(self) -> None:
        """Let new connections through. What is stranded stays so: a firewall does not remember it."""
        self.is_black_hole = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line(writer, is_stranded=self.is_black_hole)
        self._lines.add(line)
        try:
            if line.is_stranded:
                await self._carry(reader, None, line)
                return
            from_server, line.server = await asyncio.open_connection(self.host, self.port)
            back = asyncio.create_task(self._carry(from_server, writer, line))
            self._tasks.add(back)
            back.add_done_callback(self._tasks.discard)
            await self._carry(reader, line.server, line)
        finally:
            self._lines.discard(line)
            for end in (writer, line.server):
                if end is not None:
                    end.transport.abort()

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter | None, line: _Line
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(_CHUNK):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if target is not None and not line.is_stranded:
                    target.write(chunk)
                    await target.drain()
        if target is not None and not line.is_stranded:
            target.close()

    def close(self) -> None:
        for line in self._lines:
            line.client.transport.abort()


@asynccontextmanager
async def before(url: str) -> AsyncIterator[Proxy]:
    """A proxy in front of a server's URL; `address` is the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    proxy = Proxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    userinfo = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    proxy.address = urlunsplit(parts._replace(netloc=f"{userinfo}127.0.0.1:{port}"))
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
