"""Finds automations that would start each other for ever: what one writes lets somebody enter or leave a list that starts it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from audience_gql.audience.acting.automation import (
    Action,
    AddToGroup,
    Automation,
    RemoveFromGroup,
    SetField,
    TrackEvent,
    Webhook,
)
from audience_gql.audience.people.consent import REFUSAL_OF_EVENT
from audience_gql.conditions.base import Condition, Read
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.reasoning.nesting import reading_order
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage.engine.membership import ListKind

ListRef: TypeAlias = tuple[ListKind, int]


class Link(NamedTuple):
    """An automation on the way round, and the list that starts the next one."""

    automation_id: int
    list_kind: ListKind
    list_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Which automations start which others."""

    automations: Mapping[int, Automation]
    conditions: Mapping[int, Condition]
    """Of all segments, by id."""
    vocabulary: Vocabulary
    known_reads: dict[int, frozenset[Read]] = field(default_factory=dict)
    """What the segments read, for those that were looked at. Checks that follow each other share it while no condition changes."""

    def loop_through(self, automation_id: int) -> tuple[Link, ...]:
        """The shortest way from an automation back to itself; () when there is none, or when a rule about re-entry bounds each one."""
        ways: list[tuple[Link, ...]] = [()]
        ends = [automation_id]
        seen: set[int] = set()
        while ends:
            end, way = ends.pop(0), ways.pop(0)
            if self._is_bounded(end):
                continue
            for list_ref, next_id in self._started_by(end):
                longer = (*way, Link(end, *list_ref))
                if next_id == automation_id:
                    return longer
                if next_id not in seen:
                    seen.add(next_id)
                    ends.append(next_id)
                    ways.append(longer)
        return ()

    def _is_bounded(self, automation_id: int) -> bool:
        reentry = self.automations[automation_id].rules.reentry
        return reentry.is_once or reentry.once_in is not None

    def _started_by(self, automation_id: int) -> Iterator[tuple[ListRef, int]]:
        changed = list(self._lists_changed(self.automations[automation_id].actions))
        for other in self.automations.values():
            trigger = other.trigger
            for list_ref, may_enter, may_leave in changed:
                is_same = list_ref == (trigger.list_kind, trigger.list_id)
                if is_same and ((may_enter and trigger.on_entered) or (may_leave and trigger.on_left)):
                    yield list_ref, other.id
                    break

    def _lists_changed(self, actions: Sequence[Action]) -> Iterator[tuple[ListRef, bool, bool]]:
        """Each list that the actions may change, with whether people may enter it and whether they may leave it."""
        for action in actions:
            if isinstance(action, AddToGroup | RemoveFromGroup):
                is_adding = isinstance(action, AddToGroup)
                yield ("GROUP", action.group_id), is_adding, not is_adding
        written = {read for action in actions for read in self._written(action)}
        for segment_id in self.conditions:
            if not written.isdisjoint(self._reads(segment_id)):
                yield ("SEGMENT", segment_id), True, True

    def _written(self, action: Action) -> Iterable[Read]:
        match action:
            case AddToGroup(group_id=group_id) | RemoveFromGroup(group_id=group_id):
                return [Read(source="group", ref=group_id)]
            case SetField(key=key):
                field = self.vocabulary.fields.get(key)
                return [] if field is None else [Read(source="field", ref=field.id)]
            case TrackEvent(name=name):
                refusal = [Read(source="channel", ref="EMAIL")] if name in REFUSAL_OF_EVENT else []
                return [Read(source="event", ref=name), *refusal]
            case Webhook():
                return []

    def _reads(self, segment_id: int) -> frozenset[Read]:
        if segment_id not in self.known_reads:
            tree = self.conditions[segment_id]
            inner = reading_order((tree,), self.conditions)
            every = (tree, *(self.conditions[id_] for id_ in inner))
            self.known_reads[segment_id] = frozenset().union(*(reads(each) for each in every))
        return self.known_reads[segment_id]
