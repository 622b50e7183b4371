"""From where a token is used: the caller's address and the class of their program. It decides whether a token's networks admit a caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, Literal, TypeAlias

from audience_gql.audience.failures import Issue

Address: TypeAlias = IPv4Address | IPv6Address
AgentClass: TypeAlias = Literal["BROWSER", "COMMAND_LINE", "PROGRAM"]
NETWORKS_LIMIT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    address: Address | None
    """None if it is not known, for example because a proxy sent something else."""
    agent: AgentClass | None
    """None if the program does not say what it is."""


Asked: TypeAlias = Callable[[], Caller]
"""Finds out who calls. It is called only if the answer matters."""


def admits(networks: Sequence[str] | None, caller: Caller) -> bool:
    """Whether a token with these networks may be used by this caller. None admits everybody. An unknown address is in no network."""
    if networks is None:
        return True
    return caller.address is not None and any(caller.address in ip_network(network) for network in networks)


def kept_networks(given: Sequence[str] | None, issues: list[Issue]) -> list[str] | None:
    """The networks as they are stored, each once. Appends what is wrong with them to the issues."""
    if given is None:
        return None
    if not 1 <= len(given) <= NETWORKS_LIMIT:
        message = f"name 1 to {NETWORKS_LIMIT} networks, or null for all of them"
        issues.append(Issue(code="TOO_MANY" if given else "REQUIRED", message=message, path=("networks",)))
        return None
    kept: dict[str, None] = {}
    for number, text in enumerate(given):
        try:
            kept[str(ip_network(text.strip()))] = None
        except ValueError:
            message = (
                "expected a network such as 203.0.113.0/24 or 2001:db8::/32, without bits behind its prefix"
            )
            issues.append(Issue(code="MALFORMED", message=message, path=("networks", number)))
    return list(kept)
