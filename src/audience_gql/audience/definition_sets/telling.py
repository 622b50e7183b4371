"""Tells stored definitions in the shape in which a set gives them. It leaves out what has its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audience_gql.audience.acting.automation import USUAL_CAUSES, Automation, FiringCause, Rules, dump_actions
from audience_gql.audience.definition_sets.given import DefinitionKind
from audience_gql.audience.definition_sets.naming import Naming
from audience_gql.audience.ports import Ports
from audience_gql.conditions.input.respelling import respelled
from audience_gql.storage import definitions
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.storage.orm.models import CustomField, Group, Segment, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    kind: DefinitionKind
    name: str
    """The key of a custom field."""
    revision: int | None
    """None for groups and custom fields, which have none."""
    content: dict[str, Any]  # Any: JSON
    """The definition in the shape in which a set gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The definitions of a workspace, each kind in the order of the names."""

    fields: list[CustomField]
    groups: list[Group]
    segments: list[Segment]
    automations: list[Row]
    naming: Naming

    @classmethod
    async def read(cls, workspace: Workspace) -> Stored:
        """Read them in the current transaction."""
        naming = Naming()
        groups = await Group.filter(workspace_id=workspace.id).order_by("name_folded")
        segments = await Segment.filter(workspace_id=workspace.id).order_by("name_folded")
        for group in groups:
            naming.learn("group", group.id, group.name)
        for segment in segments:
            naming.learn("segment", segment.id, segment.name)
        for endpoint in await WebhookEndpoint.filter(workspace_id=workspace.id):
            naming.learn("endpoint", endpoint.id, endpoint.name)
        return cls(
            fields=await CustomField.filter(workspace_id=workspace.id).order_by("key"),
            groups=groups,
            segments=segments,
            automations=await Row.filter(workspace_id=workspace.id).order_by("name_folded"),
            naming=naming,
        )

    def definitions(self) -> list[Definition]:
        naming = self.naming
        return [
            *(_definition("CUSTOM_FIELD", row.key, None, of_field(row)) for row in self.fields),
            *(_definition("GROUP", row.name, None, of_group(row)) for row in self.groups),
            *(
                _definition("SEGMENT", row.name, row.revision, of_segment(row, naming))
                for row in self.segments
            ),
            *(
                _definition("AUTOMATION", row.name, row.revision, of_automation(row, naming))
                for row in self.automations
            ),
        ]


async def tell_definitions(*, ports: Ports, workspace: Workspace) -> list[Definition]:
    """All definitions of the workspace at one instant: custom fields, groups, segments, then automations, each sorted by name."""
    async with ports.database.transaction() as transaction:
        await definitions.hold_workspace(transaction.connection, workspace.id)
        return (await Stored.read(workspace)).definitions()


def of_field(row: CustomField) -> dict[str, Any]:  # Any: JSON
    return _given({"key": row.key, "label": row.label, "type": row.type, "options": row.options or None})


def of_group(row: Group) -> dict[str, Any]:  # Any: JSON
    return _given({"name": row.name, "description": row.description})


def of_segment(row: Segment, naming: Naming) -> dict[str, Any]:  # Any: JSON
    condition = respelled(dict(row.condition), naming)
    return _given({"name": row.name, "description": row.description, "condition": condition})


def of_automation(row: Row, naming: Naming) -> dict[str, Any]:  # Any: JSON
    automation = Automation.of(row)
    head = {"name": row.name, "description": row.description}
    return _given({**head, **of_rules(automation, naming), "paused": row.is_paused or None})


def of_rules(automation: Automation, naming: Naming) -> dict[str, Any]:  # Any: JSON
    """What an automation does, without its name and whether it is paused."""
    trigger, rules = automation.trigger, automation.rules
    fires = {"ENTERED": trigger.on_entered, "LEFT": trigger.on_left}
    kind = "segment" if trigger.list_kind == "SEGMENT" else "group"
    return _given(
        {
            "trigger": {kind: naming.encode(kind, trigger.list_id)},  # type: ignore[arg-type]  # one of two words
            "on": [change for change, is_on in fires.items() if is_on],
            "holdFor": None if rules.hold is None else rules.hold.dump(),
            "reentry": _reentry(rules),
            "causes": None
            if rules.causes == USUAL_CAUSES
            else [cause.value for cause in FiringCause if cause in rules.causes],
            "onlyIf": None if rules.only_if is None else respelled(rules.only_if, naming),
            "actions": [_action(action, naming) for action in dump_actions(automation.actions)],
        }
    )


def _definition(
    kind: DefinitionKind, name: str, revision: int | None, content: dict[str, Any]
) -> Definition:  # Any: JSON
    return Definition(kind=kind, name=name, revision=revision, content=content)


def _reentry(rules: Rules) -> object | None:
    if rules.reentry.is_once:
        return {"rule": "ONCE"}
    return None if rules.reentry.once_in is None else {"onceIn": rules.reentry.once_in.dump()}


def _action(stored: Mapping[str, Any], naming: Naming) -> dict[str, Any]:  # Any: JSON
    match stored:
        case {"addToGroup": group_id}:
            return {"addToGroup": naming.encode("group", group_id)}
        case {"removeFromGroup": group_id}:
            return {"removeFromGroup": naming.encode("group", group_id)}
        case {"trackEvent": event}:
            return {"trackEvent": _given(event)}
        case {"webhook": {"endpoint": endpoint_id, "fields": fields}}:
            return {
                "webhook": _given(
                    {"endpoint": naming.encode("endpoint", endpoint_id), "fields": fields or None}
                )
            }
    return dict(stored)


def _given(parts: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Without what is not given."""
    return {name: part for name, part in parts.items() if part is not None}
