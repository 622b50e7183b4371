"""Create and change people, many at a time, matched by any of their keys.

Concurrent callers may name the same new person at the same time: every key has one owner, claimed before anything is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audience_gql.audience.failures import InvalidInput, Issue, Path, Reject
from audience_gql.audience.people.bucket_writer import BucketWriter, Person, identities_of
from audience_gql.audience.people.buckets import is_look_due, open_another_if_full
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.profiles import PersonPatch, identity, named_definitions, parse_person
from audience_gql.audience.ports import Ports
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage import definitions, facts
from audience_gql.storage.database import Connection, Transaction
from audience_gql.storage.facts import Identity, Owner, PersonRow
from audience_gql.storage.ids import random_subscriber_id
from audience_gql.storage.models import Workspace

BATCH_LIMIT = 1000
_CLAIM_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    created: int
    updated: int
    subscribers: list[SubscriberRef | None]
    """Aligned with the items; None where rejected."""
    rejects: list[Reject]


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

    async def work(transaction: Transaction) -> tuple[Upserted, int | None]:
        return await upsert_within(
            transaction,
            ports=ports,
            workspace=workspace,
            items=items,
            add_to_group_ids=add_to_group_ids,
            path=path,
            bulk=bulk,
        )

    upserted, grown_bucket_id = await ports.database.run(work)
    if grown_bucket_id is not None:
        await open_another_if_full(ports=ports, workspace_id=workspace.id, bucket_id=grown_bucket_id)
    return upserted


async def upsert_within(
    transaction: Transaction,
    *,
    ports: Ports,
    workspace: Workspace,
    items: Sequence[Mapping[str, object]],
    add_to_group_ids: Sequence[int | None] = (),
    path: Path = ("input",),
    bulk: bool = False,
) -> tuple[Upserted, int | None]:
    """The same as a part of the caller's transaction, which Database.run must have begun. Raises InvalidInput.

    Returns a bucket besides that may be full by now: once the transaction is committed, open_another_if_full looks.
    """
    upsert = _Upsert(ports, workspace, transaction, bulk=bulk)
    return await upsert.run(items, add_to_group_ids, path), upsert.grown_bucket_id


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
        self.grown_bucket_id: int | None = None
        """A bucket with so many new people that somebody should look how full it is."""

    async def run(
        self, items: Sequence[Mapping[str, object]], add_to_group_ids: Sequence[int | None], path: Path
    ) -> Upserted:
        keys, named_ids = named_definitions(items)
        fields = await definitions.hold_fields(self._connection, self._workspace.id, keys)
        group_ids = await definitions.hold_groups(
            self._connection,
            self._workspace.id,
            named_ids | {it for it in add_to_group_ids if it is not None},
        )
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

    async def _resolve_and_lock(self, patches: Mapping[int, PersonPatch], path: Path) -> list[Person]:
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

    async def _resolve(self, patches: Mapping[int, PersonPatch], path: Path) -> list[Person]:
        wanted = {identity(kind, value) for patch in patches.values() for kind, value in patch.keys.items()}
        before = await facts.owners_of(self._connection, self._workspace.id, wanted)
        bucket_ids = await definitions.bucket_ids(self._connection, self._workspace.id)
        open_bucket = await definitions.open_bucket_id(self._connection, self._workspace.id)
        owners: dict[Identity, Owner] = dict(before)
        known_owners = set(before.values())
        people: dict[Owner, Person] = {}
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
                owner, Person(owner, is_new=patch.ref is None and owner not in known_owners)
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

    async def _lock(self, people: Mapping[Owner, Person], path: Path) -> None:
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
        self, people: list[Person], fields: Mapping[str, FieldRef], joined_by_all: Sequence[int]
    ) -> tuple[int, int]:
        people = [person for person in people if self._has_items(person)]
        now = await self._ports.clock.now(self._connection)
        created = changed = 0
        kept: dict[Owner, set[Identity]] = {owner: identities_of(row) for owner, row in self._rows.items()}
        by_bucket: dict[int, list[Person]] = defaultdict(list)
        for person in people:
            by_bucket[person.owner[0]].append(person)
        for bucket_id, members in sorted(by_bucket.items()):
            if is_look_due(person.owner[1] for person in members if person.owner not in self._rows):
                self.grown_bucket_id = bucket_id
            writer = BucketWriter(self._connection, self._workspace.id, bucket_id, now)
            await writer.refuse_reactivation(members, self._rejects)
            for person in members:
                if self._has_items(person):
                    writer.fold(person, self._rows.get(person.owner), self._rejects)
            created += writer.created
            changed += await writer.write(fields, joined_by_all)
            kept |= {(bucket_id, person_id): keys for person_id, keys in writer.identities().items()}
            await facts.write_marks(self._connection, bucket_id, writer.marks, lane=self._lane)
        unused = {key for key, owner in self._claims.items() if key not in kept.get(owner, ())}
        if unused:  # a later item took the key back, or the item that brought it was refused
            await facts.release_identities(self._connection, self._workspace.id, unused)
        if self._lane == facts.LIVE:  # what is bulk, sweeps find soon enough
            self._transaction.after_commit(lambda: self._ports.signals.marked(by_bucket))
        return created, changed

    def _has_items(self, person: Person) -> bool:
        """Whether anything that was said of her is taken in: somebody new is not made of refused items."""
        return any(index not in self._rejects for index, _ in person.patches)


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
