"""Finds out from where a request comes, also behind proxies, and what kind of program sent it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

from audience_gql.audience.callers import Address, AgentClass, Caller

_TOOLS: Final = ("curl/", "wget/", "httpie/", "audience-gql")


def caller_of(scope: Scope, proxies: Sequence[IPv4Network | IPv6Network]) -> Caller:
    """The caller of a request or websocket. A forwarded address counts only if one of these proxies tells it."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    told = [value for name, value in headers if name == b"x-forwarded-for"]
    agent = next((value for name, value in headers if name == b"user-agent"), b"")
    client = scope.get("client")
    return Caller(
        address=_address(client[0] if client else "", b",".join(told).decode("latin-1"), proxies),
        agent=_class_of(agent.decode("latin-1")),
    )


def _address(peer: str, told: str, proxies: Sequence[IPv4Network | IPv6Network]) -> Address | None:
    """The last address on the way that is not one of our proxies. What stands before it may be invented by the caller."""
    found = _parsed(peer)
    for text in reversed(told.split(",") if told else []):
        if found is None or not any(found in network for network in proxies):
            break
        found = _parsed(text.strip())
    return found


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _class_of(agent: str) -> AgentClass | None:
    """What kind of program this is, by its own name. A browser's begins with Mozilla/."""
    name = agent.strip().lower()
    if not name:
        return None
    if name.startswith("mozilla/"):
        return "BROWSER"
    return "COMMAND_LINE" if name.startswith(_TOOLS) else "PROGRAM"
