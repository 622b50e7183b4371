"""Limits the number of segments, and the size of a segment with all segments that it reads, so that one statement evaluates it quickly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, Path
from audience_gql.conditions.base import Condition
from audience_gql.conditions.reasoning.dependencies import leaf_count
from audience_gql.conditions.reasoning.nesting import reading_order, segments_read, verdict_order

LEAVES_WITH_INNER: Final = 1_000
SEGMENT_DEPTH: Final = 20
SEGMENTS_A_WORKSPACE: Final = 2_000
"""benchmarks/segments.py measures what this many segments cost."""


def check_count(segments: int) -> None:
    """Raise InvalidInput if the workspace would have too many segments."""
    if segments > SEGMENTS_A_WORKSPACE:
        message = f"a workspace has at most {SEGMENTS_A_WORKSPACE:,} segments; delete one that is not needed"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=()),))


def check_size(conditions: Mapping[int, Condition], segment_id: int, path: Path = ("condition",)) -> None:
    """Raise InvalidInput if a segment, with the segments that it reads, has too many leaves or nests too deep."""
    order = reading_order((conditions[segment_id],), conditions)
    depth: dict[int, int] = {}
    for reached_id in (*order, segment_id):
        depth[reached_id] = 1 + max(
            (depth[inner] for inner in segments_read(conditions[reached_id])), default=0
        )
    if depth[segment_id] > SEGMENT_DEPTH:
        message = f"segments can nest at most {SEGMENT_DEPTH} deep, not {depth[segment_id]}"
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=path),))
    verdicts = verdict_order((conditions[segment_id],), conditions, at_most=LEAVES_WITH_INNER)
    total = sum(
        leaf_count(conditions[reached_id]) for reached_id in (segment_id, *(it.id for it in verdicts))
    )
    if total > LEAVES_WITH_INNER:
        message = (
            f"a condition and the segments that it reads can have at most {LEAVES_WITH_INNER} leaves, not {total}; a segment "
            "that is read at several instants counts for each of them"
        )
        raise InvalidInput((Issue(code="TOO_MANY", message=message, path=path),))
