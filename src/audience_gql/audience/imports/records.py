"""Reads the records of a CSV file from any place in it, a window of bytes at a time, and says how far it got.

It must not know what the cells mean. A record begins where the one before ended, so a reader may stop after any of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

RECORD_BYTES: Final = 1024 * 1024
_TOO_LONG: Final = f"a record of more than {RECORD_BYTES:,} bytes"
_BOM: Final = b"\xef\xbb\xbf"
_BOMS_OF_OTHERS: Final = (b"\xff\xfe", b"\xfe\xff")


class Unreadable(ValueError):
    """The file cannot be read on from here; the message says why, for whoever made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record. `problem` says why it has no cells worth looking at."""

    line: int
    """Its first line in the file, from 1."""
    cells: list[str]
    problem: str | None
    end: int
    """Where the next record begins, in bytes of the file."""
    end_line: int
    """How many lines of the file end with it."""


class _Lines:
    """The whole lines of a window, one at a time as the parser wants them."""

    def __init__(self, window: bytes, *, is_last: bool) -> None:
        self._window = window
        self._is_last = is_last
        self.position = 0
        self.count = 0
        self.is_short = False
        """Whether a line was wanted that is not in the window any more, though it may be in the file."""
        self.is_misencoded = False

    def __iter__(self) -> Iterator[str]:
        while self.position < len(self._window):
            end = self._window.find(b"\n", self.position) + 1
            if not end:
                if not self._is_last:
                    break
                end = len(self._window)
            line = self._window[self.position : end]
            self.position, self.count = end, self.count + 1
            yield self._decoded(line)
        self.is_short = not self._is_last

    def _decoded(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.is_misencoded = True
            return line.decode(errors="replace")


def records(
    window: bytes, *, start: int, lines_before: int, delimiter: str, is_last: bool
) -> Iterator[Record]:
    """The whole records of a window that begins at byte `start` of the file; blank lines are passed over with the record after them.

    `is_last` says that the file ends with the window. Raises Unreadable.
    """
    skipped = 0
    if start == 0:
        if window.startswith(_BOMS_OF_OTHERS):
            raise Unreadable("the file is UTF-16; save it as UTF-8")
        skipped = len(_BOM) if window.startswith(_BOM) else 0
    lines = _Lines(window[skipped:], is_last=is_last)
    parser = csv.reader(lines, delimiter=delimiter)
    found = False
    while True:
        first, begun = lines.count, lines.position
        lines.is_misencoded = False
        cells, problem = _parsed(parser)
        if cells is None or lines.is_short:
            break  # the file may go on
        if obstacle := _obstacle(lines.position - begun, lines.count - first, problem):
            if found:
                return  # what comes before it is good; the next call begins with it
            raise Unreadable(f"line {lines_before + first + 1}: {obstacle}; is a quote left open?")
        if not cells and problem is None:
            continue  # a blank line
        found = True
        yield Record(
            line=lines_before + first + 1,
            cells=cells,
            problem="not UTF-8; save the file as UTF-8" if lines.is_misencoded else problem,
            end=start + skipped + lines.position,
            end_line=lines_before + lines.count,
        )
    if not found and not is_last and len(window) > RECORD_BYTES:
        raise Unreadable(f"line {lines_before + 1}: {_TOO_LONG}; is a quote left open?")


def _parsed(parser: Iterator[list[str]]) -> tuple[list[str] | None, str | None]:
    """The next cells, and what is wrong with them; no cells where the lines end."""
    try:
        return next(parser), None
    except StopIteration:
        return None, None
    except csv.Error as error:
        return [], f"not CSV: {error}"


def _obstacle(size: int, line_count: int, problem: str | None) -> str | None:
    """Why nobody can tell where the next record begins, if so."""
    if problem and line_count > 1:
        return problem
    return _TOO_LONG if size > RECORD_BYTES else None
