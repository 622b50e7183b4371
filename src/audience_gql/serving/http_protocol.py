"""The protocol of one HTTP connection: the library's, with shorter ways for what every request needs, and limits for slow clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from audience_gql.api.transport.exchange import EXCHANGE, Header, Lines, by_name
from audience_gql.storage.turns.deadlines import Deadline, Deadlines

_PATH: Final = re.compile(rb"/[\w./~-]*")
"""An address that is only a path, in which nothing is encoded."""
_CONTINUE: Final = b"100-continue"
_OVER: Final[Any] = {}
"""The scope of a request that is over."""


class Limits:
    """The time limits that all connections of a server share."""

    def __init__(self, *, request_seconds: float, idle_seconds: float = 5.0) -> None:
        self.request_seconds = request_seconds
        """For the head of a request, and for the rest of a body that nobody reads any more."""
        self.idle = Deadlines(idle_seconds)
        """For the time between two requests."""


class HttpProtocol(HttpToolsProtocol):
    """Limits how long to wait for the head of a request, and for the rest of a body that nobody reads any more.

    The library waits for both as long as a byte arrives now and then. The application itself limits the bodies that it reads.
    """

    cycle: _Cycle

    def __init__(self, config: Config, *, limits: Limits, ending: asyncio.Event, **given: Any) -> None:
        # Any: the server's own state
        super().__init__(config, **given)
        self._limits = limits
        self._ending = ending
        self._idle = _Idle(self)
        self._deadline: asyncio.TimerHandle | None = None
        self._is_upgrade = False
        self.on_gone: Callable[[], None] | None = None
        """Called when the client closes the connection. One function is enough: the requests of a connection run one after another."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the library
        super().connection_made(transport)
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        self._limits.idle.end(self._idle)
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:  # the head has not arrived yet
            self._expect_more()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._expect_nothing()
        parser, scope = self.parser, self.scope
        self._is_upgrade = parser.should_upgrade() and self._should_upgrade()
        if self._is_upgrade:
            super().on_headers_complete()
            return
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version = parser.get_http_version()
        scope["path"], scope["raw_path"], scope["query_string"] = _parts(self.url)
        before = self.cycle
        self.cycle = cycle = _Cycle(self, scope, by_name(self.headers))
        cycle.keep_alive = version != "1.0" and parser.should_keep_alive() and not self._ending.is_set()
        scope["extensions"] = {EXCHANGE: cast("dict[object, object]", cycle)}
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if self._is_upgrade or cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._expect_nothing()
        cycle = self.cycle
        if self._is_upgrade or cycle.response_complete:
            return
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._limits.idle.begin(self._idle)
        if self.cycle.response_complete and self.cycle.more_body:
            self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self._limits.idle.end(self._idle)
        super().connection_lost(exc)
        if self.on_gone is not None:
            self.on_gone()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(cycle.end)  # type: ignore[attr-defined]  # there are no others

    def _expect_more(self) -> None:
        is_ours = not self.transport.is_closing() and self.transport.get_protocol() is self
        if self._deadline is None and is_ours:  # after an upgrade, it is a socket's
            self._deadline = self.loop.call_later(self._limits.request_seconds, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Idle(Deadline):
    """The time of a connection between two requests."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: HttpProtocol) -> None:
        self._protocol = protocol

    def on_late(self) -> None:
        self._protocol.timeout_keep_alive_handler()


class _Head:
    """The first lines of a response with the status 200: they are the same for a second."""

    def __init__(self) -> None:
        self._headers: Sequence[Header] | None = None
        self._lines = b""

    def lines(self, headers: Sequence[Header]) -> bytes:
        """The lines with these headers, which the server adds to every response. It replaces the list when they change."""
        if headers is not self._headers:
            self._headers = headers
            self._lines = b"HTTP/1.1 200 OK\r\n" + b"".join([b"%b: %b\r\n" % header for header in headers])
        return self._lines


class _Cycle(RequestResponseCycle):
    """As in Exchange. The library's constructor would set at each request what is set here once."""

    access_log = False
    disconnected = False
    waiting_for_100_continue = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    keep_alive: bool
    lines: Lines | None = None
    _head: Final = _Head()

    def __init__(self, protocol: HttpProtocol, scope: HTTPScope, headers: Mapping[bytes, bytes]) -> None:
        self.scope = scope
        self.headers = headers
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.body = bytearray()
        self._protocol = protocol
        if b"expect" in headers:
            self.waiting_for_100_continue = headers[b"expect"].lower() == _CONTINUE

    def take_body(self) -> bytes | None:
        if self.more_body or self.disconnected or self.response_complete or self.waiting_for_100_continue:
            return None
        body, self.body = bytes(self.body), bytearray()
        self.flow.resume_reading()
        self.message_event.clear()
        return body

    def send_whole(self, headers: Sequence[Header], body: bytes) -> bool:
        if self.disconnected or self.response_started or self.flow.write_paused:
            return False
        self.response_started = self.response_complete = True
        lines = [b"%b: %b\r\n" % header for header in headers]
        more = b"" if self.lines is None else self.lines(headers)
        last = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((self._head.lines(self.default_headers), *lines, more, last, body)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def tell_gone(self, on_gone: Callable[[], None] | None) -> None:
        self._protocol.on_gone = on_gone

    def cut_off(self) -> None:
        self.disconnected = True  # or else the library logs the missing end of the response as our error
        self.transport.abort()

    def end(self, task: asyncio.Task[None]) -> None:
        """Forget the task and the scope. The scope refers to this object, so only a garbage collection would free the two."""
        self._protocol.tasks.discard(task)
        self.scope = _OVER


def _parts(url: bytes) -> tuple[str, bytes, bytes]:
    """The path, the path as it was sent, and the query of an address. Raises HttpParserInvalidURLError, which the library answers."""
    if _PATH.fullmatch(url):
        return url.decode("ascii"), url, b""
    parsed = httptools.parse_url(url)
    return unquote(parsed.path.decode("ascii")), parsed.path, parsed.query or b""
