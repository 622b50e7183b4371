"""Segments that read segments: which ones a set of conditions reads, at which instants, and an order in which to evaluate them.

It must not recurse, so that a long chain of segments cannot exhaust the stack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from audience_gql.conditions.base import Condition, leaves, leaves_in_time
from audience_gql.conditions.vocabulary import SegmentAt


class ReadsItself(Exception):  # without "Error", like every expected failure
    """A segment's condition would read its own verdict. `cycle` has the segment ids in order and ends with the first one."""

    def __init__(self, cycle: tuple[int, ...]) -> None:
        super().__init__(f"segments read each other: {' → '.join(map(str, cycle))}")
        self.cycle = cycle


def segments_read(condition: Condition) -> tuple[int, ...]:
    """The ids of the segments that a condition itself names, each once, ascending."""
    read = {read.ref for leaf in leaves(condition) for read in leaf.reads() if read.source == "segment"}
    return tuple(sorted(ref for ref in read if isinstance(ref, int)))


def reading_order(roots: Iterable[Condition], inner: Mapping[int, Condition]) -> tuple[int, ...]:
    """All segments that the roots read, directly or through others. Each comes after those that it reads.

    Raises ReadsItself for a cycle, and KeyError for a segment that is missing in `inner`.
    """
    order: dict[int, None] = {}
    for root in roots:
        for start in segments_read(root):
            _append_after_its_own(start, inner, order)
    return tuple(order)


def verdicts_read(condition: Condition, later: timedelta = timedelta()) -> frozenset[SegmentAt]:
    """The verdicts of segments that a condition itself reads when it is evaluated so much later than now."""
    return frozenset(
        verdict for leaf, lead in leaves_in_time(condition, later) for verdict in leaf.segments(lead)
    )


def verdict_order(
    roots: Iterable[Condition], inner: Mapping[int, Condition], *, at_most: int | None = None
) -> tuple[SegmentAt, ...]:
    """All verdicts of segments that the roots read, directly or through others. Each comes after those that it reads.

    It stops early when it has found more than `at_most`, because their number can double with every level of `later`.
    Raises the same as reading_order.
    """
    conditions = tuple(roots)
    instants: dict[int, set[timedelta]] = defaultdict(set)
    for root in conditions:
        _note(verdicts_read(root), instants)
    order = reading_order(conditions, inner) if instants else ()
    found = 0
    for segment_id in reversed(order):
        for later in tuple(instants[segment_id]):
            _note(verdicts_read(inner[segment_id], later), instants)
            found += 1
            if at_most is not None and found > at_most:
                return tuple(SegmentAt(each, later) for each in order for later in instants[each])
    return tuple(
        SegmentAt(segment_id, later) for segment_id in order for later in sorted(instants[segment_id])
    )


def _note(verdicts: Iterable[SegmentAt], instants: dict[int, set[timedelta]]) -> None:
    for segment_id, later in verdicts:
        instants[segment_id].add(later)


def _append_after_its_own(start: int, inner: Mapping[int, Condition], order: dict[int, None]) -> None:
    if start in order:
        return
    way = {start: iter(segments_read(inner[start]))}
    while way:
        segment_id = next(reversed(way))
        following = next(way[segment_id], None)
        if following is None:
            order[segment_id] = None
            del way[segment_id]
        elif following in way:
            steps = list(way)
            raise ReadsItself((*steps[steps.index(following) :], following))
        elif following not in order:
            way[following] = iter(segments_read(inner[following]))
