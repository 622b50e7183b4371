"""Who was a member at an instant of the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.errors import ApiError
from audience_gql.api.ids import Kind
from audience_gql.api.insights.periods import past_instant
from audience_gql.api.pagination import Listing, Page
from audience_gql.storage.insights.past import WasMember
from audience_gql.storage.reads.list_pages import Members
from audience_gql.storage.reads.records import SubscriberRecord

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
    """A page of a segment's members, with the position of the live feed."""

    feed_cursor: str


def members_page(info: Info, page: Page[SubscriberRecord], members: Members) -> MembersPage:
    """The page, with the log's position that the members belong to."""
    feed_cursor = info.context.services.cursors.encode(info.context.workspace, members.heads)
    return MembersPage(page.edges, page.page_info, feed_cursor)


async def members_as_of(
    info: Info, segment_id: int, as_of: datetime, first: int | None, after: str | None
) -> MembersPage:
    """The segment's members at an instant of the past. Raises BadUserInput, LogExpired."""
    instant = await past_instant(info, as_of, "asOf")
    part = _PAST_MEMBERS.slice(first, after)
    members = await info.context.loaders.insights.past_members.load((segment_id, part, instant))
    return members_page(info, _PAST_MEMBERS.page(members.entries, part), members)


async def _was_member(
    parent: strawberry.Parent[SubscriberRecord],
    info: Info,
    segment_id: Annotated[strawberry.ID, strawberry.argument(description="The segment's id.")],
    at: Annotated[datetime, strawberry.argument(description="The instant. It must not be in the future.")],
) -> bool | None:
    instant = await past_instant(info, at, "at")
    segment = await info.context.loaders.segments.load(ids.number_of(Kind.SEGMENT, segment_id) or 0)
    if segment is None:
        raise ApiError("NOT_FOUND", "There is no segment with this id.", argument="segmentId")
    return await info.context.loaders.insights.were_members.load(WasMember(parent.owner, segment.id, instant))


was_member = strawberry.field(
    resolver=_was_member,
    description="Whether the person was a member of a segment at an instant of the past, as the log has it. Null if the log is no longer "
    "complete at that instant. An unknown segment is the error NOT_FOUND.",
)
