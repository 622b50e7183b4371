"""Who was a member at an instant of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Context, Info
from audience_gql.api.errors import ApiError
from audience_gql.api.ids import Kind
from audience_gql.api.insights.periods import past_instant
from audience_gql.api.pagination import Listing, Page
from audience_gql.storage.insights.past import WasMember
from audience_gql.storage.reads.list_pages import Members
from audience_gql.storage.reads.records import SubscriberRecord
from audience_gql.storage.reads.slices import Slice

_PAST_MEMBERS: Final = Listing("segment.membersAsOf", datetime, int, int)

AsOf: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        description="The people who were members at this instant, as the log has it, and when they had entered. The people are shown as they "
        "are now, and erased people are missing. If the log is no longer complete at that instant, the error is LOG_EXPIRED. An instant "
        "after `evaluatedThrough` can still get other members. Default: the members now."
    ),
]


@dataclass(frozen=True, slots=True)
class MembersPage(Page[SubscriberRecord]):
    """A page of a segment's members, and the position of the live feed that they belong to."""

    heads: Mapping[int, int]
    context: Context

    @property
    def feed_cursor(self) -> str:
        return self.context.services.cursors.encode(self.context.workspace, self.heads)


def members_page(context: Context, listing: Listing, members: Members, part: Slice) -> MembersPage:
    return MembersPage(listing, members.entries, part, members.heads, context)


async def members_as_of(
    context: Context, segment_ids: Sequence[int], as_of: datetime, first: int | None, after: str | None
) -> list[MembersPage]:
    """Each segment's members at an instant of the past. Raises BadUserInput, LogExpired."""
    instant = await past_instant(context, as_of, "asOf")
    part = _PAST_MEMBERS.slice(first, after)
    found = await context.loaders.insights.past_members.load_now(
        [(segment_id, part, instant) for segment_id in segment_ids]
    )
    return [members_page(context, _PAST_MEMBERS, members, part) for members in found]


async def _was_member(
    parent: strawberry.Parent[SubscriberRecord],
    info: Info,
    segment_id: Annotated[strawberry.ID, strawberry.argument(description="The segment's id.")],
    at: Annotated[datetime, strawberry.argument(description="The instant. It must not be in the future.")],
) -> bool | None:
    instant = await past_instant(info.context, at, "at")
    segment = await info.context.loaders.segments.load(ids.number_of(Kind.SEGMENT, segment_id) or 0)
    if segment is None:
        raise ApiError("NOT_FOUND", "There is no segment with this id.", argument="segmentId")
    return await info.context.loaders.insights.were_members.load(WasMember(parent.owner, segment.id, instant))


was_member = strawberry.field(
    resolver=_was_member,
    description="Whether the person was a member of a segment at an instant of the past, as the log has it. Null if the log is no longer "
    "complete at that instant. An unknown segment is the error NOT_FOUND.",
)
