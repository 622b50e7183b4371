"""Take in what people did: any number of writers at once, each event counted once by its key."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from audience_gql.audience.channels import REFUSAL_OF_EVENT, Refusal, refused_by
from audience_gql.audience.failures import InvalidInput, Issue, ProblemCode, Reject
from audience_gql.audience.keys import SubscriberKey
from audience_gql.audience.ports import Ports
from audience_gql.audience.profiles import identity, text_problem
from audience_gql.audience.resolution import resolve_people
from audience_gql.audience.subscribers import upsert_subscribers
from audience_gql.conditions.values import decimal_of, fold, instant_of, instant_text
from audience_gql.storage import definitions, facts
from audience_gql.storage.database import Transaction
from audience_gql.storage.facts import EventRow, Mark
from audience_gql.storage.models import Workspace

BATCH_LIMIT: Final = 1000
NAME_LIMIT: Final = 100
NAMES_PER_WORKSPACE: Final = 1000
KEY_LIMIT: Final = 200
PROPERTY_KEYS: Final = 256
PROPERTY_BYTES: Final = 64 * 1024
PROPERTY_DEPTH: Final = 8
LATEST_AHEAD: Final = timedelta(days=1)
_YEARS: Final = range(1900, 2201)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventItem:
    """One event as a caller gives it. Without `occurred_at` it happens now."""

    subscriber: SubscriberKey
    name: str
    occurred_at: datetime | None = None
    value: float | Decimal | None = None
    properties: object = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    accepted: int
    duplicates: int
    """Events whose key this person already had; they change nothing."""
    rejects: list[Reject]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    name: str
    occurred_at: datetime | None
    value: Decimal | None
    properties: str
    properties_folded: str
    properties_times: str | None
    key: str | None


class _Refused(Exception):
    def __init__(self, code: ProblemCode, message: str, *where: str) -> None:
        super().__init__(message)
        self.code, self.message, self.where = code, message, where


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
    wanted = {
        identity(item.subscriber.kind, item.subscriber.value): item.subscriber
        for item in items
        if item.subscriber.kind != "id" and isinstance(item.subscriber.value, str) and item.subscriber.value
    }
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
        accepted: dict[int, list[tuple[int, int, _Checked]]] = defaultdict(list)
        for index, (item, ref) in enumerate(zip(items, refs, strict=True)):
            try:
                checked = _check(item, now)
            except _Refused as refused:
                self._refuse(index, refused.code, refused.message, *refused.where)
                continue
            if ref is None:
                self._refuse(index, "UNKNOWN", "there is no such subscriber", "subscriber")
            else:
                accepted[ref.bucket_id].append((index, ref.id, checked))
        names = await self._names(accepted)
        count = duplicates = 0
        for bucket_id, events in sorted(accepted.items()):
            written, repeated = await self._write(bucket_id, events, names, now)
            count += written
            duplicates += repeated
        self._transaction.after_commit(lambda: self._ports.signals.marked(accepted))
        self._rejects.sort(key=lambda reject: reject.index)
        return Tracked(accepted=count, duplicates=duplicates, rejects=self._rejects)

    def _refuse(self, index: int, code: ProblemCode, message: str, *where: str) -> None:
        path = ("input", "events", str(index), *where)
        self._rejects.append(Reject(index=index, code=code, message=message, path=path))

    async def _names(self, accepted: dict[int, list[tuple[int, int, _Checked]]]) -> Mapping[str, int]:
        """Intern the events' names; what would be the workspace's 1,001st is refused."""
        known = await definitions.event_names(self._connection, self._workspace.id)
        room = NAMES_PER_WORKSPACE - len(known)
        new: set[str] = set()
        for bucket_id, events in accepted.items():
            kept = []
            for index, person_id, event in events:
                if event.name not in known and event.name not in new:
                    if len(new) >= room:
                        message = f"a workspace has at most {NAMES_PER_WORKSPACE} event names"
                        self._refuse(index, "TOO_MANY", message, "name")
                        continue
                    new.add(event.name)
                kept.append((index, person_id, event))
            accepted[bucket_id] = kept
        if not new:
            return known
        return await definitions.intern_event_names(
            self._connection, self._workspace.id, new, self._ports.database.ids
        )

    async def _write(
        self,
        bucket_id: int,
        events: Sequence[tuple[int, int, _Checked]],
        names: Mapping[str, int],
        now: datetime,
    ) -> tuple[int, int]:
        keyed = {(person_id, event.key) for _, person_id, event in events if event.key is not None}
        fresh = await facts.claim_event_keys(self._connection, bucket_id, keyed) if keyed else set()
        ids = iter(await self._ports.database.ids.take(len(events) + 1, self._connection))
        batch = next(ids)
        rows: list[EventRow] = []
        refusals: list[Refusal] = []
        for _, person_id, event in events:
            if event.key is not None:
                if (person_id, event.key) not in fresh:
                    continue
                fresh.discard((person_id, event.key))  # its second appearance in this batch is a duplicate
            at = event.occurred_at or now
            if event.name in REFUSAL_OF_EVENT:
                refusals.append(Refusal(subscriber_id=person_id, name=event.name, occurred_at=at))
            rows.append(
                EventRow(
                    subscriber_id=person_id,
                    name_id=names[event.name],
                    occurred_at=at,
                    id=next(ids),
                    value=event.value,
                    properties=event.properties,
                    properties_folded=event.properties_folded,
                    properties_times=event.properties_times,
                )
            )
        if rows:
            await facts.write_events(self._connection, bucket_id, rows)
            marks = {Mark(row.subscriber_id, "event", row.name_id) for row in rows}
            marks |= await self._move_channels(bucket_id, refusals, now)
            await facts.write_marks(self._connection, bucket_id, marks, batch=batch, lane=self._lane)
        return len(rows), len(events) - len(rows)

    async def _move_channels(self, bucket_id: int, refusals: Sequence[Refusal], now: datetime) -> set[Mark]:
        """Move the channels of those who bounced, left or complained. Returns the marks of it."""
        ids = {refusal.subscriber_id for refusal in refusals}
        if not ids:
            return set()
        # Whoever else sets a status reads the present one under this lock too; events alone hold people only against erasure.
        await facts.lock_people(self._connection, bucket_id, ids)
        states = await facts.channel_states(self._connection, bucket_id, ids)
        changed = refused_by(refusals, states, now)
        return await facts.write_channels(self._connection, bucket_id, changed) if changed else set()


def _check(item: EventItem, now: datetime) -> _Checked:
    if problem := text_problem(item.name, NAME_LIMIT):
        raise _Refused(*problem, "name")
    if not item.name.strip():
        raise _Refused("REQUIRED", "an event needs a name", "name")
    if item.key is not None and (problem := text_problem(item.key, KEY_LIMIT)):
        raise _Refused(*problem, "key")
    properties, folded, times = _properties(item.properties)
    return _Checked(
        name=item.name,
        occurred_at=_instant(item.occurred_at, now),
        value=_number(item.value),
        properties=properties,
        properties_folded=folded,
        properties_times=times,
        key=item.key or None,
    )


def _instant(occurred_at: datetime | None, now: datetime) -> datetime | None:
    if occurred_at is None:
        return None
    if occurred_at.tzinfo is None:
        raise _Refused("MALFORMED", "a time needs its zone, such as 2026-03-01T12:00:00Z", "occurredAt")
    if occurred_at.year not in _YEARS:
        raise _Refused("OUT_OF_RANGE", "times lie between 1900 and 2200", "occurredAt")
    if occurred_at > now + LATEST_AHEAD:
        raise _Refused("OUT_OF_RANGE", "at most one day ahead of now", "occurredAt")
    return occurred_at


def _number(value: float | Decimal | None) -> Decimal | None:
    if value is None:
        return None
    try:
        number = decimal_of(value)
    except (ValueError, InvalidOperation) as error:
        raise _Refused("MALFORMED", "expected a finite number", "value") from error
    if abs(number) > Decimal("1e300"):
        raise _Refused("OUT_OF_RANGE", "at most 1e300", "value")
    return number


def _properties(given: object) -> tuple[str, str, str | None]:
    """The JSON of the properties, of the folded twins of those texts that folding changes, and of those that are instants."""
    if given is None:
        return "{}", "{}", None
    if not isinstance(given, dict):
        raise _Refused("WRONG_TYPE", "properties are an object", "properties")
    if len(given) > PROPERTY_KEYS:
        raise _Refused("TOO_MANY", f"at most {PROPERTY_KEYS} properties", "properties")
    _check_json(given, ("properties",))
    kept = {
        key: value for key, value in given.items() if value != ""
    }  # empty text is missing text, as everywhere
    text = facts.json_text(kept)
    if len(text.encode()) > PROPERTY_BYTES:
        raise _Refused("OUT_OF_RANGE", f"at most {PROPERTY_BYTES} bytes of properties", "properties")
    folded = {
        key: fold(value) for key, value in kept.items() if isinstance(value, str) and fold(value) != value
    }
    times = {
        key: instant_text(instant)
        for key, value in kept.items()
        if isinstance(value, str) and (instant := instant_of(value))
    }
    return text, facts.json_text(folded), facts.json_text(times) if times else None


def _check_json(value: object, where: tuple[str, ...]) -> None:
    if len(where) > PROPERTY_DEPTH:
        raise _Refused("OUT_OF_RANGE", f"properties nest at most {PROPERTY_DEPTH} deep", *where)
    match value:
        case str():
            if problem := text_problem(value, 10_000):
                raise _Refused(*problem, *where)
        case float() if not math.isfinite(value):
            raise _Refused("MALFORMED", "expected a finite number", *where)
        case dict():
            for key, inner in value.items():
                if problem := text_problem(key):
                    raise _Refused(*problem, *where)
                _check_json(inner, (*where, key))
        case list():
            for index, inner in enumerate(value):
                _check_json(inner, (*where, str(index)))
