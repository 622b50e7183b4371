"""Mutations that are open for long delay nobody in another workspace, whatever they change, also on a cluster."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from audience_gql.audience.testing import MemorySignals
from audience_gql.storage.postgres.database import Database
from tests import cluster
from tests.api.conftest import Api, new_workspace
from tests.api.test_trail import OWN_HASH, STEPS, run_everything
from tests.lingering import Lingering

UPSERT = """upsertSubscribers(input: {subscribers: [{email: "ada@x.example", firstName: "Ada", fields: [{key: "plan", value: "a"}]},
  {externalId: "new"}, {externalId: "known", email: "known@x.example"}], addToGroupIds: ["$group"]}) { __typename }"""
TRACK = """trackEvents(input: {events: [{subscriber: {externalId: "known"}, name: "never seen"}]}) { __typename }"""
MORE: list[tuple[str, str, list[str]]] = [
    ("", UPSERT.replace("$group", "$field"), []),  # $field is a custom field that must be there
    ("", UPSERT, []),
    ("", TRACK, []),
    ("", 'setChannelStatus(input: {subscriber: {externalId: "known"}, channel: EMAIL, status: UNSUBSCRIBED}) { __typename }', []),
    ("", 'addToGroup(input: {groupId: "$group", subscribers: [{externalId: "known"}]}) { __typename }', []),
    ("", 'removeFromGroup(input: {groupId: "$group", subscribers: [{externalId: "known"}]}) { __typename }', []),
    ("", 'recomputeSegment(input: {id: "$segment"}) { __typename }', []),
    ("", 'markReviewed(input: {segmentIds: ["$segment"]}) { __typename }', []),
    ("", 'replayWebhookDeliveries(input: {endpointId: "$endpoint", from: "2026-02-01T00:00:00Z"}) { __typename }', []),
    ("", 'expireExport(input: {id: "$export"}) { __typename }', []),
]  # fmt: skip
ALL = [*STEPS, *MORE]


@dataclass
class Open:
    """A mutation that has written everything, in a transaction that is open."""

    mutation: str
    lingering: Lingering
    task: asyncio.Task[object]


def names_in(mutation: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", mutation))


def needed_before(position: int) -> list[int]:
    """The earlier steps that make what a step names, or change it."""
    wanted = names_in(ALL[position][1]) | ({"document"} if OWN_HASH in ALL[position][1] else set())
    needed: list[int] = []
    for earlier in reversed(range(min(position, len(STEPS)))):
        name, mutation, _ = ALL[earlier]
        is_edit = not name and position < len(STEPS) and names_in(mutation) & wanted
        if name in wanted or (is_edit and not mutation.startswith(("delete", "splitSegment"))):
            needed.append(earlier)
            wanted |= names_in(mutation)
    return needed[::-1]


async def run_step(api: Api, position: int, names: dict[str, str]) -> str:
    name, mutation, _ = ALL[position]
    for known, id_ in names.items():
        mutation = mutation.replace(f'"${known}"', f'"{id_}"')
    answer = str(await api.data(f"mutation {{ {mutation} }}"))
    if name:
        (names[name],) = re.findall(r"'id': '(\w+_[\w-]+)'", answer)
    return answer


@asynccontextmanager
async def open_mutations(schema, database, tick_pool):
    """Every kind of mutation, each open in a workspace of its own."""
    opened: list[Open] = []
    try:
        for position, (_, mutation, _) in enumerate(ALL):
            api = await new_workspace(schema, database, tick_pool, MemorySignals())
            await api.upsert({"externalId": "known"}, {"externalId": "canary-person"})
            names: dict[str, str] = {}
            for earlier in needed_before(position):
                await run_step(api, earlier, names)
            await api.fill()
            lingering = Lingering(database)
            ports = replace(api.services.ports, database=lingering)  # type: ignore[arg-type]  # it has all of a database's methods
            api.services = replace(api.services, ports=ports, heavy_ports=ports)
            task = asyncio.create_task(run_step(api, position, names))
            writing = asyncio.create_task(lingering.is_written.wait())
            await asyncio.wait((writing, task), return_when=asyncio.FIRST_COMPLETED)
            writing.cancel()
            opened.append(Open(mutation, lingering, task))
        yield opened
    finally:
        for each in opened:
            each.lingering.may_commit.set()
        await asyncio.gather(*(each.task for each in opened), return_exceptions=True)


async def everything(api: Api, other: Api) -> None:
    """Every kind of mutation, one after the other, with fills and a tick."""
    await run_everything(api)
    await other.upsert({"externalId": "known"})
    names: dict[str, str] = {}
    for position, (name, _, _) in enumerate(ALL):
        if position >= len(STEPS) or name in ("group", "segment", "field", "endpoint", "export"):
            await run_step(other, position, names)
    await other.fill()
    await other.tick()


@pytest.mark.on_cluster
async def test_open_mutations_of_every_kind_delay_no_other_workspace(
    schema, database_url, tick_pool, api, stranger
):
    declared = set(api.schema._declared._schema.mutation_type.fields)
    kinds = {re.split(r"\W", mutation)[0] for _, mutation, _ in ALL}
    assert declared - kinds == {"testWebhookEndpoint", "replayWebhookDelivery"}

    wide = await Database.open(database_url, pool_size=len(ALL) + 4, is_default=False)
    try:
        async with open_mutations(schema, wide, tick_pool) as opened:
            is_open = {re.split(r"\W", each.mutation)[0] for each in opened if not each.task.done()}
            await everything(api, stranger)  # each statement ends after 5 seconds
            still = {re.split(r"\W", each.mutation)[0] for each in opened if not each.task.done()}

        assert still == is_open
        assert {
            each.mutation: each.task.result()
            for each in opened
            if re.split(r"\W", each.mutation)[0] not in is_open
        } == {}
        async with wide.acquire() as connection:
            assert await cluster.differing_copies(connection) == []
        for each in opened:
            assert "rejects" not in str(each.task.result()), each.mutation
    finally:
        await wide.close()
