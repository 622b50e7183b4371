"""Plain values in their one canonical form: folded text, exact numbers, instants in UTC, calendar days.

All inputs are read with these functions, and storage writes with them, so that stored and requested values can be
compared byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Final, TypeAlias
from unicodedata import normalize

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A JSON value, as stored conditions consist of."""

_RFC_3339: Final = re.compile(
    r"(?P<minute>\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d):(?P<second>[0-5]\d|60)(?:\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LEAP_SECOND: Final = "60"
_LEAP_MINUTES: Final = frozenset({(6, 30, 23, 59), (12, 31, 23, 59)})
"""The minutes that can have 61 seconds, as month, day, hour and minute in UTC."""
_SECOND: Final = timedelta(seconds=1)
_SURELY_EXACT: Final = 15
"""A number without an exponent that has at most this many characters is exactly a double."""
_LONGEST_NUMBER: Final = 1_000
"""The most characters of a number. No double needs more, except for redundant zeros."""
_NOT_ZERO: Final = re.compile(r"[+-]?[0.]*[1-9]")
_SHOWN: Final = 40
_EXACT: Final = Context(
    prec=5_000, Emax=MAX_EMAX, Emin=MIN_EMIN
)  # no sum of doubles needs more than 700 digits
_ROUNDED: Final = Context(prec=15)  # a double holds any 15 digits


def fold(text: str) -> str:
    """The form in which texts are compared. `Straße` and `STRASSE` have the same, and so do `ΟΔΟΣ` and `οδος`."""
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).casefold())


@dataclass(frozen=True, slots=True, repr=False)
class Inexact:
    """The text of a number that is not an integer and not exactly a double, or that is too large for a double.

    JSON and GraphQL can spell such numbers. A reader that needs a number must refuse them.
    """

    text: str

    def __repr__(self) -> str:
        return self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}…"


def decimal_of(number: float | Decimal) -> Decimal:
    """The decimal with the shortest text of the number: 0.1 is one tenth.

    Raises ValueError for NaN and infinities.
    """
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite():
        raise ValueError("not a finite number")
    return exact


def number_of(exact: Decimal) -> int | float:
    """The JSON number that `decimal_of` turns back into exactly this one.

    Raises ValueError if there is none: the number has more digits than a double can hold, or is too large for a double.
    """
    nearest = float(exact)
    if nearest in (float("inf"), float("-inf")) or decimal_of(nearest) != exact:
        raise ValueError("more digits than a double can hold")
    return int(nearest) if nearest.is_integer() and abs(nearest) < 2**53 else nearest


def read_number(text: str) -> int | float | Inexact:
    """The number of a decimal text such as 12, -0.5 or 1e3: an integer, or a double that is exactly that number.

    The text has the grammar of JSON's numbers. A plus sign is allowed too, and so is a point with digits on one side only.
    """
    if len(text) > _LONGEST_NUMBER:
        return Inexact(text)
    nearest = float(text)
    if nearest in (float("inf"), float("-inf")):
        return Inexact(text)
    if text.lstrip("+-").isdigit():
        return int(text)
    return nearest if _is_exactly(text, nearest) else Inexact(text)


def _is_exactly(text: str, nearest: float) -> bool:
    if len(text) <= _SURELY_EXACT and "e" not in text and "E" not in text:
        return True
    if nearest:
        return Decimal(text) == decimal_of(nearest)
    return _NOT_ZERO.match(text) is None


def shown(exact: Decimal) -> int | float | str:
    """The JSON number that is exactly this one, or else its digits as text."""
    try:
        return number_of(exact)
    except ValueError:
        return str(_EXACT.normalize(exact))


def exact_sum(numbers: Iterable[Decimal]) -> Decimal:
    """The sum without rounding, whatever the decimal context of the thread."""
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total


def mean(numbers: Sequence[Decimal]) -> Decimal | None:
    """The average, rounded to the digits of a JSON number; None without numbers. It is for people to read, not for comparisons."""
    return _ROUNDED.divide(exact_sum(numbers), len(numbers)) if numbers else None


def instant_of(text: str) -> datetime | None:
    """The instant of an RFC 3339 text with a zone, in UTC and to the microsecond; None for any other text.

    A possible leap second counts as the first second of the next day, as in POSIX.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    minute, second, fraction, zone = match.groups()
    is_leap = second == _LEAP_SECOND
    spelled = f"{minute}:{'59' if is_leap else second}.{(fraction or '')[:6]:0<6}{zone}".upper()
    try:
        instant = datetime.fromisoformat(spelled).astimezone(UTC)
        if not is_leap:
            return instant
        is_possible = (instant.month, instant.day, instant.hour, instant.minute) in _LEAP_MINUTES
        return instant + _SECOND if is_possible else None
    except (ValueError, OverflowError):
        return None


def date_of(text: str) -> date | None:
    """The day of a text such as 2026-07-30; None for any other text."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def instant_text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC).isoformat()[:-6]}Z"  # without +00:00
