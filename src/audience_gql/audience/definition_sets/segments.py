"""Applies the segments of a set: first those that others read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from audience_gql.audience.definitions.segments import Saving, create_segment, update_segment
from audience_gql.conditions.base import Condition, InvalidCondition
from audience_gql.conditions.input.respelling import ids_in
from audience_gql.conditions.words.outline import difference, outline
from audience_gql.storage.orm.models import Segment

_Matched: TypeAlias = Matched[GivenSegment, Segment]


async def apply_segments(work: Work, given: Sequence[GivenSegment]) -> None:
    """Apply them. The fields and groups that they name must be applied before."""
    saving = await Saving.begin(work.ports, work.workspace, work.connection)
    for matched in _in_order(work.match("SEGMENT", given, work.stored.segments), work):
        change = partial(_segment, work, matched, saving)
        await work.make(matched, change, names=ids_in(matched.given.condition))


def _in_order(matched: Sequence[_Matched], work: Work) -> list[_Matched]:
    """Each segment after those that it reads. Segments that read each other are refused."""
    by_name = {same_name(each.given.name): each for each in matched}
    while True:
        # Sorted, so that every process finds the same order.
        reads = {name: sorted(_read_by(each) & by_name.keys()) for name, each in by_name.items()}
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


async def _segment(work: Work, matched: _Matched, saving: Saving) -> Step | None:
    given, row = matched.given, matched.row
    before, told = None, None
    if row is None:
        segment = await create_segment(
            ports=work.ports,
            workspace=work.workspace,
            name=given.name,
            description=given.description,
            condition=given.condition,
            ids=work.naming,
            saving=saving,
        )
    else:
        before, told = _stored(row, saving), of_segment(row, work.naming)
        parts = _changed_parts(work, given, row, saving)
        if not parts:
            return None
        segment = await update_segment(
            ports=work.ports,
            workspace=work.workspace,
            segment_id=row.id,
            if_revision=row.revision,
            ids=work.naming,
            saving=saving,
            **parts,
        )
    work.naming.learn("segment", segment.id, segment.name)
    names = work.naming.for_words()
    after = _stored(segment, saving)
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
    work: Work, given: GivenSegment, row: Segment, saving: Saving
) -> Mapping[str, Any]:  # Any: the parts' own types
    """The arguments of the edit. Raises InvalidInput for a condition that is wrong."""
    parts: dict[str, Any] = {}  # Any: the same
    if row.name != given.name.strip():
        parts["name"] = given.name
    if not is_described(row.description, given.description):
        parts["description"] = given.description
    if saving.parse(given.condition, work.naming, []) != _stored(row, saving):
        parts["condition"] = given.condition
    return parts


def _stored(row: Segment, saving: Saving) -> Condition | None:
    """The stored condition; None if this version cannot read it."""
    with suppress(InvalidCondition):
        return saving.conditions[row.id]
    return None
