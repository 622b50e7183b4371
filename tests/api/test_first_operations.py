"""The ten operations of docs/operations, which clients write first: the checked-in schema accepts them, and they run."""

from __future__ import annotations

import re
from contextlib import aclosing
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

import audience_gql

ROOT = Path(audience_gql.__file__).parents[2]
OPERATIONS = {
    file.stem[3:]: file.read_text(encoding="utf-8")
    for file in sorted((ROOT / "docs/operations").glob("*.graphql"))
}
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
LITHUANIA = {"country": {"is": "LT"}}


def test_the_page_names_them_all():
    assert len(OPERATIONS) == 10
    assert re.findall(r"\(operations/\d\d-([\w-]+)\.graphql\)", PAGE) == list(OPERATIONS)


@pytest.fixture(scope="module")
def checked_in():
    return build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_checked_in_schema_accepts_it(checked_in, name):
    assert validate(checked_in, parse(OPERATIONS[name])) == []


async def test_they_run_one_after_the_other(api):
    async def run(name: str, **variables):
        return await api.data(OPERATIONS[name], **variables)

    start = (await api.data("{ membershipChanges(after: null) { cursor } }"))["membershipChanges"]["cursor"]
    ada = {"externalId": "ada", "email": "ada@example.com", "country": "LT"}
    upserted = (await run("upsert", input={"subscribers": [ada, {"externalId": "bob"}]}))["upsertSubscribers"]
    assert (upserted["created"], upserted["rejects"]) == (2, [])

    preview = (await run("preview", condition=LITHUANIA))["previewSegment"]
    assert (preview["memberCount"], preview["sample"][0]["email"]) == (1, "ada@example.com")
    made = (await run("create-segment", input={"name": "Lithuania", "condition": LITHUANIA}))["createSegment"]
    assert made["condition"] == LITHUANIA
    await api.fill()

    edited = {"any": [made["condition"], {"event": {"name": "opened"}}]}
    given = {"id": made["id"], "condition": edited, "ifRevision": made["revision"]}
    assert (await run("edit-segment", input=given))["updateSegment"]["condition"] == edited
    assert (await run("edit-segment", input=given))["updateSegment"]["__typename"] == "RevisionConflict"
    await api.fill()
    tracked = {"events": [{"subscriber": {"externalId": "bob"}, "name": "opened", "key": "1"}]}
    assert (await run("track", input=tracked))["trackEvents"]["accepted"] == 1
    assert (await run("track", input=tracked))["trackEvents"]["duplicates"] == 1
    await api.tick()

    (listed,) = (await run("segments"))["segments"]["edges"]
    assert (listed["node"]["memberCount"], listed["node"]["state"]) == (2, "READY")
    members = (await run("members", segment=made["id"]))["segment"]["members"]["edges"]
    assert {edge["node"]["email"] for edge in members} == {"ada@example.com", None}
    explained = await run("explain", segment=made["id"], subscriber={"externalId": "bob"})
    assert explained["segment"]["explain"]["isMember"]
    caught_up = (await run("catch-up", after=start))["membershipChanges"]
    assert [change["kind"] for change in caught_up["changes"]] == ["ENTERED", "ENTERED"]
    async with aclosing(api.subscribe(OPERATIONS["listen"], after=start)) as results:
        batch = (await anext(results))["data"]["membershipChanges"]
    assert (batch["after"], len(batch["changes"])) == (start, 2)
