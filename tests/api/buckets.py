"""Opens buckets in the workspace of a test, as a full bucket would."""

from __future__ import annotations

from audience_gql.storage import buckets, definitions
from tests.api.conftest import Api


async def another_bucket(api: Api) -> None:
    """Close the workspace's bucket and open another one, which gets the next people, and which `api` ticks and fills from now on."""
    ports, workspace = api.services.ports, api.access.workspace
    async with ports.database.transaction() as transaction:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        another = await ports.database.ids.one(connection)
        now = await ports.clock.now(connection)
        await buckets.add_bucket(connection, workspace.id, another, now)
        await buckets.close_bucket(connection, api.bucket_id, beside=another)
    api.bucket_id = another
