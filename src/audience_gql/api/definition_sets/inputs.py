"""The inputs of sets of definitions. They have the shapes of the other mutations' inputs, with names in place of ids."""

from __future__ import annotations

from typing import Final

import strawberry

from audience_gql.api.acting.automations import AutomationCause
from audience_gql.api.acting.inputs import (
    ACTIONS,
    CAUSES,
    HOLD_FOR,
    ON,
    ONLY_IF,
    REENTRY,
    TRIGGER,
    AutomationActionInput,
    AutomationTriggerInput,
    ReentryInput,
)
from audience_gql.api.conditions.inputs import ConditionInput, DurationInput
from audience_gql.api.lists.membership import MembershipChangeKind
from audience_gql.api.people.custom_fields import CustomFieldType
from audience_gql.audience.definition_sets.given import (
    GivenAutomation,
    GivenField,
    GivenGroup,
    GivenSegment,
    GivenSet,
)

_RENAMED: Final = (
    "The former name, to rename instead of creating. It has no effect once something has the new name."
)
_BY_NAME: Final = "It has names in place of ids."


@strawberry.input(description="A custom field of a set of definitions.")
class CustomFieldDefinitionInput:
    key: str = strawberry.field(
        description="The name of the field in conditions and inputs: a lower-case letter, then up to 62 lower-case letters, digits and "
        "underscores. It can never change."
    )
    label: str = strawberry.field(description="The name of the field for people: 1 to 200 characters.")
    type: CustomFieldType = strawberry.field(
        description="The type of the field's values. It can never change."
    )
    options: list[str] | None = strawberry.field(
        description="Up to 100 values that an editor offers. Default: none.", default=None
    )


@strawberry.input(description="A group of a set of definitions. Its members are not part of it.")
class GroupDefinitionInput:
    name: str = strawberry.field(description="The name: 1 to 200 characters.")
    renamed_from: str | None = strawberry.field(description=_RENAMED, default=None)
    description: str | None = strawberry.field(
        description="What the group is for, up to 2,000 characters. Default: none.", default=None
    )


@strawberry.input(description="A segment of a set of definitions.")
class SegmentDefinitionInput:
    name: str = strawberry.field(description="The name: 1 to 200 characters.")
    renamed_from: str | None = strawberry.field(description=_RENAMED, default=None)
    description: str | None = strawberry.field(
        description="What the segment is for, up to 2,000 characters. Default: none.", default=None
    )
    condition: ConditionInput = strawberry.field(description=f"The condition that members match. {_BY_NAME}")


@strawberry.input(description="An automation of a set of definitions. It acts on changes from now on.")
class AutomationDefinitionInput:
    name: str = strawberry.field(description="The name: 1 to 200 characters.")
    renamed_from: str | None = strawberry.field(description=_RENAMED, default=None)
    description: str | None = strawberry.field(
        description="What the automation is for, up to 2,000 characters. Default: none.", default=None
    )
    trigger: AutomationTriggerInput = strawberry.field(description=f"{TRIGGER} {_BY_NAME}")
    on: list[MembershipChangeKind] = strawberry.field(
        description=ON, default_factory=lambda: [MembershipChangeKind.ENTERED]
    )
    hold_for: DurationInput | None = strawberry.field(description=HOLD_FOR, default=None)
    reentry: ReentryInput | None = strawberry.field(description=REENTRY, default=None)
    causes: list[AutomationCause] | None = strawberry.field(description=CAUSES, default=None)
    only_if: ConditionInput | None = strawberry.field(description=f"{ONLY_IF} {_BY_NAME}", default=None)
    actions: list[AutomationActionInput] = strawberry.field(
        description=f"{ACTIONS} They have names in place of ids."
    )
    paused: bool | None = strawberry.field(
        description="Whether the automation is paused. If it is resumed, nothing is done about what happened in the meantime. Null leaves it as "
        "it is; a new one then acts.",
        default=None,
    )


@strawberry.input(
    description="Definitions that a workspace should have, in the shape in which the query `definitions` tells them. Names stand in place of ids. "
    "Parts of a definition that are omitted have their defaults."
)
class DefinitionsInput:
    custom_fields: list[CustomFieldDefinitionInput] = strawberry.field(
        description="The custom fields.", default_factory=list
    )
    groups: list[GroupDefinitionInput] = strawberry.field(description="The groups.", default_factory=list)
    segments: list[SegmentDefinitionInput] = strawberry.field(
        description="The segments, in any order.", default_factory=list
    )
    automations: list[AutomationDefinitionInput] = strawberry.field(
        description="The automations. The webhook endpoints that they name must exist.", default_factory=list
    )
    prune: bool = strawberry.field(
        description="Whether all definitions of the workspace that are absent here are deleted. Otherwise they stay.",
        default=False,
    )


def given_set(definitions: DefinitionsInput) -> GivenSet:
    """The set in the application's form."""
    return GivenSet(
        fields=[
            GivenField(key=it.key, label=it.label, type=it.type.value, options=it.options)
            for it in definitions.custom_fields
        ],
        groups=[
            GivenGroup(name=it.name, renamed_from=it.renamed_from, description=it.description)
            for it in definitions.groups
        ],
        segments=[
            GivenSegment(
                name=it.name,
                renamed_from=it.renamed_from,
                description=it.description,
                condition=it.condition,
            )
            for it in definitions.segments
        ],
        automations=list(map(_automation, definitions.automations)),
        prunes=definitions.prune,
    )


def _automation(it: AutomationDefinitionInput) -> GivenAutomation:
    return GivenAutomation(
        name=it.name,
        renamed_from=it.renamed_from,
        description=it.description,
        trigger=it.trigger,
        on=[kind.value for kind in it.on],
        hold_for=it.hold_for,
        reentry=it.reentry,
        causes=None if it.causes is None else [cause.value for cause in it.causes],
        only_if=it.only_if,
        actions=it.actions,
        is_paused=it.paused,
    )
