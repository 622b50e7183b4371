"""Reads values from outside: each type has one rule, and a value that breaks it is refused with a reason.

All inputs use these functions: conditions, people, events, imports, names. This module must not know what a value is for.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias
from unicodedata import category, name

from audience_gql.conditions.limits import FIRST_YEAR, LAST_YEAR, MAX_TEXT
from audience_gql.conditions.values import Inexact, date_of, decimal_of, instant_of, number_of

ValueCode: TypeAlias = Literal["MALFORMED", "OUT_OF_RANGE", "WRONG_TYPE"]

MORE_DIGITS: Final = "has more digits than a number can hold, which is about 16"
_TOO_LARGE: Final = "is too large"
MAX_BITS: Final = 1_024
"""The most bits of an integer that a double can hold. Longer integers are refused before any costly work."""
_SHOWN_CHARACTERS: Final = 40
_EXACT_INTEGERS: Final = 2**53
_YEARS: Final = range(FIRST_YEAR, LAST_YEAR + 1)

_UNKEEPABLE: Final = re.compile("[\x00\ud800-\udfff]")
_NOT_OF_A_LINE: Final = re.compile(
    "[\x01-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
"""Control characters except the tab, line breaks, and characters that change the direction of the text around them."""
_INVISIBLE_LETTERS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that Unicode calls ignorable, so that they may be invisible, although their category is letter or mark."""
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_BLANK: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})


class BadValue(ValueError):
    """A value that breaks the rule of its type. The message says what was expected."""

    def __init__(self, code: ValueCode, message: str) -> None:
        super().__init__(message)
        self.code: ValueCode = code
        self.message = message


# ---- numbers


def given_number(value: object) -> Decimal:
    """The exact number. Raises BadValue if the value is not a number, is not finite, or is not exactly a double."""
    if isinstance(value, float | Decimal):
        return _finite(value)
    if isinstance(value, Inexact):
        raise BadValue("OUT_OF_RANGE", _why_inexact(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue("WRONG_TYPE", "expected a number")
    if value.bit_length() > MAX_BITS:
        raise BadValue("OUT_OF_RANGE", _TOO_LARGE)
    return Decimal(value) if abs(value) < _EXACT_INTEGERS else _carried(Decimal(value))


def _finite(value: float | Decimal) -> Decimal:
    try:
        number = decimal_of(value)
    except ValueError as error:
        raise BadValue("MALFORMED", "must be a finite number") from error
    return number if isinstance(value, float) else _carried(number)


def _carried(number: Decimal) -> Decimal:
    try:
        number_of(number)
    except ValueError as error:
        raise BadValue("OUT_OF_RANGE", MORE_DIGITS) from error
    return number


def _why_inexact(number: Inexact) -> str:
    nearest = abs(float(number.text))
    if nearest == float("inf"):
        return _TOO_LARGE
    return MORE_DIGITS if nearest else "is too close to zero, but not zero"


# ---- instants and days


def given_instant(value: object) -> datetime:
    """The instant in UTC of an RFC 3339 text or of a datetime with a zone. Raises BadValue for any other value."""
    if not isinstance(value, str | datetime):
        raise BadValue("WRONG_TYPE", "expected a date and time")
    instant = instant_of(value.strip()) if isinstance(value, str) else _in_utc(value)
    if instant is None:
        message = "expected a date and time with a zone in RFC 3339, such as 2026-07-30T12:00:00Z"
        raise BadValue("MALFORMED", message)
    _check_year(instant)
    return instant


def given_day(value: object) -> date:
    """The day of a text such as 2026-07-30, or of a date. Raises BadValue for any other value."""
    if isinstance(value, datetime) or not isinstance(value, str | date):
        raise BadValue("WRONG_TYPE", "expected a date")
    day = date_of(value.strip()) if isinstance(value, str) else value
    if day is None:
        raise BadValue("MALFORMED", "expected a date such as 2026-07-30")
    _check_year(day)
    return day


def _in_utc(value: datetime) -> datetime | None:
    try:
        return None if value.utcoffset() is None else value.astimezone(UTC)
    except OverflowError:
        return None


def _check_year(day: date) -> None:
    if day.year not in _YEARS:
        raise BadValue("OUT_OF_RANGE", f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")


# ---- texts


def is_keepable(text: str, limit: int = MAX_TEXT) -> bool:
    """Whether a text can be stored unchanged. If not, the database cannot contain it."""
    return len(text) <= limit and (text.isprintable() or _UNKEEPABLE.search(text) is None)


def given_text(value: object, limit: int = MAX_TEXT) -> str | None:
    """The text without the blanks around it, which may have several lines; None when nothing visible is left. Raises BadValue."""
    text = _kept(value, limit)
    return text if text and (_is_plain(text) or not is_blank(text)) else None


def given_line(value: object, limit: int = MAX_TEXT) -> str | None:
    """The same for a text of one line, such as a name. Raises BadValue also for line breaks and direction controls."""
    text = _kept(value, limit)
    if _is_plain(text):
        return text or None
    if is_blank(text):
        return None
    if found := _NOT_OF_A_LINE.search(text):
        raise BadValue("MALFORMED", f"must be one line of plain text, without {_character(found[0])}")
    return text


def given_key(value: object, limit: int = MAX_TEXT) -> str | None:
    """The same for a key, such as an external id. Raises BadValue also for every invisible character."""
    text = _kept(value, limit)
    if _is_plain(text):
        return text or None
    for character in text:
        if category(character) in _INVISIBLE or _INVISIBLE_LETTERS.match(character):
            raise BadValue("MALFORMED", f"contains {_character(character)}, which is invisible")
    return text or None


def _kept(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise BadValue("WRONG_TYPE", "expected text")
    text = value.strip()
    if len(text) > limit:
        raise BadValue("OUT_OF_RANGE", f"can have at most {limit:,} characters, not {len(text):,}")
    if not text.isprintable() and _UNKEEPABLE.search(text):
        raise BadValue("MALFORMED", "contains U+0000 or half of a surrogate pair, which are not valid text")
    return text


def _is_plain(text: str) -> bool:
    """Whether a text certainly has no invisible character. A cheap check that decides for nearly all texts."""
    return text.isprintable() and (text.isascii() or _INVISIBLE_LETTERS.search(text) is None)


def is_blank(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return all(category(it) in _BLANK or _INVISIBLE_LETTERS.match(it) for it in text)


def _character(character: str) -> str:
    called = name(character, "")
    return f"U+{ord(character):04X}{f' ({called})' if called else ''}"


def shown(text: str) -> str:
    """Untrusted text for a message or path: short, and valid Unicode."""
    clean = text[:_SHOWN_CHARACTERS].encode(errors="replace").decode().replace("\0", "?")
    return clean if len(text) <= _SHOWN_CHARACTERS else f"{clean}…"
