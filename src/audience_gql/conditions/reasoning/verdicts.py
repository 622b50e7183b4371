"""The verdict on a condition for one person at one moment, and a lower bound of until when it lasts.

It uses the evaluation in Python. It must never decide who is a member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from audience_gql.conditions.base import Condition, Leaf, Moment
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.periods import WeekStart
from audience_gql.conditions.reasoning.outlook import Part, next_of_all, next_of_any
from audience_gql.conditions.vocabulary import SegmentAt


def moment_of(
    person: Facts,
    now: datetime,
    verdicts: Iterable[SegmentAt],
    segments: Mapping[int, Condition],
    *,
    timezone: str,
    week_start: WeekStart,
) -> Moment:
    """The moment at which to evaluate a condition that reads these verdicts of segments. Each comes after those that it reads.

    `segments` has their conditions. `timezone` and `week_start` are the workspace's.
    """
    known: dict[SegmentAt, bool] = {}
    changes: dict[SegmentAt, datetime | None] = {}
    moment = Moment(now=now, timezone=timezone, week_start=week_start, verdicts=known, next_changes=changes)
    for verdict in verdicts:
        then = moment.moved(verdict.later) if verdict.later else moment
        known[verdict], changes[verdict] = part_of(segments[verdict.id], person, then)
    return moment


def part_of(condition: Condition, person: Facts, moment: Moment) -> Part:
    """The verdict on a condition, and a lower bound of until when it lasts."""
    inside = moment.moved(condition.lead) if condition.lead else moment
    parts = [part_of(child, person, inside) for child in condition.children]
    return combined(condition, person, moment, [(holds, before(at, condition.lead)) for holds, at in parts])


def combined(condition: Condition, person: Facts, moment: Moment, parts: Sequence[Part]) -> Part:
    """The same for a node, from its children's, so that each leaf is evaluated once."""
    match condition:
        case All():
            return all(matches for matches, _ in parts), next_of_all(parts)
        case AnyOf():
            return any(matches for matches, _ in parts), next_of_any(parts)
        case Not():
            return not parts[0][0], parts[0][1]
        case Later():
            return parts[0]
        case Leaf():
            return condition.evaluate(person, moment), condition.next_change(person, moment)
    raise TypeError(f"no outlook for {condition!r}")


def before(instant: datetime | None, by: timedelta) -> datetime | None:
    return None if instant is None else instant - by
