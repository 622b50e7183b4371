"""Writes members as the rows of a CSV file or as the lines of an NDJSON file. Pure: it reads no database.

An import reads every value of a CSV file back as it was, unless formulas are escaped.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from audience_gql.audience.exports.plans import COLUMN_OF_NAME, ENTERED_AT, ID, ExportPlan, custom_key
from audience_gql.audience.webhooks.messages import MessageIds
from audience_gql.conditions.values import instant_text
from audience_gql.conditions.vocabulary import FieldRef
from audience_gql.storage.exports import MemberRow

_Value: TypeAlias = Any  # Any: JSON of the field's type
_Objects: TypeAlias = Mapping[str, _Value]
_Read: TypeAlias = Callable[[int, MemberRow, _Objects, _Objects], _Value]
"""Reads one field from the bucket's id, the row, its custom fields and its channels."""
_NOTHING: Final[_Objects] = {}
_BOM: Final = "\ufeff"
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class RowWriter:
    """Writes the file of one plan. The custom fields are those that exist in the snapshot; a deleted one has no values."""

    def __init__(self, plan: ExportPlan, custom: Mapping[str, FieldRef], ids: MessageIds) -> None:
        self._plan = plan
        self._readers = [_reader(name, custom, ids) for name in plan.fields]

    def head(self) -> bytes:
        """What the file begins with."""
        return _table([self._plan.fields], is_quoted=False) if self._plan.format == "CSV" else b""

    def rows(self, bucket_id: int, members: Sequence[MemberRow]) -> bytes:
        """The rows of these members of one bucket."""
        values = [self._values(bucket_id, member) for member in members]
        if self._plan.format == "NDJSON":
            names = self._plan.fields
            lines = (_JSON.encode(dict(zip(names, it, strict=True))) for it in values)
            return "".join(f"{line}\n" for line in lines).encode()
        cell = _escaped if self._plan.escape_formulas else _cell
        return _table([[cell(value) for value in it] for it in values], is_quoted=False)

    def _values(self, bucket_id: int, member: MemberRow) -> list[_Value]:
        fields = _object(member, "fields")
        channels = _object(member, "channels")
        return [read(bucket_id, member, fields, channels) for read in self._readers]


def _object(member: MemberRow, name: str) -> _Objects:
    text = member.get(name)
    return _NOTHING if text is None or text == "{}" else json.loads(text)


def _reader(name: str, custom: Mapping[str, FieldRef], ids: MessageIds) -> _Read:
    if name == ID:
        return lambda bucket_id, row, _, __: ids.encode("subscriber", bucket_id, row["id"])
    if name == ENTERED_AT:
        return lambda _, row, __, ___: instant_text(row["entered_at"])
    if column := COLUMN_OF_NAME.get(name):
        return lambda _, row, __, ___: _plain(row[column])
    if key := custom_key(name):
        number = str(custom[key].id) if key in custom else ""
        return lambda _, __, fields, ___: fields.get(number)
    return lambda _, __, ___, channels: channels.get(name)


def _plain(value: object) -> object:
    """A value of the profile as JSON."""
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value


def _table(rows: Sequence[Sequence[str]], *, is_quoted: bool) -> bytes:
    written = io.StringIO(newline="")
    quoting: Final = csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL
    csv.writer(written, quoting=quoting, lineterminator="\r\n").writerows(rows)
    text = written.getvalue()
    if _BOM in text and not is_quoted:  # readers drop it at the beginning of a row, unless it is in quotes
        return _table(rows, is_quoted=True)
    return text.encode()


def _cell(value: _Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _joined(value)
    return repr(value)


def _joined(texts: Sequence[str]) -> str:
    """Texts separated by semicolons, or else a JSON array, if an import would read other texts from that."""
    joined = ";".join(texts)
    is_clear = texts and not any(";" in text for text in texts) and not joined.startswith("[")
    return joined if is_clear else _JSON.encode(texts)


def _escaped(value: _Value) -> str:
    """The same, but a spreadsheet takes no text for a formula."""
    cell = _cell(value)
    return f"'{cell}" if isinstance(value, str | list) and cell.startswith(_FORMULA) else cell
