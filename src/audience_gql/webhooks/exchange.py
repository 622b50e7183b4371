"""One HTTP request and its answer on an open connection, within fixed bounds of memory.

It follows no redirect, keeps no cookie and decompresses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import h11

KEPT_BYTES: Final = 1024
HEAD_BYTES: Final = 16 * 1024
BODY_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 16 * 1024
_PIECES: Final = 2_000
"""How many reads, interim answers and parts of the body are looked at. A body in chunks of one byte would cost too much time."""
_LONGEST_NUMBER: Final = 9


class NoAnswer(Exception):
    """There is no answer, or none that HTTP allows. The message is a sentence for whoever manages the endpoint."""


@dataclass(slots=True)
class Answer:
    """What has arrived of an answer so far."""

    status: int | None = None
    retry_after: str = ""
    """The header `Retry-After` as it was sent."""
    body: bytearray = field(default_factory=bytearray)
    """The first bytes of the body."""

    @property
    def text(self) -> str:
        """The body as text that Postgres can store."""
        return self.body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def request_bytes(*, target: str, headers: Mapping[str, str], body: bytes) -> tuple[h11.Connection, bytes]:
    """A POST request as it is sent, and the parser for its answer."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    length = {"Content-Length": str(len(body))}
    request = h11.Request(method="POST", target=target, headers=[*{**headers, **length}.items()])
    events = (request, h11.Data(data=body), h11.EndOfMessage())
    return connection, b"".join(connection.send(it) or b"" for it in events)


async def read_answer(connection: h11.Connection, reader: asyncio.StreamReader, answer: Answer) -> None:
    """Read into `answer` until its end or the limits, whichever comes first. Raises NoAnswer and OSError.

    Once there is a status, an exception only means that the rest of the answer is missing.
    """
    received = 0
    for _ in range(_PIECES):
        event = _next_event(connection)
        if event is h11.NEED_DATA:
            data = await reader.read(_READ_BYTES)
            received += len(data)
            if answer.status is None and not data:
                raise NoAnswer("The receiver closed the connection without an answer.")
            if received > HEAD_BYTES + BODY_BYTES:
                break
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            answer.status = event.status_code
            answer.retry_after = _header(event, b"retry-after")
        elif isinstance(event, h11.Data):
            answer.body += event.data[: KEPT_BYTES - len(answer.body)]
        elif not isinstance(event, h11.InformationalResponse):
            break
    if answer.status is None:
        raise NoAnswer("The receiver sent too much, or too many small pieces, before the head of its answer.")


def seconds_to_wait(retry_after: str, now: datetime) -> float | None:
    """What a `Retry-After` header asks for: seconds, or an HTTP date. None if it is malformed."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:_LONGEST_NUMBER])
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def _next_event(connection: h11.Connection) -> object:
    try:
        return connection.next_event()
    except h11.RemoteProtocolError as error:
        raise NoAnswer("The receiver's answer is not valid HTTP, or its head is too long.") from error


def _header(response: h11.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key == name), "")
