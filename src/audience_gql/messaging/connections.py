"""Connections to Redis, none of which waits for a server for ever.

A Redis that vanishes without closing its connections answers nothing on them: whoever waited without a limit would never notice.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import orjson
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool, Redis

QUEUE: Final = "audience:jobs"
SIGNAL_SECONDS: Final = 1.0
"""How long a signal, or the question whether Redis is there, may take."""
COMMAND_SECONDS: Final = 3.0
"""How long a command of the job queue may take. After that the loop of jobs starts anew, with what runs in it."""

_KEEPALIVE: Final = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


def for_signals(url: str) -> Redis:
    return Redis(connection_pool=_pool(url, SIGNAL_SECONDS))


def for_jobs(url: str) -> ArqRedis:
    """arq's own client. It has no other way to be given a limit for commands."""
    return ArqRedis(
        _pool(url, COMMAND_SECONDS),
        default_queue_name=QUEUE,
        job_serializer=serialize,
        job_deserializer=orjson.loads,
    )


def serialize(job: object) -> bytes:
    """A job or its result. What is no JSON, an error for example, by its words."""
    return orjson.dumps(job, default=str)


def _pool(url: str, seconds: float) -> ConnectionPool:
    return ConnectionPool.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        **({} if url.startswith("unix:") else _of_tcp()),
    )


def _of_tcp() -> dict[str, Any]:  # Any: the client's own words
    options = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}
