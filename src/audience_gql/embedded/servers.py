"""Starts and stops both servers on one state folder, with the help of this package's other modules."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

from audience_gql.embedded import postgres, valkey
from audience_gql.embedded.guardian import Guardian
from audience_gql.embedded.leftovers import stop_leftovers
from audience_gql.embedded.ports import free_port, is_free
from audience_gql.embedded.programs import Programs
from audience_gql.embedded.state import StateFolder
from audience_gql.embedded.supervised import Server, ServerNotReady, Supervised

_ATTEMPTS = 5
"""How many ports to try, because another program may take a free port before the server starts."""


class _Addressed(Server, Protocol):
    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddresses:
    """The servers' URLs, which contain the passwords."""

    database_url: str
    redis_url: str


class Servers:
    """A running pair of servers. They stop with `stop`, at the end of the `with` block, or with this process."""

    def __init__(
        self, *, addresses: ServerAddresses, postgres: Supervised, valkey: Supervised, ending: ExitStack
    ) -> None:
        self.addresses = addresses
        self.postgres = postgres
        self.valkey = valkey
        self._ending = ending

    @classmethod
    def start(cls, state: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> Self:
        """Starts both on this folder, which it creates if necessary. Returns when both answer. Raises EmbeddedError.

        `settings` are settings of Postgres that replace or extend the default ones.
        """
        return cls._start(state, settings, is_throwaway=False)

    @classmethod
    def throwaway(cls, *, postgres_programs: Path | None = None) -> Self:
        """The same in a new temporary folder, deleted at the end. Raises EmbeddedError.

        `postgres_programs` is a folder with another Postgres than the wheel's, such as /usr/lib/postgresql/15/bin.
        """
        state = Path(tempfile.mkdtemp(prefix="audience-gql-"))
        try:
            return cls._start(state, {}, is_throwaway=True, postgres_programs=postgres_programs)
        except BaseException:
            shutil.rmtree(state, ignore_errors=True)
            raise

    @classmethod
    def _start(
        cls,
        state: Path,
        settings: Mapping[str, str],
        *,
        is_throwaway: bool,
        postgres_programs: Path | None = None,
    ) -> Self:
        with ExitStack() as ending:
            folder = StateFolder.open(state)
            ending.callback(folder.close)
            guardian = Guardian(folder, remove_folder=is_throwaway)
            ending.callback(guardian.dismiss)
            stop_leftovers(folder.path)
            programs = Programs.for_account(folder.account, folder.path)
            if postgres_programs is not None:
                programs = programs.with_postgres(postgres_programs)

            def start_postgres() -> tuple[str, Supervised]:
                server_on = postgres.prepare(programs, folder, settings, is_durable=not is_throwaway)
                return _start_on_free_port(server_on, folder, ending)

            def start_valkey() -> tuple[str, Supervised]:
                return _start_on_free_port(valkey.prepare(programs, folder), folder, ending)

            with ThreadPoolExecutor() as side_by_side:
                starts = [side_by_side.submit(start) for start in (start_postgres, start_valkey)]
            (database_url, for_postgres), (redis_url, for_valkey) = [start.result() for start in starts]
            return cls(
                addresses=ServerAddresses(database_url=database_url, redis_url=redis_url),
                postgres=for_postgres,
                valkey=for_valkey,
                ending=ending.pop_all(),
            )

    def stop(self) -> None:
        """Stops both servers and releases the folder. A second call does nothing."""
        self._ending.close()

    def kill_postgres(self) -> None:
        """Crashes Postgres. It is restarted on the same port, with its data."""
        self.postgres.kill()

    def kill_valkey(self) -> None:
        """Crashes Valkey. It is restarted on the same port, empty."""
        self.valkey.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _start_on_free_port(
    server_on: Callable[[int], _Addressed], folder: StateFolder, ending: ExitStack
) -> tuple[str, Supervised]:
    """Starts a server on a free port, which it keeps across restarts."""
    for attempt in range(1, _ATTEMPTS + 1):
        port = free_port()
        server = server_on(port)
        supervised = Supervised(server, folder)
        ending.callback(supervised.stop)
        try:
            supervised.start()
        except ServerNotReady:
            if attempt == _ATTEMPTS or is_free(port):  # the port was not the reason
                raise
        else:
            break
    return server.url, supervised
