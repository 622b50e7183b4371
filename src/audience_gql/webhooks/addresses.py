"""Decides whether an IP address is public, so that a webhook cannot reach the servers beside this one.

The tables follow the special-purpose registries of IANA. `ipaddress.is_global` alone does not: it says True for multicast, for
some reserved ranges, and for IPv6 addresses that lead to a private IPv4 address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

_ALLOCATED: Final = (
    IPv4Network("0.0.0.0/0"),
    IPv6Network("2000::/3"),  # the only part of IPv6 from which IANA assigns addresses to hosts
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052): how a network with IPv6 only reaches IPv4
)
_NOT_PUBLIC: Final = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, deprecated by RFC 7526
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv6Network("2001::/23"),  # IETF protocol assignments, with Teredo
    IPv6Network("2002::/16"),  # 6to4, whose relays RFC 7526 deprecates
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""What some versions of Python call global, and others do not."""

_V4_COMPATIBLE: Final = IPv6Network("::/96")
_V4_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_V4_IN_LAST_BITS: Final = (
    _V4_COMPATIBLE,
    _V4_MAPPED,
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    IPv6Network("64:ff9b::/96"),  # NAT64
    IPv6Network("64:ff9b:1::/48"),  # NAT64 for local use (RFC 8215), in its usual layout with a /96
)
_NO_V4: Final = (IPv6Address("::"), IPv6Address("::1"))
"""These lie in the range of IPv4-compatible addresses, and have meanings of their own."""
_6TO4: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
"""The third quarter of an ISATAP address (RFC 5214). The IPv4 address is the last one."""


def is_open(address: IPAddress, networks: Collection[IPNetwork]) -> bool:
    """Whether the address, and each IPv4 address inside it, is public or in one of the networks."""
    return all(_is_public(it) or any(it in network for network in networks) for it in _all_meanings(address))


def _is_public(address: IPAddress) -> bool:
    return (
        address.is_global
        and any(address in network for network in _ALLOCATED)
        and not any(address in network for network in _NOT_PUBLIC)
    )


def _all_meanings(address: IPAddress) -> Iterator[IPAddress]:
    """The address, and the IPv4 addresses inside it. A mapped address is only its IPv4 address: the system connects to that."""
    if isinstance(address, IPv4Address) or address not in _V4_MAPPED:
        yield address
    if isinstance(address, IPv6Address):
        yield from map(IPv4Address, _inner_v4(address))


def _inner_v4(address: IPv6Address) -> Iterator[int]:
    """The IPv4 addresses inside an IPv6 address, as numbers."""
    number, last = int(address), int(address) & 0xFFFFFFFF
    if address not in _NO_V4 and any(address in network for network in _V4_IN_LAST_BITS):
        yield last
    if address in _6TO4:
        yield number >> 80 & 0xFFFFFFFF
    if address in _TEREDO:
        yield number >> 64 & 0xFFFFFFFF  # the server
        yield ~last & 0xFFFFFFFF  # the client, with all bits inverted
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        yield last
