"""The failures that only automations and webhooks have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.failures import Handler, UserError
from audience_gql.audience.acting import editing, surroundings
from audience_gql.audience.acting.loops import Link
from audience_gql.audience.webhooks.endpoints import EndpointConflict
from audience_gql.audience.webhooks.replays import NotFailed
from audience_gql.audience.webhooks.trials import TrialRunning
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.acting.models import WebhookEndpoint as EndpointRow
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.acting.automations import Automation
    from audience_gql.api.acting.endpoints import WebhookEndpoint
    from audience_gql.api.lists.groups import Group
    from audience_gql.api.lists.segments import Segment


@strawberry.type(description="A step on the way on which automations start each other.")
class AutomationLoopStep:
    link: strawberry.Private[Link]

    @strawberry.field(
        description="The automation that acts; null for the one that was refused, if it is new.",
        graphql_type=Annotated["Automation", strawberry.lazy("audience_gql.api.acting.automations")] | None,
    )
    @staticmethod
    async def automation(parent: strawberry.Parent[AutomationLoopStep], info: Info) -> Row | None:
        return await info.context.loaders.automations.load(parent.link.automation_id)

    @strawberry.field(
        description="The segment that its actions may change, and that starts the next automation; null if it is a group.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[AutomationLoopStep], info: Info) -> models.Segment | None:
        is_it = parent.link.list_kind == "SEGMENT"
        return await info.context.loaders.segments.load(parent.link.list_id) if is_it else None

    @strawberry.field(
        description="The group that its actions change, and that starts the next automation; null if it is a segment.",
        graphql_type=Annotated["Group", strawberry.lazy("audience_gql.api.lists.groups")] | None,
    )
    @staticmethod
    async def group(parent: strawberry.Parent[AutomationLoopStep], info: Info) -> models.Group | None:
        is_it = parent.link.list_kind == "GROUP"
        return await info.context.loaders.groups.load(parent.link.list_id) if is_it else None


@strawberry.type(
    description="The automation would start itself again and again, directly or through others. A rule about `reentry` bounds it."
)
class AutomationLoop(UserError):
    way: list[AutomationLoopStep] = strawberry.field(
        description="The way round, from the refused automation on. The last step starts it again."
    )


@strawberry.type(
    description="The automation was edited after the revision `ifRevision`. This edit was not applied."
)
class AutomationConflict(UserError):
    automation_id: strawberry.Private[int]

    @strawberry.field(
        description="The automation as it is now.",
        graphql_type=Annotated["Automation", strawberry.lazy("audience_gql.api.acting.automations")] | None,
    )
    @staticmethod
    async def current(parent: strawberry.Parent[AutomationConflict], info: Info) -> Row | None:
        return await info.context.loaders.automations.load(parent.automation_id)


@strawberry.type(
    description="The webhook endpoint was edited after the revision `ifRevision`. This edit was not applied."
)
class WebhookEndpointConflict(UserError):
    endpoint_id: strawberry.Private[int]

    @strawberry.field(
        description="The endpoint as it is now.",
        graphql_type=Annotated["WebhookEndpoint", strawberry.lazy("audience_gql.api.acting.endpoints")]
        | None,
    )
    @staticmethod
    async def current(parent: strawberry.Parent[WebhookEndpointConflict], info: Info) -> EndpointRow | None:
        return await info.context.loaders.endpoints.load(parent.endpoint_id)


@strawberry.type(
    description="The message waits, was delivered or was dropped. Only a message that has failed can be replayed."
)
class WebhookDeliveryNotFailed(UserError): ...


@strawberry.type(
    description="Another test message is on its way, so this one was not sent. Try again when the first one is answered."
)
class WebhookTestRunning(UserError): ...


ACTING_HANDLERS: Final[list[Handler[Any]]] = [  # Any: each handles another class of failure
    Handler(
        surroundings.AutomationLoop,
        AutomationLoop,
        lambda it, spell: AutomationLoop(
            message=it.message, path=spell(it.path), way=[AutomationLoopStep(link=link) for link in it.way]
        ),
    ),
    Handler(
        editing.AutomationConflict,
        AutomationConflict,
        lambda it, spell: AutomationConflict(
            message=it.message, path=spell(it.path), automation_id=it.automation_id
        ),
    ),
    Handler(
        EndpointConflict,
        WebhookEndpointConflict,
        lambda it, spell: WebhookEndpointConflict(
            message=it.message, path=spell(it.path), endpoint_id=it.endpoint_id
        ),
    ),
    Handler(
        NotFailed,
        WebhookDeliveryNotFailed,
        lambda it, spell: WebhookDeliveryNotFailed(message=it.message, path=spell(it.path)),
    ),
    Handler(
        TrialRunning,
        WebhookTestRunning,
        lambda it, spell: WebhookTestRunning(message=it.message, path=spell(it.path)),
    ),
]
