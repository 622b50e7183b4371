"""Valkey: its configuration, and how to see that it answers. It stores nothing on disk, because it only carries wake-ups."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audience_gql.embedded.ports import LOOPBACK
from audience_gql.embedded.programs import Programs
from audience_gql.embedded.state import StateFolder

_PATIENCE_SECONDS = 1.0

_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
databases 64
save ""
appendonly no
loglevel warning
set-proc-title no
"""
"""`set-proc-title no` keeps the command line, by which leftovers.py recognises the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """One server with a written configuration file."""

    program: Path
    configuration: Path
    port: int
    password: str

    @property
    def name(self) -> str:
        return "valkey-server"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def command(self) -> list[str | Path]:
        return [self.program, self.configuration]

    def is_ready(self, _pid: int) -> bool:
        """Whether a server answers that accepts the password, and so is this one."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_PATIENCE_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                return connection.recv(3) == b"+OK"
        except OSError:
            return False


def prepare(programs: Programs, folder: StateFolder) -> Callable[[int], Valkey]:
    """A function from a port to the server. It writes the port into the configuration."""
    password = folder.secret("valkey.password")

    def on(port: int) -> Valkey:
        # The password is in a file, because everybody can read command lines.
        text = _CONFIGURATION.format(host=LOOPBACK, port=port, password=password)
        configuration = folder.write("valkey.conf", text)
        return Valkey(program=programs.valkey, configuration=configuration, port=port, password=password)

    return on
