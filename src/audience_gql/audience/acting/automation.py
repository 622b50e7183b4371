"""What an automation is: a trigger, its rules and its actions, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

from audience_gql.conditions.filters.duration import Duration
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.engine.membership import ListKind

Json: TypeAlias = Mapping[str, Any]  # Any: JSON


class FiringCause(StrEnum):
    """Why a membership changed, as far as an automation distinguishes it."""

    FACT = "FACT"
    """A caller wrote a fact, or an automation did."""
    CLOCK = "CLOCK"
    DEFINITION = "DEFINITION"
    REPAIR = "REPAIR"
    IMPORT = "IMPORT"


USUAL_CAUSES: Final = frozenset({FiringCause.FACT, FiringCause.CLOCK})
_OF_LOG: Final = {cause.value: cause for cause in FiringCause}


def firing_cause(cause: str, origin: int) -> FiringCause:
    """The cause of a change, by its cause and origin in the log."""
    known = _OF_LOG.get(cause, FiringCause.FACT)
    return FiringCause.IMPORT if known is FiringCause.FACT and origin < 0 else known


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    list_kind: ListKind
    list_id: int
    on_entered: bool
    on_left: bool

    def fires_on(self, entered: bool) -> bool:  # the log's own word
        return self.on_entered if entered else self.on_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Reentry:
    """How often an automation may act for one person: every time, once, or once in a length of time."""

    is_once: bool = False
    once_in: Duration | None = None

    def dump(self) -> Any:  # Any: JSON
        return "ONCE" if self.is_once else "EVERY_TIME" if self.once_in is None else self.once_in.dump()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    hold: Duration | None = None
    """How long the person must stay (or stay away) before the automation acts; None for not at all."""
    reentry: Reentry = Reentry()
    causes: frozenset[FiringCause] = USUAL_CAUSES
    only_if: Json | None = None
    """A stored condition that the person must match at the instant of acting; None for everybody."""

    def dump(self) -> dict[str, Any]:  # Any: JSON
        return {
            "holdFor": None if self.hold is None else self.hold.dump(),
            "reentry": self.reentry.dump(),
            "causes": sorted(self.causes),
            "onlyIf": self.only_if,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToGroup:
    group_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFromGroup:
    group_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetField:
    key: str
    value: Any  # Any: JSON of the field's type; None removes the value


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEvent:
    name: str
    value: Any  # Any: a JSON number or None
    properties: Json | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    endpoint_id: int
    fields: tuple[str, ...]
    """What a message tells of the person besides their keys: names of the profile, and keys of custom fields."""


Action: TypeAlias = AddToGroup | RemoveFromGroup | SetField | TrackEvent | Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    id: int
    revision: int
    trigger: Trigger
    rules: Rules
    actions: tuple[Action, ...]

    @classmethod
    def of(cls, row: Row) -> Automation:
        return cls(
            id=row.id,
            revision=row.revision,
            trigger=Trigger(
                list_kind=row.list_kind,  # type: ignore[arg-type]  # the column holds no other texts
                list_id=row.list_id,
                on_entered=row.on_entered,
                on_left=row.on_left,
            ),
            rules=_rules(row.rules),
            actions=tuple(map(_action, row.actions)),
        )


def dump_actions(actions: Sequence[Action]) -> list[dict[str, Any]]:  # Any: JSON
    return [_dumped(action) for action in actions]


def _dumped(action: Action) -> dict[str, Any]:  # Any: JSON
    match action:
        case AddToGroup(group_id=group_id):
            return {"addToGroup": group_id}
        case RemoveFromGroup(group_id=group_id):
            return {"removeFromGroup": group_id}
        case SetField(key=key, value=value):
            return {"setField": {"key": key, "value": value}}
        case TrackEvent(name=name, value=value, properties=properties):
            return {"trackEvent": {"name": name, "value": value, "properties": properties}}
        case Webhook(endpoint_id=endpoint_id, fields=fields):
            return {"webhook": {"endpoint": endpoint_id, "fields": list(fields)}}


def _action(stored: Json) -> Action:
    ((kind, value),) = stored.items()
    match kind:
        case "addToGroup":
            return AddToGroup(group_id=value)
        case "removeFromGroup":
            return RemoveFromGroup(group_id=value)
        case "setField":
            return SetField(**value)
        case "trackEvent":
            return TrackEvent(**value)
        case "webhook":
            return Webhook(endpoint_id=value["endpoint"], fields=tuple(value["fields"]))
    raise AssertionError(kind)


def _rules(stored: Json) -> Rules:
    match stored["reentry"]:
        case "EVERY_TIME":
            reentry = Reentry()
        case "ONCE":
            reentry = Reentry(is_once=True)
        case length:
            reentry = Reentry(once_in=_duration(length))
    return Rules(
        hold=None if stored["holdFor"] is None else _duration(stored["holdFor"]),
        reentry=reentry,
        causes=frozenset(map(FiringCause, stored["causes"])),
        only_if=stored["onlyIf"],
    )


def _duration(stored: Json) -> Duration:
    ((unit, amount),) = stored.items()
    return Duration(unit=unit, amount=amount)


LONGEST_HOLD: Final = timedelta(days=90)
