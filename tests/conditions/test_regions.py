"""Operators that no text or number has: days, months, flags, lists, and those that nobody told this module of."""

from __future__ import annotations

import pytest

from audience_gql.conditions.reasoning.regions import can_overlap, region_of, spelled
from audience_gql.conditions.values import Json


def together(*tests: tuple[str, Json]) -> bool:
    return can_overlap([(region_of(operator, value), True) for operator, value in tests])


@pytest.mark.parametrize(
    "tests",
    [
        [("on", "2026-02-01"), ("on", "2026-02-02")],
        [("on", "2026-02-01"), ("before", "2026-02-01")],
        [("after", "2026-02-01"), ("before", "2026-02-02")],  # no day lies between
        [("between", {"from": "2026-01-01", "to": "2026-01-31"}), ("after", "2026-01-31")],
        [("month", 2), ("month", 3)],
        [("is", True), ("is", False)],
        [("inLast", {"days": 3}), ("notInLast", {"days": 3})],
    ],
    ids=str,
)
def test_apart(tests):
    assert not together(*tests)


@pytest.mark.parametrize(
    "tests",
    [
        [("between", {"from": "2026-01-01", "to": "2026-01-31"}), ("on", "2026-01-31")],
        [("after", "2026-02-01"), ("before", "2026-02-03")],
        [("month", 2), ("on", "2026-03-01")],  # not told
        [("inLast", {"days": 3}), ("inNext", {"days": 3})],  # today is both, of dates
        [("inLast", {"days": 3}), ("before", "2020-01-01")],
        [("hasAny", ["a"]), ("hasNone", ["a"])],
        [("isEmpty", True), ("isEmpty", False)],
        [("anniversaryInNext", {"days": 3}), ("anniversaryInLast", {"days": 3})],
        [("unheardOf", 1), ("unheardOf", 2)],
        [("between", {"from": 1, "to": "2026-01-31"}), ("eq", 5)],
        [("between", {"from": "nonsense", "to": "2026-01-31"}), ("on", "2027-01-01")],
        [("inLast", 5), ("gt", 6)],
        [("in", [1, "a"]), ("eq", 2)],
        [("gt", None), ("lt", [])],
    ],
    ids=str,
)
def test_together_or_not_told(tests):
    assert together(*tests)


def test_neither_true_nor_false_is_no_flag():
    either = [(region_of("is", True), False), (region_of("is", False), False)]

    assert not can_overlap(either)
    assert can_overlap([(region_of("is", "a"), False), (region_of("is", "b"), False)])


def test_spelling():
    assert spelled({"b": [2, 1, 2], "a": {"days": 7}}) == spelled({"a": {"hours": 168}, "b": [1, 2]})
    assert spelled(["1"]) != spelled([1])
    assert spelled({"days": 7, "hours": 1}) != spelled({"days": 7})
