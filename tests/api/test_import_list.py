"""The list of the workspace's imports: what recognises one, in which order they come, and who sees them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.audience.imports.runner import ImportRunner
from tests.api.test_imports import CANCEL, COLUMNS, START, put

LIST = """
query ($first: Int, $after: String) {
  imports(first: $first, after: $after) {
    edges { node { id state fileName startedBy createdAt endedAt rowsRead created updated rejected groups { name } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


async def started(client, **more):
    return (await client.data(START, input={"columns": COLUMNS, **more}))["startImport"]


async def listed(client, **variables):
    return (await client.data(LIST, **variables))["imports"]


async def test_an_import_is_recognised_in_the_list(served, server):
    group = await served.group("Guests")
    made = await started(served, addToGroupIds=[group], fileName=" people.csv ")
    await put(server, made["uploadUrl"], b"id,mail\n1,a@x.org\n2,b\n")
    async with served.services.ports.database.acquire() as connection:
        number = await connection.fetchval("SELECT max(id) FROM imports")
    await ImportRunner(served.services.ports).work_off(number)
    token = (await served.data("{ viewer { token { name } } }"))["viewer"]["token"]["name"]

    ((node,),) = ([edge["node"] for edge in (await listed(served))["edges"]],)

    times = [node.pop("createdAt"), node.pop("endedAt")]
    assert None not in times
    assert node == {
        "id": made["import"]["id"], "state": "DONE", "fileName": "people.csv", "startedBy": token,
        "rowsRead": 2, "created": 1, "updated": 0, "rejected": 1, "groups": [{"name": "Guests"}],
    }  # fmt: skip


async def test_the_latest_comes_first_page_by_page_and_nobody_else_sees_them(api, stranger):
    ids = []
    for number in range(5):
        ids.append((await started(api, fileName=f"{number}.csv"))["import"]["id"])
        if number != 3:  # the last two have the same instant
            api.clock.advance(timedelta(seconds=1))
    found, after = [], None
    while True:
        page = await listed(api, first=2, after=after)
        found += [edge["node"]["fileName"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert found == ["4.csv", "3.csv", "2.csv", "1.csv", "0.csv"]
    assert (await listed(stranger))["edges"] == []


async def test_a_cancelled_import_says_when_it_ended(api):
    made = await started(api)
    await api.data(CANCEL, id=made["import"]["id"])

    ((node,),) = ([edge["node"] for edge in (await listed(api))["edges"]],)

    assert (node["state"], node["endedAt"] is None, node["fileName"]) == ("CANCELLED", False, None)


@pytest.mark.parametrize(("name", "code"), [("a\nb", "MALFORMED"), ("x" * 256, "OUT_OF_RANGE")])
async def test_what_is_no_file_name_is_told_by_path(api, name, code):
    refused = await started(api, fileName=name)

    assert refused["issues"] == [{"code": code, "path": ["input", "fileName"]}]
