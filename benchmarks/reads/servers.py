"""The servers that are compared, one process each, with equally large pools of connections."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audience_gql.embedded.ports import free_port
from audience_gql.embedded.servers import ServerAddresses
from benchmarks.engine.observed import cpu_seconds
from benchmarks.reads import node, questions
from benchmarks.reads.data import Data
from benchmarks.reads.questions import Question

HERE: Final = Path(__file__).parent
POOL_SIZE: Final = "10"
_PATIENCE_SECONDS: Final = 60
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a server is started and asked."""

    name: str
    command: Callable[[int], Sequence[str]]
    """The command for a port."""
    environment: Callable[[ServerAddresses, Data], Mapping[str, str]]
    bodies: Callable[[Question, Data], tuple[str, ...]]
    path: Callable[[Question], str] = lambda _: "/graphql"
    headers: Callable[[Data], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    kind: Kind
    port: int
    pid: int
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.kind.name

    def cpu_seconds(self) -> float:
        """The processor time of its process until now, user and system together."""
        return cpu_seconds([self.pid])


def _plain_environment(addresses: ServerAddresses, data: Data) -> Mapping[str, str]:
    return {
        "DATABASE_URL": addresses.database_url,
        "WORKSPACE_ID": str(data.workspace_id),
        "BUCKET_ID": str(data.bucket_id),
        "POOL_SIZE": POOL_SIZE,
    }


def _uvicorn(app: str) -> Callable[[int], Sequence[str]]:
    return lambda port: (
        *(sys.executable, "-m", "uvicorn", "--app-dir", str(HERE.parents[1]), app, "--port", str(port)),
        *("--log-level", "warning", "--no-access-log"),
    )


KINDS: Final = {
    "ours": Kind(
        name="audience-gql",
        command=lambda port: (sys.executable, "-m", "audience_gql.cli", "serve", "--port", str(port)),
        environment=lambda addresses, _: {
            "DATABASE_URL": addresses.database_url,
            "REDIS_URL": addresses.redis_url,
            "AUDIENCE_SECRET_KEY": "a key of the benchmark",
            "AUDIENCE_POOL_SIZE": POOL_SIZE,
            "AUDIENCE_POINTS": "0",  # one token alone asks as fast as it can
        },
        bodies=questions.our_bodies,
        headers=lambda data: {"Authorization": f"Bearer {data.token}"},
    ),
    "postgraphile": Kind(
        name="PostGraphile",
        command=lambda port: (str(node.program()), str(HERE / "postgraphile" / "server.mjs"), str(port)),
        environment=lambda addresses, data: {
            **_plain_environment(addresses, data),
            "NODE_ENV": "production",
            "GRAPHILE_ENV": "production",
        },
        bodies=questions.plain_bodies("postgraphile"),
    ),
    "handwritten": Kind(
        name="hand-written SQL",
        command=_uvicorn("benchmarks.reads.handwritten:app"),
        environment=_plain_environment,
        bodies=questions.handwritten_bodies,
        path=lambda question: f"/{question.key}",
    ),
    "naive": Kind(
        name="Strawberry + Tortoise",
        command=_uvicorn("benchmarks.reads.naive_server.schema:app"),
        environment=_plain_environment,
        bodies=questions.plain_bodies("naive"),
    ),
}
"""By the word that selects a server on the command line. The first one is the one that the others are compared with."""


@asynccontextmanager
async def running(kind: Kind, addresses: ServerAddresses, data: Data, log: Path) -> AsyncIterator[Server]:
    """Start a server, wait until it accepts connections, and end it after the context."""
    port = free_port()
    environment = {**os.environ, **kind.environment(addresses, data)}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *kind.command(port), env=environment, stdout=output, stderr=output
        )
    try:
        await _wait_for(port, process, log)
        yield Server(kind=kind, port=port, pid=process.pid, headers={**_JSON, **kind.headers(data)})
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_for(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            assert process.returncode is None, f"the server ended: {log.read_bytes().decode()}"  # noqa: ASYNC240  # nothing else runs
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return
