"""The servers under test, each in its own process, and the resources that the process has used."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MANY = "1000000"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running server."""

    name: str
    url: str
    token: str
    pid: int

    def cpu_seconds(self) -> float:
        """The processor time of this process alone, in user and kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def ours(database_url: str, redis_url: str, token: str, log: Path) -> AsyncIterator[Subject]:
    port = _free_port()
    command = [sys.executable, "-m", "audience_gql.cli", "serve", "--port", str(port)]
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "AUDIENCE_SECRET_KEY": "a key of the benchmark",
        "AUDIENCE_SOCKETS_PER_TOKEN": MANY,
        "AUDIENCE_POINTS": "0",
    }
    async with _running("audience-gql", command, environment, port, token, log) as subject:
        yield subject


@asynccontextmanager
async def idiomatic(redis_url: str, log: Path) -> AsyncIterator[Subject]:
    port = _free_port()
    command = [
        sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "idiomatic:app", "--port", str(port),
        "--log-level", "warning", "--ws-per-message-deflate", "false", "--ws-ping-interval", "3600",
    ]  # fmt: skip
    async with _running(
        "idiomatic Strawberry", command, {"REDIS_URL": redis_url}, port, "none", log
    ) as subject:
        yield subject


@asynccontextmanager
async def _running(
    name: str, command: list[str], environment: dict[str, str], port: int, token: str, log: Path
) -> AsyncIterator[Subject]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **environment}, stdout=output, stderr=output
        )
        try:
            await _wait_for(port, process)
            yield Subject(name=name, url=f"ws://127.0.0.1:{port}/graphql", token=token, pid=process.pid)
        finally:
            if process.returncode is None:
                process.kill()  # an overloaded server would not react to anything else
            await process.wait()


async def _wait_for(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(300):
        assert process.returncode is None, "the server ended"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise TimeoutError("the server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
