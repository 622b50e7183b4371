"""The flow of a segment: who came and left in a period, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.insights.periods import From, To, past_period
from audience_gql.audience.insights.flows import Flow
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.lists.membership import MembershipCause

_CAUSES: Final = 8
"""The number of causes that exist."""


@strawberry.type(description="The changes of a segment that have one cause.")
class CauseFlow:
    cause: Annotated[MembershipCause, strawberry.lazy("audience_gql.api.lists.membership")] = (
        strawberry.field(description="Why the people entered or left.")
    )
    entered: int = strawberry.field(description="The number of entries.")
    left: int = strawberry.field(description="The number of exits.")


@strawberry.type(
    description="Who entered and left a segment in a period. Erased people count, too: the log still has their changes, without who they were."
)
class SegmentFlow:
    start: datetime = strawberry.field(name="from", description="The beginning of the period.")
    end: datetime = strawberry.field(name="to", description="The first instant after the period.")
    members_at_start: int = strawberry.field(description="The number of members right before the period.")
    members_at_end: int = strawberry.field(
        description="The number of members at the end of the period: those at the start, with all entries and without all exits."
    )
    causes: list[CauseFlow] = strawberry.field(
        description="The number of entries and exits for each cause, sorted by cause. A person counts each time. Causes without changes "
        "are omitted.",
        metadata={"up_to": _CAUSES},
    )
    came: int = strawberry.field(description="The number of different people who entered.")
    came_back: int = strawberry.field(
        description="The number of different people who entered after they had left the segment before, in the period or at any earlier time "
        "of which the log still has the exit."
    )
    left: int = strawberry.field(description="The number of different people who left.")

    @strawberry.field(
        description="The median length, in whole seconds, of the stays that ended in the period. Null when none ended."
    )
    @staticmethod
    def median_stay_seconds(parent: strawberry.Parent[Flow]) -> int | None:
        return None if parent.median_stay is None else int(parent.median_stay.total_seconds())


async def _flow(parent: strawberry.Parent[models.Segment], info: Info, start: From, end: To = None) -> Flow:
    period = await past_period(info, start, end)
    return await info.context.loaders.insights.flows.load((parent.id, period.start, period.end))


flow = strawberry.field(
    resolver=_flow,
    description="Who entered and left the segment in a period, and why, as the log has it.",
    graphql_type=SegmentFlow,
    metadata={"weight": 10},  # reads the segment's part of the log since `from`
)
