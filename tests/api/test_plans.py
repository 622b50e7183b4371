"""Statements with a condition are planned for its values each time, so that the tenth is as fast as the first."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio

from audience_gql.storage.database import Database

CONDITION = {"all": [{"country": {"is": "LT"}}, {"event": {"name": "bought", "times": {"atLeast": 2}}}]}
PREVIEW = "query ($condition: ConditionInput!) { previewSegment(condition: $condition) { ... on SegmentPreview { memberCount } } }"
LIST = "query ($condition: ConditionInput!) { subscribers(where: $condition) { edges { node { id } } } }"


@pytest_asyncio.fixture(loop_scope="session")
async def lone_connection(api, database_url):
    """The only connection of the API's processes, whose prepared statements a test can look at."""
    database = await Database.open(database_url, pool_size=1, is_default=False)
    ports = replace(api.services.ports, database=database)
    api.services = replace(api.services, ports=ports, heavy_ports=ports)
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("document", "part"),
    [(PREVIEW, "WITH matched AS"), (LIST, "SELECT p.* FROM buckets")],
    ids=["preview", "list"],
)
async def test_ten_executions_have_ten_plans(api, lone_connection, document, part):
    await api.upsert({"externalId": "ada", "country": "LT"})

    for _ in range(10):
        await api.data(document, condition=CONDITION)

    plans = await lone_connection.fetch(
        "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE strpos(statement, $1) > 0", part
    )
    assert [tuple(row) for row in plans] == [(10, 0)]
