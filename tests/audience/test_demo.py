"""The demo's segments and groups against counts made from the raw file, by plain Python that knows nothing of the product."""

from __future__ import annotations

import gzip
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from audience_gql.audience.acting.actor import Actor
from audience_gql.audience.engine.membership import Membership
from audience_gql.demo import cdnow, loading
from audience_gql.storage import buckets
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.engine import fills
from audience_gql.storage.orm.models import Group, Segment

LOG = Path(cdnow.__file__).with_name("cdnow.txt.gz")


def raw() -> list[tuple[int, str, str, int, Decimal]]:
    lines = gzip.decompress(LOG.read_bytes()).decode().splitlines()[1:]
    rows = [line.split() for line in lines]
    return [(n, row[0], row[1], int(row[2]), Decimal(row[3])) for n, row in enumerate(rows, 1)]


def days_ago(day: str) -> int:
    return (datetime(1998, 6, 30) - datetime.strptime(day, "%Y%m%d")).days


@pytest.fixture
async def demo(house):
    house.clock.instant = datetime.now(UTC)
    workspace = await loading.open_workspace(ports=house.ports)
    loaded: list[int] = []
    await loading.load(ports=house.ports, workspace=workspace, advance=loaded.append)
    assert sum(loaded) == loading.STEPS
    async with house.ports.database.acquire() as connection:
        bucket_id = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
        wanted = await fills.segments_to_fill(connection)
    membership: Membership = house.membership
    for segment in await Segment.filter(workspace_id=workspace.id):
        assert segment.id in wanted
        await membership.fill(bucket_id, segment.id)
    while not (ticked := await membership.tick(bucket_id)).is_drained:  # type: ignore[union-attr]  # the bucket exists
        continue
    assert ticked is not None
    await Actor(house.ports).act(bucket_id)
    return house, workspace, bucket_id


async def counts(house, bucket_id) -> dict[int, int]:
    segments = await house.ports.database.fetch(
        "SELECT segment_id AS id, count(*) AS n FROM segment_members WHERE bucket_id = $1 GROUP BY 1",
        bucket_id,
    )
    groups = await house.ports.database.fetch(
        "SELECT group_id AS id, count(*) AS n FROM group_members WHERE bucket_id = $1 GROUP BY 1", bucket_id
    )
    return {row["id"]: row["n"] for row in (*segments, *groups)}


@pytest.mark.bulk
async def test_counts_equal_those_of_the_raw_file(demo):
    house, workspace, bucket_id = demo
    lines = raw()
    by_person: dict[str, list[tuple[str, Decimal, int]]] = defaultdict(list)
    for line, person, day, _, dollars in lines:
        by_person[person].append((day, dollars, line))
    start = workspace.created_at
    now = house.clock.instant
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)

    def age(day: str, line: int) -> timedelta:
        """How long ago a purchase is in the demo: whole days from the file, the time of day as the loader placed it."""
        placed = next(p for p in purchases if p.line == line)
        instant = cdnow.occurred_at(placed, start)
        assert (midnight - instant.replace(hour=0, minute=0, second=0, microsecond=0)).days == days_ago(day)
        return now - instant

    purchases = list(cdnow.purchases())
    ages = {p.line: now - cdnow.occurred_at(p, start) for p in purchases}
    assert len(by_person) == 23_570
    assert len(lines) == 69_659
    assert min(ages.values()) >= timedelta(0)
    age(lines[0][2], lines[0][0])

    def within(person: str, days: int) -> bool:
        return any(ages[line] < timedelta(days=days) for _, _, line in by_person[person])

    loyal = {person for person, orders in by_person.items() if len(orders) >= 5}
    lapsing = {person for person in by_person if within(person, 90) and not within(person, 30)}
    expected = {
        "Big spenders": sum(sum(dollars for _, dollars, _ in orders) > 200 for orders in by_person.values()),
        "Loyal": len(loyal),
        "Active buyers": sum(within(person, 30) for person in by_person),
        "Lapsing": len(lapsing),
        "Lost": sum(not within(person, 365) for person in by_person),
        "Loyal and lapsing": len(loyal & lapsing),
        "Win back": len(loyal & lapsing),
    }
    for month, name in (("199701", "January 1997"), ("199702", "February 1997"), ("199703", "March 1997")):
        expected[name] = sum(
            min(day for day, _, _ in orders).startswith(month) for orders in by_person.values()
        )
    found = await counts(house, bucket_id)
    names = {row.id: row.name for row in await Segment.filter(workspace_id=workspace.id)}
    names |= {row.id: row.name for row in await Group.filter(workspace_id=workspace.id)}
    assert {names[list_id]: count for list_id, count in found.items()} == expected
    assert sum(expected[name] for name in ("January 1997", "February 1997", "March 1997")) == 23_570

    events = await house.ports.database.fetchval(
        "SELECT count(*) FROM events WHERE bucket_id = $1", bucket_id
    )
    total = await house.ports.database.fetchval(
        "SELECT sum(value) FROM events WHERE bucket_id = $1", bucket_id
    )
    assert (events, total) == (69_659, sum(dollars for *_, dollars in lines))

    (automation,) = await Automation.filter(workspace_id=workspace.id)
    runs = await house.ports.database.fetch(
        "SELECT state, count(*) AS n FROM runs WHERE bucket_id = $1 AND automation_id = $2 GROUP BY 1",
        bucket_id,
        automation.id,
    )
    assert [(row["state"], row["n"]) for row in runs] == [("DONE", len(loyal & lapsing))]
    assert len(loyal & lapsing) > 0

    assert await loading.is_loaded(workspace)
    await loading.load(ports=house.ports, workspace=workspace, advance=lambda _: None)
    assert await Automation.filter(workspace_id=workspace.id).count() == 1
    assert await Actor(house.ports).act(bucket_id) == 0
    again = await house.ports.database.fetchval("SELECT count(*) FROM events WHERE bucket_id = $1", bucket_id)
    assert again == 69_659


@pytest.mark.slow
def test_shifted_times_keep_their_distance_in_days_and_never_lie_ahead():
    start = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)

    placed = [(purchase, cdnow.occurred_at(purchase, start)) for purchase in cdnow.purchases()]

    assert all(
        (start.date() - at.date()).days == (cdnow.LAST_DAY - purchase.day).days for purchase, at in placed
    )
    assert all(at <= start for _, at in placed)
    assert [at for _, at in placed] == [cdnow.occurred_at(purchase, start) for purchase, _ in placed]
