"""Free ports for servers that keep theirs when they are started again."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

_CANDIDATES = range(15_000, 32_000)
"""Below the ports that systems give to outgoing connections, one of which could else take a server's while it restarts."""


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    return next(port for port in random.sample(_CANDIDATES, len(_CANDIDATES)) if is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on the port. Connections of an earlier server that wear off do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
