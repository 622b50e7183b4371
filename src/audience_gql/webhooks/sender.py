"""Makes one attempt to send a webhook: checks the URL, resolves its name once, connects to a checked address, and reads the answer.

It knows no schedule. An attempt opens a connection of its own and closes it, so that no receiver can hold anything of another.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from audience_gql.audience.ports import Attempt, OutgoingMessage
from audience_gql.config import Settings
from audience_gql.webhooks import guard
from audience_gql.webhooks.addresses import IPAddress
from audience_gql.webhooks.exchange import (
    HEAD_BYTES,
    Answer,
    NoAnswer,
    read_answer,
    request_bytes,
    seconds_to_wait,
)
from audience_gql.webhooks.guard import Destination, Policy, Refused, Resolve, SystemResolver
from audience_gql.webhooks.signing import new_secret, signed_headers

ATTEMPT_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 5.0
"""How long one address may take for the connection and for TLS, before the next address gets its turn."""
_SUCCESS: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_HEADERS: Final = {
    "User-Agent": "audience-gql",
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


class WebhookSender:
    """The sender of a process. `tls` verifies the receivers' certificates; the default trusts what the system trusts."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._policy = policy
        self._resolve = resolve or SystemResolver()
        self._tls = tls or ssl.create_default_context()
        self._attempt_seconds = attempt_seconds

    def new_secret(self) -> str:
        return new_secret()

    def check_url(self, url: str) -> str | None:
        return guard.check_url(url, self._policy)

    async def send(self, message: OutgoingMessage) -> Attempt:
        headers = signed_headers(
            message_id=message.message_id,
            sent_at=message.sent_at,
            body=message.body,
            with_secrets=message.secrets,
        )
        if message.traceparent is not None:
            headers["traceparent"] = message.traceparent
        answer, started = Answer(), time.monotonic()
        failure = await self._try(message, headers, answer)
        taken = time.monotonic() - started
        now = message.sent_at + timedelta(seconds=taken)
        return Attempt(
            status=answer.status,
            milliseconds=round(taken * 1000),
            failure=failure if answer.status is None else _refusal(answer.status),
            response=answer.text,
            retry_after_seconds=seconds_to_wait(answer.retry_after, now),
        )

    async def _try(self, message: OutgoingMessage, headers: dict[str, str], answer: Answer) -> str | None:
        """Why there is no whole answer, in one sentence, or None."""
        try:
            async with asyncio.timeout(self._attempt_seconds):
                await self._exchange(message, headers, answer)
        except (Refused, NoAnswer) as error:
            return str(error)
        except TimeoutError:
            return f"The receiver did not answer within {self._attempt_seconds:g} seconds."
        except OSError as error:
            return f"The connection was lost: {_words(error)}."
        return None

    async def _exchange(self, message: OutgoingMessage, headers: dict[str, str], answer: Answer) -> None:
        destination = guard.read_url(message.url, self._policy)
        reader, writer = await self._connect(destination, await self._find_addresses(destination))
        try:
            connection, request = request_bytes(
                target=destination.target,
                headers={"Host": destination.authority, **_HEADERS, **headers},
                body=message.body,
            )
            writer.write(request)  # without waiting: a receiver may answer before it has read everything
            await read_answer(connection, reader, answer)
        finally:
            writer.transport.abort()  # closing in order would wait for the receiver

    async def _find_addresses(self, destination: Destination) -> Sequence[IPAddress]:
        try:
            return await guard.find_addresses(destination, self._policy, self._resolve)
        except OSError as error:
            raise NoAnswer(f"The name {destination.host} could not be resolved: {_words(error)}.") from error

    async def _connect(
        self, destination: Destination, addresses: Sequence[IPAddress]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address that accepts. Raises NoAnswer."""
        failure = ""
        for address in addresses:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await self._open(destination, address)
            except ssl.SSLError as error:
                raise NoAnswer(f"TLS with {address} failed: {_words(error)}.") from error
            except OSError as error:
                failure = f"Could not connect to {address}: {_words(error)}."
        raise NoAnswer(failure)

    async def _open(
        self, destination: Destination, address: IPAddress
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the address, but speak to the host: SNI and the certificate's check use the name of the URL."""
        is_secure = destination.scheme == "https"
        return await asyncio.open_connection(
            str(address),
            destination.port,
            limit=HEAD_BYTES,
            flags=socket.AI_NUMERICHOST,  # an address is never looked up
            ssl=self._tls if is_secure else None,
            server_hostname=str(destination.host) if is_secure else None,
        )


def sender_for(settings: Settings) -> WebhookSender:
    """A process' sender, which reaches what the settings allow."""
    return WebhookSender(
        Policy(
            networks=settings.webhook_networks,
            ports=settings.webhook_ports,
            is_http_allowed=settings.is_webhook_http_allowed,
        )
    )


def _refusal(status: int) -> str | None:
    """Why this status is a failure, in one sentence, or None."""
    if status in _SUCCESS:
        return None
    if status in _REDIRECTS:
        return f"The receiver answered {_named(status)}. Webhooks follow no redirects."
    return f"The receiver answered {_named(status)}."


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _words(error: Exception) -> str:
    """What happened, without the addresses and source lines that libraries add."""
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message
        case ssl.SSLError():
            return (error.reason or "the handshake ended early").replace("_", " ").lower()
        case socket.gaierror():
            return error.strerror or "unknown"
        case OSError(errno=int(number)):
            return os.strerror(number)
        case TimeoutError():
            return "timed out"
    return type(error).__name__
