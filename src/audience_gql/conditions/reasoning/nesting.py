"""Segments inside segments: which ones a set of conditions reads, and in which order they can be decided.

Nothing here recurses, so a long chain of segments is as harmless as a short one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from audience_gql.conditions.base import Condition, leaves


class ReadsItself(Exception):  # named for what it says, like every expected failure
    """A segment's condition would read its own verdict. `cycle` is the way round: it ends where it begins."""

    def __init__(self, cycle: tuple[int, ...]) -> None:
        super().__init__(f"segments read each other: {' → '.join(map(str, cycle))}")
        self.cycle = cycle


def segments_read(condition: Condition) -> tuple[int, ...]:
    """The segments that a condition names itself, each once, ascending."""
    read = {read.ref for leaf in leaves(condition) for read in leaf.reads() if read.source == "segment"}
    return tuple(sorted(ref for ref in read if isinstance(ref, int)))


def reading_order(roots: Iterable[Condition], inner: Mapping[int, Condition]) -> tuple[int, ...]:
    """Every segment that the roots read, directly or through others, each after all that it reads itself.

    Raises ReadsItself for a cycle, KeyError for a segment that `inner` does not have.
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
