"""The subscription to the current state of segments."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from audience_gql.api import ids as opaque
from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.ids import Kind
from audience_gql.api.lists.segments import Segment
from audience_gql.api.pagination import LARGEST_PAGE
from audience_gql.storage.orm import models


@strawberry.type
class SegmentSubscription:
    @strawberry.subscription(
        description=(
            "The current state of segments: each segment at once, and again after its size, state or definition changed, at most once a "
            "second. Intermediate states are skipped. A deleted segment sends no more results, and when all are deleted, the "
            "subscription ends. An unknown id is the error NOT_FOUND."
        ),
        graphql_type=AsyncGenerator[Segment, None],
    )
    @staticmethod
    async def segment_updates(
        info: Info,
        ids: Annotated[
            list[strawberry.ID],
            strawberry.argument(description=f"The ids of 1 to {LARGEST_PAGE} segments."),
        ],
    ) -> AsyncGenerator[models.Segment, None]:
        if not 1 <= len(ids) <= LARGEST_PAGE:
            raise BadUserInput(f"`ids` takes 1 to {LARGEST_PAGE} segments, not {len(ids)}.", argument="ids")
        context = info.context
        numbers = [opaque.number_of(Kind.SEGMENT, text) or 0 for text in ids]
        followed = context.services.watch.follow(context.workspace.id, numbers)
        async with aclosing(followed) as updates:
            async for watched in updates:
                context.forget()
                context.note_reads([watched.segment.id])
                context.loaders.figures.prime(watched.segment.id, watched.figures)
                yield watched.segment
