"""Splitting a segment at random, and comparing the people of two segments, over a part of a real log of purchases."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from math import sqrt
from typing import Any

import pytest

from audience_gql.audience.log.retention import prune
from audience_gql.demo.cdnow import Purchase, occurred_at, purchases
from tests.api.buckets import another_bucket
from tests.api.conftest import NOON, Api

SPLIT = """
mutation ($input: SplitSegmentInput!) {
  splitSegment(input: $input) {
    __typename
    ... on SplitSegmentPayload { segments { id name condition state summary } }
    ... on UserError { message path }
    ... on InvalidInput { issues { code message path } }
  }
}
"""
COMPARE = """
query ($a: ID!, $b: ID!, $from: DateTime!, $to: DateTime, $event: String = "bought", $days: Int, $share: Float) {
  compareSegments(a: $a, b: $b, event: $event, from: $from, to: $to, withinDays: $days, expectedShareOfA: $share) {
    inBoth warnings
    a { ...Side } b { ...Side }
    rateDifference { difference interval { low high } anytimeInterval { low high } }
    meanDifference { difference interval { low high } }
    sampleRatio { expectedShareOfA shareOfA pValue }
  }
}
fragment Side on ComparedSegment { segment { name } people converted rate rateInterval { low high } events value meanValue }
"""
MEMBERS = """
query ($id: ID!, $after: String) {
  segment(by: {id: $id}) {
    members(first: 100, after: $after) { edges { node { id externalId } } pageInfo { hasNextPage endCursor } }
  }
}
"""
EVERYBODY = {"externalId": {"isSet": True}}
START = "2026-03-01T12:00:00Z"


async def members(api: Api, segment: str) -> dict[str, str]:
    """The ids of a segment's members by their external ids."""
    found: dict[str, str] = {}
    after = None
    while True:
        page = (await api.data(MEMBERS, id=segment, after=after))["segment"]["members"]
        found |= {edge["node"]["externalId"]: edge["node"]["id"] for edge in page["edges"]}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def split(api: Api, segment: str, *names: str, salt: str | None = None, **more: Any) -> dict[str, str]:
    """Split a segment and fill the shares. Returns their ids by name."""
    shares = [{"name": name} for name in names]
    given = {"segmentId": segment, "shares": shares} | ({"salt": salt} if salt else {}) | more
    found = (await api.data(SPLIT, input=given))["splitSegment"]
    assert found["__typename"] == "SplitSegmentPayload", found
    await api.fill()
    return {made["name"]: made["id"] for made in found["segments"]}


async def people(api: Api, names: Iterable[str]) -> None:
    await api.upsert(*({"externalId": name} for name in names))
    await api.tick()


# ---- splitting


async def test_the_shares_are_disjoint_and_together_the_whole(api):
    whole = await api.segment("Whole", EVERYBODY)
    await people(api, (f"p{n}" for n in range(400)))

    shares = await split(api, whole, "one", "two", "three")

    found = [set(await members(api, id_)) for id_ in shares.values()]
    assert set().union(*found) == set(await members(api, whole))
    assert sum(map(len, found)) == 400
    assert all(90 < len(share) < 180 for share in found)  # 133 expected; 4.5 standard deviations


async def test_a_share_is_an_ordinary_condition_and_the_bounds_meet(api):
    whole = await api.segment("Whole", EVERYBODY)

    shares = [{"name": "a", "percent": 33.3}, {"name": "b", "percent": 0.1}, {"name": "c", "percent": 66.6}]
    found = await api.data(SPLIT, input={"segmentId": whole, "shares": shares, "salt": "spring"})

    assert [made["condition"] for made in found["splitSegment"]["segments"]] == [
        {"all": [{"segment": {"anyOf": [whole]}}, {"sample": {"from": low, "to": high, "salt": "spring"}}]}
        for low, high in ((0, 33.3), (33.3, 33.4), (33.4, 100))
    ]
    assert {made["state"] for made in found["splitSegment"]["segments"]} == {"COMPUTING"}


@pytest.mark.parametrize("count", range(2, 11))
async def test_equal_shares_have_bounds_that_meet(api, count):
    whole = await api.segment("Whole", EVERYBODY)

    found = await api.data(
        SPLIT, input={"segmentId": whole, "shares": [{"name": f"s{n}"} for n in range(count)]}
    )

    samples = [made["condition"]["all"][1]["sample"] for made in found["splitSegment"]["segments"]]
    assert [sample["from"] for sample in samples] == [0, *(sample["to"] for sample in samples[:-1])]
    assert samples[-1]["to"] == 100
    assert all(abs(it["to"] - it["from"] - 100 / count) < 1e-12 * 100 for it in samples)
    assert len({sample["salt"] for sample in samples}) == 1


async def test_everybody_is_in_the_share_that_the_handbook_computes(api):
    """The rule needs no state: SHA-256 over the salt and the number in the id. So another process, and another day, has the same shares."""
    whole = await api.segment("Whole", EVERYBODY)
    await people(api, (f"p{n}" for n in range(100)))
    shares = await split(api, whole, "low", "high", salt="autumn")

    await people(api, (f"late{n}" for n in range(100)))

    rows = await api.services.ports.database.fetch(
        "SELECT s.external_id, s.id FROM subscribers s WHERE s.bucket_id = $1", api.bucket_id
    )
    low = {row["external_id"] for row in rows if is_low("autumn", row["id"])}
    assert len(rows) == 200
    assert set(await members(api, shares["low"])) == low
    assert set(await members(api, shares["high"])) == {row["external_id"] for row in rows} - low


def is_low(salt: str, number: int) -> bool:
    return hashlib.sha256(f"{salt}:{number}".encode()).digest()[0] < 128


async def test_who_leaves_the_whole_comes_back_to_the_same_share(api):
    whole = await api.segment("Whole", {"country": {"is": "LT"}})
    await api.upsert(*({"externalId": f"p{n}", "country": "LT"} for n in range(60)))
    await api.tick()
    shares = await split(api, whole, "a", "b")
    before = set(await members(api, shares["a"]))

    await api.upsert(*({"externalId": f"p{n}", "country": "LV"} for n in range(60)))
    await api.tick()
    gone = await members(api, shares["a"])
    await api.upsert(*({"externalId": f"p{n}", "country": "LT"} for n in range(60)))
    await api.tick()

    assert gone == {}
    assert set(await members(api, shares["a"])) == before


async def test_two_splits_without_a_salt_are_independent(api):
    whole = await api.segment("Whole", EVERYBODY)
    await people(api, (f"p{n}" for n in range(200)))

    first = await split(api, whole, "a1", "b1")
    second = await split(api, whole, "a2", "b2")

    assert set(await members(api, first["a1"])) != set(await members(api, second["a2"]))


REFUSED = {
    "one share": ([{"name": "a"}], [("OUT_OF_RANGE", ["input", "shares"])]),
    "eleven shares": ([{"name": str(n)} for n in range(11)], [("OUT_OF_RANGE", ["input", "shares"])]),
    "the same name twice": (
        [{"name": "a"}, {"name": " A "}],
        [("CONFLICT", ["input", "shares", "1", "name"])],
    ),
    "no name": ([{"name": "a"}, {"name": " "}], [("REQUIRED", ["input", "shares", "1", "name"])]),
    "a missing percentage": (
        [{"name": "a", "percent": 50}, {"name": "b"}],
        [("REQUIRED", ["input", "shares", "1", "percent"])],
    ),
    "too little": (
        [{"name": "a", "percent": 50}, {"name": "b", "percent": 49.9}],
        [("CONFLICT", ["input", "shares"])],
    ),
    "nobody": (
        [{"name": "a", "percent": 100}, {"name": "b", "percent": 0}],
        [
            ("OUT_OF_RANGE", ["input", "shares", "0", "percent"]),
            ("OUT_OF_RANGE", ["input", "shares", "1", "percent"]),
        ],
    ),
    "too many decimals": (
        [{"name": "a", "percent": 33.3333333}, {"name": "b", "percent": 66.6666667}],
        [
            ("OUT_OF_RANGE", ["input", "shares", "0", "percent"]),
            ("OUT_OF_RANGE", ["input", "shares", "1", "percent"]),
        ],
    ),
}


@pytest.mark.parametrize(("shares", "issues"), REFUSED.values(), ids=REFUSED)
async def test_wrong_shares_are_refused_and_nothing_is_created(api, shares, issues):
    whole = await api.segment("Whole", EVERYBODY)

    found = (await api.data(SPLIT, input={"segmentId": whole, "shares": shares}))["splitSegment"]

    assert [(issue["code"], issue["path"]) for issue in found["issues"]] == issues
    assert await names(api) == ["Whole"]


async def test_a_name_in_use_is_refused_and_nothing_is_created(api):
    whole = await api.segment("Whole", EVERYBODY)

    shares = [{"name": "New"}, {"name": "whole"}]
    found = (await api.data(SPLIT, input={"segmentId": whole, "shares": shares}))["splitSegment"]

    assert (found["__typename"], found["path"]) == ("NameTaken", ["input", "shares", "1", "name"])
    assert await names(api) == ["Whole"]


async def test_an_unknown_or_paused_segment_and_an_empty_salt_are_refused(api, stranger):
    foreign = await stranger.segment("Foreign", EVERYBODY)
    whole = await api.segment("Whole", EVERYBODY)
    shares = [{"name": "a"}, {"name": "b"}]

    unknown = (await api.data(SPLIT, input={"segmentId": foreign, "shares": shares}))["splitSegment"]
    salt = (await api.data(SPLIT, input={"segmentId": whole, "shares": shares, "salt": ""}))["splitSegment"]
    await api.data("mutation ($id: ID!) { pauseSegment(input: {id: $id}) { __typename } }", id=whole)
    paused = (await api.data(SPLIT, input={"segmentId": whole, "shares": shares}))["splitSegment"]

    assert (unknown["__typename"], unknown["path"]) == ("NotFound", ["input", "segmentId"])
    assert (salt["issues"][0]["code"], salt["path"]) == ("REQUIRED", ["input", "salt"])
    assert (paused["issues"][0]["code"], paused["path"]) == ("CONFLICT", ["input", "segmentId"])
    assert await names(api) == ["Whole"]


async def names(api: Api) -> list[str]:
    found = await api.data("{ segments { edges { node { name } } } }")
    return [edge["node"]["name"] for edge in found["segments"]["edges"]]


# ---- comparing


@dataclass
class Tally:
    """What plain Python counts for one side."""

    values: list[Decimal] = field(default_factory=list)
    """The value of each person."""
    events: int = 0
    converted: int = 0

    def add(self, bought: list[Decimal]) -> None:
        self.values.append(sum(bought, Decimal()))
        self.events += len(bought)
        self.converted += bool(bought)

    def told(self, name: str) -> dict[str, Any]:
        return {
            "segment": {"name": name},
            "people": len(self.values),
            "converted": self.converted,
            "rate": self.converted / len(self.values),
            "events": self.events,
            "value": float(sum(self.values)),
            "meanValue": pytest.approx(float(sum(self.values)) / len(self.values), rel=1e-14),
        }


CUSTOMERS = 300
DAYS = timedelta(days=1)


def history() -> dict[str, list[Purchase]]:
    """The purchases of the log's first customers."""
    found: dict[str, list[Purchase]] = defaultdict(list)
    for purchase in purchases():
        found[purchase.customer_id].append(purchase)
    return dict(islice(found.items(), CUSTOMERS))


def joining(customer: str) -> datetime | None:
    """When a customer enters the whole: most before the log's first purchase, some months after it; None: never."""
    number = int(customer) % 10
    return None if number == 0 else NOON + max(number - 6, 0) * 30 * DAYS + timedelta(hours=1)


def bought_at(purchase: Purchase) -> datetime:
    """The first day of the log is 15 days after NOON, and its last day is 560 days after NOON."""
    return occurred_at(purchase, NOON + 560 * DAYS)


async def replayed(api: Api) -> tuple[dict[str, str], dict[str, list[Purchase]]]:
    """Customers of the log enter the whole over four months, and buy. Returns the ids of the shares."""
    log = history()
    whole = await api.segment("Whole", {"country": {"is": "LT"}})
    shares = await split(api, whole, "A", "B", salt="cdnow")
    await api.upsert(*({"externalId": customer} for customer in log))
    await api.tick()
    for start in sorted({at for customer in log if (at := joining(customer)) is not None}):
        now = await api.services.ports.clock.now(None)  # type: ignore[arg-type]  # the simulated clock needs none
        api.clock.advance(start - now)
        await api.upsert(*({"externalId": it, "country": "LT"} for it in log if joining(it) == start))
        await api.tick()
    api.clock.advance(NOON + 561 * DAYS - start)
    events = [
        {
            "subscriber": {"externalId": customer},
            "name": "bought",
            "occurredAt": bought_at(it).isoformat(),
            "value": float(it.dollars),
        }
        for customer, bought in log.items()
        for it in bought
    ]
    for first in range(0, len(events), 500):
        tracked = await api.track(*events[first : first + 500])
        assert tracked["rejects"] == []
    await api.upsert(
        *({"externalId": it} | {"country": "LV"} for it in log if int(it) % 4 == 0)
    )  # they leave
    await api.tick()
    return shares, log


def tallied(
    log: dict[str, list[Purchase]],
    low: set[str],
    start: datetime,
    end: datetime,
    within: timedelta | None = None,
) -> tuple[Tally, Tally]:
    a, b = Tally(), Tally()
    for customer, bought in log.items():
        entered = joining(customer)
        if entered is None or entered >= end:
            continue
        joined = max(entered, start)
        until = end if within is None else joined + within
        if until <= end:
            side = a if customer in low else b
            side.add([it.dollars for it in bought if joined <= bought_at(it) < until])
    return a, b


async def low_ones(api: Api) -> set[str]:
    rows = await api.services.ports.database.fetch(
        "SELECT s.external_id, s.id FROM subscribers s WHERE s.bucket_id = $1", api.bucket_id
    )
    return {row["external_id"] for row in rows if is_low("cdnow", row["id"])}


async def test_a_comparison_equals_plain_python(api):
    shares, log = await replayed(api)
    low = await low_ones(api)

    for days, length, within in ((15, 540, None), (0, 400, None), (20, 200, 60), (20, 100, 60)):
        start, end = NOON + days * DAYS, NOON + (days + length) * DAYS
        given = {"from": start.isoformat(), "to": end.isoformat(), "days": within}
        found = (await api.data(COMPARE, a=shares["A"], b=shares["B"], **given))["compareSegments"]

        a, b = tallied(log, low, start, end, None if within is None else within * DAYS)
        for side, tally, name in ((found["a"], a, "A"), (found["b"], b, "B")):
            assert {key: side[key] for key in tally.told(name)} == tally.told(name)
        assert min(a.converted, b.converted) > 0
        assert min(len(a.values), len(b.values)) > 50
        assert found["inBoth"] == 0
        assert found["warnings"] == []
        assert found["rateDifference"]["difference"] == found["b"]["rate"] - found["a"]["rate"]
        assert_means(found["meanDifference"], a, b)
        expected = {"expectedShareOfA": 0.5, "shareOfA": len(a.values) / (len(a.values) + len(b.values))}
        assert {key: found["sampleRatio"][key] for key in expected} == expected


def assert_means(found: dict[str, Any], a: Tally, b: Tally) -> None:
    mean_a, mean_b = (float(sum(it.values)) / len(it.values) for it in (a, b))
    error = sqrt(sum(variance(it) / len(it.values) for it in (a, b)))
    assert found["difference"] == pytest.approx(mean_b - mean_a, rel=1e-9)
    middle = (found["interval"]["low"] + found["interval"]["high"]) / 2
    assert middle == pytest.approx(mean_b - mean_a, rel=1e-9)
    assert 1.96 < (found["interval"]["high"] - found["interval"]["low"]) / 2 / error < 2.02


def variance(tally: Tally) -> float:
    mean = sum(tally.values, Decimal()) / len(tally.values)
    return float(sum(((value - mean) ** 2 for value in tally.values), Decimal()) / (len(tally.values) - 1))


async def test_the_anytime_interval_contains_the_other(api):
    shares, _ = await replayed(api)

    found = (await api.data(COMPARE, a=shares["A"], b=shares["B"], **{"from": NOON.isoformat()}))[
        "compareSegments"
    ]

    rates = found["rateDifference"]
    assert rates["anytimeInterval"]["low"] < rates["interval"]["low"] < rates["difference"]
    assert rates["difference"] < rates["interval"]["high"] < rates["anytimeInterval"]["high"]


async def two_lists(api: Api) -> tuple[str, str]:
    return (
        await api.segment("LT", {"country": {"is": "LT"}}),
        await api.segment("Bob", {"firstName": {"is": "Bob"}}),
    )


async def test_events_count_from_joining_on_also_after_leaving(api):
    a, b = await two_lists(api)
    api.clock.advance(timedelta(hours=1))
    await api.upsert({"externalId": "p", "country": "LT"}, {"externalId": "q", "firstName": "Bob"})
    await api.tick()
    api.clock.advance(timedelta(hours=1))
    await api.upsert({"externalId": "p", "country": "LV"})
    await api.tick()
    api.clock.advance(timedelta(hours=1))
    before, after = NOON + timedelta(minutes=59), NOON + timedelta(minutes=150)
    await api.track(
        *(
            {
                "subscriber": {"externalId": "p"},
                "name": "bought",
                "occurredAt": at.isoformat(),
                "value": value,
            }
            for at, value in ((before, 100), (NOON + timedelta(hours=1), 1), (after, 10))
        )
    )

    found = (await api.data(COMPARE, a=a, b=b, **{"from": START}))["compareSegments"]

    assert (found["a"]["people"], found["a"]["events"], found["a"]["value"]) == (1, 2, 11)
    assert (found["b"]["people"], found["b"]["converted"], found["b"]["rate"]) == (1, 0, 0)
    assert found["meanDifference"] == {"difference": -11, "interval": None}
    assert found["sampleRatio"] is None


async def test_who_left_before_the_period_is_not_compared(api):
    a, b = await two_lists(api)
    await api.upsert({"externalId": "p", "country": "LT"}, {"externalId": "q", "country": "LT"})
    await api.tick()
    api.clock.advance(timedelta(hours=1))
    await api.upsert({"externalId": "p", "country": "LV"})
    await api.tick()
    api.clock.advance(timedelta(hours=1))

    at_leaving = (await api.data(COMPARE, a=a, b=b, **{"from": "2026-03-01T13:00:00Z"}))["compareSegments"]
    earlier = (await api.data(COMPARE, a=a, b=b, **{"from": "2026-03-01T12:59:59Z"}))["compareSegments"]

    assert (at_leaving["a"]["people"], earlier["a"]["people"]) == (1, 2)
    assert (at_leaving["b"]["rate"], at_leaving["rateDifference"], at_leaving["meanDifference"]) == (
        None,
        None,
        None,
    )


async def test_people_in_both_segments_are_told_and_left_out(api):
    a, b = await two_lists(api)
    await api.upsert(
        {"externalId": "both", "country": "LT", "firstName": "Bob"},
        {"externalId": "a", "country": "LT"},
        {"externalId": "b", "firstName": "Bob"},
    )
    await api.tick()
    api.clock.advance(timedelta(hours=1))

    found = (await api.data(COMPARE, a=a, b=b, **{"from": START}))["compareSegments"]

    assert (found["inBoth"], found["a"]["people"], found["b"]["people"]) == (1, 1, 1)
    assert found["warnings"] == [
        "nobody has an event that is called 'bought'",
        "1 person was in both segments during the period and counted on neither side",
    ]


async def test_the_people_of_several_buckets_are_compared(api):
    a, b = await two_lists(api)
    for bucket in range(3):
        await api.upsert(
            *({"externalId": f"a{bucket}{n}", "country": "LT"} for n in range(bucket + 1)),
            {"externalId": f"b{bucket}", "firstName": "Bob"},
        )
        await api.track({"subscriber": {"externalId": f"a{bucket}0"}, "name": "bought", "value": 10**bucket})
        await api.tick()
        await another_bucket(api)
    api.clock.advance(timedelta(hours=1))

    found = (await api.data(COMPARE, a=a, b=b, **{"from": START}))["compareSegments"]

    side = found["a"]
    assert (side["people"], side["converted"], side["events"], side["value"]) == (6, 3, 3, 111)
    assert (found["b"]["people"], found["b"]["converted"]) == (3, 0)


async def test_an_erased_person_is_left_out(api):
    a, b = await two_lists(api)
    await api.upsert({"externalId": "p", "country": "LT"}, {"externalId": "q", "country": "LT"})
    await api.tick()
    api.clock.advance(timedelta(hours=1))
    await api.data('mutation { eraseSubscriber(input: {subscriber: {externalId: "p"}}) { __typename } }')

    found = (await api.data(COMPARE, a=a, b=b, **{"from": START}))["compareSegments"]

    assert found["a"]["people"] == 1


async def test_a_sample_ratio_that_chance_does_not_explain_gives_a_warning(api):
    a, b = await two_lists(api)
    await api.upsert(
        *({"externalId": f"a{n}", "country": "LT"} for n in range(80)),
        *({"externalId": f"b{n}", "firstName": "Bob"} for n in range(40)),
    )
    await api.tick()
    api.clock.advance(timedelta(hours=1))

    suspicious = (await api.data(COMPARE, a=a, b=b, share=0.5, **{"from": START}))["compareSegments"]
    fine = (await api.data(COMPARE, a=a, b=b, share=0.6, **{"from": START}))["compareSegments"]

    assert suspicious["sampleRatio"]["pValue"] == pytest.approx(0.00026073, rel=1e-4)
    assert suspicious["warnings"][1].startswith("a has 66.67% of the people, but 50.00% were expected")
    assert fine["sampleRatio"]["pValue"] == pytest.approx(0.1360371, rel=1e-5)
    assert len(fine["warnings"]) == 1


async def test_a_period_that_begins_in_the_shortened_log_is_refused(api):
    a, b = await two_lists(api)
    await api.upsert({"externalId": "p", "country": "LT"}, {"externalId": "q", "firstName": "Bob"})
    await api.tick()
    api.clock.advance(timedelta(hours=3))
    await prune(ports=api.services.ports, keep=timedelta(hours=1))

    (error,) = await api.errors(COMPARE, a=a, b=b, **{"from": "2026-03-01T13:59:59.999999Z"})
    found = (await api.data(COMPARE, a=a, b=b, **{"from": "2026-03-01T14:00:00Z"}))["compareSegments"]

    assert error["extensions"] == {"code": "LOG_EXPIRED", "completeSince": "2026-03-01T14:00:00Z"}
    assert (found["a"]["people"], found["b"]["people"]) == (1, 1)


WRONG = {
    "the same segment": ({"b": "a"}, "b"),
    "no days": ({"days": 0}, "withinDays"),
    "too many days": ({"days": 366}, "withinDays"),
    "no share": ({"share": 0}, "expectedShareOfA"),
    "all of it": ({"share": 1}, "expectedShareOfA"),
}


@pytest.mark.parametrize(("wrong", "argument"), WRONG.values(), ids=WRONG)
async def test_a_wrong_argument_is_refused(api, wrong, argument):
    a, b = await two_lists(api)
    given = {"a": a, "b": b, "from": "2026-03-01T00:00:00Z"} | wrong
    given["b"] = a if given["b"] == "a" else given["b"]

    (error,) = await api.errors(COMPARE, **given)

    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument)


async def test_an_unknown_segment_and_an_empty_period_are_refused(api, stranger):
    a, b = await two_lists(api)
    foreign = await stranger.segment("Foreign", EVERYBODY)

    (unknown,) = await api.errors(COMPARE, a=a, b=foreign, **{"from": "2026-03-01T00:00:00Z"})
    (future,) = await api.errors(COMPARE, a=a, b=b, **{"from": "2026-03-02T00:00:00Z"})
    (empty,) = await api.errors(
        COMPARE, a=a, b=b, **{"from": "2026-02-02T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    )

    assert unknown["extensions"] == {"code": "NOT_FOUND", "argument": "b"}
    assert [error["extensions"]["code"] for error in (future, empty)] == ["BAD_USER_INPUT"] * 2
