"""What one workspace writes and does not commit yet makes no other workspace wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import pytest
import pytest_asyncio

from audience_gql.audience.definitions import groups, segments
from audience_gql.audience.definitions.deletions import delete_custom_field, delete_group
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads import batches
from tests.audience.conftest import House
from tests.lingering import Lingering
from tests.waiting import somebody_waits

LT, LV = {"country": {"is": "LT"}}, {"country": {"is": "LV"}}
ADA = SubscriberKey(kind="externalId", value="ada")
_numbers = count(1)


@pytest_asyncio.fixture(loop_scope="session")
async def neighbour(house: House) -> House:
    workspace = await create_workspace(ports=house.ports, name=f"neighbour {next(_numbers)}")
    async with house.ports.database.acquire() as connection:
        (bucket_id,) = await buckets.open_bucket_ids(connection, workspace.id)
    return replace(house, workspace=workspace, bucket_id=bucket_id)


async def definitions_and_people(house: House) -> None:
    """Everything that a workspace usually does."""
    number = next(_numbers)
    await house.upsert({"externalId": "ada", "country": "LT"}, {"externalId": f"new {number}"})
    await house.track("ada", f"event {number}")
    group = await house.group(f"G {number}")
    await groups.add_to_group(
        ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[ADA]
    )
    segment = await house.segment(f"S {number}", LT)
    await house.tick()
    assert await house.members(segment) == {"ada"}
    await house.edit(segment, LV)
    assert await house.members(segment) == set()
    figures = await batches.figures_by_segments(house.ports.database, house.workspace.id, [segment.id])
    assert figures[segment.id].members == 0
    await segments.delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


async def edits(house: House) -> None:
    segment_id = await house.ports.database.fetchval(
        "SELECT id FROM segments WHERE workspace_id = $1", house.workspace.id
    )
    await segments.update_segment(
        ports=house.ports,
        workspace=house.workspace,
        segment_id=segment_id,
        condition=LV,
        ids=PLAIN_IDS,
    )


async def defines(house: House) -> None:
    await house.group(f"G {next(_numbers)}")


async def creates_people(house: House) -> None:
    await house.upsert(
        {"externalId": "eve", "email": "eve@x.example"}, {"externalId": "ada", "country": "SE"}
    )


async def names_an_event(house: House) -> None:
    await house.track("ada", "never seen")


@pytest.mark.parametrize("writes", [edits, defines, creates_people, names_an_event])
async def test_an_open_transaction_delays_no_other_workspace(house, neighbour, writes):
    await house.upsert({"externalId": "ada"})
    await house.segment("S", LT)
    lingering = Lingering(house.ports.database)
    writing = asyncio.create_task(writes(replace(house, ports=replace(house.ports, database=lingering))))
    await lingering.is_written.wait()

    living = asyncio.create_task(definitions_and_people(neighbour))
    while not living.done():
        assert not await somebody_waits(house.ports.database)
        await asyncio.wait([living], timeout=0.05)
    await living

    assert not writing.done()
    lingering.may_commit.set()
    await writing


async def joins(house: House) -> None:
    await groups.add_to_group(
        ports=house.ports, workspace=house.workspace, group_id=await id_of(house, "groups"), subscribers=[ADA]
    )


async def deletes_the_group(house: House) -> None:
    await delete_group(ports=house.ports, workspace=house.workspace, group_id=await id_of(house, "groups"))


async def deletes_the_field(house: House) -> None:
    field_id = await id_of(house, "custom_fields")
    await delete_custom_field(ports=house.ports, workspace=house.workspace, field_id=field_id)


async def values(house: House) -> None:
    await house.upsert({"externalId": "ada", "fields": [{"key": "plan", "value": "a"}]})


async def id_of(house: House, table: str) -> int:
    return await house.ports.database.fetchval(
        f"SELECT id FROM {table} WHERE workspace_id = $1", house.workspace.id
    )


@pytest_asyncio.fixture(loop_scope="session", params=[False, True], ids=["rows", "coordinator"])
async def apart(house, database_url, request):
    """The same house, with other connections, and with the locks of one machine or those of a cluster."""
    if house.ports.database.is_cluster and not request.param:
        pytest.skip("a cluster has no locks of single rows of definitions")
    database = await Database.open(database_url, is_default=False)
    database.is_cluster = request.param
    yield replace(house, ports=replace(house.ports, database=database))
    await database.close()


@pytest.mark.parametrize(
    ("writes", "waits"),
    [
        (joins, deletes_the_group),
        (values, deletes_the_field),
        (names_an_event, names_an_event),
        (edits, edits),
    ],
)
async def test_transactions_of_a_workspace_wait_where_they_must(house, apart, writes, waits):
    await house.upsert({"externalId": "ada"})
    await house.group("G")
    await define_custom_field(
        ports=house.ports, workspace=house.workspace, key="plan", label="Plan", type="TEXT"
    )
    await house.segment("S", LT)
    lingering = Lingering(apart.ports.database)
    writing = asyncio.create_task(writes(replace(apart, ports=replace(apart.ports, database=lingering))))
    await lingering.is_written.wait()

    waiting = asyncio.create_task(waits(apart))
    try:
        while not await somebody_waits(house.ports.database):
            await asyncio.wait([waiting], timeout=0.02)
            assert not waiting.done()
    finally:
        lingering.may_commit.set()
        await asyncio.gather(writing, waiting)
