"""Compares the people of two segments by what they did since they joined, with intervals for the differences.

Everything is read in one snapshot. The statistics are in the room beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from audience_gql.audience.definitions.splitting import share_of_first
from audience_gql.audience.insights.statistics.anytime import anytime
from audience_gql.audience.insights.statistics.means import Values, welch
from audience_gql.audience.insights.statistics.proportions import Interval, Share, newcombe, wilson
from audience_gql.audience.insights.statistics.ratios import ratio_p_value
from audience_gql.audience.ports import Ports
from audience_gql.storage.insights import comparisons
from audience_gql.storage.insights.comparisons import Outcomes, Question
from audience_gql.storage.orm.models import Segment, Workspace

SUSPICIOUS: Final = 0.001
"""A sample ratio with a lower p value gives a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The people of one segment, and what they did."""

    segment_id: int
    outcomes: Outcomes

    @property
    def share(self) -> Share | None:
        """None without people."""
        people = self.outcomes.people
        return Share(converted=self.outcomes.converted, people=people) if people else None

    @property
    def interval(self) -> Interval | None:
        return None if self.share is None else wilson(share=self.share)

    @property
    def value(self) -> float | None:
        """The sum of the values; None if it is too large for a double."""
        return _double(self.outcomes.value)

    @property
    def mean(self) -> float | None:
        return _double(self.outcomes.value / self.outcomes.people) if self.outcomes.people else None

    @property
    def values(self) -> Values:
        it = self.outcomes
        return Values(people=it.people, total=it.value, squares=it.squares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """b - a, with a 95 % interval for people who look once, and one for people who look often."""

    difference: float
    interval: Interval | None
    anytime: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Whether the sides have as many people as they should."""

    expected_share_of_a: float
    share_of_a: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides, and what differs between them. A None says that a side has no people."""

    a: Side
    b: Side
    in_both: int
    rates: Difference | None
    means: Difference | None
    ratio: Ratio | None
    """None also if it is not known what to expect."""
    warnings: tuple[str, ...]


async def compare_segments(
    *,
    ports: Ports,
    workspace: Workspace,
    a: Segment,
    b: Segment,
    event: str,
    start: datetime,
    end: datetime,
    within: timedelta | None,
    expected_share_of_a: float | None,
) -> Comparison:
    """Compare everybody who was in only one of two segments at some time within [start, end), by their events of this name since they joined.

    With `within`, events count for that time after a person joined, and only people count for whom it is over.
    Raises LogExpired.
    """
    async with ports.database.snapshot() as connection:
        question = Question(segment_ids=(a.id, b.id), event=event, start=start, end=end, within=within)
        found = await comparisons.sides(connection, workspace.id, question)
    side_a, side_b = Side(segment_id=a.id, outcomes=found.a), Side(segment_id=b.id, outcomes=found.b)
    expected = share_of_first(a, b) if expected_share_of_a is None else expected_share_of_a
    ratio = _ratio(side_a, side_b, expected)
    return Comparison(
        a=side_a,
        b=side_b,
        in_both=found.both.people,
        rates=_rates(side_a, side_b),
        means=_means(side_a, side_b),
        ratio=ratio,
        warnings=(
            *([] if found.is_event_known else [f"nobody has an event that is called {event!r}"]),
            *_both_warning(found.both.people),
            *_ratio_warning(ratio),
        ),
    )


def _rates(a: Side, b: Side) -> Difference | None:
    if a.share is None or b.share is None:
        return None
    return Difference(
        difference=b.share.rate - a.share.rate,
        interval=newcombe(a=a.share, b=b.share),
        anytime=anytime(a=a.share, b=b.share),
    )


def _means(a: Side, b: Side) -> Difference | None:
    if a.share is None or b.share is None:
        return None
    difference = _double(b.values.mean - a.values.mean)
    return (
        None
        if difference is None
        else Difference(difference=difference, interval=welch(a=a.values, b=b.values))
    )


def _ratio(a: Side, b: Side, expected_share_of_a: float | None) -> Ratio | None:
    of_a, of_b = a.outcomes.people, b.outcomes.people
    if expected_share_of_a is None or of_a + of_b == 0:
        return None
    return Ratio(
        expected_share_of_a=expected_share_of_a,
        share_of_a=of_a / (of_a + of_b),
        p_value=ratio_p_value(people_of_a=of_a, people_of_b=of_b, expected_share_of_a=expected_share_of_a),
    )


def _both_warning(people: int) -> list[str]:
    if not people:
        return []
    who = "1 person was" if people == 1 else f"{people:,} people were"
    return [f"{who} in both segments during the period and counted on neither side"]


def _ratio_warning(ratio: Ratio | None) -> list[str]:
    if ratio is None or ratio.p_value >= SUSPICIOUS:
        return []
    sides = f"a has {ratio.share_of_a:.2%} of the people, but {ratio.expected_share_of_a:.2%} were expected"
    return [
        f"{sides}: chance alone does that in less than one of 1,000 experiments, so find the cause before you trust the differences"
    ]


def _double(number: Fraction) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None
