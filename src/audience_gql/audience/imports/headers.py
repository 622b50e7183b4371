"""Finds a plan's columns in the first line of a file, or says what is wrong with that line.

It must not read rows.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from audience_gql.audience.imports.plans import ImportPlan, Layout
from audience_gql.audience.imports.records import Record, Unreadable

FILE_COLUMNS: Final = 16_384
_MESSAGE_LIMIT: Final = 500
_DELIMITERS: Final = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
_FOREIGN: Final = (
    (b"\xff\xfe", "the file is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "the file is UTF-16; save it as UTF-8"),
    (b"\x1f\x8b", "the file is packed with gzip; unpack it first"),
    (b"BZh", "the file is packed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "the file is packed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "the file is packed with zstd; unpack it first"),
    (b"PK\x03\x04", "the file is a spreadsheet (such as .xlsx) or a zip archive; save or unpack it as CSV"),
    (b"\xd0\xcf\x11\xe0", "the file is a spreadsheet (such as .xls); save it as CSV"),
    (b"%PDF", "the file is a PDF; save it as CSV"),
)


def refuse_foreign(content: bytes) -> None:
    """Raise Unreadable if the file begins like a known format that is not CSV in UTF-8."""
    for beginning, message in _FOREIGN:
        if content.startswith(beginning):
            raise Unreadable(message)


def read_header(record: Record, plan: ImportPlan) -> list[str]:
    """The names of a file's columns. Raises Unreadable if they cannot be read, or if a column of the plan is missing or ambiguous."""
    if record.problem:
        raise Unreadable(f"line {record.line}: {record.problem}")
    header = [_named(cell) for cell in record.cells]
    if any("\0" in name for name in header):
        raise Unreadable(
            f"line {record.line}: the file contains U+0000, so it is not text; save it as CSV in UTF-8"
        )
    if len(header) > FILE_COLUMNS:
        raise Unreadable(f"the header has {len(header):,} columns; at most {FILE_COLUMNS:,} are read")
    names = _Names(header)
    missing = []
    for column in plan.columns:
        found = names.places(column.header)
        if len(found) > 1:
            alike = ", ".join(repr(header[place]) for place in found)
            message = (
                f"the header has {len(found)} columns for {column.header!r}: {alike}; rename all but one"
            )
            raise Unreadable(message[:_MESSAGE_LIMIT])
        if not found:
            missing.append(column.header)
    if missing:
        raise Unreadable(_missing(missing, header, plan.delimiter))
    return header


def layout(plan: ImportPlan, header: Sequence[str]) -> Layout:
    """Where the plan's columns are in a file. `header` is a result of read_header."""
    names = _Names(header)
    return Layout(places=[names.places(column.header)[0] for column in plan.columns], width=len(header))


class _Names:
    """The names in a header with their indexes: as written, and regardless of case."""

    def __init__(self, header: Sequence[str]) -> None:
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._folded: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(header):
            self._exact[name].append(place)
            self._folded[_folded(name)].append(place)

    def places(self, header: str) -> list[int]:
        """Indexes of the columns with exactly this name; if there are none, of those with this name regardless of case."""
        name = _named(header)
        return self._exact.get(name) or self._folded.get(_folded(name), [])


def _named(cell: str) -> str:
    """A name in the form in which names are compared: NFC, without blanks and byte order marks around it."""
    return unicodedata.normalize("NFC", cell).strip().strip("\ufeff").strip()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _missing(missing: Sequence[str], header: Sequence[str], delimiter: str) -> str:
    names = ", ".join(map(repr, missing))
    others = [said for part, said in _DELIMITERS.items() if part != delimiter and part in header[0]]
    if len(header) == 1 and others:
        return (
            f"the header has no column {names}, only {header[0]!r}; is the delimiter {' or '.join(others)}?"
        )[:_MESSAGE_LIMIT]
    return f"the header has no column {names}; it has {', '.join(map(repr, header))}"[:_MESSAGE_LIMIT]
