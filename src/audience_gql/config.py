"""The settings of one process, and the only place that reads the environment.

It must not open connections or know a library: everything here is a plain value.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class MissingSetting(Exception):
    """A setting that the command cannot do without is not in the environment."""

    def __init__(self, name: str, example: str) -> None:
        super().__init__(f"{name} is not set; for example {name}={example}")
        self.name = name


class MalformedSetting(Exception):
    """A setting is there, but cannot be read."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process can be told. Times are in seconds, sizes in bytes."""

    database_url: str
    redis_url: str
    secret_keys: tuple[str, ...]
    """Sign cursors: the first signs, all verify, so that a key can be rotated."""

    pool_size: int = 10
    statement_timeout_seconds: float = 5.0
    lock_timeout_seconds: float = 2.0
    pool_wait_seconds: float = 2.0

    heavy_pool_size: int = 3
    """Connections of a web process for previews, explanations, overlaps and histories, apart from all others."""
    operations_at_once: int = 32
    """Queries and mutations that a web process runs at a time; what listens does not count."""
    operations_per_token: int = 8
    """Of these, how many may be one token's. Its others wait, and those of other tokens pass them."""
    heavy_operations_at_once: int = 3
    """Queries whose response may hold more than `heavy_cost` objects; one a token."""
    heavy_cost: int = 1_000
    operations_waiting_per_token: int = 100
    queue_seconds: float = 10.0
    """How long an operation, or a heavy read, waits for a place before it is told OVERLOADED."""
    operation_seconds: float = 30.0
    """How long a query or mutation may take, from when it has its place."""

    preview_seconds: float = 0.3
    """How long a preview may count; an audience that takes longer is estimated."""

    tick_pool_size: int = 4
    sweep_seconds: float = 1.0
    """How often the worker looks for marks whose signal was lost."""
    recompute_hours: int = 24
    """How often everything is recomputed from the raw facts; 0 turns the schedule off."""

    retention_days: int = 400
    """How long the log is kept; 0 for ever."""

    feed_poll_seconds: float = 5.0
    """How often a live feed reads the log while no signal comes."""
    feed_heartbeat_seconds: float = 30.0
    """After this long without a match an empty batch moves the client's cursor."""

    stream_heartbeat_seconds: float = 12.0
    """How often a stream of server-sent events carries a comment, so that nobody on the way takes it for dead."""
    slow_client_seconds: float = 10.0
    """How long a client may leave unread what it was sent, before it is sent away."""

    request_seconds: float = 20.0
    """How long a client may take for the head of a request, for its body, and between two parts of a file."""

    allowed_origins: frozenset[str] = frozenset()
    """Whose pages may use the API, by HTTP and by sockets, besides those of the server's own origin; such as https://app.example."""
    metrics_token: str = ""
    """What /metrics asks for. Without it, only requests from the machine itself are answered."""
    socket_init_seconds: float = 5.0
    socket_ping_seconds: float = 25.0
    """How often a client is asked on his socket whether he is there."""
    sockets_per_token: int = 50
    """Sockets and streams together."""
    subscriptions_per_socket: int = 20
    body_bytes: int = 1024 * 1024
    frame_bytes: int = 64 * 1024
    shutdown_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Whom a client program talks to, and as whom."""

    url: str
    token: str


def client_from_environment(
    *,
    url: str | None,
    token: str | None,
    environment: Mapping[str, str] = os.environ,
    default: Callable[[], Client | None] = lambda: None,
) -> Client:
    """What was given, or else what the environment gives; the default when neither gives anything. Raises MissingSetting.

    The default is taken as a whole, so that its token is never sent to another server.
    """
    is_named = url or token or environment.get("AUDIENCE_URL") or environment.get("AUDIENCE_TOKEN")
    if not is_named and (client := default()):
        return client
    return Client(
        url=url or _required(environment, "AUDIENCE_URL", "http://127.0.0.1:8000/graphql"),
        token=token or _required(environment, "AUDIENCE_TOKEN", "agq_…"),
    )


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment gives.

    Raises MissingSetting without DATABASE_URL or REDIS_URL, MalformedSetting for a number that is none.
    Without AUDIENCE_SECRET_KEY a key is made up for this process: cursors then end with it.
    """
    keys = tuple(key for key in environment.get("AUDIENCE_SECRET_KEY", "").split(",") if key)
    return Settings(
        database_url=_required(
            environment, "DATABASE_URL", "postgres://user:password@localhost:5432/audience"
        ),
        redis_url=_required(environment, "REDIS_URL", "redis://localhost:6379/0"),
        secret_keys=keys or (secrets.token_urlsafe(32),),
        pool_size=_whole(environment, "AUDIENCE_POOL_SIZE", 10),
        heavy_pool_size=_whole(environment, "AUDIENCE_HEAVY_POOL_SIZE", 3),
        operations_at_once=_whole(environment, "AUDIENCE_OPERATIONS_AT_ONCE", 32),
        operations_per_token=_whole(environment, "AUDIENCE_OPERATIONS_PER_TOKEN", 8),
        operations_waiting_per_token=_whole(environment, "AUDIENCE_OPERATIONS_WAITING_PER_TOKEN", 100),
        tick_pool_size=_whole(environment, "AUDIENCE_TICK_POOL_SIZE", 4),
        recompute_hours=_whole(environment, "AUDIENCE_RECOMPUTE_HOURS", 24),
        retention_days=_whole(environment, "AUDIENCE_RETENTION_DAYS", 400),
        sockets_per_token=_whole(environment, "AUDIENCE_SOCKETS_PER_TOKEN", 50),
        stream_heartbeat_seconds=_whole(environment, "AUDIENCE_STREAM_HEARTBEAT_SECONDS", 12),
        slow_client_seconds=_whole(environment, "AUDIENCE_SLOW_CLIENT_SECONDS", 10),
        request_seconds=_whole(environment, "AUDIENCE_REQUEST_SECONDS", 20),
        metrics_token=environment.get("AUDIENCE_METRICS_TOKEN", ""),
        allowed_origins=_origins(environment, "AUDIENCE_ALLOWED_ORIGINS"),
    )


def _required(environment: Mapping[str, str], name: str, example: str) -> str:
    value = environment.get(name)
    if not value:
        raise MissingSetting(name, example)
    return value


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit():
        raise MalformedSetting(name, value, "a whole number")
    return int(value)


def _origins(environment: Mapping[str, str], name: str) -> frozenset[str]:
    origins = frozenset(it.strip().lower().rstrip("/") for it in environment.get(name, "").split(",") if it)
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise MalformedSetting(name, origin, "origins such as https://app.example, separated by commas")
    return origins
