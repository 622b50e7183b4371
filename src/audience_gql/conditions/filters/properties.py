"""PropertyFilter: a requirement on a property of an event.

A value of another JSON type counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from audience_gql.conditions.filters.boolean import BOOLEAN_FILTER, BooleanFilter
from audience_gql.conditions.filters.exclusive import only_one
from audience_gql.conditions.filters.number import NUMBER_FILTER, NumberFilter
from audience_gql.conditions.filters.text import TEXT_FILTER, TextFilter
from audience_gql.conditions.filters.time import TIME_FILTER, TimeFilter
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.limits import MAX_PROPERTY_FILTERS
from audience_gql.conditions.sql.questions import Parameters, json_boolean, json_number
from audience_gql.conditions.values import Json, decimal_of, instant_of
from audience_gql.conditions.words.wording import listed, named, set_apart

_COLUMN: Final = "e.properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFilter:
    """A property's key, and the filter that the property must pass."""

    key: str
    filter: TextFilter | NumberFilter | BooleanFilter | TimeFilter

    def matches(self, properties: Mapping[str, object], now: datetime) -> bool:
        value = properties.get(self.key)
        match self.filter:
            case TextFilter():
                return self.filter.matches(value if isinstance(value, str) else None)
            case NumberFilter():
                return self.filter.matches(number_in(value))
            case BooleanFilter():
                return self.filter.matches(value if isinstance(value, bool) else None)
            case TimeFilter():
                return self.filter.matches(instant_of(value) if isinstance(value, str) else None, now)

    def sql(self, parameters: Parameters) -> str:
        """A predicate over an event, alias `e`."""
        key = parameters.constant(self.key, "text")
        match self.filter:
            case TextFilter(is_exact=True):
                column = f"CASE WHEN jsonb_typeof({_COLUMN} -> {key}) = 'string' THEN {_COLUMN} ->> {key} END"
            case TextFilter():
                column = (
                    f"CASE WHEN jsonb_typeof({_COLUMN} -> {key}) = 'string' "
                    f"THEN coalesce({_COLUMN}_folded ->> {key}, {_COLUMN} ->> {key}) END"
                )
            case NumberFilter():
                column = json_number(_COLUMN, key)
            case BooleanFilter():
                column = json_boolean(_COLUMN, key)
            case TimeFilter():
                # Storage writes this column only from texts that are instants, so the cast cannot fail.
                column = f"({_COLUMN}_times ->> {key})::timestamptz"
        return self.filter.sql(f"({column})", parameters)

    def dump(self) -> Json:
        return {"key": self.key, _NAMES[type(self.filter)]: self.filter.dump()}

    def words(self) -> str:
        key = named(self.key)
        if isinstance(self.filter.value, bool) and self.filter.operator == "isSet":
            of_type, of_another = _TYPES[type(self.filter)]
            return f"{key} is {of_type}" if self.filter.value else f"{key} is missing or {of_another}"
        if isinstance(self.filter, TimeFilter):
            return f"{key} {self.filter.predicate()}"
        return f"{key} {self.filter.words()}"


def number_in(value: object) -> Decimal | None:
    """The number of a JSON value; None when the value is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return decimal_of(value)


def dump_where(where: tuple[PropertyFilter, ...]) -> dict[str, Json]:
    """The part of a leaf's input with these filters."""
    return {"where": [item.dump() for item in where]} if where else {}


def words_of_where(where: tuple[PropertyFilter, ...]) -> str:
    """The words that follow an event's name: ` (brand is "Acme" and price is at least 20)`."""
    if not where:
        return ""
    words = [item.words() for item in where]
    return f" ({words[0] if len(words) == 1 else listed(list(map(set_apart, words)), joint='and')})"


def event_name(text: str, parsing: Parsing) -> str:
    """The check of events' names, which are stored without blanks around them."""
    return nonempty(text.strip(), parsing)


def nonempty(text: str, parsing: Parsing) -> str:
    """The check for names and keys."""
    if not text:
        parsing.problem("REQUIRED", "must not be empty")
    return text


_NAMES: Final = {TextFilter: "text", NumberFilter: "number", BooleanFilter: "boolean", TimeFilter: "time"}
_TYPES: Final = {
    TextFilter: ("a text", "not a text"),
    NumberFilter: ("a number", "not a number"),
    BooleanFilter: ("true or false", "neither true nor false"),
    TimeFilter: ("an instant", "not an instant"),
}


def _not_relative(time_filter: TimeFilter, parsing: Parsing) -> TimeFilter:
    if time_filter.offsets():
        parsing.problem(
            "OUT_OF_RANGE",
            "a property cannot be compared with now; use before, after or between",
            time_filter.operator,
        )
    return time_filter


def _build(given: Given, parsing: Parsing) -> PropertyFilter | None:
    name = only_one(given, _NAMES.values(), parsing)
    return None if name is None else PropertyFilter(key=given["key"], filter=given[name])


PROPERTY_FILTER: Final = Shape(
    name="PropertyFilter",
    description="A property of an event: its key and exactly one filter. A value of another type counts as missing.",
    fields=(
        InputField(
            name="key",
            type=Scalar.STRING,
            required=True,
            check=nonempty,
            description="The property's exact name.",
        ),
        InputField(name="text", type=TEXT_FILTER, description="For a property that is text."),
        InputField(name="number", type=NUMBER_FILTER, description="For a property that is a number."),
        InputField(name="boolean", type=BOOLEAN_FILTER, description="For a property that is true or false."),
        InputField(
            name="time",
            type=TIME_FILTER,
            check=_not_relative,
            description="For a property that is an RFC 3339 text with a zone. Relative filters are refused.",
        ),
    ),
    build=_build,
)

WHERE: Final = InputField(
    name="where",
    type=PROPERTY_FILTER,
    many=True,
    at_most=MAX_PROPERTY_FILTERS,
    description=f"Only events for which all of these hold count. At most {MAX_PROPERTY_FILTERS}.",
)
