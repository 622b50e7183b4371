"""The live feed, and the progress of a recompute: what goes on by itself once asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Context, Info
from audience_gql.api.ids import Kind
from audience_gql.api.keys import SubscriberKey, find_owner
from audience_gql.api.membership import MembershipChange
from audience_gql.api.shapes import enum
from audience_gql.audience.feed import CHANGES_A_BATCH, Batch, follow
from audience_gql.audience.segments import recompute_progress
from audience_gql.storage import models
from audience_gql.storage.facts import Owner
from audience_gql.storage.feed import FeedFilter

if TYPE_CHECKING:
    from audience_gql.api.segments import Segment

_NOBODY: Owner = (0, 0)
"""A person that no workspace has: what nobody's key filters for."""


@strawberry.type(description="Changes in the order in which they were committed, and where they leave off.")
class MembershipChangeBatch:
    changes: list[MembershipChange] = strawberry.field(
        description=f"Up to {CHANGES_A_BATCH}, possibly none.", metadata={"up_to": CHANGES_A_BATCH}
    )
    after: str = strawberry.field(
        description=(
            "The cursor this batch continues from: equal to the previous batch's `cursor`, so that a client can prove that it "
            "lost nothing."
        )
    )
    cursor: str = strawberry.field(
        description="Give it back as `after` to go on from here, in any process, after any crash."
    )


@enum(
    "How far a recompute is.",
    QUEUED="It has not begun.",
    EVALUATING="The members are being found.",
    DONE="It is over: the segment holds exactly the right people.",
    FAILED="It is over: the condition cannot be evaluated.",
)
class RecomputePhase(StrEnum):
    QUEUED = "QUEUED"
    EVALUATING = "EVALUATING"
    DONE = "DONE"
    FAILED = "FAILED"


@strawberry.type(description="How far a segment's recompute is.")
class RecomputeProgress:
    segment_number: strawberry.Private[int]
    phase: RecomputePhase = strawberry.field(description="What is being done.")
    fraction: float = strawberry.field(description="How much of the audience is done, from 0 to 1.")
    members: int | None = strawberry.field(description="How many people are in the segment by now.")
    entered: int | None = strawberry.field(description="How many it has let in so far.")
    left: int | None = strawberry.field(description="How many it has let go so far.")
    failure: str | None = strawberry.field(description="Why it failed.")

    @strawberry.field(
        description="The segment.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.segments")],
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[RecomputeProgress], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_number)


@strawberry.type
class FeedSubscription:
    @strawberry.subscription(
        description=(
            "Live and gapless: everything after `after`, then what happens; without `after`, from now. No filter: every segment "
            "and group. The first batch comes at once, possibly empty, so that a client always holds a cursor; while nothing "
            "matches, an empty batch moves the cursor every 30 s."
        ),
        graphql_type=AsyncGenerator[MembershipChangeBatch, None],
    )
    @staticmethod
    async def membership_changes(
        info: Info,
        segment_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only of these segments.")
        ] = None,
        group_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only of these groups.")
        ] = None,
        subscriber: Annotated[
            SubscriberKey | None, strawberry.argument(description="Only of this person.")
        ] = None,
        after: Annotated[
            str | None, strawberry.argument(description="The `cursor` of the last batch that was dealt with.")
        ] = None,
    ) -> AsyncGenerator[Batch, None]:
        context = info.context
        wanted = FeedFilter(
            segment_ids=_numbers(Kind.SEGMENT, segment_ids),
            group_ids=_numbers(Kind.GROUP, group_ids),
            subscriber=await _owner(context, subscriber),
        )
        batches = follow(
            ports=context.ports,
            workspace=context.workspace,
            cursors=context.services.cursors,
            after=after,
            wanted=wanted,
            poll_seconds=context.services.settings.feed_poll_seconds,
            heartbeat_seconds=context.services.settings.feed_heartbeat_seconds,
        )
        async for batch in batches:
            context.forget()
            yield batch

    @strawberry.subscription(
        description="Recompute on demand: starts one, or joins the one under way, and reports until it ends.",
        graphql_type=AsyncGenerator[RecomputeProgress, None],
    )
    @staticmethod
    async def recompute_segment(
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Which segment.")],  # noqa: A002  # the schema's name
    ) -> AsyncGenerator[RecomputeProgress, None]:
        context = info.context
        number = ids.number_of(Kind.SEGMENT, id)
        reports = recompute_progress(ports=context.ports, workspace=context.workspace, segment_id=number)
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


def _numbers(kind: Kind, texts: Sequence[str] | None) -> frozenset[int] | None:
    """What to filter for. An id of nothing filters for nothing, like one of something without changes."""
    if texts is None:
        return None
    numbers = (ids.number_of(kind, text) for text in texts)
    return frozenset(number for number in numbers if number is not None)


async def _owner(context: Context, key: SubscriberKey | None) -> Owner | None:
    if key is None:
        return None
    return await find_owner(context, key) or _NOBODY
