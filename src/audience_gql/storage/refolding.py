"""Rewrites what older versions stored by this version's rules for values, one page of people at a time, in the migration's transaction.

It must not merge people: if several people have the same key by the new rules, one of them keeps it, and a warning names the others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from audience_gql.conditions.addresses import fold_address
from audience_gql.conditions.values import fold
from audience_gql.conditions.zones import old_names, zone_named
from audience_gql.storage.database import Connection
from audience_gql.storage.statements import load_statements

Row: TypeAlias = dict[str, Any]  # Any: one column's value

_SQL: Final = load_statements(__file__)
_PAGE: Final = 1_000
_BLANKS: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Every character that Python counts as whitespace."""
_TRIMMED: Final = ("external_id", "first_name", "last_name", "timezone", "region", "city", "postal_code")
_OF_WHOLE_TEXTS: Final = frozenset({"is", "isNot", "in", "notIn", "hasAny", "hasAll", "hasNone", "name"})

logger = logging.getLogger(__name__)


class _Key(NamedTuple):
    """A key in its new form. The sort order is the order in which keys are assigned."""

    workspace_id: int
    kind: str
    value: str
    created_at: datetime
    bucket_id: int
    subscriber_id: int


async def refold(connection: Connection) -> None:
    """Rewrite everything. A person who already has a key in its new form keeps it; otherwise the person who was created first gets it."""
    keys: list[_Key] = []
    for bucket in await connection.fetch(_SQL["buckets"]):
        await _refold_bucket(connection, bucket["workspace_id"], bucket["id"], keys)
        await connection.execute(_SQL["trim_event_keys"], bucket["id"], _BLANKS)
    keys.sort()
    for start in range(0, len(keys), _PAGE):
        await _give_away(connection, keys[start : start + _PAGE])
    await _trim_event_names(connection)
    await connection.execute(_SQL["rename_workspaces_zones"], *_columns(old_names().items(), 2))
    await _refill(connection)


async def _refold_bucket(connection: Connection, workspace_id: int, bucket_id: int, keys: list[_Key]) -> None:
    after, old_zones = -1, list(old_names())
    while rows := await connection.fetch(_SQL["people"], bucket_id, after, _BLANKS, old_zones, _PAGE):
        after = rows[-1]["id"]
        marks: list[tuple[int, str, int]] = []
        released: list[tuple[str, str, int]] = []
        for old in rows:
            new = _refolded(dict(old))
            if not _is_changed(old, new):
                continue
            await connection.execute(_SQL["write_person"], bucket_id, *_written(new))
            marks += _marks(old, new)
            for kind, was, value in _changed_keys(old, new):
                released.append((kind, was, old["id"]))
                if value is not None:
                    keys.append(_Key(workspace_id, kind, value, old["created_at"], bucket_id, old["id"]))
        await connection.execute(_SQL["release"], bucket_id, workspace_id, *_columns(released, 3))
        await connection.execute(_SQL["mark"], bucket_id, *_columns(marks, 3))


async def _give_away(connection: Connection, keys: Sequence[_Key]) -> None:
    rows = await connection.fetch(
        _SQL["give_away"], *_columns(((*key[:3], key.bucket_id, key.subscriber_id) for key in keys), 5)
    )
    given = {tuple(row) for row in rows}
    for key in keys:
        if (*key[:3], key.bucket_id, key.subscriber_id) not in given:
            logger.warning(
                "workspace %s: by the rules of this version, the %s %r belongs to another person; subscriber %s of bucket %s keeps it "
                "in the profile only, and cannot be found by it (see docs/howto/operate.md)",
                key.workspace_id,
                key.kind,
                key.value,
                key.subscriber_id,
                key.bucket_id,
            )


async def _trim_event_names(connection: Connection) -> None:
    await connection.execute(_SQL["trim_event_names"], _BLANKS)
    for row in await connection.fetch(_SQL["event_names_left"], _BLANKS):
        logger.warning(
            "workspace %s: events named %r remain separate from events with the same name without whitespace around it",
            row["workspace_id"],
            row["name"],
        )


async def _refill(connection: Connection) -> None:
    """Request a new fill of every segment whose condition has another meaning by the new rules."""
    segments = await connection.fetch(_SQL["segments"])
    changed = [
        it["id"] for it in segments if any(map(_means_another, _operands(json.loads(it["condition"]))))
    ]
    await connection.execute(_SQL["refill"], changed)


# ---- one person


def _refolded(row: Row) -> Row:
    """The person as this version would have stored them."""
    for column in _TRIMMED:
        row[column] = (row[column] or "").strip() or None
        row[f"{column}_folded"] = None if row[column] is None else fold(row[column])
    if row["timezone"] is not None:
        row["timezone"] = zone_named(row["timezone"]) or row["timezone"]
        row["timezone_folded"] = fold(row["timezone"])
    if row["email"] is not None:
        row["email_folded"] = fold_address(row["email"])
    row["fields"], row["fields_folded"] = json.loads(row["fields"]), json.loads(row["fields_folded"])
    for key, value in list(row["fields"].items()):
        if isinstance(value, str | list) and (trimmed := _trimmed(value)) != value:
            _put(row, key, trimmed)
    return row


def _trimmed(value: str | list[str]) -> str | list[str]:
    return value.strip() if isinstance(value, str) else [text for it in value if (text := it.strip())]


def _put(row: Row, key: str, value: str | list[str]) -> None:
    row["fields"].pop(key)
    row["fields_folded"].pop(key, None)
    if value != "":
        row["fields"][key] = value
        folded = fold(value) if isinstance(value, str) else [fold(it) for it in value]
        if folded != value:
            row["fields_folded"][key] = folded


def _written(row: Row) -> Iterator[object]:
    yield from (row["id"], row["email_folded"])
    for column in _TRIMMED:
        yield from (row[column], row[f"{column}_folded"])
    yield json.dumps(row["fields"])
    yield json.dumps(row["fields_folded"])


def _is_changed(old: asyncpg.Record, new: Row) -> bool:
    columns = ["email_folded", *_TRIMMED, *(f"{column}_folded" for column in _TRIMMED)]
    return any(old[it] != new[it] for it in columns) or json.loads(old["fields"]) != new["fields"]


def _marks(old: asyncpg.Record, new: Row) -> Iterator[tuple[int, str, int]]:
    yield old["id"], "profile", 0
    before = json.loads(old["fields"])
    for key in before.keys() | new["fields"].keys():
        if before.get(key) != new["fields"].get(key):
            yield old["id"], "field", int(key)


def _changed_keys(old: asyncpg.Record, new: Row) -> Iterator[tuple[str, str, str | None]]:
    """Kind, old form and new form of each key whose form changes. The new form is None if nothing is left of it."""
    for kind, column in (("email", "email_folded"), ("externalId", "external_id")):
        if old[column] is not None and old[column] != new[column]:
            yield kind, old[column], new[column]


# ---- one condition


def _operands(node: object, kind: str = "", operator: str = "") -> Iterator[tuple[str, str, str]]:
    """Each text of a stored condition as (kind, operator, text). The kind is "email" or "timezone", or empty."""
    match node:
        case str():
            yield kind, operator, node
        case list():
            for item in node:
                yield from _operands(item, kind, operator)
        case dict():
            for name, value in node.items():
                yield from _operands(value, name if name in ("email", "timezone") else kind, name)


def _means_another(operand: tuple[str, str, str]) -> bool:
    kind, operator, text = operand
    if operator in _OF_WHOLE_TEXTS and text != text.strip():
        return True
    if kind == "email":
        return fold_address(text) != fold(text) or "xn--" in text.lower()
    return kind == "timezone" and operator in _OF_WHOLE_TEXTS and zone_named(text) not in (None, text)


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:  # Any: the columns' own types
    listed = list(rows)
    return [[row[position] for row in listed] for position in range(width)]
