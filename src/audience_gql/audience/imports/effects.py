"""What a batch of an import did to each person, as it is recorded for an undo: values before and after, and groups joined and left.

It must not touch the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from audience_gql.audience.people.bucket_writer import BucketWriter
from audience_gql.audience.people.working_copy import Draft
from audience_gql.conditions.profile import DEGREE_COLUMNS, TEXT_COLUMNS
from audience_gql.storage.imports.import_effects import Effect
from audience_gql.storage.people.facts import ChannelConsent, PersonRow

COLUMNS: Final = (*TEXT_COLUMNS, "birthday")
"""The columns of the profile, except for the location, whose two columns change together."""
Change = tuple[Any, Any]  # Any: JSON; the value before and the value after


def effects_of(writer: BucketWriter) -> list[Effect]:
    """What a writer has written, one entry for each person who was created or changed. Call it after `write`."""
    joined: dict[int, list[int]] = defaultdict(list)
    left: dict[int, dict[str, datetime]] = defaultdict(dict)
    for group_id, person_id in writer.joined:
        if (group_id, person_id) not in writer.left_since:  # otherwise a member before and after
            joined[person_id].append(group_id)
    for (group_id, person_id), since in writer.left_since.items():
        if (group_id, person_id) not in writer.joined:
            left[person_id][str(group_id)] = since
    found = []
    for draft in writer.drafts:
        person_id, before = draft.owner[1], draft.before
        changes = _changes(draft)
        if person_id in left:
            changes["left"] = left[person_id]
        if changes or before is None or person_id in joined:
            found.append(
                Effect(
                    subscriber_id=person_id,
                    at=writer.now,
                    is_created=before is None,
                    updated_at_before=None if before is None else before["updated_at"],
                    updated_at_after=draft.row["updated_at"],
                    joined=joined.get(person_id, ()),
                    changes=changes,
                )
            )
    return found


def as_json(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def location_of(row: PersonRow) -> list[float] | None:
    latitude, longitude = (row[name] for name in DEGREE_COLUMNS)
    return None if latitude is None else [latitude, longitude]


def consent_as_json(state: ChannelConsent | None) -> list[Any] | None:
    """The state in the order of its fields, with the state before it as the last one. Instants become texts when they are stored."""
    if state is None:
        return None
    return [state.status, state.changed_at, state.reason, consent_as_json(state.before)]


def consent_from_json(given: list[Any] | None) -> ChannelConsent | None:
    if given is None:
        return None
    status, at, reason, before = given
    return ChannelConsent(
        status=status, changed_at=datetime.fromisoformat(at), reason=reason, before=consent_from_json(before)
    )


def _changes(draft: Draft) -> dict[str, Any]:
    """The changed values by kind: columns, location, fields and channels. The profile of a new person is not among them."""
    changes: dict[str, Any] = {}
    if draft.before is not None and any(mark.kind == "profile" for mark in draft.marks):
        before, after = draft.before, draft.row
        if columns := {name: (before[name], after[name]) for name in COLUMNS if before[name] != after[name]}:
            changes["columns"] = columns
        if location_of(before) != location_of(after):
            changes["location"] = (location_of(before), location_of(after))
        if fields := _differences(before["fields"], after["fields"]):
            changes["fields"] = fields
    if channels := {
        channel: (consent_as_json(draft.states_before.get(channel)), consent_as_json(state))
        for channel, state in draft.states.items()
        if state != draft.states_before.get(channel)
    }:
        changes["channels"] = channels
    return changes


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, Change]:
    return {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
