"""Two workspaces in one web process: how long one waits for a cheap read, alone, and while the other sends expensive requests.

    python3 dev run benchmarks/fairness.py
    python3 dev run benchmarks/fairness.py --seconds 30 --people 50000

It starts its own servers and web process, loads both workspaces with the same data, and measures all attacks in one run. Each attacker has its own
process. It writes docs/benchmarks/fairness.md.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import httpx

from audience_gql.audience.access import create_token
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs
from audience_gql.audience.workspaces import create_workspace
from audience_gql.embedded import Servers
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import analyze, migrate
from benchmarks.engine.environment import describe
from benchmarks.engine.observed import share_at

REPORT: Final = Path(__file__).parents[1] / "docs/benchmarks/fairness.md"
CHEAP: Final = "{ subscribers(first: 10) { edges { node { externalId } } } }"
PAUSE_SECONDS: Final = 0.05
BATCH: Final = 1_000
EVENTS: Final = 5
HEAD = """<!-- Written by benchmarks/fairness.py; do not edit. -->

# Fairness between workspaces

One web process with default settings serves two workspaces, each with {people:,} people with {events} events each. One workspace reads ten people every
{pause:.0f} ms, for {seconds} s per row. At the same time, the other one attacks with one token and the given number of concurrent requests. The latencies are those of the
first workspace. All rows are from one run. Machine: {machine}.

| attack | concurrent requests | p50 ms | p99 ms | longest ms | refused | answers to the attacker |
|---|---|---|---|---|---|---|
"""

_FACTS: Final = (
    "{ externalId email country city events(first: 20) { edges { node { name occurredAt value } } } }"
)
_PREVIEW: Final = (
    '{ previewSegment(sample: 100, condition: {any: [{event: {name: "opened", within: {last: {days: 30}}}}, '
    '{city: {contains: "7"}}]}) { ... on SegmentPreview { memberCount warnings } } }'
)


def _bad_keys(_: int) -> str:
    keys = " ".join(f"c{n}: 1" for n in range(4_980))
    return f"{{ previewSegment(condition: {{{keys}}}) {{ __typename }} }}"


def _misspelt(_: int) -> str:
    return "{ " + " ".join(f"... on Subscribr{n} {{ id }}" for n in range(49)) + " }"


def _introspection(_: int) -> str:
    part = "types { name fields { name args { name type { name } } type { name ofType { name } } } }"
    return "{ " + " ".join(f"a{n}: __schema {{ {part} }}" for n in range(30)) + " }"


def _tokens(number: int) -> str:
    return "{ viewer { " + "__typename " * 14_980 + f"t{number}: __typename }} }}"


def _remembered(number: int) -> str:
    return "{ viewer { __typename } } # " + f"{number} ".ljust(16_000, "x")


def _long_number(_: int) -> str:
    return "{ subscribers(first: " + "9" * 4_301 + ") { edges { cursor } } }"


def _large_page(_: int) -> str:
    return f"{{ subscribers(first: 100) {{ edges {{ node {_FACTS} }} }} }}"


@dataclass(frozen=True, slots=True)
class Attack:
    under_way: int
    document: Callable[[int], str]


ATTACKS: Final[Mapping[str, Attack]] = {
    "a condition with 4,980 unknown keys": Attack(4, _bad_keys),
    "49 fragments on unknown types": Attack(4, _misspelt),
    "30 introspections": Attack(4, _introspection),
    "15,000 tokens": Attack(4, _tokens),
    "different documents of 16 kB": Attack(16, _remembered),
    "a number of 4,301 digits": Attack(16, _long_number),
    "one preview": Attack(16, lambda _: _PREVIEW),
    "30 previews in one document": Attack(
        4, lambda _: "{ " + " ".join(f"a{n}: {_PREVIEW[2:-2]}" for n in range(30)) + " }"
    ),
    "pages of 100 people with 20 events each": Attack(16, _large_page),
    "the same with 200 concurrent requests": Attack(200, _large_page),
}


def attack(
    name: str, url: str, token: str, begun: Event, stop: Event, told: multiprocessing.Queue[Counter[str]]
) -> None:
    """Run in a process of its own until `stop` is set."""
    begun.set()
    told.put(asyncio.run(_attack(ATTACKS[name], url, token, stop)))


async def _attack(attack: Attack, url: str, token: str, stop: Event) -> Counter[str]:
    answers: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=None)
    headers = {"authorization": f"Bearer {token}"}

    async def ask_again(client: httpx.AsyncClient, number: int) -> None:
        while not stop.is_set():
            number += attack.under_way
            answers[await _answer_to(client, url, attack.document(number))] += 1

    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60) as client:
        await asyncio.gather(*(ask_again(client, number) for number in range(attack.under_way)))
    return answers


async def _answer_to(client: httpx.AsyncClient, url: str, document: str) -> str:
    """The error code of an answer, or its status if it has no error."""
    try:
        response = await client.post(url, json={"query": document})
        errors = response.json().get("errors")
    except (httpx.HTTPError, ValueError) as error:
        return type(error).__name__
    return errors[0].get("extensions", {}).get("code", "?") if errors else str(response.status_code)


async def victim(url: str, token: str, seconds: float) -> tuple[list[float], int]:
    """The milliseconds of each cheap read, and how many were refused."""
    took: list[float] = []
    refused = 0
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
        while time.monotonic() < until:
            begun = time.perf_counter()
            refused += await _answer_to(client, url, CHEAP) != "200"
            took.append(1000 * (time.perf_counter() - begun))
            await asyncio.sleep(PAUSE_SECONDS)
    return took, refused


async def measure(name: str | None, url: str, tokens: tuple[str, str], seconds: float) -> str:
    """Measure one attack, or none. Returns a line of the table."""
    context = multiprocessing.get_context("spawn")
    begun, stop, told = context.Event(), context.Event(), context.Queue()
    attacker = None
    if name is not None:
        attacker = context.Process(target=attack, args=(name, url, tokens[1], begun, stop, told))
        attacker.start()
        await asyncio.to_thread(begun.wait)
        await asyncio.sleep(1)
    took, refused = await victim(url, tokens[0], seconds)
    answers: Counter[str] = Counter()
    if attacker is not None:
        stop.set()
        answers = await asyncio.to_thread(told.get)
        attacker.join()
    words = ", ".join(f"{code} {count:,}" for code, count in answers.most_common())
    figures = " | ".join(f"{share_at(took, share):.1f}" for share in (0.5, 0.99, 1))
    under_way = ATTACKS[name].under_way if name else 0
    return f"| {name or 'none'} | {under_way} | {figures} | {refused} | {words} |"


async def load(ports: Ports, name: str, people: int) -> str:
    """Load a workspace. Returns a token that may read it."""
    workspace = await create_workspace(ports=ports, name=name)
    for start in range(0, people, BATCH):
        numbers = range(start, min(start + BATCH, people))
        items = [{"externalId": f"p{n}", "email": f"p{n}@example.com", "country": "LT"} for n in numbers]
        await upsert_subscribers(ports=ports, workspace=workspace, items=items)
        for _ in range(EVENTS):
            events = [
                EventItem(subscriber=SubscriberKey(kind="externalId", value=f"p{n}"), name="opened")
                for n in numbers
            ]
            await track_events(ports=ports, workspace=workspace, items=events)
    _, token = await create_token(ports=ports, workspace=workspace, name="benchmark", scopes=["READ"])
    return token


@asynccontextmanager
async def web(servers: Servers, log: Path) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    addresses = servers.addresses
    told = {"DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "audience_gql.cli", "serve", "--port", str(port),
            env={**os.environ, **told}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        process.terminate()
        await process.wait()


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers, tempfile.TemporaryDirectory() as folder:
        await migrate(servers.addresses.database_url)
        database = await Database.open(servers.addresses.database_url, statement_timeout_seconds=60)
        ports = Ports(database=database, clock=DatabaseClock(), signals=MemorySignals(), jobs=NotedJobs())
        tokens = await load(ports, "Victim", options.people), await load(ports, "Attacker", options.people)
        await analyze(database)
        machine = (await describe(servers.addresses.database_url))["machine"]
        await database.close()
        lines = []
        async with web(servers, Path(folder) / "web.log") as url:
            for name in (None, *ATTACKS, None):
                lines.append(await measure(name, url, tokens, options.seconds))
                print(lines[-1], flush=True)
    head = HEAD.format(
        people=options.people,
        events=EVENTS,
        pause=1000 * PAUSE_SECONDS,
        seconds=options.seconds,
        machine=machine,
    )
    options.report.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=20_000, help="people per workspace")
    parser.add_argument("--seconds", type=int, default=15, help="seconds per row")
    parser.add_argument("--report", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
