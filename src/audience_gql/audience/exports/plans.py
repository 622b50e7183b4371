"""Says what the file of an export contains: its format, and its columns by name.

It must not touch the database, nor write rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from audience_gql.audience.failures import Issue
from audience_gql.conditions.given_values import shown
from audience_gql.conditions.profile import COLUMNS, NAMES
from audience_gql.conditions.vocabulary import CHANNELS

Format: TypeAlias = Literal["CSV", "NDJSON"]
COLUMNS_LIMIT: Final = 200
DEFAULT_FIELDS: Final = ("id", "externalId", "email", "enteredAt")
ID: Final = "id"
ENTERED_AT: Final = "enteredAt"
COLUMN_OF_NAME: Final[Mapping[str, str]] = {
    **dict(zip(NAMES, COLUMNS, strict=True)),
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
"""The columns of the table of people, by the names of their fields in the API."""
_FIXED: Final = frozenset({ID, ENTERED_AT, *COLUMN_OF_NAME, *CHANNELS})
_FIELD: Final = "field:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """How to write a file."""

    format: Format
    fields: tuple[str, ...] = DEFAULT_FIELDS
    escape_formulas: bool = False

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> ExportPlan:  # Any: what as_json gave
        return cls(
            format=given["format"],
            fields=tuple(given["fields"]),
            escape_formulas=given["escape_formulas"],
        )

    def issues(self, keys: Collection[str]) -> list[Issue]:
        """Everything that is wrong with the plan, if the workspace's custom fields have these keys."""
        if not self.fields:
            message = "name at least one field, or omit `fields`"
            return [Issue(code="REQUIRED", message=message, path=("fields",))]
        if len(self.fields) > COLUMNS_LIMIT:
            message = f"a file can have at most {COLUMNS_LIMIT} columns, not {len(self.fields)}"
            return [Issue(code="TOO_MANY", message=message, path=("fields",))]
        found = []
        for number, name in enumerate(self.fields):
            if name not in _FIXED and custom_key(name) not in keys:
                message = f"there is no field {shown(name)!r}"
                found.append(Issue(code="UNKNOWN", message=message, path=("fields", number)))
            elif name in self.fields[:number]:
                message = "another column already has this field"
                found.append(Issue(code="CONFLICT", message=message, path=("fields", number)))
        return found


def custom_key(name: str) -> str | None:
    """The key of the custom field that a column names; None for a column that is none.

    `field:KEY` names a custom field even if its key is also the name of another field.
    """
    if name.startswith(_FIELD):
        return name.removeprefix(_FIELD)
    return None if name in _FIXED else name


def columns_needed(names: Sequence[str]) -> list[str]:
    """The columns of the table of people that these fields are read from."""
    columns = [COLUMN_OF_NAME[name] for name in names if name in COLUMN_OF_NAME]
    return [*columns, "fields"] if any(custom_key(name) for name in names) else columns


def channels_needed(names: Sequence[str]) -> bool:
    return any(name in CHANNELS for name in names)
