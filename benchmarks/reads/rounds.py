"""Rounds of load: the servers take turns, and each round knows the processor time of the server, of Postgres and of the client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TypeVar

import asyncpg

from benchmarks.engine.observed import cpu_seconds
from benchmarks.reads.client import Load, Order
from benchmarks.reads.data import Data
from benchmarks.reads.questions import Question
from benchmarks.reads.results import Asked, Round
from benchmarks.reads.servers import HERE, Server

T = TypeVar("T")


def turns(servers: Sequence[T], number: int) -> list[T]:
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


class Measuring:
    """Measures servers that read the same Postgres. Only one of them is asked at a time, so everything that Postgres does is for this one."""

    def __init__(self, client: Client, database_url: str, data: Data) -> None:
        self._client = client
        self._database_url = database_url
        self._data = data

    async def ask(
        self, servers: Sequence[Server], question: Question, *, number: int, seconds: float, warm_up: float
    ) -> Asked:
        """Ask each server in each of so many rounds, after a warm-up."""
        for server in servers:
            await self._client.load(server, question, self._data, warm_up)
        done: dict[str, list[Round]] = {server.name: [] for server in servers}
        for at in range(number):
            for server in turns(servers, at):
                done[server.name].append(await self._round(server, question, seconds))
        return Asked(key=question.key, about=question.about, rounds=done)

    async def _round(self, server: Server, question: Question, seconds: float) -> Round:
        """Every request that is counted begins and ends between the two readings of the clocks."""
        postgres, cpu = await self._postgres_seconds(), server.cpu_seconds()
        load = await self._client.load(server, question, self._data, seconds)
        cpu, postgres = server.cpu_seconds() - cpu, await self._postgres_seconds() - postgres
        return round_of(load, server_seconds=cpu, postgres_seconds=postgres)

    async def _postgres_seconds(self) -> float:
        """The processor time of all of Postgres' processes that serve connections. The servers keep their connections open."""
        connection = await asyncpg.connect(self._database_url)
        try:
            rows = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        finally:
            await connection.close()
        return cpu_seconds(row["pid"] for row in rows)


def round_of(load: Load, *, server_seconds: float, postgres_seconds: float) -> Round:
    """The figures of a round: for one request, and for one second."""
    return Round(
        per_second=load.requests / load.seconds,
        server_us=1e6 * server_seconds / load.requests,
        postgres_us=1e6 * postgres_seconds / load.requests,
        client_us=1e6 * load.cpu_seconds / load.requests,
        client_share=load.cpu_seconds / load.seconds,
        bytes_each=load.bytes / load.requests,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
    )
