"""Segments that read segments: which ones a set of conditions reads, and an order in which to evaluate them.

It must not recurse, so that a long chain of segments cannot exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from audience_gql.conditions.base import Condition, leaves


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
