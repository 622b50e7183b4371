"""Compares how fast four servers answer the same questions about the same data, and how much processor time an answer costs.

    python3 dev run benchmarks/reads                             # everything, in about seven minutes; writes docs/benchmarks/reads.*
    python3 dev run benchmarks/reads --quick                     # one short round for each question; writes nothing
    python3 dev run benchmarks/reads --quick --questions T3,T5 --servers ours,handwritten --keep-state /tmp/reads

The servers: ours as a user runs it, PostGraphile, hand-written SQL behind a bare ASGI application, and plain Strawberry with Tortoise. It starts its own
Postgres and Valkey and loads the demo's data; with --keep-state, into a folder that the next run uses again. It goes on only if all servers give the same data.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import httpx

from audience_gql.embedded import Servers
from audience_gql.embedded.servers import ServerAddresses
from benchmarks.engine.environment import describe
from benchmarks.reads import node, report, rounds
from benchmarks.reads.comparing import JSON, plain, require_same
from benchmarks.reads.data import Data, prepared
from benchmarks.reads.questions import QUESTIONS, Question
from benchmarks.reads.results import Asked, Results
from benchmarks.reads.rounds import Measuring
from benchmarks.reads.servers import KINDS, POOL_SIZE, Server, running

REPORTS: Final = Path(__file__).parents[2] / "docs" / "benchmarks"
PEOPLE: Final = 200
"""How many people T2 asks for in turn."""


async def main() -> None:
    options = _arguments()
    begun = time.monotonic()
    if "postgraphile" in options.servers:
        node.install_postgraphile()
    started = Servers.start(options.keep_state) if options.keep_state else Servers.throwaway()
    with started as postgres_and_valkey:
        addresses = postgres_and_valkey.addresses
        asked = await _measure(addresses, options)
        if options.out is None:
            return
        environment = await _environment(addresses.database_url)
    results = Results(
        command=shlex.join(["python3", "dev", "run", "benchmarks/reads", *sys.argv[1:]]),
        measured_on=datetime.now(UTC).date().isoformat(),
        seconds=time.monotonic() - begun,
        connections=options.connections,
        round_seconds=options.seconds,
        pool_size=int(POOL_SIZE),
        environment=environment,
        asked=asked,
    )
    report.write(options.out, results)


async def _measure(addresses: ServerAddresses, options: argparse.Namespace) -> list[Asked]:
    data = await prepared(addresses.database_url, addresses.redis_url, people=PEOPLE)
    questions = [question for question in QUESTIONS if question.key in options.questions]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            await stack.enter_async_context(running(KINDS[name], addresses, data, folder / f"{name}.log"))
            for name in options.servers
        ]
        await _check(servers, questions, data)
        client = await stack.enter_async_context(rounds.client(options.connections))
        measuring = Measuring(client, addresses.database_url, data)
        asked: list[Asked] = []
        for question in questions:
            it = await measuring.ask(
                servers, question, number=options.rounds, seconds=options.seconds, warm_up=options.warm_up
            )
            print(report.text(it, with_head=not asked), flush=True)
            asked.append(it)
    return asked


async def _environment(database_url: str) -> dict[str, str]:
    described = await describe(database_url)
    packages = ("strawberry-graphql", "tortoise-orm", "uvicorn")
    others = [*(f"{name} {version(name)}" for name in packages), *node.versions()]
    return described | {"versions": ", ".join([described["versions"], *others])}


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = [question.key for question in QUESTIONS]
    parser.add_argument("--quick", action="store_true", help="one round of a second, and no report")
    parser.add_argument("--questions", type=_some(keys), default=keys, help="such as T3,T5")
    kinds = list(KINDS)
    parser.add_argument(
        "--servers",
        type=_some(kinds),
        default=kinds,
        help=f"some of {','.join(kinds)}; the first is compared with the others",
    )
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each server for each question")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of a round")
    parser.add_argument(
        "--warm-up", type=float, default=1.0, help="seconds before the first round of a question"
    )
    parser.add_argument("--keep-state", type=Path, help="a folder that keeps the data for the next run")
    parser.add_argument("--out", type=Path, default=REPORTS, help="the folder of the report")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.warm_up, options.out = 1, 1.0, 0.5, None
    return options


def _some(known: Sequence[str]) -> Callable[[str], list[str]]:
    def chosen(text: str) -> list[str]:
        words = text.split(",")
        if not set(words) <= set(known):
            raise argparse.ArgumentTypeError(f"{text} is not some of {','.join(known)}")
        return words

    return chosen


if __name__ == "__main__":
    asyncio.run(main())
