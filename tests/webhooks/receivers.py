"""Receivers of webhooks over real sockets on this machine, and attempts to send to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network

from audience_gql.audience.ports import Attempt, OutgoingMessage, Sender
from audience_gql.webhooks.guard import Policy
from audience_gql.webhooks.sender import WebhookSender
from audience_gql.webhooks.signing import new_secret

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "hooks.example.com"
BODY = b'{"type": "audience.membership.changed"}'
LOOPBACK = ip_network("127.0.0.0/8")
NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For tests without TLS: reading the system's store of certificates takes longer than such a test."""

Behave = Callable[["Receiver", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A server on 127.0.0.1, and what has arrived there."""

    port: int = 0
    connections: int = 0
    request: bytes = b""
    sent_bytes: int = 0
    names: list[str | None] = field(default_factory=list)
    """The names that clients asked for by SNI."""

    @property
    def head(self) -> list[str]:
        return self.request.partition(b"\r\n\r\n")[0].decode().split("\r\n")

    @property
    def headers(self) -> dict[str, str]:
        return dict(line.split(": ", 1) for line in self.head[1:])

    @property
    def body(self) -> bytes:
        return self.request.partition(b"\r\n\r\n")[2]


class Names:
    """A resolver that gives these addresses at the first look-up of any name, and fails the test at a second one."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        assert len(self.asked) == 1, "a second look-up may find another address"
        return self._addresses


def answering(answer: bytes) -> Behave:
    """Read the whole request, answer, and close the connection."""

    async def behave(receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(receiver, reader)
        writer.write(answer)
        await writer.drain()

    return behave


async def read_request(receiver: Receiver, reader: asyncio.StreamReader) -> None:
    receiver.request = await reader.readuntil(b"\r\n\r\n")
    receiver.request += await reader.readexactly(int(receiver.headers["Content-Length"]))


async def listen(stack: AsyncExitStack, behave: Behave, tls: ssl.SSLContext | None = None) -> Receiver:
    """Start a receiver that ends with the stack."""
    receiver = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.connections += 1
        try:
            await behave(receiver, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the sender has closed the connection, or the test is over
        finally:
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    stack.callback(server.close)
    return receiver


def message(url: str, *, body: bytes = BODY, secrets: Sequence[str] = ()) -> OutgoingMessage:
    return OutgoingMessage(
        url=url,
        message_id="msg_1",
        body=body,
        secrets=secrets or [new_secret()],
        sent_at=datetime.now(UTC),
    )


def open_to(*receivers: Receiver) -> Policy:
    """A policy that opens this machine."""
    ports = frozenset(it.port for it in receivers)
    return Policy(networks=(LOOPBACK,), ports=ports, is_http_allowed=True)


async def attempted(
    behave: Behave, *, seconds: float = 5.0, body: bytes = BODY, path: str = "/"
) -> tuple[Attempt, Receiver]:
    """How one attempt ends if the receiver behaves like this."""
    async with AsyncExitStack() as stack:
        receiver = await listen(stack, behave)
        sender: Sender = WebhookSender(
            open_to(receiver), resolve=Names("127.0.0.1"), tls=NO_TRUST, attempt_seconds=seconds
        )
        attempt = await sender.send(message(f"http://{NAME}:{receiver.port}{path}", body=body))
    return attempt, receiver
