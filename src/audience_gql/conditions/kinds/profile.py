"""The profile's own columns: eleven texts, and the two instants that every person has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from audience_gql.conditions.base import Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.text import TEXT_FILTER, TextFilter
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.parsing import Parsing
from audience_gql.conditions.registry import Category, Kind, register
from audience_gql.conditions.sql import OfRow, Parameters
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary

_PROFILE: Final = frozenset({Read(source="profile", ref=0)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _TextColumn:
    sql: str
    label: str
    description: str
    category: Category | None = None


_TEXTS: Final = {
    "email": _TextColumn(sql="s.email_folded", label="email", description="The email address."),
    "phone": _TextColumn(sql="s.phone_folded", label="phone", description="The phone number."),
    "externalId": _TextColumn(
        sql="s.external_id_folded",
        label="external id",
        description="The id in the system that the person comes from.",
    ),
    "firstName": _TextColumn(
        sql="s.first_name_folded", label="first name", description="The given name.", category="DEMOGRAPHIC"
    ),
    "lastName": _TextColumn(
        sql="s.last_name_folded", label="last name", description="The family name.", category="DEMOGRAPHIC"
    ),
    "language": _TextColumn(
        sql="s.language_folded",
        label="language",
        description="The preferred language.",
        category="DEMOGRAPHIC",
    ),
    "timezone": _TextColumn(
        sql="s.timezone_folded",
        label="time zone",
        description="The time zone, such as Europe/Vilnius.",
        category="DEMOGRAPHIC",
    ),
    "country": _TextColumn(
        sql="s.country_folded",
        label="country",
        description="The country, ISO 3166-1 alpha-2.",
        category="DEMOGRAPHIC",
    ),
    "region": _TextColumn(
        sql="s.region_folded", label="region", description="The region or state.", category="DEMOGRAPHIC"
    ),
    "city": _TextColumn(sql="s.city_folded", label="city", description="The city.", category="DEMOGRAPHIC"),
    "postalCode": _TextColumn(
        sql="s.postal_code_folded",
        label="postal code",
        description="The postal code.",
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

    def evaluate(self, person: Facts, moment: Moment) -> bool:  # noqa: ARG002  # whatever the time
        return self.filter.matches(person.profile.get(self.column))

    def reads(self) -> frozenset[Read]:
        return _PROFILE

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:  # noqa: ARG002  # the clock changes no text
        return frozenset()

    def sql(self, parameters: Parameters) -> OfRow:
        return OfRow(expression=self.filter.sql(_TEXTS[self.column].sql, parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class _TimeColumn:
    sql: str
    field_id: int
    """In subscriber_dates."""
    label: str
    verb: str
    description: str


_TIMES: Final = {
    "createdAt": _TimeColumn(
        sql="s.created_at",
        field_id=1,
        label="created at",
        verb="created",
        description="When the person was first stored.",
    ),
    "updatedAt": _TimeColumn(
        sql="s.updated_at",
        field_id=2,
        label="updated at",
        verb="last updated",
        description="When the person's profile or custom fields last changed.",
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
        time = person.created_at if self.column == "createdAt" else person.updated_at
        return self.filter.matches(time, moment.now)

    def reads(self) -> frozenset[Read]:
        return _PROFILE

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:  # noqa: ARG002  # its column has no name of its own
        return frozenset(self._edge(offset) for offset in self.filter.offsets())

    def sql(self, parameters: Parameters) -> OfRow:
        return OfRow(expression=self.filter.sql(_TIMES[self.column].sql, parameters))

    def _edge(self, offset: timedelta) -> Edge:
        keys = (("field_id", _TIMES[self.column].field_id),)
        return Edge(table="subscriber_dates", keys=keys, column="at", offset=offset)


def _text(column: str, text_filter: TextFilter, _: Parsing) -> ProfileText:
    return ProfileText(column=column, filter=text_filter)


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
        )
    )
