"""Decides where webhooks may go (SSRF): reads a URL strictly, and checks every address that its name resolves to.

A URL is read here only, and an address is looked up here only: the connection goes to the very addresses that were checked.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

import idna

from audience_gql.webhooks.addresses import IPAddress, IPNetwork, is_open

_URL_CHARACTERS: Final = 2_000
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_URL: Final = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_TARGET: Final = re.compile(r"[!-~]*")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOK_UPS_AT_ONCE: Final = 32

Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Finds the addresses of a name, the preferred one first. Raises OSError."""


class Refused(Exception):
    """Webhooks must not go there. The message is a sentence for whoever manages the endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where webhooks may go. The default is for a server whose customers do not trust each other."""

    networks: tuple[IPNetwork, ...] = ()
    """Networks that are open although they are not public."""
    ports: frozenset[int] = frozenset({80, 443})
    is_http_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a URL says, after the checks that need no network."""

    scheme: str
    host: str | IPAddress
    """The name in ASCII and lower case without a dot at its end, or the address that the URL gives instead of a name."""
    port: int
    target: str
    """The path and the query, as in the first line of the request."""

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if isinstance(self.host, IPv6Address) else str(self.host)
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, policy: Policy) -> str | None:
    """Why the policy refuses this URL, in one sentence, or None. It uses no network, so only addresses in the URL itself are checked."""
    try:
        read_url(url, policy)
    except Refused as refusal:
        return str(refusal)
    return None


def read_url(url: str, policy: Policy) -> Destination:
    """Raises Refused."""
    if len(url) > _URL_CHARACTERS:
        raise Refused(f"The URL has more than {_URL_CHARACTERS:,} characters.")
    if _UNSAFE.search(url):
        raise Refused("The URL contains a space, a control character or a backslash.")
    if not (parts := _URL.fullmatch(url)):
        raise Refused("The URL does not begin with https:// and a host.")
    scheme, authority, target = parts[1].lower(), parts[2], parts[3]
    if scheme == "http" and not policy.is_http_allowed:
        raise Refused("The URL begins with http://, and this server sends webhooks by https:// only.")
    if not _TARGET.fullmatch(target):
        raise Refused("The path or the query of the URL contains characters that must be percent-encoded.")
    host, port = _read_authority(authority, default_port=_DEFAULT_PORTS[scheme])
    if port not in policy.ports:
        raise Refused(
            f"The URL has the port {port}. Allowed ports are {', '.join(map(str, sorted(policy.ports)))}."
        )
    if not isinstance(host, str):
        _check_address(host, policy, named="The URL has the address")
    target = target if target.startswith("/") else f"/{target}"
    return Destination(scheme=scheme, host=host, port=port, target=target)


async def find_addresses(destination: Destination, policy: Policy, resolve: Resolve) -> Sequence[IPAddress]:
    """All addresses of the destination. Raises Refused unless every one is open, and OSError if the name cannot be resolved."""
    host = destination.host
    if not isinstance(host, str):
        return [host]
    addresses = [ip_address(it) for it in await resolve(host)]
    if not addresses:
        raise Refused(f"The name {host} has no address.")
    for address in addresses:
        _check_address(address, policy, named=f"The name {host} resolves to")
    return addresses


class SystemResolver:
    """Resolves names as the machine does.

    It has its own threads, and looks a name up once for all who ask at the same time. So slow name servers do not hold up the event
    loop's pool, and one of them occupies one thread.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="webhook-resolver")
        self._pending: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, name: str) -> Sequence[str]:
        if name not in self._pending:
            self._pending[name] = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, name)
            self._pending[name].add_done_callback(lambda found: self._forget(name, found))
        return await asyncio.shield(self._pending[name])

    def _forget(self, name: str, found: asyncio.Future[Sequence[str]]) -> None:
        del self._pending[name]
        if not found.cancelled():
            found.exception()  # so that asyncio does not report the error if nobody waits any more


def _look_up(name: str) -> Sequence[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _check_address(address: IPAddress, policy: Policy, *, named: str) -> None:
    if not is_open(address, policy.networks):
        raise Refused(f"{named} {address}, which is not a public address.")


def _read_authority(authority: str, *, default_port: int) -> tuple[str | IPAddress, int]:
    if "@" in authority:
        raise Refused("The URL contains a user name or a password.")
    if not (parts := _AUTHORITY.fullmatch(authority)):
        raise Refused("The host or the port of the URL is malformed.")
    host, port = parts[1], parts[2]
    return _read_host(host), int(port) if port else default_port


def _read_host(text: str) -> str | IPAddress:
    if text.startswith("["):
        return _read_v6(text[1:-1])
    name = _in_ascii(text).removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _read_v4(name)
    if not _NAME.fullmatch(name):
        raise Refused("The host of the URL is not a valid name.")
    return name


def _in_ascii(name: str) -> str:
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True, std3_rules=True).decode()
    except idna.IDNAError as error:
        raise Refused("The host of the URL is not a valid name.") from error


def _read_v4(text: str) -> IPv4Address:
    """Only the usual form. Systems disagree about what 127.1, 0x7f000001 and 0177.0.0.1 mean."""
    try:
        return IPv4Address(text)
    except ValueError as error:
        raise Refused(
            "The host of the URL is a number, but not an IPv4 address of four decimal numbers."
        ) from error


def _read_v6(text: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except ValueError as error:
        raise Refused("The host of the URL is not a valid IPv6 address.") from error
    if address.scope_id is not None:
        raise Refused("The URL has an IPv6 address with a zone.")
    return address
