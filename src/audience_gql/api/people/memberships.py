"""In which of some segments a person is, for callers that ask about the same segments again and again."""

from __future__ import annotations

from typing import Annotated, Final

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.errors import ApiError, BadUserInput
from audience_gql.api.ids import Kind
from audience_gql.storage.reads.batches import MemberOf
from audience_gql.storage.reads.records import SubscriberRecord

MOST_SEGMENTS: Final = 100


@strawberry.field(
    description="Those of some segments that the person is in, as ids in the given order, each once. A segment that is COMPUTING may not have "
    "found the person yet. An unknown id is the error NOT_FOUND, with its position in `index`, from 0.",
    metadata={"weight": 1},  # a look-up for each segment, although the answer has no objects
)
async def member_of(
    parent: strawberry.Parent[SubscriberRecord],
    info: Info,
    segment_ids: Annotated[
        list[strawberry.ID], strawberry.argument(description=f"The ids of at most {MOST_SEGMENTS} segments.")
    ],
) -> list[strawberry.ID]:
    numbers = await _numbers(info, segment_ids)
    present = await info.context.loaders.member_of.load(MemberOf(parent.owner, tuple(numbers.values())))
    return [text for text, number in numbers.items() if present and number in present]


async def _numbers(info: Info, texts: list[strawberry.ID]) -> dict[strawberry.ID, int]:
    """The numbers of these segments, each once. Raises ApiError."""
    if len(texts) > MOST_SEGMENTS:
        message = f"`segmentIds` takes at most {MOST_SEGMENTS} segments, not {len(texts)}."
        raise BadUserInput(message, argument="segmentIds")
    found = await info.context.loaders.segments.load_many(
        ids.number_of(Kind.SEGMENT, text) or 0 for text in texts
    )
    numbers = {}
    for index, (text, segment) in enumerate(zip(texts, found, strict=True)):
        if segment is None:
            raise ApiError(
                "NOT_FOUND", "There is no segment with this id.", argument="segmentIds", index=index
            )
        numbers[text] = segment.id
    info.context.note_reads(numbers.values())
    return numbers
