"""Keeps one server running: restarts it with the same settings when it ends unexpectedly."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from pathlib import Path
from typing import Protocol

from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.leftovers import PATIENCE_SECONDS, STOP_SIGNALS
from audience_gql.embedded.state import StateFolder

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.02

_READY_SECONDS = 120.0
"""How long a server may take until it answers. After a crash, Postgres replays its log first."""

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
"""The longest pause before a restart. The pause doubles while the server fails to start."""

_TAIL_BYTES = 2_000


class Server(Protocol):
    """How to start a server and to see that it answers. Its program and its log have the same name."""

    @property
    def name(self) -> str: ...

    @property
    def command(self) -> list[str | Path]: ...

    def is_ready(self, pid: int, /) -> bool: ...


class ServerNotReady(EmbeddedError):
    """A server ended or did not answer in time after its start."""

    def __init__(self, name: str, log: Path) -> None:
        tail = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        super().__init__(f"{name} did not start. The end of {log}:\n{tail}")
        self.name = name


class Supervised:
    """One server. Its owner calls `start` and `stop`; between them, a thread watches it."""

    def __init__(self, server: Server, folder: StateFolder) -> None:
        self._server = server
        self._folder = folder
        self._log_name = f"{server.name}.log"
        self._is_ready = threading.Event()
        self._is_ending = threading.Event()
        self._launching = threading.Lock()  # so that `stop` never misses a process that is just starting
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the running process; None if there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Starts the server, and returns when it answers. Raises ServerNotReady."""
        self._is_ending.clear()
        process = self._launch()
        try:
            is_ready = process is not None and self._becomes_ready(process)
        except BaseException:
            self.stop()
            raise
        if not is_ready:
            raise ServerNotReady(self._server.name, self._folder.path / self._log_name)
        self._watcher = threading.Thread(
            target=self._watch, args=[process], name=f"watch {self._server.name}", daemon=True
        )
        self._watcher.start()

    def stop(self) -> None:
        """Stops the server with stronger and stronger signals, and returns when it has ended. `start` can start it again."""
        with self._launching:
            self._is_ending.set()
        if self._process is not None:
            self._end(self._process)
        if self._watcher is not None:
            self._watcher.join()
        self._is_ready.clear()

    def kill(self) -> None:
        """Crashes the server. The watching thread restarts it; see `wait_until_ready`."""
        self._is_ready.clear()
        if self._process is not None:
            self._process.kill()

    def wait_until_ready(self, timeout_seconds: float) -> bool:
        """Whether the server answers within this time."""
        return self._is_ready.wait(timeout_seconds)

    def _watch(self, process: subprocess.Popen[bytes] | None) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            if process is not None:
                status = process.wait()
                self._is_ready.clear()
                if not self._is_ending.is_set():
                    _log.warning("%s ended with %s; starting it again", self._server.name, status)
            if self._is_ending.wait(pause_seconds):
                return
            process = self._launch()
            if process is not None and self._becomes_ready(process):
                pause_seconds = _FIRST_PAUSE_SECONDS
            else:
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _launch(self) -> subprocess.Popen[bytes] | None:
        """Starts the process. Returns None after `stop`, or when the program cannot be started now."""
        with self._launching, self._folder.open_log(self._log_name) as log:
            if self._is_ending.is_set():
                return None
            try:
                self._process = self._folder.account.launch(self._server.command, stdout=log)
            except OSError as error:
                log.write(f"cannot start: {error}\n".encode())
                return None
            return self._process

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self._server.is_ready(process.pid):
                self._is_ready.set()
                return True
            if self._is_ending.wait(_POLL_SECONDS):
                return False
        self._end(process)
        return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for signal in STOP_SIGNALS[self._server.name]:
            process.send_signal(signal)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return
