"""The counts of a condition's nodes are those that the evaluation in Python finds person by person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from audience_gql.conditions.base import Condition, Path
from audience_gql.conditions.codec import dump
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.reasoning import near_misses
from audience_gql.conditions.reasoning.near_misses import count_nodes, distinct_leaves, near_miss
from audience_gql.conditions.reasoning.paths import steps
from audience_gql.conditions.sql import compiler, over_range
from audience_gql.conditions.sql.compiler import compile_combinations
from audience_gql.conditions.sql.over_range import BITS
from audience_gql.conditions.vocabulary import PLAIN_IDS
from tests.conditions.answers import by_filter
from tests.conditions.chance import Chance, share
from tests.conditions.world import SEGMENTS, VOCABULARY, Connection, Person, condition_of, store

CASES = share(300)
LT = {"country": {"is": "LT"}}
VIP = {"field": {"key": "vip", "boolean": {"is": True}}}
FREE = {"field": {"key": "plan", "text": {"is": "free"}}}
_PEOPLE = 24
_BUCKETS = (7, 8)


def changed(condition: Condition, path: Path, change: Callable[[Condition], Condition]) -> Condition:
    """The condition with another node at a path."""
    if not path:
        return change(condition)
    way, child = next((way, child) for way, child in steps(condition) if path[: len(way)] == way)
    inside = changed(child, path[len(way) :], change)
    match condition:
        case Not() | Later():
            return replace(condition, condition=inside)
        case All(conditions=children) | AnyOf(conditions=children):
            position = int(way[-1])
            return replace(condition, conditions=(*children[:position], inside, *children[position + 1 :]))
    raise TypeError(condition)


def alone(condition: Condition, path: Path) -> Condition:
    """The node at a path by itself, as much later as it is inside the condition."""
    if not path:
        return condition
    way, child = next((way, child) for way, child in steps(condition) if path[: len(way)] == way)
    node = alone(child, path[len(way) :])
    return replace(condition, condition=node) if isinstance(condition, Later) else node


async def combinations_of(
    connection: Connection, condition: Condition, inner: Mapping[int, Condition], now: datetime
) -> Counter[int]:
    statement = compile_combinations(condition, inner=inner, vocabulary=VOCABULARY)
    found: Counter[int] = Counter()
    for bucket_id in _BUCKETS:
        rows = await connection.fetch(statement.sql, bucket_id, 0, 2**63 - 1, *statement.bind(now))
        for row in rows:
            *words, people = row
            found[sum(word << BITS * place for place, word in enumerate(words))] += people
        assert len({tuple(row)[:-1] for row in rows}) == len(rows)
    return found


async def disagreements(connection: Connection, *, seed: int, cases: int, stops: bool = False) -> list[Any]:
    """(condition, path) of each node whose counts, or whose near misses, are not those of the evaluation in Python."""
    chance = Chance(seed)
    people = [
        chance.person(bucket_id=bucket_id, id=id_) for bucket_id in _BUCKETS for id_ in range(1, _PEOPLE + 1)
    ]
    await store(connection, people)
    found: list[Any] = []
    for _ in range(cases):
        inner: dict[int, Condition] = {}
        for segment_id in SEGMENTS:
            inner[segment_id] = chance.condition(segment_ids=list(inner), depth=1)
        condition = chance.condition(segment_ids=list(inner), depth=chance.random.choice([1, 2, 3, 4]))
        now = chance.now(condition, chance.random.choice(people).facts)
        found += await _disagreements_of(connection, condition, inner, now, people)
        if found and stops:
            break
    return found


async def _disagreements_of(
    connection: Connection,
    condition: Condition,
    inner: Mapping[int, Condition],
    now: datetime,
    people: list[Person],
) -> list[Any]:
    def matching(tree: Condition) -> set[tuple[int, int]]:
        return {
            (person.bucket_id, person.id)
            for person in people
            if evaluate(tree, person.facts, now, inner, timezone=VOCABULARY.timezone)
        }

    whole = matching(condition)
    buckets: dict[int, tuple[int, ...]] = dict.fromkeys(_BUCKETS, ())
    wrong = []
    for counts in count_nodes(condition, await combinations_of(connection, condition, inner, now)):
        flipped = changed(condition, counts.path, lambda node: Not(condition=node))
        missing = matching(flipped) - whole
        right = (len(matching(alone(condition, counts.path))), len(missing))
        listed = await by_filter(connection, near_miss(condition, counts.path), inner, now, buckets)
        if (counts.matched, counts.near_misses) != right or listed != missing:
            wrong.append((dump(condition, ids=PLAIN_IDS), counts.path))
    return wrong


async def test_counts_are_those_of_the_evaluation(connection: Connection) -> None:
    assert await disagreements(connection, seed=20261129, cases=CASES) == []


def counts_of(condition: object, combinations: Mapping[int, int]) -> dict[str, tuple[int, int]]:
    found = count_nodes(condition_of(condition), combinations)
    return {".".join(counts.path): (counts.matched, counts.near_misses) for counts in found}


def test_all_lacks_only_one():
    """Bits from the right: LT, VIP, free."""
    found = counts_of({"all": [LT, VIP, FREE]}, {0b111: 1, 0b101: 10, 0b011: 100, 0b001: 1000, 0b000: 10_000})

    assert found == {
        "": (1, 11_110),
        "all.0": (1111, 0),
        "all.1": (101, 10),
        "all.2": (11, 100),
    }


def test_any_of_none_lacks_each():
    assert counts_of({"any": [LT, VIP]}, {0b00: 7, 0b01: 2}) == {
        "": (2, 7),
        "any.0": (2, 7),
        "any.1": (0, 7),
    }


def test_a_negated_node_is_one_too_many():
    assert counts_of({"all": [LT, {"not": VIP}]}, {0b11: 5, 0b01: 3, 0b10: 2}) == {
        "": (3, 7),
        "all.0": (8, 0),
        "all.1": (3, 5),
        "all.1.not": (7, 5),
    }


def test_only_one_of_two_equal_leaves_is_flipped():
    assert distinct_leaves(condition_of({"all": [LT, LT]})) == (*distinct_leaves(condition_of(LT)),)
    assert counts_of({"all": [LT, LT]}, {0: 4, 1: 3}) == {"": (3, 4), "all.0": (3, 0), "all.1": (3, 0)}
    assert counts_of({"any": [LT, LT]}, {0: 4, 1: 3}) == {"": (3, 4), "any.0": (3, 4), "any.1": (3, 4)}


def test_a_leaf_later_is_another_one():
    opened = {"event": {"name": "email_opened", "within": {"last": {"days": 1}}}}
    condition = {"all": [opened, {"later": {"by": {"days": 1}, "condition": opened}}]}

    assert counts_of(condition, {0b01: 6, 0b11: 1}) == {
        "": (1, 6),
        "all.0": (7, 0),
        "all.1": (1, 6),
        "all.1.later.condition": (1, 6),
    }


def test_empty_lists_and_nobody():
    assert counts_of({"all": []}, {0: 9}) == {"": (9, 0)}
    assert counts_of({"any": []}, {0: 9}) == {"": (0, 9)}
    assert counts_of({"all": [LT, {"any": []}]}, {1: 2, 0: 1}) == {
        "": (0, 3),
        "all.0": (2, 0),
        "all.1": (0, 2),
    }
    assert counts_of({"all": [LT]}, {}) == {"": (0, 0), "all.0": (0, 0)}


async def test_more_leaves_than_an_integer_has_bits(connection: Connection) -> None:
    chance = Chance(3)
    people = [chance.person(bucket_id=bucket_id, id=id_) for bucket_id in _BUCKETS for id_ in range(1, 9)]
    await store(connection, people)
    condition = condition_of({"any": [{"externalId": {"is": str(number)}} for number in range(199)] + [LT]})
    now = chance.now(condition, people[0].facts)

    found = await combinations_of(connection, condition, {}, now)
    assert await _disagreements_of(connection, condition, {}, now, people) == []
    assert any(combination >> 199 for combination in found)


def _flip_is_no_flip(monkeypatch: pytest.MonkeyPatch) -> None:
    right = near_misses._Count.nodes

    def wrong(self: Any, *given: Any) -> Any:
        return (replace(counts, near_misses=counts.matched) for counts in right(self, *given))

    monkeypatch.setattr(near_misses._Count, "nodes", wrong)


def _others_of_any_need_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_misses._Table, "union", lambda *_: 0)


def _near_misses_match_too(monkeypatch: pytest.MonkeyPatch) -> None:
    right = near_misses._deciding

    def wrong(condition: Condition, path: Path, *, wanted: bool) -> Any:
        return right(condition, path, wanted=not wanted)

    monkeypatch.setattr(near_misses, "_deciding", wrong)


def _leaves_are_evaluated_now(monkeypatch: pytest.MonkeyPatch) -> None:
    right = over_range.RangeQuery.combinations
    monkeypatch.setattr(
        over_range.RangeQuery,
        "combinations",
        lambda self, leaves: right(self, [(leaf, later * 0) for leaf, later in leaves]),
    )


def _leaves_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "distinct_leaves", lambda condition: distinct_leaves(condition)[::-1])


@pytest.mark.fuzz
@pytest.mark.parametrize(
    "plant",
    [
        _flip_is_no_flip,
        _others_of_any_need_not_fail,
        _near_misses_match_too,
        _leaves_are_evaluated_now,
        _leaves_in_another_order,
    ],
    ids=lambda plant: plant.__name__.strip("_"),
)
async def test_a_planted_bug_is_found(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)

    assert await disagreements(connection, seed=1, cases=300, stops=True)
