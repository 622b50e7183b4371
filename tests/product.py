"""Starts the whole product as a process, `audience-gql up`, on its own servers, or with CITUS_URL on a database of the cluster."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from audience_gql.audience.access import create_token
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs
from audience_gql.audience.workspaces import create_workspace
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.postgres.database import Database
from tests import cluster
from tests.patience import PATIENCE_SECONDS, until

_START_SECONDS = 4 * PATIENCE_SECONDS
"""A start is a hundred times the work of a request: several processes read all their modules, and the database is migrated."""


@dataclass(frozen=True, slots=True)
class Product:
    """A started product."""

    origin: str
    token: str
    process_id: int
    database_url: str
    redis_url: str
    folder: Path
    """Where the processes write their logs: up.log, state/web.log and state/worker.log."""

    async def with_workspace(self, name: str) -> Product:
        """The same processes, with a token that may do everything in a new workspace with this name."""
        database = await Database.open(self.database_url, is_default=False)
        try:
            ports = Ports(database=database, clock=DatabaseClock(), signals=MemorySignals(), jobs=NotedJobs())
            workspace = await create_workspace(ports=ports, name=name)
            scopes = ("READ", "WRITE", "TRACK", "ADMIN")
            _, secret = await create_token(ports=ports, workspace=workspace, name="tests", scopes=scopes)
        finally:
            await database.close()
        return replace(self, token=secret)


@asynccontextmanager
async def started(folder: Path, **settings: str) -> AsyncIterator[Product]:
    """Run the product during the context, with these settings in its environment. Its files and logs are in the folder."""
    from audience_gql.embedded import Servers  # noqa: PLC0415  # many runs do not need the package

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state, log = folder / "state", folder / "up.log"
    async with AsyncExitStack() as stack:
        addresses = stack.enter_context(Servers.throwaway()).addresses
        output = stack.enter_context(log.open("wb"))
        database_url = await stack.enter_async_context(
            cluster.database_beside(addresses.database_url, "product")
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "audience_gql.cli", "up", "--port", str(port), "--state", state,
            env={**os.environ, "DATABASE_URL": database_url, "REDIS_URL": addresses.redis_url, **settings},
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            await _until_greeted(log, process)
            connection = (state / "connection.env").read_text(encoding="utf-8")
            token = re.search(r"AUDIENCE_TOKEN=(.*)", connection)
            assert token is not None
            yield Product(
                f"http://127.0.0.1:{port}",
                shlex.split(token[1])[0],
                process.pid,
                database_url,
                addresses.redis_url,
                folder,
            )
        finally:
            process.terminate()
            await process.wait()


async def _until_greeted(log: Path, process: asyncio.subprocess.Process) -> None:
    async def has_greeted_or_ended() -> bool:
        return "Ctrl-C stops everything" in log.read_text(encoding="utf-8") or process.returncode is not None

    with suppress(TimeoutError):
        await until(has_greeted_or_ended, seconds=_START_SECONDS)
    said = log.read_text(encoding="utf-8")
    assert "Ctrl-C stops everything" in said, said
