"""Counts the sockets and streams of this process by token, and the operations that they run.

It limits the connections of a token. The transports refuse those beyond the limit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Live:
    """The connections of one process."""

    def __init__(self, *, most_per_token: int) -> None:
        self.drained = asyncio.Event()
        """Set when the process is about to stop and its clients must connect to another one."""
        self._most_per_token = most_per_token
        self._connections: Counter[int] = Counter()
        self._operations = 0

    @property
    def connections(self) -> int:
        return self._connections.total()

    @property
    def operations(self) -> int:
        """The number of operations that run on sockets and streams."""
        return self._operations

    def enter(self, token_id: int) -> bool:
        """Count a socket or stream of a token. False if the token has too many already: then it is not counted."""
        if self._connections[token_id] >= self._most_per_token:
            return False
        self._connections[token_id] += 1
        return True

    def leave(self, token_id: int) -> None:
        self._connections[token_id] -= 1
        self._connections += Counter()  # removes tokens with zero

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Count an operation while it runs."""
        self._operations += 1
        try:
            yield
        finally:
            self._operations -= 1
