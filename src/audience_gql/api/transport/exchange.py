"""What our server offers to an application beside ASGI: shorter ways to do what every request needs, and what ASGI has no message for.

Another server, or a test's client, offers none of it. Then the application uses ASGI's messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from starlette.types import Scope

EXCHANGE: Final = "audience_gql.exchange"
"""The name of the extension of the scope. Its value is an Exchange."""
Header: TypeAlias = tuple[bytes, bytes]
"""A name in lower case, and a value."""
Lines: TypeAlias = Callable[[Sequence[Header]], bytes]
"""Takes the headers of a response. Returns the lines of those that it must have besides."""


class Exchange(Protocol):
    """One request, and the response to it."""

    headers: Mapping[bytes, bytes]
    """The request's headers by their names in lower case. Of several with one name, the first one."""
    lines: Lines | None
    """Adds headers to a response that is sent whole. What wraps the application sets it."""

    def take_body(self) -> bytes | None:
        """The request's body, if it has arrived completely. Otherwise None: then ASGI's messages tell what comes."""

    def send_whole(self, headers: Sequence[Header], body: bytes) -> bool:
        """Send a response with the status 200 in one piece. Returns False if it must be sent by messages. Then nothing was sent."""

    def tell_gone(self, on_gone: Callable[[], None] | None) -> None:
        """Call this function as soon as the client has closed the connection. None: call nothing any more."""

    def cut_off(self) -> None:
        """Close the connection at once, whatever the client has read."""


def exchange_of(scope: Scope) -> Exchange | None:
    extensions = scope.get("extensions")
    exchange: Exchange | None = None if extensions is None else extensions.get(EXCHANGE)
    return exchange


def by_name(headers: Sequence[Header]) -> Mapping[bytes, bytes]:
    """Headers by their names. Of several with one name, the first one counts."""
    return dict(reversed(headers))


def cut_off(scope: Scope) -> None:
    """Close the connection at once. A server that does not offer it detects an unfinished response by itself."""
    exchange = exchange_of(scope)
    if exchange is not None:
        exchange.cut_off()
