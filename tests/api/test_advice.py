"""Advice about segments, when they were last read, and reviews."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random

from audience_gql.audience.insights.pairs import Pairs
from tests.api.buckets import another_bucket

ADVICE = """
query ($kinds: [SegmentAdviceKind!], $first: Int) {
  segmentAdvice(kinds: $kinds, first: $first) { kind segment { name } other { name } people message }
}
"""
REVIEW = """
mutation ($ids: [ID!]!) {
  markReviewed(input: {segmentIds: $ids}) {
    __typename
    ... on MarkReviewedPayload { segments { name reviewedAt } }
    ... on UserError { message path }
  }
}
"""
TIMES = "query ($id: ID!) { segment(by: {id: $id}) { reviewedAt lastReadAt } }"
MEMBERS = "query ($id: ID!) { segment(by: {id: $id}) { members { edges { node { id } } } } }"
LITHUANIA = {"country": {"is": "LT"}}
BOUGHT = {"event": {"name": "bought"}}


async def advice(api, *kinds: str) -> list[tuple[object, ...]]:
    """(kind, segment, other, people) of each advice."""
    found = (await api.data(ADVICE, kinds=list(kinds)))["segmentAdvice"]
    return [(it["kind"], _name(it["segment"]), _name(it["other"]), it["people"]) for it in found]


async def messages(api, *kinds: str) -> list[str]:
    return [it["message"] for it in (await api.data(ADVICE, kinds=list(kinds)))["segmentAdvice"]]


def _name(segment) -> str | None:
    return segment and segment["name"]


async def times(api, segment) -> dict[str, str | None]:
    await api.services.reads.settle()
    return (await api.data(TIMES, id=segment))["segment"]


async def populate(api, lithuanians: int, others: int) -> None:
    await api.upsert(
        *(
            {"externalId": f"lt {number}", "country": "LT", "city": str(number)}
            for number in range(lithuanians)
        ),
        *({"externalId": f"other {number}", "country": "LV"} for number in range(others)),
    )
    await api.tick()


async def test_nothing_to_advise(api):
    await populate(api, 3, 2)
    await api.segment("Lithuania", LITHUANIA)

    assert await advice(api) == []


async def test_a_workspace_without_people_or_segments(api, stranger):
    assert await advice(api) == []
    await stranger.segment("Everybody", {"all": []})
    assert await advice(stranger) == []


async def test_an_empty_one_and_one_with_everybody(api):
    await populate(api, 2, 1)
    await api.segments({"None": {"country": {"is": "EE"}}, "All": {"country": {"isSet": True}}})

    assert await advice(api) == [("EMPTY", "None", None, 0), ("EVERYBODY", "All", None, 3)]
    assert await messages(api) == [
        'Nobody is in "None". Look at the funnel of its condition, and change the condition or delete the segment.',
        'All 3 people are in "All", so it leaves nobody out. Change its condition or delete the segment.',
    ]


async def test_a_paused_or_computing_segment_gets_no_advice_about_its_members(api):
    await populate(api, 2, 1)
    paused = await api.segment("Paused", {"country": {"is": "EE"}})
    await api.data("mutation ($id: ID!) { pauseSegment(input: {id: $id}) { __typename } }", id=paused)
    await api.data(
        'mutation { createSegment(input: {name: "Computing", condition: {country: {is: "EE"}}}) { __typename } }'
    )

    assert await advice(api) == []


async def test_equal_and_alike_ones(api):
    await populate(api, 40, 20)
    await api.segments(
        {
            "Lithuania": LITHUANIA,
            "Not Latvia": {"not": {"country": {"is": "LV"}}},
            "Most of it": {"all": [LITHUANIA, {"city": {"notIn": ["0", "1"]}}]},
            "Less of it": {"all": [LITHUANIA, {"city": {"notIn": ["0", "1", "2"]}}]},
        }
    )

    assert await advice(api, "EQUAL", "ALIKE") == [
        ("EQUAL", "Not Latvia", "Lithuania", 40),
        ("ALIKE", "Less of it", "Most of it", 37),
        ("ALIKE", "Most of it", "Lithuania", 38),
    ]
    assert await messages(api, "EQUAL", "ALIKE") == [
        '"Not Latvia" and "Lithuania" have the same 40 members. Keep one of them.',
        '"Less of it" and "Most of it" have 37 members in common, which is 97.4 % of all who are in either. Check whether one of them is enough.',
        '"Most of it" and "Lithuania" have 38 members in common, which is 95.0 % of all who are in either. Check whether one of them is enough.',
    ]


async def test_95_per_cent_are_alike_and_less_are_not(api):
    await populate(api, 20, 5)
    await api.segments({"Twenty": LITHUANIA, "Nineteen": {"all": [LITHUANIA, {"city": {"isNot": "0"}}]}})

    assert await advice(api, "ALIKE") == [("ALIKE", "Nineteen", "Twenty", 19)]
    await api.segment(
        "Eighteen and others", {"any": [{"city": {"notIn": ["0", "1"]}}, {"externalId": {"is": "other 0"}}]}
    )
    assert [it for it in await advice(api, "ALIKE") if it[1] == "Eighteen and others"] == []


async def test_one_inside_another(api):
    await populate(api, 12, 12)
    await api.segments(
        {
            "Twelve": LITHUANIA,
            "Ten": {"all": [LITHUANIA, {"city": {"in": [str(number) for number in range(10)]}}]},
            "Eight": {"all": [LITHUANIA, {"city": {"in": [str(number) for number in range(8)]}}]},
            "Six": {"city": {"in": [str(number) for number in range(6)]}},
            "Ten others": {"externalId": {"in": [f"other {number}" for number in range(10)]}},
        }
    )

    assert await advice(api, "CONTAINED") == [
        ("CONTAINED", "Eight", "Ten", 8),  # of Twelve, it is less than 80 %
        ("CONTAINED", "Ten", "Twelve", 10),
    ]
    assert (await messages(api, "CONTAINED"))[0] == (
        'All 8 members of "Eight" are in "Ten" too, which has 10. Whoever writes to both reaches them twice. Exclude one in the other\'s '
        "condition, or use only the larger one."
    )


async def test_the_smallest_one_around_it_is_told(api):
    await populate(api, 20, 30)
    seventeen = {"city": {"in": [str(number) for number in range(17)]}}
    await api.segments(
        {"Twenty-five": {"any": [LITHUANIA, {"externalId": {"in": [f"other {n}" for n in range(5)]}}]}}
    )
    await api.segments({"Seventeen": seventeen, "Twenty": LITHUANIA})

    assert await advice(api, "CONTAINED") == [
        ("CONTAINED", "Seventeen", "Twenty", 17),
        ("CONTAINED", "Twenty", "Twenty-five", 20),
    ]


async def test_one_that_reads_the_other_is_inside_it_on_purpose(api):
    await populate(api, 12, 8)
    twelve = await api.segment("Twelve", LITHUANIA)
    eleven = {"city": {"in": [str(number) for number in range(11)]}}
    inside = await api.segment("Inside", {"all": [{"segment": {"anyOf": [twelve]}}, eleven]})
    await api.segment("Inside of it", {"all": [{"segment": {"anyOf": [inside]}}, {"city": {"isNot": "0"}}]})

    assert await advice(api, "EQUAL", "ALIKE", "CONTAINED") == []


async def test_one_that_reads_the_other_has_the_same_members_on_purpose(api):
    await populate(api, 12, 8)
    twelve = await api.segment("Twelve", LITHUANIA)
    await api.segment("The same", {"any": [{"segment": {"anyOf": [twelve]}}, BOUGHT]})

    assert await advice(api, "EQUAL", "ALIKE", "CONTAINED") == []


async def test_one_with_everybody_contains_nothing_worth_telling(api):
    await populate(api, 12, 2)
    await api.segments({"All": {"country": {"isSet": True}}, "Most": LITHUANIA})

    assert await advice(api, "ALIKE", "CONTAINED") == []


async def test_one_that_never_changes(api):
    await populate(api, 2, 3)
    await api.segments(
        {"Buyers": {"any": [BOUGHT, LITHUANIA]}, "Sampled": {"sample": {"to": 50, "salt": "x"}}}
    )
    api.clock.advance(timedelta(days=90))
    await api.tick()

    assert await advice(api, "NEVER_CHANGING") == []
    api.clock.advance(timedelta(seconds=1))
    assert await advice(api, "NEVER_CHANGING") == [("NEVER_CHANGING", "Buyers", None, 2)]
    assert await messages(api, "NEVER_CHANGING") == [
        (
            'Nobody has entered or left "Buyers" for 90 days, although its condition can change. Check whether the facts that it reads '
            "still arrive."
        )
    ]
    await api.track({"subscriber": {"externalId": "other 0"}, "name": "bought"})
    await api.tick()
    assert await advice(api, "NEVER_CHANGING") == []


async def test_one_that_nobody_uses(api):
    await populate(api, 2, 1)
    names = ["Unused", "Read", "Nested", "Followed", "Starts", "Asked"]
    ids = dict(zip(names, await api.segments(dict.fromkeys(names, LITHUANIA)), strict=True))
    await api.segment("Reader", {"any": [{"segment": {"anyOf": [ids["Nested"]]}}, BOUGHT]})
    group = await api.group("Group")
    for name, automation in {
        "starts": {"trigger": {"segment": ids["Starts"]}},
        "asks": {"trigger": {"group": group}, "onlyIf": {"segment": {"anyOf": [ids["Asked"]]}}},
    }.items():
        made = await api.data(
            "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { __typename ... on UserError { message path } } }",
            input={
                "name": name,
                "on": ["ENTERED"],
                "actions": [{"addToGroup": await api.group(f"of {name}")}],
                **automation,
            },
        )
        assert made["createAutomation"]["__typename"] == "Automation", made
    api.clock.advance(timedelta(days=90, seconds=1))
    await api.data(MEMBERS, id=ids["Read"])
    await api.data(
        "query ($ids: [ID!]) { membershipChanges(segmentIds: $ids) { cursor } }", ids=[ids["Followed"]]
    )
    await api.services.reads.settle()

    assert await advice(api, "UNUSED") == [("UNUSED", "Reader", None, 2), ("UNUSED", "Unused", None, 2)]
    assert (await messages(api, "UNUSED"))[1] == (
        'Nobody has read "Unused" for 90 days, and no automation and no other segment names it. Delete it if nobody needs it.'
    )
    api.clock.advance(timedelta(days=90, seconds=1))
    assert ("UNUSED", "Read", None, 2) in await advice(api, "UNUSED")


async def test_a_read_is_noted_at_most_once_an_hour(api):
    segment = await api.segment("Lithuania", LITHUANIA)

    assert (await times(api, segment))["lastReadAt"] is None
    await api.data(MEMBERS, id=segment)
    assert (await times(api, segment))["lastReadAt"] == "2026-03-01T12:00:00Z"
    api.clock.advance(timedelta(hours=1))
    await api.data(MEMBERS, id=segment)
    assert (await times(api, segment))["lastReadAt"] == "2026-03-01T12:00:00Z"
    api.clock.advance(timedelta(seconds=1))
    await api.data(MEMBERS, id=segment)
    assert (await times(api, segment))["lastReadAt"] == "2026-03-01T13:00:01Z"


async def test_every_way_to_read_is_noted(api):
    start = (await api.data("{ membershipChanges { cursor } }"))["membershipChanges"]["cursor"]
    names = ["members", "changes", "feed", "listening", "watching", "exported", "none"]
    ids = dict(zip(names, await api.segments(dict.fromkeys(names, LITHUANIA)), strict=True))
    await api.data(MEMBERS, id=ids["members"])
    await api.data(
        "query ($id: ID!) { segment(by: {id: $id}) { membershipChanges { edges { cursor } } } }",
        id=ids["changes"],
    )
    await api.data(
        "query ($ids: [ID!]) { membershipChanges(segmentIds: $ids) { cursor } }", ids=[ids["feed"]]
    )
    listening = api.subscribe(
        "subscription ($ids: [ID!], $after: String) { membershipChanges(segmentIds: $ids, after: $after) { cursor } }",
        ids=[ids["listening"]],
        after=start,
    )
    await anext(listening)
    await listening.aclose()
    watching = api.subscribe(
        "subscription ($ids: [ID!]!) { segmentUpdates(ids: $ids) { name } }", ids=[ids["watching"]]
    )
    await anext(watching)
    await watching.aclose()
    await api.data(
        "mutation ($id: ID!) { exportList(input: {list: {segmentId: $id}, format: CSV}) { __typename } }",
        id=ids["exported"],
    )
    await api.data("query ($id: ID!) { segment(by: {id: $id}) { memberCount } }", id=ids["none"])

    read = {name for name, id_ in ids.items() if (await times(api, id_))["lastReadAt"]}
    assert read == set(names) - {"none"}


async def test_other_workspaces_segments_are_not_noted(api, stranger):
    theirs = await stranger.segment("Theirs", LITHUANIA)

    await api.data("query ($ids: [ID!]) { membershipChanges(segmentIds: $ids) { cursor } }", ids=[theirs])
    await api.services.reads.settle()

    assert (await times(stranger, theirs))["lastReadAt"] is None


async def test_one_that_nobody_reviews(api):
    await populate(api, 2, 1)
    segment = await api.segment("Lithuania", LITHUANIA)

    api.clock.advance(timedelta(days=90))
    assert await advice(api, "NEVER_REVIEWED") == []
    api.clock.advance(timedelta(seconds=1))
    assert await messages(api, "NEVER_REVIEWED") == [
        'Nobody has reviewed "Lithuania" since it was created 90 days ago. Check its condition, then mark it as reviewed.'
    ]
    reviewed = (await api.data(REVIEW, ids=[segment, segment]))["markReviewed"]
    assert reviewed["segments"] == [{"name": "Lithuania", "reviewedAt": "2026-05-30T12:00:01Z"}]
    assert (await times(api, segment))["reviewedAt"] == "2026-05-30T12:00:01Z"
    api.clock.advance(timedelta(days=180))
    assert await advice(api, "NEVER_REVIEWED") == []
    api.clock.advance(timedelta(seconds=1))
    assert await messages(api, "NEVER_REVIEWED") == [
        'Nobody has reviewed "Lithuania" for 180 days. Check its condition, then mark it as reviewed.'
    ]


async def test_a_refused_review_marks_nothing(api, stranger):
    segment = await api.segment("Ours", LITHUANIA)
    theirs = await stranger.segment("Theirs", LITHUANIA)

    unknown = (await api.data(REVIEW, ids=[segment, theirs]))["markReviewed"]
    none = (await api.data(REVIEW, ids=[]))["markReviewed"]
    many = (await api.data(REVIEW, ids=[segment] * 101))["markReviewed"]

    assert (unknown["__typename"], unknown["path"]) == ("NotFound", ["input", "segmentIds", "1"])
    assert (none["__typename"], none["message"]) == ("InvalidInput", "takes 1 to 100 segments, not 0")
    assert (many["__typename"], many["message"]) == ("InvalidInput", "takes 1 to 100 segments, not 101")
    assert (await times(api, segment))["reviewedAt"] is None


async def test_many_small_ones(api):
    await populate(api, 15, 900)
    await api.upsert(*({"externalId": f"more {number}"} for number in range(600)))
    await api.segments({f"Small {number:02}": {"city": {"is": str(number)}} for number in range(10)})

    assert await advice(api, "TOO_SMALL") == []
    await api.segment("Small too", {"city": {"in": ["11", "12"]}})
    assert await advice(api, "TOO_SMALL") == [("TOO_SMALL", None, None, 2)]
    assert await messages(api, "TOO_SMALL") == [
        (
            '11 segments have less than 1 % of the audience each, for example "Small 00", "Small 01", "Small 02". Consider larger segments: '
            "they are easier to compare and to keep up to date."
        )
    ]


async def test_the_order_and_the_number_of_answers(api):
    await populate(api, 1, 1)
    await api.segments(
        {"b": {"country": {"is": "EE"}}, "a": {"country": {"is": "EE"}}, "c": {"country": {"isSet": True}}}
    )

    assert [it[:2] for it in await advice(api)] == [("EMPTY", "a"), ("EMPTY", "b"), ("EVERYBODY", "c")]
    found = (await api.data(ADVICE, first=1))["segmentAdvice"]
    assert [it["segment"]["name"] for it in found] == ["a"]
    (refused,) = await api.errors(ADVICE, first=101)
    assert refused["extensions"]["code"] == "BAD_USER_INPUT"


async def test_advice_reads_only_its_own_workspace(api, stranger):
    await populate(stranger, 2, 1)
    await stranger.segment("Theirs", {"country": {"is": "EE"}})

    assert await advice(api) == []


def test_pairs_found_slice_by_slice_are_those_of_all_pairs():
    """Random segments, many of them nearly alike or inside one another, against all pairs of sets."""
    for seed in range(30):
        chance = Random(seed)
        people = [chance.getrandbits(62) for _ in range(400)]
        segments: dict[int, set[int]] = {}
        for id_ in range(1, 26):
            if segments and chance.random() < 0.7:
                base = set(chance.choice(list(segments.values())))
                some = chance.sample(sorted(base), min(len(base), chance.choice([0, 1, 3, 20])))
                base -= set(some)
                if chance.random() < 0.5:
                    base |= set(chance.sample(people, chance.choice([0, 1, 4])))
            else:
                base = set(chance.sample(people, chance.randrange(1, 400)))
            segments[id_] = base or {people[0]}

        pairs = Pairs({id_: len(members) for id_, members in segments.items()})
        bounds = [0, *sorted(chance.getrandbits(62) for _ in range(chance.randrange(5))), 2**62]
        for after, upto in pairwise(bounds):
            wanted = pairs.segment_ids
            pairs.see({id_: [it for it in segments[id_] if after <= it < upto] for id_ in wanted})

        found = {
            (pair.small, pair.large): (pair.both, pair.is_equal, pair.is_alike, pair.is_contained)
            for pair in pairs.found()
        }
        assert found == _all_pairs(segments), seed


def _all_pairs(segments: dict[int, set[int]]) -> dict[tuple[int, int], tuple[int, bool, bool, bool]]:
    found = {}
    for small, few in segments.items():
        for large, many in segments.items():
            if (len(few), -small) >= (len(many), -large):
                continue
            both = len(few & many)
            is_alike, is_contained = both / len(few | many) >= 0.95, few <= many
            if is_alike or (is_contained and len(few) >= 0.8 * len(many)):
                found[small, large] = (both, few == many, is_alike, is_contained)
    return found


async def test_pairs_are_counted_over_all_buckets_in_slices(api, monkeypatch):
    monkeypatch.setattr("audience_gql.audience.insights.advice._MEMBERSHIPS_AT_ONCE", 20)
    await populate(api, 19, 5)
    await api.segments({"Lithuania": LITHUANIA, "City": {"city": {"isSet": True}}})
    await another_bucket(api)
    await api.upsert(
        *({"externalId": f"city {number}", "city": "Vilnius", "country": "LT"} for number in range(20)),
        {"externalId": "no city", "country": "LT"},
    )
    await api.tick()

    assert await advice(api, "EQUAL", "ALIKE", "CONTAINED") == [("ALIKE", "City", "Lithuania", 39)]
    await api.upsert(*({"externalId": f"no city {number}", "country": "LT"} for number in range(2)))
    await api.tick()
    assert await advice(api, "EQUAL", "ALIKE", "CONTAINED") == [("CONTAINED", "City", "Lithuania", 39)]


async def test_only_the_largest_segments_are_compared(api, monkeypatch):
    monkeypatch.setattr("audience_gql.audience.insights.advice.MOST_COMPARED", 2)
    await populate(api, 4, 3)
    await api.segments({"Small": {"city": {"is": "0"}}, "Small again": {"city": {"in": ["0"]}}})
    await api.segments({"Large": LITHUANIA, "Large again": {"not": {"country": {"is": "LV"}}}})

    assert await advice(api, "EQUAL") == [("EQUAL", "Large again", "Large", 4)]


async def test_changes_in_the_shortened_log_are_changes(api):
    await populate(api, 2, 3)
    await api.segment("Buyers", {"any": [BOUGHT, LITHUANIA]})
    api.clock.advance(timedelta(days=60))
    await api.track({"subscriber": {"externalId": "other 0"}, "name": "bought"})
    await api.tick()
    await api.services.ports.database.fetch(
        "WITH gone AS (DELETE FROM membership_changes WHERE bucket_id = $1 RETURNING list_id, occurred_at) "
        "INSERT INTO segment_hours SELECT $1, g.list_id, date_trunc('hour', max(g.occurred_at)), count(*), 0 FROM gone g GROUP BY g.list_id",
        api.bucket_id,
    )
    api.clock.advance(timedelta(days=40))

    assert await advice(api, "NEVER_CHANGING") == []
    api.clock.advance(timedelta(days=51))
    assert await advice(api, "NEVER_CHANGING") == [("NEVER_CHANGING", "Buyers", None, 3)]
