"""Everything that the tables say about the people of a bucket, read as plainly as can be: what the pure evaluation is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import ChannelState, Event, Facts
from audience_gql.storage import definitions
from tests.audience.conftest import House

_COLUMNS = {
    "email": "email",
    "firstName": "first_name",
    "timezone": "timezone",
    "country": "country",
    "city": "city",
}


async def facts_by_id(house: House) -> dict[int, Facts]:
    async def rows(table: str) -> list[Mapping[str, Any]]:  # Any: columns
        return list(
            await house.ports.database.fetch(f"SELECT * FROM {table} WHERE bucket_id = $1", house.bucket_id)
        )

    async with house.ports.database.acquire() as connection:
        names = {
            id_: name for name, id_ in (await definitions.event_names(connection, house.workspace.id)).items()
        }
    channels, groups, segments, events = [
        await rows(table) for table in ("channel_states", "group_members", "segment_members", "events")
    ]
    return {
        person["id"]: Facts(
            id=person["id"],
            created_at=person["created_at"],
            updated_at=person["updated_at"],
            profile={key: person[column] for key, column in _COLUMNS.items() if person[column] is not None},
            birthday=person["birthday"],
            fields={int(key): value for key, value in json.loads(person["fields"]).items()},
            channels={
                row["channel"]: ChannelState(status=row["status"], changed_at=row["changed_at"])
                for row in channels
                if row["subscriber_id"] == person["id"]
            },
            groups={
                row["group_id"]: row["added_at"] for row in groups if row["subscriber_id"] == person["id"]
            },
            segments={
                row["segment_id"]: row["entered_at"]
                for row in segments
                if row["subscriber_id"] == person["id"]
            },
            events=tuple(
                Event(
                    name=names[row["name_id"]],
                    occurred_at=row["occurred_at"],
                    value=row["value"],
                    properties=json.loads(row["properties"]),
                )
                for row in events
                if row["subscriber_id"] == person["id"]
            ),
        )
        for person in await rows("subscribers")
    }


async def matching(house, conditions, now, *, timezone: str) -> set[tuple[int, int]]:
    """(segment, person) of everybody whom the pure evaluation finds at this instant."""
    people = await facts_by_id(house)
    return {
        (segment_id, id_)
        for id_, facts in people.items()
        for segment_id, condition in conditions.items()
        if evaluate(condition, facts, now, conditions, timezone=timezone)
    }
