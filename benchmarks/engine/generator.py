"""Writes a workspace of any size straight into the tables: people, groups and events as the application writes them, and unfilled segments.

    DATABASE_URL=postgres://… python3 dev run benchmarks/engine/generator.py --people 100000 --events 2000000

The same options give the same people and the same behaviour, only the ids differ. The application's own functions derive
identities, dates and folded columns from people; a test compares the result with what the application writes. There are no
marks and no log, as in an audience without pending work.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.people.bucket_writer import _dates
from audience_gql.audience.people.profiles import apply_columns, identity
from audience_gql.audience.people.working_copy import _blank_row
from audience_gql.audience.ports import Ports
from audience_gql.audience.testing import MemorySignals, NotedJobs
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.profile import DEGREE_COLUMNS, TEXT_COLUMNS, VECTOR_COLUMNS
from audience_gql.conditions.vocabulary import PLAIN_IDS, FieldRef
from audience_gql.storage import buckets, definitions
from audience_gql.storage.clock import DatabaseClock
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people.facts import json_text
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.schema import migrate
from benchmarks.engine.behaviour import NAMES, Behaviour, draw_amounts
from benchmarks.engine.people import FIELDS, draw_channels, draw_person
from benchmarks.engine.segments import chosen, group_name, with_ids

PEOPLE_A_BUCKET: Final = 100_000
WORKSPACE: Final = "Benchmark"
TIMEZONE: Final = "Europe/Berlin"
_PEOPLE_AT_ONCE: Final = 10_000
_BUCKETS_AT_ONCE: Final = 2
"""While Postgres writes the rows of one bucket, those of the other are drawn."""
_SMALLEST_GROUP: Final = 0.00001
_LARGEST_GROUP: Final = 0.3

_KEYS: Final = {"email": "email", "phone": "phone", "externalId": "external_id"}
_PERSON_COLUMNS: Final = (
    "id",
    *(name for column in TEXT_COLUMNS for name in (column, f"{column}_folded")),
    "birthday",
    *DEGREE_COLUMNS,
    *VECTOR_COLUMNS,
    "fields",
    "fields_folded",
    "created_at",
    "updated_at",
)

Row = tuple[Any, ...]  # Any: the columns' own types


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of the data. `now` is the instant at which they end."""

    people: int
    events: int
    days: int = 180
    groups: int = 100
    segments: int = 100
    seed: int = 1
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def people_by_bucket(self) -> list[int]:
        return [
            min(PEOPLE_A_BUCKET, self.people - start)
            for start in range(0, max(self.people, 1), PEOPLE_A_BUCKET)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definitions:
    """The definitions that the rows refer to."""

    workspace: Workspace
    fields: Mapping[str, FieldRef]
    name_ids: Sequence[int]
    groups: Mapping[str, int]


async def load(database: Database, size: Size) -> Workspace:
    """Write everything, run VACUUM and ANALYZE, and return the workspace. Its segments have no members yet."""
    ports = Ports(database=database, clock=DatabaseClock(), signals=MemorySignals(), jobs=NotedJobs())
    defined = await _define(ports, size)
    buckets = await _open_buckets(ports, defined.workspace, len(size.people_by_bucket()))
    slots = asyncio.Semaphore(_BUCKETS_AT_ONCE)

    async def load_one(position: int, bucket_id: int, people: int) -> None:
        async with slots:
            start = time.perf_counter()
            chance = Random(f"{size.seed} {position}")
            await _load_bucket(ports, defined, size, bucket_id, people, position * PEOPLE_A_BUCKET, chance)
            took = time.perf_counter() - start
            print(f"bucket {position + 1} of {len(buckets)}: {people} people in {took:.0f} s", flush=True)

    async with asyncio.TaskGroup() as tasks:
        for position, (bucket_id, people) in enumerate(zip(buckets, size.people_by_bucket(), strict=True)):
            tasks.create_task(load_one(position, bucket_id, people))
    await _create_segments(ports, defined, size.segments)
    async with database.acquire() as connection:
        await connection.execute("VACUUM (ANALYZE)")
    return defined.workspace


async def _define(ports: Ports, size: Size) -> _Definitions:
    workspace = await create_workspace(ports=ports, name=WORKSPACE, timezone=TIMEZONE)
    for key, type_ in FIELDS.items():
        await define_custom_field(ports=ports, workspace=workspace, key=key, label=key, type=type_)
    groups = {}
    for number in range(size.groups):
        name = group_name(number)
        groups[name] = (await create_group(ports=ports, workspace=workspace, name=name)).id
    async with ports.database.acquire() as connection:
        names = await definitions.intern_event_names(
            connection, workspace.id, NAMES.keys(), ports.database.ids
        )
        fields = await definitions.fields_by_key(connection, workspace.id)
    return _Definitions(
        workspace=workspace, fields=fields, name_ids=[names[name] for name in NAMES], groups=groups
    )


async def _open_buckets(ports: Ports, workspace: Workspace, count: int) -> list[int]:
    """The ids of the workspace's first bucket and of further ones. Only the last is open for new people."""
    async with ports.database.transaction() as transaction:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        now = await ports.clock.now(connection)
        for _ in range(count - 1):
            bucket_id = await ports.database.ids.one(connection)
            await buckets.add_bucket(connection, workspace.id, bucket_id, now)
        bucket_ids = await buckets.bucket_ids(connection, workspace.id)
        await connection.execute(
            "UPDATE buckets SET is_open = (id = $2) WHERE workspace_id = $1", workspace.id, max(bucket_ids)
        )
    return bucket_ids


async def _load_bucket(
    ports: Ports,
    defined: _Definitions,
    size: Size,
    bucket_id: int,
    people: int,
    first_number: int,
    chance: Random,
) -> None:
    ids = sorted(chance.getrandbits(62) for _ in range(people))
    amounts = draw_amounts(chance, people, size.events * people // max(size.people, 1))
    behaviour = Behaviour(chance, size.now, size.days)
    for start in range(0, people, _PEOPLE_AT_ONCE):
        some = _Slice(
            bucket_id=bucket_id,
            ids=ids[start : start + _PEOPLE_AT_ONCE],
            first_number=first_number + start,
            chance=chance,
            now=size.now,
        )
        some.draw(defined)
        some_amounts = amounts[start : start + _PEOPLE_AT_ONCE]
        async with ports.database.transaction() as transaction:
            connection = transaction.connection
            await some.write(connection, defined.groups)
            event_ids = iter(await ports.database.ids.take(sum(some_amounts), connection))
            events = some.events(behaviour, some_amounts, defined.name_ids, event_ids)
            await _copy(connection, "events", _EVENT_COLUMNS, events)


_EVENT_COLUMNS: Final = (
    *("bucket_id", "subscriber_id", "name_id", "occurred_at", "id"),
    *("value", "properties", "properties_folded", "properties_times"),
)


class _Slice:
    """A range of one bucket's people, with their rows in all tables."""

    def __init__(
        self, *, bucket_id: int, ids: Sequence[int], first_number: int, chance: Random, now: datetime
    ) -> None:
        self._bucket_id = bucket_id
        self._ids = ids
        self._first_number = first_number
        self._chance = chance
        self._now = now
        self._people: list[Row] = []
        self._identities: list[Row] = []
        self._dates: list[Row] = []
        self._channels: list[Row] = []

    def draw(self, defined: _Definitions) -> None:
        bucket_id = self._bucket_id
        for number, person_id in enumerate(self._ids, self._first_number):
            patch, created_at, updated_at = draw_person(self._chance, number, defined.fields, self._now)
            row = _blank_row(person_id, created_at)
            apply_columns(row, patch)
            row["updated_at"] = updated_at
            for kind, column in _KEYS.items():
                if row[column] is not None:
                    self._identities.append(
                        (defined.workspace.id, *identity(kind, row[column]), bucket_id, person_id)
                    )
            for _, field_id, at in _dates(None, row, defined.fields):
                if at is not None:
                    self._dates.append((bucket_id, person_id, field_id, at))
            for channel, state in draw_channels(self._chance, self._now).items():
                self._channels.append(
                    (bucket_id, person_id, channel, state.status, state.changed_at, state.reason)
                )
            row["fields"], row["fields_folded"] = json_text(row["fields"]), json_text(row["fields_folded"])
            self._people.append((bucket_id, *(row[name] for name in _PERSON_COLUMNS)))

    async def write(self, connection: Connection, groups: Mapping[str, int]) -> None:
        await _copy(connection, "subscribers", ("bucket_id", *_PERSON_COLUMNS), self._people)
        identities = ("workspace_id", "kind", "value", "bucket_id", "subscriber_id")
        await _copy(connection, "identities", identities, sorted(self._identities))
        await _copy(
            connection, "subscriber_dates", ("bucket_id", "subscriber_id", "field_id", "at"), self._dates
        )
        channels = ("bucket_id", "subscriber_id", "channel", "status", "changed_at", "reason")
        await _copy(connection, "channel_states", channels, self._channels)
        for group_id, share in zip(groups.values(), _shares(len(groups)), strict=True):
            await self._write_group(connection, group_id, share)

    async def _write_group(self, connection: Connection, group_id: int, share: float) -> None:
        count = int(len(self._ids) * share + self._chance.random())
        members = sorted(self._chance.sample(self._ids, count))
        rows = [(self._bucket_id, group_id, person_id, self._joined_at()) for person_id in members]
        await _copy(connection, "group_members", ("bucket_id", "group_id", "subscriber_id", "added_at"), rows)
        await connection.execute(
            "INSERT INTO group_states AS g (bucket_id, group_id, members) VALUES ($1, $2, $3) "
            "ON CONFLICT (bucket_id, group_id) DO UPDATE SET members = g.members + excluded.members",
            self._bucket_id,
            group_id,
            count,
        )

    def _joined_at(self) -> datetime:
        return self._now - timedelta(seconds=int(700 * 86_400 * self._chance.random() ** 2))

    def events(
        self,
        behaviour: Behaviour,
        amounts: Sequence[int],
        name_ids: Sequence[int],
        event_ids: Iterator[int],
    ) -> Iterator[Row]:
        """The rows in the order of the primary key, so that each is written next to the previous one."""
        bucket_id = self._bucket_id
        for person_id, amount in zip(self._ids, amounts, strict=True):
            for name, occurred_at, said in behaviour.events_of_one(amount):
                yield (
                    bucket_id,
                    person_id,
                    name_ids[name],
                    occurred_at,
                    next(event_ids),
                    said.value,
                    said.properties,
                    said.properties_folded,
                    None,
                )


def _shares(count: int) -> Iterator[float]:
    """Each group's share of the people, from very few to three in ten, evenly on a logarithmic scale."""
    for number in range(count):
        yield _SMALLEST_GROUP * (_LARGEST_GROUP / _SMALLEST_GROUP) ** ((number + 1) / count)


async def _create_segments(ports: Ports, defined: _Definitions, count: int) -> None:
    made: dict[str, int] = {}
    for name, condition in chosen(count):
        segment = await create_segment(
            ports=ports,
            workspace=defined.workspace,
            name=name,
            description=None,
            condition=with_ids(condition, groups=defined.groups, segments=made),
            ids=PLAIN_IDS,
        )
        made[name] = segment.id


async def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Any) -> None:
    await connection.copy_records_to_table(table, columns=list(columns), records=rows)


def add_size_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--days", type=int, default=180, help="how far back the events go")
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--segments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--now", type=datetime.fromisoformat, help="the instant at which the data end; default: now"
    )


def size_of(options: argparse.Namespace) -> Size:
    given = {
        name: getattr(options, name) for name in ("people", "events", "days", "groups", "segments", "seed")
    }
    return Size(**given, **({"now": options.now} if options.now else {}))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_size_options(parser)
    options = parser.parse_args()
    url = os.environ["DATABASE_URL"]
    await migrate(url)
    database = await Database.open(url, statement_timeout_seconds=0, lock_timeout_seconds=0)
    try:
        await load(database, size_of(options))
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
