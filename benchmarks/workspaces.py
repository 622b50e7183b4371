"""Measures 10,000 workspaces with 20 segments each under one worker: their cost while nothing happens, and how fast changes are.

    python3 dev run benchmarks/workspaces.py
    python3 dev run benchmarks/workspaces.py --workspaces 1000 --people 5

It starts its own servers in a temporary folder, loads the workspaces straight into the tables (with the right members, found by
the evaluation in Python), starts a worker as in production, and lets it tick every bucket once before it measures. It writes
docs/benchmarks/workspaces.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import NotedJobs
from audience_gql.conditions.base import Condition, Names
from audience_gql.conditions.codec import parse
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.values import fold
from audience_gql.conditions.vocabulary import CREATED_DATE, PLAIN_IDS, UPDATED_DATE, Vocabulary
from audience_gql.conditions.words.summary import summarize
from audience_gql.embedded import Servers
from audience_gql.messaging.signals import RedisSignals
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.schema import migrate
from benchmarks.engine.environment import describe
from benchmarks.engine.observed import ObservedWorker, Usage, share_at
from benchmarks.engine.watched import Watch, watching

EVENTS = ("email_opened", "email_clicked", "page_visited", "order_placed")
PROBE = "did_something_new"
COUNTRIES = ("LT", "DE", "FR", "EE")
WINDOWS = (1, 7, 14, 30, 90)
DAYS = 120
BEGIN = 1_000_000_000
"""The first id of this loader. The application draws its ids below."""
REPORT = Path(__file__).parents[1] / "docs/benchmarks/workspaces.md"
HEAD = """<!-- Written by benchmarks/workspaces.py; do not edit. -->

# Many small customers

{loaded} in one installation, with one worker. No two workspaces have the same segments, so no two share a statement. Postgres, the
worker and the writer run on one machine. A share of a core is the CPU time of the worker and its Postgres backends.

| | measured | target |
|---|--:|--:|
"""

SEGMENTS = 20


def drawn_conditions(chance: random.Random) -> list[dict[str, Any]]:  # Any: a condition's JSON
    """A workspace's conditions: a random mixture of usual kinds, so that no two workspaces have the same statements.

    People enter the segment of the last condition during the live changes.
    """
    drawn = [_leaf(chance) for _ in range(11)]
    drawn += [{"all": [_leaf(chance), {"not": _leaf(chance)}]} for _ in range(4)]
    drawn += [{"any": [{"all": [_leaf(chance), _leaf(chance)]}, _leaf(chance)]} for _ in range(4)]
    chance.shuffle(drawn)
    return [*drawn, {"event": {"name": PROBE}}]


def _leaf(chance: random.Random) -> dict[str, Any]:  # Any: a condition's JSON
    match chance.randrange(6):
        case 0:
            return {"country": {"in": chance.sample(COUNTRIES, 2)}}
        case 1:
            return {"createdAt": {"inLast": {"days": chance.choice(WINDOWS)}}}
        case _:
            last = {"last": {"days": chance.choice(WINDOWS)}}
            times = {"atLeast": chance.randrange(1, 4)}
            return {"event": {"name": chance.choice(EVENTS), "times": times, "within": last}}


@dataclass(slots=True)
class _Tables:
    """Rows for COPY, by table."""

    rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)

    def add(self, table: str, *row: object) -> None:
        self.rows.setdefault(table, []).append(row)


_COLUMNS: Mapping[str, Sequence[str]] = {
    "workspaces": ("id", "name", "created_at"),
    "buckets": ("id", "workspace_id", "last_instant", "evaluated_through", "next_due_at"),
    "event_names": ("id", "workspace_id", "name"),
    "segments": (
        *("id", "workspace_id", "name", "name_folded", "condition", "summary"),
        *("created_at", "updated_at"),
    ),
    "subscribers": ("bucket_id", "id", "country", "country_folded", "created_at", "updated_at"),
    "subscriber_dates": ("bucket_id", "subscriber_id", "field_id", "at"),
    "events": ("bucket_id", "subscriber_id", "name_id", "occurred_at", "id"),
    "segment_members": ("bucket_id", "segment_id", "subscriber_id", "entered_at"),
    "segment_states": ("bucket_id", "segment_id", "generation", "fill_cause", "filled_at", "members"),
}


_VOCABULARY = Vocabulary(
    fields={},
    group_ids=frozenset(),
    segment_ids=frozenset(),
    event_names={name: number for number, name in enumerate((*EVENTS, PROBE))},
    timezone="UTC",
)


class Loader:
    """Draws workspaces with their contents, and writes them in slices."""

    def __init__(self, *, people: int, events: int, now: datetime) -> None:
        self._people = people
        self._events = events
        self._now = now
        self._chance = random.Random(20)
        self._ids = itertools.count(BEGIN)
        self._conditions: dict[str, tuple[str, Condition]] = {}
        """By its JSON, each condition with its summary."""

    async def load(self, connection: Connection, count: int) -> None:
        for start in range(0, count, 500):
            tables = _Tables()
            for number in range(start, min(start + 500, count)):
                self._add_workspace(tables, number)
            for table, columns in _COLUMNS.items():
                await connection.copy_records_to_table(
                    table, records=tables.rows[table], columns=list(columns), timeout=600
                )
        await connection.execute("VACUUM ANALYZE")

    def _add_workspace(self, tables: _Tables, number: int) -> None:
        now, workspace_id, bucket_id = self._now, next(self._ids), next(self._ids)
        tables.add("workspaces", workspace_id, f"Workspace {number}", now)
        tables.add(
            "buckets", bucket_id, workspace_id, now, now, now
        )  # due at once; the first tick finds the next due instant
        name_ids = {name: next(self._ids) for name in (*EVENTS, PROBE)}
        for name, name_id in name_ids.items():
            tables.add("event_names", name_id, workspace_id, name)
        people = sorted(self._chance.getrandbits(62) for _ in range(self._people))
        facts = [self._add_person(tables, bucket_id, person_id, name_ids) for person_id in people]
        for position, json_of_it in enumerate(map(json.dumps, drawn_conditions(self._chance))):
            segment_id, name = next(self._ids), f"Segment {position}"
            summary, condition = self._parsed(json_of_it)
            tables.add("segments", segment_id, workspace_id, name, fold(name), json_of_it, summary, now, now)
            members = [one.id for one in facts if evaluate(condition, one, now, {}, timezone="UTC")]
            tables.add("segment_states", bucket_id, segment_id, 1, "DEFINITION", now, len(members))
            for person_id in members:
                tables.add("segment_members", bucket_id, segment_id, person_id, now)

    def _parsed(self, json_of_it: str) -> tuple[str, Condition]:
        if json_of_it not in self._conditions:
            condition = parse(json.loads(json_of_it), vocabulary=_VOCABULARY, ids=PLAIN_IDS)
            self._conditions[json_of_it] = summarize(condition, Names(groups={}, segments={})), condition
        return self._conditions[json_of_it]

    def _add_person(
        self, tables: _Tables, bucket_id: int, person_id: int, name_ids: Mapping[str, int]
    ) -> Facts:
        country = self._chance.choice(COUNTRIES)
        created = self._now - timedelta(days=DAYS * self._chance.random())
        tables.add("subscribers", bucket_id, person_id, country, fold(country), created, created)
        for field_id in (CREATED_DATE, UPDATED_DATE):
            tables.add("subscriber_dates", bucket_id, person_id, field_id, created)
        events = []
        for _ in range(self._chance.randrange(2 * self._events + 1)):
            name = self._chance.choice(EVENTS)
            at = self._now - timedelta(days=DAYS * self._chance.random())
            tables.add("events", bucket_id, person_id, name_ids[name], at, next(self._ids))
            events.append(Event(name=name, occurred_at=at))
        return Facts(
            id=person_id,
            created_at=created,
            updated_at=created,
            profile={"country": country},
            events=tuple(events),
        )


@dataclass(slots=True)
class Report:
    """The figures. They are printed one by one and written to a file at the end."""

    rows: list[str] = field(default_factory=list)

    def add(self, what: str, measured: str, target: str = "") -> None:
        print(f"{what}: {measured}" + (f" (target {target})" if target else ""), flush=True)
        self.rows.append(f"| {what} | {measured} | {target.replace('<=', '≤')} |\n")

    def write(self, *, loaded: str, command: str, environment: Mapping[str, str]) -> None:
        REPORT.write_text(
            HEAD.format(loaded=loaded)
            + "".join(self.rows)
            + f"\n{datetime.now(UTC).date()}, `{command}`. {environment['machine']}. {environment['versions']}.\n"
        )


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers:
        await _measure(options, servers.addresses.database_url, servers.addresses.redis_url)


async def _measure(options: argparse.Namespace, database_url: str, redis_url: str) -> None:
    report = Report()
    await migrate(database_url)
    loaded = await _load(options, database_url)
    database = await Database.open(database_url, pool_size=20)
    signals = RedisSignals(redis_url)
    ports = Ports(database=database, clock=DatabaseClock(), signals=signals, jobs=NotedJobs())
    start = time.monotonic()
    async with ObservedWorker.started(database, database_url=database_url, redis_url=redis_url) as worker:
        report.add("memory of the worker after its start", f"{worker.memory_mb:.0f} MB")
        await _until_quiet(database)
        report.add("time until every bucket was ticked once", f"{time.monotonic() - start:.1f} s")
        await asyncio.sleep(10)
        await _idle(options, worker, report)
        await _change(options, ports, worker, report)
        report.add("peak memory of the worker", f"{worker.peak_memory_mb:.0f} MB", "<= 200 MB")
    await signals.close()
    await database.close()
    command = shlex.join(["python", "benchmarks/workspaces.py", *sys.argv[1:]])
    report.write(loaded=loaded, command=command, environment=await describe(database_url))


async def _load(options: argparse.Namespace, database_url: str) -> str:
    """Load everything. Returns what was loaded, in words."""
    connection: Connection = await asyncpg.connect(database_url)
    try:
        now = await connection.fetchval("SELECT now()")
        await Loader(people=options.people, events=options.events, now=now).load(
            connection, options.workspaces
        )
        counts = [
            f"{await connection.fetchval(f'SELECT count(*) FROM {table}'):,} {words}"
            for table, words in (
                ("workspaces", "workspaces"),
                ("segments", "segments"),
                ("subscribers", "subscribers"),
                ("events", "events"),
                ("segment_members", "memberships"),
            )
        ]
        return ", ".join(counts)
    finally:
        await connection.close()


async def _until_quiet(database: Database) -> None:
    """Wait until nothing is due and no marks are left."""
    while await database.fetchval(
        "SELECT EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM buckets WHERE next_due_at < now() - interval '1 second')"
    ):
        await asyncio.sleep(0.2)


async def _idle(options: argparse.Namespace, worker: ObservedWorker, report: Report) -> None:
    before = await worker.usage()
    await asyncio.sleep(options.idle_seconds)
    used = (await worker.usage()).since(before)
    _add_shares(report, f"no writes for {options.idle_seconds} s", used, options.idle_seconds, "<= 2 %")


def _add_shares(report: Report, when: str, used: Usage, seconds: float, target: str = "") -> None:
    report.add(f"{when}: share of a core", f"{100 * used.both / seconds:.2f} %", target)
    report.add(f"{when}: Postgres alone", f"{100 * used.backends / seconds:.2f} %")


async def _change(options: argparse.Namespace, ports: Ports, worker: ObservedWorker, report: Report) -> None:
    """Track one event at a time in random workspaces. Each makes a person a member."""
    chosen = await _probes(ports, options.changes)
    async with AsyncExitStack() as listening:
        watches: dict[int, Watch] = {}
        for segment_id, workspace, person in chosen:
            watches[segment_id] = await listening.enter_async_context(
                watching(ports, workspace.id, [person.bucket_id], [segment_id])
            )
        await asyncio.sleep(2)
        before, start = await worker.usage(), time.monotonic()
        committed: dict[int, float] = {}
        for number, (segment_id, workspace, person) in enumerate(chosen):
            await asyncio.sleep(max(0, start + number / options.rate - time.monotonic()))
            item = EventItem(subscriber=SubscriberKey(kind="id", value=person), name=PROBE)
            await track_events(ports=ports, workspace=workspace, items=[item])
            committed[segment_id] = time.time()
        for watch in watches.values():
            assert await watch.until(partial(bool, watch.seen), seconds=30), "a change was lost"
        used, seconds = (await worker.usage()).since(before), time.monotonic() - start
    delays = [
        1000 * (next(iter(watches[segment_id].seen.values())).at - at) for segment_id, at in committed.items()
    ]
    when = f"changes in {len(delays)} random workspaces at {options.rate:g} per second"
    for name, share, target in (("p50", 0.5, ""), ("p99", 0.99, "<= 100 ms"), ("longest", 1, "")):
        report.add(f"{when}: from commit to change, {name}", f"{share_at(delays, share):.1f} ms", target)
    _add_shares(report, when, used, seconds)


async def _probes(ports: Ports, count: int) -> list[tuple[int, Workspace, SubscriberRef]]:
    """Random workspaces: of each, the segment to enter, and a person to enter it."""
    last = f"Segment {SEGMENTS - 1}"
    rows = await ports.database.fetch(
        "SELECT s.id AS segment_id, s.workspace_id, b.id AS bucket_id, "
        "(SELECT p.id FROM subscribers p WHERE p.bucket_id = b.id LIMIT 1) AS person_id "
        "FROM segments s JOIN buckets b ON b.workspace_id = s.workspace_id WHERE s.name = $1 ORDER BY s.id",
        last,
    )
    chosen = random.Random(1).sample(rows, min(count, len(rows)))
    return [
        (
            row["segment_id"],
            await Workspace.get(id=row["workspace_id"]),
            SubscriberRef(row["bucket_id"], row["person_id"]),
        )
        for row in chosen
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspaces", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=5, help="people per workspace")
    parser.add_argument("--events", type=int, default=10, help="events per person, on average")
    parser.add_argument("--idle-seconds", type=int, default=30)
    parser.add_argument("--changes", type=int, default=500, help="workspaces in which something happens")
    parser.add_argument("--rate", type=float, default=20, help="changes per second")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
