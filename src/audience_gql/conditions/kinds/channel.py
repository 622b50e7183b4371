"""channel: a person's consent on one channel, and since when it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Enumeration, EnumerationValue, Given, InputField, Shape
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import HasRow, Parameters, all_of
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS, IdCodec, Vocabulary
from audience_gql.conditions.words.wording import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelIs(Leaf):
    """The channel's status is one of these, and the instant of its last change passes a filter."""

    channel: str
    statuses: tuple[str, ...] | None = None
    changed: TimeFilter | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        status: dict[str, Json] = {} if self.statuses is None else {"status": list(self.statuses)}
        changed: dict[str, Json] = {} if self.changed is None else {"changed": self.changed.dump()}
        return {"channel": {"channel": self.channel, **status, **changed}}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        channel = f"{_words(self.channel)} status"
        state = None if self.statuses is None else f"is {listed(list(map(_words, self.statuses)))}"
        changed = None if self.changed is None else f"last changed {self.changed.words()}"
        return f"whose {channel} {', and '.join(filter(None, (state, changed))) or 'is set'}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        state = person.channels.get(self.channel)
        if state is None or (self.statuses is not None and state.status not in self.statuses):
            return False
        return self.changed is None or self.changed.matches(state.changed_at, moment.now)

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # independent of the time
        state = person.channels.get(self.channel)
        if state is None:
            return None
        return {"status": state.status, "changedAt": instant_text(state.changed_at)}

    def reads(self) -> frozenset[Read]:
        return frozenset({Read(source="channel", ref=self.channel)})

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # channels need no vocabulary
        offsets = () if self.changed is None else self.changed.offsets()
        return frozenset(Edge(table="channel_states", ref=self.channel, offset=offset) for offset in offsets)

    def instants(self, person: Facts, moment: Moment) -> Iterator[datetime]:  # noqa: ARG002  # includes past instants
        state = person.channels.get(self.channel)
        if state is not None and self.changed is not None:
            yield from self.changed.instants(state.changed_at)

    def sql(self, parameters: Parameters) -> HasRow:
        channel = f"c.channel = {parameters.constant(self.channel, 'text')}"
        status = (
            None
            if self.statuses is None
            else f"c.status = ANY({parameters.constant(list(self.statuses), 'text[]')})"
        )
        changed = None if self.changed is None else self.changed.sql("c.changed_at", parameters)
        return HasRow(table="channel_states", alias="c", where=all_of(channel, status, changed) or channel)


def _words(name: str) -> str:
    return name.lower().replace("_", " ").replace("sms", "SMS")


def _build(given: Given, _: Parsing) -> ChannelIs:
    return ChannelIs(channel=given["channel"], statuses=given.get("status"), changed=given.get("changed"))


def _enumeration(name: str, description: str, values: dict[str, str]) -> Enumeration:
    return Enumeration(
        name=name,
        description=description,
        values=tuple(EnumerationValue(name=value, description=text) for value, text in values.items()),
    )


_CHANNEL: Final = _enumeration("Channel", "A way to reach a person.", CHANNELS)
_STATUS: Final = _enumeration(
    "ChannelStatus", "Whether a person may be reached through a channel.", CHANNEL_STATUSES
)

_CHANNEL_FILTER: Final = Shape(
    name="ChannelFilter",
    description="The person's status on one channel. People without a status there do not match.",
    fields=(
        InputField(name="channel", type=_CHANNEL, required=True, description="Which channel."),
        InputField(
            name="status",
            type=_STATUS,
            many=True,
            description="The status is one of these. Default: any status.",
        ),
        InputField(name="changed", type=TIME_FILTER, description="When the status last changed."),
    ),
    build=_build,
)

register(
    Kind(
        name="channel",
        label="channel",
        description="The person's status on a channel, and when it last changed.",
        category="ENGAGEMENT",
        type=_CHANNEL_FILTER,
        build=lambda condition, _: condition,
        example={"channel": "EMAIL", "status": ["ACTIVE"], "changed": {"notInLast": {"days": 7}}},
    )
)
