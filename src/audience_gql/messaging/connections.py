"""Connections to Redis, all with time limits.

A Redis that vanishes without closing its connections never answers on them, and a client without a limit would never notice.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import orjson
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool, Redis

QUEUE: Final = "audience:jobs"
SIGNAL_SECONDS: Final = 1.0
"""How long a signal, or a check whether Redis answers, may take."""
COMMAND_SECONDS: Final = 3.0
"""How long a command of the job queue may take. After that, the job loop is restarted, and so are its running jobs."""

_KEEPALIVE: Final = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


def for_signals(url: str) -> Redis:
    return Redis(connection_pool=_pool(url, SIGNAL_SECONDS))


def for_jobs(url: str) -> ArqRedis:
    """arq's own client, on a pool with a time limit for commands: arq has no other setting for that limit."""
    return ArqRedis(
        _pool(url, COMMAND_SECONDS),
        default_queue_name=QUEUE,
        job_serializer=serialize,
        job_deserializer=orjson.loads,
    )


def serialize(job: object) -> bytes:
    """A job or its result as JSON. A value that JSON cannot hold, for example an error, becomes its text."""
    return orjson.dumps(job, default=str)


def _pool(url: str, seconds: float) -> ConnectionPool:
    return ConnectionPool.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        **({} if url.startswith("unix:") else _of_tcp()),
    )


def _of_tcp() -> dict[str, Any]:  # Any: the client's own options
    options = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}
