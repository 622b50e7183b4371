"""(d) Events per second through the application's batch path, with and without marks.

Every client is its own process (this file, run as a program) with several batches of 1,000 at once. They name people alternately by
id and by external id. No worker runs. No segment reads the events' names, so their marks can be deleted at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from audience_gql.audience.people.events import BATCH_LIMIT, EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import event_rows
from audience_gql.storage.people.facts import CALLER, Mark, Source
from audience_gql.storage.postgres.database import Database

if TYPE_CHECKING:
    from benchmarks.engine.bench import Bench, Figure

MEASUREMENT = "d"
CLIENTS = (1, 2)
BATCHES = 60
"""The number of batches of a client in one run."""
PREPARED = 10
"""The number of different batches, which are sent in turn, so that the client does not spend time on making them."""
UNDER_WAY = 4
RUNS = 3
PEOPLE = 20_000
NAMES = ("bench_ingest_opened", "bench_ingest_clicked", "bench_ingest_ordered")


async def measure(bench: Bench) -> list[Figure]:
    from benchmarks.engine.bench import Figure  # noqa: PLC0415  # the clients do not need it

    def figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
        return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)

    figures: list[Figure] = []
    best = 0.0
    try:
        for clients in CLIENTS:
            rates: dict[bool, list[float]] = {True: [], False: []}
            for run in range(RUNS + 1):
                for with_marks in (run % 2 == 0, run % 2 == 1):  # so that neither always goes first
                    rate = await _run(bench, clients, with_marks=with_marks)
                    if run > 0:  # the first warms up
                        rates[with_marks].append(rate)
                    await _clear(bench)
            by = {kind: sorted(values)[len(values) // 2] for kind, values in rates.items()}
            best = max(best, by[True])
            which = f"{clients} client(s), each with {UNDER_WAY} batches of {BATCH_LIMIT} at a time"
            figures.append(figure(f"{which}, with marks", by[True], "events/s"))
            figures.append(figure(f"{which}, without marks", by[False], "events/s"))
            ratio = by[True] / by[False]
            figures.append(figure(f"{which}, with marks relative to without", ratio, "times", ">= 0.85"))
        figures.append(figure("maximum, with marks", best, "events/s", ">= 40000"))
    finally:
        await _clear(bench)
        await bench.ports.database.fetch(
            "DELETE FROM event_names WHERE workspace_id = $1 AND name = ANY($2::text[])",
            bench.workspace.id,
            list(NAMES),
        )
    return figures


async def _run(bench: Bench, clients: int, *, with_marks: bool) -> float:
    """Events per second of this many clients together, from the first one's start to the last one's end."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__)),
            json.dumps(
                {
                    "database_url": bench.database_url,
                    "workspace_id": bench.workspace.id,
                    "bucket_ids": list(bench.bucket_ids),
                    "with_marks": with_marks,
                    "seed": number,
                }
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=dict(os.environ),
        )
        for number in range(clients)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()  # ready
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
    said = [json.loads((await process.communicate())[0]) for process in processes]
    seconds: float = max(one["end"] for one in said) - min(one["start"] for one in said)
    return sum(int(one["accepted"]) for one in said) / seconds


async def _clear(bench: Bench) -> None:
    """Delete the events and marks, and clean the tables for the next run."""
    async with bench.ports.database.acquire() as connection:
        names = await connection.fetch(
            "SELECT id FROM event_names WHERE workspace_id = $1 AND name = ANY($2::text[])",
            bench.workspace.id,
            list(NAMES),
        )
        ids, buckets = [row["id"] for row in names], list(bench.bucket_ids)
        await connection.execute("SET statement_timeout = 0")
        for table, column in (("events", "name_id"), ("dirty", "ref")):
            await connection.execute(
                f"DELETE FROM {table} WHERE bucket_id = ANY($1::bigint[]) AND {column} = ANY($2::bigint[])",
                buckets,
                ids,
            )
        await connection.execute("VACUUM dirty")
        await connection.execute("CHECKPOINT")
        await connection.execute("RESET statement_timeout")


# ---- a client, in a process of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    ports: Ports
    workspace: Workspace
    prepared: Sequence[Sequence[EventItem]]

    async def run(self) -> int:
        """Send all batches. Returns how many events were accepted."""
        left: Iterator[int] = iter(range(BATCHES))
        return sum(await asyncio.gather(*(self._work(left) for _ in range(UNDER_WAY))))

    async def _work(self, left: Iterable[int]) -> int:
        accepted = 0
        for number in left:
            items = self.prepared[number % len(self.prepared)]
            tracked = await track_events(ports=self.ports, workspace=self.workspace, items=items, bulk=True)
            accepted += tracked.accepted
        return accepted


async def _be_client(given: dict[str, Any]) -> None:  # Any: JSON
    if not given["with_marks"]:
        event_rows.copy_marks = _copy_no_marks
    database = await Database.open(given["database_url"], pool_size=UNDER_WAY, statement_timeout_seconds=60)
    ports = Ports(database=database, clock=DatabaseClock(), signals=MemorySignals(), jobs=NotedJobs())
    workspace = await Workspace.get(id=given["workspace_id"])
    keys, chance = await _keys(database, given["bucket_ids"]), random.Random(given["seed"])
    prepared = [_batch(keys, chance) for _ in range(PREPARED)]
    client = _Client(ports=ports, workspace=workspace, prepared=prepared)
    await track_events(
        ports=ports, workspace=workspace, items=prepared[0], bulk=True
    )  # costs that only the first batch has
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    start = time.time()
    accepted = await client.run()
    print(json.dumps({"start": start, "end": time.time(), "accepted": accepted}))
    await database.close()


def _batch(keys: Sequence[SubscriberKey], chance: random.Random) -> list[EventItem]:
    return [
        EventItem(
            subscriber=key,
            name=chance.choice(NAMES),
            value=chance.randrange(1, 200),
            properties={"source": "campaign", "position": chance.randrange(10)},
        )
        for key in chance.choices(keys, k=BATCH_LIMIT)
    ]


async def _keys(database: Database, bucket_ids: Sequence[int]) -> list[SubscriberKey]:
    """Keys of people of all buckets; every other key is an external id."""
    keys: list[SubscriberKey] = []
    for bucket_id in bucket_ids:
        rows = await database.fetch(
            "SELECT id, external_id FROM subscribers WHERE bucket_id = $1 ORDER BY id LIMIT $2",
            bucket_id,
            PEOPLE // len(bucket_ids),
        )
        for n, row in enumerate(rows):
            if n % 2 and row["external_id"] is not None:
                keys.append(SubscriberKey(kind="externalId", value=row["external_id"]))
            else:
                keys.append(SubscriberKey(kind="id", value=SubscriberRef(bucket_id, row["id"])))
    return keys


async def _copy_no_marks(
    connection: object, marks: Mapping[int, set[Mark]], *, source: Source = CALLER
) -> None:
    """Replaces the copying of marks, for the comparison without marks."""


if __name__ == "__main__":
    uvloop.run(_be_client(json.loads(sys.argv[1])))
