"""Explains why a condition holds for a person or not: the verdict of every node, the values behind it, and until when it lasts.

It uses the evaluation in Python. It must never decide who is a member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from audience_gql.conditions.base import Condition, Leaf, Moment, Names, Path
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.periods import DEFAULT_WEEK_START, WeekStart
from audience_gql.conditions.reasoning.nesting import verdict_order
from audience_gql.conditions.reasoning.paths import steps
from audience_gql.conditions.reasoning.verdicts import before, combined, moment_of
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The explanation of one node. `next_change` is a lower bound; None when the clock alone never changes the verdict."""

    path: Path
    condition: Condition
    summary: str
    evaluated_at: datetime
    """The instant that the node looks at: inside `later`, so much after the explanation's."""
    matches: bool
    observed: Json
    next_change: datetime | None


def explain(
    condition: Condition,
    person: Facts,
    now: datetime,
    segments: Mapping[int, Condition],
    *,
    timezone: str,
    week_start: WeekStart = DEFAULT_WEEK_START,
    names: Names,
    ids: IdCodec,
) -> tuple[Finding, ...]:
    """A finding for every node, parents before children, so that the first is about the whole condition.

    `segments` has at least the segments that it reads, directly or through others. `timezone` and `week_start` are the workspace's.
    """
    read = verdict_order([condition], segments)
    moment = moment_of(person, now, read, segments, timezone=timezone, week_start=week_start)
    view = _View(person=person, moment=moment, names=names, ids=ids)
    return tuple(view.findings((), condition))


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One person at one moment. All its instants are as much later as the moment is."""

    person: Facts
    moment: Moment
    names: Names
    ids: IdCodec

    def findings(self, path: Path, condition: Condition) -> list[Finding]:
        """The findings of a node and of all nodes inside it, its own first."""
        view = self.moved(condition.lead)
        inside = [
            [_earlier(finding, condition.lead) for finding in view.findings((*path, *way), child)]
            for way, child in steps(condition)
        ]
        parts = [(child[0].matches, child[0].next_change) for child in inside]
        matches, next_change = combined(condition, self.person, self.moment, parts)
        own = Finding(
            path=path,
            condition=condition,
            summary=condition.summary(self.names),
            evaluated_at=self.moment.now,
            matches=matches,
            observed=self._observed(condition, next_change),
            next_change=next_change,
        )
        return [own, *(finding for child in inside for finding in child)]

    def moved(self, by: timedelta) -> _View:
        """The view of the same person so much later."""
        return replace(self, moment=self.moment.moved(by)) if by else self

    def _observed(self, condition: Condition, until: datetime | None) -> Json:
        if not isinstance(condition, Leaf):
            return None
        return condition.observe(self.person, replace(self.moment, until=until), self.ids)


def _earlier(finding: Finding, by: timedelta) -> Finding:
    return replace(finding, next_change=before(finding.next_change, by)) if by else finding
