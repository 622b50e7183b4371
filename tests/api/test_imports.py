"""Imports over GraphQL, and the address that their files go to."""

from __future__ import annotations

import json

import httpx
import pytest

from audience_gql.audience.imports.runner import ImportRunner
from tests.patience import PATIENCE_SECONDS

START = """
mutation ($input: StartImportInput!) {
  startImport(input: $input) {
    ... on StartImportPayload { uploadUrl import { id state fraction } }
    ... on InvalidInput { issues { code path } }
  }
}
"""
IMPORT = """
query ($id: ID!) {
  node(id: $id) {
    ... on Import { state dryRun rowsRead created updated rejected noticed fraction failure
      notices { edges { node { id line message } } }
      rejects(first: 1) { edges { node { id line message } } pageInfo { hasNextPage } } }
  }
}
"""
CANCEL = """
mutation ($id: ID!) { cancelImport(input: {id: $id}) { __typename ... on Import { state } ... on NotFound { path } } }
"""
REJECT = "query ($id: ID!) { node(id: $id) { ... on ImportReject { id line message } } }"
PROGRESS = "subscription ($id: ID!) { importProgress(id: $id) { state } }"
COLUMNS = [
    {"header": "id", "to": {"profile": "EXTERNAL_ID"}},
    {"header": "mail", "to": {"profile": "EMAIL"}},
]
CSV = {"content-type": "text/csv"}


async def put(server, path, content, headers=CSV):
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        return await client.put(path, content=content, headers=headers)


async def test_a_file_goes_to_its_address_and_becomes_people(served, stranger, server):
    group = await served.group("Imported")
    started = await served.data(START, input={"columns": COLUMNS, "addToGroupIds": [group]})
    made = started["startImport"]["import"]
    assert made | {"id": ""} == {"id": "", "state": "WAITING", "fraction": 0.0}

    answer = await put(server, started["startImport"]["uploadUrl"], b"id,mail\n1,a@x.org\n2,b\n3,c\n")
    assert answer.status_code == 202
    async with served.services.ports.database.acquire() as connection:
        number = await connection.fetchval("SELECT max(id) FROM imports")
    await ImportRunner(served.services.ports).work_off(number)

    found = (await served.data(IMPORT, id=made["id"]))["node"]
    rejects = found.pop("rejects")
    assert found == {
        "state": "DONE", "dryRun": False, "rowsRead": 3, "created": 1, "updated": 0, "rejected": 2, "noticed": 0, "fraction": 1.0,
        "notices": {"edges": []},
        "failure": None,
    }  # fmt: skip
    refused = rejects["edges"][0]["node"]
    assert refused["line"] == 3
    assert await served.data(REJECT, id=refused["id"]) == {"node": refused}
    assert await stranger.data(REJECT, id=refused["id"]) == {"node": None}
    assert rejects["pageInfo"] == {"hasNextPage": True}


async def test_a_row_whose_keys_belong_to_two_people_names_them(served, server):
    made = await served.data(
        """mutation { upsertSubscribers(input: {subscribers: [{externalId: "1"}, {email: "b@x.org"}]}) {
          ... on UpsertSubscribersPayload { subscribers { id } } } }"""
    )
    one, other = [person["id"] for person in made["upsertSubscribers"]["subscribers"]]
    started = (await served.data(START, input={"columns": COLUMNS}))["startImport"]
    await put(server, started["uploadUrl"], b"id,mail\n1,b@x.org\n")
    async with served.services.ports.database.acquire() as connection:
        number = await connection.fetchval("SELECT max(id) FROM imports")
    await ImportRunner(served.services.ports).work_off(number)

    found = (await served.data(IMPORT, id=started["import"]["id"]))["node"]

    (edge,) = found["rejects"]["edges"]
    assert edge["node"] | {"id": ""} == {
        "id": "", "line": 2, "message": f"externalId belongs to {one}, email belongs to {other}"
    }  # fmt: skip


async def test_a_row_that_was_written_but_for_a_wish_is_found_by_its_id(served, server):
    columns = [COLUMNS[0], {"header": "news", "to": {"channel": "EMAIL"}}]
    started = (await served.data(START, input={"columns": columns}))["startImport"]
    await put(server, started["uploadUrl"], b"id,news\n1,BOUNCED\n1,ACTIVE\n2,x\n")
    async with served.services.ports.database.acquire() as connection:
        number = await connection.fetchval("SELECT max(id) FROM imports")
    await ImportRunner(served.services.ports).work_off(number)

    found = (await served.data(IMPORT, id=started["import"]["id"]))["node"]

    ((notice,), (reject,)) = ([edge["node"] for edge in found[it]["edges"]] for it in ("notices", "rejects"))
    assert (found["noticed"], notice["line"], reject["line"]) == (1, 3, 4)
    assert notice["message"] == "EMAIL stays BOUNCED: only setChannelStatus may change that"
    query = "query ($id: ID!) { node(id: $id) { __typename } }"
    for row, kind in ((notice, "ImportNotice"), (reject, "ImportReject")):
        assert await served.data(query, id=row["id"]) == {"node": {"__typename": kind}}


async def test_the_address_says_what_it_does_not_take(served, server):
    started = await served.data(START, input={"columns": COLUMNS})
    path = started["startImport"]["uploadUrl"]

    assert (await put(server, path, b"{}", {"content-type": "application/json"})).status_code == 415
    assert (await put(server, path, b"id", CSV | {"content-encoding": "gzip"})).status_code == 415
    assert (await put(server, path + "x", b"id")).status_code == 404
    assert (await put(server, path, b"id,mail\n")).status_code == 202
    assert (await put(server, path, b"id,mail\n")).status_code == 409


async def test_progress_is_told_until_the_end(api):
    started = (await api.data(START, input={"columns": COLUMNS}))["startImport"]["import"]
    followed = api.subscribe(PROGRESS, id=started["id"])

    told = [(await anext(followed))["data"]["importProgress"]["state"]]
    await api.data(CANCEL, id=started["id"])
    told += [body["data"]["importProgress"]["state"] async for body in followed]

    assert told == ["WAITING", "CANCELLED"]


async def test_another_workspaces_import_is_not_there(api, stranger):
    started = (await stranger.data(START, input={"columns": COLUMNS}))["startImport"]["import"]

    assert (await api.data(IMPORT, id=started["id"]))["node"] is None
    refused = (await api.data(CANCEL, id=started["id"]))["cancelImport"]
    assert refused == {"__typename": "NotFound", "path": ["input", "id"]}
    assert (await stranger.data(IMPORT, id=started["id"]))["node"]["state"] == "WAITING"


async def test_a_wrong_plan_is_told_by_path(api):
    columns = [
        *COLUMNS,
        {"header": "x", "to": {"field": "none"}},
        {"header": "y", "to": {"groupId": "grp_x"}},
    ]

    issues = (await api.data(START, input={"columns": columns}))["startImport"]["issues"]

    assert issues == [
        {"code": "UNKNOWN", "path": ["input", "columns", "2", "to", "field"]},
        {"code": "UNKNOWN", "path": ["input", "columns", "3", "to", "groupId"]},
    ]


@pytest.mark.parametrize("delimiter", ["\0", "", ",,", '"', "\n", "x", "\ufeff"])
@pytest.mark.parametrize("form", ["literal", "variable"])
async def test_what_is_no_delimiter_is_told_by_path(api, delimiter, form):
    if form == "variable":
        found = await api.data(START, input={"columns": COLUMNS, "delimiter": delimiter})
    else:
        literal = 'input: {columns: [{header: "id", to: {profile: EXTERNAL_ID}}], delimiter: %s}'
        document = START.replace("($input: StartImportInput!)", "").replace("input: $input", literal)
        found = await api.data(document % json.dumps(delimiter))

    assert found["startImport"]["issues"] == [{"code": "MALFORMED", "path": ["input", "delimiter"]}]


async def test_a_header_that_no_file_can_have_is_told_by_path(api):
    columns = [*COLUMNS, {"header": "a\0", "to": {"profile": "CITY"}}]

    issues = (await api.data(START, input={"columns": columns}))["startImport"]["issues"]

    assert issues == [{"code": "MALFORMED", "path": ["input", "columns", "2", "header"]}]


async def test_one_column_feeds_two_targets(api):
    columns = [{"header": "mail", "to": {"profile": target}} for target in ("EXTERNAL_ID", "EMAIL")]

    started = (await api.data(START, input={"columns": columns}))["startImport"]

    assert started["import"]["state"] == "WAITING"
