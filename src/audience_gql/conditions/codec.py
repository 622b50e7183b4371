"""Turns input into conditions and conditions into input: `parse(dump(condition)) == condition`.

input/coercion.py does the reading.
"""

from __future__ import annotations

from audience_gql.conditions.base import Condition, InvalidCondition
from audience_gql.conditions.input.coercion import coerce_condition
from audience_gql.conditions.input.parsing import Parsing, TooMuch
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary


def parse(value: object, *, vocabulary: Vocabulary, ids: IdCodec, allow_empty: bool = False) -> Condition:
    """The condition of an input in the shape of ConditionInput. A null in an object counts as omitted.

    With `allow_empty`, which previews use, `all: []` and `any: []` are accepted anywhere. Otherwise only `all: []` as
    the whole condition is. Raises InvalidCondition with all problems at once.
    """
    parsing = Parsing(vocabulary=vocabulary, ids=ids, allow_empty=allow_empty)
    condition: Condition | None = None
    try:
        condition = coerce_condition(value, parsing)
    except TooMuch:
        condition = None
    if parsing.problems or condition is None:
        raise InvalidCondition(tuple(parsing.problems))
    return condition


def dump(condition: Condition, *, ids: IdCodec) -> dict[str, Json]:
    """The input that parses to this condition: coerced JSON without nulls."""
    return condition.dump(ids)
