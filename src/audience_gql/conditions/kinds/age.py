"""age: the completed years since the birthday. People without a birthday, or with a future one, have no age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from audience_gql.conditions.base import PROFILE, DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.calendar import age_on, anniversary
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.date import anniversary_sql, midnights
from audience_gql.conditions.filters.number import NUMBER_FILTER, NumberFilter
from audience_gql.conditions.limits import LAST_YEAR
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfRow, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import BIRTHDAY_DATE, IdCodec, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Age(Leaf):
    """The age passes a filter. It grows when the birthday begins: for 29 February, on 1 March in years without one."""

    filter: NumberFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {"age": self.filter.dump()}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        return f"whose age {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        age = self._age(person, moment)
        return self.filter.matches(None if age is None else Decimal(age))

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        birthday = None if person.birthday is None else person.birthday.isoformat()
        return {"age": self._age(person, moment), "birthday": birthday}

    def reads(self) -> frozenset[Read]:
        return frozenset({PROFILE})

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # a column needs no vocabulary
        return frozenset({DayEdge(field_id=BIRTHDAY_DATE, days=0, yearly=True)})

    def instants(self, person: Facts, moment: Moment) -> Iterator[datetime]:
        """The beginning of each birthday, up to the last year that dates can have."""
        birthday = person.birthday
        if birthday is None:
            return
        first = max(birthday.year, moment.now.year - 1)
        years = range(first, LAST_YEAR + 1)
        yield from midnights((anniversary(birthday, year) for year in years), person, moment)

    def sql(self, parameters: Parameters) -> OfRow:
        today = parameters.today()
        this_year = anniversary_sql("s.birthday", f"extract(year FROM {today})::integer")
        years = (
            f"extract(year FROM {today}) - extract(year FROM s.birthday) - ({this_year} > {today})::integer"
        )
        age = f"(CASE WHEN s.birthday <= {today} THEN {years} END)"
        return OfRow(expression=self.filter.sql(age, parameters))

    def _age(self, person: Facts, moment: Moment) -> int | None:
        return None if person.birthday is None else age_on(moment.today(person), person.birthday)


register(
    Kind(
        name="age",
        label="age",
        description="The age in completed years. People without a birthday have no age.",
        category="DEMOGRAPHIC",
        type=NUMBER_FILTER,
        build=lambda number_filter, _: Age(filter=number_filter),
        example={"gte": 18},
    )
)
