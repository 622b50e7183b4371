"""Segments that tell of themselves when they change."""

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
from audience_gql.storage import models


@strawberry.type
class SegmentSubscription:
    @strawberry.subscription(
        description=(
            "Each of these segments at once, and again whenever its size, state or definition has changed; at most once a second "
            "each, and then as it is by then. One that is deleted is told of no more, and when all are, the subscription ends."
        ),
        graphql_type=AsyncGenerator[Segment, None],
    )
    @staticmethod
    async def segment_updates(
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description=f"Which: 1 to {LARGEST_PAGE}.")],
    ) -> AsyncGenerator[models.Segment, None]:
        if not 1 <= len(ids) <= LARGEST_PAGE:
            raise BadUserInput(f"Name 1 to {LARGEST_PAGE} segments, not {len(ids)}.", argument="ids")
        context = info.context
        numbers = [opaque.number_of(Kind.SEGMENT, text) or 0 for text in ids]
        followed = context.services.watch.follow(context.workspace.id, numbers)
        async with aclosing(followed) as updates:  # type: ignore[type-var]  # an async generator, declared as an iterator
            async for watched in updates:
                context.forget()
                context.loaders.figures.prime(watched.segment.id, watched.figures)
                yield watched.segment
