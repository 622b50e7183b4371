"""Formats values for summaries: quoted, counted, shortened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

_SHOWN_VALUES: Final = 5
_SHOWN_CHARACTERS: Final = 60
_PLAIN_NAME: Final = re.compile(rf"[\w.-]{{1,{_SHOWN_CHARACTERS}}}")
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def quoted(text: str) -> str:
    """The text in quotes. Inner quotes are escaped, so that no text can look like the rest of the sentence."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def named(name: str) -> str:
    """The name of an event or a property: quoted unless it reads as one word."""
    return name if _PLAIN_NAME.fullmatch(name) else quoted(name)


def listed(words: Sequence[str], *, joint: str = "or") -> str:
    """`a, b or c`. A list of more than five ends with the number of the others."""
    shown = list(words[:_SHOWN_VALUES])
    if len(words) > _SHOWN_VALUES:
        shown.append(f"{len(words) - _SHOWN_VALUES:,} more")
    if not shown:
        return "any of no values"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def set_apart(clause: str) -> str:
    """The clause for use between others: in parentheses when it has a comma, so that it cannot run into the next one."""
    return f"({clause})" if ", " in clause else clause


def memberships(noun: str, names: Sequence[str]) -> str:
    """`the group "VIP"`, `the groups "VIP" or "Staff"`."""
    if not names:
        return f"any of no {noun}s"
    return f"the {noun if len(names) == 1 else noun + 's'} {listed([quoted(name) for name in names])}"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def times(count: int) -> str:
    return "once" if count == 1 else counted(count, "time")


def month_name(month: int) -> str:
    """The English name, independent of the locale."""
    return _MONTHS[month - 1]


def number(value: Decimal) -> str:
    """The shortest exact form: 1500, 0.1, 1E+300."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text


def instant(moment: datetime) -> str:
    """The instant in UTC, so that a summary is the same for everybody."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return (
        f"{utc.isoformat(sep=' ', timespec='minutes' if not (utc.second or utc.microsecond) else 'auto')} UTC"
    )
