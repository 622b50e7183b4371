"""birthday: the date of birth and its anniversaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from audience_gql.conditions.base import PROFILE, DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.date import DATE_FILTER, DateFilter, midnights
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfRow, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import BIRTHDAY_DATE, IdCodec, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Birthday(Leaf):
    """The birthday passes a filter. Today is the day where the person lives."""

    filter: DateFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {"birthday": self.filter.dump()}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        # "Whose birthday is today" would read like an anniversary.
        return f"whose date of birth {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return self.filter.matches(person.birthday, moment.today(person))

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        birthday = None if person.birthday is None else person.birthday.isoformat()
        return {"birthday": birthday, "today": moment.today(person).isoformat()}

    def reads(self) -> frozenset[Read]:
        return frozenset({PROFILE})

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # a column needs no vocabulary
        return self.filter.edges(BIRTHDAY_DATE)

    def instants(self, person: Facts, moment: Moment) -> Iterator[datetime]:
        if person.birthday is not None:
            yield from midnights(
                self.filter.turning_days(person.birthday, moment.today(person)), person, moment
            )

    def sql(self, parameters: Parameters) -> OfRow:
        return OfRow(expression=self.filter.sql("s.birthday", parameters))


register(
    Kind(
        name="birthday",
        label="birthday",
        description="The date of birth. Today is the date in the person's time zone, or else in the workspace's.",
        category="DEMOGRAPHIC",
        type=DATE_FILTER,
        build=lambda date_filter, _: Birthday(filter=date_filter),
        example={"anniversaryInNext": {"days": 7}},
    )
)
