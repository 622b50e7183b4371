"""One Valkey: its configuration, its command, and whether it answers. It keeps nothing on disk: it holds only wake-ups."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from audience_gql.embedded.binaries import Binaries
from audience_gql.embedded.ownership import give
from audience_gql.embedded.state import StateFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    binaries: Binaries
    state: StateFolder
    port: int

    name: str = "valkey"
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def folder(self) -> Path:
        return self.state.path / "valkey"

    @property
    def url(self) -> str:
        return f"redis://:{self.state.password('valkey')}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        give(self.folder, self.state.account)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.state.password('valkey')}",
            f'dir "{self.folder}"',
            "daemonize no",
            "set-proc-title no",  # its command line must go on naming our folder, by which a left-over is known
            "appendonly no",
            'save ""',
            "loglevel warning",
        ]
        # In a file, because a command line is for everybody to read.
        self.state.write_private(self.folder / "valkey.conf", "\n".join(lines) + "\n")

    def command(self) -> list[str | Path]:
        return [self.binaries.valkey, self.folder / "valkey.conf"]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AUTH " + self.state.password("valkey").encode() + b"\r\nPING\r\n")
                return b"+OK" in connection.recv(64)
        except OSError:
            return False
