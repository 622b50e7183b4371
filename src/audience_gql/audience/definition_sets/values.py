"""Applies the custom fields and the groups of a set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from audience_gql.audience.definition_sets.given import GivenField, GivenGroup
from audience_gql.audience.definition_sets.plans import Step
from audience_gql.audience.definition_sets.telling import of_field, of_group
from audience_gql.audience.definition_sets.work import Matched, Work
from audience_gql.audience.definitions.fields import define_custom_field, kept_options, update_custom_field
from audience_gql.audience.definitions.groups import create_group, update_group
from audience_gql.audience.failures import Failure
from audience_gql.audience.names import kept_description
from audience_gql.conditions.given_values import BadValue
from audience_gql.storage.orm.models import CustomField, Group


async def apply_fields(work: Work, given: Sequence[GivenField]) -> None:
    for matched in work.match("CUSTOM_FIELD", given, work.stored.fields):
        await work.make(matched, partial(_field, work, matched))


async def apply_groups(work: Work, given: Sequence[GivenGroup]) -> None:
    for matched in work.match("GROUP", given, work.stored.groups):
        await work.make(matched, partial(_group, work, matched))


def is_described(stored: str | None, given: str | None) -> bool:
    """Whether the stored description is the given one. A description that cannot be stored is another one."""
    try:
        return kept_description(given) == stored
    except BadValue:
        return False


async def _field(work: Work, matched: Matched[GivenField, CustomField]) -> Step | None:
    given, row = matched.given, matched.row
    if row is None:
        field = await define_custom_field(
            ports=work.ports,
            workspace=work.workspace,
            key=given.key,
            label=given.label,
            type=given.type,
            options=given.options,
        )
        return _field_step(None, field)
    if row.type != given.type:
        raise Failure(f"the type of a custom field never changes; this one is {row.type}", ("type",))
    if row.label == given.label.strip() and _has_options(row, given):
        return None
    field = await update_custom_field(
        ports=work.ports,
        workspace=work.workspace,
        field_id=row.id,
        label=given.label,
        options=given.options,
    )
    return _field_step(row, field)


def _has_options(row: CustomField, given: GivenField) -> bool:
    try:
        return kept_options(given.options or ()) == (row.options or [])
    except BadValue:
        return False


def _field_step(before: CustomField | None, after: CustomField) -> Step:
    return Step(
        kind="CUSTOM_FIELD",
        action="CREATE" if before is None else "UPDATE",
        id=after.id,
        name=after.key,
        revision=None,
        before=None if before is None else of_field(before),
        after=of_field(after),
    )


async def _group(work: Work, matched: Matched[GivenGroup, Group]) -> Step | None:
    given, row = matched.given, matched.row
    if row is None:
        group = await create_group(
            ports=work.ports, workspace=work.workspace, name=given.name, description=given.description
        )
    elif row.name == given.name.strip() and is_described(row.description, given.description):
        return None
    else:
        group = await update_group(
            ports=work.ports,
            workspace=work.workspace,
            group_id=row.id,
            name=given.name,
            description=given.description,
        )
    work.naming.learn("group", group.id, group.name)
    return Step(
        kind="GROUP",
        action="CREATE" if row is None else "UPDATE",
        id=group.id,
        name=group.name,
        revision=None,
        before=None if row is None else of_group(row),
        after=of_group(group),
    )
