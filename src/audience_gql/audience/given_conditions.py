"""A condition as a caller gives it: what the language refuses, and what only the workspace's present state forbids.

It must not be asked of stored conditions: those were given once, and stay what they are.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from audience_gql.conditions.base import Condition, InvalidCondition, Problem
from audience_gql.conditions.codec import parse
from audience_gql.conditions.vocabulary import IdCodec, Vocabulary


def parse_given(
    condition: object,
    *,
    vocabulary: Vocabulary,
    paused_ids: frozenset[int],
    ids: IdCodec,
    allow_empty: bool = False,
) -> Condition:
    """The condition that an input in the shape of ConditionInput says; it names no paused segment.

    Raises InvalidCondition with all problems at once.
    """
    problems: tuple[Problem, ...] = ()
    tree: Condition | None = None
    try:
        tree = parse(condition, vocabulary=vocabulary, ids=ids, allow_empty=allow_empty)
    except InvalidCondition as invalid:
        problems = invalid.problems
    if paused_ids:
        unpaused = replace(vocabulary, segment_ids=_Unpaused(vocabulary.segment_ids, paused_ids))
        problems += _only_there(condition, unpaused, ids, problems, allow_empty=allow_empty)
    if problems or tree is None:
        raise InvalidCondition(problems)
    return tree


@dataclass(frozen=True, slots=True)
class _Unpaused:
    """The segments that a condition may name."""

    known: Container[int]
    paused_ids: frozenset[int]

    def __contains__(self, segment_id: object) -> bool:
        return segment_id in self.known and segment_id not in self.paused_ids


def _only_there(
    condition: object,
    unpaused: Vocabulary,
    ids: IdCodec,
    problems: tuple[Problem, ...],
    *,
    allow_empty: bool,
) -> tuple[Problem, ...]:
    """What is refused only because paused segments are left out: the language itself says where each is named."""
    try:
        parse(condition, vocabulary=unpaused, ids=ids, allow_empty=allow_empty)
    except InvalidCondition as invalid:
        return tuple(
            Problem(code="CONFLICT", message="this segment is paused: resume it first", path=problem.path)
            for problem in invalid.problems
            if problem not in problems
        )
    return ()
