"""Plain values and their one canonical form: folded text, exact numbers, instants in UTC.

Storage writes with the same functions, so that what is stored and what is asked for can be compared byte
for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Final, TypeAlias
from unicodedata import normalize

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What a stored condition is made of."""

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?\d*([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_ISO_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EXACT: Final = Context(
    prec=5_000, Emax=MAX_EMAX, Emin=MIN_EMIN
)  # no sum of doubles needs more than 700 digits
_ROUNDED: Final = Context(prec=15)  # each of which a double carries


def fold(text: str) -> str:
    """The form in which texts are compared: `Straße` and `STRASSE`, `ΟΔΟΣ` and `οδος` are the same."""
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFC", text).casefold())


def decimal_of(number: float | Decimal) -> Decimal:
    """The number by its shortest decimal form: 0.1 is one tenth.

    Raises ValueError for NaN and infinities.
    """
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite():
        raise ValueError("not a finite number")
    return exact


def number_of(exact: Decimal) -> int | float:
    """The JSON number that `decimal_of` turns back into exactly this one.

    Raises ValueError when there is none: more digits than a double carries, or too large for one.
    """
    nearest = float(exact)
    if nearest in (float("inf"), float("-inf")) or decimal_of(nearest) != exact:
        raise ValueError("more digits than a double carries")
    return int(nearest) if nearest.is_integer() and abs(nearest) < 2**53 else nearest


def shown(exact: Decimal) -> int | float | str:
    """The JSON number that is exactly this one; where there is none, its digits as text."""
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
    """The average, rounded to the digits of a JSON number: for people to read, not to compare."""
    return _ROUNDED.divide(exact_sum(numbers), len(numbers)) if numbers else None


def instant_of(text: str) -> datetime | None:
    """The instant of an RFC 3339 text with a zone, in UTC and to the microsecond; None for any other text."""
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def date_of(text: str) -> date | None:
    """The day of a text such as 2026-07-30; None for any other text."""
    try:
        return date.fromisoformat(text) if _ISO_DATE.fullmatch(text) else None
    except ValueError:
        return None


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
