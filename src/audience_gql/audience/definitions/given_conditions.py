"""Parses a condition that a caller gives, or refuses it with every problem and its path in the caller's input.

It must not be used for stored conditions: they were checked when they were given. They name groups and segments by id, and their countries are not checked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from audience_gql.audience.failures import InvalidInput, Issue, Path, Verbatim
from audience_gql.audience.people.value_checks import compared_country_problem
from audience_gql.conditions.base import Condition, InvalidCondition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary


def parse_given(
    condition: object,
    *,
    vocabulary: Vocabulary,
    paused_ids: frozenset[int],
    ids: IdCodec,
    path: Path,
    other_issues: Sequence[Issue] = (),
    allow_empty: bool = False,
) -> Condition:
    """Parse a condition in the shape of ConditionInput. It must not name a paused segment.

    Raises InvalidInput with all problems of the condition and with `other_issues`, which were found elsewhere in the input.
    """
    words = replace(vocabulary, paused_segment_ids=paused_ids, country_problem=compared_country_problem)
    issues = list(other_issues)
    tree: Condition | None = None
    try:
        tree = parse(condition, vocabulary=words, ids=ids, allow_empty=allow_empty)
    except InvalidCondition as invalid:
        issues += [
            Issue(code=problem.code, message=problem.message, path=(*path, *map(Verbatim, problem.path)))
            for problem in invalid.problems
        ]
    if issues or tree is None:
        raise InvalidInput(tuple(issues))
    return tree
