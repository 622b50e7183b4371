"""Applies the segments of a set: first those that others read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from audience_gql.audience.definition_sets.given import GivenSegment
from audience_gql.audience.definition_sets.naming import same_name
from audience_gql.audience.definition_sets.plans import Step
from audience_gql.audience.definition_sets.problems import in_a_circle
from audience_gql.audience.definition_sets.telling import of_segment
from audience_gql.audience.definition_sets.values import is_described
from audience_gql.audience.definition_sets.work import Matched, Work
from audience_gql.audience.definitions.given_conditions import parse_given
from audience_gql.audience.definitions.segments import create_segment, update_segment
from audience_gql.conditions.base import Condition, InvalidCondition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.input.respelling import ids_in
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.conditions.words.outline import difference, outline
from audience_gql.storage import definitions
from audience_gql.storage.models import Segment

_Matched: TypeAlias = Matched[GivenSegment, Segment]


async def apply_segments(work: Work, given: Sequence[GivenSegment]) -> None:
    """Apply them. The fields and groups that they name must be applied before."""
    vocabulary = await definitions.vocabulary(work.connection, work.workspace.id)
    segment_ids = {row.id for row in work.stored.segments}
    vocabulary = replace(vocabulary, segment_ids=segment_ids)
    for matched in _in_order(work.match("SEGMENT", given, work.stored.segments), work):
        change = partial(_segment, work, matched, vocabulary, segment_ids)
        await work.make(matched, change, names=ids_in(matched.given.condition))


def _in_order(matched: Sequence[_Matched], work: Work) -> list[_Matched]:
    """Each segment after those that it reads. Segments that read each other are refused."""
    by_name = {same_name(each.given.name): each for each in matched}
    while True:
        reads = {name: _read_by(each) & by_name.keys() for name, each in by_name.items()}
        try:
            return [by_name[name] for name in TopologicalSorter(reads).static_order()]
        except CycleError as error:
            circle: list[str] = list(reversed(error.args[1]))
            first = by_name[circle[0]]
            names = [by_name[name].given.name for name in circle]
            work.refuse(first, in_a_circle(names, first.path))
            del by_name[circle[0]]


def _read_by(matched: _Matched) -> set[str]:
    return {same_name(name) for kind, name in ids_in(matched.given.condition) if kind == "segment"}


async def _segment(
    work: Work, matched: _Matched, vocabulary: Vocabulary, segment_ids: set[int]
) -> Step | None:
    given, row = matched.given, matched.row
    if row is None:
        segment = await create_segment(
            ports=work.ports,
            workspace=work.workspace,
            name=given.name,
            description=given.description,
            condition=given.condition,
            ids=work.naming,
        )
        segment_ids.add(segment.id)
        before, told = None, None
    else:
        before = _stored(row, vocabulary)
        parts = _changed_parts(work, given, row, before, vocabulary)
        if not parts:
            return None
        told = of_segment(row, work.naming)
        segment = await update_segment(
            ports=work.ports,
            workspace=work.workspace,
            segment_id=row.id,
            if_revision=row.revision,
            ids=work.naming,
            **parts,
        )
    work.naming.learn("segment", segment.id, segment.name)
    names = work.naming.for_words()
    after = _stored(segment, vocabulary)
    added, removed = difference(*([] if tree is None else outline(tree, names) for tree in (before, after)))
    return Step(
        kind="SEGMENT",
        action="CREATE" if row is None else "UPDATE",
        id=segment.id,
        name=segment.name,
        revision=None if row is None else row.revision,
        before=told,
        after=of_segment(segment, work.naming),
        lines_added=tuple(added),
        lines_removed=tuple(removed),
    )


def _changed_parts(
    work: Work, given: GivenSegment, row: Segment, before: Condition | None, vocabulary: Vocabulary
) -> Mapping[str, Any]:  # Any: the parts' own types
    """The arguments of the edit. Raises InvalidInput for a condition that is wrong."""
    tree = parse_given(
        given.condition,
        vocabulary=vocabulary,
        paused_ids=frozenset(it.id for it in work.stored.segments if it.is_paused),
        ids=work.naming,
        path=("condition",),
    )
    parts: dict[str, Any] = {}  # Any: the same
    if row.name != given.name.strip():
        parts["name"] = given.name
    if not is_described(row.description, given.description):
        parts["description"] = given.description
    if before != tree:
        parts["condition"] = given.condition
    return parts


def _stored(row: Segment, vocabulary: Vocabulary) -> Condition | None:
    """The stored condition; None if this version cannot read it."""
    with suppress(InvalidCondition):
        return parse(dict(row.condition), vocabulary=vocabulary, ids=PLAIN_IDS)
    return None
