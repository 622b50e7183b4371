"""The headers of every HTTP response, whatever answers: the API, a page, or nothing.

It must not depend on the response's content. docs/headers.md lists the headers, and a test compares it with all routes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Collection, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from random import getrandbits
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audience_gql.api.transport.exchange import Header, by_name, exchange_of
from audience_gql.api.transport.replies import as_lines
from audience_gql.telemetry.ids import REQUEST_ID

_REQUEST_ID: Final = b"x-request-id"
_FORWARDED: Final = b"x-forwarded-proto"
_CACHE_CONTROL: Final = b"cache-control"
_POLICY: Final = b"content-security-policy"
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNLESS_GIVEN: Final[tuple[Header, ...]] = (
    (_CACHE_CONTROL, b"no-store"),
    (_POLICY, b"default-src 'none'; frame-ancestors 'none'"),
)
_SECURE: Final[tuple[Header, ...]] = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))
_GIVEN_SOMETIMES: Final = frozenset({_CACHE_CONTROL, _POLICY})
_USUAL: Final = as_lines((*_UNLESS_GIVEN, *_ALWAYS))
_USUAL_SECURE: Final = as_lines((*_UNLESS_GIVEN, *_SECURE))
"""The headers of nearly every response, as they are sent."""
_GIVEN: Final = re.compile(rb"[\w.:=+/-]{1,100}")
"""The form of an id that a proxy or client may give. It is safe to write into a log."""
_PEERS: Final = 256


class Answers:
    """An application whose responses say to browsers and caches what they may do. Each has an id.

    The id is the request's `X-Request-Id`, or a new one. The server's log names it with every error of the request. Over HTTPS, a
    response tells the browser never to use HTTP again. Where TLS ends at a proxy, one of these proxies must say that it was HTTPS.
    """

    def __init__(self, app: ASGIApp, *, proxies: Collection[IPv4Network | IPv6Network] = ()) -> None:
        self._app = app
        self._proxies = proxies
        self._is_proxy = lru_cache(_PEERS)(self._is_in_proxies)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        exchange = exchange_of(scope)
        headers = by_name(scope["headers"]) if exchange is None else exchange.headers
        request_id = _id_of(headers)
        added, usual = (_SECURE, _USUAL_SECURE) if self._is_secure(scope, headers) else (_ALWAYS, _USUAL)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                message["headers"] = [*given, *_missing(given), *added, (_REQUEST_ID, request_id)]
            await send(message)

        def lines(given: Sequence[Header]) -> bytes:
            missing = _missing(given)
            own = usual if missing is _UNLESS_GIVEN else as_lines((*missing, *added))
            return b"%bx-request-id: %b\r\n" % (own, request_id)

        if exchange is not None:
            exchange.lines = lines
        REQUEST_ID.set(request_id.decode())
        return self._app(scope, receive, answer)

    def _is_secure(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the client sent the request over HTTPS. Only our proxies may say so."""
        if scope["scheme"] == "https":
            return True
        if headers.get(_FORWARDED) != b"https":
            return False
        client = scope.get("client")
        return client is not None and self._is_proxy(client[0])

    def _is_in_proxies(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def _missing(headers: Sequence[Header]) -> tuple[Header, ...]:
    """The headers that the application has not given."""
    for name, _ in headers:
        if name in _GIVEN_SOMETIMES:
            given = [name for name, _ in headers]
            return tuple(it for it in _UNLESS_GIVEN if it[0] not in given)
    return _UNLESS_GIVEN


def _id_of(headers: Mapping[bytes, bytes]) -> bytes:
    given = headers.get(_REQUEST_ID)
    if given is not None and _GIVEN.fullmatch(given):
        return given
    return b"%016x" % getrandbits(64)
