"""Reads the records of a CSV file from any record on, a window of bytes at a time, and reports how far it got.

It must not know what the cells mean. The result for a record depends only on the file, never on where a window ends. So a
reader may stop after any record, and another reader continues from there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

RECORD_BYTES: Final = 1024 * 1024
RECORD_LINES: Final = 1_000
OPEN_QUOTE: Final = (
    f"a quote is left open (a record has at most {RECORD_LINES:,} lines and {RECORD_BYTES:,} bytes)"
)
BROKEN_QUOTE: Final = "text follows a closing quote; write a quote inside a quoted cell twice"
TOO_LONG: Final = f"the line has more than {RECORD_BYTES:,} bytes"
NOT_UTF8: Final = "not UTF-8; save the file as UTF-8"

_LINE_BYTES: Final = 64 * 1024
"""The longest line for the fast path. It is shorter than the csv module's limit for one cell."""
_NEAR_BYTES: Final = 4096
"""A record's end is first searched in this many bytes, because nearly all records are shorter."""
_WORK_LIMIT: Final = 2 * RECORD_BYTES
"""How many bytes a reader examines without a result before it stops. This takes tens of milliseconds."""
_WORK_OF_A_BLANK: Final = 64
_BOM: Final = rb"(?>(?:\xef\xbb\xbf)?)"
_END: Final = rb"(\r\n|\n|\r|\Z)"
_LINE: Final = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)?")
_LINES: Final = re.compile(rb"(?>(?:[^\r\n]*+(?:\r\n|\n|\r)){1,%d})" % RECORD_LINES)
_CONTROL_Z: Final = b"\x1a"  # the mark with which DOS programs end a text file


class Unreadable(ValueError):
    """The file cannot be read. The message tells its author why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record. `problem` says why its cells cannot be read."""

    line: int
    """The number of its first line in the file, from 1."""
    cells: list[str]
    problem: str | None


_Taken: TypeAlias = tuple[list[str], str | None]
"""The cells of a record, and why they cannot be read, or None."""


class Reader:
    """Iterates over the records of a window that begins at byte `start` of the file, where a record must begin. Skips blank records.

    `is_last` says that the file ends with the window. Otherwise the reader stops before a record whose end is not certain yet; if
    RECORD_BYTES of the file follow, the end is always certain. The reader also stops after much work for few records; the caller
    then continues later.
    """

    def __init__(
        self, window: bytes, *, start: int, lines_before: int, delimiter: str, is_last: bool
    ) -> None:
        self._window = window
        self._start = start
        self._grammar = _Grammar(delimiter)
        self._fed = _Fed()
        self._csv = csv.reader(self._fed, delimiter=delimiter, strict=True)
        self._is_last = is_last
        self._size = len(window) - (is_last and window.endswith(_CONTROL_Z))
        self._position = 0
        self._work = 0
        self.end_line = lines_before
        """The number of the last line that was read."""
        self.is_stuck = False
        """Whether the next line is longer than RECORD_BYTES and ends outside the window."""

    @property
    def is_at_end(self) -> bool:
        """Whether the whole file has been read."""
        return self._is_last and self._position >= self._size

    @property
    def end(self) -> int:
        """Where the next record begins, in bytes from the start of the file."""
        return self._start + (len(self._window) if self.is_at_end else self._position)

    def __iter__(self) -> Iterator[Record]:
        while self._position < self._size and self._work < _WORK_LIMIT:
            line = self.end_line + 1
            taken = self._take_line() or self._take_any() or self._refuse_line()
            if taken is None:
                return
            cells, problem = taken
            if problem or any(map(str.strip, cells)):
                yield Record(line=line, cells=cells, problem=problem)
            else:
                self._work += _WORK_OF_A_BLANK

    def _take_line(self) -> _Taken | None:
        """The fast path: read a record that is one ordinary line. For such lines the csv module gives the same result as the grammar."""
        begin = self._position
        stop = self._window.find(b"\n", begin, begin + _LINE_BYTES) + 1
        line = self._window[begin:stop]
        if not line or b"\r" in line[:-2]:
            return None
        try:
            text = line.decode()
            if text[0] == "\ufeff" or (b'"' in line and self._grammar.has_blank_before_quote(text)):
                return None
            self._fed.line = text
            cells = next(self._csv)
        except (UnicodeDecodeError, csv.Error):
            return None
        self._position = stop
        self.end_line += 1
        return cells, None

    def _take_any(self) -> _Taken | None:
        """Read any record that has an end."""
        near = min(self._position + _NEAR_BYTES, self._size)
        return self._take_until(near) or self._take_until(self._limit())

    def _take_until(self, stop: int) -> _Taken | None:
        found = self._grammar.record.match(self._window, self._position, stop)
        if found is None or not self._is_certain(found, stop):
            return None
        lines = _line_count(found[0])
        if lines > RECORD_LINES:
            return None
        self._position = found.end()
        self.end_line += lines
        return self._grammar.cells(found[1])

    def _refuse_line(self) -> _Taken | None:
        """Refuse the first line of a broken record, so that reading continues with the next line."""
        if not self._is_last and self._size - self._position < RECORD_BYTES:
            return None  # more of the file may complete the record
        found = _LINE.match(self._window, self._position, self._size)
        assert found is not None  # noqa: S101  # it matches the empty text
        begin, end = found.span()
        if end == self._size and not self._is_last and not found[0].endswith(b"\n"):
            self.is_stuck = True
            return None
        reach = self._grammar.reach(self._window, begin, self._limit())
        self._work += reach - begin
        self._position = end
        self.end_line += 1
        if end - begin > RECORD_BYTES:
            return [], TOO_LONG
        return [], OPEN_QUOTE if reach >= begin + len(found[0].rstrip(b"\r\n")) else BROKEN_QUOTE

    def _limit(self) -> int:
        """Where the record must have ended. One byte after the last line is included, because it may be the LF of a CRLF."""
        limit = min(self._position + RECORD_BYTES, self._size)
        lines = _LINES.match(self._window, self._position, limit)
        return limit if lines is None else min(lines.end() + 1, limit)

    def _is_certain(self, found: re.Match[bytes], stop: int) -> bool:
        """Whether more of the file cannot change the match. It could if the match ends at `stop`, and there with a CR that an LF may follow."""
        return found[2] in (b"\n", b"\r\n") or found.end() < stop or (self._is_last and stop == self._size)


class _Fed:
    """The csv module's input: one line, and then its end."""

    line: str | None = None

    def __iter__(self) -> _Fed:
        return self

    def __next__(self) -> str:
        line, self.line = self.line, None
        if line is None:
            raise StopIteration
        return line


class _Grammar:
    """The grammar of a record with one delimiter. Blanks around a quoted cell are ignored.

    Repeats of groups are in atomic groups. Possessive repeats of groups would say the same, but Python 3.11.2 matches them wrongly
    (CPython issue 106052).
    """

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        blanks = "[ ]*+" if delimiter == "\t" else "[ \t]*+"
        part = re.escape(delimiter)
        other = rf"[^\r\n{part}]" if delimiter.isascii() else rf"(?:(?!{part})[^\r\n])"
        text = r'(?>(?:[^"]++|"")*)'
        quoted = rf'{blanks}"{text}"{blanks}'
        plain = rf'(?!{blanks}")(?>{other}*)'
        cells = rf"(?>(?:(?:{quoted}|{plain}){part})*)"
        self.record = re.compile(_BOM + rf"({cells}(?:{quoted}|{plain}))".encode() + _END)
        self._beginning = re.compile(_BOM + rf'{cells}(?:{blanks}"{text})?'.encode())
        self._cell = re.compile(rf'{blanks}"({text})"{blanks}{part}|([^{part}]*+){part}')

    def has_blank_before_quote(self, text: str) -> bool:
        return ' "' in text or (self._delimiter != "\t" and '\t"' in text)

    def cells(self, record: bytes) -> _Taken:
        try:
            text = record.decode()
        except UnicodeDecodeError:
            return [], NOT_UTF8
        found = self._cell.findall(text + self._delimiter)
        return [quoted.replace('""', '"') if quoted else plain for quoted, plain in found], None

    def reach(self, window: bytes, begin: int, stop: int) -> int:
        """How far a broken record can be read: to the text after a closing quote, or to where it should have ended."""
        found = self._beginning.match(window, begin, stop)
        return begin if found is None else found.end()


def _line_count(record: bytes) -> int:
    """The number of lines. CRLF, LF, CR and the end of the file end a line."""
    ends = record.count(b"\n") + record.count(b"\r") - record.count(b"\r\n")
    return ends + (not record.endswith((b"\n", b"\r")))
