"""A collector of spans: it speaks as much of OTLP over HTTP as an exporter needs, and prints traces as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class Seen:
    """One span, as the collector got it."""

    name: str
    service: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    """The ids of the spans that it follows from."""
    begun: int
    ended: int
    attributes: dict[str, str]

    @property
    def title(self) -> str:
        told = ("audience.root_fields", "audience.changes", "audience.job", "http.response.status_code")
        shown = [self.attributes[name] for name in told if name in self.attributes]
        return " ".join((self.name, *shown))


@dataclass
class Collector:
    """A server on 127.0.0.1."""

    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)

    def of(self, trace: str) -> list[Seen]:
        return [span for span in self.spans if span.trace == trace]

    def following(self, span: Seen) -> list[Seen]:
        """The spans of other traces that are linked to this one."""
        return [it for it in self.spans if span.id in it.links]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
                self._take(await reader.readexactly(int(length.split(":")[1])))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
                )
                await writer.drain()
        writer.close()

    def _take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                it.value.string_value for it in resource.resource.attributes if it.key == "service.name"
            )
            for scope in resource.scope_spans:
                self.spans += [
                    Seen(
                        name=span.name, service=service, trace=span.trace_id.hex(), id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(), links=tuple(it.span_id.hex() for it in span.links),
                        begun=span.start_time_unix_nano, ended=span.end_time_unix_nano,
                        attributes={it.key: _text(it.value) for it in span.attributes},
                    )
                    for span in scope.spans
                ]  # fmt: skip

    def tree(self, root: Seen, *, since: int | None = None, depth: int = 0) -> Iterator[str]:
        """The span, those below it, and those that follow from them, with the milliseconds since the first one began."""
        since = root.begun if since is None else since
        at, took = (root.begun - since) / 1e6, (root.ended - root.begun) / 1e6
        yield f"{'  ' * depth}{root.title:<{46 - 2 * depth}} {root.service.removeprefix('audience-gql-'):<7} {at:7.1f} ms {took:7.1f} ms"
        for child in sorted((it for it in self.spans if it.parent == root.id), key=lambda it: it.begun):
            yield from self.tree(child, since=since, depth=depth + 1)
        for later in sorted(self.following(root), key=lambda it: it.begun):
            yield f"{'  ' * (depth + 1)}linked:"
            yield from self.tree(later, since=since, depth=depth + 2)


def _text(value: AnyValue) -> str:
    """The text of a value of any kind."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return ", ".join(map(_text, value.array_value.values))
    return str(getattr(value, kind)) if kind else ""


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    collector.port = server.sockets[0].getsockname()[1]
    try:
        yield collector
    finally:
        server.close()
