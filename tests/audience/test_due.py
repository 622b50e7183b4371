"""The next change of a segment by the clock: nobody moves before it, and who looks only at these instants misses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from audience_gql.audience.engine.due import next_change_by_segments
from audience_gql.audience.engine.membership import Membership
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.testing import SimulatedClock
from audience_gql.audience.workspaces import create_workspace
from audience_gql.storage import buckets, definitions
from audience_gql.storage.orm.models import Segment

MICROSECOND = timedelta(microseconds=1)
STEP = timedelta(seconds=20)
"""Everything in these tests happens at a multiple of it."""
PEOPLE = [f"p{n}" for n in range(5)]


def opened(**window: object) -> dict[str, object]:
    return {"event": {"name": "opened", "within": window}}


CONDITIONS = {
    "window": opened(last={"minutes": 1}),
    "complement": {"not": opened(last={"minutes": 1})},
    "older": opened(olderThan={"minutes": 1}),
    "ago": opened(ago={"from": {"minutes": 3}, "to": {"minutes": 1}}),
    "often": {"event": {"name": "opened", "times": {"atLeast": 2}, "within": {"last": {"minutes": 2}}}},
    "lapsed": {"lastEvent": {"name": "opened", "at": {"notInLast": {"minutes": 1}}}},
    "new": {"createdAt": {"inLast": {"minutes": 1}}},
}


async def next_change(house, segment: Segment) -> datetime | None:
    async with house.ports.database.acquire() as connection:
        found = await next_change_by_segments(
            connection=connection,
            workspace_id=house.workspace.id,
            segment_ids=[segment.id],
            vocabulary=await definitions.vocabulary(connection, house.workspace.id),
        )
    return found.get(segment.id)


async def twin(house):
    """Another workspace, with a clock of its own at the same instant."""
    clock = SimulatedClock(house.clock.instant)
    ports = replace(house.ports, clock=clock)
    workspace = await create_workspace(ports=ports, name=f"{house.workspace.name}, twin")
    async with ports.database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
    membership = Membership(ports, house.membership._pool)
    return replace(
        house, ports=ports, workspace=workspace, clock=clock, membership=membership, bucket_id=bucket_id
    )


async def lived_in(house, condition: object) -> Segment:
    """A segment that reads another, and facts of the past, the present and the future."""
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    inner = await house.segment("Inner", condition)
    segment = await house.segment("Outer", {"segment": {"anyOf": [str(inner.id)]}})
    for number, person in enumerate(PEOPLE):
        for steps in (-9, -6, -1, 0, 5)[number:]:
            at = house.clock.instant + (steps + number) * STEP
            await house.track(person, "opened", occurred_at=at)
    await house.tick()
    return segment


async def changes(house, segment: Segment) -> list[tuple[datetime, str, bool]]:
    rows = await house.ports.database.fetch(
        "SELECT c.occurred_at, s.external_id, c.entered FROM membership_changes c "
        "JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id "
        "WHERE c.bucket_id = $1 AND c.list_id = $2 ORDER BY c.occurred_at, s.external_id, c.sequence",
        house.bucket_id,
        segment.id,
    )
    return [tuple(row) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
async def test_who_walks_from_instant_to_instant_sees_what_who_looks_all_the_time_sees(house, condition):
    other = await twin(house)
    everywhere, segment = await lived_in(house, condition), await lived_in(other, condition)
    start = house.clock.instant

    while house.clock.instant < start + 24 * STEP:
        house.clock.advance(STEP)
        await house.tick()
    steps = 0
    while (at := await next_change(other, segment)) is not None:
        assert at > other.clock.instant
        other.clock.instant = at
        await other.tick()
        steps += 1

    seen = await changes(house, everywhere)
    assert await changes(other, segment) == seen
    assert any(at > start for at, _, _ in seen)
    assert steps < 24


async def test_nobody_moves_a_microsecond_before_and_somebody_at_the_instant(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Opened", opened(last={"minutes": 1}))
    assert await next_change(house, segment) is None

    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    at = await next_change(house, segment)
    assert at == house.clock.instant + timedelta(minutes=1)

    house.clock.instant = at - MICROSECOND
    assert (await house.tick()).changes == 0
    assert await next_change(house, segment) == at
    house.clock.instant = at
    assert await next_change(house, segment) == at  # nobody has ticked yet
    assert (await house.tick()).changes == 1
    assert await next_change(house, segment) is None


async def test_where_the_clock_moves_nobody_nothing_is_due_once_that_was_looked_for(house):
    await house.upsert({"externalId": "ada"})
    await house.segment("Country", {"country": {"isSet": True}})
    assert (await house.tick()).next_due_at is None

    await house.segment("Opened at some time", {"event": {"name": "opened"}})
    await house.tick()
    ada = SubscriberKey(kind="externalId", value="ada")
    await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=ada)

    assert (await house.tick()).next_due_at is None


async def test_each_segment_has_its_own_instant(house):
    await house.upsert({"externalId": "ada"})
    minute = await house.segment("Minute", opened(last={"minutes": 1}))
    hour = await house.segment("Hour", opened(last={"hours": 1}))
    country = await house.segment("Country", {"country": {"isSet": True}})
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()

    assert await next_change(house, minute) == house.clock.instant + timedelta(minutes=1)
    assert await next_change(house, hour) == house.clock.instant + timedelta(hours=1)
    assert await next_change(house, country) is None


async def test_people_who_are_put_off_to_later_ticks_are_not_forgotten(house, monkeypatch):
    for bound in ("LEAST_A_TICK", "PEOPLE_A_TICK"):
        monkeypatch.setattr(f"audience_gql.audience.engine.membership.{bound}", 2)
    house.membership._people_a_tick = 2
    segment = await house.segment("New", CONDITIONS["new"])
    country = await house.segment("Country", {"country": {"isSet": True}})
    await house.upsert(*({"externalId": person} for person in PEOPLE))
    while not (await house.tick()).is_drained:
        continue
    house.clock.advance(timedelta(minutes=1))

    assert not (await house.tick()).is_drained
    assert await next_change(house, segment) == house.clock.instant
    assert await next_change(house, country) is None
    while not (await house.tick()).is_drained:
        continue
    assert await next_change(house, segment) is None
    assert await house.members(segment) == set()
