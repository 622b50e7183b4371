"""Compares how often the members of a segment do something with how often everybody does, and the members of another segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from audience_gql.audience.ports import Ports
from audience_gql.conditions.given_values import is_keepable
from audience_gql.storage.insights import performance
from audience_gql.storage.insights.log_positions import positions_before
from audience_gql.storage.insights.performance import LoggedPeriod, Tally
from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What one audience did in a period: its events of one name."""

    audience: int
    """How many people there are who could have such events."""
    tally: Tally

    @property
    def people(self) -> int:
        return self.tally.people

    @property
    def events(self) -> int:
        return self.tally.events

    @property
    def sum(self) -> Decimal | None:
        return self.tally.total if self.tally.values else None

    @property
    def mean(self) -> Decimal | None:
        return self.tally.total / self.tally.values if self.tally.values else None

    @property
    def rate(self) -> float | None:
        return self.people / self.audience if self.audience else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPerformance:
    """The events of one name: of members of the segment while they were members, of everybody, and of members of another segment."""

    event: str
    members: Performance
    everybody: Performance
    compared: Performance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What to compare: events of these names, in the period from `start` until before `end`."""

    segment_id: int
    compared_to: int | None
    events: tuple[str, ...]
    start: datetime
    end: datetime

    @property
    def segment_ids(self) -> list[int]:
        return [self.segment_id] if self.compared_to is None else [self.segment_id, self.compared_to]


async def performance_of_segment(
    *, ports: Ports, workspace_id: int, wanted: Comparison
) -> list[EventPerformance]:
    """The performance for each name, in the given order. All figures come from one snapshot.

    An event counts for a segment if its person was a member at the instant of the event. Raises LogExpired.
    """
    async with ports.database.snapshot() as connection:
        names = [event for event in wanted.events if is_keepable(event)]
        name_ids = await performance.ids_of_names(connection, workspace_id, names)
        figures = await _figures(connection, workspace_id, wanted, list(name_ids.values()))
    return [figures.of(event, name_ids.get(event), wanted) for event in wanted.events]


@dataclass(slots=True)
class _Figures:
    """Sums over buckets. Each list has a place for each segment, and the last one for everybody."""

    audiences: list[int]
    tallies: dict[int, list[Tally]]
    """By the id of the event's name."""

    def of(self, event: str, name_id: int | None, wanted: Comparison) -> EventPerformance:
        tallies = self.tallies.get(name_id or 0, [Tally()] * len(self.audiences))
        found = [
            Performance(audience=audience, tally=tally)
            for audience, tally in zip(self.audiences, tallies, strict=True)
        ]
        compared = None if wanted.compared_to is None else found[1]
        return EventPerformance(event=event, members=found[0], everybody=found[-1], compared=compared)


async def _figures(
    connection: Connection, workspace_id: int, wanted: Comparison, name_ids: Sequence[int]
) -> _Figures:
    segment_ids = wanted.segment_ids
    await positions_before(connection, workspace_id, wanted.start)  # the log is needed from there on
    positions = await positions_before(connection, workspace_id, wanted.end)
    figures = _Figures([0] * (len(segment_ids) + 1), {})
    for bucket_id, upto in positions.items():
        period = LoggedPeriod(start=wanted.start, end=wanted.end, upto=upto)
        people = await performance.audiences(connection, bucket_id, segment_ids, period)
        figures.audiences = [sum(both) for both in zip(figures.audiences, people, strict=True)]
        found = await performance.tallies(connection, bucket_id, name_ids, segment_ids, period)
        for name_id, tallies in found.items():
            before = figures.tallies.get(name_id, [Tally()] * len(tallies))
            figures.tallies[name_id] = [one + more for one, more in zip(before, tallies, strict=True)]
    return figures
