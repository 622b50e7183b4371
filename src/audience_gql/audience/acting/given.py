"""Checks an automation that a caller gives, and collects every problem with its path in the caller's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from audience_gql.audience.acting.automation import (
    LONGEST_HOLD,
    USUAL_CAUSES,
    Action,
    AddToGroup,
    FiringCause,
    Reentry,
    RemoveFromGroup,
    Rules,
    SetField,
    TrackEvent,
    Trigger,
    Webhook,
)
from audience_gql.audience.definitions.given_conditions import parse_given
from audience_gql.audience.definitions.given_durations import read_duration
from audience_gql.audience.failures import InvalidInput, Issue, Path, ProblemCode, Verbatim
from audience_gql.audience.people.event_items import EventItem, RefusedEvent, check_event
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.profiles import PersonPatch, parse_person
from audience_gql.conditions.codec import dump
from audience_gql.conditions.filters.duration import Duration
from audience_gql.conditions.profile import NAMES
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdCodec, Vocabulary

MOST_ACTIONS: Final = 10
MOST_FIELDS: Final = 50
"""How many values of a person a webhook may tell."""
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_NOBODY: Final = SubscriberKey(kind="id", value=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an automation of a workspace may name."""

    vocabulary: Vocabulary
    paused_segment_ids: frozenset[int]
    endpoint_ids: frozenset[int]
    ids: IdCodec


@dataclass(slots=True)
class Checking:
    """Collects the problems of one input."""

    known: Known
    path: Path = ()
    """Where the automation is in the input."""
    issues: list[Issue] = field(default_factory=list)

    def problem(self, code: ProblemCode, message: str, *path: str | int) -> None:
        self.issues.append(Issue(code=code, message=message, path=(*self.path, *path)))

    def trigger(self, given: Mapping[str, object], on: Sequence[str]) -> Trigger | None:
        """`given` is {"segment": id} or {"group": id}; an id is None if it is malformed. `on` holds ENTERED, LEFT or both."""
        if not on:
            self.problem("REQUIRED", "give ENTERED, LEFT or both", "on")
        ((kind, list_id),) = given.items()
        vocabulary = self.known.vocabulary
        there = vocabulary.segment_ids if kind == "segment" else vocabulary.group_ids
        if not isinstance(list_id, int) or list_id not in there:
            self.problem("UNKNOWN", f"there is no {kind} with this id", "trigger", kind)
            return None
        return Trigger(
            list_kind="SEGMENT" if kind == "segment" else "GROUP",
            list_id=list_id,
            on_entered="ENTERED" in on,
            on_left="LEFT" in on,
        )

    def rules(
        self, *, hold_for: object, reentry: object, causes: Sequence[str] | None, only_if: object
    ) -> Rules:
        if causes is not None and not causes:
            self.problem("REQUIRED", "give at least one cause", "causes")
        return Rules(
            hold=self._hold(hold_for),
            reentry=self._reentry(reentry),
            causes=USUAL_CAUSES if causes is None else frozenset(map(FiringCause, causes)),
            only_if=self._only_if(only_if),
        )

    def actions(
        self, given: Sequence[Mapping[str, Any]]
    ) -> tuple[Action, ...]:  # Any: each action's own input
        if not given:
            self.problem("REQUIRED", "give at least one action", "actions")
        if len(given) > MOST_ACTIONS:
            self.problem(
                "TOO_MANY", f"an automation has at most {MOST_ACTIONS} actions, not {len(given)}", "actions"
            )
            return ()
        found = [self._action(action, ("actions", index)) for index, action in enumerate(given)]
        return tuple(action for action in found if action is not None)

    def _hold(self, given: object) -> Duration | None:
        if given is None:
            return None
        hold = self._duration(given, "hold_for")
        if hold is not None and hold.length > LONGEST_HOLD:
            self.problem("OUT_OF_RANGE", f"a hold lasts at most {LONGEST_HOLD.days} days", "hold_for")
        return hold

    def _reentry(self, given: object) -> Reentry:
        match given:
            case {"rule": "ONCE"}:
                return Reentry(is_once=True)
            case {"onceIn": length}:
                return Reentry(once_in=self._duration(length, "reentry", "once_in"))
        return Reentry()

    def _duration(self, given: object, *path: str | int) -> Duration | None:
        duration, issues = read_duration(given, (*self.path, *path))
        self.issues += issues
        return duration

    def _only_if(self, given: object) -> Mapping[str, Any] | None:  # Any: the JSON of a condition
        if given is None:
            return None
        try:
            tree = parse_given(
                given,
                vocabulary=self.known.vocabulary,
                paused_ids=self.known.paused_segment_ids,
                ids=self.known.ids,
                path=(*self.path, "only_if"),
            )
        except InvalidInput as invalid:
            self.issues.extend(invalid.issues)
            return None
        return dump(tree, ids=PLAIN_IDS)

    def _action(self, given: Mapping[str, Any], path: Path) -> Action | None:  # Any: each action's own input
        ((kind, value),) = given.items()
        match kind:
            case "addToGroup" | "removeFromGroup":
                return self._group_action(kind, value, path)
            case "setField":
                return self._set_field(value, (*path, Verbatim(kind)))
            case "trackEvent":
                return self._track_event(value, (*path, Verbatim(kind)))
            case "webhook":
                return self._webhook(value, (*path, Verbatim(kind)))
        raise AssertionError(kind)

    def _group_action(self, kind: str, group_id: int | None, path: Path) -> Action | None:
        if group_id is None or group_id not in self.known.vocabulary.group_ids:
            self.problem("UNKNOWN", "there is no group with this id", *path, Verbatim(kind))
            return None
        return AddToGroup(group_id=group_id) if kind == "addToGroup" else RemoveFromGroup(group_id=group_id)

    def _set_field(self, given: Mapping[str, Any], path: Path) -> Action | None:  # Any: JSON
        item = {"fields": [{"key": given["key"], "value": given.get("value")}], "externalId": "x"}
        parsed = parse_person(item, fields=self.known.vocabulary.fields, group_ids=frozenset(), path=())
        if isinstance(parsed, PersonPatch):
            return SetField(key=given["key"], value=given.get("value"))
        for issue in parsed:
            self.problem(issue.code, issue.message, *path, *issue.path[2:])
        return None

    def _track_event(self, given: Mapping[str, Any], path: Path) -> Action | None:  # Any: JSON
        name, value, properties = given["name"], given.get("value"), given.get("properties")
        try:
            event = check_event(
                EventItem(subscriber=_NOBODY, name=name, value=value, properties=properties), _NEVER
            )
        except RefusedEvent as refused:
            self.problem(refused.code, refused.message, *path, *refused.where)
            return None
        return TrackEvent(name=event.name, value=value, properties=properties)

    def _webhook(self, given: Mapping[str, Any], path: Path) -> Action | None:  # Any: JSON
        before = len(self.issues)
        if given["endpoint"] not in self.known.endpoint_ids:
            self.problem("UNKNOWN", "there is no webhook endpoint with this id", *path, "endpoint")
        fields = given.get("fields") or ()
        if len(fields) > MOST_FIELDS:
            self.problem(
                "TOO_MANY", f"a message tells at most {MOST_FIELDS} values of a person", *path, "fields"
            )
        for index, name in enumerate(fields[:MOST_FIELDS]):
            if name not in NAMES and name not in self.known.vocabulary.fields:
                message = f"there is no custom field {name!r}; of the profile there are {', '.join(NAMES)}"
                self.problem("UNKNOWN", message, *path, "fields", index)
        if len(self.issues) > before:
            return None
        return Webhook(endpoint_id=given["endpoint"], fields=tuple(dict.fromkeys(fields)))
