"""Reads the facts about people that conditions need: the input of an explanation.

It must not evaluate anything. It reads in the caller's snapshot, so that all facts belong to one instant.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from audience_gql.conditions.base import Read
from audience_gql.conditions.facts import ChannelFact, Event, Facts
from audience_gql.conditions.locations import Location
from audience_gql.conditions.profile import COLUMNS, TEXT_OF_NAME, VECTOR_COLUMNS
from audience_gql.storage.people.facts import Owner
from audience_gql.storage.postgres.database import Connection

MOST_EVENTS: Final = 100_000
"""The limit for all people together. More events would take too long to evaluate, and an evaluation of only some would be wrong."""

_PROFILE: Final = ", ".join(f"s.{column}" for column in (*COLUMNS, *VECTOR_COLUMNS))


class TooManyEvents(Exception):  # named after what it says, like every expected failure
    """The people have more than MOST_EVENTS events with the names in question."""


async def facts_by_owners(
    connection: Connection,
    workspace_id: int,
    owners: Collection[Owner],
    *,
    reads: Collection[Read],
    event_ids: Mapping[str, int],
) -> dict[Owner, Facts]:
    """The facts about these people for conditions with these `reads`. People who do not exist are left out.

    Always five statements. The profile is complete. Of channels, groups, segments and events, the result has all that `reads`
    name and no others. Raises TooManyEvents for more than MOST_EVENTS.
    """
    people = _People(connection, workspace_id, owners)
    channels = await people.channels(_refs(reads, "channel"))
    groups = await people.groups(_refs(reads, "group"))
    segments = await people.segments(_refs(reads, "segment"))
    names = {event_ids[name]: name for name in _refs(reads, "event") if name in event_ids}
    events = await people.events(names)
    return {
        (row["bucket_id"], row["id"]): Facts(
            id=row["id"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            profile={name: row[column] for name, column in TEXT_OF_NAME.items() if row[column]},
            birthday=row["birthday"],
            location=_location(row),
            fields={int(field_id): value for field_id, value in json.loads(row["fields"]).items()},
            channels=channels[row["bucket_id"], row["id"]],
            groups=groups[row["bucket_id"], row["id"]],
            segments=segments[row["bucket_id"], row["id"]],
            events=tuple(events[row["bucket_id"], row["id"]]),
        )
        for row in await people.rows()
    }


@dataclass(frozen=True, slots=True)
class _People:
    """The people whose facts are read. People of other workspaces are not found."""

    connection: Connection
    workspace_id: int
    owners: Collection[Owner]

    async def rows(self) -> list[asyncpg.Record]:
        return await self._fetch(
            f"SELECT s.bucket_id, s.id, {_PROFILE}, s.fields, s.created_at, s.updated_at "
            "FROM unnest($2::bigint[], $3::bigint[]) AS k (bucket_id, id) "
            "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
            "JOIN subscribers s ON s.bucket_id = b.id AND s.id = k.id"
        )

    async def channels(self, names: Collection[Any]) -> dict[Owner, dict[str, ChannelFact]]:
        rows = await self._fetch(
            "SELECT c.bucket_id, c.subscriber_id, c.channel, c.status, c.changed_at "
            "FROM unnest($2::bigint[], $3::bigint[]) AS k (bucket_id, id) "
            "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
            "JOIN channel_states c ON c.bucket_id = b.id AND c.subscriber_id = k.id AND c.channel = ANY($4::text[])",
            list(names),
        )
        found: dict[Owner, dict[str, ChannelFact]] = defaultdict(dict)
        for row in rows:
            state = ChannelFact(status=row["status"], changed_at=row["changed_at"])
            found[_owner(row)][row["channel"]] = state
        return found

    async def groups(self, ids: Collection[Any]) -> dict[Owner, dict[int, datetime]]:
        rows = await self._fetch(
            "SELECT m.bucket_id, m.subscriber_id, m.group_id AS list_id, m.added_at AS at "
            "FROM unnest($2::bigint[], $3::bigint[]) AS k (bucket_id, id) "
            "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
            "JOIN group_members m ON m.bucket_id = b.id AND m.subscriber_id = k.id AND m.group_id = ANY($4::bigint[])",
            list(ids),
        )
        return _times_by_lists(rows)

    async def segments(self, ids: Collection[Any]) -> dict[Owner, dict[int, datetime]]:
        rows = await self._fetch(
            "SELECT m.bucket_id, m.subscriber_id, m.segment_id AS list_id, m.entered_at AS at "
            "FROM unnest($2::bigint[], $3::bigint[]) AS k (bucket_id, id) "
            "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
            "JOIN segment_members m ON m.bucket_id = b.id AND m.subscriber_id = k.id AND m.segment_id = ANY($4::bigint[])",
            list(ids),
        )
        return _times_by_lists(rows)

    async def events(self, names: Mapping[int, str]) -> dict[Owner, list[Event]]:
        rows = await self._fetch(
            "SELECT e.bucket_id, e.subscriber_id, e.name_id, e.occurred_at, e.value, e.properties "
            "FROM unnest($2::bigint[], $3::bigint[]) AS k (bucket_id, id) "
            "JOIN buckets b ON b.id = k.bucket_id AND b.workspace_id = $1 "
            "JOIN events e ON e.bucket_id = b.id AND e.subscriber_id = k.id AND e.name_id = ANY($4::bigint[]) "
            f"LIMIT {MOST_EVENTS + 1}",
            list(names),
        )
        if len(rows) > MOST_EVENTS:
            raise TooManyEvents(f"there are more than {MOST_EVENTS:,} events to explain it from")
        # In a thread, because very many events would block the event loop.
        return await asyncio.to_thread(_events_by_owners, rows, names)

    async def _fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        bucket_ids = [bucket_id for bucket_id, _ in self.owners]
        ids = [id_ for _, id_ in self.owners]
        return await self.connection.fetch(sql, self.workspace_id, bucket_ids, ids, *values)


def _refs(reads: Iterable[Read], source: str) -> set[Any]:  # Any: the source's own kind of reference
    return {read.ref for read in reads if read.source == source}


def _owner(row: asyncpg.Record) -> Owner:
    return row["bucket_id"], row["subscriber_id"]


def _location(row: asyncpg.Record) -> Location | None:
    if row["latitude"] is None:
        return None
    return Location(
        latitude=row["latitude"],
        longitude=row["longitude"],
        x=row["location_x"],
        y=row["location_y"],
        z=row["location_z"],
    )


def _events_by_owners(rows: Iterable[asyncpg.Record], names: Mapping[int, str]) -> dict[Owner, list[Event]]:
    found: dict[Owner, list[Event]] = defaultdict(list)
    for row in rows:
        found[_owner(row)].append(
            Event(
                name=names[row["name_id"]],
                occurred_at=row["occurred_at"],
                value=row["value"],
                properties=json.loads(row["properties"]),
            )
        )
    return found


def _times_by_lists(rows: Iterable[asyncpg.Record]) -> dict[Owner, dict[int, datetime]]:
    found: dict[Owner, dict[int, datetime]] = defaultdict(dict)
    for row in rows:
        found[_owner(row)][row["list_id"]] = row["at"]
    return found
