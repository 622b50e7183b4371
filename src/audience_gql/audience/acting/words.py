"""Says in one English sentence what an automation does."""

from __future__ import annotations

import json
from collections.abc import Mapping

from audience_gql.audience.acting.automation import (
    Action,
    AddToGroup,
    Automation,
    RemoveFromGroup,
    SetField,
    TrackEvent,
    Webhook,
)
from audience_gql.conditions.base import Names


def sentence(automation: Automation, names: Names, endpoints: Mapping[int, str]) -> str:
    """`When somebody enters "Loyal" and stays 3 days: add them to "Win back", set tier to "gold".`"""
    return f"When somebody {_when(automation, names)}: {', '.join(deeds(automation, names, endpoints))}."


def deeds(automation: Automation, names: Names, endpoints: Mapping[int, str]) -> list[str]:
    """Each action in words, for example `add them to "Win back"`."""
    return [_action(action, names, endpoints) for action in automation.actions]


def _when(automation: Automation, names: Names) -> str:
    trigger, hold = automation.trigger, automation.rules.hold
    verb = {(True, False): "enters", (False, True): "leaves"}.get(
        (trigger.on_entered, trigger.on_left), "enters or leaves"
    )
    lists = names.segments if trigger.list_kind == "SEGMENT" else names.groups
    stay = {"enters": "stays", "leaves": "stays away for"}.get(verb, "it stays so for")
    held = "" if hold is None else f" and {stay} {hold.words()}"
    asked = "" if automation.rules.only_if is None else ", if they match a condition"
    return f"{verb} {_name(lists, trigger.list_id)}{held}{asked}"


def _action(action: Action, names: Names, endpoints: Mapping[int, str]) -> str:
    match action:
        case AddToGroup(group_id=group_id):
            return f"add them to {_name(names.groups, group_id)}"
        case RemoveFromGroup(group_id=group_id):
            return f"remove them from {_name(names.groups, group_id)}"
        case SetField(key=key, value=None):
            return f"clear {key}"
        case SetField(key=key, value=value):
            return f"set {key} to {json.dumps(value, ensure_ascii=False)}"
        case TrackEvent(name=name):
            return f"track the event {name}"
        case Webhook(endpoint_id=endpoint_id):
            return f"tell {_name(endpoints, endpoint_id)}"


def _name(names: Mapping[int, str], id_: int) -> str:
    return f'"{names[id_]}"' if id_ in names else "something that is deleted"
