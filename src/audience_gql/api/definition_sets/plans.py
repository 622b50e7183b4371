"""The query `planDefinitions` and the mutation `applyDefinitions`: what a set of definitions would change, and changing it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api.context import Info
from audience_gql.api.definition_sets.definitions import DefinitionKind
from audience_gql.api.definition_sets.inputs import DefinitionsInput, given_set
from audience_gql.api.failures import Handler, InvalidInput, UserError
from audience_gql.api.lists.membership import MembershipChangeKind
from audience_gql.api.shapes import enum
from audience_gql.audience.definition_sets import applying, movements
from audience_gql.audience.definition_sets.planning import Planned, PlannedChange, plan_definitions
from audience_gql.audience.definition_sets.plans import Step

_WEIGHT: Final = 10
"""A plan counts people for each segment that it changes."""


@enum(
    "What a plan does with a definition.",
    CREATE="It is created.",
    UPDATE="It is changed.",
    DELETE="It is deleted.",
    FOLLOW="It stays as it is. It is a segment that reads another one whose condition changes, so people may enter and leave it.",
)
class PlannedAction(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    FOLLOW = "FOLLOW"


@strawberry.type(description="How many runs of an automation a plan would begin.")
class PlannedStart:
    automation: str = strawberry.field(description="The name of the automation.")
    people: int = strawberry.field(description="For how many people it would begin a run.")
    is_at_most: bool = strawberry.field(
        description="Whether `holdFor` or `reentry` may keep it from acting for some of them."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, movements.Start)

    @strawberry.field(description="Whether they enter or leave.")
    @staticmethod
    def on(parent: strawberry.Parent[movements.Start]) -> MembershipChangeKind:
        return MembershipChangeKind(parent.on)


@strawberry.type(description="Whom a change of a segment moves, or the deletion of a group.")
class PlannedMovement:
    entering: int = strawberry.field(
        description="How many people would enter the segment. It is estimated when `memberCount` is."
    )
    leaving: int = strawberry.field(
        description="How many people would leave the segment, or a group that is deleted. It is estimated when `memberCount` is."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, movements.Movement)

    @strawberry.field(
        description="How many people would be in the segment. It is exact if the server can count everybody within its time budget, otherwise "
        "estimated."
    )
    @staticmethod
    def member_count(parent: strawberry.Parent[movements.Movement]) -> int:
        return parent.size.count

    @strawberry.field(
        description="The margin of error of `memberCount`, in people: half the width of its 95 % confidence interval. 0 when the number is exact."
    )
    @staticmethod
    def margin(parent: strawberry.Parent[movements.Movement]) -> int:
        return parent.size.margin

    @strawberry.field(
        description="The automations that these changes start: those that have the segment as trigger and DEFINITION among their causes.",
        graphql_type=list[PlannedStart],
    )
    @staticmethod
    def starts(parent: strawberry.Parent[movements.Movement]) -> list[movements.Start]:
        return list(parent.starts)


@strawberry.type(description="What a set of definitions changes about one definition.")
class DefinitionChange:
    name: str = strawberry.field(description="The name afterwards; for a custom field, the key.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, PlannedChange)

    @strawberry.field(description="The kind of the definition.")
    @staticmethod
    def kind(parent: strawberry.Parent[PlannedChange]) -> DefinitionKind:
        return DefinitionKind(parent.kind)

    @strawberry.field(description="What happens to it.")
    @staticmethod
    def action(parent: strawberry.Parent[PlannedChange]) -> PlannedAction:
        return PlannedAction(parent.action)

    @strawberry.field(
        description="The revision that is changed or deleted; null for something new, and for what has no revisions."
    )
    @staticmethod
    def revision(parent: strawberry.Parent[PlannedChange]) -> int | None:
        return None if parent.step is None else parent.step.revision

    @strawberry.field(
        description="The names of the parts that differ, such as `condition`. All parts for something new, none for something deleted."
    )
    @staticmethod
    def parts(parent: strawberry.Parent[PlannedChange]) -> list[str]:
        return [] if parent.step is None or parent.step.after is None else parent.step.parts

    @strawberry.field(
        description="The definition now, as the query `definitions` tells it; null for something new, and for FOLLOW."
    )
    @staticmethod
    def before(parent: strawberry.Parent[PlannedChange]) -> JSON | None:
        return None if parent.step is None or parent.step.before is None else JSON(parent.step.before)

    @strawberry.field(
        description="The definition afterwards, in the same shape; null for something deleted, and for FOLLOW."
    )
    @staticmethod
    def after(parent: strawberry.Parent[PlannedChange]) -> JSON | None:
        return None if parent.step is None or parent.step.after is None else JSON(parent.step.after)

    @strawberry.field(
        description="The lines that the condition of a segment gains, in words. Two spaces at the beginning of a line stand for each level."
    )
    @staticmethod
    def lines_added(parent: strawberry.Parent[PlannedChange]) -> list[str]:
        return [] if parent.step is None else list(parent.step.lines_added)

    @strawberry.field(description="The lines that it loses, in the same form.")
    @staticmethod
    def lines_removed(parent: strawberry.Parent[PlannedChange]) -> list[str]:
        return [] if parent.step is None else list(parent.step.lines_removed)

    @strawberry.field(
        description="Whom it moves. Null if it moves nobody: no condition changes, or the segment is paused.",
        graphql_type=PlannedMovement | None,
    )
    @staticmethod
    def movement(parent: strawberry.Parent[PlannedChange]) -> movements.Movement | None:
        return parent.movement

    @strawberry.field(description="The names of the segments that read it afterwards, sorted.")
    @staticmethod
    def used_by(parent: strawberry.Parent[PlannedChange]) -> list[str]:
        return list(parent.used_by)

    @strawberry.field(
        description="The names of the automations that it starts afterwards, or that name it, sorted."
    )
    @staticmethod
    def automations(parent: strawberry.Parent[PlannedChange]) -> list[str]:
        return list(parent.automations)


@strawberry.type(description="A definition of the workspace that a set does not have.")
class UnmanagedDefinition:
    kind: DefinitionKind = strawberry.field(description="Its kind.")
    name: str = strawberry.field(description="Its name; for a custom field, its key.")


@strawberry.type(
    description="What a set of definitions would change at this instant. Nothing is stored and nothing is done."
)
class DefinitionsPlan:
    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Planned)

    @strawberry.field(
        description="A digest of the changes and of the revisions that they start from. Send it as `ifPlan`, so that nothing else is applied."
    )
    @staticmethod
    def id(parent: strawberry.Parent[Planned]) -> str:
        return parent.plan.id

    @strawberry.field(
        description="The changes in the order in which they are made, then the segments that only follow. [] if the workspace is as the set "
        "says.",
        graphql_type=list[DefinitionChange],
    )
    @staticmethod
    def changes(parent: strawberry.Parent[Planned]) -> list[PlannedChange]:
        return list(parent.changes)

    @strawberry.field(description="How many definitions of the set need no change.")
    @staticmethod
    def unchanged(parent: strawberry.Parent[Planned]) -> int:
        return parent.plan.unchanged

    @strawberry.field(
        description="The definitions of the workspace that are absent from the set, and stay. [] with `prune`."
    )
    @staticmethod
    def unmanaged(parent: strawberry.Parent[Planned]) -> list[UnmanagedDefinition]:
        return [
            UnmanagedDefinition(kind=DefinitionKind(kind), name=name) for kind, name in parent.plan.unmanaged
        ]


@strawberry.type(description="A change that was made.")
class AppliedChange:
    kind: DefinitionKind = strawberry.field(description="The kind of the definition.")
    action: PlannedAction = strawberry.field(description="What happened to it.")
    name: str = strawberry.field(description="Its name now; for something deleted, its last one.")


@strawberry.type(description="The result of applying a set of definitions.")
class ApplyDefinitionsPayload:
    changes: list[AppliedChange] = strawberry.field(
        description="The changes in the order in which they were made."
    )
    unchanged: int = strawberry.field(description="How many definitions of the set needed no change.")


@strawberry.type(
    description="The definitions were changed after the plan `ifPlan`, so that the set would now change something else. Nothing was applied."
)
class PlanConflict(UserError):
    plan_id: str = strawberry.field(description="The id of the plan that holds now.")


@strawberry.input(description="A set of definitions to apply.")
class ApplyDefinitionsInput:
    definitions: DefinitionsInput = strawberry.field(description="The set.")
    if_plan: str | None = strawberry.field(
        description="The id of a plan. If the set would now change anything else, the result is a PlanConflict. Without it, nothing is "
        "checked.",
        default=None,
    )


PlanDefinitionsResult: TypeAlias = Annotated[
    DefinitionsPlan | InvalidInput,
    strawberry.union("PlanDefinitionsResult", description="The plan, or the reasons why there is none."),
]
ApplyDefinitionsResult: TypeAlias = Annotated[
    ApplyDefinitionsPayload | InvalidInput | PlanConflict,
    strawberry.union(
        "ApplyDefinitionsResult", description="What was changed, or the reason why nothing changed."
    ),
]
DEFINITION_HANDLERS: Final[list[Handler[Any]]] = [  # Any: each handles another class of failure
    Handler(
        applying.PlanConflict,
        PlanConflict,
        lambda it, spell: PlanConflict(message=it.message, path=spell(it.path), plan_id=it.plan_id),
    ),
]


@strawberry.type
class DefinitionPlanQuery:
    @strawberry.field(
        description="What `applyDefinitions` would change now, and whom that would move. Nothing is stored.",
        graphql_type=PlanDefinitionsResult,
        metadata={"weight": _WEIGHT},
    )
    @staticmethod
    async def plan_definitions(
        info: Info,
        definitions: Annotated[DefinitionsInput, strawberry.argument(description="The set.")],
    ) -> Planned:
        return await plan_definitions(
            ports=info.context.ports,
            heavy_ports=info.context.heavy_ports,
            workspace=info.context.workspace,
            given=given_set(definitions),
        )


@strawberry.type
class DefinitionMutation:
    @strawberry.mutation(
        description="Brings the workspace to a set of definitions in one transaction: all changes are made, or none. People enter and leave in the "
        "background, as after single edits.",
        graphql_type=ApplyDefinitionsResult,
    )
    @staticmethod
    async def apply_definitions(
        info: Info,
        given: Annotated[
            ApplyDefinitionsInput, strawberry.argument(name="input", description="The set to apply.")
        ],
    ) -> ApplyDefinitionsPayload:
        plan = await applying.apply_definitions(
            ports=info.context.ports,
            workspace=info.context.workspace,
            given=given_set(given.definitions),
            if_plan=given.if_plan,
        )
        return ApplyDefinitionsPayload(changes=list(map(_applied, plan.steps)), unchanged=plan.unchanged)


def _applied(step: Step) -> AppliedChange:
    return AppliedChange(kind=DefinitionKind(step.kind), action=PlannedAction(step.action), name=step.name)
