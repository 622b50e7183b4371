"""Measures how long it takes to count what segments have in common, and to compare two of them, in a large workspace.

    python3 dev run benchmarks/overlap.py
    python3 dev run benchmarks/overlap.py --people 100000

It starts its own Postgres and writes people, memberships, the log and events straight by SQL, so no worker runs. It writes its section of
docs/benchmarks/insights.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shlex
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from audience_gql.embedded import Servers
from audience_gql.storage.insights import comparisons, overlaps
from audience_gql.storage.insights.comparisons import Question
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import migrate
from benchmarks.engine.environment import describe

BUCKETS: Final = 10
SEGMENTS: Final = 8
MEMBERS: Final = 300
"""How many of 1,000 people are in each segment."""
EVENT: Final = 1
ROUNDS: Final = 3
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
REPORT: Final = Path(__file__).parents[1] / "docs/benchmarks/insights.md"
HEADING: Final = "## Overlaps and experiments"
SECTION: Final = (
    HEADING
    + """

{people:,} people in {buckets} buckets, {segments} segments with about {each:,} members each, one event of {people:,} people. The yardstick is a bare `count(*)` of the rows that a question reads,
in the same buckets, one after the other on one connection.

| question | seconds | bare count | ratio |
|---|--:|--:|--:|
{rows}
{date}, `{typed}`. {machine}. {versions}.
"""
)
_IDS: Final = "SELECT n, hashint8extended(n, $1::bigint) & 4611686018427387903 AS id FROM generate_series(1, $2::bigint) n"
LOAD: Final = (
    (
        "INSERT INTO subscribers (bucket_id, id, created_at, updated_at) "
        f"SELECT $1::bigint, p.id, $3::timestamptz, $3 FROM ({_IDS}) p ORDER BY p.n"
    ),
    (
        "INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at) SELECT $1::bigint, s, p.id, $3::timestamptz "
        f"FROM ({_IDS}) p CROSS JOIN generate_series(1, {SEGMENTS}) s "
        f"WHERE hashint8extended(p.id + s, 7) & 1023 < {MEMBERS * 1024 // 1000} ORDER BY s, p.id"
    ),
    (
        "INSERT INTO membership_changes (bucket_id, sequence, list_kind, list_id, subscriber_id, entered, cause, occurred_at) "
        "SELECT m.bucket_id, row_number() OVER (), 'SEGMENT', m.segment_id, m.subscriber_id, true, 'DEFINITION', $3::timestamptz "
        "FROM segment_members m WHERE m.bucket_id = $1 AND m.segment_id <= 2 AND $2::bigint > 0"
    ),
    (
        "INSERT INTO segment_states (bucket_id, segment_id, generation, fill_cause, filled_at, members) "
        "SELECT m.bucket_id, m.segment_id, 1, 'DEFINITION', $3::timestamptz, count(*) FROM segment_members m "
        "WHERE m.bucket_id = $1 AND $2::bigint > 0 GROUP BY m.bucket_id, m.segment_id"
    ),
    (
        "UPDATE buckets b SET last_instant = $3::timestamptz, next_sequence = ("
        "SELECT max(c.sequence) + 1 FROM membership_changes c WHERE c.bucket_id = b.id) WHERE b.id = $1 AND $2::bigint > 0"
    ),
    (
        "INSERT INTO events (bucket_id, subscriber_id, name_id, occurred_at, id, value) "
        f"SELECT $1::bigint, p.id, {EVENT}, $3::timestamptz + (p.n % 1000) * interval '1 hour', p.n, p.n % 100 FROM ({_IDS}) p "
        "ORDER BY p.n % 1000"
    ),
)
"""Each statement is for one bucket. Members are written in the order of fills: segment by segment, by id."""
MEMBERSHIPS: Final = (
    "SELECT count(*) FROM segment_members m WHERE m.bucket_id = $1 AND m.segment_id = ANY($2::bigint[])"
)
OF_PEOPLE: Final = "SELECT count(*) FROM segment_members m WHERE m.bucket_id = $1"
CHANGES_AND_EVENTS: Final = (
    "SELECT (SELECT count(*) FROM membership_changes c WHERE c.bucket_id = $1 AND c.list_id IN (1, 2)) "
    f"+ (SELECT count(*) FROM events e WHERE e.bucket_id = $1 AND e.name_id = {EVENT})"
)


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers:
        url = servers.addresses.database_url
        await migrate(url)
        database = await Database.open(url, pool_size=2, statement_timeout_seconds=120)
        try:
            await _load(database, options.people)
            rows = await _measured(database)
        finally:
            await database.close()
        environment = await describe(url)
    section = SECTION.format(
        people=options.people,
        buckets=BUCKETS,
        segments=SEGMENTS,
        each=options.people * MEMBERS // 1000,
        rows="".join(rows),
        date=datetime.now(UTC).date(),
        typed=shlex.join(["python3", "dev", "run", "benchmarks/overlap.py", *sys.argv[1:]]),
        machine=environment["machine"],
        versions=environment["versions"],
    )
    print(section)
    _write(section)


async def _load(database: Database, people: int) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, name, timezone, created_at) VALUES (1, 'one', 'UTC', $1)", START
        )
        await connection.execute(
            "INSERT INTO buckets (id, workspace_id, last_instant, evaluated_through) "
            f"SELECT n, 1, $1::timestamptz, $1 FROM generate_series(1, {BUCKETS}) n",
            START,
        )
        await connection.execute(
            "INSERT INTO segments (id, workspace_id, name, name_folded, condition, summary, created_at, updated_at) "
            f"SELECT n, 1, n::text, n::text, '{{}}', '', $1::timestamptz, $1 FROM generate_series(1, {SEGMENTS}) n",
            START,
        )
        await connection.execute(
            f"INSERT INTO event_names (id, workspace_id, name) VALUES ({EVENT}, 1, 'bought')"
        )
        await connection.execute("SET session_replication_role = replica")  # no checks of foreign keys
        for bucket_id in range(1, BUCKETS + 1):
            for statement in LOAD:
                await connection.execute(statement, bucket_id, people // BUCKETS, START)
        await connection.execute("RESET session_replication_role")
        await connection.execute("VACUUM ANALYZE")  # as autovacuum does after a while


async def _measured(database: Database) -> list[str]:
    ids = list(range(1, SEGMENTS + 1))
    question = Question(
        segment_ids=(1, 2), event="bought", start=START, end=START + timedelta(days=90), within=None
    )

    async def overlap() -> None:
        await overlaps.overlaps(database, 1, ids)

    async def similar() -> None:
        await overlaps.similar(database, 1, 1, first=5)

    async def compare() -> None:
        async with database.snapshot() as connection:
            await comparisons.sides(connection, 1, question)

    def counting(statement: str, *values: object) -> Callable[[], Awaitable[None]]:
        async def count() -> None:
            async with database.snapshot() as connection:
                for bucket_id in range(1, BUCKETS + 1):
                    await connection.fetchval(statement, bucket_id, *values)

        return count

    return [
        await _row(f"`segmentOverlap` of {SEGMENTS} segments", overlap, counting(MEMBERSHIPS, ids)),
        await _row("`Segment.similar`", similar, counting(OF_PEOPLE)),
        await _row("`compareSegments`", compare, counting(CHANGES_AND_EVENTS)),
    ]


async def _row(
    name: str, question: Callable[[], Awaitable[None]], bare: Callable[[], Awaitable[None]]
) -> str:
    """The two take turns, so that what else runs on the machine slows both."""
    took: dict[Callable[[], Awaitable[None]], list[float]] = {question: [], bare: []}
    for _ in range(ROUNDS):
        for work, times in took.items():
            begun = perf_counter()
            await work()
            times.append(perf_counter() - begun)
    seconds, counted = median(took[question]), median(took[bare])
    return f"| {name} | {seconds:.2f} | {counted:.2f} | {seconds / counted:.1f} |\n"


def _write(section: str) -> None:
    """Replace this section of the report, or append it."""
    page = REPORT.read_text(encoding="utf-8") if REPORT.exists() else "# Answers about audiences\n"
    others = re.sub(rf"\n{re.escape(HEADING)}\n.*?(?=\n## |\Z)", "", page, flags=re.DOTALL)
    REPORT.write_text(f"{others.rstrip()}\n\n{section}", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=1_000_000)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
