"""Take in what people did: any number of writers at once, each event counted once by its key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from audience_gql.audience.failures import InvalidInput, Issue, ProblemCode, Reject
from audience_gql.audience.people.channels import REFUSAL_OF_EVENT, Refusal, refused_by
from audience_gql.audience.people.event_items import CheckedEvent, EventItem, RefusedEvent, check_event
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.profiles import named_identity
from audience_gql.audience.people.resolution import resolve_people
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions, facts
from audience_gql.storage.database import Transaction
from audience_gql.storage.facts import EventRow, Mark
from audience_gql.storage.models import Workspace

BATCH_LIMIT: Final = 1000
NAMES_PER_WORKSPACE: Final = 1000
LATEST_AHEAD: Final = timedelta(days=1)

_Good: TypeAlias = tuple[int, SubscriberRef, CheckedEvent]
"""A checked event, with its place in the batch and its person."""

__all__ = ["EventItem", "Tracked", "track_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    accepted: int
    duplicates: int
    """Events whose key this person already had; they change nothing."""
    rejects: list[Reject]


async def track_events(
    *,
    ports: Ports,
    workspace: Workspace,
    items: Sequence[EventItem],
    create_missing: bool = False,
    bulk: bool = False,
) -> Tracked:
    """Take in up to 1,000 events in one transaction.

    An event that is wrong, or of an unknown person, is a Reject; the others go through. Events may come late, twice and out of
    order; one of the future counts from its instant on, and more than a day ahead is refused. A bounce, unsubscription or
    complaint also moves the EMAIL channel. `create_missing` makes unknown people from their key. Raises InvalidInput for more than 1,000 events.
    """
    if len(items) > BATCH_LIMIT:
        message = f"at most {BATCH_LIMIT} events a call, not {len(items)}"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=("input", "events")),))
    if create_missing:
        await _create_missing(ports, workspace, items, bulk=bulk)

    async def work(transaction: Transaction) -> Tracked:
        return await _Ingest(ports, workspace, transaction, bulk=bulk).run(items)

    return await ports.database.run(work)


async def _create_missing(
    ports: Ports, workspace: Workspace, items: Sequence[EventItem], *, bulk: bool
) -> None:
    """Make people from their keys, where nobody owns them yet; a bad key stays unknown, and its events are refused with it."""
    named = ((named_identity(key.kind, key.value), key) for key in (item.subscriber for item in items))
    wanted = {name: key for name, key in named if name is not None}
    if not wanted:
        return
    async with ports.database.acquire() as connection:
        known = await facts.owners_of(connection, workspace.id, wanted.keys())
    people: list[dict[str, object]] = [
        {key.kind: key.value} for name, key in wanted.items() if name not in known
    ]
    if people:
        await upsert_subscribers(ports=ports, workspace=workspace, items=people, bulk=bulk)


class _Ingest:
    """One attempt at a batch, within one transaction."""

    def __init__(self, ports: Ports, workspace: Workspace, transaction: Transaction, *, bulk: bool) -> None:
        self._ports = ports
        self._workspace = workspace
        self._transaction = transaction
        self._connection = transaction.connection
        self._lane = facts.BULK if bulk else facts.LIVE
        self._rejects: list[Reject] = []

    async def run(self, items: Sequence[EventItem]) -> Tracked:
        now = await self._ports.clock.now(self._connection)
        refs = await resolve_people(self._connection, self._workspace.id, [item.subscriber for item in items])
        good = self._checked(items, refs, now + LATEST_AHEAD)
        good, names = await self._named(good)
        fresh = await self._without_duplicates(good)
        if fresh:
            await self._write(fresh, names, now)
        bucket_ids = {ref.bucket_id for _, ref, _ in good}
        if self._lane == facts.LIVE:  # what is bulk, sweeps find soon enough
            self._transaction.after_commit(lambda: self._ports.signals.marked(bucket_ids))
        self._rejects.sort(key=lambda reject: reject.index)
        return Tracked(accepted=len(fresh), duplicates=len(good) - len(fresh), rejects=self._rejects)

    def _checked(
        self, items: Sequence[EventItem], refs: Sequence[SubscriberRef | None], latest: datetime
    ) -> list[_Good]:
        good: list[_Good] = []
        for index, (item, ref) in enumerate(zip(items, refs, strict=True)):
            try:
                event = check_event(item, latest)
            except RefusedEvent as refused:
                self._refuse(index, refused.code, refused.message, *refused.where)
                continue
            if ref is None:
                self._refuse(index, "UNKNOWN", "there is no such subscriber", "subscriber")
            else:
                good.append((index, ref, event))
        return good

    def _refuse(self, index: int, code: ProblemCode, message: str, *where: str) -> None:
        path = ("input", "events", str(index), *where)
        self._rejects.append(Reject(index=index, code=code, message=message, path=path))

    async def _named(self, good: list[_Good]) -> tuple[list[_Good], Mapping[str, int]]:
        """Intern the events' names; what would be the workspace's 1,001st is refused."""
        remembered = self._ports.database.event_names
        wanted = {event.name for _, _, event in good}
        known = remembered.known(self._workspace.id)
        if wanted <= known.keys():
            return good, known
        known = await definitions.event_names(self._connection, self._workspace.id)
        room = NAMES_PER_WORKSPACE - len(known)
        new: set[str] = set()
        kept: list[_Good] = []
        for index, ref, event in good:
            if event.name not in known and event.name not in new:
                if len(new) >= room:
                    message = f"a workspace has at most {NAMES_PER_WORKSPACE} event names"
                    self._refuse(index, "TOO_MANY", message, "name")
                    continue
                new.add(event.name)
            kept.append((index, ref, event))
        names: Mapping[str, int] = known
        if new:
            names = await definitions.intern_event_names(
                self._connection, self._workspace.id, new, self._ports.database.ids
            )
        self._transaction.after_commit(lambda: remembered.remember(self._workspace.id, names))
        return kept, names

    async def _without_duplicates(self, good: list[_Good]) -> list[_Good]:
        """Claim the events' keys, bucket by bucket, and leave out the events that were told before."""
        keys: dict[int, set[tuple[int, str]]] = defaultdict(set)
        for _, ref, event in good:
            if event.key is not None:
                keys[ref.bucket_id].add((ref.id, event.key))
        if not keys:
            return good
        unused = {
            bucket_id: await facts.claim_event_keys(self._connection, bucket_id, claims)
            for bucket_id, claims in sorted(keys.items())
        }
        fresh: list[_Good] = []
        for index, ref, event in good:
            if event.key is not None:
                claim = (ref.id, event.key)
                if claim not in unused[ref.bucket_id]:
                    continue
                unused[ref.bucket_id].discard(claim)  # its second appearance in this batch is a duplicate
            fresh.append((index, ref, event))
        return fresh

    async def _write(self, fresh: Sequence[_Good], names: Mapping[str, int], now: datetime) -> None:
        ids = iter(await self._ports.database.ids.take(len(fresh), self._connection))
        await facts.write_events(self._connection, _rows(fresh, names, now, ids))
        marks = _marks(fresh, names, now)
        if not REFUSAL_OF_EVENT.keys().isdisjoint(names):
            for bucket_id, refusals in _refusals(fresh, now):
                marks[bucket_id] |= await self._move_channels(bucket_id, refusals, now)
        await facts.copy_marks(self._connection, marks, lane=self._lane)

    async def _move_channels(self, bucket_id: int, refusals: Sequence[Refusal], now: datetime) -> set[Mark]:
        """Move the channels of those who bounced, left or complained. Returns the marks of it."""
        ids = {refusal.subscriber_id for refusal in refusals}
        # Whoever else sets a status reads the present one under this lock too; events alone hold people only against erasure.
        await facts.lock_people(self._connection, bucket_id, ids)
        states = await facts.channel_states(self._connection, bucket_id, ids)
        changed = refused_by(refusals, states, now)
        return await facts.write_channels(self._connection, bucket_id, changed) if changed else set()


def _marks(events: Sequence[_Good], names: Mapping[str, int], now: datetime) -> dict[int, set[Mark]]:
    """By bucket, one for each person and name: with the instant, where there is but one."""
    instants: dict[tuple[int, int, int], set[datetime]] = defaultdict(set)
    for _, ref, event in events:
        instants[ref.bucket_id, ref.id, names[event.name]].add(event.occurred_at or now)
    marks: dict[int, set[Mark]] = defaultdict(set)
    for (bucket_id, person_id, name_id), found in instants.items():
        marks[bucket_id].add(Mark(person_id, "event", name_id, found.pop() if len(found) == 1 else None))
    return marks


def _rows(
    events: Sequence[_Good], names: Mapping[str, int], now: datetime, ids: Iterator[int]
) -> list[EventRow]:
    return [
        EventRow(
            ref.bucket_id,
            ref.id,
            names[event.name],
            event.occurred_at or now,
            next(ids),
            event.value,
            event.properties,
            event.properties_folded,
            event.properties_times,
        )
        for _, ref, event in events
    ]


def _refusals(events: Sequence[_Good], now: datetime) -> list[tuple[int, list[Refusal]]]:
    """Those events by which somebody refused emails, by bucket, in the buckets' order."""
    found: dict[int, list[Refusal]] = defaultdict(list)
    for _, ref, event in events:
        if event.name in REFUSAL_OF_EVENT:
            at = event.occurred_at or now
            found[ref.bucket_id].append(Refusal(subscriber_id=ref.id, name=event.name, occurred_at=at))
    return sorted(found.items())
