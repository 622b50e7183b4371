"""Who is connected to this process: the sockets and streams of every token, and the operations that they run.

It decides who may come in; what is said to those who may not is the transports'.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Live:
    """One process' connections. When they are to end, `drained` is set."""

    def __init__(self, *, most_per_token: int) -> None:
        self.drained = asyncio.Event()
        """Set when the process is about to stop: whoever is connected is to go on elsewhere."""
        self._most_per_token = most_per_token
        self._connections: Counter[int] = Counter()
        self._operations = 0

    @property
    def connections(self) -> int:
        return self._connections.total()

    @property
    def operations(self) -> int:
        """How many operations are under way on sockets and streams."""
        return self._operations

    def enter(self, token_id: int) -> bool:
        """Count a socket or stream of a token; False when it has too many already."""
        if self._connections[token_id] >= self._most_per_token:
            return False
        self._connections[token_id] += 1
        return True

    def leave(self, token_id: int) -> None:
        self._connections[token_id] -= 1
        self._connections += Counter()  # drops what is at zero

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Count an operation while it is under way."""
        self._operations += 1
        try:
            yield
        finally:
            self._operations -= 1
