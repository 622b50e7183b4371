"""What the clock will do to one person if nothing else happens: the instants at which they will enter and leave a segment.

It uses the evaluation in Python. It must never decide who is a member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from audience_gql.conditions.base import Condition, Leaf, leaves
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.kinds.segment import InSegment
from audience_gql.conditions.periods import DEFAULT_WEEK_START, WeekStart
from audience_gql.conditions.reasoning.nesting import verdict_order
from audience_gql.conditions.reasoning.verdicts import moment_of, part_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A change of the verdict that the clock brings."""

    at: datetime
    matches: bool
    """The verdict from this instant on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A person at one instant of the future."""

    at: datetime
    matches: bool
    person: Facts
    """With the entries into segments that the clock brings up to this instant."""


class Future:
    """The future of one condition.

    `segments` has at least the conditions that it reads, directly or through others. `timezone` and `week_start` are the workspace's.
    """

    def __init__(
        self,
        condition: Condition,
        segments: Mapping[int, Condition],
        *,
        timezone: str,
        week_start: WeekStart = DEFAULT_WEEK_START,
    ) -> None:
        self._condition = condition
        self._segments = segments
        self._timezone = timezone
        self._week_start = week_start
        self._verdicts = verdict_order([condition], segments)
        conditions = [condition, *(segments[verdict.id] for verdict in self._verdicts)]
        self._entered_ids = {
            id_ for each in conditions for leaf in leaves(each) for id_ in _segments_entered(leaf)
        }

    @property
    def depends_on_entries(self) -> bool:
        """Whether the verdict depends on when the person entered another segment, which the clock may bring about first."""
        return bool(self._entered_ids)

    def turns(self, person: Facts, now: datetime, until: datetime, *, is_member: bool) -> Iterator[Turn]:
        """The turns in [now, until], in order. The first one is at `now` if the verdict of now is not yet the membership."""
        matches = is_member
        for state in self.states(person, now, until):
            if state.matches is not matches:
                matches = state.matches
                yield Turn(at=state.at, matches=matches)

    def states(self, person: Facts, now: datetime, until: datetime) -> Iterator[State]:
        """The person at `now`, and at each later instant up to `until` at which the verdict may change."""
        at: datetime | None = now
        while at is not None and at <= until:
            moment = moment_of(
                person,
                at,
                self._verdicts,
                self._segments,
                timezone=self._timezone,
                week_start=self._week_start,
            )
            matches, change = part_of(self._condition, person, moment)
            yield State(at=at, matches=matches, person=person)
            changes = [change]
            if self._entered_ids:
                present = {verdict for verdict in self._verdicts if not verdict.later}
                inside = {verdict.id for verdict in present if moment.verdicts[verdict]}
                person = _with_entries(person, self._entered_ids & inside, self._entered_ids - inside, at)
                changes += [
                    moment.next_changes[verdict] for verdict in present if verdict.id in self._entered_ids
                ]
            at = min((each for each in changes if each is not None and each > at), default=None)


def _segments_entered(leaf: Leaf) -> tuple[int, ...]:
    return leaf.segment_ids if isinstance(leaf, InSegment) and leaf.entered is not None else ()


def _with_entries(person: Facts, inside: set[int], outside: set[int], at: datetime) -> Facts:
    """The person after the tick of this instant, which stores who is inside which of these segments."""
    entries = {id_: entered for id_, entered in person.segments.items() if id_ not in outside}
    entries |= dict.fromkeys(inside - entries.keys(), at)
    return person if entries == person.segments else replace(person, segments=entries)
