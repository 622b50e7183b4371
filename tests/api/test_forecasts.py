"""The future of segments over the API, compared with plain Python over a real shop's log."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import groupby, islice

import pytest

from audience_gql.demo.cdnow import occurred_at, purchases
from tests.api.conftest import CREATE_SEGMENT, NOON

DAY = timedelta(days=1)
CUSTOMERS = 400
RECENT = {"event": {"name": "bought", "within": {"last": {"days": 60}}}}
SIZES = """
query ($id: ID!, $until: DateTime!, $every: Interval!) {
  segment(by: {id: $id}) {
    sizeForecast(until: $until, every: $every) { at members entered left margin enteredMargin leftMargin }
  }
}
"""
COMING = """
query ($id: ID!, $within: Duration!, $first: Int, $after: String, $enter: Boolean!) {
  segment(by: {id: $id}) {
    leaving(within: $within, first: $first, after: $after) @skip(if: $enter) { ...page }
    entering(within: $within, first: $first, after: $after) @include(if: $enter) { ...page }
  }
}
fragment page on ComingChangeConnection {
  pageInfo { hasNextPage hasPreviousPage endCursor }
  edges { at node { externalId } reasons { path summary matches } }
}
"""


def bought() -> dict[str, list[datetime]]:
    """When each of some customers bought. The log's last day is the day of the test."""
    whole = groupby(purchases(), key=lambda purchase: purchase.customer_id)
    return {
        customer: [occurred_at(purchase, NOON) for purchase in own]
        for customer, own in islice(whole, 0, 40 * CUSTOMERS, 40)
    }


async def shop(api) -> dict[str, list[datetime]]:
    log = bought()
    await api.upsert(*({"externalId": customer} for customer in log))
    events = [
        {"subscriber": {"externalId": customer}, "name": "bought", "occurredAt": at.isoformat()}
        for customer, own in log.items()
        for at in own
    ]
    for start in range(0, len(events), 1_000):
        tracked = await api.track(*events[start : start + 1_000])
        assert tracked["rejects"] == []
    await api.tick()
    return log


async def sizes(api, segment: str, until: datetime, every: str = "DAY"):
    found = await api.data(SIZES, id=segment, until=until.isoformat(), every=every)
    return [tuple(size.values()) for size in found["segment"]["sizeForecast"]]


async def coming(api, segment: str, which: str, first: int, **within: int):
    """Everybody in the list, read page by page."""
    found, after = [], None
    while True:
        data = await api.data(
            COMING, id=segment, within=within, first=first, after=after, enter=which == "entering"
        )
        page = data["segment"][which]
        found += [(edge["at"], edge["node"]["externalId"], edge["reasons"]) for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        assert len(page["edges"]) == first
        after = page["pageInfo"]["endCursor"]


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


async def test_sizes_and_leavers_are_those_of_plain_python(api):
    log = await shop(api)
    segment = await api.segment("Recent", RECENT)
    exits = {customer: max(own) + 60 * DAY for customer, own in log.items() if max(own) + 60 * DAY > NOON}
    midnight = NOON.replace(hour=0)
    left = Counter((at - midnight) // DAY for at in exits.values())

    found = await sizes(api, segment, NOON + 30 * DAY)
    leaving = await coming(api, segment, "leaving", 7, days=30)

    assert len(exits) > 15
    assert len(found) == 31
    remaining = len(exits)
    for number, size in enumerate(found):
        remaining -= left[number]
        assert size == (text(midnight + number * DAY), remaining, 0, left[number], 0, 0, 0)
    expected = sorted((text(at), customer) for customer, at in exits.items() if at <= NOON + 30 * DAY)
    assert [(at, customer) for at, customer, _ in leaving] == expected
    assert all(reasons == [reason(RECENT_WORDS)] for _, _, reasons in leaving)
    assert await coming(api, segment, "entering", 7, days=30) == []


async def test_those_who_will_enter_are_those_of_plain_python(api):
    log = await shop(api)
    segment = await api.segment(
        "Silent", {"lastEvent": {"name": "bought", "at": {"notInLast": {"days": 60}}}}
    )
    entries = sorted((max(own) + 60 * DAY, customer) for customer, own in log.items())

    entering = await coming(api, segment, "entering", 9, days=20)

    ahead = [(text(at), customer) for at, customer in entries if NOON < at <= NOON + 20 * DAY]
    assert len(ahead) > 5
    assert [(at, customer) for at, customer, _ in entering] == ahead
    assert await coming(api, segment, "leaving", 9, days=20) == []


RECENT_WORDS = "who did bought at least once in the last 60 days"


def reason(summary: str, *path: str, matches: bool = False):
    return {"path": list(path), "summary": summary, "matches": matches}


async def test_a_reason_names_the_leaf_that_changes(api):
    await api.upsert({"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "FR"})
    for person, days in (("ada", 58), ("bob", 59)):
        at = (api.clock.instant - days * DAY).isoformat()
        await api.track({"subscriber": {"externalId": person}, "name": "bought", "occurredAt": at})
    segment = await api.segment("Recent", {"all": [{"country": {"is": "LT"}}, {"not": RECENT}]})
    await api.tick()

    (entering,) = await coming(api, segment, "entering", 5, days=3)

    assert entering == (text(NOON + 2 * DAY), "ada", [reason(RECENT_WORDS, "all", "1", "not")])
    assert await coming(api, segment, "leaving", 5, days=3) == []
    assert await coming(api, segment, "entering", 5, hours=47) == []


async def test_the_interval_of_the_present_begins_before_it(api):
    segment = await api.segment("All", {"all": []})
    await api.upsert({"externalId": "ada"})
    await api.tick()

    found = await sizes(api, segment, NOON + timedelta(hours=2, minutes=1), "HOUR")

    assert [size[:4] for size in found] == [
        (text(NOON + hours * timedelta(hours=1)), 1, 0, 0) for hours in range(3)
    ]


@pytest.mark.parametrize(
    ("until", "argument"),
    [(NOON, "until"), (NOON - DAY, "until"), (NOON + 200 * DAY, "every"), (NOON + 4_000 * DAY, "until")],
)
async def test_a_forecast_looks_ahead_and_not_too_far(api, until, argument):
    segment = await api.segment("All", {"all": []})

    (error,) = await api.errors(SIZES, id=segment, until=until.isoformat(), every="HOUR")

    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", argument)


@pytest.mark.parametrize("within", [{"days": 0}, {"days": 4_000}, {"minutes": -1}])
async def test_a_length_of_time_is_positive_and_up_to_ten_years(api, within):
    segment = await api.segment("All", {"all": []})

    first, *_ = await api.errors(COMING, id=segment, within=within, enter=False)

    assert first["extensions"]["code"] == "BAD_USER_INPUT"
    assert "ten years" in first["message"]


async def test_an_erased_person_is_not_foretold(api):
    await api.upsert({"externalId": "ada"}, {"externalId": "bob"})
    for person in ("ada", "bob"):
        await api.track(
            {"subscriber": {"externalId": person}, "name": "bought", "occurredAt": NOON.isoformat()}
        )
    segment = await api.segment("Recent", RECENT)
    await api.tick()
    await api.data('mutation { eraseSubscriber(input: {subscriber: {externalId: "ada"}}) { __typename } }')
    await api.tick()

    assert [customer for _, customer, _ in await coming(api, segment, "leaving", 5, days=60)] == ["bob"]


async def test_a_new_segment_s_forecast_is_complete_as_soon_as_it_is_filled(api):
    await api.upsert({"externalId": "ada"}, {"externalId": "bob"})
    for person, days in (("ada", 59), ("bob", 1)):
        at = (NOON - days * DAY).isoformat()
        await api.track({"subscriber": {"externalId": person}, "name": "bought", "occurredAt": at})
    await api.tick()
    found = await api.data(CREATE_SEGMENT, name="Recent", condition=RECENT)
    segment = found["createSegment"]["id"]

    computing = await sizes(api, segment, NOON + 2 * DAY)
    due = await coming(api, segment, "entering", 5, days=2)
    await api.fill()
    ready = await sizes(api, segment, NOON + 2 * DAY)

    assert due == []
    assert [size[1:4] for size in computing] == [(1, 1, 0), (0, 0, 1), (0, 0, 0)]
    assert [size[1:4] for size in ready] == [(2, 0, 0), (1, 0, 1), (1, 0, 0)]
