"""Create and change people, many at a time, matched by any of their keys.

Concurrent callers may name the same new person at the same time: every key has one owner, claimed before anything is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from audience_gql.audience.failures import InvalidInput, Issue, Path, Reject
from audience_gql.audience.keys import SubscriberRef
from audience_gql.audience.ports import Ports
from audience_gql.audience.profiles import (
    BIRTHDAY_DATE,
    CREATED_DATE,
    UPDATED_DATE,
    PersonPatch,
    apply_columns,
    field_date,
    identity,
    parse_person,
)
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage import definitions, facts
from audience_gql.storage.database import Connection, Transaction
from audience_gql.storage.facts import Identity, Mark, Owner, PersonRow
from audience_gql.storage.ids import random_subscriber_id
from audience_gql.storage.models import Workspace

BATCH_LIMIT = 1000
_CLAIM_ATTEMPTS = 20
_NEVER_REACTIVATED = frozenset({"UNSUBSCRIBED", "BOUNCED", "SPAM_REPORTED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    created: int
    updated: int
    subscribers: list[SubscriberRef | None]
    """Aligned with the items; None where rejected."""
    rejects: list[Reject]


@dataclass(slots=True)
class _Person:
    """One person of the batch: her items folded together, in the order given."""

    owner: Owner
    is_new: bool
    patches: list[tuple[int, PersonPatch]] = field(default_factory=list)


class _LostClaim(Exception):
    """Somebody else took a key between our look and our claim; look again."""


async def upsert_subscribers(
    *,
    ports: Ports,
    workspace: Workspace,
    items: Sequence[Mapping[str, object]],
    add_to_group_ids: Sequence[int | None] = (),
    path: Path = ("input",),
    bulk: bool = False,
) -> Upserted:
    """Create or change up to 1,000 people in one transaction.

    An item names its person by id, externalId, email or phone; items that name the same person are applied in order. An item
    that is wrong is a Reject, the others go through. `bulk` lets live changes of membership go first.
    Raises InvalidInput for more than 1,000 items or an unknown group for all.
    """
    if len(items) > BATCH_LIMIT:
        message = f"at most {BATCH_LIMIT} subscribers a call, not {len(items)}"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=(*path, "subscribers")),))

    async def work(transaction: Transaction) -> Upserted:
        return await _Upsert(ports, workspace, transaction, bulk=bulk).run(items, add_to_group_ids, path)

    return await ports.database.run(work)


class _Upsert:
    """One attempt at a batch, within one transaction."""

    def __init__(self, ports: Ports, workspace: Workspace, transaction: Transaction, *, bulk: bool) -> None:
        self._ports = ports
        self._workspace = workspace
        self._transaction = transaction
        self._connection: Connection = transaction.connection
        self._lane = facts.BULK if bulk else facts.LIVE
        self._rejects: dict[int, Issue] = {}
        self._claims: dict[Identity, Owner] = {}
        self._rows: dict[Owner, PersonRow] = {}

    async def run(
        self, items: Sequence[Mapping[str, object]], add_to_group_ids: Sequence[int | None], path: Path
    ) -> Upserted:
        fields = await definitions.fields_by_key(self._connection, self._workspace.id)
        group_ids = await definitions.group_ids(self._connection, self._workspace.id)
        joined_by_all = _known_groups(add_to_group_ids, group_ids, path)
        patches = self._parse(items, fields, group_ids, path)
        people = await self._resolve_and_lock(patches, path)
        created, changed = await self._write(people, fields, joined_by_all)
        refs: list[SubscriberRef | None] = [None] * len(items)
        for person in people:
            for index, _ in person.patches:
                if index not in self._rejects:
                    refs[index] = SubscriberRef(*person.owner)
        return Upserted(
            created=created,
            updated=changed,
            subscribers=refs,
            rejects=[
                Reject(index=index, code=issue.code, message=issue.message, path=issue.path)
                for index, issue in sorted(self._rejects.items())
            ],
        )

    def _parse(
        self,
        items: Sequence[Mapping[str, object]],
        fields: Mapping[str, FieldRef],
        group_ids: frozenset[int],
        path: Path,
    ) -> dict[int, PersonPatch]:
        patches = {}
        for index, item in enumerate(items):
            parsed = parse_person(
                item, fields=fields, group_ids=group_ids, path=(*path, "subscribers", str(index))
            )
            if isinstance(parsed, PersonPatch):
                patches[index] = parsed
            else:
                self._rejects[index] = parsed[0]
        return patches

    # ---- who is who

    async def _resolve_and_lock(self, patches: Mapping[int, PersonPatch], path: Path) -> list[_Person]:
        """Find or make each item's person and hold her until the end of the transaction."""
        rejected_by_form = dict(self._rejects)
        for _ in range(_CLAIM_ATTEMPTS):
            self._rejects = dict(rejected_by_form)
            savepoint = self._connection.transaction()
            await savepoint.start()
            try:
                people = await self._resolve(patches, path)
            except _LostClaim:
                await savepoint.rollback()
                continue
            except BaseException:
                await savepoint.rollback()
                raise
            await savepoint.commit()
            return people
        raise _LostClaim

    async def _resolve(self, patches: Mapping[int, PersonPatch], path: Path) -> list[_Person]:
        wanted = {identity(kind, value) for patch in patches.values() for kind, value in patch.keys.items()}
        before = await facts.owners_of(self._connection, self._workspace.id, wanted)
        bucket_ids = await definitions.bucket_ids(self._connection, self._workspace.id)
        open_bucket = await definitions.open_bucket_id(self._connection, self._workspace.id)
        owners: dict[Identity, Owner] = dict(before)
        known_owners = set(before.values())
        people: dict[Owner, _Person] = {}
        for index, patch in patches.items():
            keys = [identity(kind, value) for kind, value in patch.keys.items()]
            found = {owners[key] for key in keys if key in owners}
            if patch.ref is not None:
                found.add((patch.ref.bucket_id, patch.ref.id))
            where = (*path, "subscribers", str(index))
            if len(found) > 1:
                message = "the keys belong to two different subscribers"
                self._rejects[index] = Issue(code="CONFLICT", message=message, path=where)
                continue
            if patch.ref is not None and patch.ref.bucket_id not in bucket_ids:
                self._rejects[index] = Issue(
                    code="UNKNOWN", message="there is no subscriber with this id", path=(*where, "id")
                )
                continue
            owner = found.pop() if found else (open_bucket, random_subscriber_id())
            person = people.setdefault(
                owner, _Person(owner, is_new=patch.ref is None and owner not in known_owners)
            )
            person.patches.append((index, patch))
            owners |= dict.fromkeys(keys, owner)
        self._claims = {key: owner for key, owner in owners.items() if key not in before}
        if self._claims and not await facts.claim_identities(
            self._connection, self._workspace.id, self._claims
        ):
            raise _LostClaim
        await self._lock(people, path)
        if wanted and await facts.owners_of(self._connection, self._workspace.id, wanted) != owners:
            raise _LostClaim
        return list(people.values())

    async def _lock(self, people: Mapping[Owner, _Person], path: Path) -> None:
        """Read and hold everybody who is there already, in id order."""
        self._rows = {}
        for bucket_id, owners in _by_bucket(owner for owner, person in people.items() if not person.is_new):
            rows = await facts.lock_people(
                self._connection, bucket_id, [person_id for _, person_id in owners]
            )
            self._rows |= {(bucket_id, person_id): row for person_id, row in rows.items()}
        for owner, person in people.items():
            if not person.is_new and owner not in self._rows:
                for index, patch in person.patches:
                    if patch.ref is None:
                        raise _LostClaim  # erased since we looked
                    where = (*path, "subscribers", str(index), "id")
                    self._rejects[index] = Issue(
                        code="UNKNOWN", message="there is no subscriber with this id", path=where
                    )

    # ---- what changes

    async def _write(
        self, people: list[_Person], fields: Mapping[str, FieldRef], joined_by_all: Sequence[int]
    ) -> tuple[int, int]:
        people = [
            person for person in people if any(index not in self._rejects for index, _ in person.patches)
        ]
        now = await self._ports.clock.now(self._connection)
        batch = await self._ports.database.ids.one(self._connection)
        created = changed = 0
        kept: dict[Owner, set[Identity]] = {owner: _identities(row) for owner, row in self._rows.items()}
        by_bucket: dict[int, list[_Person]] = defaultdict(list)
        for person in people:
            by_bucket[person.owner[0]].append(person)
        for bucket_id, members in sorted(by_bucket.items()):
            writer = _BucketWriter(self._connection, self._workspace.id, bucket_id, now)
            await writer.refuse_reactivation(members, self._rejects)
            for person in members:
                writer.fold(person, self._rows.get(person.owner), self._rejects)
            created += writer.created
            changed += await writer.write(fields, joined_by_all)
            kept |= {(bucket_id, person_id): keys for person_id, keys in writer.identities().items()}
            await facts.write_marks(self._connection, bucket_id, writer.marks, batch=batch, lane=self._lane)
        unused = {key for key, owner in self._claims.items() if key not in kept.get(owner, ())}
        if unused:  # a later item took the key back, or the item that brought it was refused
            await facts.release_identities(self._connection, self._workspace.id, unused)
        self._transaction.after_commit(lambda: self._ports.signals.marked(by_bucket))
        return created, changed


class _BucketWriter:
    """The changes of one bucket's people, gathered in memory and written in a handful of statements."""

    def __init__(self, connection: Connection, workspace_id: int, bucket_id: int, now: datetime) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._bucket_id = bucket_id
        self._now = now
        self._before: dict[int, PersonRow | None] = {}
        self._after: dict[int, PersonRow] = {}
        self._channels: dict[tuple[int, str], tuple[str, str | None]] = {}
        self._join: set[tuple[int, int]] = set()
        self._leave: set[tuple[int, int]] = set()
        self._statuses: dict[tuple[int, str], str] = {}
        self.created = 0
        self.marks: set[Mark] = set()

    async def refuse_reactivation(self, people: list[_Person], rejects: dict[int, Issue]) -> None:
        """An upsert never brings back somebody who left, bounced or complained."""
        ids = [person.owner[1] for person in people if any(patch.channels for _, patch in person.patches)]
        if not ids:
            return
        self._statuses = await facts.channel_statuses(self._connection, self._bucket_id, ids)
        for person in people:
            for index, patch in person.patches:
                for position, state in enumerate(patch.channels):
                    current = self._statuses.get((person.owner[1], state.channel))
                    if current in _NEVER_REACTIVATED and state.status not in _NEVER_REACTIVATED:
                        message = f"{state.channel} is {current}; only setChannelStatus may change that"
                        where = ("input", "subscribers", str(index), "channels", str(position))
                        rejects.setdefault(index, Issue(code="CONSENT", message=message, path=where))

    def fold(self, person: _Person, row: PersonRow | None, rejects: Mapping[int, Issue]) -> None:
        """Apply a person's items to her row."""
        person_id = person.owner[1]
        self._before[person_id] = row
        after = deepcopy(row) if row is not None else _blank_row(person_id, self._now)
        for index, patch in person.patches:
            if index in rejects:
                continue
            apply_columns(after, patch)
            for state in patch.channels:
                self._channels[person_id, state.channel] = (state.status, state.reason)
            joins = {(group_id, person_id) for group_id in patch.join}
            leaves = {(group_id, person_id) for group_id in patch.leave}
            self._join = (self._join | joins) - leaves
            self._leave = (self._leave - joins) | leaves
        if row is None:
            self.created += 1
        self._after[person_id] = after

    def identities(self) -> dict[int, set[Identity]]:
        """The keys that each person ends up with."""
        return {person_id: _identities(row) for person_id, row in self._after.items()}

    async def write(self, fields: Mapping[str, FieldRef], joined_by_all: Sequence[int]) -> int:
        """Write what differs, and note the marks. Returns how many existing people changed."""
        changed_ids: set[int] = set()
        await self._write_rows(fields, changed_ids)
        channels = [
            (person_id, channel, status, reason)
            for (person_id, channel), (status, reason) in self._channels.items()
            if self._statuses.get((person_id, channel)) != status
        ]
        if channels:
            await facts.write_channels(self._connection, self._bucket_id, channels, self._now)
            changed_ids |= {person_id for person_id, *_ in channels}
            self.marks |= {Mark(person_id, "profile") for person_id, *_ in channels}
        self._join |= {(group_id, person_id) for group_id in joined_by_all for person_id in self._after}
        if self._leave:
            left = await facts.remove_members(self._connection, self._bucket_id, self._leave)
            self.marks |= {Mark(person_id, "group_left", group_id) for group_id, person_id in left}
            changed_ids |= {person_id for _, person_id in left}
        if self._join:
            joined = await facts.add_members(self._connection, self._bucket_id, self._join, self._now)
            self.marks |= {Mark(person_id, "group_joined", group_id) for group_id, person_id in joined}
            changed_ids |= {person_id for _, person_id in joined}
        return sum(1 for person_id in changed_ids if self._before[person_id] is not None)

    async def _write_rows(self, fields: Mapping[str, FieldRef], changed_ids: set[int]) -> None:
        rows: list[PersonRow] = []
        dates: list[tuple[int, int, datetime | None]] = []
        released: set[Identity] = set()
        for person_id, after in self._after.items():
            before = self._before[person_id]
            marks = _marks(person_id, before, after)
            if not marks:
                continue
            after["updated_at"] = self._now
            self.marks |= marks
            rows.append(after)
            changed_ids.add(person_id)
            dates.extend(_dates(before, after, fields))
            released |= _identities(before) - _identities(after)
        if released:
            await facts.release_identities(self._connection, self._workspace_id, released)
        if rows:
            await facts.write_people(self._connection, self._bucket_id, rows)
            await facts.write_dates(self._connection, self._bucket_id, dates)


def _blank_row(person_id: int, now: datetime) -> PersonRow:
    row: PersonRow = {"id": person_id, "birthday": None, "fields": {}, "fields_folded": {}}
    for column in facts.TEXT_COLUMNS:
        row[column] = row[f"{column}_folded"] = None
    return row | {"created_at": now, "updated_at": now}


def _marks(person_id: int, before: PersonRow | None, after: PersonRow) -> set[Mark]:
    if before is None:
        return {Mark(person_id, "created")}
    marks = set()
    if any(before[column] != after[column] for column in (*facts.TEXT_COLUMNS, "birthday")):
        marks.add(Mark(person_id, "profile"))
    old, new = before["fields"], after["fields"]
    marks |= {
        Mark(person_id, "field", int(key)) for key in old.keys() | new.keys() if old.get(key) != new.get(key)
    }
    return marks


def _dates(
    before: PersonRow | None, after: PersonRow, fields: Mapping[str, FieldRef]
) -> Iterable[tuple[int, int, datetime | None]]:
    person_id = after["id"]
    if before is None:
        yield person_id, CREATED_DATE, after["created_at"]
    yield person_id, UPDATED_DATE, after["updated_at"]
    birthday = after["birthday"]
    if birthday != (before and before["birthday"]):
        at = birthday and datetime(birthday.year, birthday.month, birthday.day, tzinfo=UTC)
        yield person_id, BIRTHDAY_DATE, at
    for ref in fields.values():
        key = str(ref.id)
        value = after["fields"].get(key)
        if ref.type in ("DATE", "DATETIME") and value != (before and before["fields"].get(key)):
            yield person_id, ref.id, field_date(value)


def _identities(row: PersonRow | None) -> set[Identity]:
    if row is None:
        return set()
    columns = (("email", "email"), ("phone", "phone"), ("externalId", "external_id"))
    return {identity(kind, row[column]) for kind, column in columns if row[column] is not None}


def _known_groups(given: Sequence[int | None], known: frozenset[int], path: Path) -> list[int]:
    issues = tuple(
        Issue(
            code="UNKNOWN",
            message="there is no group with this id",
            path=(*path, "addToGroupIds", str(index)),
        )
        for index, group_id in enumerate(given)
        if group_id not in known
    )
    if issues:
        raise InvalidInput(issues)
    return [group_id for group_id in given if group_id is not None]


def _by_bucket(owners: Iterable[Owner]) -> list[tuple[int, list[Owner]]]:
    buckets: dict[int, list[Owner]] = defaultdict(list)
    for owner in owners:
        buckets[owner[0]].append(owner)
    return sorted(buckets.items())
