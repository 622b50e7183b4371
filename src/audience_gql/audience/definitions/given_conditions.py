"""A condition as a caller gives it: parsed, or refused with every problem and its path in the caller's input.

It must not be asked of stored conditions: those were given once, and stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from audience_gql.audience.failures import InvalidInput, Issue, Path
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
    """The condition that an input in the shape of ConditionInput says; it names no paused segment.

    Raises InvalidInput with its problems, and what else was wrong with the input, all at once.
    """
    words = replace(vocabulary, paused_segment_ids=paused_ids)
    issues = list(other_issues)
    tree: Condition | None = None
    try:
        tree = parse(condition, vocabulary=words, ids=ids, allow_empty=allow_empty)
    except InvalidCondition as invalid:
        issues += [
            Issue(code=problem.code, message=problem.message, path=(*path, *problem.path))
            for problem in invalid.problems
        ]
    if issues or tree is None:
        raise InvalidInput(tuple(issues))
    return tree
