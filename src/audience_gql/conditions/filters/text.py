"""TextFilter: compares folded text with folded text, or text as written. Email addresses are folded by the rules of addresses.py.

A missing text matches only `isSet: false`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from audience_gql.conditions.addresses import fold_address, fold_end_of_address
from audience_gql.conditions.filters.pattern import (
    Alternative,
    alternatives,
    checked_pattern,
    fits,
    like_pattern,
)
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.input.shapes import Check, Given, InputField, Scalar, Shape
from audience_gql.conditions.limits import MAX_ALTERNATIVES, MAX_WILDCARDS
from audience_gql.conditions.sql.questions import Parameters
from audience_gql.conditions.values import Json, fold
from audience_gql.conditions.words.wording import listed, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operator:
    description: str
    words: str
    sql: Callable[[str, str], str]
    """Takes the column and the bound value. Null or false for a missing text."""
    holds: Callable[[str, Any], bool]  # Any: the compared value, or with `many` all of them
    many: bool = False
    is_exact: bool = False
    """Compares texts as written, not folded."""
    check: Check | None = None


_MATCHES: Final = "matches"
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
    _MATCHES: _Operator(
        description=(
            "The whole text matches this pattern. `*` stands for any characters, `?` for exactly one character of the folded text, and `|` "
            "separates alternatives. A backslash makes the next of these literal. At most "
            f"{MAX_ALTERNATIVES} alternatives, and {MAX_WILDCARDS} of `*` and `?`."
        ),
        words="matches {}",
        sql=lambda column, patterns: f"{column} LIKE ANY({patterns})",
        holds=lambda text, found: any(fits(text, alternative) for alternative in found),
        check=checked_pattern,
    ),
    "isExactly": _Operator(
        description="Equal as written: upper and lower case matter, and so does every other difference. For ids.",
        words="is exactly {}",
        sql=lambda column, value: f"{column} = {value}",
        holds=lambda text, value: text == value,
        is_exact=True,
    ),
    "inExactly": _Operator(
        description="Equal to one of these as written.",
        words="is exactly {}",
        sql=lambda column, values: f"{column} = ANY({values})",
        holds=lambda text, values: text in values,
        many=True,
        is_exact=True,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """One operator and its value as written. Only the comparison folds the value."""

    operator: str
    value: str | tuple[str, ...] | bool
    of_addresses: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether texts are compared as written, not folded."""
        return not isinstance(self.value, bool) and _OPERATORS[self.operator].is_exact

    def of_stored(self, store: Callable[[str], str]) -> TextFilter:
        """The same filter, with `store` applied to texts that are compared as a whole. Storage applies `store` before it writes a text."""
        if isinstance(self.value, bool) or self.operator not in _OF_WHOLE_TEXTS:
            return self
        value = store(self.value) if isinstance(self.value, str) else tuple(map(store, self.value))
        return replace(self, value=value)

    def whole_texts(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The texts that are compared with whole stored texts, each with the steps that lead to it in the filter's input."""
        if self.operator not in _OF_WHOLE_TEXTS:
            return
        if isinstance(self.value, str):
            yield self.value, (self.operator,)
        elif isinstance(self.value, tuple):
            for number, text in enumerate(self.value):
                yield text, (self.operator, str(number))

    def matches(self, text: str | None) -> bool:
        """Whether a stored text passes. None stands for a missing text."""
        if isinstance(self.value, bool):
            return (text is not None) is self.value
        if text is None:
            return False
        compared = text if self.is_exact else self._fold(text)
        return _OPERATORS[self.operator].holds(compared, self._operand(self.value))

    def sql(self, column: str, parameters: Parameters) -> str:
        """`column` is an expression of the folded text, or of the text as written if the filter is exact."""
        if isinstance(self.value, bool):
            return f"{column} IS {'NOT NULL' if self.value else 'NULL'}"
        operand = self._operand(self.value)
        if isinstance(operand, str):
            value = parameters.constant(operand, "text")
        else:
            texts = [item if isinstance(item, str) else like_pattern(item) for item in operand]
            value = parameters.constant(texts, "text[]")
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

    def _operand(self, value: str | tuple[str, ...]) -> str | tuple[str | Alternative, ...]:
        """The value in the form in which it is compared."""
        if self.is_exact:
            return value
        if not isinstance(value, str):
            return tuple(map(self._fold, value))
        if self.operator == _MATCHES:
            return tuple(map(self._folded_parts, alternatives(value)))
        return self._fold(value, is_end=self.operator == "endsWith")

    def _folded_parts(self, alternative: Alternative) -> Alternative:
        last = len(alternative) - 1
        return tuple(
            self._fold(part, is_end=0 < position == last) if isinstance(part, str) else part
            for position, part in enumerate(alternative)
        )

    def _fold(self, text: str, *, is_end: bool = False) -> str:
        if not self.of_addresses:
            return fold(text)
        return fold_end_of_address(text) if is_end else fold_address(text)


_OF_WHOLE_TEXTS: Final = frozenset({"is", "isNot", "in", "notIn", "isExactly", "inExactly"})


def _build(given: Given, _: Parsing) -> TextFilter:
    ((operator, value),) = given.items()
    return TextFilter(operator=operator, value=value)


TEXT_FILTER: Final = Shape(
    name="TextFilter",
    one_of=True,
    description="Compares text, ignoring upper and lower case except in `isExactly` and `inExactly`. A missing text matches only `isSet: false`.",
    fields=(
        *(
            InputField(
                name=name,
                type=Scalar.STRING,
                many=operator.many,
                check=operator.check,
                description=operator.description,
            )
            for name, operator in _OPERATORS.items()
        ),
        InputField(name="isSet", type=Scalar.BOOLEAN, description="Whether there is any text."),
    ),
    build=_build,
    instead={  # the words of NumberFilter and of SQL
        "eq": "give is",
        "ne": "give isNot",
        "equals": "give is",
        "like": "give matches",
    },
    example='{is: "LT"}',
)
