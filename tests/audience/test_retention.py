"""What is left of a log that was shortened still comes to the truth, and whoever stood in what is gone is told so."""

from __future__ import annotations

import random
from contextlib import aclosing
from datetime import datetime, timedelta

import pytest

from audience_gql import worker
from audience_gql.audience.definitions.groups import add_to_group, remove_from_group
from audience_gql.audience.definitions.segments import delete_segment
from audience_gql.audience.log.cursors import CursorCodec, CursorExpired
from audience_gql.audience.log.feed import Feed
from audience_gql.audience.log.retention import prune
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.workspaces import begin_new_logs
from audience_gql.config import Settings
from audience_gql.storage.insights import sizes as past_sizes
from audience_gql.storage.log import FeedFilter
from audience_gql.storage.orm.models import Workspace

CURSORS = CursorCodec(("secret",))
LT = {"country": {"is": "LT"}}
DAY = timedelta(days=1)


async def logged(house) -> list[tuple[int, tuple[str, int, int], bool]]:
    """(sequence, who in which list, entered) of every change that is there, in order."""
    rows = await house.ports.database.fetch(
        "SELECT sequence, list_kind, list_id, subscriber_id, entered FROM membership_changes WHERE bucket_id = $1 ORDER BY sequence",
        house.bucket_id,
    )
    return [
        (row["sequence"], (row["list_kind"], row["list_id"], row["subscriber_id"]), row["entered"])
        for row in rows
    ]


def replayed(log) -> set[tuple[str, int, int]]:
    members: set[tuple[str, int, int]] = set()
    for _, membership, entered in log:
        (members.add if entered else members.discard)(membership)
    return members


async def members(house) -> set[tuple[str, int, int]]:
    rows = await house.ports.database.fetch(
        "SELECT 'SEGMENT' AS kind, segment_id AS list, subscriber_id FROM segment_members WHERE bucket_id = $1 "
        "UNION ALL SELECT 'GROUP', group_id, subscriber_id FROM group_members WHERE bucket_id = $1",
        house.bucket_id,
    )
    return {(row["kind"], row["list"], row["subscriber_id"]) for row in rows}


async def pruned_through(house) -> int:
    found = "SELECT pruned_through FROM buckets WHERE id = $1"
    return await house.ports.database.fetchval(found, house.bucket_id)


async def sizes(house, segment, start: datetime, every: timedelta):
    starts = [start + number * every for number in range(int((house.clock.instant - start) / every) + 1)]
    return await past_sizes.sizes(
        house.ports.database, house.workspace.id, segment.id, starts, starts[-1] + every
    )


def feed_of(house) -> Feed:
    return Feed(ports=house.ports, workspace=house.workspace, cursors=CURSORS)


async def page(house, after: str | None, limit: int = 1_000):
    return await feed_of(house).read_page(after=after, wanted=FeedFilter(), limit=limit)


async def move(house, *countries: str) -> None:
    """Have one person live in these countries one after the other, an hour each."""
    for country in countries:
        await house.upsert({"externalId": "ada", "country": country})
        await house.tick()
        house.clock.advance(timedelta(hours=1))


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(6))
async def test_a_shortened_log_still_comes_to_the_membership_and_to_every_size(house, seed):
    chance = random.Random(seed)
    start = house.clock.instant.replace(hour=0)
    people = [f"p{number}" for number in range(6)]
    await house.upsert(*({"externalId": person} for person in people))
    segments = [await house.segment("LT", LT), await house.segment("Not LT", {"not": LT})]
    group = await house.group("Friends")
    whole: dict[int, tuple[int, tuple[str, int, int], bool]] = {}

    for _ in range(60):
        person = chance.choice(people)
        key = SubscriberKey(kind="externalId", value=person)
        match chance.randrange(5):
            case 0 | 1 | 2:
                await house.upsert({"externalId": person, "country": chance.choice(["LT", "DE"])})
            case 3:
                await add_to_group(
                    ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key]
                )
            case 4:
                await remove_from_group(
                    ports=house.ports, workspace=house.workspace, group_id=group.id, subscribers=[key]
                )
        house.clock.advance(timedelta(minutes=chance.randrange(200)))
        await house.tick()
        whole |= {entry[0]: entry for entry in await logged(house)}
        if chance.random() < 0.2:
            before = [await sizes(house, segment, start, timedelta(hours=1)) for segment in segments]
            await prune(
                ports=house.ports,
                keep=timedelta(hours=chance.randrange(1, 40)),
                changes_a_slice=chance.randrange(1, 6),
            )
            left, through = await logged(house), await pruned_through(house)

            assert [entry for entry in left if entry[0] > through] == [
                entry for sequence, entry in sorted(whole.items()) if sequence > through
            ]
            base = [entry for entry in left if entry[0] <= through]
            by_then = replayed(entry for sequence, entry in sorted(whole.items()) if sequence <= through)
            assert sorted(membership for _, membership, entered in base if entered) == sorted(by_then)
            assert all(entered for _, _, entered in base)
            assert replayed(left) == await members(house)
            after = [await sizes(house, segment, start, timedelta(hours=1)) for segment in segments]
            assert after == before
    assert await pruned_through(house) > 3
    assert len(await logged(house)) < len(whole)


@pytest.mark.slow
async def test_days_are_as_right_as_hours_whatever_was_pruned(house):
    segment = await house.segment("LT", LT)
    start = house.clock.instant.replace(hour=0)
    await move(house, *(["LT", "DE"] * 30))
    before = await sizes(house, segment, start, DAY)

    await prune(ports=house.ports, keep=timedelta(hours=20))

    assert sum(size.entered for size in before) == 30
    assert await sizes(house, segment, start, DAY) == before


async def test_the_worker_keeps_it_as_long_as_its_settings_say(house):
    await house.segment("LT", LT)
    await move(house, *(["LT", "DE"] * 30))
    settings = Settings(database_url="", redis_url="", secret_keys=("",), retention_days=1)

    await worker.shorten_log({"ports": house.ports, "settings": settings})

    assert await pruned_through(house) == 60 - 24


async def test_what_is_young_is_left_alone(house):
    await house.segment("LT", LT)
    await move(house, "LT", "DE", "LT")
    before = await logged(house)

    await prune(ports=house.ports, keep=4 * DAY)

    assert (await logged(house), await pruned_through(house)) == (before, 0)


async def test_a_cursor_from_before_what_is_left_expires_and_the_oldest_one_goes_on_from_there(house):
    await house.segment("LT", LT)
    start = (await page(house, None)).cursor
    await move(house, "LT", "DE", "LT", "DE", "LT", "DE")
    whole = await page(house, start)
    early = (await page(house, start, limit=1)).cursor

    await prune(ports=house.ports, keep=timedelta(hours=3))

    for gone in (start, early):
        with pytest.raises(CursorExpired) as expired:
            await page(house, gone)
        async with aclosing(feed_of(house).follow(after=gone, wanted=FeedFilter())) as batches:
            with pytest.raises(CursorExpired):
                await anext(batches)
    rest = await page(house, expired.value.oldest)
    through = await pruned_through(house)
    assert 0 < through < len(whole.changes)
    assert rest.changes == whole.changes[through:]
    assert (await page(house, whole.cursor)).changes == []


async def test_a_reader_who_is_overtaken_is_told_so_instead_of_being_left_without_what_is_gone(house):
    await house.segment("LT", LT)
    start = (await page(house, None)).cursor
    await move(house, "LT", "DE", "LT", "DE")
    end = (await page(house, None)).cursor
    await feed_of(house).positions_at(start)

    await prune(ports=house.ports, keep=timedelta(0))

    with pytest.raises(CursorExpired):
        await feed_of(house).read_between(after=start, until=end, wanted=FeedFilter())


async def test_after_a_restore_every_cursor_expires_even_one_that_the_log_has_reached_again(house):
    await house.segment("LT", LT)
    await move(house, "LT", "DE")
    heard = (await page(house, None)).cursor

    await begin_new_logs(ports=house.ports)
    restored = await Workspace.get(id=house.workspace.id)
    await begin_new_logs(ports=house.ports)
    house.workspace = await Workspace.get(id=house.workspace.id)

    assert house.workspace.log_epoch > restored.log_epoch > 0
    await move(house, "LT")
    for cursor in (heard, CURSORS.encode(restored, {house.bucket_id: 2})):
        with pytest.raises(CursorExpired) as expired:
            await page(house, cursor)
    assert len((await page(house, expired.value.oldest)).changes) == 3


async def test_a_cursor_ahead_of_its_log_expires_too(house):
    """A restore that nobody told of, as long as the log has not grown past the cursor."""
    await house.segment("LT", LT)
    ahead = CURSORS.encode(house.workspace, {house.bucket_id: 7})

    with pytest.raises(CursorExpired):
        await page(house, ahead)


async def test_a_log_that_goes_back_under_a_listener_ends_what_he_hears(house):
    await house.segment("LT", LT)
    await move(house, "LT")
    async with aclosing(
        feed_of(house).follow(
            after=None,
            wanted=FeedFilter(),
            poll_seconds=0.05,
        )
    ) as batches:
        await anext(batches)
        async with house.ports.database.acquire() as connection:
            await connection.execute("DELETE FROM membership_changes WHERE bucket_id = $1", house.bucket_id)
            await connection.execute("UPDATE buckets SET next_sequence = 1 WHERE id = $1", house.bucket_id)

        with pytest.raises(CursorExpired):
            await anext(batches)


async def test_a_snapshot_and_the_oldest_cursor_come_to_the_truth(house):
    await house.segment("LT", LT)
    start = (await page(house, None)).cursor
    await move(house, *(["LT", "DE"] * 5), "LT")
    await house.upsert({"externalId": "bob", "country": "LT"})
    await house.tick()
    await prune(ports=house.ports, keep=timedelta(hours=4))

    with pytest.raises(CursorExpired) as expired:
        await page(house, start)
    held = await members(house)
    await move(house, "DE")
    for change in (await page(house, expired.value.oldest)).changes:
        membership = (change.list_kind, change.list_id, change.subscriber_id)
        (held.add if change.entered else held.discard)(membership)

    assert held == await members(house)


async def test_a_deleted_segment_leaves_nothing_behind_in_what_was_pruned(house):
    segment, other = await house.segment("LT", LT), await house.segment("Also LT", {"all": [LT]})
    await move(house, "DE", "LT")
    await prune(ports=house.ports, keep=timedelta(0))
    assert {membership[1] for _, membership, _ in await logged(house)} == {segment.id, other.id}

    await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)
    await house.membership.fill(house.bucket_id, segment.id)

    assert {membership[1] for _, membership, _ in await logged(house)} == {other.id}
    kept = await house.ports.database.fetch(
        "SELECT segment_id FROM segment_hours WHERE bucket_id = $1", house.bucket_id
    )
    assert {row["segment_id"] for row in kept} == {other.id}


async def test_a_segment_deleted_before_is_pruned_without_a_trace(house):
    segment = await house.segment("LT", LT)
    await move(house, "LT")
    await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)
    await house.membership.fill(house.bucket_id, segment.id)

    await prune(ports=house.ports, keep=timedelta(0))

    assert await logged(house) == []
    hours = "SELECT count(*) FROM segment_hours WHERE bucket_id = $1"
    assert await house.ports.database.fetchval(hours, house.bucket_id) == 0
