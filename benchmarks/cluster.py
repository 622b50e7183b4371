"""Compares a Citus cluster with one plain Postgres: upserts, ticks of single events and fills, and what they cost each server.

    python3 dev run benchmarks/cluster.py --cluster postgres://postgres@127.0.0.1:5432/postgres --plain postgres://postgres@127.0.0.1:5439/postgres

`--cluster` names a database of the coordinator, in which two other machines were added, and `--plain` one of a plain server of the same
version. Without `--plain`, it starts the embedded Postgres. It makes databases of its own and drops them.

Five subjects take turns, round by round: the plain server; clusters with one machine and with two besides the coordinator, each with a
worker that works through the coordinator, and with one that works at the machines. Processor time is only known for servers on this
machine. With all of them on one machine the rates say little, because they share its cores; the processor time per tick says what
each machine would have to do. It asserts no time, and writes the report docs/benchmarks/cluster.md with `--write`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.embedded import Servers
from audience_gql.storage import buckets
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.engine.nodes import AUTOMATIC
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import analyze, migrate
from tests import cluster

REPORT: Final = Path(__file__).parents[1] / "docs" / "benchmarks" / "cluster.md"
WORKSPACES: Final = 4
"""Each has one bucket."""
PEOPLE: Final = 500
"""In each workspace, before the first round."""
SEGMENTS: Final = 10
BATCH: Final = 250
EVENTS: Final = tuple(f"opened {number}" for number in range(5))
_TICK: Final = os.sysconf("SC_CLK_TCK")
_ENDED: Final = (FileNotFoundError, ProcessLookupError)
"""A process has ended meanwhile."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """What one kind of work took in one round."""

    count: int
    seconds: float
    latencies: Sequence[float]
    client: float
    """Processor seconds of this process, which is the worker."""
    servers: Mapping[str, float]
    """Processor seconds of each server."""


@dataclass(slots=True, kw_only=True)
class Subject:
    name: str
    ports: Ports
    pool: TickPool
    membership: Membership
    workspaces: list[Workspace] = field(default_factory=list)
    buckets: list[int] = field(default_factory=list)
    upserted: int = 0
    filled: int = 0
    results: dict[str, list[Measured]] = field(default_factory=lambda: defaultdict(list))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cluster", required=True, metavar="URL", help="a database of the coordinator")
    parser.add_argument("--plain", metavar="URL", help="a database of a plain server of the same version")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.name}")
    options = parser.parse_args()
    if options.plain:
        report = asyncio.run(compare(options.cluster, options.plain, options.rounds))
    else:
        with Servers.throwaway() as servers:
            report = asyncio.run(compare(options.cluster, servers.addresses.database_url, options.rounds))
    print(report)
    if options.write:
        REPORT.write_text(report, encoding="utf-8")


async def compare(cluster_url: str, plain_url: str, rounds: int) -> str:
    machines = await cluster.machines(cluster_url)
    urls = {"plain": plain_url} | {
        _name(number): it.url(cluster_url, "postgres") for number, it in enumerate(machines)
    }
    processors = {name: pid for name, url in urls.items() if (pid := await postmaster(url)) is not None}
    async with opened(cluster_url, plain_url) as subjects:
        for subject in subjects:
            await prepare(subject)
        for number in range(rounds + 1):
            for subject in subjects if number % 2 else reversed(subjects):
                for what, work in WORK.items():
                    measured = await work(subject, processors)
                    if number:  # the first round warms up
                        subject.results[what].append(measured)
        versions = [
            await subjects[-1].ports.database.fetchval("SELECT citus_version()"),
            *[await it.ports.database.fetchval("SHOW server_version") for it in (subjects[-1], subjects[0])],
        ]
    return report_of(subjects, rounds, versions)


# ---- the databases


@asynccontextmanager
async def opened(cluster_url: str, plain_url: str) -> AsyncIterator[list[Subject]]:
    names = {others: f"audience_benchmark_{others}" for others in (1, 2)}
    for others, name in names.items():
        await cluster.drop(cluster_url, name)
        await cluster.create(cluster_url, name, others=others)
        await migrate(_named(cluster_url, name))
        await cluster.distribute(_named(cluster_url, name))
    await cluster.execute(
        plain_url,
        "DROP DATABASE IF EXISTS audience_benchmark WITH (FORCE)",
        "CREATE DATABASE audience_benchmark",
    )
    await migrate(_named(plain_url, "audience_benchmark"))
    subjects = [await subject("plain server", _named(plain_url, "audience_benchmark"), None)]
    for others, name in names.items():
        for way, addresses in (("through the coordinator", None), ("at the machines", AUTOMATIC)):
            label = f"{others} {'machine' if others == 1 else 'machines'}, {way}"
            subjects.append(await subject(label, _named(cluster_url, name), addresses))
    try:
        yield subjects
    finally:
        for it in subjects:
            await it.pool.close()
            await it.ports.database.close()
        for name in names.values():
            await cluster.drop(cluster_url, name)
        await cluster.execute(plain_url, "DROP DATABASE audience_benchmark")


async def subject(name: str, url: str, addresses: Mapping[str, str] | None) -> Subject:
    database = await Database.open(url, statement_timeout_seconds=60.0, is_default=False)
    pool = await TickPool.open(url, size=WORKSPACES, addresses=addresses)
    ports = Ports(database=database, clock=DatabaseClock(), signals=MemorySignals(), jobs=NotedJobs())
    return Subject(name=name, ports=ports, pool=pool, membership=Membership(ports, pool))


async def prepare(it: Subject) -> None:
    """Make workspaces with people and segments. No condition can be shared, because each workspace has names of its own."""
    for number in range(WORKSPACES):
        workspace = await create_workspace(ports=it.ports, name=f"{it.name} {number}")
        it.workspaces.append(workspace)
        async with it.ports.database.acquire() as connection:
            it.buckets += await buckets.open_bucket_ids(connection, workspace.id)
        await upsert_subscribers(
            ports=it.ports,
            workspace=workspace,
            items=[{"externalId": str(n)} for n in range(PEOPLE)],
            bulk=True,
        )
        for segment in range(SEGMENTS):
            await add_segment(it, workspace, f"segment {segment}", segment % 5, segment // 5 + 1)
    await analyze(it.ports.database)
    await fill_all(it)


async def add_segment(it: Subject, workspace: Workspace, name: str, event: int, times: int) -> int:
    condition = {
        "event": {"name": EVENTS[event], "times": {"atLeast": times}, "within": {"last": {"days": 7}}}
    }
    segment = await create_segment(
        ports=it.ports, workspace=workspace, name=name, description=None, condition=condition, ids=PLAIN_IDS
    )
    return segment.id


async def fill_all(it: Subject) -> None:
    for workspace, bucket_id in zip(it.workspaces, it.buckets, strict=True):
        rows = await it.ports.database.fetch("SELECT id FROM segments WHERE workspace_id = $1", workspace.id)
        for row in rows:
            await it.membership.fill(bucket_id, row["id"])
        await it.membership.tick(bucket_id)


# ---- the work of a round


async def upserts(it: Subject, processors: Mapping[str, int]) -> Measured:
    """New people in one batch for each workspace, one after the other."""
    meter = Meter(processors)
    for workspace in it.workspaces:
        first = PEOPLE + it.upserted
        items = [
            {"externalId": str(n), "email": f"somebody.{n}@example.com", "country": "LT", "city": "Vilnius"}
            for n in range(first, first + BATCH)
        ]
        await meter.timed(upsert_subscribers(ports=it.ports, workspace=workspace, items=items, bulk=True))
    it.upserted += BATCH
    measured = meter.measured(len(it.workspaces) * BATCH)
    for bucket_id in it.buckets:
        while not (ticked := await it.membership.tick(bucket_id)) or not ticked.is_drained:
            pass
    return measured


async def events(it: Subject, processors: Mapping[str, int]) -> Measured:
    """One event in each workspace."""
    meter = Meter(processors)
    for number, workspace in enumerate(it.workspaces):
        person = SubscriberKey(kind="externalId", value=str((it.upserted * 7 + number * 13) % PEOPLE))
        item = EventItem(subscriber=person, name=EVENTS[(it.filled + number) % len(EVENTS)])
        await meter.timed(track_events(ports=it.ports, workspace=workspace, items=[item]))
    return meter.measured(len(it.workspaces))


async def ticks(it: Subject, processors: Mapping[str, int]) -> Measured:
    """A tick of each bucket, which has one event, all at a time."""
    meter = Meter(processors)
    await asyncio.gather(*(meter.timed(it.membership.tick(bucket_id)) for bucket_id in it.buckets))
    return meter.measured(len(it.buckets))


async def fills(it: Subject, processors: Mapping[str, int]) -> Measured:
    """A new segment in each of two workspaces."""
    made = []
    for workspace, bucket_id in zip(it.workspaces[:2], it.buckets[:2], strict=True):
        made.append((bucket_id, await add_segment(it, workspace, f"filled {it.filled}", it.filled % 5, 1)))
    it.filled += 1
    meter = Meter(processors)
    for bucket_id, segment_id in made:
        await meter.timed(it.membership.fill(bucket_id, segment_id))
    measured = meter.measured(len(made))
    for bucket_id in it.buckets[:2]:
        await it.membership.tick(bucket_id)
    return measured


WORK: Final[Mapping[str, Callable[[Subject, Mapping[str, int]], Awaitable[Measured]]]] = {
    "upserts": upserts,
    "events": events,
    "ticks": ticks,
    "fills": fills,
}


# ---- measuring


class Meter:
    """Measures from its creation on."""

    def __init__(self, processors: Mapping[str, int]) -> None:
        self._processors = processors
        self._latencies: list[float] = []
        self._servers = processor_seconds(processors)
        self._client, self._begun = time.process_time(), time.perf_counter()

    async def timed(self, work: Awaitable[object]) -> None:
        begun = time.perf_counter()
        await work
        self._latencies.append(time.perf_counter() - begun)

    def measured(self, count: int) -> Measured:
        seconds, client = time.perf_counter() - self._begun, time.process_time() - self._client
        now = processor_seconds(self._processors)
        return Measured(
            count=count,
            seconds=seconds,
            latencies=self._latencies,
            client=client,
            servers={name: now[name] - self._servers[name] for name in now},
        )


async def postmaster(url: str) -> int | None:
    """The process of the server. None if it is not on this machine."""
    connection = await asyncpg.connect(url)
    try:
        return _parent_of(await connection.fetchval("SELECT pg_backend_pid()"))
    finally:
        await connection.close()


def _parent_of(pid: int) -> int | None:
    with suppress(*_ENDED):
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").startswith("postgres"):
            return int(_stat(pid)[1])
    return None


def processor_seconds(processors: Mapping[str, int]) -> dict[str, float]:
    """What each server has used, with all its processes, those that have ended included."""
    names = {pid: name for name, pid in processors.items()}
    used = dict.fromkeys(processors, 0.0)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(*_ENDED):
            pid, values = int(entry.name), _stat(int(entry.name))
            if (name := names.get(pid)) is not None:
                used[name] += _used_by(pid) + sum(map(int, values[13:15])) / _TICK
            elif (name := names.get(int(values[1]))) is not None:
                used[name] += _used_by(pid)
    return used


def _used_by(pid: int) -> float:
    """In seconds. Other files only count hundredths."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="utf-8").split()[0]) / 1e9


def _stat(pid: int) -> list[str]:
    """The fields after the name of the program."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


# ---- the report


def report_of(subjects: Sequence[Subject], rounds: int, versions: Sequence[str]) -> str:
    lines = [
        "<!-- Written by benchmarks/cluster.py; do not edit. -->",
        "",
        "# A cluster against one plain server",
        "",
        "What a [Citus cluster](../howto/scale-out.md#citus-step-by-step) costs, compared with one plain server of Postgres. A worker does its work through the coordinator, or directly at the machines of the cluster.",
        "",
        f"- The data: {WORKSPACES} workspaces with one bucket each, {PEOPLE} people and {SEGMENTS} segments. A tick has one event of one person. Upserts are new people in batches of {BATCH}.",
        "- All servers and the worker share one computer, so the rates do not show how a cluster grows. The processor time does: it is what each server would have to do.",
        "- Processor time is per upsert, event, tick or fill. In the column “machines”, all machines besides the coordinator are added up.",
        "- Ratios are to the plain server.",
    ]
    for what in WORK:
        lines += ["", f"## {what.capitalize()}", "", *_table(subjects, what)]
    lines += [
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {rounds} rounds, `python3 dev run benchmarks/cluster.py`. {os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}. Cluster: {versions[0].partition(' on ')[0]}, Postgres {versions[1].partition(' ')[0]}; plain server: Postgres {versions[2].partition(' ')[0]}.",
        "",
    ]
    return "\n".join(lines)


def _table(subjects: Sequence[Subject], what: str) -> Iterator[str]:
    yield "| | per second | ratio | p50 of a call | ratio | worker, ms | coordinator or plain server, ms | machines, ms | all servers, ratio |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    rate_of_plain = latency_of_plain = servers_of_plain = 0.0
    for it in subjects:
        results = it.results[what]
        rate = median(each.count / each.seconds for each in results)
        latency = median(value for each in results for value in each.latencies) * 1000
        count = sum(each.count for each in results)
        used = {
            name: sum(each.servers[name] for each in results) / count * 1000 for name in results[0].servers
        }
        plain = used.pop("plain", 0.0)
        own = plain if it is subjects[0] else used.pop(_name(0), 0.0)
        others = 0.0 if it is subjects[0] else sum(used.values())
        client = sum(each.client for each in results) / count * 1000
        if it is subjects[0]:
            rate_of_plain, latency_of_plain, servers_of_plain = rate, latency, own
        yield (
            f"| {it.name} | {rate:,.0f} | {rate / rate_of_plain:.2f} | {latency:.1f} ms | {latency / latency_of_plain:.2f} | "
            f"{client:.2f} | {own:.2f} | {others:.2f} | {(own + others) / servers_of_plain if servers_of_plain else 0:.1f} |"
        )


def _name(number: int) -> str:
    return "coordinator" if number == 0 else f"machine {number}"


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


if __name__ == "__main__":
    main()
