"""Rounds of load: the servers take turns, and each round knows the processor time of the server, of Postgres and of the client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from statistics import median

import asyncpg

from benchmarks.engine.observed import cpu_seconds
from benchmarks.reads.client import Load, Order
from benchmarks.reads.data import Data
from benchmarks.reads.questions import Question
from benchmarks.reads.servers import HERE, Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one server did in one round of one question. Microseconds are of processor time for one request."""

    per_second: float
    server_us: float
    postgres_us: float
    client_us: float
    client_share: float
    """How busy the client was, as a share of one core."""
    bytes_each: float
    p50_ms: float
    p99_ms: float


def middle(rounds: Sequence[Round]) -> Round:
    """The median of each figure by itself."""
    return Round(
        **{name: median(getattr(one, name) for one in rounds) for name in Round.__dataclass_fields__}
    )


def turns(servers: Sequence[Server], number: int) -> list[Server]:
    """The order of the servers in this round: each round begins with another one."""
    start = number % len(servers)
    return [*servers[start:], *servers[:start]]


class Client:
    """The process that sends the requests."""

    def __init__(self, process: asyncio.subprocess.Process, connections: int) -> None:
        self._process = process
        self._connections = connections

    async def load(self, server: Server, question: Question, data: Data, seconds: float) -> Load:
        order = Order(
            port=server.port,
            path=server.kind.path(question),
            headers=dict(server.headers),
            bodies=server.kind.bodies(question, data),
            connections=self._connections,
            seconds=seconds,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        assert line, f"the client ended while {server.name} answered {question.key}"
        load = Load(**json.loads(line))
        assert load.failures == 0, f"{server.name} refused {load.failures} requests of {question.key}"
        return load


@asynccontextmanager
async def client(connections: int) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "client.py"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )  # fmt: skip
    try:
        yield Client(process, connections)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Backends:
    """All of Postgres' processes that serve connections. They stay open while the servers run."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    async def cpu_seconds(self) -> float:
        connection = await asyncpg.connect(self._database_url)
        try:
            rows = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        finally:
            await connection.close()
        return cpu_seconds(row["pid"] for row in rows)


async def run(
    client: Client, backends: Backends, server: Server, question: Question, data: Data, seconds: float
) -> Round:
    """One round of one server. Every request that it counts begins and ends between the two readings of the clocks."""
    postgres, cpu = await backends.cpu_seconds(), server.cpu_seconds()
    load = await client.load(server, question, data, seconds)
    cpu, postgres = server.cpu_seconds() - cpu, await backends.cpu_seconds() - postgres
    return Round(
        per_second=load.requests / load.seconds,
        server_us=1e6 * cpu / load.requests,
        postgres_us=1e6 * postgres / load.requests,
        client_us=1e6 * load.cpu_seconds / load.requests,
        client_share=load.cpu_seconds / load.seconds,
        bytes_each=load.bytes / load.requests,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
    )
