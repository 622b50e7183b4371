"""Decides what of one person goes back when a batch of an import is undone, and what is kept because somebody changed it since.

It must not touch the database; undoing.py reads and locks the people before, and writes the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from audience_gql.audience.imports.effects import as_json, consent_from_json, location_of
from audience_gql.audience.people.consent import CHANNELS_OF_ADDRESS, NOTHING_SAID, is_reactivation
from audience_gql.audience.people.profiles import identity
from audience_gql.conditions.profile import DEGREE_COLUMNS
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage.imports.import_effects import Effect
from audience_gql.storage.people.facts import (
    KEY_COLUMNS,
    ChannelConsent,
    Identity,
    IdentityKind,
    Owner,
    PersonRow,
)

_ADDRESS_OF_CHANNEL: Final = {
    channel: KEY_COLUMNS[kind]  # type: ignore[index]  # its keys are kinds
    for kind, channels in CHANNELS_OF_ADDRESS.items()
    for channel in channels
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One person whom a batch created or changed, as they are now."""

    owner: Owner
    effect: Effect
    row: PersonRow
    states: Mapping[str, ChannelConsent]
    groups: Mapping[int, datetime]
    """Since when the person is in which group."""
    has_events: bool


@dataclass(slots=True, kw_only=True)
class Reversion:
    """What of a person goes back."""

    subject: Subject
    columns: dict[str, Any] = field(default_factory=dict)  # Any: the columns' own types
    fields: dict[FieldRef, object] = field(default_factory=dict)
    leave: dict[int, datetime] = field(default_factory=dict)
    """Groups that the person leaves if they are in them since this instant."""
    rejoin: dict[int, datetime] = field(default_factory=dict)
    """Groups that the person is in again, since this instant."""

    def key_moves(self) -> dict[IdentityKind, tuple[Identity | None, Identity | None]]:
        """The key that the person gives up, and the one that they get back, by kind. A key that only changes its spelling is left out."""
        found = {}
        for kind, column in KEY_COLUMNS.items():
            if column in self.columns:
                present, past = self.subject.row[column], self.columns[column]
                pair = (present and identity(kind, present), past and identity(kind, past))
                if pair[0] != pair[1]:
                    found[kind] = pair
        return found


def is_untouched(subject: Subject) -> bool:
    """Whether the batch created the person, and nobody has changed them since or reported an event of theirs."""
    effect = subject.effect
    written = {
        channel: consent_from_json(after)
        for channel, (_, after) in effect.changes.get("channels", {}).items()
        if after is not None
    }
    return (
        effect.is_created
        and subject.row["updated_at"] == effect.updated_at_after
        and not subject.has_events
        and all(it in effect.joined and at == effect.at for it, at in subject.groups.items())
        and subject.states == written
    )


def reversion(
    subject: Subject, fields: Mapping[int, FieldRef], group_ids: Collection[int], counts: Counter[str]
) -> Reversion:
    """What goes back, except for channels. `fields` and `group_ids` are those that still exist. Adds to the counts what is kept."""
    found = Reversion(subject=subject)
    _revert_profile(found, counts)
    _revert_fields(found, fields, counts)
    _revert_groups(found, group_ids, counts)
    return found


def settle_keys(
    reversions: Sequence[Reversion], owners: Mapping[Identity, Owner], counts: Counter[str]
) -> None:
    """Leave those keys as they are that would go back to a person while somebody else has them.

    `owners` has the present owner of every key that goes back to somebody. Keys may change hands within the batch.
    """
    while True:
        released = {
            given: it.subject.owner
            for it in reversions
            for given, _ in it.key_moves().values()
            if given is not None
        }
        refused = [
            (it, kind)
            for it in reversions
            for kind, (_, wanted) in it.key_moves().items()
            if wanted is not None
            and (owner := owners.get(wanted)) is not None
            and owner != it.subject.owner
            and released.get(wanted) != owner
        ]
        if not refused:
            return
        for it, kind in refused:
            del it.columns[KEY_COLUMNS[kind]]
            counts["keys_kept"] += 1


def restored_channels(
    found: Reversion, states: Mapping[str, ChannelConsent | None], counts: Counter[str]
) -> dict[str, ChannelConsent | None]:
    """The states that channels get back, None for no status. `states` are the present ones, after the addresses have gone back.

    A refusal stays whoever reported it: the person may have repeated it since, and nothing would show that.
    """
    restored: dict[str, ChannelConsent | None] = {}
    effect = found.subject.effect
    for channel, given in effect.changes.get("channels", {}).items():
        before, after = (consent_from_json(it) for it in given)
        present = states.get(channel)
        if present != after or _is_of_another_address(channel, before, found):
            counts["values_kept"] += 1
        elif present is not None and is_reactivation(present.status, (before or NOTHING_SAID).status):
            counts["refusals_kept"] += 1
        else:
            restored[channel] = before
    counts["values_restored"] += len(restored)
    return restored


def _revert_profile(found: Reversion, counts: Counter[str]) -> None:
    row, changes = found.subject.row, found.subject.effect.changes
    for column, (before, after) in changes.get("columns", {}).items():
        if as_json(row[column]) != after:
            counts["values_kept"] += 1
        elif column == "birthday" and before is not None:
            found.columns[column] = date.fromisoformat(before)
        else:
            found.columns[column] = before
    if "location" in changes:
        before, after = changes["location"]
        if location_of(row) == after:
            found.columns |= dict(zip(DEGREE_COLUMNS, before or (None, None), strict=True))
        else:
            counts["values_kept"] += 1


def _revert_fields(found: Reversion, fields: Mapping[int, FieldRef], counts: Counter[str]) -> None:
    for key, (before, after) in found.subject.effect.changes.get("fields", {}).items():
        if (ref := fields.get(int(key))) is None:
            continue  # the field was deleted, and its values with it
        if found.subject.row["fields"].get(key) == after:
            found.fields[ref] = before
        else:
            counts["values_kept"] += 1


def _revert_groups(found: Reversion, group_ids: Collection[int], counts: Counter[str]) -> None:
    effect, groups = found.subject.effect, found.subject.groups
    for group_id in effect.joined:
        if group_id in groups and groups[group_id] != effect.at:
            counts["memberships_kept"] += 1
        elif group_id in groups:
            found.leave[group_id] = effect.at
    for key, since in effect.changes.get("left", {}).items():
        if int(key) in group_ids and int(key) not in groups:
            found.rejoin[int(key)] = datetime.fromisoformat(since)


def _is_of_another_address(channel: str, before: ChannelConsent | None, found: Reversion) -> bool:
    """Whether a state is the bounce of an address that the import replaced and that does not come back."""
    column = _ADDRESS_OF_CHANNEL[channel]
    is_replaced = column in found.subject.effect.changes.get("columns", {})
    return before is not None and before.status == "BOUNCED" and is_replaced and column not in found.columns
