"""Undoes an import batch by batch, the latest first. One transaction undoes a batch, or a part of it, and deletes its records.

It may be killed anywhere: another worker continues with the batches that are still recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from audience_gql.audience.imports.reverting import (
    Reversion,
    Subject,
    is_untouched,
    restored_channels,
    reversion,
    settle_keys,
)
from audience_gql.audience.people.bucket_writer import BucketWriter
from audience_gql.audience.people.erasure import erase_within
from audience_gql.audience.people.keys import SubscriberRef
from audience_gql.audience.people.profiles import PersonPatch
from audience_gql.audience.people.working_copy import WorkingCopy
from audience_gql.audience.ports import Ports
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage import definitions, erasure, exports
from audience_gql.storage.imports import import_effects
from audience_gql.storage.imports.import_effects import Effect
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import IMPORT, KEY_COLUMNS, Mark
from audience_gql.storage.people.identities import (
    claim_identities,
    move_identities,
    owners_of,
    release_identities,
)
from audience_gql.storage.postgres.database import RunAgain, Transaction

ERASED_AT_ONCE: Final = 200
"""So many people are erased in one transaction, because it holds the bucket's lock, for which ticks wait."""
_Found = list[tuple[int, list[Effect]]]
"""What a batch did, by bucket."""


class UndoneStep:
    """Undoing one batch in one transaction."""

    def __init__(self, ports: Ports, transaction: Transaction, of: ImportRecord) -> None:
        self._ports = ports
        self._transaction = transaction
        self._connection = transaction.connection
        self._import = of
        self._counts: Counter[str] = Counter()
        self._fields: dict[int, FieldRef] = {}
        self._group_ids: frozenset[int] = frozenset()

    async def run(self) -> bool:
        """Undo the last batch that is still recorded, or erase some of its people. Returns False if the undo is complete. Raises RunAgain."""
        connection, of = self._connection, self._import
        found = await import_effects.last_step(connection, of.workspace_id, of.id)
        if found is None:
            await import_effects.end(connection, of.id, now=await self._ports.clock.now(connection))
            return False
        step, bucket_ids = found
        # As every transaction, this one locks the workspace, then definitions, then people, then buckets.
        await exports.hold_exports(connection, of.workspace_id)
        effects = [
            (bucket_id, await import_effects.of_step(connection, bucket_id, import_id=of.id, step=step))
            for bucket_id in bucket_ids
        ]
        await self._hold_definitions(effects)
        subjects = [it for bucket_id, of_bucket in effects for it in await self._read(bucket_id, of_bucket)]
        now = await self._ports.clock.now(connection)
        untouched = [it for it in subjects if is_untouched(it)]
        await self._erase(untouched[:ERASED_AT_ONCE])
        if len(untouched) > ERASED_AT_ONCE:  # the next transaction goes on with this batch
            self._counts["records"] += ERASED_AT_ONCE
        else:
            await self._revert([it for it in subjects if not is_untouched(it)], now)
            for bucket_id, of_bucket in effects:
                await import_effects.forget_step(connection, bucket_id, import_id=of.id, step=step)
                self._counts["records"] += len(of_bucket)
        await import_effects.count_undone(connection, of.id, dict(Counter(of.undo_counts) + self._counts))
        return True

    # ---- who they are

    async def _hold_definitions(self, effects: _Found) -> None:
        """Hold the custom fields and groups of the batch that still exist."""
        connection, workspace_id = self._connection, self._import.workspace_id
        changes = [effect.changes for _, of_bucket in effects for effect in of_bucket]
        wanted = {int(key) for it in changes for key in it.get("fields", ())}
        known = await definitions.fields_by_key(connection, workspace_id) if wanted else {}
        held = await definitions.hold_fields(
            connection, workspace_id, [key for key, ref in known.items() if ref.id in wanted]
        )
        self._fields = {ref.id: ref for ref in held.values()}
        group_ids = {int(key) for it in changes for key in it.get("left", ())}
        self._group_ids = await definitions.hold_groups(connection, workspace_id, group_ids)

    async def _read(self, bucket_id: int, effects: Sequence[Effect]) -> list[Subject]:
        """Lock those people of a bucket who still exist, and read what is known of them."""
        connection = self._connection
        ids = [effect.subscriber_id for effect in effects]
        created = [effect.subscriber_id for effect in effects if effect.is_created]
        if created:  # against events, too
            await erasure.hold_people(connection, bucket_id, ids)
        rows = await facts.lock_people(connection, bucket_id, ids)
        states: dict[int, dict[str, facts.ChannelConsent]] = {}
        for (person_id, channel), state in (await facts.channel_states(connection, bucket_id, ids)).items():
            states.setdefault(person_id, {})[channel] = state
        groups = await import_effects.groups_of(connection, bucket_id, ids)
        active = await import_effects.with_events(connection, bucket_id, created) if created else set()
        return [
            Subject(
                owner=(bucket_id, effect.subscriber_id),
                effect=effect,
                row=rows[effect.subscriber_id],
                states=states.get(effect.subscriber_id, {}),
                groups=groups.get(effect.subscriber_id, {}),
                has_events=effect.subscriber_id in active,
            )
            for effect in effects
            if effect.subscriber_id in rows
        ]

    # ---- what happens to them

    async def _erase(self, subjects: Sequence[Subject]) -> None:
        for bucket_id, of_bucket in groupby(subjects, lambda it: it.owner[0]):
            ids = [it.owner[1] for it in of_bucket]
            await erase_within(
                self._transaction,
                ports=self._ports,
                workspace_id=self._import.workspace_id,
                bucket_id=bucket_id,
                ids=ids,
            )
            self._counts["people_erased"] += len(ids)

    async def _revert(self, subjects: Sequence[Subject], now: datetime) -> None:
        """Write what goes back to people who stay. Raises RunAgain if somebody else takes one of their keys at this moment."""
        connection, workspace_id = self._connection, self._import.workspace_id
        reversions = [reversion(it, self._fields, self._group_ids, self._counts) for it in subjects]
        keys = {
            key for it in reversions for pair in it.key_moves().values() for key in pair if key is not None
        }
        owners = await owners_of(connection, workspace_id, keys)
        settle_keys(reversions, owners, self._counts)
        copy = WorkingCopy(
            owners=owners,
            rows={it.owner: it.row for it in subjects},
            states={it.owner: it.states for it in subjects},
            open_bucket_id=0,  # nobody is created
            now=now,
        )
        _apply(copy, reversions)
        for it in reversions:
            restored = restored_channels(it, copy.states_of(it.subject.owner), self._counts)
            copy.restore_channels(it.subject.owner, restored)
            self._counts["values_restored"] += _number_of_values(it)
            self._counts["people_kept"] += it.subject.effect.is_created
        changes = copy.key_changes()
        if changes.claimed and not await claim_identities(connection, workspace_id, changes.claimed):
            raise RunAgain
        if changes.moved:
            await move_identities(connection, workspace_id, changes.moved)
        if changes.released:
            await release_identities(connection, workspace_id, changes.released)
        fields = {ref.key: ref for ref in self._fields.values()}
        for bucket_id, of_bucket in groupby(copy.drafts(), lambda it: it.owner[0]):
            drafts = list(of_bucket)
            await BucketWriter(connection, bucket_id, drafts, now, IMPORT).write(fields, ())
            present = {draft.owner[1]: draft.row["updated_at"] for draft in drafts}
            await self._take_over([it for it in reversions if it.subject.owner[0] == bucket_id], present)
        for bucket_id, its in groupby(reversions, lambda it: it.subject.owner[0]):
            await self._move_between_groups(bucket_id, list(its))

    async def _take_over(self, reversions: Sequence[Reversion], present: dict[int, datetime]) -> None:
        """A profile that nobody else has changed since the batch is now as an earlier batch left it, of this import or another one."""
        times = {}
        for it in reversions:
            effect, person_id = it.subject.effect, it.subject.owner[1]
            is_ours = it.subject.row["updated_at"] == effect.updated_at_after
            has_changed = bool({"columns", "location", "fields"} & effect.changes.keys())
            if is_ours and has_changed and effect.updated_at_before is not None:
                times[person_id] = (effect.updated_at_before, present[person_id])
        if times:
            await import_effects.take_over(self._connection, reversions[0].subject.owner[0], times)

    async def _move_between_groups(self, bucket_id: int, reversions: Sequence[Reversion]) -> None:
        connection = self._connection
        leave = {
            (group_id, it.subject.owner[1]): at for it in reversions for group_id, at in it.leave.items()
        }
        rejoin = {
            (group_id, it.subject.owner[1]): at for it in reversions for group_id, at in it.rejoin.items()
        }
        gone = await import_effects.remove_members_since(connection, bucket_id, leave) if leave else []
        come = await import_effects.restore_members(connection, bucket_id, rejoin) if rejoin else []
        marks = [Mark(person_id, "group_left", group_id) for group_id, person_id in gone]
        marks += [Mark(person_id, "group_joined", group_id) for group_id, person_id in come]
        await facts.write_marks(connection, bucket_id, marks, source=IMPORT)
        self._counts["memberships_undone"] += len(marks)


def _apply(copy: WorkingCopy, reversions: Sequence[Reversion]) -> None:
    """Apply what goes back. Everybody gives up their keys before anybody gets one, because keys may change hands."""
    for it in reversions:
        given_up = {KEY_COLUMNS[kind]: None for kind in it.key_moves()}
        if given_up:
            copy.apply(PersonPatch(ref=SubscriberRef(*it.subject.owner), columns=dict(given_up)), ())
    for it in reversions:
        keys: dict[str, str] = {
            kind: it.columns[column] for kind, column in KEY_COLUMNS.items() if it.columns.get(column)
        }
        patch = PersonPatch(
            ref=SubscriberRef(*it.subject.owner), keys=keys, columns=it.columns, fields=dict(it.fields)
        )
        copy.apply(patch, ())


def _number_of_values(it: Reversion) -> int:
    """Latitude and longitude are one value."""
    return len(it.columns.keys() - {"longitude"}) + len(it.fields)
