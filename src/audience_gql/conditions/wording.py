"""How values read in a summary: quoted, counted, shortened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

_SHOWN_VALUES: Final = 5
_SHOWN_CHARACTERS: Final = 60


def quoted(text: str) -> str:
    return f'"{text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"}"'


def listed(words: Sequence[str], *, joint: str = "or") -> str:
    """`a, b or c`; long lists end in how many more there are."""
    shown = list(words[:_SHOWN_VALUES])
    if len(words) > _SHOWN_VALUES:
        shown.append(f"{len(words) - _SHOWN_VALUES:,} more")
    if not shown:
        return "nothing"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def times(count: int) -> str:
    return "once" if count == 1 else counted(count, "time")


def number(value: Decimal) -> str:
    """As short as exact: 1500, 0.1, 1E+300."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text


def instant(moment: datetime) -> str:
    """Always in UTC: a summary reads the same for everybody."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return (
        f"{utc.isoformat(sep=' ', timespec='minutes' if not (utc.second or utc.microsecond) else 'auto')} UTC"
    )
