"""Events come late, twice, out of order and malformed; each counts once, where it happened."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.storage import buckets
from audience_gql.storage.postgres.database import Database


def event(person: str, **more) -> EventItem:
    return EventItem(subscriber=SubscriberKey(kind="externalId", value=person), **({"name": "opened"} | more))


async def track(house, *items: EventItem, **options):
    return await track_events(ports=house.ports, workspace=house.workspace, items=items, **options)


async def count(house) -> int:
    return await house.ports.database.fetchval(
        "SELECT count(*) FROM events WHERE bucket_id = $1", house.bucket_id
    )


async def test_a_key_counts_once_per_person(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})

    first = await track(house, event("ada", key="k"), event("ada", key="k"), event("bob", key="k"))
    again = await track(house, event("ada", key="k"), event("ada"))

    assert (first.accepted, first.duplicates) == (2, 1)
    assert (again.accepted, again.duplicates) == (1, 1)
    assert await count(house) == 3


async def test_the_same_key_from_many_writers_counts_once(house):
    await house.upsert({"externalId": "ada"})

    results = await asyncio.gather(*(track(house, event("ada", key="k")) for _ in range(12)))

    assert sum(result.accepted for result in results) == 1
    assert await count(house) == 1


async def test_values_are_kept_exactly(house):
    await house.upsert({"externalId": "ada"})

    await track(house, event("ada", value=0.1), event("ada", value=Decimal("123456789.25")))

    rows = await house.ports.database.fetch("SELECT value FROM events WHERE bucket_id = $1", house.bucket_id)
    assert {row["value"] for row in rows} == {Decimal("0.1"), Decimal("123456789.25")}


@pytest.mark.parametrize(
    ("bad", "code", "path"),
    [
        ({"name": ""}, "REQUIRED", ("name",)),
        ({"name": "x" * 101}, "OUT_OF_RANGE", ("name",)),
        ({"occurred_at": datetime(2026, 3, 1)}, "MALFORMED", ("occurred_at",)),  # on purpose
        ({"value": float("nan")}, "MALFORMED", ("value",)),
        ({"value": 1e301}, "OUT_OF_RANGE", ("value",)),
        ({"properties": [1]}, "WRONG_TYPE", ("properties",)),
        ({"properties": {"a": "\x00"}}, "MALFORMED", ("properties", "a")),
        ({"properties": {"a": float("inf")}}, "MALFORMED", ("properties", "a")),
        ({"properties": {str(n): n for n in range(257)}}, "TOO_MANY", ("properties",)),
        (
            {"properties": {"a": "x" * 9000, **{str(n): "y" * 9000 for n in range(8)}}},
            "OUT_OF_RANGE",
            ("properties",),
        ),
        ({"key": "x" * 201}, "OUT_OF_RANGE", ("key",)),
    ],
)
async def test_a_bad_event_is_refused_with_its_path_and_the_others_go_through(house, bad, code, path):
    await house.upsert({"externalId": "ada"})

    tracked = await track(house, event("ada", **bad), event("ada"))

    assert [(r.index, r.code, r.path) for r in tracked.rejects] == [(0, code, ("events", 0, *path))]
    assert (tracked.accepted, await count(house)) == (1, 1)


async def test_more_than_a_day_ahead_is_refused(house):
    await house.upsert({"externalId": "ada"})
    edge = house.clock.instant + timedelta(days=1)

    tracked = await track(
        house, event("ada", occurred_at=edge), event("ada", occurred_at=edge + timedelta(seconds=1))
    )

    assert [(r.index, r.code) for r in tracked.rejects] == [(1, "OUT_OF_RANGE")]


LAST_DAY = {"event": {"name": "opened", "within": {"last": {"days": 1}}}}
EVER = {"event": {"name": "opened"}}


async def test_a_late_event_counts_from_when_it_happened(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Last day", LAST_DAY)
    await track(house, event("ada", occurred_at=house.clock.instant - timedelta(hours=23)))

    await house.tick()
    assert await house.members(segment) == {"ada"}
    house.clock.advance(timedelta(minutes=59))
    await house.tick()
    assert await house.members(segment) == {"ada"}
    house.clock.advance(timedelta(minutes=1))
    await house.tick()

    assert await house.members(segment) == set()
    assert await house.log() == [("ada", True, "EVENT"), ("ada", False, "CLOCK")]


async def test_an_event_too_late_for_a_window_moves_nobody_there(house):
    await house.upsert({"externalId": "ada"})
    last_day, ever = await house.segment("Last day", LAST_DAY), await house.segment("Ever", EVER)
    await track(house, event("ada", occurred_at=house.clock.instant - timedelta(days=2)))

    await house.tick()

    assert (await house.members(last_day), await house.members(ever)) == (set(), {"ada"})
    assert await house.log() == [("ada", True, "EVENT")]


async def test_events_may_come_in_any_order(house):
    await house.upsert({"externalId": "ada"})
    lately = await house.segment("Lately", {"lastEvent": {"name": "opened", "at": {"inLast": {"hours": 1}}}})

    for hours, expected in ((5, set()), (0, {"ada"}), (2, {"ada"})):
        await track(house, event("ada", occurred_at=house.clock.instant - timedelta(hours=hours)))
        await house.tick()
        assert await house.members(lately) == expected

    assert await house.log() == [("ada", True, "EVENT")]


async def test_an_event_of_the_future_counts_from_its_instant_on(house):
    await house.upsert({"externalId": "ada"})
    segment = await house.segment("Ever", EVER)
    await track(house, event("ada", occurred_at=house.clock.instant + timedelta(hours=1)))

    house.clock.advance(timedelta(minutes=59))
    await house.tick()
    assert await house.members(segment) == set()
    house.clock.advance(timedelta(minutes=1))
    await house.tick()

    assert await house.members(segment) == {"ada"}
    assert await house.log() == [("ada", True, "CLOCK")]


async def test_unknown_people_are_refused_or_made(house):
    refused = await track(house, event("new"), event("new"))
    assert [(r.index, r.code) for r in refused.rejects] == [(0, "UNKNOWN"), (1, "UNKNOWN")]

    made = await track(house, event("new"), event("new"), create_missing=True)
    assert (made.accepted, made.rejects) == (2, [])


async def people(house) -> int:
    return await house.ports.database.fetchval(
        "SELECT count(*) FROM subscribers WHERE bucket_id = $1", house.bucket_id
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"occurred_at": datetime(2026, 3, 1)},  # on purpose
        {"occurred_at": datetime(2999, 3, 1, tzinfo=UTC)},
        {"value": float("nan")},
        {"properties": [1]},
        {"key": "x" * 201},
    ],
)
async def test_nobody_is_made_of_a_refused_event(house, bad):
    tracked = await track(house, event("new", **bad), create_missing=True)

    assert (tracked.accepted, len(tracked.rejects), await people(house)) == (0, 1, 0)


async def test_nobody_is_made_of_an_event_whose_name_is_one_too_many(house, monkeypatch):
    monkeypatch.setattr("audience_gql.audience.people.events.NAMES_PER_WORKSPACE", 1)

    tracked = await track(
        house, event("ada"), event("bob", name="another"), event("cyd"), create_missing=True
    )

    assert [(r.index, r.code) for r in tracked.rejects] == [(1, "TOO_MANY")]
    assert (tracked.accepted, await people(house)) == (2, 2)


@pytest.mark.parametrize(
    ("kind", "value", "code", "path", "message"),
    [
        ("email", "nobody", "MALFORMED", ("email",), "email address"),
        ("phone", "12", "MALFORMED", ("phone",), "E.164"),
        ("externalId", "x" * 1001, "OUT_OF_RANGE", ("externalId",), "at most 1,000"),
        ("externalId", "\x00", "MALFORMED", ("externalId",), "U+0000"),
        ("externalId", "", "REQUIRED", (), "give"),
        ("id", None, "UNKNOWN", (), "no such subscriber"),
    ],
)
async def test_of_a_malformed_key_is_told_what_is_wrong(house, kind, value, code, path, message):
    one = EventItem(subscriber=SubscriberKey(kind=kind, value=value), name="opened")

    (reject,) = (await track(house, one, create_missing=True)).rejects

    assert (reject.code, reject.path) == (code, ("events", 0, "subscriber", *path))
    assert message in reject.message


async def test_somebody_is_made_as_the_first_event_taken_in_names_them(house):
    def by(email: str, **more) -> EventItem:
        return EventItem(subscriber=SubscriberKey(kind="email", value=email), name="opened", **more)

    tracked = await track(
        house, by("ADA@x.org", value=float("inf")), by("Ada@x.org"), by("ada@x.org"), create_missing=True
    )

    assert tracked.accepted == 2
    rows = await house.ports.database.fetch(
        "SELECT email FROM subscribers WHERE bucket_id = $1", house.bucket_id
    )
    assert [row["email"] for row in rows] == ["Ada@x.org"]


async def test_people_are_made_with_their_events_or_not_at_all(house, monkeypatch):
    async def fail(*_args, **_options):
        raise ConnectionError("lost")

    with monkeypatch.context() as broken:
        broken.setattr("audience_gql.storage.people.event_rows.write_events", fail)
        with pytest.raises(ConnectionError):
            await track(house, event("new"), create_missing=True)

    assert await people(house) == 0


async def test_many_writers_make_the_same_people_once(house):
    names = [str(n) for n in range(30)]

    results = await asyncio.gather(
        *(
            track(
                house,
                *(event(one, name=name) for one in (names if writer % 2 else reversed(names))),
                create_missing=True,
            )
            for writer in range(3)
            for name in ("email_bounced", f"n{writer}")
        ),
        *(house.upsert(*({"externalId": one} for one in reversed(names))) for _ in range(3)),
    )

    assert all(result.rejects == [] for result in results)
    assert (await people(house), await count(house)) == (30, 6 * 30)


async def test_a_workspace_has_at_most_a_thousand_event_names(house):
    await house.upsert({"externalId": "ada"})
    await track(house, *(event("ada", name=f"n{n}") for n in range(999)))

    tracked = await track(
        house, event("ada", name="last"), event("ada", name="one too many"), event("ada", name="n1")
    )

    assert [(r.index, r.code) for r in tracked.rejects] == [(1, "TOO_MANY")]
    assert tracked.accepted == 2


async def test_a_name_whose_batch_was_rolled_back_gets_an_id_that_exists(house, monkeypatch):
    await house.upsert({"externalId": "ada"})

    async def fail(*_args, **_options):
        raise ConnectionError("lost")

    with monkeypatch.context() as broken:
        broken.setattr("audience_gql.storage.people.event_rows.write_events", fail)
        with pytest.raises(ConnectionError):
            await track(house, event("ada", name="new"))
    await track(house, event("ada", name="new"))
    await track(house, event("ada", name="new"))

    named = await house.ports.database.fetchval(
        "SELECT count(*) FROM events e JOIN event_names n ON n.id = e.name_id WHERE e.bucket_id = $1 AND n.name = 'new'",
        house.bucket_id,
    )
    assert (named, await count(house)) == (2, 2)


async def test_known_names_are_not_asked_for_again(house, monkeypatch):
    await house.upsert({"externalId": "ada"})
    await track(house, event("ada"))
    asked = []
    borrow = Database._borrow

    @asynccontextmanager
    async def logged(database):
        async with borrow(database) as connection:
            with connection.query_logger(lambda query: asked.append(query.query)):
                yield connection
                await asyncio.sleep(0)  # the driver calls in the next round of the event loop

    monkeypatch.setattr(Database, "_borrow", logged)
    await track(house, event("ada"))

    assert any("FOR KEY SHARE" in query for query in asked)
    assert not any("event_names" in query for query in asked)


async def test_one_batch_for_people_of_two_buckets(house):
    await house.upsert({"externalId": "ada"})
    database = house.ports.database
    async with database.transaction() as transaction:
        second = await database.ids.one(transaction.connection)
        await buckets.add_bucket(transaction.connection, house.workspace.id, second, house.clock.instant)
        await buckets.close_bucket(transaction.connection, house.bucket_id, beside=second)
    await house.upsert({"externalId": "bob"})
    for bucket_id in (house.bucket_id, second):
        await database.fetch("DELETE FROM dirty WHERE bucket_id = $1", bucket_id)

    tracked = await track(house, event("ada", key="k"), event("bob", key="k"), event("bob"), event("bob"))

    found = {}
    for bucket_id in (house.bucket_id, second):
        events = await database.fetchval("SELECT count(*) FROM events WHERE bucket_id = $1", bucket_id)
        marks = await database.fetchval("SELECT count(*) FROM dirty WHERE bucket_id = $1", bucket_id)
        found[bucket_id] = (events, marks)
    assert tracked.accepted == 4
    assert found == {house.bucket_id: (1, 1), second: (3, 1)}
