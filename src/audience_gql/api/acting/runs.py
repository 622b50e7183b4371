"""Runs: one automation acting for one person once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from audience_gql.api import ids
from audience_gql.api.acting.automations import Automation
from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.ids import Kind
from audience_gql.api.lists.membership import MembershipCause, MembershipChange, MembershipChangeKind
from audience_gql.api.nodes import Node
from audience_gql.api.pagination import LARGEST_PAGE, ListConnection, ListEdge
from audience_gql.api.shapes import enum
from audience_gql.audience.acting.decisions import EXISTING
from audience_gql.audience.acting.watching import follow_runs
from audience_gql.audience.failures import NotFound
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.acting.pages import RunRecord
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.reads.records import SubscriberRecord

if TYPE_CHECKING:
    from audience_gql.api.people.subscribers import Subscriber


@enum(
    "What has become of a run.",
    WAITING="It waits for the end of its hold.",
    DONE="It has acted. What it does inside this product is committed; its webhooks are on their way.",
    CANCELLED="The person left before the end of the hold, or the automation was resumed without it.",
    SKIPPED="A rule of the automation kept it from acting, or the person was erased.",
    FAILED="An action failed; `reason` says why. Nothing of the run was done.",
    CUT_OFF="Automations followed from each other too deep, or acted too often for the person.",
)
class RunState(StrEnum):
    WAITING = "WAITING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CUT_OFF = "CUT_OFF"


@strawberry.type(description="One automation acting for one person once.")
class AutomationRun(Node):
    state: RunState = strawberry.field(description="What has become of the run.")
    reason: str | None = strawberry.field(
        description="Why the run did not act; null while it waits and when it is DONE."
    )
    revision: int = strawberry.field(description="The automation's revision when the run began.")
    started_at: datetime = strawberry.field(
        description="When the person entered or left the list. For an existing member, when the run began."
    )
    due_at: datetime | None = strawberry.field(
        description="When the hold ends, or ended; null when the automation had none."
    )
    ended_at: datetime | None = strawberry.field(description="When the run ended; null while it waits.")

    @classmethod
    def is_type_of(cls, row: object, _: object) -> bool:
        return isinstance(row, RunRecord)

    @strawberry.field(description="The automation; null after it is deleted.", graphql_type=Automation | None)
    @staticmethod
    async def automation(parent: strawberry.Parent[RunRecord], info: Info) -> Row | None:
        return await info.context.loaders.automations.load(parent.automation_id)

    @strawberry.field(description="Whether the person entered or left. Existing members count as ENTERED.")
    @staticmethod
    def kind(parent: strawberry.Parent[RunRecord]) -> MembershipChangeKind:
        return MembershipChangeKind.ENTERED if parent.entered else MembershipChangeKind.LEFT

    @strawberry.field(description="Why the person entered or left; null for a run for an existing member.")
    @staticmethod
    def cause(parent: strawberry.Parent[RunRecord]) -> MembershipCause | None:
        return None if parent.cause == EXISTING else MembershipCause(parent.cause)

    @strawberry.field(
        description="The change that started the run; null for a run for an existing member, and after the log was shortened.",
        graphql_type=MembershipChange | None,
    )
    @staticmethod
    async def change(parent: strawberry.Parent[RunRecord], info: Info) -> LoggedChange | None:
        if parent.sequence is None:
            return None
        return await info.context.loaders.changes.load((parent.bucket_id, parent.sequence))

    @strawberry.field(description="The person's id. It stays here after an erasure, like the ids in the log.")
    @staticmethod
    def subscriber_id(parent: strawberry.Parent[RunRecord]) -> strawberry.ID:
        return strawberry.ID(ids.subscriber_id((parent.bucket_id, parent.subscriber_id)))

    @strawberry.field(
        description="The person; null after their erasure.",
        graphql_type=Annotated["Subscriber", strawberry.lazy("audience_gql.api.people.subscribers")] | None,
    )
    @staticmethod
    async def subscriber(parent: strawberry.Parent[RunRecord], info: Info) -> SubscriberRecord | None:
        return await info.context.loaders.subscribers.load((parent.bucket_id, parent.subscriber_id))


@strawberry.type(description="A run in a list.")
class AutomationRunEdge(ListEdge):
    node: AutomationRun = strawberry.field(description="The run.")


@strawberry.type(description="A page of runs. The one whose change occurred last comes first.")
class AutomationRunConnection(ListConnection[AutomationRunEdge]): ...


@strawberry.type
class RunSubscription:
    @strawberry.subscription(
        description="The runs of automations: each when it begins, and again when it ends. This is for live views: it begins with the runs "
        "that began or ended in the last 10 seconds, so a client that reads `Automation.runs` at the same time misses none. A client "
        "that was away for longer reads `Automation.runs` again. An unknown id is the error NOT_FOUND.",
        graphql_type=AsyncGenerator[AutomationRun, None],
    )
    @staticmethod
    async def automation_runs(
        info: Info,
        automation_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(
                description=f"The ids of 1 to {LARGEST_PAGE} automations; all automations of the workspace for null."
            ),
        ] = None,
    ) -> AsyncGenerator[RunRecord, None]:
        context = info.context
        numbers: list[int] | None = None
        if automation_ids is not None:
            if not 1 <= len(automation_ids) <= LARGEST_PAGE:
                message = f"`automationIds` takes 1 to {LARGEST_PAGE} ids, not {len(automation_ids)}."
                raise BadUserInput(message, argument="automationIds")
            numbers = [ids.number_of(Kind.AUTOMATION, text) or 0 for text in automation_ids]
            if None in await context.loaders.automations.load_many(numbers):
                raise NotFound("there is no automation with this id", ("automation_ids",))
        followed = follow_runs(ports=context.ports, workspace_id=context.workspace.id, automation_ids=numbers)
        async with aclosing(followed) as runs:
            async for run in runs:
                context.forget()
                yield run
