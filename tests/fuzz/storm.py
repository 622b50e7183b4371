"""Writes, edits and kills at random against real processes, all at once. One seed determines every random choice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.exceptions import RedisError

from audience_gql.audience.definitions import groups, pausing, recomputes, segments
from audience_gql.audience.failures import Failure
from audience_gql.audience.people.erasure import erase_subscriber
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets, definitions
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Database, Transaction
from tests.fuzz.snapshots import Judge

PEOPLE = 40
MAY_FAIL = (*UNREACHABLE, *BUSY, RedisError, Failure)


Act = Callable[[], Awaitable[None]]


class _RolledBack(Exception):
    """Raised to roll a transaction back after it has written everything."""


class Dawdling:
    """A database whose transactions stay open for a while before they commit or, sometimes, roll back."""

    def __init__(self, database: Database, chance: random.Random, done: Counter[str]) -> None:
        self._database = database
        self._chance = chance
        self._done = done

    def __getattr__(self, name: str) -> Any:  # Any: whatever a database has
        return getattr(self._database, name)

    async def run(self, work: Callable[[Transaction], Awaitable[Any]]) -> Any:  # Any: what the work gives
        async def dawdle(transaction: Transaction) -> Any:  # Any: the same
            result = await work(transaction)
            if self._chance.random() < 0.3:
                self._done["open transactions"] += 1
                await asyncio.sleep(self._chance.random() * 0.6)
            if self._chance.random() < 0.08:
                self._done["rollbacks"] += 1
                raise _RolledBack
            return result

        return await self._database.run(dawdle)


@dataclass
class Storm:
    """One run over a World of tests/faults."""

    world: Any  # Any: tests.faults.conftest.World, whose module is a conftest
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    actions: deque[str] = field(default_factory=lambda: deque(maxlen=60))
    wrong: list[str] = field(default_factory=list)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.judge = Judge(self.world.workspace.id)
        self.group_ids: list[int] = []
        self.fixed: list[int] = []
        """Segments that the storm never deletes, because other segments read them."""
        self.own: list[int] = []
        self._edits: list[Act] = [
            self._create_one,
            self._edit_one,
            self._open_bucket,
            self._pause_one,
            self._recompute_one,
            self._delete_one,
            self._resume_one,
        ]
        self._breaks: list[Act] = [
            self._kill_worker,
            self._kill_backend,
            self._flush_redis,
            self._end_backends,
            self._stop_redis,
        ]
        self.chance.shuffle(self._breaks)

    # ---- the run

    async def blow(self, seconds: float, *, comparisons: int) -> None:
        """Run for this long, and until this many memberships were compared, which takes longer on a busy machine."""
        await self._prepare()
        loops = [
            *(self._forever(self._write, 0.02) for _ in range(5)),
            self._forever(self._edit, 0.3),
            self._forever(self._break, 1.5),
            self._forever(self._hold_a_snapshot, 3.0),
            self._forever(self._look, 0.4),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        done: set[asyncio.Task[None]] = set()
        while not done and (seconds > 0 or self.judge.compared < comparisons):
            done, _ = await asyncio.wait(tasks, timeout=seconds or 1, return_when=asyncio.FIRST_COMPLETED)
            seconds = 0
        self._stopped.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        if not self.wrong:
            await self._come_to_rest()

    async def _come_to_rest(self) -> None:
        """Stop all actions, wait until the workers have done all remaining work, and then compare everything."""
        while len(self._living()) < 2:
            self.world.start_worker()
        for _ in range(600):
            with suppress(*MAY_FAIL):  # Postgres may still be restarting
                await self._resume_one()
            wrong = await self._judged(everybody=True)
            if not wrong:
                self.done["rests"] += 1
                return
            await asyncio.sleep(0.2)
        self.wrong += [f"not at rest after two minutes: {wrong[:5]}"]

    async def _forever(self, act: Act, pause: float) -> None:
        while not self._stopped.is_set() and not self.wrong:
            with suppress(*MAY_FAIL, _RolledBack):
                await act()
            await asyncio.sleep(self.chance.random() * 2 * pause)

    async def _prepare(self) -> None:
        self.world.start_worker()
        self.world.start_worker()
        items = [{"externalId": str(n), "country": self.chance.choice(["LT", "LV"])} for n in range(PEOPLE)]
        await upsert_subscribers(ports=self.world.ports, workspace=self.world.workspace, items=items)
        for name in ("Friends", "Staff"):
            group = await groups.create_group(
                ports=self.world.ports, workspace=self.world.workspace, name=name
            )
            self.group_ids.append(group.id)
        first: list[dict[str, object]] = [
            _event("opened", seconds=4 * 60),
            {"country": {"is": "LT"}},
            {"group": {"anyOf": [str(self.group_ids[0])]}},
        ]
        for condition in first:
            self.fixed.append(await self._create(condition))
        second: list[dict[str, object]] = [
            {"not": {"segment": {"anyOf": [str(self.fixed[0])]}}},
            {
                "all": [
                    {"segment": {"anyOf": [str(self.fixed[1])]}},
                    {"not": {"segment": {"anyOf": [str(self.fixed[2])]}}},
                ]
            },
            {
                "segment": {
                    "anyOf": [str(self.fixed[0])],
                    "entered": {"inLast": {"minutes": 1}},
                }
            },
        ]
        for condition in second:
            await self._create(condition)

    # ---- writers

    async def _write(self) -> None:
        ports = replace(
            self.world.ports, database=Dawdling(self.world.ports.database, self.chance, self.done)
        )
        act = self.chance.choice(
            [self._track, self._track, self._track, self._upsert, self._upsert, self._regroup, self._erase]
        )
        self._note(act.__name__)
        await act(ports)
        self.done[act.__name__] += 1

    async def _track(self, ports: Ports) -> None:
        now = datetime.now(UTC)
        items = []
        for _ in range(self.chance.randrange(1, 4)):
            ago = self.chance.choice([0, 0, 0, 1, 30, 59, 60, 61, 239, 240, 241, -1, -3, -8])
            self.done["near future" if ago < 0 else "late" if ago > 1 else "now"] += 1
            items.append(
                EventItem(
                    subscriber=self._somebody(),
                    name=self.chance.choice(["opened", "opened", "bought"]),
                    occurred_at=now - timedelta(seconds=ago) if ago else None,
                    value=self.chance.choice([None, 3, 4.5, 8]),
                )
            )
        await track_events(
            ports=ports,
            workspace=self.world.workspace,
            items=items,
            create_missing=self.chance.random() < 0.3,
            bulk=self.chance.random() < 0.3,
        )

    async def _upsert(self, ports: Ports) -> None:
        items: list[dict[str, object]] = [
            {
                "externalId": str(self.chance.randrange(PEOPLE)),
                "country": self.chance.choice([None, "LT", "LV"]),
                "channels": [{"channel": "SMS", "status": self.chance.choice(["ACTIVE", "UNCONFIRMED"])}],
            }
            for _ in range(self.chance.randrange(1, 4))
        ]
        await upsert_subscribers(
            ports=ports, workspace=self.world.workspace, items=items, bulk=self.chance.random() < 0.3
        )

    async def _regroup(self, ports: Ports) -> None:
        change = self.chance.choice([groups.add_to_group, groups.remove_from_group])
        await change(
            ports=ports,
            workspace=self.world.workspace,
            group_id=self.chance.choice(self.group_ids),
            subscribers=[self._somebody(), self._somebody()],
        )

    async def _erase(self, ports: Ports) -> None:
        if self.chance.random() < 0.3:
            await erase_subscriber(ports=ports, workspace=self.world.workspace, subscriber=self._somebody())
            self.done["erased"] += 1

    def _somebody(self) -> SubscriberKey:
        return SubscriberKey(kind="externalId", value=str(self.chance.randrange(PEOPLE)))

    # ---- definitions

    async def _edit(self) -> None:
        act = self._next_of(self._edits)
        self._note(act.__name__)
        await act()
        self.done[act.__name__] += 1

    async def _create_one(self) -> None:
        if len(self.own) < 8:
            self.own.append(await self._create(self._condition()))

    async def _create(self, condition: object) -> int:
        segment = await segments.create_segment(
            ports=self.world.ports,
            workspace=self.world.workspace,
            name=f"S {self.chance.getrandbits(60)}",
            description=None,
            condition=condition,
            ids=PLAIN_IDS,
        )
        return segment.id

    async def _edit_one(self) -> None:
        segment_id = self.chance.choice([*self.own, *self.fixed[:2]])
        await segments.update_segment(
            ports=self.world.ports,
            workspace=self.world.workspace,
            segment_id=segment_id,
            condition=self._condition(),
            ids=PLAIN_IDS,
        )

    async def _delete_one(self) -> None:
        if self.own:
            segment_id = self.chance.choice(self.own)
            with suppress(Failure):  # it is gone, though whoever deleted it was not told so
                await segments.delete_segment(
                    ports=self.world.ports, workspace=self.world.workspace, segment_id=segment_id
                )
            self.own.remove(segment_id)  # not before: paused, with Postgres away, it would stay so for ever

    async def _pause_one(self) -> None:
        if self.own:
            segment_id = self.chance.choice(self.own)
            await pausing.pause_segment(
                ports=self.world.ports, workspace=self.world.workspace, segment_id=segment_id
            )
            await asyncio.sleep(self.chance.random() * 2)
            await pausing.resume_segment(
                ports=self.world.ports, workspace=self.world.workspace, segment_id=segment_id
            )

    async def _resume_one(self) -> None:
        for segment_id in self.own:
            with suppress(Failure):  # it is gone, though whoever deleted it was not told so
                await pausing.resume_segment(
                    ports=self.world.ports, workspace=self.world.workspace, segment_id=segment_id
                )

    async def _recompute_one(self) -> None:
        await recomputes.request_recompute(
            ports=self.world.ports,
            workspace=self.world.workspace,
            segment_id=self.chance.choice([*self.own, *self.fixed]),
        )

    async def _open_bucket(self) -> None:
        ports, workspace_id = self.world.ports, self.world.workspace.id

        async def work(transaction: Transaction) -> None:
            connection = transaction.connection
            await definitions.lock_workspace(connection, workspace_id)
            if len(await buckets.bucket_ids(connection, workspace_id)) >= 6:
                return
            full = (await buckets.open_bucket_ids(connection, workspace_id))[-1]
            another = await ports.database.ids.one(connection)
            await buckets.add_bucket(connection, workspace_id, another, await ports.clock.now(connection))
            await buckets.close_bucket(connection, full, beside=another)

        await ports.database.run(work)

    def _condition(self) -> dict[str, object]:
        window = self.chance.choice([60, 120, 240])
        leaf: dict[str, object] = self.chance.choice(
            [
                _event("opened", seconds=window),
                {
                    "event": {
                        "name": "opened",
                        "times": {"atLeast": 2},
                        "within": {"last": {"minutes": window // 60}},
                    }
                },
                {"lastEvent": {"name": "opened", "at": {"notInLast": {"minutes": 1}}}},
                {
                    "eventTotal": {
                        "name": "bought",
                        "of": "value",
                        "function": "SUM",
                        "is": {"gt": 10},
                        "within": {"last": {"minutes": 2}},
                    }
                },
                {
                    "channel": {
                        "channel": "SMS",
                        "status": ["ACTIVE"],
                        "changed": {"inLast": {"minutes": 1}},
                    }
                },
                {"createdAt": {"inLast": {"minutes": 1}}},
                {"country": {"is": self.chance.choice(["LT", "LV"])}},
            ]
        )
        return {"not": leaf} if self.chance.random() < 0.3 else leaf

    # ---- what goes wrong

    async def _break(self) -> None:
        act = self._next_of(self._breaks)
        self._note(act.__name__)
        await act()
        self.done[act.__name__] += 1

    def _living(self) -> list[Any]:  # Any: processes
        return [worker for worker in self.world.workers if worker.poll() is None]

    async def _kill_worker(self) -> None:
        self.world.kill(self.chance.choice(self._living()))
        await asyncio.sleep(self.chance.random())
        self.world.start_worker()

    async def _end_backends(self) -> None:
        await self.world.ports.database.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE 'audience-gql%' AND pid <> pg_backend_pid() AND random() < 0.4"
        )

    async def _kill_backend(self) -> None:
        """Kill a backend of Postgres. Postgres then ends all sessions and recovers from its log, as after a crash."""
        if self.chance.random() < 0.5:
            self.world.servers.kill_postgres()
            return
        rows = await self.world.ports.database.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'audience-gql %'"
        )
        if rows:
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(rows)["pid"], signal.SIGKILL)

    async def _flush_redis(self) -> None:
        redis = self.world.redis()
        try:
            await redis.flushall()
        finally:
            await redis.aclose()

    async def _stop_redis(self) -> None:
        self.world.servers.kill_valkey()

    async def _hold_a_snapshot(self) -> None:
        """Hold a snapshot for seconds. Postgres must not clean up anything that this reader sees."""
        async with self.world.ports.database.snapshot() as connection:
            await connection.fetch("SELECT count(*) FROM segment_members")
            await asyncio.sleep(2 + self.chance.random() * 4)
        self.done["snapshots held"] += 1

    # ---- the judge

    async def _look(self) -> None:
        self.wrong += await self._judged(everybody=False)

    async def _judged(self, *, everybody: bool) -> list[str]:
        try:
            async with self.world.ports.database.snapshot() as connection:
                return await self.judge.judge(connection, everybody=everybody)
        except (*UNREACHABLE, *BUSY) as error:
            return [f"Postgres is away: {error}"] if everybody else []

    def _next_of(self, deck: list[Act]) -> Act:
        """The next action from a shuffled deck, so that every action occurs even in a short run."""
        act = deck.pop(0)
        deck.insert(self.chance.randrange(len(deck) // 2, len(deck) + 1), act)
        return act

    def _note(self, what: str) -> None:
        self.actions.append(f"{datetime.now(UTC):%H:%M:%S.%f} {what}")


def _event(name: str, *, seconds: int) -> dict[str, object]:
    return {"event": {"name": name, "within": {"last": {"minutes": seconds // 60}}}}
