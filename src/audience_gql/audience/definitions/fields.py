"""Creates and edits custom fields: values that a workspace keeps about people beyond the profile, each field with one declared type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, NameTaken, NotFound
from audience_gql.audience.names import line_issues
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.audience.people.profiles import FIELD_KEY, FIELD_TYPES, LIST_LIMIT
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, record
from audience_gql.conditions.given_values import BadValue, given_text
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import CustomField, Workspace
from audience_gql.storage.postgres.database import UNIQUE_VIOLATION, Transaction

LABEL_LIMIT: Final = 200


async def define_custom_field(
    *,
    ports: Ports,
    workspace: Workspace,
    key: str,
    label: str,
    type: str,  # noqa: A002  # the name in the schema
    options: Sequence[str] | None = None,
) -> CustomField:
    """Create a custom field. Its key and type never change. Raises InvalidInput, NameTaken."""
    issues = _issues(key, label, type, options)
    if issues:
        raise InvalidInput(tuple(issues))

    async def work(transaction: Transaction) -> CustomField:
        now = await ports.clock.now(transaction.connection)
        field = await CustomField.create(
            id=await ports.database.ids.one(transaction.connection),
            workspace_id=workspace.id,
            key=key,
            label=label.strip(),
            type=type,
            options=kept_options(options or ()) or None,
            created_at=now,
        )
        change = Change(
            kind="CUSTOM_FIELD_DEFINED",
            object_id=field.id,
            object_name=field.key,
            after=portraits.of_field(field),
        )
        await record(ports, transaction, workspace.id, now, change)
        return field

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise NameTaken(f"there is a custom field {key!r} already", ("key",)) from error


async def update_custom_field(
    *,
    ports: Ports,
    workspace: Workspace,
    field_id: int | None,
    label: str | Unset | None = UNSET,
    options: Sequence[str] | Unset | None = UNSET,
) -> CustomField:
    """Change the values that are given. The label cannot be cleared. Raises NotFound, InvalidInput."""

    async def work(transaction: Transaction) -> CustomField:
        await definitions.lock_workspace(transaction.connection, workspace.id)
        field = None
        if field_id is not None:
            field = await CustomField.get_or_none(id=field_id, workspace_id=workspace.id)
        if field is None:
            raise NotFound("there is no custom field with this id", ("id",))
        before = portraits.of_field(field)
        if not isinstance(label, Unset):
            field.label = label or ""
        if not isinstance(options, Unset):
            field.options = list(options or ()) or None
        if issues := _issues(field.key, field.label, field.type, field.options):
            raise InvalidInput(tuple(issues))
        field.label, field.options = field.label.strip(), kept_options(field.options or ()) or None
        await field.save(update_fields=["label", "options"])
        change = Change(
            kind="CUSTOM_FIELD_EDITED",
            object_id=field.id,
            object_name=field.key,
            before=before,
            after=portraits.of_field(field),
        )
        await record(ports, transaction, workspace.id, await ports.clock.now(transaction.connection), change)
        return field

    return await ports.database.run(work)


def kept_options(options: Sequence[str]) -> list[str]:
    """Options as they are stored. Raises BadValue."""
    return [text for text in map(given_text, options) if text is not None]


def _issues(key: str, label: str, type_: str, options: Sequence[str] | None) -> list[Issue]:
    issues = []
    if not FIELD_KEY.fullmatch(key):
        message = "expected a lower-case letter, then up to 62 lower-case letters, digits and underscores"
        issues.append(Issue(code="MALFORMED", message=message, path=("key",)))
    issues += line_issues(label, LABEL_LIMIT, "label")
    if type_ not in FIELD_TYPES:
        issues.append(Issue(code="UNKNOWN", message="unknown type", path=("type",)))
    if options is not None and len(options) > LIST_LIMIT:
        issues.append(Issue(code="TOO_MANY", message=f"at most {LIST_LIMIT} options", path=("options",)))
    for index, option in enumerate(options or ()):
        try:
            given_text(option)
        except BadValue as error:
            issues.append(Issue(code=error.code, message=error.message, path=("options", index)))
    return issues
