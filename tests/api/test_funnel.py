"""Funnels: why a condition matches as few people as it does, of previews and of segments."""

from __future__ import annotations

from datetime import timedelta

from audience_gql.audience.insights import funnels
from audience_gql.storage.reads.counting import Budget

PREVIEW = """
query ($condition: ConditionInput!) {
  previewSegment(condition: $condition) { ... on SegmentPreview { memberCount funnel {
    people isExact nodes { path summary matched matchedMargin nearMisses nearMissesMargin }
  } } }
}
"""
PREVIEW_PEOPLE = """
query ($condition: ConditionInput!, $first: Int, $after: String) {
  previewSegment(condition: $condition) { ... on SegmentPreview { funnel { nodes {
    path nearMisses nearMissPeople(first: $first, after: $after) { edges { node { externalId } } pageInfo { hasNextPage endCursor } }
  } } } }
}
"""
SEGMENT = """
query ($id: ID!) { segment(by: {id: $id}) { funnel { people nodes { path matched nearMisses } } } }
"""
LITHUANIA = {"country": {"is": "LT"}}
CLICKED = {"event": {"name": "clicked", "within": {"last": {"days": 7}}}}
MAILED = {"channel": {"channel": "EMAIL", "status": ["ACTIVE"]}}


async def preview(api, condition):
    return (await api.data(PREVIEW, condition=condition))["previewSegment"]


async def counts(api, condition) -> dict[str, tuple[int, int]]:
    """(matched, near misses) of each node of a preview, by its path."""
    return _by_path((await preview(api, condition))["funnel"])


async def counts_of(api, segment) -> dict[str, tuple[int, int]] | None:
    found = (await api.data(SEGMENT, id=segment))["segment"]["funnel"]
    return found and _by_path(found)


def _by_path(funnel) -> dict[str, tuple[int, int]]:
    return {".".join(node["path"]): (node["matched"], node["nearMisses"]) for node in funnel["nodes"]}


async def populate(api) -> None:
    """Ada has everything, Bob lacks a click, Cyd the country, Dan the consent and the click, Eve everything."""
    mailed = [{"channel": "EMAIL", "status": "ACTIVE"}]
    await api.upsert(
        {"externalId": "ada", "country": "LT", "channels": mailed},
        {"externalId": "bob", "country": "LT", "channels": mailed},
        {"externalId": "cyd", "country": "LV", "channels": mailed},
        {"externalId": "dan", "country": "LT"},
        {"externalId": "eve"},
    )
    await api.track(*({"subscriber": {"externalId": name}, "name": "clicked"} for name in ("ada", "cyd")))
    await api.tick()


async def test_every_node_in_the_order_of_an_explanation(api):
    await populate(api)

    found = await preview(api, {"all": [LITHUANIA, MAILED, CLICKED]})

    assert found["memberCount"] == 1
    assert found["funnel"]["people"] == 5
    assert found["funnel"]["isExact"] is True
    assert found["funnel"]["nodes"] == [
        {"path": path, "summary": summary, "matched": matched, "matchedMargin": 0, "nearMisses": misses, "nearMissesMargin": 0}
        for path, summary, matched, misses in [
            ([], 'whose country is "LT" and whose email status is active and who did clicked at least once in the last 7 days', 1, 4),
            (["all", "0"], 'whose country is "LT"', 3, 1),
            (["all", "1"], "whose email status is active", 3, 0),
            (["all", "2"], "who did clicked at least once in the last 7 days", 2, 1),
        ]
    ]  # fmt: skip


async def test_a_segment_has_the_funnel_of_its_condition_now(api):
    await populate(api)
    segment = await api.segment("Clickers", {"any": [{"not": MAILED}, {"all": [LITHUANIA, CLICKED]}]})

    assert await counts_of(api, segment) == {
        "": (3, 2),
        "any.0": (2, 2),
        "any.0.not": (3, 2),
        "any.1": (1, 2),
        "any.1.all.0": (3, 1),
        "any.1.all.1": (2, 1),
    }
    api.clock.advance(timedelta(days=7))
    later = await counts_of(api, segment)
    assert later is not None
    assert later["any.1.all.1"] == (0, 2)


async def test_a_paused_segment_has_one_too_and_a_failed_one_has_none(api):
    await populate(api)
    paused = await api.segment("Paused", LITHUANIA)
    failed = await api.segment("Failed", LITHUANIA)
    await api.data(
        "mutation ($id: ID!) { pauseSegment(input: {id: $id}) { ... on Segment { state } } }", id=paused
    )
    await api.services.ports.database.fetch(
        "UPDATE segments SET failure = 'too much' WHERE workspace_id = $1 AND name = 'Failed'",
        api.access.workspace.id,
    )
    await api.upsert({"externalId": "fay", "country": "LT"})

    assert await counts_of(api, paused) == {"": (4, 2)}
    assert await counts_of(api, failed) is None


async def test_a_nested_segment_is_one_node(api):
    await populate(api)
    inner = await api.segment("Inner", {"all": [LITHUANIA, MAILED]})

    found = await counts(api, {"all": [{"segment": {"anyOf": [inner]}}, CLICKED]})

    assert found == {"": (1, 4), "all.0": (2, 1), "all.1": (2, 1)}


async def test_later_moves_the_clock_of_the_nodes_inside_it(api):
    await populate(api)

    found = await counts(
        api, {"all": [CLICKED, {"later": {"by": {"days": 7}, "condition": {"not": CLICKED}}}]}
    )

    assert found == {
        "": (2, 3),
        "all.0": (2, 3),
        "all.1": (5, 0),
        "all.1.later.condition": (5, 0),
        "all.1.later.condition.not": (0, 0),
    }


async def test_empty_lists(api):
    await populate(api)

    assert await counts(api, {"all": []}) == {"": (5, 0)}
    assert await counts(api, {"all": [{"any": []}, LITHUANIA]}) == {
        "": (0, 5),
        "all.0": (0, 3),
        "all.1": (3, 0),
    }


async def test_an_audience_without_people(api):
    assert await counts(api, {"all": [LITHUANIA, CLICKED]}) == {"": (0, 0), "all.0": (0, 0), "all.1": (0, 0)}


async def test_other_workspaces_do_not_count(api, stranger):
    await populate(stranger)
    await api.upsert({"externalId": "ada", "country": "LV"})

    assert await counts(api, LITHUANIA) == {"": (0, 1)}


async def test_pages_of_near_miss_people(api):
    await populate(api)
    await api.upsert(*({"externalId": f"click {number}", "country": "LT"} for number in range(5)))
    condition = {"all": [LITHUANIA, CLICKED]}

    first = await api.data(PREVIEW_PEOPLE, condition=condition, first=4)
    node = first["previewSegment"]["funnel"]["nodes"][2]
    second = await api.data(
        PREVIEW_PEOPLE, condition=condition, first=4, after=node["nearMissPeople"]["pageInfo"]["endCursor"]
    )
    rest = second["previewSegment"]["funnel"]["nodes"][2]["nearMissPeople"]

    names = [edge["node"]["externalId"] for edge in (*node["nearMissPeople"]["edges"], *rest["edges"])]
    assert node["path"] == ["all", "1"]
    assert node["nearMisses"] == 7
    assert (node["nearMissPeople"]["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (
        True,
        False,
    )
    assert sorted(names) == ["bob", *(f"click {number}" for number in range(5)), "dan"]
    other = first["previewSegment"]["funnel"]["nodes"][1]["nearMissPeople"]
    assert [edge["node"]["externalId"] for edge in other["edges"]] == ["cyd"]


async def test_near_miss_people_of_a_segment_are_those_of_its_preview(api):
    await populate(api)
    condition = {"all": [{"not": {"all": [LITHUANIA, {"not": CLICKED}]}}, MAILED]}
    segment = await api.segment("Deep", condition)

    found = await api.data(
        """query ($id: ID!) { segment(by: {id: $id}) { funnel { nodes { path nearMisses nearMissPeople { edges { node { externalId } } } } } } }""",
        id=segment,
    )

    nodes = found["segment"]["funnel"]["nodes"]
    people = {
        ".".join(node["path"]): {edge["node"]["externalId"] for edge in node["nearMissPeople"]["edges"]}
        for node in nodes
    }
    assert people == {
        "": {"bob", "dan", "eve"},
        "all.0": {"bob"},
        "all.0.not": {"bob"},
        "all.0.not.all.0": {"bob"},
        "all.0.not.all.1": {"bob"},
        "all.0.not.all.1.not": {"bob"},
        "all.1": {"eve"},
    }
    assert {path: len(names) for path, names in people.items()} == {
        ".".join(node["path"]): node["nearMisses"] for node in nodes
    }


async def test_people_are_read_only_when_they_are_asked_for(api):
    await populate(api)
    condition = {"all": [LITHUANIA, CLICKED]}

    with api.counting() as without:
        await api.data(
            "query ($condition: ConditionInput!) { previewSegment(condition: $condition) { __typename } }",
            condition=condition,
        )
    with api.counting() as with_funnel:
        await preview(api, condition)
    with api.counting() as with_people:
        await api.data(PREVIEW_PEOPLE, condition=condition)

    def reads(statements: list[str], part: str) -> int:
        return sum(part in statement for statement in statements)

    assert [reads(it, "word_0") for it in (without, with_funnel, with_people)] == [0, 1, 1]
    assert [reads(it, "SELECT p.* FROM buckets") for it in (without, with_funnel, with_people)] == [0, 0, 3]


async def test_funnels_of_many_segments_with_pages_of_people_are_too_dear(api):
    document = """{ segments(first: 20) { edges { node { funnel { nodes { nearMissPeople(first: 10) { edges { node { id } } } } } } } } }"""

    (refused,) = await api.errors(document)

    assert refused["extensions"]["code"] == "COST_LIMIT"


async def test_a_small_budget_gives_estimates_with_margins(api, monkeypatch):
    await api.upsert(
        *({"externalId": str(number), "country": "LT" if number % 2 else "LV"} for number in range(600))
    )
    share = Budget(seconds=0, first_seconds=60, first_share=1 / 3, whole_up_to=0)
    monkeypatch.setattr("audience_gql.api.insights.funnel._budget", lambda _: share)

    found = (await preview(api, {"all": [LITHUANIA, CLICKED]}))["funnel"]

    assert found["people"] == 600
    assert found["isExact"] is False
    whole, country, clicked = found["nodes"]
    assert (whole["matched"], whole["nearMisses"]) == (0, 600)
    assert abs(country["matched"] - 300) <= 2 * country["matchedMargin"] < 300
    assert clicked["nearMisses"] == country["matched"]
    assert clicked["nearMissesMargin"] == country["matchedMargin"]
    assert clicked["matchedMargin"] > 0


async def test_slices_together_are_exact(api):
    await api.upsert(
        *({"externalId": str(number), "country": "LT" if number % 2 else "LV"} for number in range(200))
    )
    condition = {"any": [LITHUANIA, CLICKED]}
    segment = await api.segment("Sliced", condition)
    slices = Budget(seconds=3600, first_seconds=60, whole_up_to=0)
    number = await api.services.ports.database.fetchval(
        "SELECT id FROM segments WHERE workspace_id = $1", api.access.workspace.id
    )

    (found,) = (
        await funnels.segment_funnels(
            ports=api.services.ports,
            workspace_id=api.access.workspace.id,
            segment_ids=[number],
            budget=slices,
        )
    ).values()

    assert found.is_exact
    assert [(node.matched.count, node.near_misses.count) for node in found.nodes] == [
        (100, 100),
        (100, 100),
        (0, 100),
    ]
    assert await counts_of(api, segment) == {"": (100, 100), "any.0": (100, 100), "any.1": (0, 100)}
