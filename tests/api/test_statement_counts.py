"""A query costs the same statements for one parent and for fifty. A write and a preview cost few."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
import pytest_asyncio

from audience_gql.audience.testing import MemorySignals
from audience_gql.storage.clock import DatabaseClock
from tests.api.conftest import TRACK, UPSERT, new_workspace

pytestmark = pytest.mark.one_server(
    "counts statements, of which a cluster gets one for each parent or bucket, and one more for a write"
)
MANY = 50

PEOPLE = """query ($first: Int) { subscribers(first: $first) { edges { node {
  id channels { status } fields { value definition { label } } field(key: "plan")
  groups(first: 2) { edges { addedAt node { name memberCount } } pageInfo { hasNextPage } }
  segments(first: 2) { edges { enteredAt node { name state memberCount evaluatedThrough condition } } }
  events(first: 2) { edges { node { name value } } }
  bought: events(name: "bought", first: 2) { edges { node { name } } }
  membershipHistory(first: 2) { edges { node { segment { name } group { name } subscriber { email } } } }
} } } }"""
EVENTS = """query ($first: Int) { subscribers(first: $first) { edges { node {
  events(first: 2) { edges { node { name subscriber { email } } } }
} } } }"""
GROUPS = """query ($first: Int) { groups(first: $first) { edges { node {
  name memberCount members(first: 1) { edges { node { id channels { status } } } }
} } } }"""
SEGMENTS = """query ($first: Int) { segments(first: $first) { edges { node {
  name state memberCount evaluatedThrough condition dependsOn { name } usedBy { name }
  members(first: 1) { feedCursor edges { node { id } } }
  membershipChanges(first: 1) { edges { node { subscriber { id } segment { name } } } }
} } } }"""
FEED = """query ($after: String, $first: Int) { membershipChanges(after: $after, first: $first) {
  changes { segment { name memberCount } group { name } subscriber { email channels { status } } }
} }"""


PARENTS = (
    re.compile(
        r"\(SELECT \(\$2::bigint\[\]\)\[n\] AS id, n AS number FROM generate_series\(1, \d+\) AS n\) AS p"
    ),
    "unnest($2::bigint[]) WITH ORDINALITY AS p (id, number)",
)
"""How statements name few parents, and how they name many."""


def shapes(statements: list[str]) -> list[str]:
    """The statements without their page sizes and their numbers of parents."""
    few, many = PARENTS
    return sorted(few.sub(many, re.sub(r"LIMIT \d+", "LIMIT n", statement)) for statement in statements)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(schema, database, tick_pool):
    """Fifty people, groups and segments, everybody in several of them. The tests only read them."""
    api = await new_workspace(schema, database, tick_pool, MemorySignals())
    start = (await api.data("{ membershipChanges { cursor } }"))["membershipChanges"]["cursor"]
    await api.data(
        'mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename } }'
    )
    groups = [await api.group(f"group {number}") for number in range(MANY)]
    first = await api.segment("segment 0", {"country": {"is": "LT"}})
    await api.segments({f"segment {number}": {"segment": {"anyOf": [first]}} for number in range(1, MANY)})
    await api.upsert(
        *(
            {"externalId": str(number), "country": "LT", "addToGroupIds": [groups[number], groups[0]],
             "fields": [{"key": "plan", "value": "free"}], "channels": [{"channel": "EMAIL", "status": "ACTIVE"}]}
            for number in range(MANY)
        )
    )  # fmt: skip
    await api.track(
        *({"subscriber": {"externalId": str(number)}, "name": "bought"} for number in range(MANY))
    )
    await api.tick()
    return api, start


@pytest.mark.parametrize(
    "document", [PEOPLE, EVENTS, GROUPS, SEGMENTS], ids=["people", "events", "groups", "segments"]
)
async def test_one_parent_or_fifty(full, document):
    api, _ = full

    with api.counting() as for_one:
        one = await api.data(document, first=1)
    with api.counting() as for_many:
        many = await api.data(document, first=MANY)

    (listed,) = one.values()
    (all_listed,) = many.values()
    assert (len(listed["edges"]), len(all_listed["edges"])) == (1, MANY)
    assert shapes(for_many) == shapes(for_one)


@pytest.mark.slow
async def test_the_next_changes_of_one_segment_or_fifty(api):
    created = {"createdAt": {"inLast": {"days": 1}}}
    await api.segments(
        {
            f"segment {number:02}": {
                "any": [{"event": {"name": "bought", "within": {"last": {"days": number + 1}}}}, created]
            }
            for number in range(MANY)
        }
    )
    await api.upsert({"externalId": "1"})
    await api.track({"subscriber": {"externalId": "1"}, "name": "bought"})
    await api.tick()
    document = "query ($first: Int) { segments(first: $first) { edges { node { nextChangeAt } } } }"

    with api.counting() as for_one:
        await api.data(document, first=1)
    with api.counting() as for_many:
        many = await api.data(document, first=MANY)

    assert [edge["node"] for edge in many["segments"]["edges"]] == [
        {"nextChangeAt": "2026-03-02T12:00:00Z"}
    ] * MANY
    assert shapes(for_many) == shapes(for_one)


async def test_each_of_fifty_parents_gets_its_own(full):
    api, _ = full

    found = await api.data(
        """{ subscribers(first: 50) { edges { node {
          externalId channels { status } groups(first: 2) { edges { node { name } } } segments(first: 1) { edges { node { id } } }
          events(first: 1) { edges { node { subscriber { externalId } } } }
          membershipHistory(first: 1) { edges { node { subscriberId } } } id
        } } } }"""
    )

    for edge in found["subscribers"]["edges"]:
        person = edge["node"]
        number = person["externalId"]
        assert person["channels"] == [{"status": "ACTIVE"}]
        names = {it["node"]["name"] for it in person["groups"]["edges"]}
        assert names == {"group 0", f"group {number}"}
        assert len(person["segments"]["edges"]) == 1
        assert person["events"]["edges"] == [{"node": {"subscriber": {"externalId": number}}}]
        assert person["membershipHistory"]["edges"] == [{"node": {"subscriberId": person["id"]}}]


async def test_one_change_or_fifty(full):
    api, start = full

    with api.counting() as for_one:
        one = await api.data(FEED, after=start, first=1)
    with api.counting() as for_many:
        many = await api.data(FEED, after=start, first=MANY)

    assert len(one["membershipChanges"]["changes"]) == 1
    assert len(many["membershipChanges"]["changes"]) == MANY
    # The first change may be of one kind of list only, and segments take two statements.
    assert len(for_many) - len(for_one) <= 2


async def test_a_page_of_plain_people_is_one_statement(full):
    api, _ = full

    with api.counting() as statements:
        await api.data("{ subscribers(first: 50) { edges { node { id email country createdAt } } } }")

    assert len(statements) == 1


async def test_a_batch_of_people_is_read_back_in_one_statement(api):
    document = """mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) {
      ... on UpsertSubscribersPayload { subscribers { id } } } }"""

    with api.counting() as statements:
        await api.data(
            document, input={"subscribers": [{"externalId": str(number)} for number in range(100)]}
        )

    assert len(statements) == 1


# ---- writes and previews

ADA = {"externalId": "ada", "email": "ada@example.com", "city": "Vilnius"}
BOUGHT = {"subscriber": {"externalId": "ada"}, "name": "bought"}
SHORT = ["BEGIN", "resolve", "hold", "write", "COMMIT"]
"""An event: find whose key it is, hold the person against erasure, write the event and its mark."""
NAMES = {
    "SELECT statement_timestamp() AS asked_at, b.ids": "resolve",
    "SELECT clock_timestamp()": "clock",
    "SELECT id FROM subscribers": "hold",
    "SELECT id, external_id": "lock",
    "SELECT subscriber_id, channel": "channels",
    "INSERT INTO identities": "claim",
    "DELETE FROM identities": "release",
    "INSERT INTO event_keys": "claim",
    "INSERT INTO trail_entries": "trail",
    "INSERT INTO event_names": "intern",
    "SELECT name, id FROM event_names": "names",
    "WITH marked AS (INSERT INTO dirty": "write",
    "WITH people AS (INSERT INTO subscribers": "write",
    "SELECT 'group' AS kind": "words",
    "SELECT id, revision": "segments",
    "SELECT ARRAY(SELECT id FROM buckets": "audience",
    "SAVEPOINT limited; SET LOCAL": "limit",
    "ROLLBACK TO limited": "unlimit",
    "WITH matched AS": "count",
    "SELECT EXISTS": "anybody",
    "SELECT s.bucket_id": "people",
}


@contextmanager
def sending() -> Iterator[list[str]]:
    """A short name of each message to Postgres during the context, except for blocks of ids, of which each process draws one now and then."""
    sent: list[str] = []

    def noting(method: Any, text: str | None = None) -> Any:
        def note(connection: asyncpg.Connection, given: str, *values: Any, **options: Any) -> Any:
            if "nextval" not in given:
                sent.append(_short(text or given))
            return method(connection, given, *values, **options)

        return note

    with ExitStack() as stack:
        for name in ("execute", "fetch", "fetchrow", "fetchval"):
            stack.enter_context(
                patch.object(asyncpg.Connection, name, noting(getattr(asyncpg.Connection, name)))
            )
        copy = asyncpg.Connection.copy_records_to_table
        stack.enter_context(patch.object(asyncpg.Connection, "copy_records_to_table", noting(copy, "COPY")))
        yield sent


def _short(text: str) -> str:
    found = [name for start, name in NAMES.items() if text.startswith(start)]
    return found[0] if found else text.split(maxsplit=1)[0].rstrip(";")


@pytest_asyncio.fixture(loop_scope="session")
async def house(api):
    """A workspace with the database's clock, which a simulated one would hide. It has one person, who has bought."""
    ports = replace(api.services.ports, clock=DatabaseClock())
    api.services = replace(api.services, ports=ports, heavy_ports=ports)
    await api.upsert(ADA)
    await api.track(BOUGHT)
    return api


@pytest.mark.parametrize(
    ("event", "statements"),
    [
        ({}, SHORT),
        ({"key": "order 7"}, ["BEGIN", "resolve", "hold", "claim", "write", "COMMIT"]),
        ({"name": "seen"}, ["BEGIN", "resolve", "hold", "names", "intern", "write", "COMMIT"]),
        (
            {"subscriber": {"externalId": "bob"}},
            ["BEGIN", "resolve", "resolve", "claim", "write", "write", "COMMIT"],
        ),
        (
            {"name": "email_bounced"},
            ["BEGIN", "resolve", "hold", "lock", "names", "intern", "channels", "INSERT", "write", "COMMIT"],
        ),
    ],
    ids=["known", "with a key", "of a new name", "of a new person", "a refusal"],
)
async def test_an_event_costs_few_statements(house, event, statements):
    with sending() as sent:
        await house.data(TRACK, input={"events": [BOUGHT | event], "createMissing": True})

    assert sent[: sent.index("COMMIT") + 1] == statements


async def test_an_event_of_a_person_named_by_id_costs_as_few(house):
    (ada,) = await house.upsert({"externalId": "ada"})

    with sending() as sent:
        await house.track(BOUGHT | {"subscriber": {"id": ada}})

    assert sent == SHORT


async def test_many_events_are_copied(house):
    await house.upsert(*({"externalId": str(number)} for number in range(100)))

    with sending() as sent:
        await house.track(*(BOUGHT | {"subscriber": {"externalId": str(number)}} for number in range(100)))

    assert sent == ["BEGIN", "resolve", "hold", "COPY", "COPY", "COMMIT"]


@pytest.mark.parametrize(
    ("person", "statements"),
    [
        ({"externalId": "bob", "city": "Kaunas"}, ["BEGIN", "resolve", "claim", "write", "COMMIT"]),
        (ADA | {"city": "Kaunas"}, ["BEGIN", "resolve", "lock", "clock", "write", "COMMIT"]),
        (ADA, ["BEGIN", "resolve", "lock", "clock", "COMMIT"]),
        (
            ADA | {"email": "lovelace@example.com"},
            ["BEGIN", "resolve", "lock", "channels", "clock", "claim", "release", "write", "COMMIT"],
        ),
    ],
    ids=["new", "changed", "unchanged", "with another address"],
)
async def test_an_upsert_costs_few_statements(house, person, statements):
    with sending() as sent:
        await house.data(UPSERT, input={"subscribers": [person]})

    assert sent[: sent.index("COMMIT") + 1] == statements
    assert sent[-1] == "people"  # the payload, after the commit


async def test_an_upsert_of_many_costs_as_few(house):
    people = [{"externalId": str(number), "city": "Kaunas"} for number in range(100)]
    await house.upsert(*people[:50])

    with sending() as sent:
        await house.data(UPSERT, input={"subscribers": people})

    assert sent[: sent.index("COMMIT") + 1] == [
        "BEGIN", "resolve", "lock", "clock", "claim", "write", "COMMIT",
    ]  # fmt: skip


async def test_the_audit_trail_costs_a_change_of_a_definition_one_statement(house):
    with sending() as sent:
        await house.data('mutation { createGroup(input: {name: "Team"}) { __typename } }')

    assert sent == ["BEGIN", "clock", "INSERT", "trail", "COMMIT"]


async def test_a_preview_costs_few_statements(house):
    document = """query ($condition: ConditionInput!) { previewSegment(condition: $condition, sample: 2) {
      ... on SegmentPreview { memberCount warnings sample { id } } } }"""

    with sending() as sent:
        await house.data(document, condition={"any": [{"city": {"is": "Vilnius"}}, {"city": {"is": "Riga"}}]})

    assert sent == [
        "BEGIN", "words", "segments", "clock", "audience", "limit", "count", "unlimit", "people",
        "limit", "anybody", "anybody", "unlimit", "ROLLBACK",
    ]  # fmt: skip
