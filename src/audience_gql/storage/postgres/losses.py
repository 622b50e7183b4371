"""Recognises the errors which mean that Postgres, or a machine of its cluster, is away, although their classes do not say so.

The driver has one class for a closed connection and for a wrong number of arguments. A Citus cluster tells the loss of a machine in the
middle of a statement as an internal error.
"""

from __future__ import annotations

import re
from typing import Final

import asyncpg

DOUBTFUL: Final[tuple[type[Exception], ...]] = (asyncpg.InternalServerError, asyncpg.InterfaceError)
"""The classes of such errors. Most errors of these classes mean something else."""

_OF_A_MACHINE: Final = re.compile(
    r"failure on connection marked as essential"
    r"|could not commit transaction (for shard \d+ )?on"
    r"|connection not open|no connection to the server|connection pointer is NULL"
    r"|server closed the connection|could not (receive data from|send data to) server"
    r"|SSL (SYSCALL error|connection has been closed)|lost synchronization with server"
)
"""Texts of Citus, and those of Postgres' own client, which a cluster repeats. Tried by killing machines of Citus 13.2."""
_OF_A_CONNECTION: Final = re.compile(
    r"\bis (closed|closing)\b|released back to the pool|another operation is cancelling"
)
"""Texts of the driver. Its pool takes a lost connection back, so a caller that uses it again is told so."""


class ConnectionLost(asyncpg.PostgresConnectionError):
    """The connection, or a machine that the statement needs, was lost. During a commit, nobody knows whether it has happened."""


def loss(error: Exception) -> ConnectionLost | None:
    """The same error as a loss. None if it is another kind of error."""
    texts = _OF_A_CONNECTION if isinstance(error, asyncpg.InterfaceError) else _OF_A_MACHINE
    if not isinstance(error, DOUBTFUL) or not texts.search(str(error)):
        return None
    return ConnectionLost(str(error))
