"""Turns the cells of a row into an item of an upsert, as the import's plan says.

It must not touch the database, nor check values: the upsert checks addresses, dates and so on, as it does for every caller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from audience_gql.audience.failures import Issue, Path
from audience_gql.conditions.given_values import shown
from audience_gql.conditions.profile import DEGREE_COLUMNS, NAMES
from audience_gql.conditions.values import read_number
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS, FieldRef
from audience_gql.storage.people.facts import KEY_COLUMNS

TargetKind: TypeAlias = Literal["profile", "field", "channel", "group"]
COLUMNS_LIMIT: Final = 200
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_UNNAMEABLE: Final = re.compile(r"[\0\ud800-\udfff]")
_YES: Final = frozenset({"true", "yes", "1"})
_NO: Final = frozenset({"false", "no", "0"})


class BadCell(ValueError):
    """A cell that does not fit its column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """What one column of the file contains. `target` is a name of the profile, a custom field's key, a channel, or a group's id."""

    header: str
    kind: TargetKind
    target: str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a plan's columns are in one file."""

    places: Sequence[int]
    """The index of each of the plan's columns, from 0."""
    width: int
    """How many columns the file has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """How to read a file."""

    columns: tuple[ColumnPlan, ...]
    delimiter: str = ","
    empty_clears: bool = False
    add_to_group_ids: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        return asdict(self)

    def portrait(self, *, is_dry_run: bool) -> dict[str, Any]:  # Any: JSON
        """What the audit trail tells about an import. It leaves the headers out: an unlucky file has people in its first line."""
        targets = [column.target for column in self.columns if column.kind != "group"]
        groups = [column.target for column in self.columns if column.kind == "group"]
        return {"dryRun": is_dry_run, "columns": targets, "addToGroupIds": [*groups, *self.add_to_group_ids]}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> ImportPlan:  # Any: what as_json gave
        return cls(
            columns=tuple(ColumnPlan(**column) for column in given["columns"]),
            delimiter=given["delimiter"],
            empty_clears=given["empty_clears"],
            add_to_group_ids=tuple(given["add_to_group_ids"]),
        )

    def issues(self, fields: Mapping[str, FieldRef], group_ids: frozenset[int]) -> list[Issue]:
        """Everything that is wrong with the plan itself. This needs no file."""
        found = [*self._form_issues()]
        for number, column in enumerate(self.columns):
            where: Path = ("columns", number, "to")
            known: Mapping[str, bool] = {
                "profile": column.target in NAMES,
                "field": column.target in fields,
                "channel": column.target in CHANNELS,
                "group": column.target in group_ids,
            }
            if not known[column.kind]:
                message = (
                    f"there is no {column.kind} {shown(str(column.target))!r}"
                    if column.kind != "group"
                    else _NO_GROUP
                )
                found.append(
                    Issue(
                        code="UNKNOWN",
                        message=message,
                        path=(*where, "group_id" if column.kind == "group" else column.kind),
                    )
                )
        found += [
            Issue(code="UNKNOWN", message=_NO_GROUP, path=("add_to_group_ids", number))
            for number, group_id in enumerate(self.add_to_group_ids)
            if group_id not in group_ids
        ]
        return found

    def _form_issues(self) -> list[Issue]:
        where: Path = ("columns",)
        found = []
        if len(self.columns) > COLUMNS_LIMIT:
            message = f"a plan can have at most {COLUMNS_LIMIT} columns, not {len(self.columns)}"
            found.append(Issue(code="TOO_MANY", message=message, path=where))
        if not any(column.kind == "profile" and column.target in KEY_COLUMNS for column in self.columns):
            message = "map a column to externalId, email or phone: only these say which person a row is about"
            found.append(Issue(code="REQUIRED", message=message, path=where))
        targets = [(column.kind, column.target) for column in self.columns]
        if sum(("profile", name) in targets for name in DEGREE_COLUMNS) == 1:
            message = "map columns to both latitude and longitude, or to neither: a person has both or none"
            found.append(Issue(code="REQUIRED", message=message, path=where))
        for number, column in enumerate(self.columns):
            if targets[number] in targets[:number]:
                message = "another column already has this target"
                found.append(Issue(code="CONFLICT", message=message, path=(*where, number, "to")))
            if _UNNAMEABLE.search(column.header):
                message = "a header cannot contain U+0000 or half of a surrogate pair"
                found.append(Issue(code="MALFORMED", message=message, path=(*where, number, "header")))
        if not _is_delimiter(self.delimiter):
            message = 'the delimiter must be a tab, or one visible character except letters, digits, _ and "'
            found.append(Issue(code="MALFORMED", message=message, path=("delimiter",)))
        return found

    def group_ids(self) -> list[int]:
        """The groups that this plan adds people to, each once."""
        named = [column.target for column in self.columns if column.kind == "group"]
        return list(dict.fromkeys([*self.add_to_group_ids, *(it for it in named if isinstance(it, int))]))

    def item(self, layout: Layout, cells: Sequence[str], fields: Mapping[str, FieldRef]) -> dict[str, object]:
        """A row as an item for upsert_subscribers. Missing cells count as empty, and surplus cells must be empty. Raises BadCell."""
        if any(map(str.strip, cells[layout.width :])):
            raise BadCell(f"the row has {len(cells)} cells, but the header has {layout.width}")
        item: dict[str, object] = {}
        for column, place in zip(self.columns, layout.places, strict=True):
            cell = cells[place].strip() if place < len(cells) else ""
            if cell or (self.empty_clears and column.kind in ("profile", "field")):
                _put(item, column, cell, fields)
        return item

    def keys(self, layout: Layout, cells: Sequence[str]) -> list[tuple[str, str]]:
        """The kind and the text of each key in a row, valid or not."""
        placed = zip(self.columns, layout.places, strict=True)
        return [
            (str(column.target), cells[place].strip())
            for column, place in placed
            if column.kind == "profile" and column.target in KEY_COLUMNS and cells[place : place + 1]
        ]


_NO_GROUP: Final = "there is no group with this id"


def _is_delimiter(text: str) -> bool:
    return text == "\t" or (text.isprintable() and re.fullmatch(r"[^\w\s\"]", text) is not None)


def _put(item: dict[str, Any], column: ColumnPlan, cell: str, fields: Mapping[str, FieldRef]) -> None:
    target = column.target
    match column.kind:
        case "profile" if cell and target in DEGREE_COLUMNS:
            item[str(target)] = _number(column, cell)
        case "profile":
            item[str(target)] = cell or None
        case "field":
            value = _typed(column, cell, fields.get(str(target))) if cell else None
            item.setdefault("fields", []).append({"key": target, "value": value})
        case "channel":
            status = cell.upper()
            if status not in CHANNEL_STATUSES:
                raise BadCell(f"{column.header}: {shown(cell)!r} is not one of {', '.join(CHANNEL_STATUSES)}")
            item.setdefault("channels", []).append({"channel": target, "status": status})
        case "group":
            name = "addToGroupIds" if _yes_or_no(column, cell) else "removeFromGroupIds"
            item.setdefault(name, []).append(target)


def _typed(column: ColumnPlan, cell: str, ref: FieldRef | None) -> object:
    """The cell as a JSON value of its field's type. The upsert checks the value. Raises BadCell."""
    match ref and ref.type:
        case "NUMBER":
            return _number(column, cell)
        case "BOOLEAN":
            return _yes_or_no(column, cell)
        case "LIST":
            return _texts(cell)
    return cell


def _texts(cell: str) -> list[str]:
    """The texts of a cell: those of a JSON array, or the parts between semicolons."""
    if cell.startswith("["):
        try:
            texts = json.loads(cell)
        except (ValueError, RecursionError):
            texts = None
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            return texts
    return [part.strip() for part in cell.split(";") if part.strip()]


def _number(column: ColumnPlan, cell: str) -> object:
    if _NUMBER.fullmatch(cell) is None:  # Python would also accept 1_000, nan and digits of other scripts
        raise BadCell(f"{column.header}: expected a number such as 12.5, not {shown(cell)!r}")
    return read_number(cell)


def _yes_or_no(column: ColumnPlan, cell: str) -> bool:
    folded = cell.lower()
    if folded not in _YES | _NO:
        raise BadCell(f"{column.header}: expected true or false, not {shown(cell)!r}")
    return folded in _YES
