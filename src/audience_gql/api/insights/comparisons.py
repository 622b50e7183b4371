"""Experiments: what the people of two segments did, and how sure the difference between them is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.ids import Kind
from audience_gql.api.insights.periods import From, To, past_period
from audience_gql.audience.failures import NotFound
from audience_gql.audience.insights import comparisons
from audience_gql.audience.insights.comparisons import Comparison, Side
from audience_gql.conditions.given_values import BadValue, given_number
from audience_gql.storage.orm import models

if TYPE_CHECKING:
    from audience_gql.api.lists.segments import Segment

MOST_DAYS: Final = 365


@strawberry.type(description="An interval that contains the true number in at least 95 % of cases.")
class ConfidenceInterval:
    low: float = strawberry.field(description="The lower end.")
    high: float = strawberry.field(description="The upper end.")


@strawberry.type(description="The people of one segment in a comparison, and what they did.")
class ComparedSegment:
    interval: ConfidenceInterval | None = strawberry.field(
        name="rateInterval", description="Wilson's 95 % interval for `rate`. Null without people."
    )
    value: float | None = strawberry.field(
        description="The sum of the values of these events. An event without a value counts as 0. Null if the sum is too large for a number."
    )
    mean: float | None = strawberry.field(
        name="meanValue",
        description="`value` divided by `people`: people without such an event count as 0. Null without people, or if it is too large for a number.",
    )

    @strawberry.field(
        description="The segment; null if it was deleted in the meantime.",
        graphql_type=Annotated["Segment", strawberry.lazy("audience_gql.api.lists.segments")] | None,
    )
    @staticmethod
    async def segment(parent: strawberry.Parent[Side], info: Info) -> models.Segment | None:
        return await info.context.loaders.segments.load(parent.segment_id)

    @strawberry.field(
        description="The number of people who were in this segment at some time of the period and never in the other one. With `withinDays`, only "
        "those who joined so many days before the end of the period. Erased people are left out."
    )
    @staticmethod
    def people(parent: strawberry.Parent[Side]) -> int:
        return parent.outcomes.people

    @strawberry.field(description="The number of these people who have at least one event that counts.")
    @staticmethod
    def converted(parent: strawberry.Parent[Side]) -> int:
        return parent.outcomes.converted

    @strawberry.field(description="`converted` divided by `people`, from 0 to 1. Null without people.")
    @staticmethod
    def rate(parent: strawberry.Parent[Side]) -> float | None:
        return None if parent.share is None else parent.share.rate

    @strawberry.field(description="The number of their events that count.")
    @staticmethod
    def events(parent: strawberry.Parent[Side]) -> int:
        return parent.outcomes.events


@strawberry.type(description="How much higher the rate of b is than the rate of a.")
class RateDifference:
    difference: float = strawberry.field(
        description="The rate of b minus the rate of a: 0.02 for 5 % and 7 %."
    )
    interval: ConfidenceInterval = strawberry.field(
        description="Newcombe's 95 % interval for the difference (hybrid score interval, method 10). It is right for people who decide beforehand "
        "when they look, and look once. People who look every day and stop when 0 is outside find differences where there are none."
    )
    anytime: ConfidenceInterval = strawberry.field(
        name="anytimeInterval",
        description="A 95 % interval for the difference that stays right for all looks together, so you can look every day and stop at any moment. It is about twice "
        "as wide as `interval`. It assumes that people join one after the other, that each next person of a side converts with the same probability "
        "whatever others did, and that a person who is counted has either converted or never will. `withinDays` makes the last point true. Keep the arguments the same for "
        "all looks, except `to`.",
    )


@strawberry.type(description="How much higher the mean value of a person of b is than that of a person of a.")
class MeanDifference:
    difference: float = strawberry.field(description="The mean value of b minus the mean value of a.")
    interval: ConfidenceInterval | None = strawberry.field(
        description="Welch's 95 % interval for the difference, for people who look once. Null if a side has fewer than two people, or if it is too large for a number."
    )


@strawberry.type(
    description="Whether the two sides have as many people as they should. If not, something other than chance decides who is on which side, and "
    "the differences may come from that."
)
class SampleRatio:
    expected_share_of_a: float = strawberry.field(
        description="The share of the people of a and b that a should have, from 0 to 1: `expectedShareOfA`, or that of the shares of one `splitSegment`."
    )
    share_of_a: float = strawberry.field(description="The share that a has.")
    p_value: float = strawberry.field(
        description="The probability that chance alone moves the share at least so far from the expected one (χ² test)."
    )


@strawberry.type(description="A comparison of the people of two segments, all read at the same instant.")
class SegmentComparison:
    a: ComparedSegment = strawberry.field(description="The first segment, for example the control group.")
    b: ComparedSegment = strawberry.field(description="The second segment.")
    in_both: int = strawberry.field(
        description="The number of people who were in both segments during the period. They count on neither side, because nobody knows which side their events "
        "belong to, and because the intervals need two sides without a common person. If one segment is a part of the other, nobody is left on its side."
    )
    rates: RateDifference | None = strawberry.field(
        name="rateDifference",
        description="The difference of the rates. Null if a side has no people.",
    )
    means: MeanDifference | None = strawberry.field(
        name="meanDifference",
        description="The difference of the mean values. Null if a side has no people, or if it is too large for a number.",
    )
    ratio: SampleRatio | None = strawberry.field(
        name="sampleRatio",
        description="Null if there are no people, or if the expected share is unknown: the segments are not shares of one `splitSegment`, and "
        "`expectedShareOfA` is not given.",
    )
    warnings: list[str] = strawberry.field(
        description="What speaks against trusting the comparison, in sentences for people. Empty if nothing was found."
    )


@strawberry.type
class SegmentComparisonQuery:
    @strawberry.field(
        description="Compares everybody who was in one of two segments at some time of a period, by their events of one name. A person joins at `from` if they were "
        "in the segment then, and otherwise when they first entered it. Their events count from joining on, also after they have left the segment, so that "
        "nobody is dropped because of what the experiment did to them. An unknown id is the error NOT_FOUND.",
        graphql_type=SegmentComparison,
        metadata={"weight": 100},  # reads both segments' part of the log, and the events of all their people
    )
    @staticmethod
    async def compare_segments(
        info: Info,
        a: Annotated[strawberry.ID, strawberry.argument(description="The id of the first segment.")],
        b: Annotated[strawberry.ID, strawberry.argument(description="The id of the second segment.")],
        event: Annotated[
            str, strawberry.argument(description="The name of the events, for example order_placed.")
        ],
        start: From,
        end: To = None,
        within_days: Annotated[
            int | None,
            strawberry.argument(
                description=f"Count a person's events for so many times 24 hours after joining, 1 to {MOST_DAYS}, and only people for whom this time is over at "
                "`to`. Without it, events count up to `to`, and people who joined lately have had little time to convert."
            ),
        ] = None,
        expected_share_of_a: Annotated[
            float | None,
            strawberry.argument(
                description="The share of the people of a and b that a should have, more than 0 and less than 1, for example 0.5. By default, the percentages "
                "decide if both are shares of one `splitSegment`, and otherwise nothing is expected."
            ),
        ] = None,
    ) -> Comparison:
        period = await past_period(info, start, end)
        first, second = await _two_segments(info, a, b)
        return await comparisons.compare_segments(
            ports=info.context.heavy_ports,
            workspace=info.context.workspace,
            a=first,
            b=second,
            event=event.strip(),
            start=period.start,
            end=period.end,
            within=_within(within_days),
            expected_share_of_a=_share(expected_share_of_a),
        )


async def _two_segments(info: Info, a: str, b: str) -> tuple[models.Segment, models.Segment]:
    if a == b:
        raise BadUserInput("`a` and `b` must be different segments.", argument="b")
    found = await info.context.loaders.segments.load_many(
        [ids.number_of(Kind.SEGMENT, text) or 0 for text in (a, b)]
    )
    first, second = found
    if first is None or second is None:
        raise NotFound("there is no segment with this id", ("a" if first is None else "b",))
    return first, second


def _within(days: int | None) -> timedelta | None:
    if days is None:
        return None
    if not 1 <= days <= MOST_DAYS:
        raise BadUserInput(f"`withinDays` must be 1 to {MOST_DAYS}, not {days}.", argument="withinDays")
    return timedelta(days=days)


def _share(given: object) -> float | None:
    if given is None:
        return None
    try:
        share = float(given_number(given))
    except BadValue as error:
        raise BadUserInput(f"`expectedShareOfA`: {error.message}.", argument="expectedShareOfA") from error
    if not 0 < share < 1:
        message = "`expectedShareOfA` must be more than 0 and less than 1."
        raise BadUserInput(message, argument="expectedShareOfA")
    return share
