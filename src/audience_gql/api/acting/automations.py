"""Automations and their figures, as queries show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry
from strawberry.scalars import JSON

from audience_gql.api import ids
from audience_gql.api.conditions.inputs import stored_to_output
from audience_gql.api.context import Context, Info
from audience_gql.api.ids import Kind
from audience_gql.api.keys import folded_name
from audience_gql.api.lists.membership import MembershipChangeKind
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import (
    LONG_PAGE_SIZE,
    PAGE_SIZE,
    After,
    First,
    ListConnection,
    ListEdge,
    Listing,
    Page,
)
from audience_gql.api.scalars import Condition, instant_at
from audience_gql.api.search import Search, words
from audience_gql.api.shapes import enum
from audience_gql.audience.acting.automation import Automation as Definition
from audience_gql.audience.acting.words import sentence
from audience_gql.storage.acting import pages as automations
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.acting.pages import RunFigures, RunRecord
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.acting.runs import AutomationRunConnection, RunState
    from audience_gql.api.lists.groups import Group
    from audience_gql.api.lists.segments import Segment

_RUNS: Final = Listing("automation.runs", datetime, int, int)


@enum(
    "Whether an automation acts.",
    ACTIVE="The automation acts on every change of its list.",
    PAUSED="The automation starts nothing until it is resumed. Holds that end in the meantime wait.",
)
class AutomationState(StrEnum):
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


@enum(
    "Why a membership changed, as far as automations distinguish it.",
    FACT="A caller wrote a fact about the person, or another automation did.",
    CLOCK="Time passed.",
    DEFINITION="The segment was created or edited, or resumed after a pause.",
    REPAIR="An audit or recompute corrected a wrong membership.",
    IMPORT="An import wrote facts about the person.",
)
class AutomationCause(StrEnum):
    FACT = "FACT"
    CLOCK = "CLOCK"
    DEFINITION = "DEFINITION"
    REPAIR = "REPAIR"
    IMPORT = "IMPORT"


@enum(
    "The order of a list of automations.",
    NAME_ASC="By name, from A to Z.",
    CREATED_DESC="By time of creation, the latest first.",
    UPDATED_DESC="By time of the last edit, the latest first.",
)
class AutomationOrder(StrEnum):
    NAME_ASC = "NAME_ASC"
    CREATED_DESC = "CREATED_DESC"
    UPDATED_DESC = "UPDATED_DESC"


_LISTINGS: Final[Mapping[AutomationOrder, Listing]] = {
    AutomationOrder.NAME_ASC: Listing("automations.nameAsc", str, int),
    AutomationOrder.CREATED_DESC: Listing("automations.createdDesc", datetime, int),
    AutomationOrder.UPDATED_DESC: Listing("automations.updatedDesc", datetime, int),
}


@strawberry.type(
    description="How many runs of an automation began in a stretch of time, by what has become of them."
)
class AutomationFigures:
    started: int = strawberry.field(description="All of them.")
    waiting: int = strawberry.field(description="Those that wait for the end of their hold.")
    done: int = strawberry.field(description="Those that have acted.")
    cancelled: int = strawberry.field(
        description="Those whose person left before the end of the hold, or whose automation was resumed without them."
    )
    skipped: int = strawberry.field(
        description="Those that a rule kept from acting: `reentry` or `onlyIf`, or the erasure of the person."
    )
    failed: int = strawberry.field(description="Those of which an action failed. Nothing of them was done.")
    cut_off: int = strawberry.field(
        description="Those that were refused because automations followed from each other too deep, or acted too often for one person."
    )

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RunFigures)


@strawberry.type(
    description="What happens when somebody enters or leaves a segment or group. It acts once for each change of the list, in the order of "
    "the log."
)
class Automation(Node):
    name: str = strawberry.field(
        description="The automation's name, up to 200 characters; unique among automations regardless of case."
    )
    description: str | None = strawberry.field(description="What the automation is for; null when not given.")
    revision: int = strawberry.field(
        description="A number that every edit raises. Send it as `ifRevision` so that your edit overwrites nobody else's."
    )
    created_at: datetime = strawberry.field(description="When the automation was created.")
    updated_at: datetime = strawberry.field(description="When the automation was last edited.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, Row)

    @strawberry.field(description="Whether the automation acts.")
    @staticmethod
    def state(parent: strawberry.Parent[Row]) -> AutomationState:
        return AutomationState.PAUSED if parent.is_paused else AutomationState.ACTIVE

    @strawberry.field(description="The automation as an English sentence.")
    @staticmethod
    async def summary(parent: strawberry.Parent[Row], info: Info) -> str:
        names = await info.context.loaders.names.load(None)
        endpoints = await info.context.loaders.endpoint_names.load(None)
        return sentence(Definition.of(parent), names, endpoints)

    @strawberry.field(
        description="The segment whose changes start the automation; null if a group's do.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[Row], info: Info) -> models.Segment | None:
        is_it = parent.list_kind == "SEGMENT"
        return await info.context.loaders.segments.load(parent.list_id) if is_it else None

    @strawberry.field(
        description="The group whose changes start the automation; null if a segment's do.",
        graphql_type=Annotated["Group", strawberry.lazy("audience_gql.api.lists.groups")] | None,
    )
    @staticmethod
    async def group(parent: strawberry.Parent[Row], info: Info) -> models.Group | None:
        is_it = parent.list_kind == "GROUP"
        return await info.context.loaders.groups.load(parent.list_id) if is_it else None

    @strawberry.field(description="Which changes start the automation: ENTERED, LEFT or both.")
    @staticmethod
    def on(parent: strawberry.Parent[Row]) -> list[MembershipChangeKind]:
        fires = (parent.on_entered, parent.on_left)
        return [kind for kind, is_on in zip(MembershipChangeKind, fires, strict=True) if is_on]

    @strawberry.field(
        description="How long a person must stay before the automation acts, in the shape of the input Duration; null for not at all."
    )
    @staticmethod
    def hold_for(parent: strawberry.Parent[Row]) -> JSON | None:
        held: JSON | None = parent.rules["holdFor"]
        return held

    @strawberry.field(
        description='How often the automation may act for one person: "EVERY_TIME", "ONCE", or at most once in a length of time, in the shape '
        "of the input Duration."
    )
    @staticmethod
    def reentry(parent: strawberry.Parent[Row]) -> JSON:
        rule: JSON = parent.rules["reentry"]
        return rule

    @strawberry.field(description="Which causes of a change start the automation.")
    @staticmethod
    def causes(parent: strawberry.Parent[Row]) -> list[AutomationCause]:
        return [AutomationCause(cause) for cause in parent.rules["causes"]]

    @strawberry.field(
        description="A condition that the person must match at the instant of acting, in the shape of ConditionInput; null for everybody.",
        graphql_type=Condition | None,
    )
    @staticmethod
    async def only_if(parent: strawberry.Parent[Row], info: Info) -> object | None:
        stored = parent.rules["onlyIf"]
        if stored is None:
            return None
        return stored_to_output(stored, await info.context.loaders.vocabulary.load(None))

    @strawberry.field(
        description="What the automation does, in this order, in the shape of AutomationActionInput: a list of objects with one key each."
    )
    @staticmethod
    def actions(parent: strawberry.Parent[Row]) -> JSON:
        return [with_opaque_ids(action) for action in parent.actions]  # type: ignore[return-value]  # JSON is a type of any value

    @strawberry.field(
        description="The automation's runs. The one whose change occurred last comes first.",
        graphql_type=Annotated["AutomationRunConnection", strawberry.lazy("audience_gql.api.acting.runs")],
    )
    @staticmethod
    async def runs(
        parent: strawberry.Parent[Row],
        info: Info,
        state: Annotated[
            list[Annotated[RunState, strawberry.lazy("audience_gql.api.acting.runs")]] | None,
            strawberry.argument(description="Only runs in one of these states; all runs for null or []."),
        ] = None,
        first: First = LONG_PAGE_SIZE,
        after: After = None,
    ) -> Page[RunRecord]:
        part = _RUNS.slice(first, after, default=LONG_PAGE_SIZE)
        states = tuple(sorted({one.value for one in state or ()}))
        entries = await info.context.loaders.runs_of_automations(part).load((parent.id, states))
        return _RUNS.page(entries, part)

    @strawberry.field(
        description="How many runs began in a stretch of time, by what has become of them by now.",
        graphql_type=AutomationFigures,
        metadata={"weight": 5},  # counts every run of that time
    )
    @staticmethod
    async def figures(
        parent: strawberry.Parent[Row],
        info: Info,
        start: Annotated[
            datetime,
            strawberry.argument(
                name="from", description="The beginning: runs whose change occurred at this instant or later."
            ),
        ],
        end: Annotated[
            datetime | None,
            strawberry.argument(name="to", description="The end, which is not included. Default: now."),
        ] = None,
    ) -> RunFigures:
        upto = instant_at(end, "to") if end else await info.context.loaders.now.load(None)
        return await info.context.loaders.run_figures.load((parent.id, instant_at(start, "from"), upto))


def with_opaque_ids(action: Mapping[str, object]) -> Mapping[str, object]:
    match action:
        case {"addToGroup": int() as group_id}:
            return {"addToGroup": ids.encode(Kind.GROUP, group_id)}
        case {"removeFromGroup": int() as group_id}:
            return {"removeFromGroup": ids.encode(Kind.GROUP, group_id)}
        case {"webhook": {"endpoint": int() as endpoint_id, "fields": fields}}:
            return {"webhook": {"endpoint": ids.encode(Kind.WEBHOOK_ENDPOINT, endpoint_id), "fields": fields}}
    return action


@strawberry.type(description="An automation in a list.")
class AutomationEdge(ListEdge):
    node: Automation = strawberry.field(description="The automation.")


@strawberry.type(description="A page of automations.")
class AutomationConnection(ListConnection[AutomationEdge]): ...


@strawberry.input(one_of=True, description="A key that names one automation of the workspace.")
class AutomationKey:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="The automation's id.")
    name: strawberry.Maybe[str] = strawberry.field(description="The automation's name, regardless of case.")


@strawberry.type
class AutomationQuery:
    @strawberry.field(
        description="The automation with this id or name; null when there is none.",
        graphql_type=Automation | None,
    )
    @staticmethod
    async def automation(
        info: Info,
        by: Annotated[AutomationKey, strawberry.argument(description="The automation's id or name.")],
    ) -> Row | None:
        return await _find(info.context, by)

    @strawberry.field(description="The automations of the workspace.", graphql_type=AutomationConnection)
    @staticmethod
    async def automations(
        info: Info,
        search: Search = None,
        state: Annotated[
            AutomationState | None,
            strawberry.argument(description="Only automations in this state; all automations for null."),
        ] = None,
        order_by: Annotated[
            AutomationOrder, strawberry.argument(description="The order of the list.")
        ] = AutomationOrder.NAME_ASC,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[Row]:
        listing = _LISTINGS[order_by]
        part = listing.slice(first, after)
        entries = await automations.automations(
            info.context.ports.database,
            info.context.workspace.id,
            part,
            order_by=order_by.value,
            words=words(search),
            is_paused=None if state is None else state is AutomationState.PAUSED,
        )
        return listing.page(entries, part)


async def _find(context: Context, key: AutomationKey) -> Row | None:
    if key.id:
        number = ids.number_of(Kind.AUTOMATION, key.id.value)
        return None if number is None else await context.loaders.automations.load(number)
    name = folded_name(key.name.value if key.name else "")
    return None if name is None else await automations.find_automation_by_name(context.workspace.id, name)
