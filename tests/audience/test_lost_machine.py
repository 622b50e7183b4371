"""While a machine of a Citus cluster is lost, people whose buckets are on the others are written all the same."""

from __future__ import annotations

import pytest
import pytest_asyncio

from audience_gql.storage import buckets
from audience_gql.storage.cluster import citus
from audience_gql.storage.postgres.database import UNREACHABLE
from tests.audience.conftest import House

pytestmark = pytest.mark.on_cluster


async def machine_of(house: House, bucket_id: int) -> citus.Machine:
    async with house.ports.database.acquire() as connection:
        return (await citus.machines_of(connection, [bucket_id]))[bucket_id]


async def open_elsewhere(house: House) -> int:
    """Close the house's bucket, and open one on another machine."""
    here = await machine_of(house, house.bucket_id)
    database = house.ports.database
    async with database.acquire() as connection:
        another = await database.ids.one(connection)
        while (await citus.machines_of(connection, [another]))[another] == here:
            another = await database.ids.one(connection)
    async with database.transaction() as transaction:
        now = await house.ports.clock.now(transaction.connection)
        await buckets.add_bucket(transaction.connection, house.workspace.id, another, now)
    async with database.transaction() as transaction:
        await buckets.close_bucket(transaction.connection, house.bucket_id, beside=another)
    return another


@pytest_asyncio.fixture(loop_scope="session")
async def divided(lone_house):
    """Ada is in a bucket on one machine, Eve and everybody new on another one, which the coordinator cannot reach any more."""
    house = lone_house
    await house.upsert({"externalId": "ada", "country": "LT"})
    await house.track("ada", "seen")
    elsewhere = await open_elsewhere(house)
    created = await house.upsert({"externalId": "eve"})
    assert [ref.bucket_id for ref in created.subscribers] == [elsewhere]
    await house.track("eve", "seen")
    lost = await machine_of(house, elsewhere)
    database = house.ports.database
    await database.fetch(
        "UPDATE pg_dist_node SET nodeport = 1 WHERE nodename = $1 AND nodeport = $2", lost.host, lost.port
    )
    yield house
    await database.fetch("UPDATE pg_dist_node SET nodeport = $1 WHERE nodeport = 1", lost.port)


@pytest.mark.parametrize("kept_seconds", [10.0, 0.0], ids=["known", "stale"])
async def test_events_and_changes_of_people_on_other_machines_are_accepted(divided, kept_seconds):
    """Also when what the process knows about buckets is too old, and nobody can tell it more."""
    async with divided.ports.database.acquire() as connection:
        connection.known_buckets.kept_seconds = kept_seconds
        connection.known_buckets.keep(divided.workspace.id, kept_seconds)

    for _ in range(3):
        tracked = await divided.track("ada", "seen")
        assert tracked.accepted == 1
    changed = await divided.upsert({"externalId": "ada", "country": "LV"})
    assert changed.updated == 1

    for refused in (
        divided.track("eve", "seen"),
        divided.upsert({"externalId": "eve", "country": "SE"}),
        divided.upsert({"externalId": "new"}),
    ):
        with pytest.raises(UNREACHABLE):
            await refused
    assert (
        await divided.ports.database.fetchval(
            "SELECT country FROM subscribers WHERE bucket_id = $1", divided.bucket_id
        )
        == "LV"
    )
