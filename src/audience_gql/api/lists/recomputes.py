"""The recompute of a segment as a subscription that reports its progress."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.ids import Kind
from audience_gql.api.lists.segments import Segment
from audience_gql.api.shapes import enum
from audience_gql.audience.definitions.recomputes import recompute_progress
from audience_gql.storage.orm import models


@enum(
    "The phase of a recompute.",
    QUEUED="The recompute is requested and has not started. This is always the first report, unless the recompute fails at once.",
    EVALUATING="A worker is finding the members.",
    DONE="The recompute has ended. The segment holds exactly the people who match.",
    FAILED="The recompute has ended without a result: the condition cannot be evaluated, or the segment is paused.",
)
class RecomputePhase(StrEnum):
    QUEUED = "QUEUED"
    EVALUATING = "EVALUATING"
    DONE = "DONE"
    FAILED = "FAILED"


@strawberry.type(description="A progress report of a segment's recompute.")
class RecomputeProgress:
    segment_number: strawberry.Private[int]
    phase: RecomputePhase = strawberry.field(description="The current phase. DONE and FAILED are final.")
    fraction: float = strawberry.field(description="The finished share of the audience, from 0 to 1.")
    members: int | None = strawberry.field(description="The number of people in the segment now.")
    entered: int | None = strawberry.field(
        description="The number of people that this recompute has added so far."
    )
    left: int | None = strawberry.field(
        description="The number of people that this recompute has removed so far."
    )
    failure: str | None = strawberry.field(
        description="Why the recompute failed. Null unless `phase` is FAILED."
    )

    @strawberry.field(
        description="The segment that is recomputed.",
        graphql_type=Segment,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[RecomputeProgress], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_number)


@strawberry.type
class RecomputeSubscription:
    @strawberry.subscription(
        description="Recomputes a segment's members from the raw facts and reports the progress from QUEUED until the end. If a "
        "recompute is running, the subscription joins it. If one ended within the last minute, its result is reported instead. "
        "A paused segment FAILS at once. An unknown id is the error NOT_FOUND.",
        graphql_type=AsyncGenerator[RecomputeProgress, None],
    )
    @staticmethod
    async def recompute_segment(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The segment's id.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[RecomputeProgress, None]:
        context = info.context
        number = ids.number_of(Kind.SEGMENT, id)
        reported = recompute_progress(ports=context.ports, workspace=context.workspace, segment_id=number)
        async with aclosing(reported) as reports:  # type: ignore[type-var]  # an async generator, declared as an iterator
            async for report in reports:
                context.forget()
                yield RecomputeProgress(
                    segment_number=number or 0,
                    phase=RecomputePhase(report.phase),
                    fraction=report.fraction,
                    members=report.members,
                    entered=report.entered,
                    left=report.left,
                    failure=report.failure,
                )
