"""field: a custom field, by its key. Its declared type says which filter it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from audience_gql.conditions.base import Edge, Leaf, Moment, Names, Read
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.filters.exclusive import only_one
from audience_gql.conditions.filters.number import NUMBER_FILTER, NumberFilter
from audience_gql.conditions.filters.properties import number_in
from audience_gql.conditions.filters.text import TEXT_FILTER, TextFilter
from audience_gql.conditions.parsing import Parsing
from audience_gql.conditions.registry import Kind, register
from audience_gql.conditions.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql import OfRow, Parameters, json_number
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import FieldRef, IdCodec, Vocabulary

_COLUMN: Final = "s.fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField(Leaf):
    """The field's value passes the filter of its type."""

    field: FieldRef
    filter: TextFilter | NumberFilter

    def dump(self, ids: IdCodec) -> dict[str, Json]:  # noqa: ARG002  # names no group or segment
        return {"field": {"key": self.field.key, _FILTERS[self.field.type]: self.filter.dump()}}

    def summary(self, names: Names) -> str:  # noqa: ARG002  # same
        return f"whose {self.field.key} {self.filter.words()}"

    def evaluate(self, person: Facts, moment: Moment) -> bool:  # noqa: ARG002  # whatever the time
        value = person.fields.get(self.field.id)
        if isinstance(self.filter, TextFilter):
            return self.filter.matches(value if isinstance(value, str) else None)
        return self.filter.matches(number_in(value))

    def reads(self) -> frozenset[Read]:
        return frozenset({Read(source="field", ref=self.field.id)})

    def edges(self, vocabulary: Vocabulary) -> frozenset[Edge]:  # noqa: ARG002  # the clock changes no text and no number
        return frozenset()

    def sql(self, parameters: Parameters) -> OfRow:
        key = parameters.constant(str(self.field.id), "text")
        if isinstance(self.filter, TextFilter):
            column = f"coalesce({_COLUMN}_folded ->> {key}, {_COLUMN} ->> {key})"
        else:
            column = f"({json_number(_COLUMN, key)})"
        return OfRow(expression=self.filter.sql(column, parameters))


_FILTERS: Final = {"TEXT": "text", "NUMBER": "number"}


def _known(key: str, parsing: Parsing) -> FieldRef | None:
    field = parsing.vocabulary.fields.get(key)
    if field is None:
        parsing.problem("UNKNOWN", "there is no custom field with this key")
    return field


def _build_filter(given: Given, parsing: Parsing) -> CustomField | None:
    field: FieldRef = given["key"]
    name = only_one(given, _FILTERS.values(), parsing)
    if name is None:
        return None
    if name != _FILTERS.get(field.type):
        parsing.problem("WRONG_TYPE", f"the field's type is {field.type}", name)
    return CustomField(field=field, filter=given[name])


_FIELD_FILTER: Final = Shape(
    name="FieldFilter",
    description="A custom field: its key, and exactly one filter, that of the field's type.",
    fields=(
        InputField(
            name="key",
            type=Scalar.STRING,
            required=True,
            check=_known,
            description="The field's key, exactly.",
        ),
        InputField(name="text", type=TEXT_FILTER, description="For a TEXT field."),
        InputField(name="number", type=NUMBER_FILTER, description="For a NUMBER field."),
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
    )
)
