"""group: membership in static groups, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.conditions.base import DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.named_lists import HOW_TO_NAME, list_id
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import HasRow, Parameters, all_of
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary
from audience_gql.conditions.words.wording import memberships


@dataclass(frozen=True, slots=True, kw_only=True)
class InGroup(Leaf):
    """The person is a member of at least one of the groups, and when they joined it passes the filter."""

    group_ids: tuple[int, ...]
    joined: TimeFilter | None = None

    def dump(self, ids: IdCodec) -> dict[str, Json]:
        joined: dict[str, Json] = {} if self.joined is None else {"joined": self.joined.dump()}
        return {"group": {"anyOf": [ids.encode("group", group_id) for group_id in self.group_ids], **joined}}

    def summary(self, names: Names) -> str:
        joined = "" if self.joined is None else f", joined {self.joined.words()}"
        return f"who are in {self._groups(names)}{joined}"

    def negation(self, names: Names) -> str | None:
        return f"who are not in {self._groups(names)}" if self.joined is None else None

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        joined_at = [person.groups[group_id] for group_id in self.group_ids if group_id in person.groups]
        if self.joined is None:
            return bool(joined_at)
        return any(self.joined.matches(time, moment.now) for time in joined_at)

    def reads(self) -> frozenset[Read]:
        return frozenset(Read(source="group", ref=group_id) for group_id in self.group_ids)

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # groups are named by id
        if self.joined is None:
            return frozenset()
        return frozenset(
            Edge(table="group_members", ref=group_id, offset=offset)
            for group_id in self.group_ids
            for offset in self.joined.offsets()
        )

    def instants(self, person: Facts, moment: Moment) -> Iterator[datetime]:  # noqa: ARG002  # includes past instants
        if self.joined is not None:
            for group_id in self.group_ids:
                yield from self.joined.instants(person.groups.get(group_id))

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # independent of the time
        return [
            {"group": ids.encode("group", group_id), "joinedAt": instant_text(person.groups[group_id])}
            for group_id in self.group_ids
            if group_id in person.groups
        ]

    def sql(self, parameters: Parameters) -> HasRow:
        in_groups = f"g.group_id = ANY({parameters.constant(list(self.group_ids), 'bigint[]')})"
        joined = None if self.joined is None else self.joined.sql("g.added_at", parameters)
        return HasRow(table="group_members", alias="g", where=all_of(in_groups, joined) or in_groups)

    def _groups(self, names: Names) -> str:
        return memberships("group", [names.groups.get(group_id, "?") for group_id in self.group_ids])


def _known(text: str, parsing: Parsing) -> int | None:
    return list_id("group", text, parsing)


def _build(given: Given, _: Parsing) -> InGroup:
    return InGroup(group_ids=given["anyOf"], joined=given.get("joined"))


_GROUP_FILTER: Final = Shape(
    name="GroupFilter",
    description="Membership in groups.",
    fields=(
        InputField(
            name="anyOf",
            type=Scalar.ID,
            many=True,
            required=True,
            check=_known,
            description=f"At least one of these groups, {HOW_TO_NAME.format(kind='group')}",
        ),
        InputField(
            name="joined", type=TIME_FILTER, description="When the person was added to the same group."
        ),
    ),
    build=_build,
    example='{anyOf: ["VIP"]}',
)

register(
    Kind(
        name="group",
        label="group",
        description="A member of a group.",
        type=_GROUP_FILTER,
        build=lambda condition, _: condition,
        example={"anyOf": ["21"], "joined": {"inLast": {"days": 30}}},
    )
)
