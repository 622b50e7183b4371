"""What one workspace writes and does not commit yet makes no other workspace wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from audience_gql.audience.definitions import groups, segments
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.database import Database, Transaction
from audience_gql.storage.reads import batches
from tests.audience.conftest import House
from tests.waiting import somebody_waits

LT, LV = {"country": {"is": "LT"}}, {"country": {"is": "LV"}}
ADA = SubscriberKey(kind="externalId", value="ada")
_numbers = count(1)


@dataclass
class Lingering:
    """A database whose transactions stay open, after all their work, until they may commit."""

    database: Database
    is_written: asyncio.Event = field(default_factory=asyncio.Event)
    may_commit: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:  # Any: whatever a database has
        return getattr(self.database, name)

    async def run(self, work: Callable[[Transaction], Awaitable[Any]]) -> Any:  # Any: what the work gives
        async def linger(transaction: Transaction) -> Any:  # Any: the same
            result = await work(transaction)
            self.is_written.set()
            while not self.may_commit.is_set():  # not idle, or Postgres would end the transaction
                await transaction.connection.execute("SELECT 1")
                await asyncio.wait([asyncio.create_task(self.may_commit.wait())], timeout=0.5)
            return result

        return await self.database.run(linger)


@pytest_asyncio.fixture(loop_scope="session")
async def neighbour(house: House) -> House:
    workspace = await create_workspace(ports=house.ports, name=f"neighbour {next(_numbers)}")
    async with house.ports.database.acquire() as connection:
        (bucket_id,) = await definitions.open_bucket_ids(connection, workspace.id)
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


@pytest.mark.one_server("a cluster locks whole tables of definitions: docs/howto/scale-out.md")
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
