"""Describes exceptions without the values that made them fail: their types, places in the code, and what Postgres says about the schema.

The text of an exception can contain anything that a client has sent: a key that exists already, or a text that is no number. So texts
are left out, except those of exceptions that cannot contain such values.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, TypeAlias

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_LONGEST_CHAIN: Final = 10
_SAFE_STATES: Final = ("08", "25", "28", "40", "42", "53", "55", "57", "58")
"""Classes of SQLSTATEs whose messages are about connections, locks, resources or the schema, and not about values."""
_ABOUT_THE_SCHEMA: Final = ("constraint_name", "table_name", "column_name")


def described(error: BaseException) -> str:
    """An exception in one line. A class can declare `has_no_values = True` to have its text shown."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    details = [text for text in (_schema_of(error), _text_of(error)) if text]
    return f"{name}: {'; '.join(details)}" if details else name


def as_text(error: BaseException) -> str:
    """A traceback like Python's own."""
    parts = [
        "".join(
            ("Traceback (most recent call last):\n", *traceback.format_tb(it.__traceback__), described(it))
        )
        for it in _chain(error)
    ]
    return "\n\nThis exception led to the next one:\n\n".join(reversed(parts))


def as_data(exc_info: ExcInfo) -> list[dict[str, Any]]:  # Any: JSON
    """The exception and those that led to it, the last one first."""
    return [
        {
            "type": type(it).__qualname__,
            "description": described(it),
            "frames": [
                f"{frame.filename}:{frame.lineno} in {frame.name}"
                for frame in traceback.extract_tb(it.__traceback__)
            ],
        }
        for it in _chain(exc_info[1])
    ]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, the members of a group, and what led to them."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _LONGEST_CHAIN:
        it = waiting.pop(0)
        if id(it) in seen:
            continue
        seen.add(id(it))
        yield it
        if isinstance(it, BaseExceptionGroup):
            waiting += it.exceptions
        if it.__cause__ is not None:
            waiting.append(it.__cause__)
        elif it.__context__ is not None and not it.__suppress_context__:
            waiting.append(it.__context__)


def _schema_of(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return ""
    names = (getattr(error, name, None) for name in _ABOUT_THE_SCHEMA)
    return " ".join(("SQLSTATE", state, *(name for name in names if name)))


def _text_of(error: BaseException) -> str:
    """The exception's text if it cannot contain a value. What Postgres adds to its message is never shown."""
    state = getattr(error, "sqlstate", None)
    is_safe = (
        state.startswith(_SAFE_STATES)
        if isinstance(state, str)
        else isinstance(error, OSError) or getattr(error, "has_no_values", False)
    )
    if not is_safe:
        return ""
    return str(error.args[0]) if isinstance(state, str) and error.args else str(error)
