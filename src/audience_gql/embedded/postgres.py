"""Postgres: creating its data folder, its settings, and how to see that it accepts connections."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from audience_gql.embedded.account import Account
from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.leftovers import is_alive
from audience_gql.embedded.ports import LOOPBACK
from audience_gql.embedded.programs import Programs
from audience_gql.embedded.state import StateFolder

_USER = "audience"
_DATABASE = "postgres"

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path has at most 107 characters, and the folder's path may be longer
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "512MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_DURABLE: Mapping[str, str] = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
_THROWAWAY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}

_FIRST_WITH_BUILTIN_LOCALES = 17
"""A major version. Older ones take C.UTF-8 from the machine's C library."""

_STATUS_LINE = 7
"""The index of the status line in the pid file, from 0. It is "starting", then "ready"."""


class WrongMajor(EmbeddedError):
    """The data folder is from another major version of Postgres, whose files this one cannot read."""

    def __init__(self, data: Path, made_by: int, bundled: int) -> None:
        super().__init__(
            f"{data} was made by Postgres {made_by}, and the bundled one is {bundled}. Dump the data with the old version "
            "and load them again, or choose another --state to start without data."
        )
        self.made_by = made_by
        self.bundled = bundled


class DataNotMade(EmbeddedError):
    """Postgres failed to create a data folder."""

    def __init__(self, data: Path, output: bytes) -> None:
        super().__init__(f"Postgres could not create {data}: {output.decode(errors='replace').strip()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """One server on an existing data folder."""

    program: Path
    data: Path
    port: int
    password: str
    settings: Mapping[str, str]

    @property
    def name(self) -> str:
        return "postgres"

    @property
    def url(self) -> str:
        return f"postgres://{_USER}:{self.password}@{LOOPBACK}:{self.port}/{_DATABASE}"

    @property
    def command(self) -> list[str | Path]:
        settings = {**self.settings, "port": str(self.port)}
        return [self.program, "-D", self.data, *(f"--{name}={value}" for name, value in settings.items())]

    def is_ready(self, pid: int) -> bool:
        """Whether the process `pid` accepts connections, according to Postgres' pid file."""
        lines = _lines(self.data / "postmaster.pid")
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"


def prepare(
    programs: Programs, folder: StateFolder, settings: Mapping[str, str], *, is_durable: bool
) -> Callable[[int], Postgres]:
    """A function from a port to the server. Creates the data folder if it is missing; no server may run on it.

    `settings` replace or extend the default settings.

    Raises WrongMajor, DataNotMade.
    """
    data, password_file = folder.path / "postgres", "postgres.password"
    password = folder.secret(password_file)
    bundled = programs.postgres_major(folder.account)
    if not data.exists():
        options = [
            "-U",
            _USER,
            f"--pwfile={folder.path / password_file}",
            *_initdb_options(bundled, is_durable=is_durable),
        ]
        _make(data, programs.initdb, folder.account, options)
    made_by = int((data / "PG_VERSION").read_text())
    if made_by != bundled:
        raise WrongMajor(data, made_by, bundled)
    _forget_strangers_pid(data / "postmaster.pid")
    settings = {**_SETTINGS, **(_DURABLE if is_durable else _THROWAWAY), **settings}
    return lambda port: Postgres(
        program=programs.postgres, data=data, port=port, password=password, settings=settings
    )


def _initdb_options(major: int, *, is_durable: bool) -> Iterator[str]:
    yield from ("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions")
    # The server's own rules for letters, independent of the machine. The locale must not be plain "C", because pg_trgm
    # ignores every letter beyond ASCII there.
    yield "--locale=C.UTF-8"
    if major >= _FIRST_WITH_BUILTIN_LOCALES:
        yield "--locale-provider=builtin"
    if not is_durable:
        yield "--no-sync"


def _make(data: Path, initdb: Path, account: Account, options: Sequence[str]) -> None:
    """Creates the data folder under another name and renames it at the end, so that a data folder is always complete."""
    draft = data.with_name("postgres.new")
    with suppress(FileNotFoundError):
        shutil.rmtree(draft)
    made = account.run([initdb, "-D", draft, *options])
    if made.returncode != 0:
        raise DataNotMade(data, made.stdout)
    draft.rename(data)


def _forget_strangers_pid(pid_file: Path) -> None:
    """Removes a pid file whose pid another process now has, because Postgres would take that process for a server.

    A pid without a process is left to Postgres, which also checks whether sessions of the dead server still write.
    """
    for pid in _lines(pid_file)[:1]:
        if is_alive(int(pid)):
            pid_file.unlink()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []
