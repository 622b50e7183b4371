"""A TCP proxy between our processes and a server, which simulates network faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

_CHUNK = 64 * 1024


@dataclass(eq=False)
class _Line:
    """One connection through the proxy, with its two ends."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    is_stranded: bool = False
    """Whether bytes are silently dropped in both directions."""


@dataclass(eq=False)
class Proxy:
    """Forwards bytes both ways until a method says otherwise. It never closes a client's connection."""

    host: str
    port: int
    delay_seconds: float = 0.0
    is_black_hole: bool = False
    """Whether new connections are accepted but never answered."""
    address: str = ""
    _lines: set[_Line] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def strand(self) -> None:
        """Drop everything on the present connections. New ones work."""
        for line in self._lines:
            line.is_stranded = True

    def vanish(self) -> None:
        """Drop everything, on present and on new connections."""
        self.strand()
        self.is_black_hole = True

    def part(self) -> None:
        """Make connections half-open: end every connection on the server's side without telling the client."""
        self.strand()
        for line in self._lines:
            if line.server is not None:
                line.server.transport.abort()

    def come_back(self) -> None:
        """Forward new connections again. Dropped connections stay dropped: a firewall forgets their state, too."""
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
    """A proxy in front of a server's URL. Its `address` is the URL through the proxy."""
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
