"""The queries of one segment, and of the list of segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import strawberry

from audience_gql.api.context import Context, Info
from audience_gql.api.declaring import together
from audience_gql.api.keys import SegmentKey, find_segment, named_segment
from audience_gql.api.lists.orders import ListOrder, OrderBy, listings
from audience_gql.api.lists.segments import Segment, SegmentConnection, SegmentState
from audience_gql.api.pagination import PAGE_SIZE, After, First, Page
from audience_gql.api.search import Search, words
from audience_gql.storage.orm import models
from audience_gql.storage.reads import pages, rows
from audience_gql.storage.reads.composed.sources import PageSource, RowSource
from audience_gql.storage.reads.records import Columns

_LISTINGS: Final = listings("segments")


async def _segment(
    context: Context, _parents: Sequence[None], columns: Columns = None, *, by: SegmentKey
) -> list[models.Segment | None]:
    return [await find_segment(context, by, columns)]


def _segment_source(_: Context, *, by: SegmentKey) -> RowSource | None:
    key = named_segment(by)
    if key is None:
        return None
    return RowSource(rows.SEGMENT_BY_ID if isinstance(key, int) else rows.SEGMENT_BY_NAME, (key,))


def _segments_source(
    _: Context,
    *,
    search: str | None = None,
    state: list[SegmentState] | None = None,
    order_by: ListOrder = ListOrder.NAME_ASC,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> PageSource | None:
    return (
        None if search or state else _LISTINGS[order_by].source(pages.SEGMENTS[order_by.value], first, after)
    )


async def _segments(
    context: Context,
    _parents: Sequence[None],
    columns: Columns = None,
    *,
    search: str | None = None,
    state: list[SegmentState] | None = None,
    order_by: ListOrder = ListOrder.NAME_ASC,
    first: int | None = PAGE_SIZE,
    after: str | None = None,
) -> list[Page[models.Segment]]:
    listing = _LISTINGS[order_by]
    part = listing.slice(first, after)
    entries, figures = await pages.segments(
        context.ports.database,
        context.workspace.id,
        part,
        order_by=order_by.value,
        words=words(search),
        states=state or (),
        columns=columns,
    )
    for number, known in figures.items():
        context.loaders.figures.prime(number, known)
    return [listing.page(entries, part)]


@strawberry.type
class SegmentQuery:
    @strawberry.field(
        description="The segment with this id or name; null when there is none.",
        graphql_type=Segment | None,
        metadata=together(_segment, reads=(), written=_segment_source),
    )
    @staticmethod
    async def segment(
        info: Info,
        by: Annotated[SegmentKey, strawberry.argument(description="The segment's id or name.")],
    ) -> models.Segment | None:
        (segment,) = await _segment(info.context, [None], by=by)
        return segment

    @strawberry.field(
        description="The segments of the workspace.",
        graphql_type=SegmentConnection,
        metadata=together(_segments, reads=(), written=_segments_source),
    )
    @staticmethod
    async def segments(
        info: Info,
        search: Search = None,
        state: Annotated[
            list[SegmentState] | None,
            strawberry.argument(
                description="Only segments in one of these states; all segments for null or []."
            ),
        ] = None,
        order_by: OrderBy = ListOrder.NAME_ASC,
        first: First = PAGE_SIZE,
        after: After = None,
    ) -> Page[models.Segment]:
        (page,) = await _segments(
            info.context,
            [None],
            search=search,
            state=state,
            order_by=order_by,
            first=first,
            after=after,
        )
        return page
