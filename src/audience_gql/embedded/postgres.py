"""One Postgres: its data folder, its command, and whether it answers."""

from __future__ import annotations

import shutil
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audience_gql.embedded.binaries import Binaries
from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.state import StateFolder

USER: Final = "audience"
DATABASE: Final = "postgres"
_SSL_REQUEST: Final = bytes((0, 0, 0, 8, 4, 210, 22, 47))


class WrongMajor(EmbeddedError):
    """The data was written by another major version of Postgres."""

    def __init__(self, folder: Path, there: str, wanted: str) -> None:
        super().__init__(
            f"{folder} holds data of Postgres {there}, and this is Postgres {wanted}: "
            "dump it with the old version, or choose another --state"
        )


class InitFailed(EmbeddedError):
    """initdb could not make the data folder."""

    def __init__(self, said: str) -> None:
        super().__init__(f"initdb failed: {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    binaries: Binaries
    state: StateFolder
    port: int
    is_durable: bool

    name: str = "postgres"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": sessions are ended, nothing is lost

    @property
    def folder(self) -> Path:
        return self.state.path / "postgres"

    @property
    def url(self) -> str:
        return f"postgres://{USER}:{self.state.password('postgres')}@127.0.0.1:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the data folder where it is missing. Only while nothing works in the state folder. Raises WrongMajor, InitFailed."""
        # Nobody holds it, so a pid file is a dead run's; its number may be somebody else's by now, whom Postgres would believe.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        version = self.folder / "PG_VERSION"
        if version.exists():
            there, wanted = version.read_text().strip(), self._major()
            if there != wanted:
                raise WrongMajor(self.folder, there, wanted)
            return
        self._init()

    def command(self) -> list[str | Path]:
        durable = "on" if self.is_durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "effective_cache_size": "512MB",
            "max_wal_size": "2GB",
            "work_mem": "16MB",
            "maintenance_work_mem": "128MB",
            "jit": "off",
            "fsync": durable,
            "full_page_writes": durable,
            "synchronous_commit": "on",  # a killed server loses nothing, even where a power cut would
            "dynamic_shared_memory_type": "posix",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self.binaries.postgres, "-D", self.folder, *options]

    def answers(self) -> bool:
        """Whether it takes connections: it answers an SSL request with one byte as soon as it does."""
        pid_lines = _lines(self.folder / "postmaster.pid")
        if len(pid_lines) < 8 or pid_lines[7].strip() != "ready":  # noqa: PLR2004  # the eighth line is the server's state
            return False
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(_SSL_REQUEST)
                return connection.recv(1) in (b"S", b"N")
        except OSError:
            return False

    def _major(self) -> str:
        ran = self.state.account.run([self.binaries.postgres, "--version"])
        return ran.stdout.decode().split()[-1].split(".")[0]

    def _init(self) -> None:
        """Into a folder beside, which is moved once it is whole."""
        partial = self.folder.with_name("postgres.partial")
        shutil.rmtree(partial, ignore_errors=True)
        password = self.state.path / "initdb.password"
        self.state.write_private(password, self.state.password("postgres"))
        ran = self.state.account.run(
            [
                self.binaries.initdb,
                "-D",
                partial,
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                f"--pwfile={password}",
                "-E",
                "UTF8",
                "--locale-provider=builtin",
                "--locale=C.UTF-8",
                "--lc-collate=C",
                "--lc-ctype=C",
                "--lc-messages=C",
                "--lc-monetary=C",
                "--lc-numeric=C",
                "--lc-time=C",
                "--no-instructions",
                "--no-sync",
            ]
        )
        password.unlink(missing_ok=True)
        if ran.returncode != 0:
            raise InitFailed(ran.stdout.decode(errors="replace")[-2000:])
        partial.rename(self.folder)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
