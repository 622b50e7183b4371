"""Evaluates a condition in Python from the facts of one person.

Explanations use it, and tests compare the SQL with it. It never decides who is a member; the SQL does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from audience_gql.conditions.base import Condition, Moment
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.periods import DEFAULT_WEEK_START, WeekStart
from audience_gql.conditions.reasoning.nesting import verdict_order
from audience_gql.conditions.vocabulary import SegmentAt


def evaluate(
    condition: Condition,
    person: Facts,
    now: datetime,
    segments: Mapping[int, Condition],
    *,
    timezone: str,
    week_start: WeekStart = DEFAULT_WEEK_START,
) -> bool:
    """Whether the condition holds.

    `segments` has at least the segments that it reads, directly or through others. `timezone` and `week_start` are the workspace's.
    """
    verdicts: dict[SegmentAt, bool] = {}
    moment = Moment(now=now, timezone=timezone, week_start=week_start, verdicts=verdicts)
    for verdict in verdict_order([condition], segments):
        verdicts[verdict] = segments[verdict.id].evaluate(person, moment.moved(verdict.later))
    return condition.evaluate(person, moment)
