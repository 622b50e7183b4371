"""Finds free ports for servers that keep their port across restarts."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

_CANDIDATES = range(15_000, 32_000)
"""Lower than the ports of outgoing connections. Otherwise one of those could take a server's port while the server restarts."""


def free_port() -> int:
    """A loopback port without a listener at this moment."""
    return next(port for port in random.sample(_CANDIDATES, len(_CANDIDATES)) if is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on the port. Closing connections of an earlier server do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
