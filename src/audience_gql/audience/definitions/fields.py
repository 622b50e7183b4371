"""Custom fields: what a workspace keeps about people beyond the profile, each with one declared type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, NameTaken
from audience_gql.audience.people.profiles import FIELD_TYPES, LIST_LIMIT, text_problem
from audience_gql.audience.ports import Ports
from audience_gql.storage.database import UNIQUE_VIOLATION, Transaction
from audience_gql.storage.models import CustomField, Workspace

LABEL_LIMIT: Final = 200
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


async def define_custom_field(
    *,
    ports: Ports,
    workspace: Workspace,
    key: str,
    label: str,
    type: str,  # noqa: A002  # the field's own word for it
    options: Sequence[str] | None = None,  # the field's own word for it
) -> CustomField:
    """Declare a field. Its key and type stay for ever. Raises InvalidInput, NameTaken."""
    issues = _issues(key, label, type, options)
    if issues:
        raise InvalidInput(tuple(issues))

    async def work(transaction: Transaction) -> CustomField:
        return await CustomField.create(
            id=await ports.database.ids.one(transaction.connection),
            workspace_id=workspace.id,
            key=key,
            label=label.strip(),
            type=type,
            options=list(options) if options is not None else None,
            created_at=await ports.clock.now(transaction.connection),
        )

    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise NameTaken(f"there is a custom field {key!r} already", ("input", "key")) from error


def _issues(key: str, label: str, type_: str, options: Sequence[str] | None) -> list[Issue]:
    issues = []
    if not _KEY.fullmatch(key):
        message = "a key is a lower-case letter, then up to 62 lower-case letters, digits and underscores"
        issues.append(Issue(code="MALFORMED", message=message, path=("input", "key")))
    if problem := text_problem(label, LABEL_LIMIT):
        issues.append(Issue(code=problem[0], message=problem[1], path=("input", "label")))
    elif not label.strip():
        issues.append(Issue(code="REQUIRED", message="a label is needed", path=("input", "label")))
    if type_ not in FIELD_TYPES:
        issues.append(Issue(code="UNKNOWN", message="no such type", path=("input", "type")))
    if options is not None and len(options) > LIST_LIMIT:
        issues.append(
            Issue(code="TOO_MANY", message=f"at most {LIST_LIMIT} options", path=("input", "options"))
        )
    for index, option in enumerate(options or ()):
        if problem := text_problem(option):
            issues.append(Issue(code=problem[0], message=problem[1], path=("input", "options", str(index))))
    return issues
