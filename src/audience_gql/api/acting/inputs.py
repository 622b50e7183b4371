"""The inputs of automations, and how they become what the application takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api import ids
from audience_gql.api.conditions.inputs import ConditionInput, DurationInput
from audience_gql.api.ids import Kind
from audience_gql.api.shapes import as_given, enum
from audience_gql.audience.acting.automation import LONGEST_HOLD
from audience_gql.audience.acting.given import MOST_ACTIONS, MOST_FIELDS
from audience_gql.conditions.profile import NAMES

_KINDS: Final = {
    "segment": Kind.SEGMENT,
    "group": Kind.GROUP,
    "addToGroup": Kind.GROUP,
    "removeFromGroup": Kind.GROUP,
    "endpoint": Kind.WEBHOOK_ENDPOINT,
}


@as_given
@strawberry.input(
    name="AutomationTriggerInput", one_of=True, description="The list whose changes start an automation."
)
class _AutomationTriggerInput:
    segment: strawberry.ID | None = strawberry.field(
        description="The id of a segment.", default=strawberry.UNSET
    )
    group: strawberry.ID | None = strawberry.field(description="The id of a group.", default=strawberry.UNSET)


@enum(
    "How often an automation may act for one person.",
    EVERY_TIME="Every time.",
    ONCE="Once. Runs that were skipped, cancelled, cut off or failed do not count.",
)
class ReentryRule(StrEnum):
    EVERY_TIME = "EVERY_TIME"
    ONCE = "ONCE"


@as_given
@strawberry.input(
    name="ReentryInput", one_of=True, description="How often an automation may act for one person."
)
class _ReentryInput:
    rule: ReentryRule | None = strawberry.field(description="Every time, or once.", default=strawberry.UNSET)
    once_in: DurationInput | None = strawberry.field(
        description="At most once in this length of time, from one run that acted to the next.",
        default=strawberry.UNSET,
    )


@as_given
@strawberry.input(name="SetFieldInput", description="A value that an automation gives a person.")
class _SetFieldInput:
    key: str = strawberry.field(description="The custom field's key.")
    value: JSON | None = strawberry.field(
        description="The value, as JSON of the field's type. Null and '' remove the present value.",
        default=strawberry.UNSET,
    )


@as_given
@strawberry.input(
    name="TrackEventActionInput", description="An event that an automation tracks, at the instant of acting."
)
class _TrackEventActionInput:
    name: str = strawberry.field(description="What happened: any name of up to 100 characters.")
    value: float | None = strawberry.field(
        description="The value of the event: a number between -1e300 and 1e300.", default=strawberry.UNSET
    )
    properties: JSON | None = strawberry.field(
        description="Further facts about the event: an object, limited as in `trackEvents`.",
        default=strawberry.UNSET,
    )


@as_given
@strawberry.input(name="WebhookActionInput", description="A message to a webhook endpoint.")
class _WebhookActionInput:
    endpoint: strawberry.ID = strawberry.field(description="The id of the endpoint.")
    fields: list[str] | None = strawberry.field(
        description=f"What the message tells of the person besides their id, external id and email: up to {MOST_FIELDS} names, each the key of a "
        f"custom field or one of {', '.join(NAMES)}.",
        default=strawberry.UNSET,
    )


@as_given
@strawberry.input(
    name="AutomationActionInput", one_of=True, description="One thing that an automation does for a person."
)
class _AutomationActionInput:
    add_to_group: strawberry.ID | None = strawberry.field(
        description="Add the person to the group with this id.", default=strawberry.UNSET
    )
    remove_from_group: strawberry.ID | None = strawberry.field(
        description="Remove the person from the group with this id.", default=strawberry.UNSET
    )
    set_field: _SetFieldInput | None = strawberry.field(
        description="Set or remove a value of a custom field.", default=strawberry.UNSET
    )
    track_event: _TrackEventActionInput | None = strawberry.field(
        description="Track an event of the person.", default=strawberry.UNSET
    )
    webhook: _WebhookActionInput | None = strawberry.field(
        description="Send a message to a webhook endpoint.", default=strawberry.UNSET
    )


if TYPE_CHECKING:
    AutomationTriggerInput: TypeAlias = Mapping[str, Any]  # Any: the fields' own types
    ReentryInput: TypeAlias = Mapping[str, Any]  # Any: the same
    AutomationActionInput: TypeAlias = Mapping[str, Any]  # Any: the same
else:
    AutomationTriggerInput = _AutomationTriggerInput
    ReentryInput = _ReentryInput
    AutomationActionInput = _AutomationActionInput

TRIGGER: Final = "The segment or group whose changes start the automation."
ON: Final = "Which changes start it: ENTERED, LEFT or both."
HOLD_FOR: Final = (
    f"How long the person must stay in the list (for LEFT: stay away) before the automation acts, up to {LONGEST_HOLD.days} days. It acts at "
    "the exact instant, and never for somebody who left in between."
)
REENTRY: Final = "How often the automation may act for one person. Default: every time."
CAUSES: Final = "Which causes of a change start the automation. Default: FACT and CLOCK."
ONLY_IF: Final = "A condition that the person must match at the instant of acting."
ACTIONS: Final = f"What to do, in this order: 1 to {MOST_ACTIONS} actions. Inside this product they are done together or not at all, exactly once."
Condition: TypeAlias = ConditionInput


def with_numbers(given: Mapping[str, Any]) -> dict[str, Any]:  # Any: the fields' own types
    """A trigger or an action with the numbers of ids in place of the ids; None for those that are not of their kind."""
    return {
        name: with_numbers(value)
        if name == "webhook"
        else ids.number_of(_KINDS[name], value)
        if name in _KINDS
        else value
        for name, value in given.items()
    }


def all_with_numbers(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:  # Any: the same
    return [with_numbers(each) for each in given]
