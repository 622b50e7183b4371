"""The whole product as a process, `audience-gql up`, on servers of its own."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Product:
    """A started one."""

    origin: str
    token: str
    process_id: int
    database_url: str
    redis_url: str
    folder: Path
    """Where its processes write their logs."""


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Product]:
    """Until the end of the block. Its files and its log are in the folder."""
    from audience_gql.embedded import Servers  # noqa: PLC0415  # never where a run has no need of it

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state, log = folder / "state", folder / "up.log"
    with Servers.throwaway() as servers, log.open("wb") as output:
        addresses = servers.addresses
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "audience_gql.cli", "up", "--port", str(port), "--state", state,
            env={**os.environ, "DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url},
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            await _until_greeted(log)
            settings = (state / "connection.env").read_text(encoding="utf-8")
            token = re.search(r"AUDIENCE_TOKEN=(.*)", settings)
            assert token is not None
            yield Product(
                f"http://127.0.0.1:{port}",
                shlex.split(token[1])[0],
                process.pid,
                addresses.database_url,
                addresses.redis_url,
                folder,
            )
        finally:
            process.terminate()
            await process.wait()


async def _until_greeted(log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while "Ctrl-C stops everything" not in log.read_text(encoding="utf-8"):
        assert asyncio.get_running_loop().time() < deadline, log.read_text(encoding="utf-8")
        await asyncio.sleep(0.1)
