"""Applies a batch in memory, item by item, before anything is written: who owns which key, and what each person looks like.

It must not touch the database: subscribers.py first reads and locks everybody whom a batch names, and later writes the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from audience_gql.audience.failures import Issue, Path
from audience_gql.audience.people.consent import CHANNELS_OF_ADDRESS, is_reactivation, said, without_bounce
from audience_gql.audience.people.profiles import PersonPatch, apply_columns, identity
from audience_gql.conditions.profile import DEGREE_COLUMNS, TEXT_COLUMNS, VECTOR_COLUMNS
from audience_gql.storage.ids import random_subscriber_id
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import ChannelConsent, Identity, IdentityKind, Mark, Owner, PersonRow

_BLANK: Final[PersonRow] = dict.fromkeys(
    (
        "birthday",
        *DEGREE_COLUMNS,
        *VECTOR_COLUMNS,
        "email_changed_at",
        *(name for column in TEXT_COLUMNS for name in (column, f"{column}_folded")),
    )
)


@dataclass(slots=True, kw_only=True)
class Draft:
    """One person after the items so far, and their stored state for comparison."""

    owner: Owner
    before: PersonRow | None
    """The stored row; None for a person whom the batch creates."""
    row: PersonRow
    states_before: Mapping[str, ChannelConsent]
    states: dict[str, ChannelConsent | None]
    """By channel; None for a channel that no longer has a status."""
    joined: set[int] = field(default_factory=set)
    """Groups to which an item added the person, and from which no later item removed them."""
    left: set[int] = field(default_factory=set)
    """Groups from which an item removed the person, even if a later item adds them again."""
    marks: set[Mark] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanges:
    """How the owners of keys differ at the end of the batch."""

    claimed: Mapping[Identity, Owner]
    moved: Mapping[Identity, Owner]
    """Keys that one person of the batch gave up and another one took."""
    released: Mapping[Identity, Owner]
    """Keys that nobody owns any more, with the person who gave them up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWish:
    """A status that would have brought back a person who refused. The channel stays as it is; the rest of the item is applied."""

    position: int
    """Index in the item's channels."""
    channel: str
    status: str
    """The status that the channel keeps."""


class WorkingCopy:
    """Everybody whom a batch names, in memory, while its items are applied in order.

    An item sees the effects of all earlier items, exactly as if each were a batch of its own. A refused item changes nothing.
    """

    def __init__(
        self,
        *,
        owners: Mapping[Identity, Owner],
        rows: Mapping[Owner, PersonRow],
        states: Mapping[Owner, Mapping[str, ChannelConsent]],
        open_bucket_id: int,
        now: datetime,
    ) -> None:
        """`owners` has every key in the items that has an owner. `rows` has every owner and everybody named by id."""
        self._owners = dict(owners)
        self._rows = rows
        self._states = states
        self._open_bucket_id = open_bucket_id
        self._now = now
        self._owners_before: dict[Identity, Owner | None] = {}
        self._drafts: dict[Owner, Draft] = {}

    def apply(self, patch: PersonPatch, path: Path) -> tuple[Owner, list[KeptWish]] | Issue:
        """Apply one item. Returns its person and the statuses that were not set, or the reason why the item is refused."""
        keys = {kind: identity(kind, value) for kind, value in patch.keys.items()}
        if patch.ref is not None and (patch.ref.bucket_id, patch.ref.id) not in self._rows:
            return Issue(code="UNKNOWN", message="there is no subscriber with this id", path=(*path, "id"))
        named = self._named(patch, keys)
        if len(set(named.values())) > 1:
            return _conflict(named, path)
        draft = self._draft(next(iter(named.values()), None))
        is_made_now = draft.before is None and draft.owner not in self._drafts
        self._drafts[draft.owner] = draft
        for kind in self._change_keys(draft, patch, keys):
            self._lift_bounces(draft, kind)
            if kind == "email" and not is_made_now:
                draft.row["email_changed_at"] = self._now
        self._change_profile(draft, patch)
        kept = self._change_channels(draft, patch)
        _change_groups(draft, patch)
        return draft.owner, kept

    def states_of(self, owner: Owner) -> Mapping[str, ChannelConsent | None]:
        """The channel states of a person to whom an item was applied."""
        return self._drafts[owner].states

    def restore_channels(self, owner: Owner, states: Mapping[str, ChannelConsent | None]) -> None:
        """Give a person to whom an item was applied exactly these states; None for no status."""
        for channel, state in states.items():
            _set(self._drafts[owner], channel, state)

    def drafts(self) -> Iterator[Draft]:
        """Everybody to whom an item was applied."""
        yield from self._drafts.values()

    def key_changes(self) -> KeyChanges:
        changed = {
            key: (before, self._owners.get(key))
            for key, before in self._owners_before.items()
            if before != self._owners.get(key)
        }
        return KeyChanges(
            claimed={key: after for key, (before, after) in changed.items() if before is None and after},
            moved={key: after for key, (before, after) in changed.items() if before and after},
            released={key: before for key, (before, after) in changed.items() if before and after is None},
        )

    # ---- whom an item means

    def _named(self, patch: PersonPatch, keys: Mapping[str, Identity]) -> dict[str, Owner]:
        """The people whom an item's id and keys name at this point of the batch."""
        named = {} if patch.ref is None else {"id": (patch.ref.bucket_id, patch.ref.id)}
        return named | {kind: self._owners[key] for kind, key in keys.items() if key in self._owners}

    def _draft(self, owner: Owner | None) -> Draft:
        """The person at this point of the batch; None creates a new person."""
        if owner is None:
            owner = (self._open_bucket_id, random_subscriber_id())
        elif owner in self._drafts:
            return self._drafts[owner]
        before = self._rows.get(owner)
        states = self._states.get(owner, {})
        return Draft(
            owner=owner,
            before=before,
            row=_blank_row(owner[1], self._now) if before is None else _copied(before),
            states_before=states,
            states=dict(states),
            marks={Mark(owner[1], "created")} if before is None else set(),
        )

    # ---- what changes

    def _change_keys(
        self, draft: Draft, patch: PersonPatch, keys: Mapping[str, Identity]
    ) -> Iterator[IdentityKind]:
        """Release and take keys. Yields the kinds of keys that changed."""
        for kind, column in facts.KEY_COLUMNS.items():
            before = draft.row[column]
            if column not in patch.columns or patch.columns[column] == before:
                continue
            old, new = None if before is None else identity(kind, before), keys.get(kind)
            if old != new:
                self._free(old, draft.owner)
                self._take(new, draft.owner)
                yield kind

    def _free(self, key: Identity | None, owner: Owner) -> None:
        if key is not None and self._owners.get(key, owner) == owner:
            self._owners_before.setdefault(key, owner)
            self._owners.pop(key, None)

    def _take(self, key: Identity | None, owner: Owner) -> None:
        if key is not None:
            self._owners_before.setdefault(key, None)
            self._owners[key] = owner

    def _change_profile(self, draft: Draft, patch: PersonPatch) -> None:
        if not (marks := _marks(draft.row, patch)):
            return
        apply_columns(draft.row, patch)
        draft.row["updated_at"] = self._now
        if draft.before is not None:  # a new person needs only the mark "created"
            draft.marks |= marks

    def _lift_bounces(self, draft: Draft, kind: IdentityKind) -> None:
        """A bounce ends when its address changes."""
        for channel in CHANNELS_OF_ADDRESS.get(kind, ()):
            before = draft.states.get(channel)
            if before is not None:
                _set(draft, channel, without_bounce(before))

    def _change_channels(self, draft: Draft, patch: PersonPatch) -> list[KeptWish]:
        """Set an item's statuses in order, except those that would bring back a person who refused."""
        kept = []
        for position, wish in enumerate(patch.channels):
            before = draft.states.get(wish.channel)
            if before is not None and is_reactivation(before.status, wish.status):
                kept.append(KeptWish(position=position, channel=wish.channel, status=before.status))
            else:
                _set(draft, wish.channel, said(before, wish.status, wish.reason, self._now))
        return kept


def _set(draft: Draft, channel: str, state: ChannelConsent | None) -> None:
    if state != draft.states.get(channel):
        draft.states[channel] = state
        draft.marks.add(Mark(draft.owner[1], "channel", facts.CHANNEL_NUMBERS[channel]))


def _conflict(named: Mapping[str, Owner], path: Path) -> Issue:
    told = [
        f"{key} {'is' if key == 'id' else 'belongs to'} {{{position}}}" for position, key in enumerate(named)
    ]
    return Issue(code="CONFLICT", message=", ".join(told), path=path, people=tuple(named.values()))


def _change_groups(draft: Draft, patch: PersonPatch) -> None:
    left = set(patch.leave)
    draft.joined = (draft.joined | set(patch.join)) - left
    draft.left |= left


def _marks(row: PersonRow, patch: PersonPatch) -> set[Mark]:
    """Marks for the changes that a patch would make to a row."""
    person_id, fields = row["id"], row["fields"]
    marks = {
        Mark(person_id, "field", ref.id)
        for ref, value in patch.fields.items()
        if fields.get(str(ref.id)) != value
    }
    if marks or any(row[column] != value for column, value in patch.columns.items()):
        marks.add(Mark(person_id, "profile"))  # every change also changes `updatedAt`
    return marks


def _copied(row: PersonRow) -> PersonRow:
    return row | {"fields": dict(row["fields"]), "fields_folded": dict(row["fields_folded"])}


def _blank_row(person_id: int, now: datetime) -> PersonRow:
    return {
        **_BLANK,
        "id": person_id,
        "fields": {},
        "fields_folded": {},
        "created_at": now,
        "updated_at": now,
    }
