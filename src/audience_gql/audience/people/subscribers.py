"""Creates and changes people, many at a time, matched by any of their keys.

The result of a batch, rejects included, is the same as if each item were a call of its own, in the same order.
Concurrent callers may name the same new person: every key has one owner, and is claimed before anything is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from audience_gql.audience.failures import InvalidInput, Issue, Path, Reject
from audience_gql.audience.people.bucket_writer import BucketWriter
from audience_gql.audience.people.buckets import is_look_due, open_another_if_full
from audience_gql.audience.people.consent import CHANNELS_OF_ADDRESS
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.profiles import PersonPatch, identity, named_definitions, parse_person
from audience_gql.audience.people.working_copy import Draft, KeptWish, KeyChanges, WorkingCopy
from audience_gql.audience.ports import Ports
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import (
    CALLER,
    IMPORT,
    KEY_COLUMNS,
    ChannelConsent,
    Identity,
    Owner,
    PersonRow,
    Source,
)
from audience_gql.storage.people.identities import (
    claim_identities,
    move_identities,
    owners_of,
    release_identities,
    resolve,
)
from audience_gql.storage.postgres.database import Connection, RunAgain, Transaction

BATCH_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    created: int
    updated: int
    """How many people who existed before the batch changed. Each counts once."""
    subscribers: list[SubscriberRef | None]
    """In the order of the items; None for a rejected item."""
    rejects: list[Reject]
    kept: list[KeptChannel]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChannel:
    """A status that an item asked for and did not get, because the person refused. The rest of the item was applied."""

    index: int
    channel: str
    status: str
    """The status that the channel keeps."""
    message: str
    path: Path


async def upsert_subscribers(
    *,
    ports: Ports,
    workspace: Workspace,
    items: Sequence[Mapping[str, object]],
    add_to_group_ids: Sequence[int | None] = (),
    bulk: bool = False,
) -> Upserted:
    """Create or change up to 1,000 people in one transaction.

    An item names its person by id, externalId, email or phone. Items are applied in order: a key that one item gives up is free for
    later items. An invalid item becomes a Reject and changes nothing; the others are applied. A status that would bring back a person
    who refused is not set, and is listed in `kept`. `bulk` lets live changes of membership go first.
    Raises InvalidInput for more than 1,000 items, or for an unknown id in `add_to_group_ids`.
    """
    if len(items) > BATCH_LIMIT:
        message = f"at most {BATCH_LIMIT} subscribers per call, not {len(items)}"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=("subscribers",)),))

    async def work(transaction: Transaction) -> tuple[Upserted, int | None]:
        return await upsert_within(
            transaction,
            ports=ports,
            workspace=workspace,
            items=items,
            add_to_group_ids=add_to_group_ids,
            source=IMPORT if bulk else CALLER,
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
    source: Source = CALLER,
    written: Callable[[BucketWriter], Awaitable[None]] | None = None,
) -> tuple[Upserted, int | None]:
    """The same in the caller's transaction, which Database.run must have begun. Raises InvalidInput, and RunAgain for Database.run.

    Also returns a bucket that may be full now, or None: after the commit, call open_another_if_full with it. `written` is called for each
    bucket after its changes were written.
    """
    upsert = _Upsert(ports, workspace, transaction, source, written)
    return await upsert.run(items, add_to_group_ids), upsert.grown_bucket_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Applied:
    """A batch in memory, after all its items were applied."""

    drafts: list[Draft]
    changes: KeyChanges
    subscribers: list[SubscriberRef | None]
    rejects: list[Reject]
    kept: list[KeptChannel]
    now: datetime


class _Upsert:
    """One attempt at a batch, within one transaction."""

    def __init__(
        self,
        ports: Ports,
        workspace: Workspace,
        transaction: Transaction,
        source: Source,
        written: Callable[[BucketWriter], Awaitable[None]] | None,
    ) -> None:
        self._ports = ports
        self._workspace = workspace
        self._transaction = transaction
        self._connection: Connection = transaction.connection
        self._source = source
        self._written = written
        self.grown_bucket_id: int | None = None
        """A bucket that received new people, and whose size the caller should check."""

    async def run(
        self, items: Sequence[Mapping[str, object]], add_to_group_ids: Sequence[int | None]
    ) -> Upserted:
        keys, named_ids = named_definitions(items)
        fields = await definitions.hold_fields(self._connection, self._workspace.id, keys)
        group_ids = await definitions.hold_groups(
            self._connection,
            self._workspace.id,
            named_ids | {it for it in add_to_group_ids if it is not None},
        )
        joined_by_all = _known_groups(add_to_group_ids, group_ids)
        parsed = [
            parse_person(item, fields=fields, group_ids=group_ids, path=("subscribers", index))
            for index, item in enumerate(items)
        ]
        applied = await self._apply(parsed)
        updated = await self._write(applied, fields, joined_by_all)
        return Upserted(
            created=sum(1 for draft in applied.drafts if draft.before is None),
            updated=updated,
            subscribers=applied.subscribers,
            rejects=applied.rejects,
            kept=applied.kept,
        )

    async def _apply(self, parsed: Sequence[PersonPatch | tuple[Issue, ...]]) -> _Applied:
        """Apply the items in memory and claim the new keys. Everybody stays locked until the transaction ends.

        Raises RunAgain if another caller has given or taken a key since this one looked whose it is.
        """
        copy, now, free = await self._working_copy([it for it in parsed if isinstance(it, PersonPatch)])
        subscribers: list[SubscriberRef | None] = []
        rejects: list[Reject] = []
        kept: list[KeptChannel] = []
        for index, item in enumerate(parsed):
            where: Path = ("subscribers", index)
            outcome = copy.apply(item, where) if isinstance(item, PersonPatch) else item[0]
            if isinstance(outcome, Issue):
                subscribers.append(None)
                rejects.append(_reject(index, outcome))
            else:
                owner, wishes = outcome
                subscribers.append(SubscriberRef(*owner))
                kept += [_kept(index, wish, where) for wish in wishes]
        changes = copy.key_changes()
        await self._claim(changes.claimed)
        await self._check_free(free - changes.claimed.keys())
        return _Applied(
            drafts=list(copy.drafts()),
            changes=changes,
            subscribers=subscribers,
            rejects=rejects,
            kept=kept,
            now=now,
        )

    # ---- who is who

    async def _working_copy(
        self, patches: Sequence[PersonPatch]
    ) -> tuple[WorkingCopy, datetime, set[Identity]]:
        """Read and lock everybody whom the items may mean. Also returns the instant of the batch, and the keys that nobody owned.

        All callers lock people before they claim keys, and in the same order, so that no two callers wait for each other.
        """
        wanted = {identity(kind, value) for patch in patches for kind, value in patch.keys.items()}
        refs = {patch.ref for patch in patches if patch.ref is not None}
        named = {ref.bucket_id for ref in refs}
        resolved = await resolve(self._connection, self._workspace.id, wanted, named)
        owners = resolved.owners
        by_id = {(ref.bucket_id, ref.id) for ref in refs if ref.bucket_id in resolved.bucket_ids}
        rows = await self._lock(by_id.union(owners.values()))
        if not all(_owns(rows.get(owner), key) for key, owner in owners.items()):
            # They have changed while this transaction waited. Now they are locked, and their keys cannot change any more.
            owners = await owners_of(self._connection, self._workspace.id, wanted)
            if not rows.keys() >= set(owners.values()):
                raise RunAgain
        states = await self._channel_states(rows, owners, patches)
        now = (
            await self._ports.clock.now(self._connection)  # a lock may have made the transaction wait
            if rows
            else self._ports.clock.at(resolved.asked_at)
        )
        copy = WorkingCopy(
            owners=owners, rows=rows, states=states, open_bucket_id=resolved.open_bucket_id, now=now
        )
        return copy, now, wanted - owners.keys()

    async def _lock(self, owners: Iterable[Owner]) -> dict[Owner, PersonRow]:
        found: dict[Owner, PersonRow] = {}
        for bucket_id, ids in _by_bucket(owners):
            rows = await facts.lock_people(self._connection, bucket_id, ids)
            found |= {(bucket_id, person_id): row for person_id, row in rows.items()}
        return found

    async def _channel_states(
        self,
        rows: Mapping[Owner, PersonRow],
        owners: Mapping[Identity, Owner],
        patches: Sequence[PersonPatch],
    ) -> dict[Owner, dict[str, ChannelConsent]]:
        """The people's channel states, as far as the items can change them."""
        states: dict[Owner, dict[str, ChannelConsent]] = defaultdict(dict)
        has_wishes = any(patch.channels for patch in patches)
        if not has_wishes and not any(_may_change_address(patch, owners, rows) for patch in patches):
            return states
        only = None if has_wishes else "BOUNCED"  # a new address alone changes no other status
        for bucket_id, ids in _by_bucket(rows):
            found = await facts.channel_states(self._connection, bucket_id, ids, status=only)
            for (person_id, channel), state in found.items():
                states[bucket_id, person_id][channel] = state
        return states

    async def _claim(self, claims: Mapping[Identity, Owner]) -> None:
        if claims and not await claim_identities(self._connection, self._workspace.id, claims):
            raise RunAgain

    async def _check_free(self, keys: set[Identity]) -> None:
        """Check keys that nobody owned and that the batch does not claim, because it refused their item or gave them up again.

        Nothing else would show that another caller has claimed one of them since, and that an item should have been understood otherwise.
        """
        if keys and await owners_of(self._connection, self._workspace.id, keys):
            raise RunAgain

    # ---- what changes

    async def _write(
        self, applied: _Applied, fields: Mapping[str, FieldRef], joined_by_all: Sequence[int]
    ) -> int:
        """Write the changes. Returns how many people who existed before changed."""
        if applied.changes.moved:
            await move_identities(self._connection, self._workspace.id, applied.changes.moved)
        if applied.changes.released:
            await release_identities(self._connection, self._workspace.id, applied.changes.released)
        by_bucket: dict[int, list[Draft]] = defaultdict(list)
        for draft in applied.drafts:
            by_bucket[draft.owner[0]].append(draft)
        updated = 0
        for bucket_id, drafts in sorted(by_bucket.items()):
            if is_look_due(draft.owner[1] for draft in drafts if draft.before is None):
                self.grown_bucket_id = bucket_id
            writer = BucketWriter(self._connection, bucket_id, drafts, applied.now, self._source)
            await writer.write(fields, joined_by_all)
            updated += len(writer.changed_ids())
            if self._written is not None:
                await self._written(writer)
        if self._source.lane == facts.LIVE:  # sweeps find bulk marks soon enough
            self._transaction.after_commit(lambda: self._ports.signals.marked(by_bucket))
        return updated


def _owns(row: PersonRow | None, key: Identity) -> bool:
    """Whether a person exists and has this key, according to their row."""
    kind, value = key
    return row is not None and row["email_folded" if kind == "email" else KEY_COLUMNS[kind]] == value


def _may_change_address(
    patch: PersonPatch, owners: Mapping[Identity, Owner], rows: Mapping[Owner, PersonRow]
) -> bool:
    """Whether an item has an address that is not exactly what its present owner has.

    If no item of a batch has one, no address changes: each item can only mean the owner of its address.
    """
    for column in CHANNELS_OF_ADDRESS:
        if column in patch.columns:
            value = patch.keys.get(column)
            owner = None if value is None else owners.get(identity(column, value))
            if owner is None or rows[owner][column] != value:
                return True
    return False


def _known_groups(given: Sequence[int | None], known: frozenset[int]) -> list[int]:
    issues = tuple(
        Issue(
            code="UNKNOWN",
            message="there is no group with this id",
            path=("add_to_group_ids", index),
        )
        for index, group_id in enumerate(given)
        if group_id not in known
    )
    if issues:
        raise InvalidInput(issues)
    return [group_id for group_id in given if group_id is not None]


def _reject(index: int, issue: Issue) -> Reject:
    return Reject(index=index, code=issue.code, message=issue.message, path=issue.path, people=issue.people)


def _kept(index: int, wish: KeptWish, where: Path) -> KeptChannel:
    return KeptChannel(
        index=index,
        channel=wish.channel,
        status=wish.status,
        message=f"{wish.channel} stays {wish.status}: only setChannelStatus may change that",
        path=(*where, "channels", wish.position),
    )


def _by_bucket(owners: Iterable[Owner]) -> list[tuple[int, list[int]]]:
    buckets: dict[int, list[int]] = defaultdict(list)
    for bucket_id, person_id in owners:
        buckets[bucket_id].append(person_id)
    return sorted(buckets.items())
