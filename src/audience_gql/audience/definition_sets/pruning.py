"""Deletes what a set does not have. What uses something else is deleted before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from graphlib import TopologicalSorter

from audience_gql.audience.acting.editing import delete_automation
from audience_gql.audience.definition_sets.given import DefinitionKind
from audience_gql.audience.definition_sets.plans import Step
from audience_gql.audience.definition_sets.problems import issues_of
from audience_gql.audience.definition_sets.telling import of_automation, of_field, of_group, of_segment
from audience_gql.audience.definition_sets.work import Row, Work, name_of
from audience_gql.audience.definitions.deletions import delete_custom_field, delete_group
from audience_gql.audience.definitions.segments import delete_segment
from audience_gql.audience.failures import Failure
from audience_gql.conditions.input.respelling import ids_in
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.orm.models import CustomField, Group, Segment


async def prune(work: Work) -> None:
    for kind, row in list(_in_order(work)):
        try:
            work.steps.append(await _delete(work, kind, row))
        except Failure as failure:
            noun = f'{kind.lower().replace("_", " ")} "{name_of(row)}"'
            issues = issues_of(failure, ("definitions", "prune"), {}, work.naming, work.automation_names)
            work.issues += [replace(issue, message=f"{noun} {issue.message}") for issue in issues]


def _in_order(work: Work) -> Iterator[tuple[DefinitionKind, Row]]:
    absent = list(work.absent())
    yield from ((kind, row) for kind, row in absent if isinstance(row, Automation))
    segments = {row.id: row for _, row in absent if isinstance(row, Segment)}
    reads = {number: _read_by(row) & segments.keys() for number, row in segments.items()}
    for number in reversed(list(TopologicalSorter(reads).static_order())):
        yield "SEGMENT", segments[number]
    yield from ((kind, row) for kind, row in absent if isinstance(row, Group | CustomField))


def _read_by(row: Segment) -> set[int]:
    return {int(text) for kind, text in ids_in(dict(row.condition)) if kind == "segment"}


async def _delete(work: Work, kind: DefinitionKind, row: Row) -> Step:
    ports, workspace = work.ports, work.workspace
    revision: int | None = None
    match row:
        case Automation():
            await delete_automation(ports=ports, workspace=workspace, automation_id=row.id)
            before, revision = of_automation(row, work.naming), row.revision
        case Segment():
            await delete_segment(ports=ports, workspace=workspace, segment_id=row.id)
            before, revision = of_segment(row, work.naming), row.revision
        case Group():
            await delete_group(ports=ports, workspace=workspace, group_id=row.id)
            before = of_group(row)
        case CustomField():
            await delete_custom_field(ports=ports, workspace=workspace, field_id=row.id)
            before = of_field(row)
    return Step(
        kind=kind,
        action="DELETE",
        id=row.id,
        name=name_of(row),
        revision=revision,
        before=before,
        after=None,
    )
