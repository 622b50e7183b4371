"""Whoever keeps a cursor loses nothing: not by breaking off, nor by whatever is killed, restarted or drained meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from audience_gql.audience.access import create_token
from audience_gql.audience.definitions import groups
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.storage import buckets, definitions
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Transaction
from tests.faults.listeners import LISTEN_CLOSELY, ByPages, Listener, OnSocket, OnStream

pytestmark = [pytest.mark.faults, pytest.mark.fuzz]

SECONDS = 240 if os.environ.get("AUDIENCE_FUZZ_LONG") else 35
PEOPLE = 30
CHANGES = 300
VISITS = 6
FAULTS = 6
START = "{ membershipChanges { cursor } }"


@dataclass
class House:
    """A world with a web process in front of it, and how it is filled and broken."""

    world: Any  # Any: tests.faults.conftest.World, whose module is a conftest
    chance: random.Random
    port: int
    group_id: int = 0
    web: Any = None  # Any: a process
    worker: Any = None  # Any: the same
    done: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    # ---- writers

    async def furnish(self) -> None:
        ports, workspace = self.world.ports, self.world.workspace
        self.worker, self.web = self.world.start_worker(), self.world.start_web(self.port)
        await self.world.people(*(str(number) for number in range(PEOPLE)))
        self.group_id = (await groups.create_group(ports=ports, workspace=workspace, name="Friends")).id
        opened = await self.world.segment(
            "Opened", {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}
        )
        await self.world.segment("Not opened", {"not": {"segment": {"anyOf": [str(opened.id)]}}})
        await self.world.segment("LT", {"country": {"is": "LT"}})

    async def write(self) -> None:
        while True:
            act = self.chance.choice([self._track, self._track, self._move, self._regroup])
            with suppress(*UNREACHABLE, *BUSY):
                await act()
            await asyncio.sleep(0.03 * self.chance.random())

    async def _track(self) -> None:
        ago = self.chance.choice([0, 50, 57, 58, 59])  # it leaves the window soon, by the clock alone
        event = EventItem(
            subscriber=self._somebody(), name="opened", occurred_at=datetime.now(UTC) - timedelta(seconds=ago)
        )
        await track_events(ports=self.world.ports, workspace=self.world.workspace, items=[event])

    async def _move(self) -> None:
        item = {"externalId": self._somebody().value, "country": self.chance.choice(["LT", "LV"])}
        await upsert_subscribers(ports=self.world.ports, workspace=self.world.workspace, items=[item])

    async def _regroup(self) -> None:
        change = self.chance.choice([groups.add_to_group, groups.remove_from_group])
        await change(
            ports=self.world.ports,
            workspace=self.world.workspace,
            group_id=self.group_id,
            subscribers=[self._somebody()],
        )

    def _somebody(self) -> SubscriberKey:
        return SubscriberKey(kind="externalId", value=str(self.chance.randrange(PEOPLE)))

    # ---- breakers

    async def disturb(self) -> None:
        """One after the other, in turn, with time to come back in between."""
        while True:
            for disturb in (
                self._kill_web,
                self._kill_postgres,
                self._open_bucket,
                self._drain_web,
                self._kill_valkey,
                self._kill_worker,
            ):
                await self._until_up()
                await asyncio.sleep(0.5 + 2.0 * self.chance.random())
                await disturb()
                self.done[disturb.__name__] += 1

    async def _until_up(self) -> None:
        """Otherwise clients would find a closed door most of the time, which proves little."""
        async with httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    await client.get(f"http://127.0.0.1:{self.port}/healthz")
                    return
                await asyncio.sleep(0.1)

    async def keep_web(self) -> None:
        """As whoever runs it would: it ends, too, when it finds no Postgres at its start."""
        while True:
            await asyncio.sleep(self.chance.random())
            if self.web.poll() is not None:
                self.web = self.world.start_web(self.port)

    async def _kill_web(self) -> None:
        self.world.kill(self.web)
        await self._open_bucket()  # while nobody hears of it

    async def _drain_web(self) -> None:
        self.web.terminate()
        await asyncio.to_thread(self.web.wait, 30)

    async def _kill_worker(self) -> None:
        self.world.kill(self.worker)
        self.worker = self.world.start_worker()

    async def _kill_postgres(self) -> None:
        await asyncio.to_thread(self.world.servers.kill_postgres)

    async def _kill_valkey(self) -> None:
        await asyncio.to_thread(self.world.servers.kill_valkey)

    async def _open_bucket(self) -> None:
        """And put somebody new into it, of whom no cursor knows the bucket."""
        ports, workspace = self.world.ports, self.world.workspace

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await definitions.lock_workspace(connection, workspace.id)
            full = (await buckets.open_bucket_ids(connection, workspace.id))[-1]
            another = await ports.database.ids.one(connection)
            await buckets.add_bucket(connection, workspace.id, another, await ports.clock.now(connection))
            await buckets.close_bucket(connection, full, beside=another)

        with suppress(*UNREACHABLE, *BUSY):
            await ports.database.run(work)
            await upsert_subscribers(
                ports=ports, workspace=workspace, items=[{"externalId": f"new {self.chance.random()}", "country": "LT"}]
            )  # fmt: skip

    # ---- the truth

    async def log(self) -> dict[int, list[int]]:
        """Every bucket's sequences, as the database has them."""
        rows = await self.world.again(
            lambda: self.world.ports.database.fetch(
                "SELECT c.bucket_id, c.sequence FROM membership_changes c ORDER BY c.bucket_id, c.sequence"
            )
        )
        found: dict[int, list[int]] = {}
        for row in rows:
            found.setdefault(row["bucket_id"], []).append(row["sequence"])
        return found

    async def has_seen_enough(self, listeners: list[Listener]) -> bool:
        changes = sum(map(len, (await self.log()).values()))
        return (
            changes >= CHANGES and len(self.done) == FAULTS and all(it.visits >= VISITS for it in listeners)
        )

    async def start(self, token: str) -> str:
        """The cursor before anything has happened."""
        for _ in range(600):
            with suppress(httpx.HTTPError):
                async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as client:
                    response = await client.post(self.url, json={"query": START})
                return str(response.json()["data"]["membershipChanges"]["cursor"])
            await asyncio.sleep(0.1)
        raise AssertionError("the web process did not start")


def by_bucket(heard: list[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for bucket_id, sequence in heard:
        found.setdefault(bucket_id, []).append(sequence)
    return dict(sorted(found.items()))


def beginning(listeners: list[Listener], log: dict[int, list[int]]) -> list[str]:
    """In how far what they heard is not the log, as far as it goes."""
    return [
        f"{type(listener).__name__} heard {heard[:3]}…{heard[-3:]} of bucket {bucket_id}, whose log ends with {log.get(bucket_id, [])[-3:]}"
        for listener in listeners
        for bucket_id, heard in by_bucket(listener.heard).items()
        if heard != log.get(bucket_id, [])[: len(heard)]
    ]


@pytest.mark.one_server("kills Postgres; tests/fuzz/test_cluster_storm.py kills the machines of a cluster")
async def test_four_clients_that_come_and_go_hear_every_change_once_whatever_is_killed(world):
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        house = House(world, chance, probe.getsockname()[1])
    _, token = await create_token(
        ports=world.ports, workspace=world.workspace, name="resume", scopes=["READ"]
    )
    house.web = world.start_web(house.port)
    cursor = await house.start(token)
    world.kill(house.web)
    listeners: list[Listener] = [
        OnSocket(house.url, token, cursor, random.Random(seed + 1)),
        OnSocket(house.url, token, cursor, random.Random(seed + 2), document=LISTEN_CLOSELY),
        OnStream(house.url, token, cursor, random.Random(seed + 3)),
        ByPages(house.url, token, cursor, random.Random(seed + 4)),
    ]
    await house.furnish()

    keeping = asyncio.create_task(house.keep_web())
    listening = [asyncio.create_task(listener.listen()) for listener in listeners]
    pouring = [
        asyncio.create_task(work) for work in (house.write(), house.write(), house.write(), house.disturb())
    ]
    for _ in range(4):  # a busy machine may take its time to let enough happen
        done, _ = await asyncio.wait(
            [keeping, *listening, *pouring], timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()  # none of them ends by itself
        if await house.has_seen_enough(listeners):
            break
    await ended(pouring)
    log = await settled(house, listeners)
    await ended([keeping, *listening])

    told = f"seed {seed}: {dict(house.done)}, {sum(map(len, log.values()))} changes, " + ", ".join(
        f"{type(it).__name__}: {it.visits} visits, {it.broken} broken off" for it in listeners
    )
    print(told)
    assert [problem for listener in listeners for problem in listener.wrong] == [], told
    for listener in listeners:
        assert by_bucket(listener.heard) == log, f"{type(listener).__name__}; {told}"
        assert listener.visits >= VISITS, told
        assert listener.broken > 0, told
    assert all(sequences == list(range(1, len(sequences) + 1)) for sequences in log.values())
    assert sum(map(len, log.values())) >= CHANGES, told
    assert len(log) > 1, told
    assert len(house.done) == FAULTS, told
    said = (world.logs / "web.log").read_text()
    assert not re.search(r"error [0-9a-f]{16} at|Exception in ASGI|the sockets' .* failed", said), told


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def settled(house: House, listeners: list[Listener]) -> dict[int, list[int]]:
    """The log when nothing changes any more and everybody has heard of it, or when patience is at its end."""
    log: dict[int, list[int]] = {}
    for _ in range(120):
        found = await house.log()
        marks = await house.world.fetchval("SELECT count(*) FROM dirty")
        if found == log and not marks and all(by_bucket(it.heard) == log for it in listeners):
            return log
        assert beginning(listeners, found) == []
        log = found
        await asyncio.sleep(0.5)
    return log
