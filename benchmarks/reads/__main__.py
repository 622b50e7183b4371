"""Compares how fast four servers answer the same questions about the same data, and how much processor time an answer costs.

    python3 dev run benchmarks/reads                             # everything, in about seven minutes; writes docs/benchmarks/reads.*
    python3 dev run benchmarks/reads --quick                     # one short round for each question; writes nothing
    python3 dev run benchmarks/reads --quick --questions T3,T5 --servers ours,handwritten --state /tmp/reads

The servers: ours as a user runs it, PostGraphile, hand-written SQL behind a bare ASGI application, and plain Strawberry with Tortoise. It starts its own
Postgres and Valkey and loads the demo's data; with --state, into a folder that the next run uses again. It goes on only if all servers give the same data.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx

from audience_gql.embedded import Servers
from audience_gql.embedded.servers import ServerAddresses
from benchmarks.reads import node, rounds
from benchmarks.reads.comparing import JSON, plain, require_same
from benchmarks.reads.data import Data, prepared
from benchmarks.reads.questions import QUESTIONS, Question
from benchmarks.reads.rounds import Backends, Round
from benchmarks.reads.servers import KINDS, Server, running

PEOPLE: Final = 200
"""How many people T2 asks for in turn."""


async def main() -> None:
    options = _arguments()
    if "postgraphile" in options.servers:
        node.install_postgraphile()
    started = Servers.start(options.state) if options.state else Servers.throwaway()
    with started as postgres_and_valkey:
        await _measure(postgres_and_valkey.addresses, options)


async def _measure(addresses: ServerAddresses, options: argparse.Namespace) -> None:
    data = await prepared(addresses.database_url, addresses.redis_url, people=PEOPLE)
    asked = [question for question in QUESTIONS if question.key in options.questions]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            await stack.enter_async_context(running(KINDS[name], addresses, data, folder / f"{name}.log"))
            for name in options.servers
        ]
        await _check(servers, asked, data)
        client = await stack.enter_async_context(rounds.client(options.connections))
        backends = Backends(addresses.database_url)
        print(_HEAD)
        for question in asked:
            for server in servers:
                await client.load(server, question, data, options.warm_up)
            done: dict[str, list[Round]] = {server.name: [] for server in servers}
            for number in range(options.rounds):
                for server in rounds.turns(servers, number):
                    one = await rounds.run(client, backends, server, question, data, options.seconds)
                    done[server.name].append(one)
            _show(question, {name: rounds.middle(them) for name, them in done.items()})


async def _check(servers: Sequence[Server], asked: Sequence[Question], data: Data) -> None:
    """Refuse to measure servers that do not give the same data."""
    for question in asked:
        answers: dict[str, list[JSON]] = {}
        for server in servers:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{server.port}", headers=dict(server.headers)
            ) as http:
                answers[server.name] = [
                    _data(await http.post(server.kind.path(question), content=body))
                    for body in server.kind.bodies(question, data)
                ]
        require_same(question.key, answers)


def _data(response: httpx.Response) -> JSON:
    """The data of a response: without the root field of GraphQL."""
    answer = response.json()
    assert response.status_code == 200, answer
    if isinstance(answer, dict) and "data" in answer:
        assert "errors" not in answer, answer
        (answer,) = answer["data"].values()
    return plain(answer)


_HEAD: Final = f"{'':4} {'':20} {'req/s':>8} {'x':>5} {'server':>9} {'x':>5} {'Postgres':>9} {'client':>9} {'busy':>5} {'p50':>8} {'p99':>8} {'bytes':>7}"


def _show(question: Question, figures: dict[str, Round]) -> None:
    """A line for each server. The columns x are relative to the first server; CPU is in microseconds for one request."""
    first = next(iter(figures.values()))
    for name, one in figures.items():
        print(
            f"{question.key:4} {name:20} {one.per_second:8,.0f} {one.per_second / first.per_second:5.2f} {one.server_us:6,.0f} µs "
            f"{one.server_us / first.server_us:5.2f} {one.postgres_us:6,.0f} µs {one.client_us:6,.0f} µs {one.client_share:5.0%} "
            f"{one.p50_ms:5.1f} ms {one.p99_ms:5.1f} ms {one.bytes_each:7,.0f}",
            flush=True,
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = [question.key for question in QUESTIONS]
    parser.add_argument("--quick", action="store_true", help="one round of a second, and no report")
    parser.add_argument("--questions", type=_words, default=keys, help="such as T3,T5")
    parser.add_argument("--servers", type=_words, default=list(KINDS), help=f"some of {','.join(KINDS)}")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each server for each question")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of a round")
    parser.add_argument(
        "--warm-up", type=float, default=1.0, help="seconds before the first round of a question"
    )
    parser.add_argument("--state", type=Path, help="a folder that keeps the data for the next run")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.warm_up = 1, 1.0, 0.5
    return options


def _words(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    asyncio.run(main())
