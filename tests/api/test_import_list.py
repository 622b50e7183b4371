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


UNDO = """
mutation ($id: ID!) {
  undoImport(input: {id: $id}) {
    __typename
    ... on Import { id undo { state fraction startedBy startedAt endedAt } }
    ... on ImportNotUndoable { message path reason }
    ... on NotFound { path }
  }
}
"""
UNDONE = """
query ($id: ID!) {
  node(id: $id) {
    ... on Import {
      undoRefusal
      undo {
        state fraction peopleErased peopleKept membershipsUndone membershipsKept valuesRestored valuesKept refusalsKept keysKept
      }
    }
  }
}
"""


async def test_an_import_is_undone_and_says_what_it_kept(served, server):
    await served.data(
        'mutation { upsertSubscribers(input: {subscribers: [{externalId: "1"}]}) { __typename } }'
    )
    group = await served.group("Guests")
    made = await started(served, addToGroupIds=[group])
    await put(server, made["uploadUrl"], b"id,mail\n1,a@x.org\n2,b@x.org\n3,c@x.org\n")
    runner, id_ = ImportRunner(served.services.ports), made["import"]["id"]
    async with served.services.ports.database.acquire() as connection:
        number = await connection.fetchval("SELECT max(id) FROM imports")
    await runner.work_off(number)
    served.clock.advance(timedelta(seconds=1))
    await served.data(
        'mutation { upsertSubscribers(input: {subscribers: [{externalId: "3", city: "Oslo"}]}) { __typename } }'
    )

    begun = (await served.data(UNDO, id=id_))["undoImport"]
    await runner.work_off(number)
    done = (await served.data(UNDONE, id=id_))["node"]

    assert (begun["__typename"], begun["undo"]["state"], begun["undo"]["fraction"]) == (
        "Import",
        "RUNNING",
        0,
    )
    assert begun["undo"]["startedAt"] is not None
    assert done == {
        "undoRefusal": None,
        "undo": {
            "state": "DONE", "fraction": 1.0, "peopleErased": 1, "peopleKept": 1, "membershipsUndone": 2, "membershipsKept": 0,
            "valuesRestored": 1, "valuesKept": 0, "refusalsKept": 0, "keysKept": 0,
        },
    }  # fmt: skip


async def test_why_an_import_cannot_be_undone(api, stranger):
    waiting = (await started(api))["import"]["id"]
    checked = (await started(api, dryRun=True))["import"]["id"]
    refused = (await api.data(UNDO, id=waiting))["undoImport"]

    assert refused == {
        "__typename": "ImportNotUndoable", "path": ["input", "id"], "reason": "STILL_RUNNING",
        "message": "this import is still running; cancel it first",
    }  # fmt: skip
    assert (await api.data(UNDO, id=checked))["undoImport"]["reason"] == "DRY_RUN"
    assert (await api.data(UNDONE, id=waiting))["node"] == {"undoRefusal": "STILL_RUNNING", "undo": None}
    assert (await stranger.data(UNDO, id=waiting))["undoImport"] == {
        "__typename": "NotFound", "path": ["input", "id"]
    }  # fmt: skip
    await api.data(CANCEL, id=waiting)
    api.clock.advance(timedelta(days=30, seconds=1))
    assert (await api.data(UNDO, id=waiting))["undoImport"]["reason"] == "TOO_OLD"


async def test_a_list_of_imports_costs_what_hangs_off_them(api):
    within = "{ imports(first: 100) { edges { node { id state groups { name } undo { state } } } } }"
    beyond = (
        "{ imports(first: 100) { edges { node { rejects(first: 100) { edges { node { id line } } } } } } }"
    )

    assert (await api.data(within))["imports"] == {"edges": []}
    (error,) = await api.errors(beyond)
    assert (error["extensions"]["code"], error["extensions"]["cost"]) == ("COST_LIMIT", 10_100)
