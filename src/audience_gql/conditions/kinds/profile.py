"""The kinds for the profile's columns: eleven texts, and the two instants that every person has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from audience_gql.conditions.base import PROFILE, DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.text import TEXT_FILTER, TextFilter
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.profile import TEXT_OF_NAME
from audience_gql.conditions.registry import Category, Kind, register
from audience_gql.conditions.sql.questions import OfRow, Parameters
from audience_gql.conditions.values import Json, instant_text
from audience_gql.conditions.vocabulary import CREATED_DATE, UPDATED_DATE, IdCodec, Vocabulary
from audience_gql.conditions.zones import zone_named

_PROFILE: Final = frozenset({PROFILE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _TextColumn:
    label: str
    description: str
    example: Json
    category: Category | None = None


_TEXTS: Final = {
    "email": _TextColumn(
        label="email",
        description="The email address. Upper and lower case are ignored, but `ß` is not `ss`. An `xn--` domain equals its Unicode form.",
        example={"endsWith": "@example.com"},
    ),
    "phone": _TextColumn(label="phone", description="The phone number.", example={"startsWith": "+370"}),
    "externalId": _TextColumn(
        label="external id",
        description="The id in the system that the person comes from.",
        example={"in": ["a-1", "a-2"]},
    ),
    "firstName": _TextColumn(
        label="first name",
        description="The given name.",
        example={"is": "Bob"},
        category="DEMOGRAPHIC",
    ),
    "lastName": _TextColumn(
        label="last name",
        description="The family name.",
        example={"isSet": True},
        category="DEMOGRAPHIC",
    ),
    "language": _TextColumn(
        label="language",
        description="The preferred language.",
        example={"is": "lt"},
        category="DEMOGRAPHIC",
    ),
    "timezone": _TextColumn(
        label="time zone",
        description="The time zone, such as Europe/Vilnius. An old name of a zone, such as Asia/Calcutta, counts as its present name.",
        example={"startsWith": "Europe/"},
        category="DEMOGRAPHIC",
    ),
    "country": _TextColumn(
        label="country",
        description="The country, ISO 3166-1 alpha-2. A name, such as Lithuania, is refused, and the message says which code it has.",
        example={"in": ["LT", "LV"]},
        category="DEMOGRAPHIC",
    ),
    "region": _TextColumn(
        label="region",
        description="The region or state.",
        example={"notContains": "Vilni"},
        category="DEMOGRAPHIC",
    ),
    "city": _TextColumn(
        label="city",
        description="The city.",
        example={"contains": "Berlin"},
        category="DEMOGRAPHIC",
    ),
    "postalCode": _TextColumn(
        label="postal code",
        description="The postal code.",
        example={"startsWith": "01"},
        category="DEMOGRAPHIC",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileText(Leaf):
    """A text column passes a filter."""

    column: str
    filter: TextFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {self.column: self.filter.dump()}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        return f"whose {_TEXTS[self.column].label} {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:  # noqa: ARG002  # independent of the time
        return self.filter.matches(person.profile.get(self.column))

    def reads(self) -> frozenset[Read]:
        return _PROFILE

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        return person.profile.get(self.column)

    def sql(self, parameters: Parameters) -> OfRow:
        column = f"s.{TEXT_OF_NAME[self.column]}"
        return OfRow(
            expression=self.filter.sql(column if self.filter.is_exact else f"{column}_folded", parameters)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _TimeColumn:
    sql: str
    field_id: int
    label: str
    verb: str
    description: str
    example: Json


_TIMES: Final = {
    "createdAt": _TimeColumn(
        sql="s.created_at",
        field_id=CREATED_DATE,
        label="created at",
        verb="created",
        description="When the person was first stored.",
        example={"inLast": {"days": 7}},
    ),
    "updatedAt": _TimeColumn(
        sql="s.updated_at",
        field_id=UPDATED_DATE,
        label="updated at",
        verb="last updated",
        description="When the person's profile or custom fields last changed.",
        example={"notInLast": {"days": 30}},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileTime(Leaf):
    """A time column passes a filter."""

    column: str
    filter: TimeFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {self.column: self.filter.dump()}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        return f"who were {_TIMES[self.column].verb} {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        return self.filter.matches(self._time(person), moment.now)

    def reads(self) -> frozenset[Read]:
        return _PROFILE

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # independent of the time
        return instant_text(self._time(person))

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # a column needs no vocabulary
        field_id = _TIMES[self.column].field_id
        return frozenset(
            Edge(table="subscriber_dates", ref=field_id, offset=offset) for offset in self.filter.offsets()
        )

    def instants(self, person: Facts, moment: Moment) -> Iterator[datetime]:  # noqa: ARG002  # includes past instants
        return self.filter.instants(self._time(person))

    def sql(self, parameters: Parameters) -> OfRow:
        return OfRow(expression=self.filter.sql(_TIMES[self.column].sql, parameters))

    def _time(self, person: Facts) -> datetime:
        return person.created_at if self.column == "createdAt" else person.updated_at


def _text(column: str, text_filter: TextFilter, parsing: Parsing) -> ProfileText:
    if column == "country":
        _check_countries(text_filter, parsing)
    stored = text_filter.of_stored(_STORED.get(column, str.strip))
    return ProfileText(column=column, filter=replace(stored, of_addresses=column == "email"))


def _check_countries(text_filter: TextFilter, parsing: Parsing) -> None:
    check = parsing.vocabulary.country_problem
    if check is None:
        return
    for text, steps in text_filter.whole_texts():
        if problem := check(text):
            parsing.problem("UNKNOWN", problem, *steps)


def _present_zone(name: str) -> str:
    return zone_named(name.strip()) or name.strip()


_STORED: Final = {"timezone": _present_zone}
"""How storage changes a text before it writes it, for columns where it does more than remove the blanks around the text."""


def _time(column: str, time_filter: TimeFilter, _: Parsing) -> ProfileTime:
    return ProfileTime(column=column, filter=time_filter)


for _name, _text_column in _TEXTS.items():
    register(
        Kind(
            name=_name,
            label=_text_column.label,
            description=_text_column.description,
            category=_text_column.category,
            type=TEXT_FILTER,
            build=partial(_text, _name),
            example=_text_column.example,
        )
    )
for _name, _time_column in _TIMES.items():
    register(
        Kind(
            name=_name,
            label=_time_column.label,
            description=_time_column.description,
            category="LIFECYCLE",
            type=TIME_FILTER,
            build=partial(_time, _name),
            example=_time_column.example,
        )
    )
