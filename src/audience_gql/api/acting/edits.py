"""The mutations that create, edit, pause, resume and delete automations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.acting.automations import Automation, AutomationCause
from audience_gql.api.acting.failures import AutomationConflict, AutomationLoop
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
    all_with_numbers,
    with_numbers,
)
from audience_gql.api.conditions.inputs import ConditionInput, DurationInput
from audience_gql.api.context import Info
from audience_gql.api.failures import DeletePayload, InvalidInput, NameTaken, NotFound
from audience_gql.api.ids import OPAQUE_IDS, Kind
from audience_gql.api.lists.membership import MembershipChangeKind
from audience_gql.api.shapes import enum
from audience_gql.audience.acting import editing
from audience_gql.audience.acting.editing import AUTOMATIONS_A_WORKSPACE
from audience_gql.audience.acting.surroundings import GivenRules
from audience_gql.audience.people.keys import UNSET
from audience_gql.storage.acting.models import Automation as Row


@enum(
    "What happens for those who are in the list already.",
    IGNORE="Nothing.",
    FIRE="Each of them gets a run now, as if they had just entered.",
)
class ExistingMembers(StrEnum):
    IGNORE = "IGNORE"
    FIRE = "FIRE"


@enum(
    "Where a paused automation goes on.",
    CATCH_UP="Where it stopped: it acts on everything that has happened since.",
    SKIP="At this instant. Nothing that happened in the meantime is acted on, and the runs that wait are cancelled.",
)
class ResumeFrom(StrEnum):
    CATCH_UP = "CATCH_UP"
    SKIP = "SKIP"


@strawberry.input(
    description="An automation to create. Creating one starts nothing, unless `existing` is FIRE."
)
class CreateAutomationInput:
    name: str = strawberry.field(
        description="The name: 1 to 200 characters, unique among automations regardless of case."
    )
    description: str | None = strawberry.field(
        description="What the automation is for, up to 2,000 characters.", default=strawberry.UNSET
    )
    trigger: AutomationTriggerInput = strawberry.field(description=TRIGGER)
    on: list[MembershipChangeKind] = strawberry.field(
        description=ON, default_factory=lambda: [MembershipChangeKind.ENTERED]
    )
    hold_for: DurationInput | None = strawberry.field(description=HOLD_FOR, default=strawberry.UNSET)
    reentry: ReentryInput | None = strawberry.field(description=REENTRY, default=strawberry.UNSET)
    existing: ExistingMembers = strawberry.field(
        description="What happens for those who are in the list already. While a segment is COMPUTING, they wait until it is READY.",
        default=ExistingMembers.IGNORE,
    )
    causes: list[AutomationCause] | None = strawberry.field(description=CAUSES, default=strawberry.UNSET)
    only_if: ConditionInput | None = strawberry.field(description=ONLY_IF, default=strawberry.UNSET)
    actions: list[AutomationActionInput] = strawberry.field(description=ACTIONS)


@strawberry.input(
    description="Changes to an automation. An omitted field stays as it is. Runs that wait keep their instant, and follow the new rules "
    "otherwise. Another trigger begins with the changes from now on, and cancels the runs that wait."
)
class UpdateAutomationInput:
    id: strawberry.ID = strawberry.field(description="The automation's id.")
    name: strawberry.Maybe[str | None] = strawberry.field(
        description="The new name: 1 to 200 characters, unique among automations regardless of case. It cannot be null."
    )
    description: strawberry.Maybe[str | None] = strawberry.field(
        description="The new description, up to 2,000 characters. Null removes it."
    )
    trigger: AutomationTriggerInput | None = strawberry.field(description=TRIGGER, default=strawberry.UNSET)
    on: list[MembershipChangeKind] | None = strawberry.field(description=ON, default=strawberry.UNSET)
    hold_for: strawberry.Maybe[DurationInput | None] = strawberry.field(
        description=f"{HOLD_FOR} Null for no hold."
    )
    reentry: strawberry.Maybe[ReentryInput | None] = strawberry.field(description=REENTRY)
    causes: strawberry.Maybe[list[AutomationCause] | None] = strawberry.field(description=CAUSES)
    only_if: strawberry.Maybe[ConditionInput | None] = strawberry.field(
        description=f"{ONLY_IF} Null for everybody."
    )
    actions: list[AutomationActionInput] | None = strawberry.field(
        description=ACTIONS, default=strawberry.UNSET
    )
    if_revision: int | None = strawberry.field(
        description="The revision that the edit is based on. If the automation was edited since then, the result is an AutomationConflict. "
        "Without it, the edit is not checked.",
        default=strawberry.UNSET,
    )


@strawberry.input(description="An automation to pause.")
class PauseAutomationInput:
    id: strawberry.ID = strawberry.field(description="The automation's id.")


@strawberry.input(description="A paused automation to resume.")
class ResumeAutomationInput:
    id: strawberry.ID = strawberry.field(description="The automation's id.")
    resume_from: ResumeFrom = strawberry.field(name="from", description="Where it goes on.")
    existing: ExistingMembers = strawberry.field(
        description="What happens for those who are in the list now.", default=ExistingMembers.IGNORE
    )


@strawberry.input(description="An automation to delete.")
class DeleteAutomationInput:
    id: strawberry.ID = strawberry.field(description="The automation's id.")


CreateAutomationResult: TypeAlias = Annotated[
    Automation | InvalidInput | NameTaken | AutomationLoop,
    strawberry.union(
        "CreateAutomationResult", description="The new automation, or the reason why it was not created."
    ),
]
UpdateAutomationResult: TypeAlias = Annotated[
    Automation | InvalidInput | NotFound | NameTaken | AutomationLoop | AutomationConflict,
    strawberry.union(
        "UpdateAutomationResult", description="The changed automation, or the reason why nothing changed."
    ),
]
PauseAutomationResult: TypeAlias = Annotated[
    Automation | NotFound,
    strawberry.union(
        "PauseAutomationResult", description="The paused automation, or NotFound for an unknown id."
    ),
]
ResumeAutomationResult: TypeAlias = Annotated[
    Automation | NotFound,
    strawberry.union(
        "ResumeAutomationResult", description="The resumed automation, or NotFound for an unknown id."
    ),
]
DeleteAutomationResult: TypeAlias = Annotated[
    DeletePayload | NotFound,
    strawberry.union(
        "DeleteAutomationResult",
        description="The id of the deleted automation, or NotFound for an unknown id.",
    ),
]


def given_rules(given: CreateAutomationInput) -> GivenRules:
    """The rules of a new automation in the application's form."""
    return GivenRules(
        trigger=with_numbers(given.trigger),
        on=[kind.value for kind in given.on],
        hold_for=given.hold_for or None,
        reentry=given.reentry or None,
        causes=[cause.value for cause in given.causes] if isinstance(given.causes, list) else None,
        only_if=given.only_if or None,
        actions=all_with_numbers(given.actions),
    )


def _changed_rules(edit: UpdateAutomationInput) -> GivenRules:
    causes = UNSET if not edit.causes else edit.causes.value
    return GivenRules(
        trigger=with_numbers(edit.trigger) if edit.trigger else UNSET,
        on=[kind.value for kind in edit.on] if isinstance(edit.on, list) else UNSET,
        hold_for=edit.hold_for.value if edit.hold_for else UNSET,
        reentry=edit.reentry.value if edit.reentry else UNSET,
        causes=[cause.value for cause in causes] if isinstance(causes, list) else causes,
        only_if=edit.only_if.value if edit.only_if else UNSET,
        actions=all_with_numbers(edit.actions) if isinstance(edit.actions, list) else UNSET,
    )


@strawberry.type
class AutomationMutation:
    @strawberry.mutation(
        description="Creates an automation. It acts on every change of its list from now on. "
        f"A workspace has at most {AUTOMATIONS_A_WORKSPACE} automations; one more is InvalidInput with the code TOO_MANY.",
        graphql_type=CreateAutomationResult,
    )
    @staticmethod
    async def create_automation(
        info: Info,
        given: Annotated[
            CreateAutomationInput, strawberry.argument(name="input", description="The automation to create.")
        ],
    ) -> Row:
        return await editing.create_automation(
            ports=info.context.ports,
            workspace=info.context.workspace,
            name=given.name,
            description=given.description or None,
            rules=given_rules(given),
            ids=OPAQUE_IDS,
            fires_for_existing=given.existing is ExistingMembers.FIRE,
        )

    @strawberry.mutation(
        description="Changes an automation. Every edit raises its revision.",
        graphql_type=UpdateAutomationResult,
    )
    @staticmethod
    async def update_automation(
        info: Info,
        edit: Annotated[UpdateAutomationInput, strawberry.argument(name="input", description="The changes.")],
    ) -> Row:
        return await editing.update_automation(
            ports=info.context.ports,
            workspace=info.context.workspace,
            automation_id=ids.number_of(Kind.AUTOMATION, edit.id),
            name=edit.name.value if edit.name else UNSET,
            description=edit.description.value if edit.description else UNSET,
            rules=_changed_rules(edit),
            ids=OPAQUE_IDS,
            if_revision=None if edit.if_revision is strawberry.UNSET else edit.if_revision,
        )

    @strawberry.mutation(
        description="Pauses an automation: after this it starts nothing until `resumeAutomation`. A paused automation stays as it is.",
        graphql_type=PauseAutomationResult,
    )
    @staticmethod
    async def pause_automation(
        info: Info,
        automation: Annotated[
            PauseAutomationInput, strawberry.argument(name="input", description="The automation to pause.")
        ],
    ) -> Row:
        return await editing.pause_automation(
            ports=info.context.ports,
            workspace=info.context.workspace,
            automation_id=ids.number_of(Kind.AUTOMATION, automation.id),
        )

    @strawberry.mutation(
        description="Resumes a paused automation. One that is not paused stays as it is.",
        graphql_type=ResumeAutomationResult,
    )
    @staticmethod
    async def resume_automation(
        info: Info,
        automation: Annotated[
            ResumeAutomationInput, strawberry.argument(name="input", description="The automation to resume.")
        ],
    ) -> Row:
        return await editing.resume_automation(
            ports=info.context.ports,
            workspace=info.context.workspace,
            automation_id=ids.number_of(Kind.AUTOMATION, automation.id),
            catches_up=automation.resume_from is ResumeFrom.CATCH_UP,
            fires_for_existing=automation.existing is ExistingMembers.FIRE,
        )

    @strawberry.mutation(
        description="Deletes an automation. Runs that wait never act, and its runs are deleted in the background.",
        graphql_type=DeleteAutomationResult,
    )
    @staticmethod
    async def delete_automation(
        info: Info,
        automation: Annotated[
            DeleteAutomationInput, strawberry.argument(name="input", description="The automation to delete.")
        ],
    ) -> DeletePayload:
        await editing.delete_automation(
            ports=info.context.ports,
            workspace=info.context.workspace,
            automation_id=ids.number_of(Kind.AUTOMATION, automation.id),
        )
        return DeletePayload(deleted_id=automation.id)
