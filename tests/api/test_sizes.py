"""Sizes over time, as the log says them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from audience_gql.audience.workspaces import change_timezone

HISTORY = """
query ($id: ID!, $from: DateTime!, $to: DateTime, $every: Interval!) {
  segment(by: {id: $id}) { sizeHistory(from: $from, to: $to, every: $every) { at members entered left } }
}
"""
IN_LT = {"country": {"is": "LT"}}


async def history(api, segment: str, start: str, end: str | None, every: str = "DAY"):
    found = await api.data(HISTORY, id=segment, **{"from": start, "to": end, "every": every})
    return [tuple(size.values()) for size in found["segment"]["sizeHistory"]]


async def comings_and_goings(api) -> str:
    """Two enter at noon, one more two hours later, one leaves on the next day."""
    segment = await api.segment("LT", IN_LT)
    await api.upsert({"externalId": "a", "country": "LT"}, {"externalId": "b", "country": "LT"})
    await api.tick()
    api.clock.advance(timedelta(hours=2))
    await api.upsert({"externalId": "c", "country": "LT"})
    await api.tick()
    api.clock.advance(timedelta(days=1))
    await api.upsert({"externalId": "a", "country": "LV"})
    await api.tick()
    return segment


async def test_days(api):
    segment = await comings_and_goings(api)

    assert await history(api, segment, "2026-02-28T10:00:00Z", "2026-03-04T00:00:00Z") == [
        ("2026-02-28T00:00:00Z", 0, 0, 0),
        ("2026-03-01T00:00:00Z", 3, 3, 0),
        ("2026-03-02T00:00:00Z", 2, 0, 1),
    ]


async def test_hours_up_to_an_instant_of_the_past(api):
    segment = await comings_and_goings(api)

    assert await history(api, segment, "2026-03-01T12:30:00Z", "2026-03-01T15:00:00Z", "HOUR") == [
        ("2026-03-01T12:00:00Z", 2, 2, 0),
        ("2026-03-01T13:00:00Z", 2, 0, 0),
        ("2026-03-01T14:00:00Z", 3, 1, 0),
    ]


async def test_up_to_now_without_an_end(api):
    segment = await comings_and_goings(api)

    assert await history(api, segment, "2026-03-01T10:00:00Z", None) == [
        ("2026-03-01T00:00:00Z", 3, 3, 0),
        ("2026-03-02T00:00:00Z", 2, 0, 1),
    ]


async def test_weeks_begin_on_monday_where_the_workspace_is(api):
    await change_timezone(ports=api.services.ports, workspace=api.access.workspace, timezone="Europe/Vilnius")
    segment = await comings_and_goings(api)

    found = await history(api, segment, "2026-02-25T00:00:00Z", "2026-03-02T00:00:00Z", "WEEK")

    assert found == [
        ("2026-02-22T22:00:00Z", 3, 3, 0),
        ("2026-03-01T22:00:00Z", 2, 0, 1),
    ]


async def test_intervals_add_up(api):
    segment = await comings_and_goings(api)

    found = await history(api, segment, "2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z", "HOUR")

    assert all(after[1] == before[1] + after[2] - after[3] for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("start", "end", "every"),
    [
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "DAY"),
        ("2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", "HOUR"),
    ],
)
async def test_a_span_has_to_be_one(api, start, end, every):
    segment = await api.segment("All", {"all": []})

    (error,) = await api.errors(HISTORY, id=segment, **{"from": start, "to": end, "every": every})

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_is_to_come_is_empty(api):
    segment = await api.segment("All", {"all": []})

    assert await history(api, segment, "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z") == []
