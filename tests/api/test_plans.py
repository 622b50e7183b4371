"""Statements with a condition are planned for its values each time, so that the tenth is as fast as the first. Pages of lists are planned once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import pytest_asyncio

from audience_gql.storage.postgres.database import Database
from tests.api.buckets import another_bucket
from tests.storage.test_past_plans import nodes, plans, sent

CONDITION = {"all": [{"country": {"is": "LT"}}, {"event": {"name": "bought", "times": {"atLeast": 2}}}]}
PREVIEW = "query ($condition: ConditionInput!) { previewSegment(condition: $condition) { ... on SegmentPreview { memberCount } } }"
PAGE = '{ segment(by: {name: "All"}) { members(first: 50) { edges { node { email } } } } }'
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

    assert await plans_of(lone_connection, part) == [(10, 0)]


@pytest.mark.one_server("looks at the plans of a composed statement, which a cluster does not get")
async def test_a_page_of_one_list_is_not_planned_again(api, lone_connection):
    await api.upsert(*({"externalId": f"p{number}"} for number in range(200)))
    await api.segment("All", {"all": []})
    await api.tick()
    await lone_connection.fetch("ANALYZE")

    for _ in range(10):
        await api.data(PAGE)

    assert await plans_of(lone_connection, "string_agg(") == [(5, 5)]


BY_STATEMENT = """{ segment(by: {name: "All"}) { members(first: 10) { edges { node { email } } pageInfo { hasNextPage } } } }"""
BY_LEVELS = """{ segment(by: {name: "All"}) { summary dependsOn { id } members(first: 10) { edges { node { email } } pageInfo { hasNextPage } } } }"""
"""No statement writes `dependsOn`."""


@pytest.mark.one_server("on a cluster, each machine reads the people of its own buckets")
@pytest.mark.usefixtures("lone_connection")
async def test_a_page_of_many_buckets_reads_only_its_own_people(api):
    await api.segment("All", {"all": []})
    for number in range(4):
        await another_bucket(api)
        await api.upsert(*({"externalId": f"{number} {person}"} for person in range(30)))
        await api.tick()
    await api.services.ports.database.fetch("ANALYZE")

    for document in (BY_STATEMENT, BY_LEVELS):
        with sent() as queries:
            page = (await api.data(document))["segment"]["members"]
        (plan,) = await plans(api.services.ports.database, queries, "segment_members")
        assert (len(page["edges"]), page["pageInfo"]["hasNextPage"]) == (10, True)
        assert sum(people_read(plan)) == 11


def people_read(plan) -> Iterator[float]:
    """How many people each scan of their table returns, however it finds them: the table is small here."""
    for node in nodes(plan):
        if node.get("Relation Name") == "subscribers":
            yield node["Actual Rows"] * node["Actual Loops"]


async def plans_of(database: Database, part: str) -> list[tuple[int, int]]:
    """How many custom and generic plans each prepared statement with this part got."""
    rows = await database.fetch(
        "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE strpos(statement, $1) > 0", part
    )
    return [tuple(row) for row in rows]
