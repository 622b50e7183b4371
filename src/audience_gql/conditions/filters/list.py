"""ListFilter: compares the items of a list of texts, ignoring upper and lower case.

A missing list matches only `isSet: false`. An empty list is not missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json, fold
from audience_gql.conditions.words.wording import listed, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    description: str
    sql: Callable[[str, str], str]
    """Takes the folded JSON array and the bound values. Null for a missing list."""
    holds: Callable[[frozenset[str], frozenset[str]], bool]


_OPERATORS: Final = {
    "hasAny": _Operator(
        description="Contains at least one of these.",
        sql=lambda column, values: f"{column} ?| {values}",
        holds=lambda held, wanted: bool(held & wanted),
    ),
    "hasAll": _Operator(
        description="Contains all of these.",
        sql=lambda column, values: f"{column} ?& {values}",
        holds=lambda held, wanted: wanted <= held,
    ),
    "hasNone": _Operator(
        description="Set, and contains none of these.",
        sql=lambda column, values: f"NOT ({column} ?| {values})",
        holds=lambda held, wanted: not held & wanted,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """One operator and its value as written."""

    operator: str
    value: tuple[str, ...] | bool

    def of_stored(self, store: Callable[[str], str]) -> ListFilter:
        """The same filter, with `store` applied to its texts. Storage applies `store` before it writes a text."""
        return self if isinstance(self.value, bool) else replace(self, value=tuple(map(store, self.value)))

    def matches(self, texts: Sequence[str] | None) -> bool:
        if self.operator == "isSet":
            return (texts is not None) is self.value
        if texts is None:
            return False
        if isinstance(self.value, bool):
            return (not texts) is self.value
        return _OPERATORS[self.operator].holds(frozenset(map(fold, texts)), frozenset(map(fold, self.value)))

    def sql(self, column: str, parameters: Parameters) -> str:
        """`column` is a JSON array of folded texts; null if the list is missing."""
        if self.operator == "isSet":
            return f"{column} IS {'NOT NULL' if self.value else 'NULL'}"
        if isinstance(self.value, bool):
            return f"jsonb_array_length({column}) {'=' if self.value else '>'} 0"
        values = parameters.constant([fold(text) for text in self.value], "text[]")
        return _OPERATORS[self.operator].sql(column, values)

    def dump(self) -> Json:
        return {self.operator: list(self.value) if isinstance(self.value, tuple) else self.value}

    def words(self) -> str:
        """A predicate: `has "red" or "blue"`."""
        if isinstance(self.value, bool):
            if self.operator == "isSet":
                return "is set" if self.value else "is not set"
            return "is set, but empty" if self.value else "is set, and not empty"
        values = [quoted(text) for text in self.value]
        if not values:
            return _OF_NO_VALUES[self.operator]
        if self.operator == "hasNone" and len(values) > 1:
            return f"is set, but has neither {listed(values, joint='nor')}"
        return f"{_WORDS[self.operator]} {listed(values, joint='and' if self.operator == 'hasAll' else 'or')}"


_WORDS: Final = {"hasAny": "has", "hasAll": "has", "hasNone": "is set, but does not have"}
_OF_NO_VALUES: Final = {
    "hasAny": "has any of no values",
    "hasAll": "is set, and has all of no values",
    "hasNone": "is set, and has none of no values",
}


def _build(given: Given, _: Parsing) -> ListFilter:
    ((operator, value),) = given.items()
    return ListFilter(operator=operator, value=value)


LIST_FILTER: Final = Shape(
    name="ListFilter",
    one_of=True,
    description="Compares the items of a list of texts, ignoring upper and lower case. A missing list matches only `isSet: false`.",
    fields=(
        *(
            InputField(name=name, type=Scalar.STRING, many=True, description=operator.description)
            for name, operator in _OPERATORS.items()
        ),
        InputField(
            name="isEmpty",
            type=Scalar.BOOLEAN,
            description="Set, and without items (true) or with items (false).",
        ),
        InputField(
            name="isSet", type=Scalar.BOOLEAN, description="Whether there is a list. It may be empty."
        ),
    ),
    build=_build,
)
