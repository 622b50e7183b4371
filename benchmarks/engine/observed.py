"""Starts a worker as in production, and observes its memory and the processor time of it and its Postgres backends.

Linux only, and on Postgres' machine: usage is read from the processes' clocks and from /proc.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from audience_gql.storage.postgres.database import Database

_ESTABLISHED = "01"
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Processor seconds since the start of a process."""

    worker: float
    backends: float

    @property
    def both(self) -> float:
        return self.worker + self.backends

    def since(self, earlier: Usage) -> Usage:
        return Usage(worker=self.worker - earlier.worker, backends=self.backends - earlier.backends)


class ObservedWorker:
    """A running `audience-gql worker`."""

    def __init__(self, process: subprocess.Popen[bytes], database: Database) -> None:
        self._process = process
        self._database = database
        self._of_backends: dict[int, float] = {}
        """The last known usage of each backend, because connections open and close."""

    @classmethod
    @asynccontextmanager
    async def started(
        cls, database: Database, *, database_url: str, redis_url: str, **settings: str
    ) -> AsyncIterator[ObservedWorker]:
        """Start a worker, wait until it works, and end it after the context. `settings` are variables of its environment."""
        environment = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url, **settings}
        command = [sys.executable, "-m", "audience_gql.cli", "worker"]
        before = await _beats(database)
        said = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed with the worker
        process = subprocess.Popen(command, env=environment, stderr=said)  # noqa: S603, ASYNC220  # our own command, and starting it takes no time
        try:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not (await _beats(database) - before):
                assert process.poll() is None, "the worker has ended"
                assert time.monotonic() < deadline, "the worker does not begin"
                await asyncio.sleep(0.05)
            yield cls(process, database)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 30)
            said.seek(0)
            for line in said.read().decode().splitlines():
                if " INFO " not in line:
                    print(f"worker: {line}")
            said.close()

    async def usage(self) -> Usage:
        """The usage of the worker and its backends until now; of a closed backend, until it was last observed."""
        for pid in await self._backend_pids():
            self._of_backends[pid] = cpu_seconds([pid])
        return Usage(worker=cpu_seconds([self._process.pid]), backends=sum(self._of_backends.values()))

    @property
    def memory_mb(self) -> float:
        """The present resident memory."""
        return _status_kb(self._process.pid, "VmRSS") / 1024

    @property
    def peak_memory_mb(self) -> float:
        """The peak of resident memory."""
        return _status_kb(self._process.pid, "VmHWM") / 1024

    async def _backend_pids(self) -> list[int]:
        rows = await self._database.fetch(
            "SELECT pid FROM pg_stat_activity WHERE client_port = ANY($1::int[])",
            sorted(_ports_of(self._process.pid)),
        )
        return [row["pid"] for row in rows]


def cpu_seconds(pids: Iterable[int]) -> float:
    """The processor seconds of these processes, user and system together. Ended processes count as 0."""
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) gives
        except OSError:
            continue
    return total


def share_at(values: Iterable[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def _beats(database: Database) -> set[int]:
    return {row["id"] for row in await database.fetch("SELECT id FROM workers")}


def _status_kb(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _ports_of(pid: int) -> set[int]:
    """The local ports of a process' open TCP connections."""
    inodes: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)  # noqa: PTH115  # the target is no path
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == _ESTABLISHED and row[9] in inodes}
