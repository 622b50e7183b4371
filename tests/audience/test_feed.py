"""The feed tells every change once, in order, from any cursor on, and a chain of cursors proves it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest

from audience_gql.audience.log.cursors import CursorCodec, CursorInvalid
from audience_gql.audience.log.feed import Batch, Feed
from audience_gql.storage.log import FeedFilter
from audience_gql.storage.orm.models import Workspace

CURSORS = CursorCodec(("secret",))
OPENED = {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}


def feed_of(house) -> Feed:
    return Feed(ports=house.ports, workspace=house.workspace, cursors=CURSORS)


def feed(house, after: str | None = None, wanted: FeedFilter = FeedFilter()) -> AsyncGenerator[Batch, None]:  # noqa: B008  # frozen
    return feed_of(house).follow(
        after=after,
        wanted=wanted,
        poll_seconds=0.05,
    )


async def test_the_first_batch_comes_at_once_and_then_what_happens(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Opened", OPENED)
    batches = feed(house)

    first = await anext(batches)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()
    second = await anext(batches)

    assert first.changes == []
    assert second.after == first.cursor
    assert [(change.list_id, change.entered, change.cause) for change in second.changes] == [
        (segment.id, True, "EVENT")
    ]
    await batches.aclose()


async def test_a_reader_that_comes_and_goes_misses_nothing(house):
    people = [f"p{n}" for n in range(20)]
    await house.upsert(*({"externalId": person} for person in people))
    await house.segment("Opened", OPENED)
    start = await anext(feed(house))
    chance = random.Random(7)
    told: list[int] = []

    async def read() -> None:
        cursor = start.cursor
        while len(told) < 60:
            batches = feed(house, cursor)
            for _ in range(chance.randrange(1, 4)):
                batch = await anext(batches)
                assert batch.after == cursor
                told.extend(change.sequence for change in batch.changes)
                cursor = batch.cursor
                if len(told) >= 60:
                    break
            await batches.aclose()

    async def write() -> None:
        for step in range(60):
            if step % 20 == 0:
                house.clock.advance(__import__("datetime").timedelta(minutes=2))
                await house.tick()
            await house.track(people[step % 20], "opened", occurred_at=house.clock.instant)
            await house.tick()
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(read(), write()), 20)

    assert told[:60] == list(range(told[0], told[0] + 60))


async def test_filters_by_list_and_person(house):
    upserted = await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    ada, _ = upserted.subscribers
    start = await anext(feed(house))
    opened = await house.segment("Opened", OPENED)
    await house.segment("Everyone", {"all": []})
    for person in ("ada", "bob"):
        await house.track(person, "opened", occurred_at=house.clock.instant)
    await house.tick()

    by_list = await anext(feed(house, start.cursor, FeedFilter(segment_ids=frozenset({opened.id}))))
    by_person = await anext(
        feed(house, start.cursor, FeedFilter(subscribers=frozenset({(ada.bucket_id, ada.id)})))
    )
    nothing = await anext(feed(house, start.cursor, FeedFilter(segment_ids=frozenset())))

    assert {change.list_id for change in by_list.changes} == {opened.id}
    assert len(by_list.changes) == 2
    assert {change.subscriber_id for change in by_person.changes} == {ada.id}
    assert len(by_person.changes) == 2
    assert nothing.changes == []
    assert nothing.cursor == by_list.cursor == by_person.cursor


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "é", CursorCodec(("other",)).encode(Workspace(id=1), {})]
)
async def test_a_forged_cursor_is_refused(house, cursor):
    with pytest.raises(CursorInvalid):
        await anext(feed(house, cursor))


async def test_a_cursor_of_another_workspace_is_refused(house):
    foreign = CURSORS.encode(Workspace(id=house.workspace.id + 1), {})

    with pytest.raises(CursorInvalid):
        await anext(feed(house, foreign))


def test_keys_rotate():
    workspace = Workspace(id=1)
    old = CursorCodec(("old",)).encode(workspace, {2: 3})

    assert CursorCodec(("new", "old")).decode(workspace, old) == {2: 3}


async def test_while_nothing_matches_an_empty_batch_moves_the_cursor_now_and_then(house):
    await house.upsert({"externalId": "ada"})
    await house.segment("Opened", OPENED)
    batches = feed_of(house).follow(
        after=None,
        wanted=FeedFilter(segment_ids=frozenset()),
        poll_seconds=0.05,
        heartbeat_seconds=0.3,
    )
    first = await anext(batches)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()

    async with asyncio.timeout(5):
        second = await anext(batches)

    assert (second.changes, second.after) == ([], first.cursor)
    assert second.cursor != first.cursor
    assert CURSORS.decode(house.workspace, second.cursor) == {house.bucket_id: 1}
    await batches.aclose()


async def test_without_a_signal_the_log_is_looked_at_all_the_same(house, monkeypatch):
    await house.upsert({"externalId": "ada"})
    await house.segment("Opened", OPENED)
    batches = feed(house)
    await anext(batches)

    monkeypatch.setattr(house.ports.signals, "changed", lambda _: None)
    await house.track("ada", "opened", occurred_at=house.clock.instant)
    await house.tick()

    async with asyncio.timeout(5):
        assert len((await anext(batches)).changes) == 1
    await batches.aclose()
