"""Deleting a workspace removes every row of it and no row of another, in slices that may be interrupted."""

from __future__ import annotations

import pytest
import pytest_asyncio

from audience_gql.audience.access import Doorkeeper, Unauthenticated, create_token
from audience_gql.audience.definitions.trusted_documents import CheckedDocument, publish_documents
from audience_gql.audience.failures import InvalidInput, NotFound
from audience_gql.audience.imports.lifecycle import start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.audience.workspace_removal import BeingWritten, begin_removal, remove_workspace
from audience_gql.audience.workspaces import rename_workspace
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.tables import BUCKETED
from tests.audience.conftest import House, _house


@pytest_asyncio.fixture(loop_scope="session")
async def other_house(database, tick_pool, clock) -> House:
    return await _house(database, tick_pool, clock)


async def rows(house) -> dict[str, int]:
    """How many rows each table has that knows workspaces or buckets, with those of no other test."""
    database = house.ports.database
    names = await database.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) "
        "WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.column_name IN ('bucket_id', 'workspace_id')"
    )
    owners = {"bucket_id": [house.bucket_id], "workspace_id": [house.workspace.id]}
    found = {}
    for table, column in names:
        found[f"{table}.{column}"] = await database.fetchval(
            f"SELECT count(*) FROM {table} x WHERE x.{column} = ANY($1::bigint[])", owners[column]
        )
    return found


async def live(house) -> str:
    """Fill the workspace. Returns the text of a token of it."""
    _, secret = await create_token(ports=house.ports, workspace=house.workspace, name="t", scopes=["ADMIN"])
    group = await house.group("Team")
    people = [
        {"externalId": str(number), "email": f"p{number}@example.com", "addToGroupIds": [group.id],
         "birthday": "1990-01-01", "channels": [{"channel": "EMAIL", "status": "ACTIVE"}]}
        for number in range(25)
    ]  # fmt: skip
    await house.upsert(*people)
    first = await house.segment("All", {"all": []})
    await house.segment("Inner", {"segment": {"anyOf": [str(first.id)]}})
    await house.track("1", "bought", key="order 1")
    await house.tick()
    await house.track("2", "bought")  # marks that wait
    plan = ImportPlan(columns=(ColumnPlan(header="id", kind="profile", target="externalId"),))
    await start_import(ports=house.ports, workspace=house.workspace, plan=plan, dry_run=False)
    document = CheckedDocument(text="{ __typename }", operations=("",))
    await publish_documents(ports=house.ports, workspace=house.workspace, documents=[document])
    return secret


async def delete(house, **options) -> list[int]:
    await begin_removal(ports=house.ports, workspace=house.workspace, confirmed_name=house.workspace.name)
    return [done async for done in remove_workspace(ports=house.ports, workspace=house.workspace, **options)]


async def test_nothing_of_it_is_left_and_everything_of_another(house, other_house):
    secret, others = await live(house), await live(other_house)
    before, kept = await rows(house), await rows(other_house)

    done = await delete(house, rows=10)

    assert {name for name, count in before.items() if count} >= {
        "subscribers.bucket_id", "events.bucket_id", "event_keys.bucket_id", "segment_members.bucket_id", "group_members.bucket_id",
        "channel_states.bucket_id", "subscriber_dates.bucket_id", "membership_changes.bucket_id", "dirty.bucket_id", "identities.workspace_id",
        "segments.workspace_id", "groups.workspace_id", "imports.workspace_id", "api_tokens.workspace_id", "trail_entries.workspace_id", "trusted_documents.workspace_id",
    }  # fmt: skip
    assert {name: count for name, count in (await rows(house)).items() if count} == {}
    assert await rows(other_house) == kept
    assert await Workspace.get_or_none(id=house.workspace.id) is None
    assert done == sorted(set(done))
    assert len(done) > 20
    with pytest.raises(Unauthenticated):
        await Doorkeeper(house.ports).authenticate(secret)
    assert await Doorkeeper(house.ports).authenticate(others)


@pytest.mark.one_server("a cluster has its shards in the catalogue, too")
async def test_every_table_with_a_bucket_is_emptied(house):
    found = await house.ports.database.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'bucket_id'"
    )

    assert {row["table_name"] for row in found} - {"identities"} == set(BUCKETED)


async def test_an_interrupted_removal_goes_on_and_nothing_opens_the_workspace_meanwhile(house):
    secret = await live(house)
    await begin_removal(ports=house.ports, workspace=house.workspace, confirmed_name=house.workspace.name)
    async for _ in remove_workspace(ports=house.ports, workspace=house.workspace, rows=3):
        break
    await house.tick()  # workers go on meanwhile
    await house.fill()

    with pytest.raises(Unauthenticated):
        await Doorkeeper(house.ports).authenticate(secret)
    assert (await Workspace.get(id=house.workspace.id)).deleted_at == house.clock.instant
    await delete(house)

    assert {name: count for name, count in (await rows(house)).items() if count} == {}
    with pytest.raises(NotFound):
        await begin_removal(ports=house.ports, workspace=house.workspace, confirmed_name=house.workspace.name)


async def test_a_wrong_name_and_an_import_that_is_written_refuse_it(house):
    await live(house)
    before = await rows(house)

    with pytest.raises(InvalidInput):
        await begin_removal(
            ports=house.ports, workspace=house.workspace, confirmed_name=house.workspace.name.upper()
        )
    await house.ports.database.fetch(
        "UPDATE imports SET state = 'RUNNING' WHERE workspace_id = $1", house.workspace.id
    )
    with pytest.raises(BeingWritten):
        await begin_removal(ports=house.ports, workspace=house.workspace, confirmed_name=house.workspace.name)

    assert await rows(house) == before


async def test_a_workspace_gets_another_name(house, other_house):
    await rename_workspace(ports=house.ports, workspace=house.workspace, name=" A new name ")

    assert (await Workspace.get(id=house.workspace.id)).name == "A new name"
    with pytest.raises(Exception, match="there is a workspace called"):
        await rename_workspace(ports=house.ports, workspace=house.workspace, name=other_house.workspace.name)
