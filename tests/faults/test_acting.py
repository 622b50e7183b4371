"""Automations act exactly once for each change of their lists, whatever is killed or restarted meanwhile. The log is the truth.

A receiver gets each of their webhooks at least once, and those of one person in their order.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audience_gql.api import ids
from audience_gql.api.ids import Kind
from audience_gql.audience.acting.editing import create_automation
from audience_gql.audience.acting.surroundings import GivenRules
from audience_gql.audience.definitions import groups
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.webhooks.endpoints import create_endpoint
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets, definitions
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Transaction
from audience_gql.webhooks.guard import Policy
from audience_gql.webhooks.sender import WebhookSender
from tests.faults.receiver import Receiver, receiving
from tests.webhooks.receivers import LOOPBACK

pytestmark = [pytest.mark.faults, pytest.mark.fuzz]

SECONDS = 600 if os.environ.get("AUDIENCE_FUZZ_LONG") else 30
PEOPLE = 24
LEAST_RUNS = 100
STAYERS = ["anna", "bert", "cora"]
"""People who are never moved again, so that a hold can end for them."""

CHANGES = """
SELECT c.bucket_id, c.subscriber_id, c.sequence, c.entered, c.occurred_at, c.unchanged_at
FROM membership_changes c JOIN automation_places p ON p.bucket_id = c.bucket_id AND p.automation_id = $2
WHERE c.list_id = $1 AND c.sequence > p.begun_after AND c.cause <> 'DEFINITION' ORDER BY c.bucket_id, c.sequence
"""
RUNS = "SELECT bucket_id, subscriber_id, sequence, state, due_at FROM runs WHERE automation_id = $1 ORDER BY bucket_id, sequence"
EVENTS = """
SELECT e.bucket_id, e.subscriber_id, count(*) AS events FROM events e JOIN event_names n ON n.id = e.name_id
WHERE n.name = $1 GROUP BY e.bucket_id, e.subscriber_id
"""


FILLED = "SELECT count(*) FROM segment_states WHERE filled_to IS NULL"
UNSENT = """
SELECT (SELECT count(*) FROM webhook_changes w WHERE w.endpoint_id = $1 AND NOT EXISTS (
  SELECT FROM deliveries d WHERE d.bucket_id = w.bucket_id AND d.endpoint_id = w.endpoint_id
    AND w.number BETWEEN d.first_number AND d.last_number AND d.state <> 'WAITING'))
"""
WAITING = """
SELECT d.bucket_id, d.attempts, d.next_attempt_at, l.leased_until, l.next_attempt_at AS lane_at, l.next_number, l.formed_to, d.last_number,
       (SELECT array_agg(a.status || ' ' || a.failure) FROM delivery_attempts a WHERE a.bucket_id = d.bucket_id AND a.delivery_id = d.id) AS failures
FROM webhook_lanes l LEFT JOIN deliveries d ON d.bucket_id = l.bucket_id AND d.endpoint_id = l.endpoint_id AND d.state = 'WAITING'
WHERE l.endpoint_id = $1 AND (d.id IS NOT NULL OR l.next_number > l.formed_to + 1)
"""
OUTBOX = """
SELECT w.bucket_id, w.number, w.run_id, r.subscriber_id FROM webhook_changes w
JOIN runs r ON r.bucket_id = w.bucket_id AND r.id = w.run_id WHERE w.endpoint_id = $1
"""
DEAD = 9
"""A port at which nobody listens."""
HELD_FOR_STAYERS = """
SELECT count(*) FROM runs r JOIN subscribers s ON s.bucket_id = r.bucket_id AND s.id = r.subscriber_id
WHERE r.automation_id = $1 AND r.state = 'DONE' AND s.external_id IN ('anna', 'bert', 'cora')
"""


@dataclass
class House:
    """A world with two workers, whose people move, and whose automations write what the test can count."""

    world: Any  # Any: tests.faults.conftest.World, whose module is a conftest
    chance: random.Random
    workers: list[Any] = field(default_factory=list)  # Any: processes
    done: Counter[str] = field(default_factory=Counter)
    lists: dict[str, int] = field(default_factory=dict)
    automations: dict[str, int] = field(default_factory=dict)
    endpoint_id: int = 0

    async def furnish(self, receiver: Receiver) -> None:
        world = self.world
        sender = WebhookSender(
            Policy(networks=(LOOPBACK,), ports=frozenset({receiver.port, DEAD}), is_http_allowed=True)
        )
        for name, port in (("Dead", DEAD), ("Receiver", receiver.port)):
            endpoint = await create_endpoint(
                ports=world.ports,
                sender=sender,
                workspace=world.workspace,
                name=name,
                url=f"http://127.0.0.1:{port}/",
            )
            self.lists[name] = endpoint.endpoint.id
        receiver.secret, self.endpoint_id = endpoint.secret, endpoint.endpoint.id
        self.workers = [world.start_worker(), world.start_worker()]
        await world.people(*(str(number) for number in range(PEOPLE)))
        await define_custom_field(
            ports=world.ports, workspace=world.workspace, key="greeted", label="Greeted", type="BOOLEAN"
        )
        for name in ("Friends", "Welcome"):
            made = await groups.create_group(ports=world.ports, workspace=world.workspace, name=name)
            self.lists[name] = made.id
        opened = {"event": {"name": "opened", "within": {"last": {"minutes": 1}}}}
        for name, condition in (("LT", {"country": {"is": "LT"}}), ("Opened", opened)):
            self.lists[name] = (await world.segment(name, condition)).id
        await world.eventually(
            lambda: world.fetchval(FILLED), 2
        )  # later people enter by a fact, not by the definition
        await self._automate("entered", {"segment": self.lists["LT"]}, ["ENTERED"])
        await self._automate("left", {"segment": self.lists["LT"]}, ["LEFT"])
        await self._automate("befriended", {"group": self.lists["Friends"]}, ["ENTERED", "LEFT"])
        await self._automate("opened", {"segment": self.lists["Opened"]}, ["ENTERED", "LEFT"])
        await self._automate("held", {"segment": self.lists["LT"]}, ["ENTERED"], hold_for={"minutes": 1})
        items = [{"externalId": name, "country": "LT"} for name in STAYERS]
        await upsert_subscribers(ports=world.ports, workspace=world.workspace, items=items)

    async def _automate(self, name: str, trigger: dict[str, object], on: list[str], **rules: Any) -> None:
        """Every action at once: what they do together is done together or not at all."""
        made = await create_automation(
            ports=self.world.ports,
            workspace=self.world.workspace,
            name=name,
            description=None,
            rules=GivenRules(
                trigger=trigger,
                on=on,
                actions=[
                    {"trackEvent": {"name": f"ran {name}"}},
                    {"addToGroup": self.lists["Welcome"]},
                    {"setField": {"key": "greeted", "value": True}},
                    {"removeFromGroup": self.lists["Welcome"]},
                    {"webhook": {"endpoint": self.lists["Dead"], "fields": []}},
                    {"webhook": {"endpoint": self.lists["Receiver"], "fields": ["country", "greeted"]}},
                ],
                **rules,
            ),
            ids=PLAIN_IDS,
        )
        self.automations[name] = made.id

    # ---- writers

    async def write(self) -> None:
        while True:
            act = self.chance.choice([self._track, self._move, self._move, self._regroup])
            with suppress(*UNREACHABLE, *BUSY):
                await act()
            await asyncio.sleep(0.1 * self.chance.random())

    async def _track(self) -> None:
        ago = self.chance.choice([0, 57, 58, 59])  # it leaves the window soon, by the clock alone
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
            group_id=self.lists["Friends"],
            subscribers=[self._somebody()],
        )

    def _somebody(self) -> SubscriberKey:
        return SubscriberKey(kind="externalId", value=str(self.chance.randrange(PEOPLE)))

    # ---- breakers

    async def disturb(self) -> None:
        while True:
            for disturb in (
                self._kill_worker,
                self._kill_postgres,
                self._kill_worker,
                self._kill_valkey,
                self._flush_valkey,
                self._open_bucket,
            ):
                await asyncio.sleep(0.5 + 2.0 * self.chance.random())
                await disturb()
                self.done[disturb.__name__] += 1

    async def _kill_worker(self) -> None:
        place = self.chance.randrange(len(self.workers))
        self.world.kill(self.workers[place])
        self.workers[place] = self.world.start_worker()

    async def _kill_postgres(self) -> None:
        await asyncio.to_thread(self.world.servers.kill_postgres)

    async def _kill_valkey(self) -> None:
        await asyncio.to_thread(self.world.servers.kill_valkey)

    async def _flush_valkey(self) -> None:
        redis = self.world.redis()
        with suppress(Exception):
            await redis.flushall()
        await redis.aclose()

    async def _open_bucket(self) -> None:
        """With people of its own, for whom the automations begin at the beginning of its log."""
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
            item = {"externalId": f"new {self.chance.random()}", "country": "LT"}
            await upsert_subscribers(ports=ports, workspace=workspace, items=[item])

    # ---- the truth

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        return await self.world.again(lambda: self.world.ports.database.fetch(sql, *values))

    async def settle(self) -> None:
        """Wait until nothing is left to tick and nothing to act on, but for holds that end later."""
        last, quiet = None, 0
        for _ in range(240):
            seen = (
                await self.world.fetchval("SELECT count(*) FROM dirty"),
                await self.world.fetchval("SELECT count(*) FROM membership_changes"),
                await self.world.fetchval("SELECT count(*) FROM runs"),
            )
            quiet = quiet + 1 if seen == last and seen[0] == 0 else 0
            if quiet >= 8:
                return
            last = seen
            await asyncio.sleep(0.5)
        raise AssertionError("the workers do not come to an end")

    async def settle_holds(self) -> None:
        """Wait until the hold of everybody who stays has ended. It takes a minute from the beginning of the storm."""
        for _ in range(240):
            if await self.world.fetchval(HELD_FOR_STAYERS, self.automations["held"]) == len(STAYERS):
                return
            await asyncio.sleep(0.5)
        raise AssertionError("the holds do not come to an end")

    async def settle_messages(self) -> None:
        """Wait until nothing is left to send. A killed worker keeps its lanes until its leases end, and a refused message waits for 5 s."""
        for _ in range(800):
            if not await self.world.fetchval(UNSENT, self.endpoint_id):
                return
            await asyncio.sleep(0.5)
        waiting = await self.fetch(WAITING, self.endpoint_id)
        raise AssertionError(f"the couriers do not come to an end: {[dict(row) for row in waiting]}")


async def wrong(house: House) -> list[str]:
    """In how far the runs and their effects are not what the log demands."""
    rows = await house.fetch("SELECT id, evaluated_through FROM buckets")
    through = {row["id"]: row["evaluated_through"] for row in rows}
    problems = []
    for name, automation_id in house.automations.items():
        list_name = {"befriended": "Friends", "opened": "Opened"}.get(name, "LT")
        on = {"entered": {True}, "left": {False}, "held": {True}}.get(name, {True, False})
        changes = await house.fetch(CHANGES, house.lists[list_name], automation_id)
        runs = await house.fetch(RUNS, automation_id)
        wanted = [change for change in changes if change["entered"] in on]
        told = [(run["bucket_id"], run["sequence"]) for run in runs]
        if told != [(change["bucket_id"], change["sequence"]) for change in wanted]:
            problems.append(
                f"{name}: {len(wanted)} changes and {len(told)} runs, {len(set(told))} of them different"
            )
        problems += [
            f"{name}: {problem}" for problem in _wrong_states(runs, changes, name == "held", through)
        ]
        done = Counter((run["bucket_id"], run["subscriber_id"]) for run in runs if run["state"] == "DONE")
        events = await house.fetch(EVENTS, f"ran {name}")
        tracked = {(row["bucket_id"], row["subscriber_id"]): row["events"] for row in events}
        if tracked != done:
            problems.append(
                f"{name}: {sum(done.values())} runs are done, {sum(tracked.values())} events are tracked"
            )
    if await house.world.fetchval(
        "SELECT count(*) FROM group_members WHERE group_id = $1", house.lists["Welcome"]
    ):
        problems.append("somebody stayed in the group that every run leaves")
    return problems


def _wrong_states(
    runs: list[Any], changes: list[Any], is_held: bool, through: dict[int, datetime]
) -> list[str]:
    if not is_held:
        return [f"a run is {run['state']}" for run in runs if run["state"] not in ("DONE", "CUT_OFF")]
    following: dict[tuple[int, int], Any] = {}
    ends: dict[tuple[int, int], Any] = {}
    for change in reversed(changes):
        person = change["bucket_id"], change["subscriber_id"]
        ends[change["bucket_id"], change["sequence"]] = following.get(person)
        following[person] = change
    problems = []
    for run in runs:
        end = ends[run["bucket_id"], run["sequence"]]
        stayed_until = through[run["bucket_id"]] if end is None else end["unchanged_at"]
        held = stayed_until >= run["due_at"]
        allowed = {"DONE", "CUT_OFF"} if held else {"WAITING"} if end is None else {"CANCELLED"}
        if run["state"] not in allowed and not (end is None and held and run["state"] == "WAITING"):
            problems.append(
                f"a run is {run['state']}, not {allowed}: due {run['due_at']}, stayed until {stayed_until}"
            )
    return problems


async def wrong_messages(house: House, receiver: Receiver) -> list[str]:
    """In how far the messages are not those of the runs that are done, or not in order."""
    rows = await house.fetch(OUTBOX, house.endpoint_id)
    place_of = {ids.encode(Kind.AUTOMATION_RUN, row["bucket_id"], row["run_id"]): row for row in rows}
    done = await house.fetch("SELECT bucket_id, id FROM runs WHERE state = 'DONE'")
    wanted = {ids.encode(Kind.AUTOMATION_RUN, row["bucket_id"], row["id"]) for row in done}
    accepted = [run for _, runs in receiver.accepted for run in runs]
    problems = list(receiver.wrong)
    if len(accepted) != len(set(accepted)):
        problems.append("two messages tell of the same run")
    if wanted != set(accepted):
        problems.append(
            f"{len(wanted - set(accepted))} runs were never told, {len(set(accepted) - wanted)} are not done"
        )
    last: dict[tuple[int, int], int] = {}
    for run in accepted:
        row = place_of[run]
        person = row["bucket_id"], row["subscriber_id"]
        if row["number"] < last.get(person, 0):
            problems.append(f"a change of {person} came before an earlier one")
        last[person] = row["number"]
    return problems


@pytest.fixture
def opened(monkeypatch):
    """Workers that start in this test may send to this machine."""
    monkeypatch.setenv("AUDIENCE_WEBHOOK_NETWORKS", str(LOOPBACK))
    monkeypatch.setenv("AUDIENCE_WEBHOOK_HTTP", "1")
    monkeypatch.setenv("AUDIENCE_SECRET_KEY", "a key")
    return monkeypatch


@pytest.mark.one_server("kills Postgres; tests/fuzz/test_cluster_storm.py kills the machines of a cluster")
async def test_every_change_is_acted_on_exactly_once_whatever_is_killed(world, opened):
    seed = int.from_bytes(os.urandom(4))
    house = House(world, random.Random(seed))
    async with receiving(random.Random(seed + 1)) as receiver:
        opened.setenv("AUDIENCE_WEBHOOK_PORTS", f"{receiver.port},{DEAD}")
        await house.furnish(receiver)
        await run_storm(house)
        await house.settle()
        await house.settle_holds()
        await house.settle_messages()

    runs = await house.world.fetchval("SELECT count(*) FROM runs")
    found = await house.fetch("SELECT state, count(*) AS runs FROM runs GROUP BY state")
    states = {row["state"]: row["runs"] for row in found}
    told = (
        f"seed {seed}: {dict(house.done)}, {runs} runs, {states}; {len(receiver.accepted)} messages accepted, "
        f"{len(receiver.failed)} refused at first, {receiver.repeated} came again"
    )
    print(told)
    assert await wrong(house) == [], told
    assert await wrong_messages(house, receiver) == [], told
    assert runs >= LEAST_RUNS, told
    assert len(house.done) == 5, told
    assert receiver.failed, told


async def run_storm(house: House) -> None:
    pouring = [asyncio.create_task(work) for work in (house.write(), house.write(), house.disturb())]
    for _ in range(4):  # a busy machine may take its time to let enough happen
        done, _ = await asyncio.wait(pouring, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # none of them ends by itself
        if await house.world.fetchval("SELECT count(*) FROM runs") >= LEAST_RUNS:
            break
    for task in pouring:
        task.cancel()
    await asyncio.gather(*pouring, return_exceptions=True)
