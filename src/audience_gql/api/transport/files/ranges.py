"""Reads the header `Range` (RFC 9110, section 14) and decides which part of a file answers it.

It knows one range of bytes. Everything else is ignored, as the RFC allows, so that the client gets the whole file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(
    r"bytes=[ \t]*([0-9]{1,18})-([0-9]{1,18})?[ \t]*|bytes=[ \t]*-([0-9]{1,18})[ \t]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The range that a client wants: from `first` to `last`, both included, or the last `suffix` bytes."""

    first: int | None
    last: int | None
    suffix: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` up to `stop`, the first byte that does not belong to it."""

    start: int
    stop: int


def wanted_range(
    header: str | None, *, if_range: str | None, etag: str, is_only_version: bool
) -> Wanted | None:
    """The range of a request; None if it must get the whole file.

    It must if `If-Range` names another version of the file. It also must if there is no `If-Range` although there was another
    version: the client may have the beginning of that one, and the parts would not fit together.
    """
    found = _RANGE.fullmatch((header or "").strip())
    is_same = is_only_version if if_range is None else if_range.strip() == etag
    if found is None or not is_same:
        return None
    first, last, suffix = (None if digits is None else int(digits) for digits in found.groups())
    if first is not None and last is not None and last < first:
        return None
    return Wanted(first, last, suffix)


def is_within(wanted: Wanted, written: int) -> bool:
    """Whether a file of which this many bytes are written has the whole range already, whatever is still to come."""
    return wanted.last is not None and wanted.last < written


def part_of(wanted: Wanted, size: int) -> Part | None:
    """The part of a file of this size that is in the range; None if there is none."""
    if wanted.suffix is not None:
        part = Part(max(0, size - wanted.suffix), size)
    else:
        last = size - 1 if wanted.last is None else min(wanted.last, size - 1)
        part = Part(wanted.first or 0, last + 1)
    return part if part.start < part.stop else None
