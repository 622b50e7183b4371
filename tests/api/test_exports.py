"""Exports over GraphQL: what a file contains, who may request it, and when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.audience.exports.lifecycle import FILES_LIMIT, OPEN_LIMIT
from tests.exporting import (
    ADA,
    ALL,
    EXPORT,
    FIELD,
    STATE,
    define_fields,
    export,
    lines_of,
    number,
    of,
    rows_of,
    runner,
    stored,
    written,
)

PROGRESS = "subscription ($id: ID!) { exportProgress(id: $id) { state rows total } }"
EXPIRE = "mutation ($id: ID!) { expireExport(input: {id: $id}) { __typename ... on Export { state } ... on NotFound { path } } }"
EVERYBODY: dict[str, list[object]] = {"all": []}


async def test_a_file_has_every_kind_of_field(api):
    await define_fields(api)
    ada, bob = await api.upsert(ADA, {"externalId": "bob"})
    segment = await api.segment("Everybody", EVERYBODY)
    await api.tick()

    csv_rows = {row["id"]: row for row in rows_of(await written(api, segment, fields=ALL))}
    lines = {row["id"]: row for row in lines_of(await written(api, segment, fields=ALL, format="NDJSON"))}

    assert lines[ada] == {
        "id": ada, **{name: ADA[name] for name in ALL if name in ADA},
        **{it["key"]: it["value"] for it in ADA["fields"] if it["key"] != "city"}, "field:city": "other", "city": "São, Paulo",
        "at": "2026-01-02T03:04:05.678000+00:00",
        "EMAIL": "ACTIVE", "SMS": "UNSUBSCRIBED", "TRANSACTIONAL_SMS": None,
        **dict.fromkeys(("createdAt", "updatedAt", "enteredAt"), "2026-03-01T12:00:00Z"),
    }  # fmt: skip
    assert csv_rows[ada] == {
        **{name: str(value) for name, value in lines[ada].items()},
        "is_vip": "true", "tags": "a;b c", "TRANSACTIONAL_SMS": "",
    }  # fmt: skip
    assert [name for name, value in csv_rows[bob].items() if value] == [
        "id", "externalId", "createdAt", "updatedAt", "enteredAt",
    ]  # fmt: skip
    assert [name for name, value in lines[bob].items() if value is None] == ALL[2:-3]


async def test_the_default_fields_of_a_group(api):
    group = await api.group("Friends")
    (ada,) = await api.upsert({"externalId": "ada", "email": "a@x.org", "addToGroupIds": [group]})

    content = await written(api, group)

    assert content.decode() == f"id,externalId,email,enteredAt\r\n{ada},ada,a@x.org,2026-03-01T12:00:00Z\r\n"


@pytest.mark.parametrize(("format_", "content"), [("CSV", b"email\r\n"), ("NDJSON", b"")])
async def test_an_empty_list_has_an_empty_file(api, format_, content):
    group = await api.group("Nobody")

    assert await written(api, group, format=format_, fields=["email"]) == content


async def test_formulas_are_escaped_only_on_request_and_only_in_texts(api):
    await api.data(FIELD, key="score", type="NUMBER")
    group = await api.group("Friends")
    await api.upsert({
        "externalId": "@a", "firstName": "=1+1", "city": "a=b", "latitude": -1.5, "longitude": 2,
        "fields": [{"key": "score", "value": -3}], "addToGroupIds": [group],
    })  # fmt: skip
    fields = ["externalId", "firstName", "city", "latitude", "score"]

    as_stored = await written(api, group, fields=fields)
    escaped = await written(api, group, fields=fields, escapeFormulas=True)

    assert as_stored.splitlines()[1] == b"@a,=1+1,a=b,-1.5,-3"
    assert escaped.splitlines()[1] == b"'@a,'=1+1,a=b,-1.5,-3"


async def test_what_is_wrong_with_the_input_is_told_by_path(api):
    group = await api.group("Friends")

    def asked(**given):
        return {"list": of(group), "format": "CSV", **given}

    found = [
        (await api.data(EXPORT, input=asked(fields=fields)))["exportList"]["issues"]
        for fields in (["email", "nothing", "field:x", "email", "Email"], [], ["email"] * 201)
    ]

    assert found == [
        [
            {"code": "UNKNOWN", "path": ["input", "fields", "1"]},
            {"code": "UNKNOWN", "path": ["input", "fields", "2"]},
            {"code": "CONFLICT", "path": ["input", "fields", "3"]},
            {"code": "UNKNOWN", "path": ["input", "fields", "4"]},
        ],
        [{"code": "REQUIRED", "path": ["input", "fields"]}],
        [{"code": "TOO_MANY", "path": ["input", "fields"]}],
    ]


async def test_lists_and_exports_of_another_workspace_are_unknown(api, stranger):
    group, theirs = await api.group("Friends"), await stranger.group("Friends")
    segment = await stranger.segment("Everybody", EVERYBODY)
    made = (await export(stranger, theirs))["export"]

    found = [
        (await api.data(EXPORT, input={"list": wanted, "format": "CSV"}))["exportList"]
        for wanted in (of(theirs), of(segment), {"segmentId": group}, {"groupId": "x"})
    ]
    ended = (await api.data(EXPIRE, id=made["id"]))["expireExport"]

    assert [(it["__typename"], it["path"]) for it in found] == [
        ("NotFound", ["input", "list", "groupId"]), ("NotFound", ["input", "list", "segmentId"]),
        ("NotFound", ["input", "list", "segmentId"]), ("NotFound", ["input", "list", "groupId"]),
    ]  # fmt: skip
    assert ended == {"__typename": "NotFound", "path": ["input", "id"]}
    assert (await api.data(STATE, id=made["id"]))["export"] is None
    assert (await api.data("query ($id: ID!) { node(id: $id) { id } }", id=made["id"]))["node"] is None
    assert (await stranger.data(STATE, id=made["id"]))["export"]["state"] == "WAITING"


async def test_a_segment_that_is_not_computed_is_not_exported(api):
    created = (
        """mutation { createSegment(input: {name: "New", condition: {all: []}}) { ... on Segment { id } } }"""
    )
    segment = (await api.data(created))["createSegment"]["id"]

    refused = (await api.data(EXPORT, input={"list": of(segment), "format": "CSV"}))["exportList"]
    await api.fill()
    made = (await export(api, segment))["export"]
    edited = """mutation ($id: ID!) { updateSegment(input: {id: $id, condition: {email: {isSet: true}}}) { __typename } }"""
    await api.data(edited, id=segment)
    await runner(api).work_off(number(made["id"]))

    assert refused["issues"] == [{"code": "CONFLICT", "path": ["input", "list", "segmentId"]}]
    found = (await api.data(STATE, id=made["id"]))["export"]
    assert (found["state"], found["bytes"]) == ("FAILED", 0)
    assert "being computed" in found["failure"]


async def test_a_list_that_is_deleted_fails_its_export(api):
    group = await api.group("Friends")
    made = (await export(api, group))["export"]
    await api.data("mutation ($id: ID!) { deleteGroup(input: {id: $id}) { __typename } }", id=group)

    await runner(api).work_off(number(made["id"]))

    found = (await api.data(STATE, id=made["id"]))["export"]
    assert (found["state"], found["failure"]) == (
        "FAILED",
        "the list was deleted before its members were read",
    )


async def test_the_scope_read_is_needed_and_enough(api, web):
    group = await api.group("Friends")
    body = {"query": EXPORT, "variables": {"input": {"list": of(group), "format": "CSV"}}}

    answers = {}
    for scope in ("READ", "WRITE", "TRACK"):
        headers = {"authorization": f"Bearer {await api.token(scope)}"}
        answers[scope] = (await web.post("/graphql", json=body, headers=headers)).json()

    assert answers["READ"]["data"]["exportList"]["export"]["state"] == "WAITING"
    for scope in ("WRITE", "TRACK"):
        assert [it["extensions"]["code"] for it in answers[scope]["errors"]] == ["FORBIDDEN"]


async def test_a_workspace_has_a_few_open_exports_and_files(api):
    group = await api.group("Friends")
    made = [(await export(api, group))["export"]["id"] for _ in range(OPEN_LIMIT)]

    beyond = (await api.data(EXPORT, input={"list": of(group), "format": "CSV"}))["exportList"]
    await api.services.ports.database.fetch(
        "INSERT INTO exports (id, workspace_id, state, list_kind, list_id, list_name, plan, secret_hash, created_at, expires_at) "
        "SELECT -e.id * 100 - n, e.workspace_id, 'DONE', e.list_kind, e.list_id, e.list_name, e.plan, e.secret_hash, e.created_at, e.expires_at "
        "FROM exports e, generate_series(1, $2) AS n WHERE e.id = $1",
        number(made[0]),
        FILES_LIMIT,
    )
    await api.data(EXPIRE, id=made[0])
    full = (await api.data(EXPORT, input={"list": of(group), "format": "CSV"}))["exportList"]

    assert beyond["issues"] == full["issues"] == [{"code": "TOO_MANY", "path": ["input"]}]
    assert "at most 5 exports" in beyond["message"]
    assert "at most 50 exported files" in full["message"]


async def test_progress_is_told_until_the_end(api):
    group = await api.group("Friends")
    await api.upsert({"externalId": "ada", "addToGroupIds": [group]})
    made = (await export(api, group))["export"]
    followed = api.subscribe(PROGRESS, id=made["id"])

    told = [(await anext(followed))["data"]["exportProgress"]]
    await runner(api).work_off(number(made["id"]))
    told += [body["data"]["exportProgress"] async for body in followed]

    assert told[0] == {"state": "WAITING", "rows": 0, "total": None}
    assert told[-1] == {"state": "DONE", "rows": 1, "total": 1}


async def test_an_export_tells_its_list_and_where_the_feed_continues(api):
    segment = await api.segment("Everybody", EVERYBODY)
    await api.upsert({"externalId": "ada"})
    await api.tick()
    made = (await export(api, segment, fields=["email"]))["export"]
    await runner(api).work_off(number(made["id"]))
    api.clock.advance(timedelta(minutes=1))
    await api.upsert({"externalId": "bob"})
    await api.tick()

    query = """query ($id: ID!) { node(id: $id) { ... on Export {
      listName format fields createdAt takenAt expiresAt feedCursor segment { id } group { id } } } }"""
    found = (await api.data(query, id=made["id"]))["node"]
    cursor = found.pop("feedCursor")
    after = """query ($after: String!) { membershipChanges(after: $after) { changes { subscriber { externalId } } } }"""
    changes = (await api.data(after, after=cursor))["membershipChanges"]["changes"]

    assert found == {
        "listName": "Everybody", "format": "CSV", "fields": ["email"], "createdAt": "2026-03-01T12:00:00Z",
        "takenAt": "2026-03-01T12:00:00Z", "expiresAt": "2026-03-02T12:00:00Z", "segment": {"id": segment}, "group": None,
    }  # fmt: skip
    assert [it["subscriber"]["externalId"] for it in changes] == ["bob"]


async def test_a_file_is_deleted_when_its_time_is_over(api):
    group = await api.group("Friends")
    done, waiting = [(await export(api, group))["export"]["id"] for _ in range(2)]
    runs = runner(api)
    await runs.work_off(number(done))
    assert await stored(api, done)

    api.clock.advance(timedelta(hours=24))
    await runs.sweep()
    await runs.work_off(number(waiting))

    for export_id in (done, waiting):
        assert (await api.data(STATE, id=export_id))["export"]["state"] == "EXPIRED"
        assert await stored(api, export_id) == b""


async def test_a_caller_ends_an_export(api):
    group = await api.group("Friends")
    made = (await export(api, group))["export"]["id"]
    runs = runner(api)
    await runs.work_off(number(made))

    ended = (await api.data(EXPIRE, id=made))["expireExport"]
    await runs.sweep()

    assert ended == {"__typename": "Export", "state": "EXPIRED"}
    assert await stored(api, made) == b""
