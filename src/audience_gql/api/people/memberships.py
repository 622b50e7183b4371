"""In which of some segments a person is, for callers that ask about the same segments again and again."""

from __future__ import annotations

from typing import Annotated, Final

import strawberry

from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
from audience_gql.audience.failures import NotFound
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
    if len(segment_ids) > MOST_SEGMENTS:
        message = f"`segmentIds` takes at most {MOST_SEGMENTS} segments, not {len(segment_ids)}."
        raise BadUserInput(message, argument="segmentIds")
    loaders = info.context.loaders
    given = await loaders.segment_numbers.load(tuple(segment_ids))
    numbers = tuple(number for number in given.values() if number is not None)
    if len(numbers) < len(given):
        index = next(index for index, text in enumerate(segment_ids) if given[text] is None)
        raise NotFound("there is no segment with this id", ("segment_ids", index))
    info.context.note_reads(numbers)
    present = await loaders.member_of.load(MemberOf(parent.owner, numbers))
    return [strawberry.ID(text) for text, number in given.items() if present and number in present]
