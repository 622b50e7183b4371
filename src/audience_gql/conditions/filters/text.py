"""TextFilter: compares folded text with folded text. Email addresses are folded by the rules of addresses.py.

A missing text matches only `isSet: false`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from audience_gql.conditions.addresses import fold_address, fold_end_of_address
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Given, InputField, Scalar, Shape
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json, fold
from audience_gql.conditions.words.wording import listed, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    description: str
    words: str
    sql: Callable[[str, str], str]
    """Takes the folded column and the bound value. Null or false for a missing text."""
    holds: Callable[[str, Any], bool]  # Any: the folded value, or with `many` a set of them
    many: bool = False


_OPERATORS: Final = {
    "is": _Operator(
        description="Equal, ignoring upper and lower case.",
        words="is {}",
        sql=lambda column, value: f"{column} = {value}",
        holds=lambda text, value: text == value,
    ),
    "isNot": _Operator(
        description="Set, and not equal.",
        words="is set, but not {}",
        sql=lambda column, value: f"{column} <> {value}",
        holds=lambda text, value: text != value,
    ),
    "in": _Operator(
        description="Equal to one of these.",
        words="is {}",
        sql=lambda column, values: f"{column} = ANY({values})",
        holds=lambda text, values: text in values,
        many=True,
    ),
    "notIn": _Operator(
        description="Set, and equal to none of these.",
        words="is set, but not {}",
        # An empty list makes `<> ALL` true even for null.
        sql=lambda column, values: f"({column} IS NOT NULL AND {column} <> ALL({values}))",
        holds=lambda text, values: text not in values,
        many=True,
    ),
    "contains": _Operator(
        description="Contains this text literally.",
        words="contains {}",
        sql=lambda column, value: f"strpos({column}, {value}) > 0",
        holds=lambda text, value: value in text,
    ),
    "notContains": _Operator(
        description="Set, and does not contain this text.",
        words="is set, but does not contain {}",
        sql=lambda column, value: f"strpos({column}, {value}) = 0",
        holds=lambda text, value: value not in text,
    ),
    "startsWith": _Operator(
        description="Starts with this text literally.",
        words="starts with {}",
        sql=lambda column, value: f"starts_with({column}, {value})",
        holds=lambda text, value: text.startswith(value),
    ),
    "endsWith": _Operator(
        description="Ends with this text literally.",
        words="ends with {}",
        sql=lambda column, value: f"right({column}, length({value})) = {value}",
        holds=lambda text, value: text.endswith(value),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """One operator and its value as written. Only the comparison folds the value."""

    operator: str
    value: str | tuple[str, ...] | bool
    of_addresses: bool = False

    def of_stored(self, store: Callable[[str], str]) -> TextFilter:
        """The same filter, with `store` applied to texts that are compared as a whole. Storage applies `store` before it writes a text."""
        if isinstance(self.value, bool) or self.operator not in _OF_WHOLE_TEXTS:
            return self
        value = store(self.value) if isinstance(self.value, str) else tuple(map(store, self.value))
        return replace(self, value=value)

    def matches(self, text: str | None) -> bool:
        """Whether a stored text passes. None stands for a missing text."""
        if isinstance(self.value, bool):
            return (text is not None) is self.value
        if text is None:
            return False
        wanted = self._fold(self.value) if isinstance(self.value, str) else {*map(self._fold, self.value)}
        return _OPERATORS[self.operator].holds(
            fold_address(text) if self.of_addresses else fold(text), wanted
        )

    def sql(self, column: str, parameters: Parameters) -> str:
        """`column` is an expression of the folded text."""
        if isinstance(self.value, bool):
            return f"{column} IS {'NOT NULL' if self.value else 'NULL'}"
        if isinstance(self.value, str):
            value = parameters.constant(self._fold(self.value), "text")
        else:
            value = parameters.constant([self._fold(text) for text in self.value], "text[]")
        return _OPERATORS[self.operator].sql(column, value)

    def dump(self) -> Json:
        return {self.operator: list(self.value) if isinstance(self.value, tuple) else self.value}

    def words(self) -> str:
        """A predicate: `is "LT"`."""
        if isinstance(self.value, bool):
            return "is set" if self.value else "is not set"
        values = [quoted(text) for text in ([self.value] if isinstance(self.value, str) else self.value)]
        if self.operator == "notIn" and len(values) > 1:
            return f"is set, but neither {listed(values, joint='nor')}"
        return _OPERATORS[self.operator].words.format(listed(values))

    def _fold(self, operand: str) -> str:
        if not self.of_addresses:
            return fold(operand)
        return fold_end_of_address(operand) if self.operator == "endsWith" else fold_address(operand)


_OF_WHOLE_TEXTS: Final = frozenset({"is", "isNot", "in", "notIn"})


def _build(given: Given, _: Parsing) -> TextFilter:
    ((operator, value),) = given.items()
    return TextFilter(operator=operator, value=value)


TEXT_FILTER: Final = Shape(
    name="TextFilter",
    one_of=True,
    description="Compares text, ignoring upper and lower case. A missing text matches only `isSet: false`.",
    fields=(
        *(
            InputField(name=name, type=Scalar.STRING, many=operator.many, description=operator.description)
            for name, operator in _OPERATORS.items()
        ),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is any text."),
    ),
    build=_build,
)
