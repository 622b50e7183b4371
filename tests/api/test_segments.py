"""Segments: defined, edited, deleted, listed, and what they say of themselves."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

ALL = """fragment All on Segment {
  id name description condition summary revision state failure memberCount evaluatedThrough
  dependsOn { name } usedBy { name } createdAt updatedAt
}"""
CREATE = (
    """
mutation ($input: CreateSegmentInput!) {
  createSegment(input: $input) {
    __typename
    ... on Segment { ...All }
    ... on UserError { message path }
    ... on InvalidInput { issues { code path } }
  }
}
"""
    + ALL
)
UPDATE = """
mutation ($input: UpdateSegmentInput!) {
  updateSegment(input: $input) {
    __typename
    ... on Segment { name description condition revision state summary }
    ... on UserError { message path }
    ... on SegmentCycle { cycle { name } }
    ... on RevisionConflict { current { revision name } }
  }
}
"""
DELETE = """
mutation ($id: ID!) {
  deleteSegment(input: {id: $id}) {
    __typename
    ... on DeletePayload { deletedId }
    ... on UserError { message path }
    ... on InUse { usedBy { name } }
  }
}
"""
RECOMPUTE = """
mutation ($id: ID!) {
  recomputeSegment(input: {id: $id}) { __typename ... on Segment { id state } ... on UserError { message path } }
}
"""
PAUSE = """
mutation ($id: ID!) {
  pauseSegment(input: {id: $id}) {
    __typename ... on Segment { ...All } ... on UserError { message path } ... on InUse { usedBy { name } }
  }
}
""" + ALL  # fmt: skip
RESUME = """
mutation ($id: ID!) {
  resumeSegment(input: {id: $id}) { __typename ... on Segment { ...All } ... on UserError { message path } }
}
""" + ALL  # fmt: skip
SEGMENT = "query ($by: SegmentKey!) { segment(by: $by) { ...All } } " + ALL
LITHUANIA = {"country": {"is": "LT"}}


async def create(api, name: str, condition, **more):
    return (await api.data(CREATE, input={"name": name, "condition": condition, **more}))["createSegment"]


async def update(api, id_: str, **more):
    return (await api.data(UPDATE, input={"id": id_, **more}))["updateSegment"]


async def segment(api, id_: str):
    return (await api.data(SEGMENT, by={"id": id_}))["segment"]


async def test_a_segment_computes_and_then_is_ready(api):
    await api.upsert({"externalId": "1", "country": "LT"}, {"externalId": "2"})

    made = await create(api, "Lithuanians", LITHUANIA, description="all of them")
    await api.fill()
    ready = await segment(api, made["id"])

    at = "2026-03-01T12:00:00Z"
    assert made.pop("__typename") == "Segment"
    assert made == {
        "id": made["id"], "name": "Lithuanians", "description": "all of them", "condition": LITHUANIA,
        "summary": 'People whose country is "LT".', "revision": 1, "state": "COMPUTING", "failure": None,
        "memberCount": 0, "evaluatedThrough": None, "dependsOn": [], "usedBy": [], "createdAt": at, "updatedAt": at,
    }  # fmt: skip
    assert (ready["state"], ready["memberCount"], ready["evaluatedThrough"]) == ("READY", 1, at)


async def test_evaluated_through_waits_for_marks_and_for_the_clock(api):
    recent = await api.segment("Recent", {"event": {"name": "bought", "within": {"last": {"hours": 1}}}})
    await api.upsert({"externalId": "1"})
    await api.tick()

    async def through() -> str:
        return (await segment(api, recent))["evaluatedThrough"]

    assert await through() == "2026-03-01T12:00:00Z"
    api.clock.advance(timedelta(minutes=1))
    assert await through() == "2026-03-01T12:01:00Z"  # nothing marked, nothing due
    await api.track({"subscriber": {"externalId": "1"}, "name": "bought"})
    assert await through() == "2026-03-01T12:00:00Z"  # marked: as of the last tick
    await api.tick()
    assert await through() == "2026-03-01T12:01:00Z"
    api.clock.advance(timedelta(hours=2))
    assert await through() == "2026-03-01T12:01:00Z"  # due at 13:01: the purchase has left the window
    await api.tick()
    assert await through() == "2026-03-01T14:01:00Z"


async def test_a_condition_comes_back_as_it_can_be_sent_again(api):
    inner = await api.segment("Inner", LITHUANIA)
    group = await api.group("Friends")
    condition = {"any": [
        {"segment": {"anyOf": [inner]}},
        {"group": {"anyOf": [group]}},
        {"not": {"event": {"name": "bought", "times": {"atLeast": 3}, "within": {"since": "2026-01-01T00:00:00Z"}}}},
        {"eventTotal": {"name": "bought", "of": "value", "function": "SUM", "is": {"gt": 0.1}}},
    ]}  # fmt: skip

    first = await create(api, "First", condition)
    second = await create(api, "Second", first["condition"])

    assert first["condition"] == condition
    assert second["condition"] == condition
    assert first["dependsOn"] == [{"name": "Inner"}]
    assert (await segment(api, inner))["usedBy"] == [{"name": "First"}, {"name": "Second"}]


async def test_everything_wrong_is_said_at_once_and_nothing_is_kept(api):
    condition = {"all": [
        {"country": {"in": []}}, {"field": {"key": "nope", "text": {"is": "x"}}}, {"segment": {"anyOf": ["seg_AQ"]}},
    ]}  # fmt: skip

    found = await create(api, " ", condition)

    assert found["__typename"] == "InvalidInput"
    assert {"code": "REQUIRED", "path": ["input", "name"]} in found["issues"]
    assert {"code": "UNKNOWN", "path": ["input", "condition", "all", "1", "field", "key"]} in found["issues"]
    assert {"code": "UNKNOWN", "path": ["input", "condition", "all", "2", "segment", "anyOf", "0"]} in found[
        "issues"
    ]
    assert (await api.data("{ segments { edges { node { id } } } }"))["segments"]["edges"] == []


async def test_literals_and_variables_get_the_same_verdict(api):
    deep = "{not: " * 20 + "{all: []}" + "}" * 20
    as_variable: dict = {"all": []}
    for _ in range(20):
        as_variable = {"not": as_variable}

    by_variable = await create(api, "Deep", as_variable)
    by_literal = await api.data(
        f'mutation {{ createSegment(input: {{name: "Deep", condition: {deep}}}) '
        "{ ... on InvalidInput { issues { code path } } } }"
    )

    assert by_variable["__typename"] == "InvalidInput"
    assert by_literal["createSegment"]["issues"] == by_variable["issues"]


async def test_what_is_left_out_of_an_edit_stays(api):
    made = await create(api, "Lithuanians", LITHUANIA, description="all of them")

    renamed = await update(api, made["id"], name="LT")
    cleared = await update(api, made["id"], description=None)
    changed = await update(api, made["id"], condition={"country": {"is": "LV"}})

    assert (renamed["name"], renamed["description"], renamed["condition"]) == ("LT", "all of them", LITHUANIA)
    assert (cleared["name"], cleared["description"]) == ("LT", None)
    assert (changed["condition"], changed["summary"]) == (
        {"country": {"is": "LV"}},
        'People whose country is "LV".',
    )
    assert [it["revision"] for it in (renamed, cleared, changed)] == [2, 3, 4]


async def test_a_lost_update_is_refused(api):
    made = await create(api, "Lithuanians", LITHUANIA)
    await update(api, made["id"], name="LT", ifRevision=1)

    found = await update(api, made["id"], name="Lietuva", ifRevision=1)

    assert found["__typename"] == "RevisionConflict"
    assert found["path"] == ["input", "ifRevision"]
    assert found["current"] == {"revision": 2, "name": "LT"}


async def test_a_circle_is_refused_with_the_way_round(api):
    a = await create(api, "A", LITHUANIA)
    b = await create(api, "B", {"segment": {"anyOf": [a["id"]]}})
    c = await create(api, "C", {"not": {"segment": {"anyOf": [b["id"]]}}})

    found = await update(api, a["id"], condition={"segment": {"anyOf": [c["id"]]}})

    assert found["__typename"] == "SegmentCycle"
    assert found["path"][:2] == ["input", "condition"]
    way = [it["name"] for it in found["cycle"]]
    assert list(pairwise(way)) in (
        [("A", "C"), ("C", "B"), ("B", "A")], [("C", "B"), ("B", "A"), ("A", "C")], [("B", "A"), ("A", "C"), ("C", "B")],
    )  # fmt: skip
    assert (await segment(api, a["id"]))["condition"] == LITHUANIA


@pytest.mark.parametrize("given", [{"name": None}, {"condition": None}])
async def test_what_cannot_be_cleared_is_missing(api, given):
    made = await create(api, "Lithuanians", LITHUANIA)

    found = (await api.data(UPDATE, input={"id": made["id"], **given}))["updateSegment"]

    assert (found["__typename"], found["path"]) == ("InvalidInput", ["input", *given])
    assert (await segment(api, made["id"]))["revision"] == 1


async def test_a_deleted_segment_is_gone(api):
    await api.upsert({"externalId": "1", "country": "LT"})
    made = await api.segment("Lithuanians", LITHUANIA)

    gone = (await api.data(DELETE, id=made))["deleteSegment"]
    again = (await api.data(DELETE, id=made))["deleteSegment"]

    assert gone == {"__typename": "DeletePayload", "deletedId": made}
    assert again == {
        "__typename": "NotFound",
        "message": "there is no segment with this id",
        "path": ["input", "id"],
    }
    found = await api.data(
        '{ segments { edges { node { id } } } subscriber(by: {externalId: "1"}) { segments { edges { node { id } } } } }'
    )
    assert found == {"segments": {"edges": []}, "subscriber": {"segments": {"edges": []}}}


async def test_one_that_others_read_stays(api):
    inner = await create(api, "Inner", LITHUANIA)
    await create(api, "Outer", {"segment": {"anyOf": [inner["id"]]}})

    found = (await api.data(DELETE, id=inner["id"]))["deleteSegment"]

    assert found["__typename"] == "InUse"
    assert found["usedBy"] == [{"name": "Outer"}]
    assert (await segment(api, inner["id"]))["name"] == "Inner"


async def test_a_recompute_leaves_a_segment_ready(api):
    made = await api.segment("Lithuanians", LITHUANIA)
    await api.tick()

    asked = (await api.data(RECOMPUTE, id=made))["recomputeSegment"]

    assert asked == {"__typename": "Segment", "id": made, "state": "READY"}
    assert (await api.data(RECOMPUTE, id="seg_AQ"))["recomputeSegment"]["__typename"] == "NotFound"


async def test_members_and_where_the_feed_stood(api):
    await api.upsert(
        {"externalId": "1", "country": "LT"}, {"externalId": "2", "country": "LT"}, {"externalId": "3"}
    )
    made = await api.segment("Lithuanians", LITHUANIA)
    empty = await api.segment("Nobody", {"country": {"is": "XX"}})
    members = """query ($id: ID!) { segment(by: {id: $id}) { members {
        feedCursor edges { enteredAt node { externalId } } pageInfo { hasNextPage }
    } } }"""

    first = (await api.data(members, id=made))["segment"]["members"]
    await api.upsert({"externalId": "3", "country": "LT"})
    await api.tick()
    after = await api.data(
        "query ($after: String!) { membershipChanges(after: $after) { changes { kind subscriber { externalId } } } }",
        after=first["feedCursor"],
    )

    assert {edge["node"]["externalId"] for edge in first["edges"]} == {"1", "2"}
    assert after["membershipChanges"]["changes"] == [{"kind": "ENTERED", "subscriber": {"externalId": "3"}}]
    nobody = (await api.data(members, id=empty))["segment"]["members"]
    assert nobody["edges"] == []
    assert nobody["feedCursor"]


async def test_changes_are_listed_the_latest_first(api):
    made = await api.segment("Lithuanians", LITHUANIA)
    await api.upsert({"externalId": "1", "country": "LT"})
    await api.tick()
    api.clock.advance(timedelta(minutes=1))
    await api.upsert({"externalId": "1", "country": "LV"})
    await api.tick()

    found = await api.data(
        "query ($id: ID!) { segment(by: {id: $id}) { membershipChanges { edges { node { kind cause occurredAt segment { name } } } } } }",
        id=made,
    )

    assert [edge["node"] for edge in found["segment"]["membershipChanges"]["edges"]] == [
        {
            "kind": "LEFT",
            "cause": "SUBSCRIBER",
            "occurredAt": "2026-03-01T12:01:00Z",
            "segment": {"name": "Lithuanians"},
        },
        {
            "kind": "ENTERED",
            "cause": "SUBSCRIBER",
            "occurredAt": "2026-03-01T12:00:00Z",
            "segment": {"name": "Lithuanians"},
        },
    ]


async def test_the_list_is_searched_ordered_and_filtered_by_state(api):
    await api.upsert(
        {"externalId": "1", "country": "LT"},
        {"externalId": "2", "country": "LT"},
        {"externalId": "3", "country": "LV"},
    )
    await api.segment("Latvia", {"country": {"is": "LV"}})
    api.clock.advance(timedelta(minutes=1))
    await api.segment("LITHUANIA", LITHUANIA)
    api.clock.advance(timedelta(minutes=1))
    await create(api, "empty", {"country": {"is": "EE"}})
    names = """query ($search: String, $state: [SegmentState!], $orderBy: ListOrder!) {
      segments(search: $search, state: $state, orderBy: $orderBy) { edges { node { name } } }
    }"""

    async def listed(order_by: str = "NAME_ASC", **given) -> list[str]:
        found = await api.data(names, orderBy=order_by, **given)
        return [edge["node"]["name"] for edge in found["segments"]["edges"]]

    assert await listed() == ["empty", "Latvia", "LITHUANIA"]
    assert await listed("CREATED_DESC") == ["empty", "LITHUANIA", "Latvia"]
    assert await listed("SIZE_DESC") == ["LITHUANIA", "Latvia", "empty"]
    assert await listed(search="li") == ["LITHUANIA"]
    assert await listed(search=" Nia  li") == ["LITHUANIA"]
    assert await listed(search="latvia li") == []
    assert await listed(search="  ") == ["empty", "Latvia", "LITHUANIA"]
    assert await listed(state=["READY"]) == ["Latvia", "LITHUANIA"]
    assert await listed(state=["COMPUTING", "FAILED"]) == ["empty"]
    assert await listed(state=[]) == ["empty", "Latvia", "LITHUANIA"]
    api.clock.advance(timedelta(minutes=1))
    await update(api, (await api.data(SEGMENT, by={"name": "latvia"}))["segment"]["id"], description="x")
    assert await listed("UPDATED_DESC") == ["Latvia", "empty", "LITHUANIA"]


async def test_a_failed_segment_says_why(api):
    made = await api.segment("Lithuanians", LITHUANIA)
    async with api.services.ports.database.acquire() as connection:
        await connection.execute(
            "UPDATE segments SET failure = 'too much' WHERE workspace_id = $1", api.access.workspace.id
        )

    found = await segment(api, made)

    assert (found["state"], found["failure"], found["evaluatedThrough"]) == ("FAILED", "too much", None)


async def test_a_paused_segment_says_so_and_until_when_it_was_right(api):
    id_ = await api.segment("S", LITHUANIA)
    await api.tick()

    paused = (await api.data(PAUSE, id=id_))["pauseSegment"]
    await api.upsert({"externalId": "1", "country": "LT"})
    api.clock.advance(timedelta(hours=1))
    await api.tick()
    later = await segment(api, id_)
    recomputed = (await api.data(RECOMPUTE, id=id_))["recomputeSegment"]

    at = "2026-03-01T12:00:00Z"
    for told in (paused, later):
        assert (told["state"], told["memberCount"], told["evaluatedThrough"]) == ("PAUSED", 0, at)
    assert recomputed == {"__typename": "Segment", "id": id_, "state": "PAUSED"}
    listed = await api.data("{ segments(state: [PAUSED]) { edges { node { id } } } }")
    assert listed["segments"]["edges"] == [{"node": {"id": id_}}]

    resumed = (await api.data(RESUME, id=id_))["resumeSegment"]
    assert (resumed["state"], resumed["evaluatedThrough"]) == ("COMPUTING", None)
    await api.fill()
    ready = await segment(api, id_)
    assert (ready["state"], ready["memberCount"]) == ("READY", 1)
    assert ready["evaluatedThrough"] == "2026-03-01T13:00:00Z"


async def test_what_others_read_and_what_is_not_there_cannot_be_paused(api, stranger):
    inner = await api.segment("Inner", LITHUANIA)
    await api.segment("Outer", {"segment": {"anyOf": [inner]}})

    refused = (await api.data(PAUSE, id=inner))["pauseSegment"]

    assert (refused["__typename"], refused["usedBy"]) == ("InUse", [{"name": "Outer"}])
    assert (await segment(api, inner))["state"] == "READY"
    foreign = await stranger.segment("S", LITHUANIA)
    assert (await api.data(PAUSE, id=foreign))["pauseSegment"]["__typename"] == "NotFound"
    assert (await api.data(RESUME, id=foreign))["resumeSegment"]["__typename"] == "NotFound"


async def test_a_condition_that_names_a_paused_segment_is_refused_with_its_path(api):
    inner = await api.segment("Inner", LITHUANIA)
    await api.data(PAUSE, id=inner)

    found = await create(api, "Outer", {"not": {"segment": {"anyOf": [inner]}}})

    assert found["issues"] == [
        {"code": "CONFLICT", "path": ["input", "condition", "not", "segment", "anyOf", "0"]}
    ]


async def test_the_next_change_is_told_while_the_clock_can_bring_one(api):
    window = {"event": {"name": "bought", "within": {"last": {"hours": 1}}}}
    id_ = await api.segment("Recent", window)

    async def next_change() -> str | None:
        found = await api.data(
            "query ($by: SegmentKey!) { segment(by: $by) { nextChangeAt } }", by={"id": id_}
        )
        return found["segment"]["nextChangeAt"]

    await api.upsert({"externalId": "1"})
    await api.tick()
    assert await next_change() is None
    await api.track({"subscriber": {"externalId": "1"}, "name": "bought"})
    await api.tick()
    assert await next_change() == "2026-03-01T13:00:00Z"
    await api.data(PAUSE, id=id_)
    assert await next_change() is None


async def test_a_paused_segment_may_not_be_named_in_a_filter(api):
    inner = await api.segment("LT", {"country": {"is": "LT"}})
    await api.data(PAUSE, id=inner)
    document = "query ($where: ConditionInput) { subscribers(where: $where) { edges { node { id } } } }"

    (error,) = await api.errors(document, where={"all": [{"segment": {"anyOf": [inner]}}]})

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    (issue,) = error["extensions"]["issues"]
    assert (issue["code"], issue["path"]) == ("CONFLICT", ["where", "all", "0", "segment", "anyOf", "0"])
