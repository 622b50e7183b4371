"""Evaluates a condition in Python from the facts of one person.

Explanations use it, and tests compare the SQL with it. It never decides who is a member; the SQL does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from audience_gql.conditions.base import Condition, Moment
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.reasoning.nesting import reading_order


def evaluate(
    condition: Condition, person: Facts, now: datetime, segments: Mapping[int, Condition], *, timezone: str
) -> bool:
    """Whether the condition holds.

    `segments` has at least the segments that it reads, directly or through others. `timezone` is the workspace's.
    """
    verdicts: dict[int, bool] = {}
    moment = Moment(now=now, timezone=timezone, verdicts=verdicts)
    for segment_id in reading_order([condition], segments):
        verdicts[segment_id] = segments[segment_id].evaluate(person, moment)
    return condition.evaluate(person, moment)
