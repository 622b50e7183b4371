"""Finds the pairs of segments that have nearly the same members, or of which one contains the other, slice by slice of the people.

Pure arithmetic on the members that the caller reads. A pair is dropped as soon as too many people are in only one of its segments, and a
segment without a pair need not be read any more. What is left at the end is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

LEAST_JACCARD: Final = 0.95
LEAST_SHARE: Final = 0.8
"""A segment inside another one matters only if it has at least this share of the other's members: fewer are usual,
as among those who opened a message within 3 days and within 7."""


@dataclass(slots=True)
class Pair:
    """Two segments: `small` has at most as many members as `large`."""

    small: int
    large: int
    small_members: int
    large_members: int
    both: int = 0
    only_small: int = 0
    """How many people seen so far are only in the small one."""

    @property
    def jaccard(self) -> float:
        return self.both / (self.small_members + self.large_members - self.both)

    @property
    def is_alike(self) -> bool:
        return self.jaccard >= LEAST_JACCARD

    @property
    def is_equal(self) -> bool:
        return self.both == self.large_members

    @property
    def is_contained(self) -> bool:
        return self.both == self.small_members

    def can_matter(self) -> bool:
        """Whether the people seen so far leave it possible that the pair is alike, or that one contains the other."""
        most = self.small_members - self.only_small
        return not self.only_small or most >= LEAST_JACCARD * (self.small_members + self.large_members - most)


class Pairs:
    """The pairs of segments that can still matter."""

    def __init__(self, members: Mapping[int, int]) -> None:
        """`members` has the number of members of each segment, at least 1."""
        self._pairs = list(_possible(members))

    @property
    def segment_ids(self) -> frozenset[int]:
        """The segments whose members are still needed."""
        return frozenset(id_ for pair in self._pairs for id_ in (pair.small, pair.large))

    def see(self, members: Mapping[int, Sequence[int]]) -> None:
        """Compare the members of one more slice of the people. A segment without members in it may be left out."""
        sets = _as_bits(members)
        for pair in self._pairs:
            small, large = sets.get(pair.small, 0), sets.get(pair.large, 0)
            both = (small & large).bit_count()
            pair.both += both
            pair.only_small += small.bit_count() - both
        self._pairs = [pair for pair in self._pairs if pair.can_matter()]

    def found(self) -> list[Pair]:
        """The pairs that are alike, and those of which one segment contains the other. All people must have been seen."""
        return [pair for pair in self._pairs if pair.is_alike or pair.is_contained]


def _possible(members: Mapping[int, int]) -> Iterator[Pair]:
    """The pairs whose sizes allow that they matter. Of equal sizes, the older segment, which has the smaller id, counts as the large one."""
    ordered = sorted(members.items(), key=lambda it: (it[1], -it[0]))
    for (small, few), (large, many) in combinations(ordered, 2):
        if few >= LEAST_SHARE * many:
            yield Pair(small, large, few, many)


def _as_bits(members: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Each list of people as an integer with one bit for each person, so that the people in common are one operation."""
    places: dict[int, int] = {}
    for people in members.values():
        for person in people:
            places.setdefault(person, len(places))
    length = len(places) // 8 + 1
    found = {}
    for segment_id, people in members.items():
        bits = bytearray(length)
        for person in people:
            place = places[person]
            bits[place >> 3] |= 1 << (place & 7)
        found[segment_id] = int.from_bytes(bits, "little")
    return found
