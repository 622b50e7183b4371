"""field: a custom field, by its key. The field's type decides which filter it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from audience_gql.conditions.base import PROFILE, DayEdge, Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.boolean import BOOLEAN_FILTER, BooleanFilter
from audience_gql.conditions.filters.date import DATE_FILTER, DateFilter, midnights
from audience_gql.conditions.filters.exclusive import only_one
from audience_gql.conditions.filters.list import LIST_FILTER, ListFilter
from audience_gql.conditions.filters.number import NUMBER_FILTER, NumberFilter
from audience_gql.conditions.filters.properties import number_in
from audience_gql.conditions.filters.text import TEXT_FILTER, TextFilter
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.sql.questions import OfRow, Parameters, json_boolean, json_number
from audience_gql.conditions.values import Json, date_of, instant_of
from audience_gql.conditions.vocabulary import FieldRef, FieldType, IdCodec, Vocabulary
from audience_gql.conditions.words.similar import did_you_mean, similar


@dataclass(frozen=True, slots=True, kw_only=True)
class _Type:
    """How a type's values are read in Python and in SQL. A value that cannot be read counts as missing."""

    filter: str
    """The name of the type's filter in FieldFilter."""
    read: Callable[[Any], Any]  # Any: a JSON value, and what the type's filter takes
    sql: Callable[[str], str]
    """Takes the bound key. No cast can fail, because storage checks values before it writes them."""


_TYPES: Final[dict[FieldType, _Type]] = {
    "TEXT": _Type(
        filter="text",
        read=lambda value: value if isinstance(value, str) else None,
        sql=lambda key: f"coalesce(s.fields_folded ->> {key}, s.fields ->> {key})",
    ),
    "NUMBER": _Type(filter="number", read=number_in, sql=lambda key: json_number("s.fields", key)),
    "BOOLEAN": _Type(
        filter="boolean",
        read=lambda value: value if isinstance(value, bool) else None,
        sql=lambda key: json_boolean("s.fields", key),
    ),
    "DATE": _Type(
        filter="date",
        read=lambda value: date_of(value) if isinstance(value, str) else None,
        sql=lambda key: f"(s.fields ->> {key})::date",
    ),
    "DATETIME": _Type(
        filter="time",
        read=lambda value: instant_of(value) if isinstance(value, str) else None,
        sql=lambda key: f"(s.fields ->> {key})::timestamptz",
    ),
    "LIST": _Type(
        filter="list",
        read=lambda value: value if isinstance(value, list) else None,
        sql=lambda key: f"coalesce(s.fields_folded -> {key}, s.fields -> {key})",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField(Leaf):
    """The field's value passes the filter of its type."""

    field: FieldRef
    filter: TextFilter | NumberFilter | BooleanFilter | DateFilter | TimeFilter | ListFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {"field": {"key": self.field.key, _TYPES[self.field.type].filter: self.filter.dump()}}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        if isinstance(self.filter, TimeFilter):
            return f"whose {self.field.key} {self.filter.predicate()}"
        return f"whose {self.field.key} {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:
        value = self._value(person)
        match self.filter:
            case DateFilter():
                return self.filter.matches(value, moment.today(person))
            case TimeFilter():
                return self.filter.matches(value, moment.now)
            case _:
                return self.filter.matches(value)

    def observe(self, person: Facts, moment: Moment, ids: IdCodec) -> Json:  # noqa: ARG002  # same
        value: Json = person.fields.get(self.field.id)  # type: ignore[assignment]  # a JSON value, as it was written
        return value

    def reads(self) -> frozenset[Read]:
        own = Read(source="field", ref=self.field.id)
        is_of_today = isinstance(self.filter, DateFilter) and self.filter.looks_at_today
        return (
            frozenset({own, PROFILE}) if is_of_today else frozenset({own})
        )  # today depends on the person's time zone

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge | DayEdge]:  # noqa: ARG002  # the leaf has its field's id
        match self.filter:
            case DateFilter():
                return frozenset(self.filter.edges(self.field.id))
            case TimeFilter():
                offsets = self.filter.offsets()
                return frozenset(
                    Edge(table="subscriber_dates", ref=self.field.id, offset=offset) for offset in offsets
                )
            case _:
                return frozenset()

    def instants(self, person: Facts, moment: Moment) -> Iterator[datetime]:
        value = self._value(person)
        if value is None:
            return
        match self.filter:
            case DateFilter():
                yield from midnights(self.filter.turning_days(value, moment.today(person)), person, moment)
            case TimeFilter():
                yield from self.filter.instants(value)

    def sql(self, parameters: Parameters) -> OfRow:
        key = parameters.constant(str(self.field.id), "text")
        is_exact = isinstance(self.filter, TextFilter) and self.filter.is_exact
        value = f"s.fields ->> {key}" if is_exact else _TYPES[self.field.type].sql(key)
        return OfRow(expression=self.filter.sql(f"({value})", parameters))

    def _value(self, person: Facts) -> Any:  # Any: what the field's type reads
        return _TYPES[self.field.type].read(person.fields.get(self.field.id))


def _known(key: str, parsing: Parsing) -> FieldRef | None:
    field = parsing.vocabulary.fields.get(key)
    if field is None:
        near = similar(key, parsing.vocabulary.fields)
        parsing.problem("UNKNOWN", f"there is no custom field with this key{did_you_mean(near)}")
    return field


def _build_filter(given: Given, parsing: Parsing) -> CustomField | None:
    field: FieldRef = given["key"]
    name = only_one(given, [declared.filter for declared in _TYPES.values()], parsing)
    if name is None:
        return None
    if name != _TYPES[field.type].filter:
        parsing.problem("WRONG_TYPE", f"the field's type is {field.type}", name)
    found = given[name]
    return CustomField(
        field=field,
        filter=found.of_stored(str.strip) if isinstance(found, TextFilter | ListFilter) else found,
    )


_FIELD_FILTER: Final = Shape(
    name="FieldFilter",
    description="A custom field: its key, and exactly one filter, which must fit the field's type.",
    fields=(
        InputField(
            name="key",
            type=Scalar.STRING,
            required=True,
            check=_known,
            description="The field's exact key.",
        ),
        InputField(name="text", type=TEXT_FILTER, description="For a TEXT field."),
        InputField(name="number", type=NUMBER_FILTER, description="For a NUMBER field."),
        InputField(name="boolean", type=BOOLEAN_FILTER, description="For a BOOLEAN field."),
        InputField(name="date", type=DATE_FILTER, description="For a DATE field."),
        InputField(name="time", type=TIME_FILTER, description="For a DATETIME field."),
        InputField(name="list", type=LIST_FILTER, description="For a LIST field."),
    ),
    build=_build_filter,
)

register(
    Kind(
        name="field",
        label="custom field",
        description="A custom field passes a filter.",
        category="DEMOGRAPHIC",
        type=_FIELD_FILTER,
        build=lambda condition, _: condition,
        example={"key": "plan", "text": {"is": "pro"}},
    )
)
