"""eventSequence: several events happened one after the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from audience_gql.conditions.base import AnyEdge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Event, Facts
from audience_gql.conditions.filters.calendar_window import CalendarWindow
from audience_gql.conditions.filters.chain import Chain, ChainLink
from audience_gql.conditions.filters.duration import DURATION
from audience_gql.conditions.filters.follower import NOT_FOLLOWED_BY, EventFollower
from audience_gql.conditions.filters.interval import Interval
from audience_gql.conditions.filters.properties import WHERE, nonempty, words_of_where
from audience_gql.conditions.filters.sameness import by_value
from audience_gql.conditions.filters.selection import NAME, EventSelection
from audience_gql.conditions.filters.spans import Span, both, next_turn
from audience_gql.conditions.filters.window import TIME_WINDOW, TimeWindow
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.limits import LEAST_STEPS, MAX_STEPS
from audience_gql.conditions.periods import Period
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import FromEvents, Parameters
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import named


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """An event in a chain, and the start of the chain that leads to it and starts last."""

    event: Event
    start: datetime
    before: _Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSequence(Leaf):
    """There is a chain: an event for each step, each strictly later than the one before.

    The whole chain is in the window. With `same_property`, all its events have the same value of that property. With `not_followed_by`, its
    last event is not followed.
    """

    steps: tuple[ChainLink, ...]
    within: TimeWindow | CalendarWindow | None = None
    same_property: str | None = None
    not_followed_by: EventFollower | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        body: dict[str, Json] = {"steps": [_dump_step(step) for step in self.steps]}
        if self.within is not None:
            body["within"] = self.within.dump()
        if self.same_property is not None:
            body["sameProperty"] = self.same_property
        if self.not_followed_by is not None:
            body["notFollowedBy"] = self.not_followed_by.dump()
        return {"eventSequence": body}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        first, *others = self.steps
        clause = "".join(f", then {_words_of(step)}" for step in others)
        window = "" if self.within is None else f", all {self.within.words()}"
        same = "" if self.same_property is None else f", with the same {named(self.same_property)} each time"
        follower = "" if self.not_followed_by is None else self.not_followed_by.words("the last one")
        return f"who did {_words_of(first)}{clause}{window}{same}{follower}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        is_unfollowed = self._unfollowed(person, moment.now)
        return any(
            is_unfollowed(event)
            for events in self._lines(person, moment)
            for event in _ends_of_chains(self.steps, events)
        )

    def reads(self) -> frozenset[Read]:
        own = frozenset(read for step in self._selections for read in step.reads())
        return own if self.not_followed_by is None else own | self.not_followed_by.events.reads()

    def periods(self) -> frozenset[Period]:
        return self._selections[0].periods()

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        """The chain that decides, or else the newest of those that get furthest. A step that nothing fits is null."""
        best = max(self._ranked(person, moment), default=((), None), key=lambda found: found[0])[1]
        steps: list[Json] = [instant_text(event.occurred_at) for event in _chain(best)]
        observed: dict[str, Json] = {"steps": steps + [None] * (len(self.steps) - len(steps))}
        if self.not_followed_by is None:
            return observed
        first = None
        if best is not None and len(steps) == len(self.steps):
            times = self._followers(person)(best.event)
            first = self.not_followed_by.first(best.event.occurred_at, times, moment.now)
        return observed | {"followedAt": None if first is None else instant_text(first)}

    def edges(self, vocabulary: Vocabulary) -> frozenset[AnyEdge]:
        own = frozenset(edge for step in self._selections for edge in step.edges(vocabulary))
        if self.not_followed_by is None:
            return own
        return own | self.not_followed_by.edges(self.steps[-1].name, vocabulary)

    def next_change(self, person: Facts, moment: Moment) -> datetime | None:
        complete = (link for events in self._lines(person, None) for link in _levels(self.steps, events)[-1])
        followers = self._followers(person)
        in_window = self._span_in_window(person, moment)
        spans = (self._span(link, followers, in_window) for link in complete)
        return next_turn((span for span in spans if span is not None), moment.now)

    def sql(self, parameters: Parameters) -> FromEvents:
        chain = Chain(
            links=self.steps,
            window=self.within,
            same_property=self.same_property,
            follower=self.not_followed_by,
        )
        return chain.sql(parameters)

    @property
    def _selections(self) -> list[EventSelection]:
        """The events that can be in a chain, step by step."""
        return [EventSelection(name=step.name, where=step.where, within=self.within) for step in self.steps]

    def _lines(self, person: Facts, moment: Moment | None) -> list[list[Event]]:
        """The events that count at a moment (or ever, without it) in order of time: one list, or one for each value of the property."""
        counts = self._selections[0].counting(person, moment) if moment else lambda _: True
        names = {step.name for step in self.steps}
        events = sorted(
            (event for event in person.events if event.name in names and counts(event.occurred_at)),
            key=lambda event: event.occurred_at,
        )
        return [events] if self.same_property is None else list(by_value(events, self.same_property).values())

    def _followers(self, person: Facts) -> Callable[[Event], Sequence[datetime]]:
        return (lambda _: ()) if self.not_followed_by is None else self.not_followed_by.times(person)

    def _unfollowed(self, person: Facts, now: datetime) -> Callable[[Event], bool]:
        """Whether the last event of a chain lets the sequence hold at `now`."""
        follower, times = self.not_followed_by, self._followers(person)
        if follower is None:
            return lambda _: True
        return lambda event: (
            follower.can_follow(event) and follower.is_absent(event.occurred_at, times(event), now)
        )

    def _ranked(self, person: Facts, moment: Moment) -> Iterator[tuple[tuple[int, bool, datetime], _Link]]:
        """Every link of a chain, with its rank: its step, whether it completes a chain that decides, its instant."""
        is_unfollowed = self._unfollowed(person, moment.now)
        for events in self._lines(person, moment):
            for number, level in enumerate(_levels(self.steps, events), 1):
                for link in level:
                    decides = number == len(self.steps) and is_unfollowed(link.event)
                    yield (number, decides, link.event.occurred_at), link

    def _span_in_window(self, person: Facts, moment: Moment) -> Callable[[datetime, datetime], Span | None]:
        """A function from the first and the last instant of a chain to when all of it is in the window."""
        match self.within:
            case None:
                return Interval().span
            case CalendarWindow() as window:
                return partial(window.span_of, calendar=moment.calendar(person))
            case window:
                return window.interval().span

    def _span(
        self,
        link: _Link,
        followers: Callable[[Event], Sequence[datetime]],
        in_window: Callable[[datetime, datetime], Span | None],
    ) -> Span | None:
        """When the chain that ends with this link is complete, in the window and not followed; None for never."""
        span = in_window(link.start, link.event.occurred_at)
        if span is None or self.not_followed_by is None:
            return span
        if not self.not_followed_by.can_follow(link.event):
            return None
        absent = self.not_followed_by.span(link.event.occurred_at, followers(link.event))
        return None if absent is None else both(span, absent)


def _ends_of_chains(steps: Sequence[ChainLink], events: Sequence[Event]) -> list[Event]:
    """The events that the last step can have. The events are in order of time."""
    reached = [event for event in events if steps[0].fits(event)]
    for step in steps[1:]:
        times = [event.occurred_at for event in reached]
        reached = [
            event
            for event in events
            if step.fits(event)
            and bisect_left(times, step.earliest(event.occurred_at)) < bisect_left(times, event.occurred_at)
        ]
    return reached


def _levels(steps: Sequence[ChainLink], events: Sequence[Event]) -> list[list[_Link]]:
    """For each step, the links that it can have. The newest possible event of the step before belongs to the chain that starts last."""
    levels = [[_Link(event=event, start=event.occurred_at) for event in events if steps[0].fits(event)]]
    for step in steps[1:]:
        times = [link.event.occurred_at for link in levels[-1]]
        level = []
        for event in filter(step.fits, events):
            place = bisect_left(times, event.occurred_at) - 1
            if place >= 0 and times[place] >= step.earliest(event.occurred_at):
                before = levels[-1][place]
                level.append(_Link(event=event, start=before.start, before=before))
        levels.append(level)
    return levels


def _chain(link: _Link | None) -> list[Event]:
    """The events of a chain that ends with this link, the first one first."""
    return [] if link is None else [*_chain(link.before), link.event]


def _words_of(step: ChainLink) -> str:
    soon = "" if step.within is None else f" within {step.within.words()}"
    return f"{named(step.name)}{words_of_where(step.where)}{soon}"


def _dump_step(step: ChainLink) -> Json:
    within: dict[str, Json] = {} if step.within is None else {"within": step.within.dump()}
    return EventSelection(name=step.name, where=step.where).dump() | within


def _build_step(given: Given, _: Parsing) -> ChainLink:
    return ChainLink(name=given["name"], where=given.get("where", ()), within=given.get("within"))


def _build(given: Given, parsing: Parsing) -> EventSequence:
    steps = given["steps"]
    if len(steps) < LEAST_STEPS:
        parsing.problem(
            "OUT_OF_RANGE", f"needs at least {LEAST_STEPS} steps; for one event use `event`", "steps"
        )
    elif steps[0].within is not None:
        parsing.problem("OUT_OF_RANGE", "no step is before the first one", "steps", "0", "within")
    return EventSequence(
        steps=steps,
        within=given.get("within"),
        same_property=given.get("sameProperty"),
        not_followed_by=given.get("notFollowedBy"),
    )


_EVENT_STEP: Final = Shape(
    name="EventStep",
    description="One step of a sequence: an event.",
    fields=(
        NAME,
        WHERE,
        InputField(
            name="within",
            type=DURATION,
            description="At most this long after the event of the step before. Default: any time later. The first step cannot have it.",
        ),
    ),
    build=_build_step,
)

_EVENT_SEQUENCE_FILTER: Final = Shape(
    name="EventSequenceFilter",
    description="Events that happened one after the other, each strictly later than the one before. Two events of the same instant are not in "
    "order. Other events may happen between them.",
    fields=(
        InputField(
            name="steps",
            type=_EVENT_STEP,
            required=True,
            many=True,
            at_most=MAX_STEPS,
            description=f"The events, in their order: {LEAST_STEPS} to {MAX_STEPS}.",
        ),
        InputField(
            name="within",
            type=TIME_WINDOW,
            description="When all of them happened. Default: at any time up to now.",
        ),
        InputField(
            name="sameProperty",
            type=Scalar.STRING,
            check=nonempty,
            description="All of them have this property, with the same value. Numbers are the same by value, and texts without upper and lower "
            "case.",
        ),
        replace(
            NOT_FOLLOWED_BY,
            description="No such event happened at or after the last one. If some chain of events is not followed, the condition holds.",
        ),
    ),
    build=_build,
)

register(
    Kind(
        name="eventSequence",
        label="did in order",
        description="Several events happened one after the other.",
        category="BEHAVIORAL",
        type=_EVENT_SEQUENCE_FILTER,
        build=lambda condition, _: condition,
        example={
            "steps": [
                {"name": "page_viewed"},
                {"name": "cart_updated"},
                {"name": "order_placed", "within": {"days": 7}},
            ],
            "within": {"last": {"days": 30}},
        },
    )
)
