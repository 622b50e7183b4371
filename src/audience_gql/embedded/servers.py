"""Starts both servers, keeps them running, and ends them with their owner."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from audience_gql.embedded.account import Account
from audience_gql.embedded.binaries import Binaries
from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.guardian import Guardian
from audience_gql.embedded.leftovers import stop_leftovers
from audience_gql.embedded.ownership import give
from audience_gql.embedded.postgres import Postgres
from audience_gql.embedded.state import StateFolder
from audience_gql.embedded.valkey import Valkey

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_STEP_SECONDS: Final = 0.02
_RESTART_SECONDS: Final = 0.2
_PORTS: Final = range(15_000, 32_000)


class ServerFailed(EmbeddedError):
    """A server ended, or did not answer, while it was started."""

    def __init__(self, name: str, log: Path) -> None:
        tail = log.read_text(errors="replace")[-1500:].strip() if log.exists() else ""
        super().__init__(f"{name} did not start; the end of {log}:\n{tail}")


class NoPort(EmbeddedError):
    """Nothing is free on the loopback address."""

    def __init__(self) -> None:
        super().__init__(f"no free port on 127.0.0.1 between {_PORTS.start} and {_PORTS.stop}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddresses:
    database_url: str
    redis_url: str


class _Watched:
    """One server's process, started again on the same port whenever it ends without being asked to."""

    def __init__(self, server: Postgres | Valkey, state: StateFolder) -> None:
        self.server = server
        self._state = state
        self._log = state.path / f"{server.name}.log"
        self._is_stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, and return once it answers. Raises ServerFailed."""
        self.server.prepare()
        self._launch()
        self._wait_for_answer()
        self._thread = threading.Thread(target=self._watch, name=f"watch {self.server.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.server.stop_signal)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._thread is not None:
            self._thread.join()

    def kill(self) -> None:
        """As a crash would; it is started again by itself."""
        if self._process is not None:
            self._process.kill()

    def _launch(self) -> None:
        with self._log.open("ab") as log:
            self._process = self._state.account.launch(self.server.command(), stdout=log)

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self.server.answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerFailed(self.server.name, self._log)
            time.sleep(_STEP_SECONDS)

    def _watch(self) -> None:
        while True:
            if self._process is not None:
                self._process.wait()
            if self._is_stopping.wait(_RESTART_SECONDS):
                return
            self._launch()  # what the crash left (a pid file, dying children) the server itself waits out or refuses; then again


class Servers:
    """A running pair. Use it as a context manager, or call `stop`."""

    def __init__(self, state: StateFolder, *, is_durable: bool, is_temporary: bool) -> None:
        self._state = state
        self._is_temporary = is_temporary
        binaries = Binaries.find(state.account, _copies(state))
        postgres = Postgres(binaries=binaries, state=state, port=_free_port(), is_durable=is_durable)
        valkey = Valkey(binaries=binaries, state=state, port=_free_port())
        self.addresses = ServerAddresses(database_url=postgres.url, redis_url=valkey.url)
        self._postgres, self._valkey = _Watched(postgres, state), _Watched(valkey, state)
        self._guardian: Guardian | None = None

    @classmethod
    def start(cls, path: Path) -> Self:
        """Start both on this folder, made where it is missing, and return once they answer. Raises EmbeddedError."""
        return cls._start(path, is_durable=True, is_temporary=False)

    @classmethod
    def throwaway(cls) -> Self:
        """The same in a temporary folder that goes away at the end; data would not survive a power cut. Raises EmbeddedError."""
        path = Path(tempfile.mkdtemp(prefix="audience-gql-"))
        return cls._start(path, is_durable=False, is_temporary=True)

    @classmethod
    def _start(cls, path: Path, *, is_durable: bool, is_temporary: bool) -> Self:
        state = StateFolder.hold(path, Account.for_servers())
        try:
            servers = cls(state, is_durable=is_durable, is_temporary=is_temporary)
        except BaseException:
            state.release()
            raise
        try:
            servers._start_both()  # its own class
        except BaseException:
            servers.stop()
            raise
        return servers

    def stop(self) -> None:
        """End both servers and leave the folder to others."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(_Watched.stop, (self._postgres, self._valkey)))
        if self._guardian is not None:
            self._guardian.close()
        self._state.release()
        if self._is_temporary:
            shutil.rmtree(self._state.path, ignore_errors=True)

    def kill_postgres(self) -> None:
        """Crash it; it comes back by itself, on the same port, with its data."""
        self._postgres.kill()

    def kill_valkey(self) -> None:
        """Crash it; it comes back by itself, on the same port, empty."""
        self._valkey.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_both(self) -> None:
        stop_leftovers(self._state.path)
        self._guardian = Guardian(self._state.path)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(_Watched.start, (self._postgres, self._valkey)))


def _copies(state: StateFolder) -> Path:
    copies = state.path / "binaries"
    copies.mkdir(mode=0o700, exist_ok=True)
    give(copies, state.account)
    return copies


def _free_port() -> int:
    """A port that is free, and stays ours over restarts: below the range that the kernel gives to clients.

    From that range a client that knocks while the server is away may be given the very port it knocks at, and then holds it.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NoPort
