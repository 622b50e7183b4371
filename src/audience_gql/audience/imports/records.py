"""Reads the records of a CSV file from any place in it, a window of bytes at a time, and says how far it got.

It must not know what the cells mean. What it makes of a record depends on the file alone, never on where a window ends. So a
reader may stop after any record, and another one continues from there.
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
"""The longest line that is read the quick way; less than a cell may have for the csv module."""
_NEAR_BYTES: Final = 4096
"""Where the end of a record is looked for first, because nearly all end there."""
_WORK_LIMIT: Final = 2 * RECORD_BYTES
"""How much a reader looks at in vain before it stops, in bytes: tens of milliseconds."""
_WORK_OF_A_BLANK: Final = 64
_BOM: Final = rb"(?:\xef\xbb\xbf)?+"
_END: Final = rb"(\r\n|\n|\r|\Z)"
_LINE: Final = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)?")
_LINES: Final = re.compile(rb"(?:[^\r\n]*+(?:\r\n|\n|\r)){1,%d}+" % RECORD_LINES)
_CONTROL_Z: Final = b"\x1a"  # DOS ended text files with it


class Unreadable(ValueError):
    """The file cannot be read; the message tells whoever made it why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record. `problem` says why its cells cannot be read."""

    line: int
    """Its first line in the file, from 1."""
    cells: list[str]
    problem: str | None


_Taken: TypeAlias = tuple[list[str], str | None]
"""The cells of a record, and why they cannot be read."""


class Reader:
    """Iterates over the records of a window that begins at byte `start` of the file, where a record begins. It passes over blank ones.

    `is_last` says that the file ends with the window. Otherwise the reader stops before a record whose end is not certain yet; with
    RECORD_BYTES of the file it always is. The reader also stops after much work for few records: the caller continues later.
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
        """How many lines of the file end with what was read."""
        self.is_stuck = False
        """Whether the next line has more than RECORD_BYTES, and ends outside the window."""

    @property
    def is_at_end(self) -> bool:
        """Whether the whole file is read."""
        return self._is_last and self._position >= self._size

    @property
    def end(self) -> int:
        """Where the next record begins, in bytes of the file."""
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
        """Read a record the quick way, if it is one line with nothing special about it: the csv module reads the same there."""
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
        """Give up the first line of a broken record, so that reading continues with the next line."""
        if not self._is_last and self._size - self._position < RECORD_BYTES:
            return None  # the file goes on
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
        """Where the record must have ended. What follows its last line is within, because LF after CR is one line end with it."""
        limit = min(self._position + RECORD_BYTES, self._size)
        lines = _LINES.match(self._window, self._position, limit)
        return limit if lines is None else min(lines.end() + 1, limit)

    def _is_certain(self, found: re.Match[bytes], stop: int) -> bool:
        """Whether more of the file would change nothing: neither at the end of the region, nor at a CR that LF may follow."""
        return found[2] in (b"\n", b"\r\n") or found.end() < stop or (self._is_last and stop == self._size)


class _Fed:
    """What the csv module is given: one line, and no further one."""

    line: str | None = None

    def __iter__(self) -> _Fed:
        return self

    def __next__(self) -> str:
        line, self.line = self.line, None
        if line is None:
            raise StopIteration
        return line


class _Grammar:
    """What a record is, with one delimiter. Blanks around a quoted cell do not count."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        blanks = "[ ]*+" if delimiter == "\t" else "[ \t]*+"
        part = re.escape(delimiter)
        other = rf"[^\r\n{part}]" if delimiter.isascii() else rf"(?:(?!{part})[^\r\n])"
        quoted = rf'{blanks}"(?:[^"]++|"")*+"{blanks}'
        plain = rf'(?!{blanks}"){other}*+'
        cells = rf"(?:(?:{quoted}|{plain}){part})*+"
        self.record = re.compile(_BOM + rf"({cells}(?:{quoted}|{plain}))".encode() + _END)
        self._beginning = re.compile(_BOM + rf'{cells}(?:{blanks}"(?:[^"]++|"")*+)?'.encode())
        self._cell = re.compile(rf'{blanks}"((?:[^"]++|"")*+)"{blanks}{part}|([^{part}]*+){part}')

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
        """How far a broken record can be read: to the text after a closing quote, or to where its end should have come."""
        found = self._beginning.match(window, begin, stop)
        return begin if found is None else found.end()


def _line_count(record: bytes) -> int:
    """CRLF, LF and CR end lines; so does the end of the file."""
    ends = record.count(b"\n") + record.count(b"\r") - record.count(b"\r\n")
    return ends + (not record.endswith((b"\n", b"\r")))
