"""In which order segments that read each other are decided, and that length and cycles do no harm."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audience_gql.audience.definitions.definition_limits import check_size
from audience_gql.audience.failures import InvalidInput
from audience_gql.conditions.base import Condition
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.filters.duration import Duration
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.kinds.segment import InSegment
from audience_gql.conditions.reasoning.nesting import ReadsItself, reading_order, segments_read, verdict_order
from audience_gql.conditions.vocabulary import SegmentAt
from tests.conditions.chance import NOON, Chance


def reading(*segment_ids: int) -> Condition:
    return InSegment(segment_ids=segment_ids)


_EVERYONE = All(conditions=())


def test_each_comes_after_what_it_reads_and_once() -> None:
    inner = {1: _EVERYONE, 2: reading(1), 3: All(conditions=(reading(2), reading(1))), 4: _EVERYONE}

    assert reading_order([reading(3), reading(2)], inner) == (1, 2, 3)


def test_what_a_condition_reads_itself() -> None:
    assert segments_read(All(conditions=(reading(9, 2), Not(condition=reading(2))))) == (2, 9)


def test_a_cycle_is_named() -> None:
    inner = {1: reading(2), 2: All(conditions=(reading(4), reading(3))), 3: reading(2), 4: _EVERYONE}

    with pytest.raises(ReadsItself) as caught:
        reading_order([reading(1)], inner)

    assert caught.value.cycle == (2, 3, 2)
    assert str(caught.value) == "segments read each other: 2 → 3 → 2"


def test_a_segment_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        reading_order([reading(7)], {})


def test_a_long_doubling_chain_is_evaluated_once_each() -> None:
    chain: dict[int, Condition] = {1: _EVERYONE}
    chain |= {
        number: All(conditions=(reading(number - 1), reading(number - 1))) for number in range(2, 3_001)
    }

    assert evaluate(reading(3_000), Chance(seed=1).facts(1), NOON, chain, timezone="UTC")


def ahead(segment_id: int, days: int) -> Condition:
    return Later(by=Duration(unit="days", amount=days), condition=reading(segment_id))


def test_the_verdicts_that_are_read_at_several_instants() -> None:
    inner = {1: _EVERYONE, 2: AnyOf(conditions=(reading(1), ahead(1, 1)))}
    root = AnyOf(conditions=(reading(2), ahead(2, 2)))

    assert verdict_order([root], inner) == tuple(
        SegmentAt(segment_id, timedelta(days=days))
        for segment_id, instants in ((1, (0, 1, 2, 3)), (2, (0, 2)))
        for days in instants
    )


def test_verdicts_that_double_with_every_level_are_refused_before_they_are_collected() -> None:
    chain: dict[int, Condition] = {0: _EVERYONE}
    for level in range(1, 20):
        chain[level] = AnyOf(conditions=(reading(level - 1), ahead(level - 1, 2**level)))

    assert len(verdict_order([reading(19)], chain, at_most=1_000)) < 3_000
    with pytest.raises(InvalidInput) as refused:
        check_size(chain, 19)
    assert "read at several instants counts for each" in str(refused.value.issues)
