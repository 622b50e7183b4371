"""Reads the settings of a process from the environment.

It must not open connections or know a library: all settings are plain values.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal, TypeAlias, cast

_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_WEBHOOK_PORTS: Final = frozenset({80, 443})
_PAGES: Final = frozenset({"console", "playground"})
LEAST_POINTS: Final = 10_000
"""The smallest full budget: no operation costs more."""
Introspection: TypeAlias = Literal["on", "admin", "off"]
"""Which tokens may read the schema from the server: all, those with the scope ADMIN, or none."""
ByGet: TypeAlias = Literal["on", "trusted", "off"]
"""Which queries and subscriptions GET requests may run: any, those in trusted documents, or none."""


class MissingSetting(Exception):
    """A required setting is not in the environment."""

    def __init__(self, name: str, example: str, option: str | None = None) -> None:
        """`option` is the option of a command that can be given instead."""
        instead = f"; or give {option}" if option else ""
        super().__init__(f"{name} is not set; for example {name}={example}{instead}")
        self.name = name


class MalformedSetting(Exception):
    """A setting has an invalid value."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. Times are in seconds and sizes in bytes, unless the name says otherwise."""

    database_url: str
    redis_url: str
    secret_keys: tuple[str, ...]
    """The keys of cursors. The first one signs and all of them verify, so that a key can be rotated."""

    replica_url: str = ""
    """A streaming replica of `database_url`, for queries of clients that prefer it. Without one, it is empty."""
    replica_lag_seconds: int = 30
    """A replica that is further behind answers nothing."""

    pool_size: int = 10
    statement_timeout_seconds: float = 5.0
    lock_timeout_seconds: float = 2.0
    pool_wait_seconds: float = 2.0

    heavy_pool_size: int = 3
    """Connections of a web process for previews, explanations, overlaps and size histories, separate from the others."""
    operations_at_once: int = 32
    """How many queries and mutations a web process runs at a time. Subscriptions do not count."""
    operations_per_token: int = 8
    """How many of these operations may belong to one token. The token's other operations wait, and do not hold up other tokens."""
    heavy_operations_at_once: int = 3
    """How many queries run at a time whose response may hold more than `heavy_cost` objects, one per token."""
    heavy_cost: int = 1_000
    operations_waiting_per_token: int = 100
    queue_seconds: float = 10.0
    """How long an operation, or a heavy read, waits for a place before it fails with OVERLOADED."""
    operation_seconds: float = 30.0
    """How long a query or mutation may take after it got its place."""
    points: int = 100_000
    """A token's full budget, in points. All web processes share it. 0 means that operations cost nothing."""
    points_per_second: int = 2_000
    """How many points a token's budget gets a second, until it is full."""

    preview_seconds: float = 0.3
    """How long a preview, or a funnel, may count. If counting would take longer, it estimates."""

    tick_pool_size: int = 4
    citus_nodes: Mapping[str, str] | None = field(default_factory=dict)
    """By the address of a Citus machine as the cluster knows it, the address at which workers reach it. If None, they only use the coordinator."""
    sweep_seconds: float = 1.0
    """How often the worker looks for marks whose signal was lost."""
    recompute_hours: int = 24
    """How often every membership is recomputed from the raw facts; 0 means never."""

    retention_days: int = 400
    """How long the complete log is kept; 0 means for ever."""

    feed_poll_seconds: float = 5.0
    """How often a live feed reads the log without a signal."""
    feed_heartbeat_seconds: float = 30.0
    """After this long without a matching change, an empty batch moves the client's cursor."""

    stream_heartbeat_seconds: float = 12.0
    """How often a stream of server-sent events sends a comment, so that no proxy on the way closes it as idle."""
    slow_client_seconds: float = 10.0
    """How long a client may leave sent data unread before it is disconnected."""

    request_seconds: float = 20.0
    """How long a client may take to send the head of a request, to send its body, and between two parts of a file."""

    allowed_origins: frozenset[str] = frozenset()
    """Origins, for example https://app.example, whose pages may use the API by HTTP and by sockets, besides the server's own origin."""
    pages: frozenset[str] = _PAGES
    """Which pages the web process serves: the console at / and the playground at /graphiql."""
    introspection: Introspection = "on"
    by_get: ByGet = "on"
    metrics_token: str = ""
    """The bearer token for /metrics. If empty, /metrics answers only requests from the machine itself."""
    metrics_port: int | None = None
    """The port on which /metrics is, and nothing else. If None, it is on the same port as the API."""
    worker_metrics_port: int | None = None
    """The port on which a worker answers /metrics. If None, it does not."""
    socket_init_seconds: float = 5.0
    """How long a client may take to send connection_init on a new socket."""
    socket_ping_seconds: float = 25.0
    """How often the server pings a client on its socket."""
    sockets_per_token: int = 50
    """How many sockets and streams together a token may have open in one process."""
    subscriptions_per_socket: int = 20

    proxies: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("127.0.0.1/32"),)
    """The proxies that may tell from where a request comes."""
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are not public, and that webhooks may reach all the same."""
    webhook_ports: frozenset[int] = _WEBHOOK_PORTS
    """The ports that a webhook's URL may name."""
    is_webhook_http_allowed: bool = False
    """Whether a webhook's URL may begin with http:// instead of https://."""

    log_format: Literal["text", "json"] = "text"
    """How each message of the log is written: as a line for people, or as a JSON object."""
    log_level: str = "INFO"
    """The least severe messages that the process logs, as a name of Python's logging module."""
    body_bytes: int = 1024 * 1024
    frame_bytes: int = 64 * 1024
    shutdown_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The GraphQL endpoint that a client program uses, and its API token."""

    url: str
    token: str


def client_from_environment(
    *,
    url: str | None,
    token: str | None,
    environment: Mapping[str, str] = os.environ,
    default: Callable[[], Client | None] = lambda: None,
) -> Client:
    """The given values, or else AUDIENCE_URL and AUDIENCE_TOKEN, or else the default. Raises MissingSetting.

    The default is used only if all four values are missing, so that its token is never sent to another server.
    """
    is_named = url or token or environment.get("AUDIENCE_URL") or environment.get("AUDIENCE_TOKEN")
    if not is_named and (client := default()):
        return client
    return Client(
        url=url or _required(environment, "AUDIENCE_URL", "http://127.0.0.1:8000/graphql", "--url"),
        token=token or _required(environment, "AUDIENCE_TOKEN", "agq_…", "--token"),
    )


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises MissingSetting without DATABASE_URL or REDIS_URL, and MalformedSetting for an invalid value.
    Without AUDIENCE_SECRET_KEY, the process creates its own key, and cursors become invalid when it ends.
    """
    keys = tuple(key for key in environment.get("AUDIENCE_SECRET_KEY", "").split(",") if key)
    return Settings(
        database_url=_required(
            environment, "DATABASE_URL", "postgres://user:password@localhost:5432/audience"
        ),
        redis_url=_required(environment, "REDIS_URL", "redis://localhost:6379/0"),
        secret_keys=keys or (secrets.token_urlsafe(32),),
        replica_url=environment.get("AUDIENCE_REPLICA_URL", ""),
        replica_lag_seconds=_positive(environment, "AUDIENCE_REPLICA_LAG_SECONDS", 30),
        pool_size=_whole(environment, "AUDIENCE_POOL_SIZE", 10),
        heavy_pool_size=_whole(environment, "AUDIENCE_HEAVY_POOL_SIZE", 3),
        operations_at_once=_whole(environment, "AUDIENCE_OPERATIONS_AT_ONCE", 32),
        operations_per_token=_whole(environment, "AUDIENCE_OPERATIONS_PER_TOKEN", 8),
        operations_waiting_per_token=_whole(environment, "AUDIENCE_OPERATIONS_WAITING_PER_TOKEN", 100),
        points=_points(environment, "AUDIENCE_POINTS", 100_000),
        points_per_second=_positive(environment, "AUDIENCE_POINTS_PER_SECOND", 2_000),
        tick_pool_size=_whole(environment, "AUDIENCE_TICK_POOL_SIZE", 4),
        citus_nodes=_nodes(environment, "AUDIENCE_CITUS_NODES"),
        recompute_hours=_whole(environment, "AUDIENCE_RECOMPUTE_HOURS", 24),
        retention_days=_whole(environment, "AUDIENCE_RETENTION_DAYS", 400),
        sockets_per_token=_whole(environment, "AUDIENCE_SOCKETS_PER_TOKEN", 50),
        stream_heartbeat_seconds=_whole(environment, "AUDIENCE_STREAM_HEARTBEAT_SECONDS", 12),
        slow_client_seconds=_whole(environment, "AUDIENCE_SLOW_CLIENT_SECONDS", 10),
        request_seconds=_whole(environment, "AUDIENCE_REQUEST_SECONDS", 20),
        pages=_pages(environment, "AUDIENCE_PAGES"),
        introspection=cast(
            "Introspection", _word(environment, "AUDIENCE_INTROSPECTION", ("on", "admin", "off"))
        ),
        by_get=cast("ByGet", _word(environment, "AUDIENCE_GET", ("on", "trusted", "off"))),
        metrics_token=environment.get("AUDIENCE_METRICS_TOKEN", ""),
        metrics_port=_port(environment, "AUDIENCE_METRICS_PORT"),
        worker_metrics_port=_port(environment, "AUDIENCE_WORKER_METRICS_PORT"),
        allowed_origins=_origins(environment, "AUDIENCE_ALLOWED_ORIGINS"),
        proxies=_proxies(environment, "FORWARDED_ALLOW_IPS"),
        webhook_networks=_networks(environment, "AUDIENCE_WEBHOOK_NETWORKS"),
        webhook_ports=_WEBHOOK_PORTS | _ports(environment, "AUDIENCE_WEBHOOK_PORTS"),
        is_webhook_http_allowed=_whether(environment, "AUDIENCE_WEBHOOK_HTTP"),
        log_format=log_format_from_environment(environment),
        log_level=log_level_from_environment("INFO", environment),
    )


def log_format_from_environment(environment: Mapping[str, str] = os.environ) -> Literal["text", "json"]:
    """AUDIENCE_LOG_FORMAT; text without it. Raises MalformedSetting."""
    value = environment.get("AUDIENCE_LOG_FORMAT") or "text"
    if value not in ("text", "json"):
        raise MalformedSetting("AUDIENCE_LOG_FORMAT", value, "text or json")
    return "json" if value == "json" else "text"


def log_level_from_environment(default: str, environment: Mapping[str, str] = os.environ) -> str:
    """AUDIENCE_LOG_LEVEL, or the default without it. Raises MalformedSetting."""
    value = environment.get("AUDIENCE_LOG_LEVEL") or default
    if value.upper() not in _LOG_LEVELS:
        raise MalformedSetting("AUDIENCE_LOG_LEVEL", value, f"one of {', '.join(_LOG_LEVELS)}")
    return value.upper()


def _required(environment: Mapping[str, str], name: str, example: str, option: str | None = None) -> str:
    value = environment.get(name)
    if not value:
        raise MissingSetting(name, example, option)
    return value


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit():
        raise MalformedSetting(name, value, "a whole number")
    return int(value)


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    value = _whole(environment, name, default)
    if value == 0:
        raise MalformedSetting(name, "0", "a whole number of at least 1")
    return value


def _points(environment: Mapping[str, str], name: str, default: int) -> int:
    value = _whole(environment, name, default)
    if 0 < value < LEAST_POINTS:
        expected = f"0 for no limit, or at least {LEAST_POINTS:,}, which is more than any operation costs"
        raise MalformedSetting(name, str(value), expected)
    return value


def _whether(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name) or "0"
    if value not in ("0", "1"):
        raise MalformedSetting(name, value, "1 for yes or 0 for no")
    return value == "1"


def _pages(environment: Mapping[str, str], name: str) -> frozenset[str]:
    value = environment.get(name) or ",".join(_PAGES)
    pages = frozenset[str]() if value == "none" else frozenset(it.strip() for it in value.split(","))
    if not pages <= _PAGES:
        raise MalformedSetting(name, value, "none, console, playground, or console,playground")
    return pages


def _word(environment: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of these words; the first one without the setting. Raises MalformedSetting."""
    value = environment.get(name) or words[0]
    if value not in words:
        raise MalformedSetting(name, value, f"{', '.join(words[:-1])} or {words[-1]}")
    return value


def _networks(environment: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(it) for it in _words(environment, name))
    except ValueError as error:
        expected = "networks like 10.0.0.0/8 or fd00::/8, separated by commas"
        raise MalformedSetting(name, environment[name], expected) from error


def _proxies(environment: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks in a setting of the web server, which also allows * for everybody, and words that are no networks."""
    found: list[IPv4Network | IPv6Network] = []
    for word in environment.get(name, "127.0.0.1").split(","):
        if word.strip() == "*":
            found += [IPv4Network("0.0.0.0/0"), IPv6Network("::/0")]
        with suppress(ValueError):
            found.append(ip_network(word.strip()))
    return tuple(found)


def _ports(environment: Mapping[str, str], name: str) -> frozenset[int]:
    words = _words(environment, name)
    if not all(map(_is_port, words)):
        raise MalformedSetting(name, environment[name], "port numbers, separated by commas")
    return frozenset(map(int, words))


def _nodes(environment: Mapping[str, str], name: str) -> Mapping[str, str] | None:
    if environment.get(name) == "off":
        return None
    pairs = [word.split("=") for word in _words(environment, name)]
    if not all(len(pair) == 2 and all(map(_is_address, pair)) for pair in pairs):  # noqa: PLR2004  # a pair
        expected = "off, or pairs like worker-1:5432=10.0.0.5:5432, separated by commas"
        raise MalformedSetting(name, environment[name], expected)
    return dict(pairs)


def _is_address(word: str) -> bool:
    host, _, port = word.rpartition(":")
    return bool(host) and _is_port(port)


def _port(environment: Mapping[str, str], name: str) -> int | None:
    value = environment.get(name)
    if not value:
        return None
    if not _is_port(value):
        raise MalformedSetting(name, value, "a port number")
    return int(value)


def _is_port(word: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,4}", word) is not None and int(word) < 2**16


def _words(environment: Mapping[str, str], name: str) -> list[str]:
    return [word for it in environment.get(name, "").split(",") if (word := it.strip())]


def _origins(environment: Mapping[str, str], name: str) -> frozenset[str]:
    origins = frozenset(it.strip().lower().rstrip("/") for it in environment.get(name, "").split(",") if it)
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s*]+", origin):
            raise MalformedSetting(name, origin, "origins like https://app.example, separated by commas")
    return origins
