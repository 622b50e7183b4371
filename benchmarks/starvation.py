"""Two tokens of one workspace: how long one waits while the other asks without end, and health and ticks beside 200 slow reads.

    python3 dev run benchmarks/starvation.py
    python3 dev run benchmarks/starvation.py --seconds 3 --rounds 1 --report /tmp/starvation.md      # a trial

It starts its own servers, web process and worker with default settings, and takes about three minutes. Quiet rounds and rounds under load alternate, and each
figure is one of all rounds of its kind together. The greedy client is a process of its own with the lowest priority, because in reality it is another
machine's. It writes docs/benchmarks/starvation.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from audience_gql.audience.access import create_token
from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import NotedJobs
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import analyze, migrate
from benchmarks.engine.environment import describe
from benchmarks.engine.observed import ObservedWorker, share_at
from benchmarks.fairness import web

REPORT: Final = Path(__file__).parents[1] / "docs/benchmarks/starvation.md"
SMALL: Final = "{ subscribers(first: 10) { edges { node { externalId email country } } } }"
DEAREST: Final = "{ subscribers(first: 100) { edges { node { externalId email country events(first: 48) { edges { node { name occurredAt value } } } } } } }"
"""It costs 4,900 of the 5,000 points that a query may cost, and its response holds so many objects."""
SLOW: Final = "{ auditTrail(first: 5) { edges { node { id } } } }"
"""While the table is locked, which ends each read after the two seconds that a statement waits for a lock."""
EVENTS: Final = 50
BATCH: Final = 1_000
GREEDY: Final = 64
SLOW_AT_ONCE: Final = 200
PAUSE_SECONDS: Final = 0.03
FIRST_SECONDS: Final = 4.0
"""In these seconds of a load, the greedy token spends the budget that it has saved."""
Samples: TypeAlias = list[float]
"""Milliseconds."""
Works: TypeAlias = dict[str, Callable[[], Awaitable[float]]]


@dataclass(slots=True)
class Figures:
    """What quiet rounds and rounds under load have measured, and what the client that made the load was answered."""

    quiet: dict[str, Samples] = field(default_factory=dict)
    first: dict[str, Samples] = field(default_factory=dict)
    """In the first seconds of each load."""
    loaded: dict[str, Samples] = field(default_factory=dict)
    """After these."""
    answers: Counter[str] = field(default_factory=Counter)

    def row(self, what: str, asked: str) -> str:
        return self._row(what, self.loaded[what], what, asked)

    def first_row(self, what: str) -> str:
        return self._row(what, self.first[what], f"{what}, in the first {FIRST_SECONDS:g} s of each load", "")

    def whole_row(self, what: str, asked: str) -> str:
        beside = self.first[what] + self.loaded[what]
        return self._row(what, beside, f"{what}, during the whole load", asked)

    def _row(self, what: str, beside: Samples, shown_as: str, asked: str) -> str:
        alone = self.quiet[what]
        figures = [share_at(it, share) for share in (0.5, 0.99) for it in (alone, beside)]
        ratio = figures[3] / figures[2]
        shown = " | ".join(f"{it:.1f}" for it in figures)
        return f"| {shown_as} | {len(alone):,}, {len(beside):,} | {shown} | {ratio:.2f} | {max(beside):.1f} | {asked} |"


class Connection:
    """One connection over HTTP that asks the same again and again. It costs less processor time than a client library."""

    def __init__(self, url: str, head: str, body: bytes) -> None:
        self._parts = urlsplit(url)
        self._request = (
            f"{head}\r\nhost: {self._parts.netloc}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        )
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self) -> tuple[int, bytes]:
        """The status and the body of the answer. A connection that the server has closed, because nobody used it, is opened again."""
        assert self._parts.hostname
        assert self._parts.port
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(it[15:]) for it in head.lower().split(b"\r\n") if it.startswith(b"content-length:"))
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def graphql(url: str, token: str, query: str) -> Connection:
    head = f"POST {urlsplit(url).path} HTTP/1.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/json"
    return Connection(url, head, json.dumps({"query": query}).encode())


def health(url: str) -> Connection:
    return Connection(url, "GET /healthz HTTP/1.1", b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Greed:
    """What the greedy client asks for, again and again, on how many connections."""

    url: str
    token: str
    query: str
    at_once: int


def greedy(greed: Greed, begun: Event, stop: Event, told: multiprocessing.Queue[Counter[str]]) -> None:
    """Run in a process of its own until `stop` is set."""
    os.nice(19)
    told.put(asyncio.run(_greedy(greed, begun, stop)))


async def _greedy(greed: Greed, begun: Event, stop: Event) -> Counter[str]:
    answers: Counter[str] = Counter()

    async def ask_again() -> None:
        connection = graphql(greed.url, greed.token, greed.query)
        while not stop.is_set():
            status, body = await connection.ask()
            errors = json.loads(body).get("errors")
            answers[errors[0]["extensions"]["code"] if errors else str(status)] += 1
        connection.close()

    begun.set()
    await asyncio.gather(*(ask_again() for _ in range(greed.at_once)))
    return answers


@asynccontextmanager
async def asking(greed: Greed, answers: Counter[str]) -> AsyncIterator[None]:
    """The greedy client during the context. Its answers are added to these."""
    context = multiprocessing.get_context("spawn")
    begun, stop, told = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=greedy, args=(greed, begun, stop, told))
    process.start()
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        stop.set()
        answers.update(await asyncio.to_thread(told.get))
        await asyncio.to_thread(process.join)


@asynccontextmanager
async def locked(database_url: str, table: str) -> AsyncIterator[None]:
    blocker = await asyncpg.connect(database_url)
    try:
        async with blocker.transaction():
            await blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await blocker.close()


async def sample(work: Callable[[], Awaitable[float]], seconds: float) -> Samples:
    """The milliseconds of each piece of work, with a pause after each."""
    await work()
    took: Samples = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        took.append(1000 * await work())
        await asyncio.sleep(PAUSE_SECONDS)
    return took


async def alternate(
    figures: Figures,
    works: Works,
    load: Callable[[], AbstractAsyncContextManager[None]],
    options: argparse.Namespace,
) -> None:
    """Quiet rounds and rounds under load in turn. The first seconds of each load count apart."""
    for _ in range(options.rounds):
        await _measure(figures.quiet, works, options.seconds)
        async with load():
            await _measure(figures.first, works, FIRST_SECONDS)
            await _measure(figures.loaded, works, options.seconds)
        await asyncio.sleep(PAUSE_SECONDS)


async def _measure(found: dict[str, Samples], works: Works, seconds: float) -> None:
    samples = await asyncio.gather(*(sample(work, seconds) for work in works.values()))
    for what, took in zip(works, samples, strict=True):
        found.setdefault(what, []).extend(took)


async def timed(connection: Connection, status: int = 200) -> float:
    begun = time.perf_counter()
    answered, body = await connection.ask()
    took = time.perf_counter() - begun
    assert answered == status, body
    assert b'"errors"' not in body, body
    return took


class Ticks:
    """Measures from the commit of an event to the signal of the membership change that it causes. Each event is a new person's."""

    def __init__(self, ports: Ports, signals: RedisSignals, workspace: Workspace) -> None:
        self._ports = ports
        self._signals = signals
        self._workspace = workspace
        self._number = 0

    async def one(self) -> float:
        self._number += 1
        item = EventItem(
            subscriber=SubscriberKey(kind="externalId", value=f"p{self._number}"), name="clicked"
        )
        async with self._signals.changes(self._workspace.id) as wakeups:
            await wakeups.wait(0.05)  # the first one only says that listening has begun
            await track_events(ports=self._ports, workspace=self._workspace, items=[item])
            begun = time.perf_counter()
            assert await wakeups.wait(10), "the change did not come"
            return time.perf_counter() - begun


async def load(ports: Ports, people: int) -> tuple[Workspace, str, str]:
    """A workspace and two tokens that may read it."""
    workspace = await create_workspace(ports=ports, name="Both")
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
    clicked = {"event": {"name": "clicked", "within": {"last": {"days": 30}}}}
    await create_segment(
        ports=ports, workspace=workspace, name="Clicked", description=None, condition=clicked, ids=PLAIN_IDS
    )
    made = [
        (await create_token(ports=ports, workspace=workspace, name=name, scopes=["ADMIN"]))[1]
        for name in ("modest", "greedy")
    ]
    return workspace, made[0], made[1]


async def measure(
    ports: Ports, signals: RedisSignals, database_url: str, log: Path, options: argparse.Namespace
) -> tuple[Figures, Figures]:
    workspace, modest, other = await load(ports, options.people)
    await analyze(ports.database)
    servers: Servers = options.servers
    starving, slow = Figures(), Figures()
    worker = ObservedWorker.started(
        ports.database, database_url=database_url, redis_url=servers.addresses.redis_url
    )
    async with web(servers, log) as url, worker:
        ticks = Ticks(ports, signals, workspace)
        for _ in range(20):  # the fill, and the first plans
            await ticks.one()
        await alternate(
            starving,
            {"a small page": partial(timed, graphql(url, modest, SMALL))},
            partial(asking, Greed(url=url, token=other, query=DEAREST, at_once=GREEDY), starving.answers),
            options,
        )

        slow_greed = Greed(url=url, token=other, query=SLOW, at_once=SLOW_AT_ONCE)

        @asynccontextmanager
        async def slow_reads() -> AsyncIterator[None]:
            async with (
                locked(database_url, "trail_entries"),
                asking(slow_greed, slow.answers),
            ):
                yield

        at_the_root = url.removesuffix("/graphql")
        works: Works = {
            "`/healthz`": partial(timed, health(f"{at_the_root}/healthz")),
            "an event, from its commit to the change of membership": ticks.one,
            "another token's small page": partial(timed, graphql(url, modest, SMALL)),
        }
        await alternate(slow, works, slow_reads, options)
    return starving, slow


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers, tempfile.TemporaryDirectory() as folder:
        options.servers = servers
        database_url = servers.addresses.database_url
        await migrate(database_url)
        database = await Database.open(database_url, statement_timeout_seconds=60)
        signals = RedisSignals(servers.addresses.redis_url)
        ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=NotedJobs())
        found = await measure(ports, signals, database_url, Path(folder) / "web.log", options)
        machine = (await describe(database_url))["machine"]
        await signals.close()
        await database.close()
    text = _report(*found, machine=machine, options=options)
    options.report.write_text(text, encoding="utf-8")
    print(text)


def _report(starving: Figures, slow: Figures, *, machine: str, options: argparse.Namespace) -> str:
    columns = (
        "| what | samples alone, beside | p50 ms alone | p50 ms beside | p99 ms alone | p99 ms beside | ratio of p99 | longest ms beside | asked for |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    return f"""<!-- Written by benchmarks/starvation.py; do not edit. -->

# Can one token starve another?

One web process and one worker with default settings, {options.people:,} people with {EVENTS} events each. Both tokens belong to the same workspace. {options.rounds} quiet rounds and {options.rounds} rounds under load of {options.seconds} s alternate.
Machine: {machine}.

## One token at full speed with the dearest query

{GREEDY} connections of one token ask for 100 people with 48 events each, 4,900 points, again and again. They obey nothing. The other token reads ten people, then waits {1000 * PAUSE_SECONDS:.0f} ms.

{columns}{starving.whole_row("a small page", "ratio ≤ 2")}
{starving.first_row("a small page")}
{starving.row("a small page", "ratio ≤ 2")}

The greedy token was answered: {_told(starving.answers)}.

## 200 slow reads of one token

{SLOW_AT_ONCE} connections of one token read a table that is locked, so that each read waits in Postgres or for its place.

{columns}{slow.row("`/healthz`", "longest < 100 ms")}
{slow.row("an event, from its commit to the change of membership", "ratio ≤ 2")}
{slow.row("another token's small page", "")}

The slow token was answered: {_told(slow.answers)}.
"""


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in answers.most_common()) or "nothing"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=10, help="seconds per round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each kind and part")
    parser.add_argument("--report", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
