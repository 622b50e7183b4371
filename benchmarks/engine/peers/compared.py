"""(f) Compares our fill, recompute and ticks with the peers' algorithms: time, processor time, and how stale their answer is."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from audience_gql.audience.definitions.segments import create_segment, delete_segment
from audience_gql.audience.people.events import BATCH_LIMIT, EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions
from audience_gql.storage.postgres.database import Connection
from benchmarks.engine.bench import Bench, Figure
from benchmarks.engine.observed import share_at
from benchmarks.engine.peers import dittofeed, mautic, posthog
from benchmarks.engine.peers.dittofeed import Dittofeed
from benchmarks.engine.peers.mautic import Mautic
from benchmarks.engine.peers.posthog import PostHog
from benchmarks.engine.peers.subject import SUBJECTS, WINDOW, Subject
from benchmarks.engine.peers.took import Took, timed

MEASUREMENT = "f"
OURS = "audience-gql"
CHANGED_SHARE = 0.01
INSTANTS = 9
"""The number of instants at which staleness is sampled, spread over a poll period."""
_SETTINGS = {
    "jit": "off",
    "timezone": "UTC",
    "plan_cache_mode": "force_custom_plan",  # as in our fills
    "work_mem": "256MB",  # so that no NOT IN compares every pair of people
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """The state that all steps share."""

    bench: Bench
    subjects: Sequence[Subject]
    connection: Connection
    pid: int
    mautic: Mautic
    posthog: PostHog
    dittofeed: Dittofeed

    def peers(self) -> tuple[tuple[str, int, Mautic | PostHog | Dittofeed], ...]:
        return (
            (mautic.NAME, mautic.EVERY_SECONDS, self.mautic),
            (posthog.NAME, posthog.EVERY_SECONDS, self.posthog),
            (dittofeed.NAME, dittofeed.EVERY_SECONDS, self.dittofeed),
        )


async def measure(bench: Bench) -> list[Figure]:
    await bench.fill_all()
    await bench.tick_all()
    async with _subjects(bench) as subjects, _room(bench, subjects) as room:
        last_event_id = await room.connection.fetchval("SELECT coalesce(max(id), 0) FROM events")
        await _arrive(room, after_event_id=-1)
        figures = await _first_fills(room)
        await room.dittofeed.forget_arrivals()
        figures += await _recomputes(room, "unchanged recompute")
        figures.append(await _change_people(bench))
        await _arrive(room, after_event_id=last_event_id)
        figures += await _recomputes(room, "recompute after 1 % changed")
        await room.dittofeed.forget_arrivals()
        figures += await _staleness(room)
    return figures


@asynccontextmanager
async def _subjects(bench: Bench) -> AsyncIterator[list[Subject]]:
    """The representative segments, not filled yet. They are deleted at the end."""
    ids = {}
    run = f"{random.getrandbits(32):08x}"  # an interrupted run may have left its segments
    for name, json in SUBJECTS.items():
        segment = await create_segment(
            ports=bench.ports,
            workspace=bench.workspace,
            name=f"Peers {run}: {name}",
            description=None,
            condition=json,
            ids=PLAIN_IDS,
        )
        ids[name] = segment.id
    async with bench.ports.database.acquire() as connection:
        vocabulary = await definitions.vocabulary(connection, bench.workspace.id)
    try:
        yield [Subject.made(id_, name, vocabulary) for name, id_ in ids.items()]
    finally:
        for segment_id in ids.values():
            await delete_segment(ports=bench.ports, workspace=bench.workspace, segment_id=segment_id)
            await bench.fill(segment_id)


@asynccontextmanager
async def _room(bench: Bench, subjects: Sequence[Subject]) -> AsyncIterator[_Room]:
    """The peers, on their own connection, with empty tables that are dropped at the end."""
    connection: Connection = await asyncpg.connect(bench.database_url, server_settings=_SETTINGS)
    modules = (mautic, posthog, dittofeed)
    try:
        for module in modules:
            await connection.execute(module.TABLES)
        pid = connection.get_server_pid()
        yield _Room(
            bench=bench,
            subjects=subjects,
            connection=connection,
            pid=pid,
            mautic=Mautic(connection=connection, pid=pid, bucket_ids=bench.bucket_ids),
            posthog=PostHog(connection=connection, bucket_ids=bench.bucket_ids),
            dittofeed=Dittofeed(connection=connection),
        )
    finally:
        for module in modules:
            await connection.execute(module.DROP)
        await connection.close()


async def _arrive(room: _Room, *, after_event_id: int) -> None:
    """Give Dittofeed the new events of the names that its segments read."""
    names = {id_ for subject in room.subjects for id_ in subject.names_read()}
    await room.connection.execute(dittofeed.ARRIVE, list(room.bench.bucket_ids), list(names), after_event_id)
    await room.connection.execute("ANALYZE peers_dittofeed_arrived")


async def _first_fills(room: _Room) -> list[Figure]:
    each: dict[str, list[float]] = {}
    total: dict[str, Took] = {}
    for subject in room.subjects:
        took, members = await room.mautic.first_fill(subject, datetime.now(UTC))
        results = {OURS: await _ours(room.bench, subject), mautic.NAME: took}
        now = datetime.now(UTC)
        results[posthog.NAME] = await timed([room.pid], room.posthog.run(subject, now))
        results[dittofeed.NAME] = await timed([room.pid], room.dittofeed.first_fill(subject, now))
        for name, one in results.items():
            each.setdefault(name, []).append(1e6 * one.seconds / max(members, 1))
            total[name] = total.get(name, Took()) + one
    figures = _totals(total, "first fill")
    for name, values in each.items():
        figures.append(_figure(f"{name}, first fill, per member, median", share_at(values, 0.5), "µs"))
    for name, target in ((mautic.NAME, ">= 100"), (posthog.NAME, None), (dittofeed.NAME, None)):
        ratios = [theirs / ours for theirs, ours in zip(each[name], each[OURS], strict=True)]
        what = f"{name}'s first fill relative to {OURS}'s, median"
        figures.append(_figure(what, share_at(ratios, 0.5), "times", target))
    return figures


async def _recomputes(room: _Room, step: str) -> list[Figure]:
    total: dict[str, Took] = {}
    for subject in room.subjects:
        results = {OURS: await _ours(room.bench, subject)}
        now = datetime.now(UTC)
        truth = await _truth(room.bench, subject, now)
        for name, _, peer in room.peers():
            results[name] = await timed([room.pid], peer.run(subject, now))
            if peer is not room.dittofeed:  # which rounds times
                assert await peer.members(subject) == truth, f"{name} is not done right"
        for name, one in results.items():
            total[name] = total.get(name, Took()) + one
    return _totals(total, step)


async def _ours(bench: Bench, subject: Subject) -> Took:
    """Fill the segment, or recompute it if it is filled."""
    await bench.want_recomputed([subject.id])
    return await timed(await backends(bench, "audience-gql fill"), bench.fill(subject.id))


async def backends(bench: Bench, application: str) -> list[int]:
    rows = await bench.ports.database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = $1", application
    )
    return [row["pid"] for row in rows]


async def _change_people(bench: Bench) -> Figure:
    """One per cent of all people open an email, and our ticks update all segments."""
    people = await some_people(bench, CHANGED_SHARE)
    for start in range(0, len(people), BATCH_LIMIT):
        items = [
            EventItem(subscriber=SubscriberKey(kind="id", value=ref), name="email_opened")
            for ref in people[start : start + BATCH_LIMIT]
        ]
        await track_events(ports=bench.ports, workspace=bench.workspace, items=items, bulk=True)
    took = await timed([], bench.tick_all())
    segments = len(bench.segments) + len(SUBJECTS)
    what = f"{OURS}, 1 % changed ({len(people)} people): all {segments} segments exact again by ticks"
    return _figure(what, took.seconds, "s")


async def some_people(bench: Bench, share: float) -> list[SubscriberRef]:
    """A random share of all people."""
    chosen = []
    for bucket_id in bench.bucket_ids:
        rows = await bench.ports.database.fetch("SELECT id FROM subscribers WHERE bucket_id = $1", bucket_id)
        wanted = random.Random(bucket_id).sample(range(len(rows)), int(len(rows) * share))
        chosen += [SubscriberRef(bucket_id, rows[n]["id"]) for n in wanted]
    return chosen


async def _staleness(room: _Room) -> list[Figure]:
    """How many people are wrong between two polls of the windowed segment, when only the clock moves them."""
    subject = next(one for one in room.subjects if one.name == WINDOW)
    figures = []
    for name, every_seconds, peer in room.peers():
        polled = datetime.now(UTC)
        took = await timed([], peer.run(subject, polled))
        members = await peer.members(subject)
        wrong = []
        for n in range(INSTANTS):
            later = polled + timedelta(seconds=every_seconds * n / (INSTANTS - 1))
            wrong.append(len(members ^ await _truth(room.bench, subject, later)))
        which = f"{name} every {every_seconds} s, “{subject.name}” of {len(members)}"
        longest = every_seconds + took.seconds
        figures.append(_figure(f"{which}: longest wait of a user (period and run)", longest, "s"))
        figures.append(
            _figure(f"{which}: wrong people, mean over a period", sum(wrong) / len(wrong), "people")
        )
        figures.append(_figure(f"{which}: wrong people just before the next run", wrong[-1], "people"))
    return figures


async def _truth(bench: Bench, subject: Subject, at: datetime) -> set[int]:
    people: set[int] = set()
    async with bench.ports.database.acquire() as connection:
        for bucket_id in bench.bucket_ids:
            people |= await subject.members(connection, bucket_id, at)
    return people


def _totals(total: Mapping[str, Took], step: str) -> list[Figure]:
    which = f"{step} of {len(SUBJECTS)} segments"
    figures = []
    for name, took in total.items():
        figures.append(_figure(f"{name}, {which}", took.seconds, "s"))
        figures.append(_figure(f"{name}, {which}, CPU time in Postgres", took.cpu_seconds, "s"))
    return figures


def _figure(what: str, value: float, unit: str, target: str | None = None) -> Figure:
    return Figure(measurement=MEASUREMENT, what=what, value=value, unit=unit, target=target)
