"""The performance of a segment: what its members do, compared with everybody and with another segment."""

from __future__ import annotations

from typing import Annotated, Final

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.declaring import RUNS_ONCE
from audience_gql.api.errors import ApiError, BadUserInput
from audience_gql.api.ids import Kind
from audience_gql.api.insights.periods import From, To, past_period
from audience_gql.audience.insights import performance as insights
from audience_gql.audience.insights.performance import Comparison
from audience_gql.storage.orm import models

MOST_EVENTS: Final = 10


@strawberry.type(description="The events of one name that the people of one audience had in a period.")
class Performance:
    people: int = strawberry.field(description="The number of different people who had such an event.")
    audience: int = strawberry.field(
        description="For a segment: the number of people who were members at some instant of the period. For everybody: the number of people "
        "in the workspace now. Erased people do not count."
    )
    events: int = strawberry.field(description="The number of events.")
    sum: float | None = strawberry.field(
        description="The sum of the events' values; null when none has a value."
    )
    mean: float | None = strawberry.field(
        description="The mean of the values of the events that have one; null when none has a value."
    )
    rate: float | None = strawberry.field(
        description="The share of the audience who had such an event: `people` / `audience`, from 0 to 1. Null when `audience` is 0."
    )


@strawberry.type(
    description="How often one event happened in a period: to the members of a segment, to everybody, and to the members of another segment. "
    "An event counts for a segment if its person was a member at the instant of the event: from the instant at which they entered, until "
    "before the instant at which they left."
)
class EventPerformance:
    event: str = strawberry.field(description="The name of the event.")
    members: Performance = strawberry.field(
        description="The events that happened to people while they were members."
    )
    everybody: Performance = strawberry.field(description="The events of all people, members or not.")
    compared: Performance | None = strawberry.field(
        description="The events that happened to people while they were members of the segment `comparedTo`; null without `comparedTo`."
    )


async def _performance(
    parent: strawberry.Parent[models.Segment],
    info: Info,
    events: Annotated[
        list[str],
        strawberry.argument(
            description=f"The names of 1 to {MOST_EVENTS} events. A name that no event has counts as zero events."
        ),
    ],
    start: From,
    end: To = None,
    compared_to: Annotated[
        strawberry.ID | None,
        strawberry.argument(
            description="The id of another segment to compare with. An unknown one is the error NOT_FOUND. Default: none."
        ),
    ] = None,
) -> list[insights.EventPerformance]:
    if not 1 <= len(events) <= MOST_EVENTS:
        message = f"`events` takes 1 to {MOST_EVENTS} names, not {len(events)}."
        raise BadUserInput(message, argument="events")
    period = await past_period(info, start, end)
    wanted = Comparison(
        segment_id=parent.id,
        compared_to=await _compared_id(info, compared_to),
        events=tuple(events),
        start=period.start,
        end=period.end,
    )
    return await info.context.loaders.insights.performances.load(wanted)


async def _compared_id(info: Info, given: strawberry.ID | None) -> int | None:
    """The number of the segment to compare with."""
    if given is None:
        return None
    segment = await info.context.loaders.segments.load(ids.number_of(Kind.SEGMENT, given) or 0)
    if segment is None:
        raise ApiError("NOT_FOUND", "There is no segment with this id.", argument="comparedTo")
    return segment.id


performance = strawberry.field(
    resolver=_performance,
    description="What the members of the segment did in a period while they were members, next to what everybody did: one result for each "
    "event name, in the given order.",
    graphql_type=list[EventPerformance],
    metadata={"up_to": 100, RUNS_ONCE: True},  # reads the events of all people in the period
)
