"""Records events. Many writers can do so at the same time; an event with a key counts once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from audience_gql.audience.failures import InvalidInput, Issue, ProblemCode, Reject
from audience_gql.audience.people.buckets import open_another_if_full
from audience_gql.audience.people.consent import REFUSAL_OF_EVENT, Refusal, refused
from audience_gql.audience.people.event_items import CheckedEvent, EventItem, RefusedEvent, check_event
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.profiles import PersonPatch, named_identity, parse_person
from audience_gql.audience.people.resolution import Found, find_people, held
from audience_gql.audience.people.subscribers import upsert_within
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import event_rows, facts
from audience_gql.storage.people.event_rows import EventRow
from audience_gql.storage.people.facts import (
    CALLER,
    IMPORT,
    ChannelConsent,
    Identity,
    Mark,
    PersonRow,
    Source,
)
from audience_gql.storage.postgres.database import Transaction

BATCH_LIMIT: Final = 1000
NAMES_PER_WORKSPACE: Final = 1000
LATEST_AHEAD: Final = timedelta(days=1)

_Good: TypeAlias = tuple[int, SubscriberRef, CheckedEvent]
"""A checked event, with its place in the batch and its person."""
_Checked: TypeAlias = tuple[int, SubscriberRef | SubscriberKey, CheckedEvent]
"""The same, or with a key instead of a person who still has to be created."""

__all__ = ["EventItem", "Tracked", "track_events", "track_within"]


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
    """Record up to 1,000 events in one transaction.

    An event that is invalid, or whose person is unknown, becomes a Reject; the others are recorded. Events may arrive late, twice and
    out of order. An event in the future counts from its instant on; one more than a day ahead is refused. A bounce, unsubscription or
    complaint also changes the EMAIL channel. `create_missing` creates unknown people from their key, but only those with an event
    that is recorded. `bulk` lets live changes of membership go first. Raises InvalidInput for more than 1,000 events.
    """
    if len(items) > BATCH_LIMIT:
        message = f"at most {BATCH_LIMIT} events per call, not {len(items)}"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=("events",)),))

    async def work(transaction: Transaction) -> tuple[Tracked, int | None]:
        ingest = _Ingest(ports, workspace, transaction, IMPORT if bulk else CALLER)
        return await ingest.run(items, create_missing=create_missing), ingest.grown_bucket_id

    tracked, grown_bucket_id = await ports.database.run(work)
    if grown_bucket_id is not None:
        await open_another_if_full(ports=ports, workspace_id=workspace.id, bucket_id=grown_bucket_id)
    return tracked


async def track_within(
    transaction: Transaction,
    *,
    ports: Ports,
    workspace: Workspace,
    items: Sequence[EventItem],
    source: Source,
) -> Tracked:
    """The same in the caller's transaction, which Database.run must have begun. It creates nobody."""
    return await _Ingest(ports, workspace, transaction, source).run(items, create_missing=False)


class _Ingest:
    """One attempt at a batch, within one transaction."""

    def __init__(self, ports: Ports, workspace: Workspace, transaction: Transaction, source: Source) -> None:
        self._ports = ports
        self._workspace = workspace
        self._transaction = transaction
        self._connection = transaction.connection
        self._source = source
        self._rejects: list[Reject] = []
        self._locked: dict[int, dict[int, PersonRow]] = defaultdict(dict)
        """The people whose channel a refusal may change, by bucket and id."""
        self.grown_bucket_id: int | None = None
        """A bucket that received new people, and whose size the caller should check."""

    async def run(self, items: Sequence[EventItem], *, create_missing: bool) -> Tracked:
        """Lock people, then intern names, then create people, then claim keys.

        All callers use this order, so that no two callers wait for each other.
        """
        keys = [item.subscriber for item in items]
        found = await find_people(self._connection, self._workspace.id, keys)
        now = self._ports.clock.at(found.asked_at)
        checked = await self._whose(keys, found, self._checked(items, now + LATEST_AHEAD), create_missing)
        await self._hold_refusing(checked)
        checked, names = await self._named(checked)
        good = await self._with_people_made(checked)
        fresh = await self._without_duplicates(good)
        if fresh:
            await self._write(fresh, names, now)
        bucket_ids = {ref.bucket_id for _, ref, _ in good}
        if self._source.lane == facts.LIVE:  # sweeps find bulk marks soon enough
            self._transaction.after_commit(lambda: self._ports.signals.marked(bucket_ids))
        self._rejects.sort(key=lambda reject: reject.index)
        return Tracked(accepted=len(fresh), duplicates=len(good) - len(fresh), rejects=self._rejects)

    def _checked(self, items: Sequence[EventItem], latest: datetime) -> dict[int, CheckedEvent]:
        """The events that pass their own checks, by index."""
        checked = {}
        for index, item in enumerate(items):
            try:
                checked[index] = check_event(item, latest)
            except RefusedEvent as error:
                self._refuse(index, error.code, error.message, *error.where)
        return checked

    async def _whose(
        self,
        keys: Sequence[SubscriberKey],
        people: Found,
        checked: Mapping[int, CheckedEvent],
        create_missing: bool,
    ) -> list[_Checked]:
        """Hold each event's person. A person whom the batch should and can create stays a key."""
        refs = await held(self._connection, [people.refs[index] for index in checked])
        found: list[_Checked] = []
        for (index, event), ref in zip(checked.items(), refs, strict=True):
            key = keys[index]
            if ref is not None:
                found.append((index, ref, event))
            elif not create_missing or key.kind == "id":
                self._refuse(index, "UNKNOWN", "there is no such subscriber", "subscriber")
            elif issue := _why_nobody(key):
                self._refuse(index, issue.code, issue.message, "subscriber", *issue.path)
            else:
                found.append((index, key, event))
        return found

    async def _hold_refusing(self, events: Sequence[_Checked]) -> None:
        """Lock people who refused emails against other writers of a status. Other events only protect people from erasure."""
        refusing: dict[int, set[int]] = defaultdict(set)
        for _, whose, event in events:
            if event.name in REFUSAL_OF_EVENT and isinstance(whose, SubscriberRef):
                refusing[whose.bucket_id].add(whose.id)
        for bucket_id, ids in sorted(refusing.items()):
            self._locked[bucket_id] = await facts.lock_people(self._connection, bucket_id, ids)

    async def _with_people_made(self, events: Sequence[_Checked]) -> list[_Good]:
        """Create the missing people, each once, from the key in their first event."""
        wanted: dict[Identity, SubscriberKey] = {}
        for _, whose, _ in events:
            if isinstance(whose, SubscriberKey):
                wanted.setdefault(_identity(whose), whose)
        made: dict[Identity, SubscriberRef] = {}
        if wanted:
            upserted, self.grown_bucket_id = await upsert_within(
                self._transaction,
                ports=self._ports,
                workspace=self._workspace,
                items=[{key.kind: key.value} for key in wanted.values()],
                source=self._source,
            )
            refs = zip(wanted, upserted.subscribers, strict=True)
            made = {name: ref for name, ref in refs if ref is not None}  # every key was checked before
        return [
            (index, made[_identity(whose)] if isinstance(whose, SubscriberKey) else whose, event)
            for index, whose, event in events
        ]

    def _refuse(self, index: int, code: ProblemCode, message: str, *where: str | int) -> None:
        path = ("events", index, *where)
        self._rejects.append(Reject(index=index, code=code, message=message, path=path))

    async def _named(self, good: list[_Checked]) -> tuple[list[_Checked], Mapping[str, int]]:
        """Intern the events' names. A name beyond the workspace's first 1,000 is refused."""
        remembered = self._ports.database.event_names
        wanted = {event.name for _, _, event in good}
        known = remembered.known(self._workspace.id)
        if wanted <= known.keys():
            return good, known
        known = await definitions.event_names(self._connection, self._workspace.id)
        room = NAMES_PER_WORKSPACE - len(known)
        new: set[str] = set()
        kept: list[_Checked] = []
        for index, whose, event in good:
            if event.name not in known and event.name not in new:
                if len(new) >= room:
                    message = f"a workspace has at most {NAMES_PER_WORKSPACE} event names"
                    self._refuse(index, "TOO_MANY", message, "name")
                    continue
                new.add(event.name)
            kept.append((index, whose, event))
        names: Mapping[str, int] = known
        if new:
            names = await definitions.intern_event_names(
                self._connection, self._workspace.id, new, self._ports.database.ids, known=known
            )
        self._transaction.after_commit(lambda: remembered.remember(self._workspace.id, names))
        return kept, names

    async def _without_duplicates(self, good: list[_Good]) -> list[_Good]:
        """Claim the events' keys bucket by bucket, and drop the events that were recorded before."""
        keys: dict[int, set[tuple[int, str]]] = defaultdict(set)
        for _, ref, event in good:
            if event.key is not None:
                keys[ref.bucket_id].add((ref.id, event.key))
        if not keys:
            return good
        unused = {
            bucket_id: await event_rows.claim_event_keys(self._connection, bucket_id, claims)
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
        rows, marks = _rows(fresh, names, now, ids), _marks(fresh, names, now)
        if not REFUSAL_OF_EVENT.keys().isdisjoint(names):
            for bucket_id, refusals in _refusals(fresh, now):
                marks[bucket_id] |= await self._move_channels(bucket_id, refusals, now)
        await event_rows.write_events(self._connection, rows, marks, source=self._source)

    async def _move_channels(self, bucket_id: int, refusals: Sequence[Refusal], now: datetime) -> set[Mark]:
        """Change the EMAIL channel of people who bounced, unsubscribed or complained. Returns the marks for it."""
        ids = {refusal.subscriber_id for refusal in refusals}
        people = self._locked[bucket_id]
        if made := ids - people.keys():  # this transaction has created them
            people |= await facts.lock_people(self._connection, bucket_id, made)
        states = await facts.channel_states(self._connection, bucket_id, ids)
        changed: dict[tuple[int, str], ChannelConsent] = {}
        for refusal in refusals:
            place = (refusal.subscriber_id, "EMAIL")
            before = changed.get(place) or states.get(place)
            since = people[refusal.subscriber_id]["email_changed_at"]
            after = refused(before, refusal, now, address_since=since)
            if after is not None and after != before:
                changed[place] = after
        return await facts.write_channels(self._connection, bucket_id, changed) if changed else set()


def _why_nobody(key: SubscriberKey) -> Issue | None:
    """Why no person can be created from a key, or None. The path begins below the key."""
    parsed = parse_person({key.kind: key.value}, fields={}, group_ids=frozenset(), path=())
    return None if isinstance(parsed, PersonPatch) else parsed[0]


def _identity(key: SubscriberKey) -> Identity:
    found = named_identity(key.kind, key.value)
    assert found is not None  # noqa: S101  # _why_nobody has refused any other key
    return found


def _marks(events: Sequence[_Good], names: Mapping[str, int], now: datetime) -> dict[int, set[Mark]]:
    """By bucket, one mark for each person and name. The mark has the instant if there is only one."""
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
    """The events by which people refused emails, by bucket, in the order of bucket ids."""
    found: dict[int, list[Refusal]] = defaultdict(list)
    for _, ref, event in events:
        if event.name in REFUSAL_OF_EVENT:
            at = event.occurred_at or now
            found[ref.bucket_id].append(Refusal(subscriber_id=ref.id, name=event.name, occurred_at=at))
    return sorted(found.items())
