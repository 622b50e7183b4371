"""Measures what the funnel of a condition costs, against a bare count of the people whom the condition matches.

    python3 dev run benchmarks/funnel.py --people 200000 --events 2000000

It starts its own Postgres and loads the engine's benchmark data. Both statements read everybody, bucket by bucket, in turns, in one snapshot.
It writes the section "Funnels" of docs/benchmarks/insights.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.near_misses import count_nodes, distinct_leaves
from audience_gql.conditions.sql.compiler import Statement, compile_combinations, compile_range
from audience_gql.conditions.sql.over_range import BITS
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.embedded import Servers
from audience_gql.storage import buckets, definitions, segment_definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection, Database
from benchmarks.engine.environment import describe
from benchmarks.engine.generator import WORKSPACE, add_size_options, size_of
from benchmarks.engine.segments import with_ids

Json: TypeAlias = dict[str, Any]  # Any: the shape of ConditionInput

ROUNDS: Final = 7
REPORT: Final = Path(__file__).parents[1] / "docs/benchmarks/insights.md"
TITLE: Final = "# Answers about audiences\n"
_GENERATOR: Final = Path(__file__).parent / "engine/generator.py"
_EVERYBODY: Final = (-1, 2**63 - 1)
HEAD: Final = """## Funnels

{people:,} people with {events:,} events. Counting the verdicts of all leaves together and summing them up for every node, against a bare `count(*)` of the same
condition. The two take turns; medians of {rounds} (wanted: at most 3 times). A condition that an index answers, such as one address, is
counted at once, but its funnel still reads everybody.

| condition | leaves | match | combinations | bare count | funnel | ratio |
|---|--:|--:|--:|--:|--:|--:|
"""


def _did(name: str, days: int, **more: Any) -> Json:
    return {"event": {"name": name, "within": {"last": {"days": days}}, **more}}


def _consents(channel: str) -> Json:
    return {"channel": {"channel": channel, "status": ["ACTIVE"]}}


def _group(number: int) -> Json:
    return {"group": {"anyOf": [f"Group {number}"]}}


def _in(name: str) -> Json:
    return {"segment": {"anyOf": [name]}}


def _spent(days: int, least: int) -> Json:
    total = {"name": "order_placed", "of": "value", "function": "SUM", "is": {"gte": least}}
    return {"eventTotal": {**total, "within": {"last": {"days": days}}}}


def _lives(code: str) -> Json:
    return {"country": {"is": code}}


CONDITIONS: Final[Mapping[str, Json]] = {
    "country, opened, in a group": {"all": [_lives("US"), _did("email_opened", 30), _group(97)]},
    "three events": {"all": [_did("email_opened", 30), _did("email_clicked", 30), _did("page_visited", 7)]},
    "consent, opened, never ordered, plan": {
        "all": [
            _consents("EMAIL"),
            _did("email_opened", 30),
            {"not": {"event": {"name": "order_placed"}}},
            {"field": {"key": "plan", "text": {"in": ["pro", "enterprise"]}}},
        ]
    },
    "one of three ways": {
        "any": [
            {"all": [_lives("DE"), _did("product_viewed", 14, times={"atLeast": 3})]},
            {"all": [_group(98), _spent(90, 50)]},
            _consents("SMS"),
        ]
    },
    "segments, country, field, group": {
        "all": [
            _in("Reachable and awake"),
            {"not": _in("Ordered in 30 days")},
            {"any": [_in("From the US"), {"country": {"in": ["DE", "GB"]}}]},
            {"field": {"key": "partner", "boolean": {"is": False}}},
            _group(96),
        ]
    },
    "later: opens no more in 3 days": {
        "all": [
            _did("email_opened", 30),
            {"not": {"later": {"by": {"days": 3}, "condition": _did("email_opened", 30)}}},
            _consents("EMAIL"),
        ]
    },
    "a dozen of all kinds": {
        "all": [
            _consents("EMAIL"),
            {"any": [_lives("US"), _lives("DE"), _lives("GB")]},
            _did("email_opened", 60),
            {"any": [_did("email_clicked", 60), _did("page_visited", 30), _did("app_opened", 30)]},
            {"not": _did("support_asked", 30)},
            {"any": [_group(98), _in("From the US")]},
            {"not": _spent(180, 500)},
        ]
    },
}


async def main() -> None:
    options = _arguments()
    with Servers.throwaway() as servers:
        url = servers.addresses.database_url
        size = size_of(options)
        given = {
            name: getattr(size, name) for name in ("people", "events", "days", "groups", "segments", "seed")
        }
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, str(_GENERATOR), *words]
        await asyncio.to_thread(subprocess.run, command, env={**os.environ, "DATABASE_URL": url}, check=True)
        rows = await measure(url)
        environment = await describe(url)
    typed = shlex.join(["python3", "dev", "run", "benchmarks/funnel.py", *sys.argv[1:]])
    head = HEAD.format(people=options.people, events=options.events, rounds=ROUNDS)
    tail = f"\n{datetime.now(UTC).date()}, `{typed}`. {environment['machine']}. {environment['versions']}.\n"
    write_section(head + "".join(rows) + tail)


def write_section(section: str) -> None:
    """Put the section into the report, in place of the one with the same title."""
    title = section.partition("\n")[0]
    page = REPORT.read_text(encoding="utf-8") if REPORT.exists() else TITLE
    others = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    kept = [part.rstrip("\n") + "\n\n" for part in others if part.partition("\n")[0] != title]
    REPORT.write_text("".join(kept) + section, encoding="utf-8")


async def measure(url: str) -> list[str]:
    """A row of the table for each condition."""
    database = await Database.open(url, statement_timeout_seconds=0)
    try:
        async with database.snapshot() as connection:
            workspace_id = (await Workspace.get(name=WORKSPACE)).id
            bench = await _Bench.open(connection, workspace_id)
            return [await bench.row(name, condition) for name, condition in CONDITIONS.items()]
    finally:
        await database.close()


class _Bench:
    """The connection of the measurement, and what it needs to compile conditions."""

    def __init__(
        self,
        connection: Connection,
        bucket_ids: Sequence[int],
        vocabulary: Vocabulary,
        inner: Mapping[int, Condition],
        names: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._connection = connection
        self._bucket_ids = bucket_ids
        self._vocabulary = vocabulary
        self._inner = inner
        self._names = names
        self._now = datetime.now(UTC)

    @classmethod
    async def open(cls, connection: Connection, workspace_id: int) -> _Bench:
        vocabulary = await definitions.vocabulary(connection, workspace_id)
        names = await definitions.names(connection, workspace_id)
        inner = {
            segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
            for segment in await segment_definitions.segments(connection, workspace_id)
        }
        by_name = {
            "groups": {name: id_ for id_, name in names.groups.items()},
            "segments": {name: id_ for id_, name in names.segments.items()},
        }
        bucket_ids = await buckets.bucket_ids(connection, workspace_id)
        return cls(connection, bucket_ids, vocabulary, inner, by_name)

    async def row(self, name: str, given: Json) -> str:
        condition = parse(with_ids(given, **self._names), vocabulary=self._vocabulary, ids=PLAIN_IDS)
        counting = compile_range(condition, inner=self._inner, vocabulary=self._vocabulary)
        combining = compile_combinations(condition, inner=self._inner, vocabulary=self._vocabulary)
        counts: list[float] = []
        funnels: list[float] = []
        matched = combinations = 0
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            matched = await self._count(counting)
            counts.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            found = await self._combine(combining)
            nodes = count_nodes(condition, found)
            funnels.append(time.perf_counter() - begun)
            combinations = len(found)
            assert nodes[0].matched == matched
        count, funnel = median(counts), median(funnels)
        leaves = len(distinct_leaves(condition))
        row = (
            f"| {name} | {leaves} | {matched:,} | {combinations:,} | {1000 * count:.0f} ms | {1000 * funnel:.0f} ms "
            f"| {funnel / count:.2f} |\n"
        )
        print(row, end="", flush=True)
        return row

    async def _count(self, statement: Statement) -> int:
        sql = f"SELECT count(*) FROM ({statement.sql}) p"
        values = statement.bind(self._now)
        return sum(
            [
                await self._connection.fetchval(sql, bucket_id, *_EVERYBODY, *values)
                for bucket_id in self._bucket_ids
            ]
        )

    async def _combine(self, statement: Statement) -> dict[int, int]:
        found: dict[int, int] = {}
        values = statement.bind(self._now)
        for bucket_id in self._bucket_ids:
            for *words, people in await self._connection.fetch(
                statement.sql, bucket_id, *_EVERYBODY, *values
            ):
                combination = sum(word << BITS * place for place, word in enumerate(words))
                found[combination] = found.get(combination, 0) + people
        return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_size_options(parser)
    parser.set_defaults(people=200_000, events=2_000_000)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
