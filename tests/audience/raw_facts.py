"""Reads all facts about the people of a bucket as simply as possible. They are the input of the pure evaluation."""

from __future__ import annotations

import json
from collections import defaultdict

from asyncpg import Record

from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import ChannelFact, Event, Facts
from audience_gql.conditions.locations import Location
from audience_gql.conditions.profile import DEGREE_COLUMNS, VECTOR_COLUMNS
from audience_gql.storage import definitions
from audience_gql.storage.postgres.database import Connection
from tests.audience.conftest import House

_COLUMNS = {
    "email": "email",
    "firstName": "first_name",
    "timezone": "timezone",
    "country": "country",
    "city": "city",
}


async def facts_by_id(house: House) -> dict[int, Facts]:
    async with house.ports.database.snapshot() as connection:
        return await facts_in(connection, house.workspace.id, house.bucket_id)


async def facts_in(connection: Connection, workspace_id: int, bucket_id: int) -> dict[int, Facts]:
    """The facts of everybody in the bucket, as this connection sees them."""

    async def rows(table: str) -> list[Record]:
        return await connection.fetch(f"SELECT * FROM {table} WHERE bucket_id = $1", bucket_id)

    names = {id_: name for name, id_ in (await definitions.event_names(connection, workspace_id)).items()}
    of_person: dict[str, dict[int, list[Record]]] = {}
    for table in ("channel_states", "group_members", "segment_members", "events"):
        of_person[table] = defaultdict(list)
        for row in await rows(table):
            of_person[table][row["subscriber_id"]].append(row)
    return {
        person["id"]: Facts(
            id=person["id"],
            created_at=person["created_at"],
            updated_at=person["updated_at"],
            profile={key: person[column] for key, column in _COLUMNS.items() if person[column] is not None},
            birthday=person["birthday"],
            location=None
            if person["latitude"] is None
            else Location(
                **{
                    name.removeprefix("location_"): person[name]
                    for name in (*DEGREE_COLUMNS, *VECTOR_COLUMNS)
                }
            ),
            fields={int(key): value for key, value in json.loads(person["fields"]).items()},
            channels={
                row["channel"]: ChannelFact(status=row["status"], changed_at=row["changed_at"])
                for row in of_person["channel_states"][person["id"]]
            },
            groups={row["group_id"]: row["added_at"] for row in of_person["group_members"][person["id"]]},
            segments={
                row["segment_id"]: row["entered_at"] for row in of_person["segment_members"][person["id"]]
            },
            events=tuple(
                Event(
                    name=names[row["name_id"]],
                    occurred_at=row["occurred_at"],
                    value=row["value"],
                    properties=json.loads(row["properties"]),
                )
                for row in of_person["events"][person["id"]]
            ),
        )
        for person in await rows("subscribers")
    }


async def matching(house, conditions, now, *, timezone: str) -> set[tuple[int, int]]:
    """(segment, person) for every membership that the pure evaluation finds at this instant."""
    people = await facts_by_id(house)
    return {
        (segment_id, id_)
        for id_, facts in people.items()
        for segment_id, condition in conditions.items()
        if evaluate(
            condition, facts, now, conditions, timezone=timezone, week_start=house.workspace.week_start
        )
    }
