"""Counts for each node of a condition how many people match it, and how many would match the whole condition without it: its near misses.

A person is a near miss of a node if the whole condition is false for them, and true when only this node's verdict is the opposite. It is pure
arithmetic over combinations: which verdicts the leaves have together, and for how many people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeAlias

from audience_gql.conditions.base import Condition, Leaf, Path, leaves_in_time
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later
from audience_gql.conditions.reasoning.paths import steps

LeafAt: TypeAlias = tuple[Leaf, timedelta]
"""A leaf, and how much later than now it is evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCounts:
    """The people counted for one node."""

    path: Path
    condition: Condition
    matched: int
    """How many people match the node by itself, whatever the rest of the condition says."""
    near_misses: int


def distinct_leaves(condition: Condition) -> tuple[LeafAt, ...]:
    """The leaves that can have different verdicts, from left to right. Equal leaves at the same instant are one."""
    return tuple(dict.fromkeys(leaves_in_time(condition)))


def count_nodes(condition: Condition, combinations: Mapping[int, int]) -> list[NodeCounts]:
    """The counts of every node, parents before children.

    `combinations` has the number of people for each combination: an integer in which bit n is the verdict on leaf n of `distinct_leaves`.
    """
    table = _Table.of(distinct_leaves(condition), combinations)
    whole = table.verdicts(condition)
    return list(_Count(table, missed=table.everybody & ~whole).nodes((), condition, table.everybody))


def near_miss(condition: Condition, path: Path) -> Condition:
    """The condition of a node's near misses. Each leaf is in it once.

    The node decides alone if the others in every `all` above it match, and those in every `any` above it do not.
    """
    return All(conditions=tuple(_deciding(condition, path, wanted=False)))


def _deciding(condition: Condition, path: Path, *, wanted: bool) -> Iterator[Condition]:
    """What must hold so that the node at the path alone decides the condition, and decides that it is `wanted`."""
    if not path:
        yield condition if wanted else Not(condition=condition)
        return
    way, inside = next((way, child) for way, child in steps(condition) if path[: len(way)] == way)
    deciding = _deciding(inside, path[len(way) :], wanted=wanted is not isinstance(condition, Not))
    match condition:
        case Later():
            yield replace(condition, condition=All(conditions=tuple(deciding)))
        case All(conditions=children) | AnyOf(conditions=children):
            others = (child for position, child in enumerate(children) if str(position) != way[-1])
            yield from (other if isinstance(condition, All) else Not(condition=other) for other in others)
            yield from deciding
        case _:
            yield from deciding


@dataclass(frozen=True, slots=True)
class _Table:
    """The combinations as sets of combination numbers. A set is an integer: bit n stands for combination n, so that one operation serves all combinations."""

    everybody: int
    by_leaf: Mapping[LeafAt, int]
    """The combinations in which the leaf matches."""
    by_digit: Sequence[int]
    """For each binary digit, the combinations whose number of people has it, from the lowest digit on."""

    @classmethod
    def of(cls, leaves: Sequence[LeafAt], combinations: Mapping[int, int]) -> _Table:
        digits = max(combinations.values(), default=0).bit_length()
        return cls(
            everybody=(1 << len(combinations)) - 1,
            by_leaf=dict(zip(leaves, _transposed(list(combinations), len(leaves)), strict=True)),
            by_digit=_transposed(list(combinations.values()), digits),
        )

    def people(self, some: int) -> int:
        """How many people have these combinations."""
        return sum((some & having).bit_count() << digit for digit, having in enumerate(self.by_digit))

    def verdicts(self, condition: Condition, later: timedelta = timedelta()) -> int:
        """The combinations for which the condition holds."""
        if isinstance(condition, Leaf):
            return self.by_leaf[condition, later]
        parts = [self.verdicts(child, later + condition.lead) for child in condition.children]
        match condition:
            case All():
                return self.intersection(parts)
            case AnyOf():
                return self.union(parts)
            case Not():
                return self.everybody & ~parts[0]
            case Later():
                return parts[0]
        raise TypeError(f"no verdict on {condition!r}")

    def intersection(self, sets: Sequence[int]) -> int:
        common = self.everybody
        for each in sets:
            common &= each
        return common

    def union(self, sets: Sequence[int]) -> int:
        together = 0
        for each in sets:
            together |= each
        return together


@dataclass(frozen=True, slots=True)
class _Count:
    """The counting of one condition's nodes."""

    table: _Table
    missed: int
    """The combinations for which the whole condition does not hold."""

    def nodes(
        self, path: Path, condition: Condition, deciding: int, later: timedelta = timedelta()
    ) -> Iterator[NodeCounts]:
        """The counts of a node and of all nodes inside it. For the combinations `deciding`, this node alone decides the whole condition."""
        yield NodeCounts(
            path=path,
            condition=condition,
            matched=self.table.people(self.table.verdicts(condition, later)),
            near_misses=self.table.people(self.missed & deciding),
        )
        later += condition.lead
        inside = list(steps(condition))
        verdicts = [self.table.verdicts(child, later) for _, child in inside]
        for position, (way, child) in enumerate(inside):
            others = verdicts[:position] + verdicts[position + 1 :]
            if isinstance(condition, AnyOf):
                left = deciding & ~self.table.union(others)
            else:
                left = deciding & self.table.intersection(others)
            yield from self.nodes((*path, *way), child, left, later)


def _transposed(numbers: Sequence[int], width: int) -> list[int]:
    """For each of the lowest `width` bits, an integer in which bit n is that bit of number n."""
    rows = [f"{number:0{width}b}" for number in reversed(numbers)] if width else []
    return [int("".join(column), 2) for column in zip(*rows, strict=True)][::-1] if rows else [0] * width
