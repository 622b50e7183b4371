"""previewSegment: every answer it can give, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

PREVIEW = """
query ($condition: ConditionInput!, $sample: Int, $comparedTo: ID) {
  previewSegment(condition: $condition, sample: $sample, comparedTo: $comparedTo) {
    __typename
    ... on SegmentPreview {
      memberCount margin summary warnings wouldEnter wouldLeave
      sample { externalId channels { status } segments(first: 1) { edges { node { name } } } }
    }
    ... on UserError { message path }
    ... on InvalidInput { issues { code path } }
    ... on SegmentCycle { cycle { name } }
  }
}
"""
LITHUANIA = {"country": {"is": "LT"}}


async def preview(api, condition, *, sample=5, **more):
    return (await api.data(PREVIEW, condition=condition, sample=sample, **more))["previewSegment"]


def inside(segment_id: str) -> dict[str, object]:
    return {"segment": {"anyOf": [segment_id]}}


async def test_who_it_would_hold(api):
    await api.upsert(
        {"externalId": "ada", "country": "LT", "channels": [{"channel": "EMAIL", "status": "ACTIVE"}]},
        {"externalId": "bob", "country": "LV"},
        {"externalId": "cyd"},
    )

    found = await preview(api, {"country": {"isNot": "LV"}})

    assert found == {
        "__typename": "SegmentPreview",
        "memberCount": 1,
        "margin": 0,
        "summary": 'People whose country is set, but not "LV".',
        "warnings": ["People without a country are left out."],
        "wouldEnter": None,
        "wouldLeave": None,
        "sample": [{"externalId": "ada", "channels": [{"status": "ACTIVE"}], "segments": {"edges": []}}],
    }


async def test_an_edit_is_counted_before_it_is_saved(api):
    await api.upsert({"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "LV"})
    segment = await api.segment("Baltic", {"country": {"isSet": True}})
    await api.upsert({"externalId": "cyd"}, {"externalId": "dan"})
    await api.tick()

    found = await preview(api, {"not": LITHUANIA}, comparedTo=segment, sample=0)

    assert (found["memberCount"], found["wouldEnter"], found["wouldLeave"]) == (3, 2, 1)
    assert found["sample"] == []
    unchanged = await preview(api, {"country": {"isSet": True}}, comparedTo=segment)
    assert (unchanged["wouldEnter"], unchanged["wouldLeave"], unchanged["warnings"]) == (0, 0, [])


async def test_empty_lists_and_the_same_as_another_segment(api):
    await api.upsert({"externalId": "ada"})
    await api.segment("Lithuania", {"all": [LITHUANIA]})
    await api.upsert({"externalId": "bob", "country": "lt"})

    everyone = await preview(api, {"all": []})
    no_one = await preview(api, {"all": [{"any": []}]})
    same = await preview(api, {"not": {"not": {"country": {"in": ["lt"]}}}})

    assert (everyone["memberCount"], everyone["warnings"]) == (2, ["It is always true: it matches everyone."])
    assert (no_one["memberCount"], no_one["warnings"]) == (0, ["It is never true: it can match no one."])
    assert (same["memberCount"], same["warnings"]) == (1, ['It means the same as the segment "Lithuania".'])


async def test_events_and_values_that_nobody_has(api):
    await api.upsert({"externalId": "ada", "country": "LT"})
    await api.track({"subscriber": {"externalId": "ada"}, "name": "bought"})

    found = await preview(
        api,
        {"any": [LITHUANIA, {"country": {"is": "XX"}}, {"event": {"name": "bougth"}}, {"event": {"name": "bought"}}]},
    )  # fmt: skip

    assert found["warnings"] == [
        'No event called "bougth" is known yet.',
        'There is nobody whose country is "XX".',
    ]


async def test_an_audience_without_people_is_not_blamed_for_its_values(api):
    assert (await preview(api, LITHUANIA))["warnings"] == []


async def test_all_problems_at_once_with_their_paths(api):
    found = await preview(
        api, {"all": [inside("nonsense"), {"field": {"key": "plan", "text": {"is": "x"}}}]}, sample=101
    )

    assert found["__typename"] == "InvalidInput"
    assert found["path"] == ["sample"]
    assert found["issues"] == [
        {"code": "OUT_OF_RANGE", "path": ["sample"]},
        {"code": "UNKNOWN", "path": ["condition", "all", "0", "segment", "anyOf", "0"]},
        {"code": "UNKNOWN", "path": ["condition", "all", "1", "field", "key"]},
    ]
    assert (await preview(api, LITHUANIA, sample=-1))["__typename"] == "InvalidInput"


async def test_too_much_with_what_it_reads_is_refused_as_when_it_is_saved(api):
    big = await api.segment("Big", {"any": [{"city": {"is": str(number)}} for number in range(199)]})
    condition = {"any": [inside(big)]}
    for number in range(4):
        more = [{"city": {"is": f"{number} {it}"}} for it in range(199)]
        condition["any"].append(inside(await api.segment(f"Big {number}", {"any": more})))
    ones = [{"region": {"is": str(number)}} for number in range(1, 6)]

    refused = await preview(api, {"any": [*condition["any"], *ones]})

    assert (await preview(api, condition))["__typename"] == "SegmentPreview"
    assert refused["issues"] == [{"code": "TOO_MANY", "path": ["condition"]}]


async def test_a_circle_is_refused_with_the_way_round(api):
    inner = await api.segment("Inner", LITHUANIA)
    outer = await api.segment("Outer", inside(inner))

    found = await preview(api, inside(outer), comparedTo=inner)
    itself = await preview(api, inside(inner), comparedTo=inner)

    assert (found["__typename"], found["path"]) == ("SegmentCycle", ["condition"])
    assert [it["name"] for it in found["cycle"]] == ["Outer", "Inner", "Outer"]
    assert [it["name"] for it in itself["cycle"]] == ["Inner", "Inner"]
    assert (await preview(api, inside(outer)))["__typename"] == "SegmentPreview"


@pytest.mark.parametrize("id_", ["nonsense", "seg_AQ"])
async def test_compared_to_what_is_not_there(api, id_):
    found = await preview(api, LITHUANIA, comparedTo=id_)

    assert (found["__typename"], found["path"]) == ("NotFound", ["comparedTo"])


async def test_other_workspaces_do_not_count(api, stranger):
    theirs = await stranger.segment("Theirs", LITHUANIA)
    await stranger.upsert({"externalId": "eve", "country": "LT"})
    await api.upsert({"externalId": "ada", "country": "LT"})

    found = await preview(api, {"country": {"is": "LT"}})

    assert (found["memberCount"], found["warnings"], len(found["sample"])) == (1, [], 1)
    assert (await preview(api, LITHUANIA, comparedTo=theirs))["__typename"] == "NotFound"
    assert (await preview(api, inside(theirs)))["issues"][0]["code"] == "UNKNOWN"


@pytest.mark.one_server("counts statements, and a cluster is asked once for each parent or bucket")
async def test_it_costs_the_same_statements_however_many_people_and_segments_there_are(api):
    await api.upsert({"externalId": "0", "country": "LT"})
    segment = await api.segment("segment", LITHUANIA)
    api.services = replace(api.services, settings=replace(api.services.settings, preview_seconds=3600.0))

    with api.counting() as for_one:
        one = await preview(api, LITHUANIA, comparedTo=segment)
    await api.upsert(*({"externalId": str(number), "country": "LT"} for number in range(1, 50)))
    for number in range(10):
        await api.segment(f"segment {number}", inside(segment))
    with api.counting() as for_many:
        many = await preview(api, LITHUANIA, comparedTo=segment, sample=50)

    assert (len(one["sample"]), len(many["sample"])) == (1, 50)
    assert len(for_many) == len(for_one) == 14


async def test_showing_people_costs_by_how_many_are_asked_for(api):
    (refused,) = await api.errors(
        """query ($sample: Int!) { previewSegment(condition: {all: []}, sample: $sample) { ... on SegmentPreview {
          sample { events(first: 100) { edges { node { id } } } } } } }""",
        sample=100,
    )

    assert refused["extensions"]["code"] == "COST_LIMIT"
