"""The SQL that finds chains of events: one for each step, each later than the one before, and no later than the step allows.

One pass over a person's events, in order of time, decides each step. For a step it is enough to know the newest earlier event that the step
before can have: if that one is too old, every other one is, too. The cost is proportional to the events, however many chains they form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from audience_gql.conditions.facts import Event
from audience_gql.conditions.filters.calendar_window import CalendarWindow
from audience_gql.conditions.filters.duration import Duration
from audience_gql.conditions.filters.follower import EventFollower
from audience_gql.conditions.filters.properties import PropertyFilter
from audience_gql.conditions.filters.sameness import sameness_sql
from audience_gql.conditions.filters.selection import EventSelection
from audience_gql.conditions.filters.window import TimeWindow
from audience_gql.conditions.sql.questions import FromEvents, Parameters, all_of

_Window: TypeAlias = tuple[str | None, str | None]
"""A predicate on the time of an event `e`, and an instant before which none passes it."""
_EARLIER: Final = "GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
"""The rows of a window before this one, without those of the same instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One step: an event with this name and these properties, and how soon after the step before."""

    name: str
    where: tuple[PropertyFilter, ...] = ()
    within: Duration | None = None

    def fits(self, event: Event) -> bool:
        """Whether the event has the name and the properties."""
        return event.name == self.name and all(
            item.matches(event.properties, event.occurred_at) for item in self.where
        )

    def earliest(self, time: datetime) -> datetime:
        """When the step before may have happened at the earliest, if this one happens at `time`."""
        return datetime.min.replace(tzinfo=UTC) if self.within is None else time - self.within.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What to find."""

    links: Sequence[ChainLink]
    window: TimeWindow | CalendarWindow | None
    same_property: str | None
    follower: EventFollower | None

    def sql(self, parameters: Parameters) -> FromEvents:
        """The question whether somebody has such a chain."""
        window = EventSelection(name=self.links[0].name, within=self.window).in_window(parameters)
        return FromEvents(
            query=lambda source, name_id: self._select(parameters, source, name_id, window),
            is_of_zone=isinstance(self.window, CalendarWindow),
        )

    def _select(
        self, parameters: Parameters, source: str, name_id: Callable[[str], str], window: _Window
    ) -> str:
        ids = {name: name_id(name) for name in self._names}
        query = self._marked(parameters, source, ids, window)
        for number, link in enumerate(self.links[1:], 2):
            query = self._step(query, number, link, parameters)
        wanted = "q.reached"
        if self.follower is not None:
            wanted += f" AND {self.follower.absence_sql('q.at', 'q.followed', parameters)}"
        return f"SELECT q.subscriber_id FROM ({query}) q WHERE {wanted}"

    def _marked(self, parameters: Parameters, source: str, ids: dict[str, str], window: _Window) -> str:
        """The person's events, each with the steps that it fits and with its first follower."""
        in_window, since = window
        same = None if self.same_property is None else sameness_sql(self.same_property, parameters)
        has_value = None if same is None else f"{same} IS NOT NULL"
        fits = [
            all_of(
                f"e.name_id = {ids[link.name]}", in_window, has_value, *_predicates(link.where, parameters)
            )
            for link in self.links
        ]
        columns = ["e.subscriber_id", "e.occurred_at AS at", f"({fits[0]}) AS reached"]
        columns += [f"({fit}) AS fits_{number}" for number, fit in enumerate(fits[1:], 2)]
        columns += [] if same is None else [f"{same} AS same"]
        columns += self._followed(parameters, ids)
        rows = all_of(
            source,
            f"e.name_id = ANY(ARRAY[{', '.join(ids.values())}])",
            f"e.occurred_at <= {parameters.instant()}",
            None if since is None else f"e.occurred_at >= {since}",
        )
        return f"SELECT {', '.join(columns)} {rows}"

    def _followed(self, parameters: Parameters, ids: dict[str, str]) -> list[str]:
        follower = self.follower
        if follower is None:
            return []
        wanted = [f"e.name_id = {ids[follower.events.name]}", *_predicates(follower.events.where, parameters)]
        partition, known = "e.subscriber_id", []
        if follower.same_property is not None:
            same = sameness_sql(follower.same_property, parameters)
            partition, known = f"{partition}, {same}", [f"({same} IS NOT NULL) AS can_be_followed"]
        first = (
            f"min(e.occurred_at) FILTER (WHERE {all_of(*wanted)}) "
            f"OVER (PARTITION BY {partition} ORDER BY e.occurred_at DESC)"
        )
        return [f"{first} AS followed", *known]

    def _step(self, query: str, number: int, link: ChainLink, parameters: Parameters) -> str:
        """The same rows, of which those are reached that fit this step and are not too late after a row that was reached."""
        same = [] if self.same_property is None else ["same"]
        later = [f"fits_{later}" for later in range(number + 1, len(self.links) + 1)]
        carried = [f"q.{column}" for column in ("subscriber_id", "at", *same, *later, *self._kept)]
        partition = ", ".join(f"q.{column}" for column in ("subscriber_id", *same))
        before = (
            f"max(q.at) FILTER (WHERE q.reached) OVER (PARTITION BY {partition} ORDER BY q.at {_EARLIER})"
        )
        if link.within is None:
            in_time = f"{before} IS NOT NULL"
        else:
            in_time = f"q.at - {before} <= {parameters.constant(link.within.length, 'interval')}"
        reached = [f"q.fits_{number}", in_time]
        if number == len(self.links) and "can_be_followed" in self._kept:
            reached.append("q.can_be_followed")
        return f"SELECT {', '.join(carried)}, {' AND '.join(reached)} AS reached FROM ({query}) q"

    @property
    def _kept(self) -> tuple[str, ...]:
        """The columns about followers."""
        if self.follower is None:
            return ()
        return ("followed",) if self.follower.same_property is None else ("followed", "can_be_followed")

    @property
    def _names(self) -> Sequence[str]:
        names = [link.name for link in self.links]
        names += [] if self.follower is None else [self.follower.events.name]
        return list(dict.fromkeys(names))


def _predicates(where: Sequence[PropertyFilter], parameters: Parameters) -> list[str]:
    return [item.sql(parameters) for item in where]
