"""Channels: set by hand, by upserts and by events; nobody who refused is brought back without a reason."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from audience_gql.audience.failures import InvalidInput, NotFound
from audience_gql.audience.people.channels import set_channel_status
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.storage.people import facts
from tests.waiting import somebody_waits

HOUR = timedelta(hours=1)
REFUSALS = ["BOUNCED", "UNSUBSCRIBED", "SPAM_REPORTED"]


async def set_status(house, status: str, *, channel: str = "EMAIL", reason: str | None = None) -> None:
    await set_channel_status(
        ports=house.ports, workspace=house.workspace, subscriber=SubscriberKey(kind="externalId", value="ada"),
        channel=channel, status=status, reason=reason,
    )  # fmt: skip


async def upsert_status(house, status: str) -> None:
    upserted = await house.upsert(
        {"externalId": "ada", "channels": [{"channel": "EMAIL", "status": status, "reason": "asked"}]}
    )
    assert upserted.rejects == []


async def states(house) -> dict[str, tuple[str, datetime, str | None]]:
    rows = await house.ports.database.fetch(
        "SELECT channel, status, changed_at, reason FROM channel_states WHERE bucket_id = $1",
        house.bucket_id,
    )
    return {row["channel"]: (row["status"], row["changed_at"], row["reason"]) for row in rows}


async def email(house) -> tuple[str, datetime]:
    return (await states(house))["EMAIL"][:2]


async def channel_marks(house) -> list[int]:
    rows = await house.ports.database.fetch(
        "SELECT ref FROM dirty WHERE bucket_id = $1 AND kind = 'channel' ORDER BY ref", house.bucket_id
    )
    return [row["ref"] for row in rows]


async def test_a_status_is_set_and_marked_once(house):
    await house.upsert({"externalId": "ada"})
    await house.tick()
    noon = house.clock.instant

    for channel in facts.CHANNEL_NUMBERS:
        await set_status(house, "ACTIVE", channel=channel, reason=" asked ")
    house.clock.advance(HOUR)
    await set_status(house, "ACTIVE", reason="asked again")

    assert await states(house) == dict.fromkeys(facts.CHANNEL_NUMBERS, ("ACTIVE", noon, "asked"))
    assert await channel_marks(house) == [1, 2, 3, 4]


async def test_an_upsert_moves_the_time_only_with_the_status(house):
    await upsert_status(house, "UNCONFIRMED")
    await house.tick()
    noon = house.clock.instant
    house.clock.advance(HOUR)

    await upsert_status(house, "UNCONFIRMED")
    assert (await email(house), await channel_marks(house)) == (("UNCONFIRMED", noon), [])

    await upsert_status(house, "ACTIVE")
    assert (await email(house), await channel_marks(house)) == (("ACTIVE", noon + HOUR), [1])


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("reason", [None, "", "  "])
async def test_only_a_reason_brings_back_who_refused(house, refusal, reason):
    await house.upsert({"externalId": "ada"})
    await set_status(house, refusal)
    before = await states(house)

    for status in ("ACTIVE", "UNCONFIRMED"):
        with pytest.raises(InvalidInput) as refused:
            await set_status(house, status, reason=reason)
        assert [(issue.code, issue.path) for issue in refused.value.issues] == [("CONSENT", ("reason",))]
    assert await states(house) == before

    house.clock.advance(HOUR)
    await set_status(house, "ACTIVE", reason="she asked for it")
    assert (await states(house))["EMAIL"] == ("ACTIVE", house.clock.instant, "she asked for it")


async def test_one_refusal_may_follow_another_without_a_reason(house):
    await house.upsert({"externalId": "ada"})
    await set_status(house, "SPAM_REPORTED")

    await set_status(house, "UNSUBSCRIBED")

    assert (await email(house))[0] == "UNSUBSCRIBED"


async def test_what_cannot_be_set_is_refused(house):
    with pytest.raises(NotFound):
        await set_status(house, "ACTIVE")
    await house.upsert({"externalId": "ada"})
    for wrong in (
        {"status": "MAYBE"},
        {"status": "ACTIVE", "channel": "PIGEON"},
        {"status": "ACTIVE", "reason": "\x00"},
    ):
        with pytest.raises(InvalidInput):
            await set_status(house, **wrong)
    assert await states(house) == {}


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("email_bounced", "BOUNCED"),
        ("email_unsubscribed", "UNSUBSCRIBED"),
        ("email_complained", "SPAM_REPORTED"),
    ],
)
async def test_an_event_moves_the_channel_to_when_it_happened(house, event, status):
    await house.upsert({"externalId": "ada", "channels": [{"channel": "SMS", "status": "ACTIVE"}]})
    await set_status(house, "ACTIVE")
    noon = house.clock.instant
    house.clock.advance(2 * HOUR)
    await house.tick()

    await house.track("ada", event, occurred_at=noon + HOUR)

    assert await states(house) == {"EMAIL": (status, noon + HOUR, event), "SMS": ("ACTIVE", noon, None)}
    assert await channel_marks(house) == [1]
    await house.track("ada", event, occurred_at=noon + 2 * HOUR)
    assert await email(house) == (status, noon + HOUR)
    assert await channel_marks(house) == [1]


async def test_an_event_of_somebody_nothing_is_known_of_makes_the_state(house):
    await house.upsert({"externalId": "ada"})
    ago = house.clock.instant - 24 * HOUR

    await house.track("ada", "email_bounced", occurred_at=ago)

    assert await email(house) == ("BOUNCED", ago)


async def test_other_events_move_nothing(house):
    await house.upsert({"externalId": "ada"})

    for name in ("email_sent", "email_opened", "sms_sent", "EMAIL_BOUNCED"):
        await house.track("ada", name)

    assert await states(house) == {}
    assert await channel_marks(house) == []


async def test_an_event_from_before_the_present_status_is_too_late(house):
    await house.upsert({"externalId": "ada"})
    await set_status(house, "ACTIVE")
    noon = house.clock.instant

    await house.track("ada", "email_unsubscribed", occurred_at=noon - timedelta(microseconds=1))
    assert await email(house) == ("ACTIVE", noon)

    await house.track("ada", "email_unsubscribed", occurred_at=noon)
    assert await email(house) == ("UNSUBSCRIBED", noon)


async def test_a_weaker_refusal_never_replaces_a_stronger_one(house):
    await house.upsert({"externalId": "ada"})
    noon = house.clock.instant
    seen = []
    for minutes, name in enumerate(
        ["email_bounced", "email_unsubscribed", "email_bounced", "email_complained", "email_unsubscribed"]
    ):
        house.clock.instant = noon + timedelta(minutes=minutes)
        await house.track("ada", name)
        seen.append((await email(house))[0])

    assert seen == ["BOUNCED", "UNSUBSCRIBED", "UNSUBSCRIBED", "SPAM_REPORTED", "SPAM_REPORTED"]
    assert await email(house) == ("SPAM_REPORTED", noon + timedelta(minutes=3))


async def test_a_duplicate_does_not_refuse_again(house):
    await house.upsert({"externalId": "ada"})
    noon = house.clock.instant
    await house.track("ada", "email_bounced", key="b1", occurred_at=noon)
    house.clock.advance(HOUR)
    await set_status(house, "ACTIVE", reason="a new address")
    house.clock.advance(HOUR)

    again = await house.track("ada", "email_bounced", key="b1", occurred_at=house.clock.instant)

    assert again.duplicates == 1
    assert await email(house) == ("ACTIVE", noon + HOUR)


async def test_a_refusal_of_the_future_counts_at_once(house):
    await house.upsert({"externalId": "ada"})
    noon = house.clock.instant

    await house.track("ada", "email_unsubscribed", occurred_at=noon + HOUR)
    assert await email(house) == ("UNSUBSCRIBED", noon)

    house.clock.advance(timedelta(minutes=1))
    await set_status(house, "ACTIVE", reason="she changed her mind")
    assert await email(house) == ("ACTIVE", noon + timedelta(minutes=1))


async def test_the_events_of_a_batch_count_in_the_order_in_which_they_happened(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    noon = house.clock.instant
    minutes = {
        "ada": (("email_complained", 3), ("email_bounced", 1), ("email_opened", 2)),
        "bob": (("email_bounced", 2), ("email_unsubscribed", 1)),
    }

    await track_events(
        ports=house.ports,
        workspace=house.workspace,
        items=[
            EventItem(
                subscriber=SubscriberKey(kind="externalId", value=person),
                name=name,
                occurred_at=noon - HOUR + timedelta(minutes=minute),
            )
            for person, events in minutes.items()
            for name, minute in events
        ],
    )

    rows = await house.ports.database.fetch(
        "SELECT s.external_id, c.status, c.changed_at FROM channel_states c "
        "JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id WHERE c.bucket_id = $1 ORDER BY 1",
        house.bucket_id,
    )
    assert [tuple(row) for row in rows] == [
        ("ada", "SPAM_REPORTED", noon - HOUR + timedelta(minutes=3)),
        ("bob", "UNSUBSCRIBED", noon - HOUR + timedelta(minutes=1)),
    ]
    assert await channel_marks(house) == [1, 1]


async def test_a_refusal_is_not_overwritten_by_who_read_the_status_before(house, monkeypatch):
    await upsert_status(house, "UNCONFIRMED")
    reached, go_on = asyncio.Event(), asyncio.Event()
    honest = facts.write_channels

    async def write_channels(*arguments):
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        return await honest(*arguments)

    monkeypatch.setattr(facts, "write_channels", write_channels)
    upserting = asyncio.create_task(upsert_status(house, "ACTIVE"))
    await reached.wait()
    refusing = asyncio.create_task(house.track("ada", "email_unsubscribed"))
    while not refusing.done() and not await somebody_waits(house.ports.database):
        continue
    go_on.set()
    await asyncio.gather(upserting, refusing)

    assert (await email(house))[0] == "UNSUBSCRIBED"


async def test_a_segment_follows_the_channel_and_the_clock(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    await set_status(house, "ACTIVE")
    active = await house.segment("Active", {"channel": {"channel": "EMAIL", "status": ["ACTIVE"]}})
    refused = {"channel": "EMAIL", "status": ["BOUNCED"], "changed": {"inLast": {"hours": 1}}}
    lately = await house.segment("Bounced lately", {"channel": refused})
    await house.tick()
    start = len(await house.log())

    await house.track("ada", "email_bounced")
    await house.tick()
    assert (await house.members(active), await house.members(lately)) == (set(), {"ada"})
    house.clock.advance(HOUR)
    await house.tick()

    assert await house.members(lately) == set()
    assert sorted(await house.log(since=start)) == [
        ("ada", False, "CLOCK"),
        ("ada", False, "SUBSCRIBER"),
        ("ada", True, "SUBSCRIBER"),
    ]


def wish(status: str, person: str = "ada") -> dict[str, Any]:  # Any: an item of an upsert
    return {"externalId": person, "channels": [{"channel": "EMAIL", "status": status}]}


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_later_item_of_the_batch_brings_nobody_back(house, refusal, is_known):
    if is_known:
        await upsert_status(house, "ACTIVE")

    upserted = await house.upsert(wish(refusal), wish("ACTIVE") | {"firstName": "Ada"}, wish("ACTIVE", "bob"))

    assert upserted.rejects == []
    (kept,) = upserted.kept
    assert (kept.index, kept.channel, kept.status) == (1, "EMAIL", refusal)
    assert kept.path == ("subscribers", 1, "channels", 0)
    (row,) = await house.ports.database.fetch(
        "SELECT c.status, s.first_name FROM channel_states c "
        "JOIN subscribers s ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id "
        "WHERE c.bucket_id = $1 AND s.external_id = 'ada'",
        house.bucket_id,
    )
    assert tuple(row) == (refusal, "Ada")


async def test_one_item_cannot_refuse_and_come_back(house):
    item = wish("UNSUBSCRIBED")
    item["channels"] += [*wish("ACTIVE")["channels"], {"channel": "SMS", "status": "ACTIVE"}]

    upserted = await house.upsert(item, wish("UNCONFIRMED"))

    assert [(it.index, it.path[-1]) for it in upserted.kept] == [(0, 1), (1, 0)]
    assert (upserted.created, upserted.rejects) == (1, [])
    assert {channel: state[0] for channel, state in (await states(house)).items()} == {
        "EMAIL": "UNSUBSCRIBED", "SMS": "ACTIVE"
    }  # fmt: skip


# ---- a bounce belongs to its address


async def bounced(house, *, before: str | None) -> None:
    """Ada at a@x.org, who was of this status on the hour before her mail bounced."""
    await house.upsert({"externalId": "ada", "email": "a@x.org", "phone": "+37060000001"})
    if before is not None:
        await set_status(house, before, reason="asked")
    house.clock.advance(HOUR)
    await house.track("ada", "email_bounced")
    assert (await email(house))[0] == "BOUNCED"
    house.clock.advance(HOUR)


@pytest.mark.parametrize("address", ["b@x.org", None])
@pytest.mark.parametrize("before", ["ACTIVE", "UNCONFIRMED", None])
async def test_with_another_address_the_channel_is_what_it_was_before_the_bounce(house, before, address):
    noon = house.clock.instant
    await bounced(house, before=before)
    await house.tick()

    await house.upsert({"externalId": "ada", "email": address})

    assert await states(house) == ({"EMAIL": (before, noon, "asked")} if before else {})
    assert await channel_marks(house) == [1]


async def test_the_same_address_in_other_letters_is_no_other_address(house):
    await bounced(house, before="ACTIVE")

    await house.upsert({"externalId": "ada", "email": "A@X.org"})

    assert (await email(house))[0] == "BOUNCED"


@pytest.mark.parametrize("refusal", ["UNSUBSCRIBED", "SPAM_REPORTED"])
async def test_what_the_person_refused_stays_with_another_address(house, refusal):
    await house.upsert({"externalId": "ada", "email": "a@x.org"})
    await set_status(house, refusal)

    upserted = await house.upsert(wish("ACTIVE") | {"email": "b@x.org"})

    assert [it.status for it in upserted.kept] == [refusal]
    assert (await email(house))[0] == refusal


@pytest.mark.parametrize("by_hand", [True, False])
async def test_a_bounce_that_was_set_over_a_refusal_gives_it_back(house, by_hand):
    await house.upsert({"externalId": "ada", "email": "a@x.org"})
    await set_status(house, "UNSUBSCRIBED", reason="asked")
    house.clock.advance(HOUR)
    await (set_status(house, "BOUNCED") if by_hand else upsert_status(house, "BOUNCED"))

    upserted = await house.upsert(wish("ACTIVE") | {"email": "b@x.org"})

    assert [it.status for it in upserted.kept] == ["UNSUBSCRIBED"]
    assert await states(house) == {"EMAIL": ("UNSUBSCRIBED", house.clock.instant - HOUR, "asked")}


async def test_a_new_address_and_a_wish_of_one_item_count_together(house):
    await bounced(house, before=None)

    upserted = await house.upsert(wish("ACTIVE") | {"email": "b@x.org"})

    assert upserted.kept == []
    assert await email(house) == ("ACTIVE", house.clock.instant)


@pytest.mark.parametrize(
    ("channel", "change", "lifts"),
    [
        ("EMAIL", {"email": "b@x.org"}, True),
        ("EMAIL", {"phone": "+37060000002"}, False),
        ("TRANSACTIONAL_EMAIL", {"email": "b@x.org"}, True),
        ("SMS", {"phone": "+37060000002"}, True),
        ("SMS", {"email": "b@x.org"}, False),
        ("TRANSACTIONAL_SMS", {"phone": None}, True),
    ],
)
async def test_each_channel_has_its_address(house, channel, change, lifts):
    await house.upsert({"externalId": "ada", "email": "a@x.org", "phone": "+37060000001"})
    await set_status(house, "ACTIVE", channel=channel)
    await set_status(house, "BOUNCED", channel=channel)

    await house.upsert({"externalId": "ada"} | change)

    assert (await states(house))[channel][0] == ("ACTIVE" if lifts else "BOUNCED")


async def test_a_bounce_from_before_the_address_came_says_nothing_of_it(house):
    await house.upsert({"externalId": "ada", "email": "a@x.org"})
    await set_status(house, "ACTIVE")
    noon = house.clock.instant
    house.clock.advance(2 * HOUR)
    await house.upsert({"externalId": "ada", "email": "b@x.org"})
    changed = house.clock.instant
    house.clock.advance(HOUR)

    await house.track("ada", "email_bounced", occurred_at=changed - timedelta(microseconds=1))
    assert await email(house) == ("ACTIVE", noon)

    await house.track("ada", "email_unsubscribed", occurred_at=noon + HOUR)
    assert await email(house) == ("UNSUBSCRIBED", noon + HOUR)


async def test_a_bounce_of_the_new_address_counts(house):
    await house.upsert({"externalId": "ada", "email": "a@x.org"})
    house.clock.advance(HOUR)
    await house.upsert({"externalId": "ada", "email": "b@x.org"})

    await house.track("ada", "email_bounced", occurred_at=house.clock.instant)

    assert await email(house) == ("BOUNCED", house.clock.instant)


@pytest.mark.slow
@pytest.mark.parametrize("base", ["ACTIVE", None])
async def test_refusals_come_to_the_same_in_whatever_order_they_are_told(house, base):
    told = {"email_bounced": 1, "email_unsubscribed": 2, "email_complained": 3, "email_opened": 4}
    noon = house.clock.instant
    found = set()
    for number, order in enumerate(permutations(told)):
        house.clock.instant = noon
        await house.upsert(
            {"externalId": f"p{number}"} | ({"channels": wish(base)["channels"]} if base else {})
        )
        house.clock.instant = noon + HOUR
        for name in order:
            for minutes in (told[name] + 10, told[name]):
                await house.track(f"p{number}", name, occurred_at=noon + timedelta(minutes=minutes))
        rows = await house.ports.database.fetch(
            "SELECT c.status, c.changed_at, c.reason FROM channel_states c JOIN subscribers s "
            "ON s.bucket_id = c.bucket_id AND s.id = c.subscriber_id WHERE c.bucket_id = $1 AND s.external_id = $2",
            house.bucket_id,
            f"p{number}",
        )
        found |= {tuple(row) for row in rows}

    assert found == {("SPAM_REPORTED", noon + timedelta(minutes=3), "email_complained")}
