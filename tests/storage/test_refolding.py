"""What an older version stored follows the rules for values after a migration, and nobody is merged or lost by it."""

from __future__ import annotations

import json
import logging

import asyncpg
import pytest

from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.storage.refolding import refold
from tests.audience.conftest import clock, lone_house

__all__ = ["clock", "lone_house"]


async def as_it_was(house, person, **columns):
    """Write a person's columns as the version before would have, with the identities of then."""
    for column, value in columns.items():
        old = await house.ports.database.fetchval(
            f"UPDATE subscribers SET {column} = $3 WHERE bucket_id = $1 AND external_id = $2 RETURNING id",
            house.bucket_id,
            person,
            value,
        )
        assert old is not None
        if column == "external_id":
            person = value


async def own(house, kind, value, person):
    """Make a key the person's, and no other of that kind."""
    await house.ports.database.fetch(
        "UPDATE identities i SET value = $3 FROM subscribers s WHERE s.bucket_id = $4 AND s.external_id = $5 "
        "AND i.workspace_id = $1 AND i.kind = $2 AND i.subscriber_id = s.id RETURNING 1",
        house.workspace.id,
        kind,
        value,
        house.bucket_id,
        person,
    )


async def as_members(house, segment, person):
    """Put a person into a segment, as a condition of then did. Returns the members."""
    await house.ports.database.fetch(
        "INSERT INTO segment_members (bucket_id, segment_id, subscriber_id, entered_at) "
        "SELECT bucket_id, $2::bigint, id, created_at FROM subscribers WHERE bucket_id = $1 AND external_id = $3 RETURNING 1",
        house.bucket_id,
        segment.id,
        person,
    )
    return await house.members(segment)


async def owners(house, kind):
    rows = await house.ports.database.fetch(
        "SELECT i.value, s.first_name FROM identities i JOIN subscribers s ON s.bucket_id = i.bucket_id AND s.id = i.subscriber_id "
        "WHERE i.workspace_id = $1 AND i.kind = $2",
        house.workspace.id,
        kind,
    )
    return {row["value"]: row["first_name"] for row in rows}


async def migrate_values(url):
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM wanted_fills")
    async with connection.transaction():
        await refold(connection)
    await connection.close()


async def test_addresses_are_folded_anew(lone_house, empty_database_url, caplog):
    house = lone_house
    await house.upsert(
        {"externalId": "1", "firstName": "Ann", "email": "straße@x.de"},
        {"externalId": "2", "firstName": "Bob", "email": "strasse@y.de"},
        {"externalId": "3", "firstName": "Cyd", "email": "a@müller.de"},
        {"externalId": "4", "firstName": "Dan", "email": "b@x.de"},
    )
    of_ann = await house.segment("Of Ann", {"email": {"is": "strasse@x.de"}})
    of_bob = await house.segment("Of Bob", {"email": {"is": "STRAẞE@y.de"}})
    await house.tick()
    await as_it_was(house, "1", email_folded="strasse@x.de")
    await own(house, "email", "strasse@x.de", "1")
    before = await as_members(house, of_ann, "1")
    await as_it_was(house, "4", email="A@XN--mller-kva.de", email_folded="a@xn--mller-kva.de")
    await own(house, "email", "a@xn--mller-kva.de", "4")

    await migrate_values(empty_database_url)

    assert await owners(house, "email") == {
        "straße@x.de": "Ann",
        "strasse@y.de": "Bob",
        "a@müller.de": "Cyd",
    }
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told.startswith(
        f"workspace {house.workspace.id}: by the rules of this version, the email 'a@müller.de' belongs to another person; subscriber "
    )
    found = await house.ports.database.fetch(
        "SELECT first_name, email FROM subscribers WHERE bucket_id = $1 AND email_folded = 'a@müller.de' ORDER BY first_name",
        house.bucket_id,
    )
    assert [tuple(row) for row in found] == [("Cyd", "a@müller.de"), ("Dan", "A@XN--mller-kva.de")]
    wanted = await house.ports.database.fetch("SELECT segment_id FROM wanted_fills")
    assert [row["segment_id"] for row in wanted] == [of_bob.id]
    await house.tick()
    await house.fill()
    assert (before, await house.members(of_ann)) == ({"1"}, set())


async def test_who_was_left_without_an_address_can_take_it_when_it_is_free(lone_house, empty_database_url):
    house = lone_house
    await house.upsert(
        {"externalId": "1", "firstName": "Ann", "email": "a@müller.de"},
        {"externalId": "2", "firstName": "Bob", "email": "b@x.de"},
    )
    await as_it_was(house, "2", email="a@xn--mller-kva.de", email_folded="a@xn--mller-kva.de")
    await own(house, "email", "a@xn--mller-kva.de", "2")
    await migrate_values(empty_database_url)

    refused = await house.upsert({"externalId": "2", "email": "a@xn--mller-kva.de"})
    await house.upsert({"externalId": "1", "email": None}, {"externalId": "2", "email": "a@xn--mller-kva.de"})

    assert [reject.code for reject in refused.rejects] == ["CONFLICT"]
    assert await owners(house, "email") == {"a@müller.de": "Bob"}
    await house.upsert({"externalId": "2", "email": None})
    assert await owners(house, "email") == {}


async def test_of_two_who_want_a_key_whoever_was_created_first_gets_it(
    lone_house, empty_database_url, caplog
):
    house = lone_house
    for name in ("Late", "Early", "Sole", "Owner", "Outer"):
        await house.upsert({"externalId": name, "firstName": name})
    await house.ports.database.fetch(
        "UPDATE subscribers SET created_at = created_at - interval '1 day' WHERE bucket_id = $1 AND first_name = 'Early' RETURNING 1",
        house.bucket_id,
    )
    for name, key in (
        ("Late", " k"),
        ("Early", "k\t"),
        ("Sole", " s "),
        ("Owner", "o"),
        ("Outer", "o\u3000"),
    ):
        await own(house, "externalId", key, name)
        await as_it_was(house, name, external_id=key, external_id_folded=key)

    await migrate_values(empty_database_url)

    assert await owners(house, "externalId") == {"k": "Early", "s": "Sole", "o": "Owner"}
    rows = await house.ports.database.fetch(
        "SELECT first_name, external_id FROM subscribers WHERE bucket_id = $1", house.bucket_id
    )
    assert {row["first_name"]: row["external_id"] for row in rows} == {
        "Early": "k",
        "Late": "k",
        "Sole": "s",
        "Owner": "o",
        "Outer": "o",
    }
    assert len([record for record in caplog.records if "another person" in record.getMessage()]) == 2


async def test_texts_lists_and_zones_are_kept_as_they_would_be_now(lone_house, empty_database_url):
    house = lone_house
    text, tags, day = [
        await define_custom_field(
            ports=house.ports, workspace=house.workspace, key=type_.lower(), label=type_, type=type_
        )
        for type_ in ("TEXT", "LIST", "DATETIME")
    ]
    await house.upsert({"externalId": "1", "city": "x"}, {"externalId": "2"})
    segment = await house.segment("Cities", {"city": {"isSet": True}})
    in_kolkata = await house.segment("Kolkata", {"timezone": {"is": "Asia/Kolkata"}})
    await house.tick()
    fields = {str(text.id): " ß ", str(tags.id): ["A ", "", " "], str(day.id): "2026-03-01T12:00:00+00:00"}
    await as_it_was(
        house,
        "1",
        city=" \u3000",
        city_folded=" \u3000",
        region=" X ",
        region_folded=" x ",
        timezone="Asia/Calcutta",
        timezone_folded="asia/calcutta",
        fields=json.dumps(fields),
        fields_folded=json.dumps({str(text.id): " ss ", str(tags.id): ["a ", "", " "]}),
    )

    await migrate_values(empty_database_url)

    row = await house.ports.database.fetchrow(
        "SELECT * FROM subscribers WHERE bucket_id = $1 AND external_id = '1'", house.bucket_id
    )
    assert (row["city"], row["city_folded"], row["region"], row["region_folded"]) == (None, None, "X", "x")
    assert (row["timezone"], row["timezone_folded"]) == ("Asia/Kolkata", "asia/kolkata")
    assert json.loads(row["fields"]) == {
        str(text.id): "ß",
        str(tags.id): ["A"],
        str(day.id): "2026-03-01T12:00:00+00:00",
    }
    assert json.loads(row["fields_folded"]) == {str(text.id): "ss", str(tags.id): ["a"]}
    await house.tick()
    assert (await house.members(segment), await house.members(in_kolkata)) == (set(), {"1"})


async def test_events_names_and_keys_lose_their_blanks(lone_house, empty_database_url, caplog):
    house = lone_house
    await house.upsert({"externalId": "1"})
    for name, key in (("seen", "a"), ("bought", "b"), ("twice", "c")):
        await house.track("1", name, key=key)
    await house.ports.database.fetch(
        "UPDATE event_names SET name = CASE name WHEN 'seen' THEN ' seen' ELSE 'bought ' END WHERE name IN ('seen', 'twice') RETURNING 1"
    )
    await house.ports.database.fetch("UPDATE event_keys SET key = key || ' ' WHERE key <> 'b' RETURNING 1")

    await migrate_values(empty_database_url)

    names = await house.ports.database.fetch("SELECT name FROM event_names")
    keys = await house.ports.database.fetch("SELECT key FROM event_keys")
    assert {row["name"] for row in names} == {"seen", "bought", "bought "}
    assert {row["key"] for row in keys} == {"a", "b", "c"}
    assert "events named 'bought '" in caplog.text


@pytest.mark.parametrize(
    ("condition", "is_refilled"),
    [
        ({"email": {"contains": "ß"}}, True),
        ({"not": {"email": {"in": ["a@x.de", "a@XN--mller-kva.de"]}}}, True),
        ({"email": {"is": "a@x.de"}}, False),
        ({"city": {"is": " x"}}, True),
        ({"city": {"contains": " x"}}, False),
        ({"timezone": {"is": "Asia/Calcutta"}}, True),
        ({"timezone": {"is": "Asia/Kolkata"}}, False),
        ({"event": {"name": "seen "}}, True),
        ({"firstName": {"is": "ß"}}, False),
    ],
)
async def test_segments_that_mean_others_by_now_are_filled_anew(
    lone_house, empty_database_url, condition, is_refilled
):
    house = lone_house
    segment = await house.segment("It", {"email": {"isSet": True}})
    await house.ports.database.fetch(
        "UPDATE segments SET condition = $2 WHERE id = $1 RETURNING 1", segment.id, json.dumps(condition)
    )

    await migrate_values(empty_database_url)

    wanted = await house.ports.database.fetch("SELECT segment_id FROM wanted_fills")
    assert bool(wanted) is is_refilled
