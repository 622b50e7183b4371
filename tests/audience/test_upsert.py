"""People are matched by any of their keys, folded within a batch, and refused without touching the others."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.failures import InvalidInput
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.storage.orm.models import Subscriber
from audience_gql.storage.people import facts


async def person(ref: SubscriberRef | None) -> Subscriber:
    assert ref is not None
    return await Subscriber.in_bucket(ref.bucket_id).get(id=ref.id)


async def marks(house) -> set[tuple[str, int]]:
    rows = await house.ports.database.fetch(
        "SELECT kind, ref FROM dirty WHERE bucket_id = $1", house.bucket_id
    )
    return {(row["kind"], row["ref"]) for row in rows}


async def test_items_that_name_the_same_person_are_folded_in_order(house):
    upserted = await house.upsert(
        {"externalId": "1", "email": "Ada@Example.com", "firstName": "Ada"},
        {"email": "ADA@example.COM", "firstName": "Augusta", "lastName": "King"},
        {"externalId": "1", "lastName": None},
    )

    assert (upserted.created, upserted.updated, upserted.rejects) == (1, 0, [])
    assert len(set(upserted.subscribers)) == 1
    ada = await person(upserted.subscribers[0])
    assert (ada.email, ada.email_folded) == ("ADA@example.COM", "ada@example.com")
    assert (ada.first_name, ada.last_name) == ("Augusta", None)


async def test_omitted_keeps_null_and_empty_clear(house):
    first = await house.upsert({"externalId": "1", "firstName": "Ada", "city": "London", "region": "LND"})

    await house.upsert({"externalId": "1", "city": None, "region": ""})

    ada = await person(first.subscribers[0])
    assert (ada.first_name, ada.city, ada.region, ada.city_folded) == ("Ada", None, None, None)


async def test_keys_of_two_people_are_refused_and_nothing_of_the_item_is_done(house):
    before = await house.upsert({"externalId": "1"}, {"email": "bob@example.com", "firstName": "Bob"})

    upserted = await house.upsert(
        {"externalId": "1", "email": "bob@example.com", "firstName": "Mixed"}, {"externalId": "3"}
    )

    (reject,) = upserted.rejects
    assert (reject.index, reject.code, reject.path) == (0, "CONFLICT", ("subscribers", 0))
    assert reject.message == "externalId belongs to {0}, email belongs to {1}"
    assert reject.people == tuple((ref.bucket_id, ref.id) for ref in before.subscribers)
    assert upserted.subscribers[0] is None
    assert upserted.created == 1
    bob = (await house.upsert({"email": "bob@example.com"})).subscribers[0]
    assert (await person(bob)).first_name == "Bob"


async def test_a_key_that_was_given_up_can_be_taken_by_another(house):
    await house.upsert({"externalId": "1", "email": "old@example.com"})
    await house.upsert({"externalId": "1", "email": "new@example.com"})

    taken = await house.upsert({"externalId": "2", "email": "old@example.com"})

    assert taken.rejects == []
    assert taken.created == 1


async def test_a_key_freed_by_an_earlier_item_makes_somebody_new(house):
    first = await house.upsert({"externalId": "C", "email": "c@example.com", "firstName": "Cyd"})

    moved = await house.upsert(
        {"externalId": "C", "email": "c2@example.com"}, {"externalId": "D", "email": "c@example.com"}
    )

    assert (moved.created, moved.updated, moved.rejects) == (1, 1, [])
    cyd, dan = [await person(ref) for ref in moved.subscribers]
    assert moved.subscribers[0] == first.subscribers[0]
    assert (cyd.external_id, cyd.email, cyd.first_name) == ("C", "c2@example.com", "Cyd")
    assert (dan.external_id, dan.email, dan.first_name) == ("D", "c@example.com", None)
    assert (await house.upsert({"email": "c@example.com"})).subscribers == moved.subscribers[1:]


async def test_an_address_freed_and_then_named_alone_does_not_go_back(house):
    first = await house.upsert({"externalId": "1", "email": "a@example.com"})

    second = await house.upsert({"externalId": "1", "email": None}, {"email": "a@example.com"})

    assert second.created == 1
    assert second.subscribers[0] == first.subscribers[0] != second.subscribers[1]


async def test_two_people_swap_through_null(house):
    before = await house.upsert(
        {"externalId": "1", "email": "a@example.com"}, {"externalId": "2", "email": "b@example.com"}
    )

    swapped = await house.upsert(
        {"externalId": "1", "email": None},
        {"externalId": "2", "email": "a@example.com"},
        {"externalId": "1", "email": "b@example.com"},
    )

    assert (swapped.created, swapped.updated, swapped.rejects) == (0, 2, [])
    after = await house.upsert({"email": "b@example.com"}, {"email": "a@example.com"})
    assert after.subscribers == before.subscribers


async def test_a_person_given_by_an_unknown_id_is_unknown_whatever_else_is_given(house):
    await house.upsert({"externalId": "1"})

    (reject,) = (await house.upsert({"id": SubscriberRef(house.bucket_id, 2), "externalId": "1"})).rejects

    assert (reject.code, reject.path) == ("UNKNOWN", ("subscribers", 0, "id"))


async def test_a_key_taken_back_within_a_batch_is_free_again(house):
    await house.upsert({"externalId": "1", "email": "a@example.com"})
    await house.upsert(
        {"externalId": "1", "email": "b@example.com"}, {"externalId": "1", "email": "a@example.com"}
    )

    taken = await house.upsert({"externalId": "2", "email": "b@example.com"})

    assert taken.rejects == []


@pytest.mark.parametrize(
    ("item", "code", "path"),
    [
        ({"externalId": "x", "phone": "12"}, "MALFORMED", ("phone",)),
        ({"externalId": "x", "email": "nobody"}, "MALFORMED", ("email",)),
        ({"externalId": "x", "country": "Lithuania"}, "MALFORMED", ("country",)),
        ({"externalId": "x", "timezone": "Mars/Base"}, "UNKNOWN", ("timezone",)),
        ({"externalId": "x\x00"}, "MALFORMED", ("externalId",)),
        ({"externalId": "x", "city": "\ud800"}, "MALFORMED", ("city",)),
        ({"externalId": "x" * 1001}, "OUT_OF_RANGE", ("externalId",)),
        ({"externalId": "x", "fields": [{"key": "nope", "value": 1}]}, "UNKNOWN", ("fields", 0, "key")),
        ({"externalId": "x", "addToGroupIds": [1]}, "UNKNOWN", ("addToGroupIds", 0)),
        ({"id": SubscriberRef(1, 2)}, "UNKNOWN", ("id",)),
        ({"firstName": "nobody in particular"}, "REQUIRED", ()),
    ],
)
async def test_a_bad_item_is_refused_with_its_path_and_the_others_go_through(house, item, code, path):
    upserted = await house.upsert({"externalId": "good"}, item)

    assert [(r.index, r.code, r.path) for r in upserted.rejects] == [(1, code, ("subscribers", 1, *path))]
    assert upserted.created == 1
    count = await house.ports.database.fetchval(
        "SELECT count(*) FROM subscribers WHERE bucket_id = $1", house.bucket_id
    )
    assert count == 1


async def test_more_than_a_thousand_items_are_refused_whole(house):
    with pytest.raises(InvalidInput) as refused:
        await house.upsert(*({"externalId": str(n)} for n in range(1001)))

    assert refused.value.issues[0].code == "TOO_MANY"


async def test_only_what_changed_is_marked(house):
    field = await define_custom_field(
        ports=house.ports, workspace=house.workspace, key="size", label="Size", type="NUMBER"
    )
    await house.upsert({"externalId": "1", "firstName": "Ada", "fields": [{"key": "size", "value": 2.5}]})
    await house.tick()

    unchanged = await house.upsert(
        {"externalId": "1", "firstName": "Ada", "fields": [{"key": "size", "value": 2.5}]}
    )
    assert (unchanged.updated, await marks(house)) == (0, set())

    changed = await house.upsert({"externalId": "1", "fields": [{"key": "size", "value": 3}]})
    assert (changed.updated, await marks(house)) == (1, {("field", field.id), ("profile", 0)})


async def test_concurrent_writers_of_the_same_new_people_make_each_once(house):
    batch = [{"externalId": str(n), "email": f"{n}@example.com"} for n in range(50)]

    results = await asyncio.gather(
        *(house.upsert(*(batch if writer % 2 else reversed(batch))) for writer in range(8))
    )

    assert sum(result.created for result in results) == 50
    assert all(result.rejects == [] for result in results)
    refs = {ref for result in results for ref in result.subscribers}
    assert len(refs) == 50


async def test_concurrent_moves_of_one_key_leave_one_owner(house):
    await house.upsert({"externalId": "1", "email": "key@example.com"}, {"externalId": "2"})

    await asyncio.gather(
        *(
            house.upsert({"externalId": "1", "email": f"{n}@example.com" if n % 2 else "key@example.com"})
            for n in range(12)
        ),
        *(house.upsert({"externalId": "2", "email": "key@example.com"}) for _ in range(12)),
    )

    rows = await house.ports.database.fetch(
        "SELECT s.id, s.email_folded, i.subscriber_id FROM subscribers s "
        "LEFT JOIN identities i ON i.workspace_id = $2 AND i.kind = 'email' AND i.value = s.email_folded "
        "WHERE s.bucket_id = $1 AND s.email IS NOT NULL",
        house.bucket_id,
        house.workspace.id,
    )
    assert all(row["id"] == row["subscriber_id"] for row in rows)
    owned = await house.ports.database.fetchval(
        "SELECT count(*) FROM identities WHERE workspace_id = $1 AND kind = 'email'", house.workspace.id
    )
    assert owned == len(rows)


async def test_concurrent_swaps_among_the_same_people_lose_and_double_nothing(house):
    chance = Random(14)
    addresses = [f"{n}@example.com" for n in range(4)]
    people = [str(n) for n in range(4)]
    await house.upsert(
        *({"externalId": one, "email": address} for one, address in zip(people, addresses, strict=True))
    )

    async def swap(order: list[str]) -> None:
        left = [{"externalId": one, "email": None} for one in order]
        come = [
            {"externalId": one, "email": address}
            for one, address in zip(order, chance.sample(addresses, 4), strict=True)
        ]
        upserted = await house.upsert(*left, *come)
        assert (upserted.created, upserted.rejects) == (0, [])

    for _ in range(12):
        await asyncio.gather(*(swap(chance.sample(people, 4)) for _ in range(8)))

    assert await odd_identities(house) == []
    again = await house.upsert(*({"email": address} for address in addresses))
    assert (again.created, len(set(again.subscribers))) == (0, 4)


async def test_a_key_that_moves_while_a_batch_waits_means_its_new_owner(house, monkeypatch):
    await house.upsert({"externalId": "ada", "email": "key@example.com"}, {"externalId": "bob"})
    meanwhile(
        house,
        monkeypatch,
        {"externalId": "ada", "email": "other@example.com"},
        {"externalId": "bob", "email": "key@example.com"},
    )

    await house.upsert({"email": "key@example.com", "city": "Kaunas"})

    assert await cities(house) == {"ada": None, "bob": "Kaunas"}


async def test_a_key_that_moves_among_the_people_of_a_batch_means_its_new_owner(house, monkeypatch):
    await house.upsert({"externalId": "ada", "email": "key@example.com"}, {"externalId": "bob"})
    meanwhile(
        house,
        monkeypatch,
        {"externalId": "ada", "email": None},
        {"externalId": "bob", "email": "key@example.com"},
    )

    await house.upsert(
        {"email": "key@example.com", "city": "Kaunas"}, {"externalId": "ada"}, {"externalId": "bob"}
    )

    assert await cities(house) == {"ada": None, "bob": "Kaunas"}


async def test_a_person_who_is_erased_while_a_batch_waits_is_made_anew(house, monkeypatch):
    (before,) = (await house.upsert({"externalId": "ada", "city": "Vilnius"})).subscribers
    meanwhile(house, monkeypatch, erase="ada")

    upserted = await house.upsert({"externalId": "ada", "firstName": "Ada"})

    assert (upserted.created, upserted.updated) == (1, 0)
    assert upserted.subscribers != [before]
    assert await cities(house) == {"ada": None}


async def test_a_key_that_a_batch_uses_only_for_a_moment_is_not_taken_from_its_new_owner(house, monkeypatch):
    await house.upsert({"externalId": "ada"})
    meanwhile(
        house,
        monkeypatch,
        {"externalId": "bob", "email": "key@example.com"},
        {"externalId": "ada", "city": "Kaunas"},
    )

    upserted = await house.upsert(
        {"externalId": "ada", "email": "key@example.com"},
        {"externalId": "ada", "email": "other@example.com"},
    )

    assert [(reject.index, reject.code) for reject in upserted.rejects] == [(0, "CONFLICT")]
    assert await cities(house) == {"ada": "Kaunas", "bob": None}


@pytest.mark.parametrize("address", [{"email": "ada@example.com"}, {"externalId": "ada", "email": None}])
async def test_a_bounce_ends_only_with_its_address(house, address):
    await house.upsert({"externalId": "ada", "email": "ada@example.com"})
    await house.track("ada", "email_bounced")

    await house.upsert({**address, "city": "Kaunas"}, {"externalId": "bob"})

    left = await house.ports.database.fetch(
        "SELECT status FROM channel_states WHERE bucket_id = $1", house.bucket_id
    )
    assert [row["status"] for row in left] == ([] if address["email"] is None else ["BOUNCED"])


def meanwhile(house, monkeypatch, *items: dict[str, object], erase: str | None = None) -> None:
    """Between the next batch's look at its keys and its locks, another caller changes people."""
    lock_people = facts.lock_people

    async def late(*given):
        monkeypatch.setattr(facts, "lock_people", lock_people)
        if items:
            await house.upsert(*items)
        if erase is not None:
            key = SubscriberKey(kind="externalId", value=erase)
            await erase_subscriber(ports=house.ports, workspace=house.workspace, subscriber=key)
        return await lock_people(*given)

    monkeypatch.setattr(facts, "lock_people", late)


async def cities(house) -> dict[str, str | None]:
    rows = await house.ports.database.fetch(
        "SELECT external_id, city FROM subscribers WHERE bucket_id = $1 ORDER BY external_id", house.bucket_id
    )
    return {row["external_id"]: row["city"] for row in rows}


async def odd_identities(house) -> list[tuple[object, ...]]:
    """Keys in a row that are not the person's in `identities`, and the reverse."""
    rows = await house.ports.database.fetch(
        "SELECT k.kind, k.value, s.id, i.subscriber_id FROM subscribers s CROSS JOIN LATERAL (VALUES "
        "('email', s.email_folded), ('phone', s.phone), ('externalId', s.external_id)) AS k (kind, value) "
        "FULL JOIN (SELECT * FROM identities WHERE workspace_id = $2) i "
        "ON i.kind = k.kind AND i.value = k.value AND i.subscriber_id = s.id "
        "WHERE (s.bucket_id = $1 OR s.bucket_id IS NULL) AND (k.value IS NOT NULL OR s.id IS NULL) "
        "AND s.id IS DISTINCT FROM i.subscriber_id",
        house.bucket_id,
        house.workspace.id,
    )
    return [tuple(row) for row in rows]
