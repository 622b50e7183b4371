"""later: whom a condition will match after some time if nothing happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from audience_gql.conditions.base import Condition, Moment, Names, leaves_in_time
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import CONDITION, Given, InputField, Shape
from audience_gql.conditions.kinds.combinators import among
from audience_gql.conditions.limits import MAX_WINDOW
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class Later(Condition):
    """The inner condition holds when the clock has moved on by `by`, with the facts of now.

    Facts that are recorded for the future count from their instants on.
    """

    by: Duration
    condition: Condition

    @property
    def children(self) -> tuple[Condition, ...]:
        return (self.condition,)

    @property
    def lead(self) -> timedelta:
        return self.by.length

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        return {"later": {"by": self.by.dump(), "condition": self.condition.dump(ids)}}

    def summary(self, names: Names) -> str:
        return f"who {self.by.words()} from now, if nothing happens, will be {among(self.condition, names)}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return self.condition.evaluate(person, moment.moved(self.lead))


def _build(given: Given, parsing: Parsing) -> Later:
    later = Later(by=given["by"], condition=given["condition"])
    longest = max((lead for _, lead in leaves_in_time(later)), default=later.lead)
    if longest > MAX_WINDOW:
        parsing.problem("OUT_OF_RANGE", "nested in others, it reaches more than ten years ahead", "by")
    return later


_LATER_FILTER: Final = Shape(
    name="LaterFilter",
    description="A condition, and how much later it is evaluated.",
    fields=(
        InputField(
            name="by", type=DURATION, required=True, description="How much later than now. Up to ten years."
        ),
        InputField(
            name="condition",
            type=CONDITION,
            required=True,
            description="The condition that will hold then if no fact is added or changed.",
        ),
    ),
    build=_build,
)

register(
    Kind(
        name="later",
        label="later",
        description="The condition holds some time from now if nothing happens: with the same facts, when only the clock has moved on.",
        category="LIFECYCLE",
        type=_LATER_FILTER,
        build=lambda condition, _: condition,
        example={
            "by": {"days": 3},
            "condition": {"event": {"name": "email_opened", "within": {"last": {"days": 30}}}},
        },
    )
)
