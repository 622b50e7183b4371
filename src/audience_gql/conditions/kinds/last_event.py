"""lastEvent: when something happened for the last time. Without an event there is no such time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.base import Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.properties import WHERE, nonempty
from audience_gql.conditions.filters.selection import NAME, EventSelection, event_edges
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.parsing import Parsing
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql import OfEvents, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary

_LATEST: Final = "max(e.occurred_at)"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEvent(Leaf):
    """The newest of these events passes a filter.

    With `not_followed_by`, there also is no event of that name at or after it.
    """

    events: EventSelection
    at: TimeFilter
    not_followed_by: str | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        at: dict[str, Json] = {"at": self.at.dump()}
        follower: dict[str, Json] = (
            {} if self.not_followed_by is None else {"notFollowedBy": self.not_followed_by}
        )
        return {"lastEvent": self.events.dump() | at | follower}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        follower = "" if self.not_followed_by is None else f", not followed by {self.not_followed_by}"
        if isinstance(self.at.value, bool):
            return f"who {'at some time' if self.at.value else 'never'} did {self.events.words()}{follower}"
        return f"whose last {self.events.words()} was {self.at.words()}{follower}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        last = max((event.occurred_at for event in self.events.among(person, moment.now)), default=None)
        if not self.at.matches(last, moment.now):
            return False
        return last is None or not any(
            event.name == self.not_followed_by and last <= event.occurred_at <= moment.now
            for event in person.events
        )

    def reads(self) -> frozenset[Read]:
        if self.not_followed_by is None:
            return self.events.reads()
        return self.events.reads() | {Read(source="event", ref=self.not_followed_by)}

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:
        own = event_edges(self.events.name, self.at.offsets(), vocabulary)
        if self.not_followed_by is None:
            return own
        return own | event_edges(self.not_followed_by, (), vocabulary)

    def sql(self, parameters: Parameters) -> OfEvents:
        latest = self.events.aggregate(_LATEST, parameters)
        if self.not_followed_by is None:
            return OfEvents(
                aggregates=(latest,),
                test=lambda last: self.at.sql(last, parameters),
                holds_without_events=self.at.holds_when_missing,
            )
        follower = EventSelection(name=self.not_followed_by).aggregate(_LATEST, parameters)
        return OfEvents(
            aggregates=(latest, follower),
            test=lambda last, after: f"{self.at.sql(last, parameters)} AND ({after} >= {last}) IS NOT TRUE",
            holds_without_events=self.at.holds_when_missing,
        )


def _not_ahead(at: TimeFilter, parsing: Parsing) -> TimeFilter:
    if at.operator == "inNext":
        parsing.problem("OUT_OF_RANGE", "events of the future do not count before their instant", "inNext")
    return at


def _build(given: Given, _: Parsing) -> LastEvent:
    return LastEvent(
        events=EventSelection.of(given), at=given["at"], not_followed_by=given.get("notFollowedBy")
    )


_EVENT_TIME_FILTER: Final = Shape(
    name="EventTimeFilter",
    description="When an event happened. Without such an event only `isSet: false` holds.",
    fields=(
        NAME,
        InputField(
            name="at",
            type=TIME_FILTER,
            required=True,
            check=_not_ahead,
            description="When it happened. `inNext` is refused: events of the future do not count yet.",
        ),
        WHERE,
        InputField(
            name="notFollowedBy",
            type=Scalar.STRING,
            check=nonempty,
            description="And no event of this name happened at or after it: a cart that was not bought.",
        ),
    ),
    build=_build,
)

register(
    Kind(
        name="lastEvent",
        label="last did",
        description="An event happened for the last time then.",
        category="ENGAGEMENT",
        type=_EVENT_TIME_FILTER,
        build=lambda condition, _: condition,
    )
)
