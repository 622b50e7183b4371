"""In which order segments that read each other are decided, and that length and cycles do no harm."""

from __future__ import annotations

import pytest

from audience_gql.conditions.base import Condition
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.kinds.combinators import All, Not
from audience_gql.conditions.kinds.segment import InSegment
from audience_gql.conditions.reasoning.nesting import ReadsItself, reading_order, segments_read
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
