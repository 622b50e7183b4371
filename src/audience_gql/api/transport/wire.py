"""Reads and writes JSON, the same way for every transport. It trusts nothing that it reads."""

from __future__ import annotations

import json
import re
from typing import Final

import orjson
from strawberry.types import ExecutionResult

from audience_gql.conditions.values import read_number

JSON_DEPTH: Final = 64
_KINDS: Final = bytes.maketrans(b"123456789.E]} \t\r\n", b"0000000000e,,,,,,")
"""Digits and points become 0. A character that ends a number becomes a comma."""
_LONG: Final = b"0" * 16
_LONG_NUMBER: Final = re.compile(rb"0000000000000000[0e]*(,)?")
_THREE_DIGITS, _MORE_DIGITS = b"0e000,", b"0e0000"
"""Exponents of more than two digits. With a shorter one, a double holds any number of up to 15 digits exactly."""
_MAY_BE_INEXACT: Final = re.compile(rb"(?<=[:,\[\s])-?(?:[0-9.]{16,}|[0-9.]+[eE])[0-9.eE+-]*")
"""Numbers of more than 15 digits or with an exponent. It also matches such a number inside a text."""


class Unreadable(Exception):
    """Not JSON, or JSON that the API refuses. The message says why."""


def decode(raw: bytes | str) -> object:
    """The value of a JSON text in UTF-8, without lone surrogates and deep nesting. Raises Unreadable.

    A number that no double holds exactly becomes an Inexact. It is never rounded.
    """
    content = raw if isinstance(raw, bytes) else raw.encode(errors="surrogatepass")
    numbers = _MAY_BE_INEXACT.sub(b"0", content) if _may_hold_inexact_numbers(content) else content
    try:
        value: object = orjson.loads(numbers)
    except orjson.JSONDecodeError as error:
        raise Unreadable(_fault(raw, error)) from error
    if _openings(content) > JSON_DEPTH and _depth(value) > JSON_DEPTH:
        raise Unreadable(f"The JSON nests deeper than {JSON_DEPTH} levels.")
    return value if numbers is content else _decode_exactly(content)


def _may_hold_inexact_numbers(content: bytes) -> bool:
    """Whether the text may hold a number that is long or has a long exponent. It is cheap for most texts."""
    marked = content.translate(_KINDS, delete=b"+-")
    if _THREE_DIGITS in marked or _MORE_DIGITS in marked:
        return True
    return _LONG in marked and any(found[1] for found in _LONG_NUMBER.finditer(marked))


def _decode_exactly(content: bytes) -> object:
    """The value without rounding. It is slower. The text is known to be JSON, except perhaps for its numbers."""
    try:
        value: object = json.loads(content.decode(), parse_int=read_number, parse_float=read_number)
    except ValueError as error:
        raise Unreadable(_fault(content, error)) from error
    return value


def _fault(raw: bytes | str, error: ValueError) -> str:
    """Why a text is not JSON. It names no column, because the decoder counts now in bytes, now in characters."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        text.encode()
    except UnicodeError:
        return "This is not UTF-8. JSON must be UTF-8."
    if not text.strip():
        return "This is empty. It is not JSON."
    where = f"; the error is in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
    return f"This is not JSON{where}."


def encode(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, which a client's JSON scalar may hold
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_of_fragment
        ).encode()


def _of_fragment(value: object) -> object:
    """The value of a JSON text within a value."""
    if isinstance(value, orjson.Fragment):
        return json.loads(orjson.dumps(value))
    raise TypeError(type(value).__name__)


def body_of(result: ExecutionResult) -> dict[str, object]:
    """A result as clients get it. It has no `data` if nothing of the operation ran."""
    errors = result.errors or []
    body: dict[str, object] = {"errors": [error.formatted for error in errors]} if errors else {}
    if result.data is not None or any(error.path is not None for error in errors):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def _openings(content: bytes) -> int:
    """An upper bound of the nesting, which is fast to compute."""
    return content.count(b"{") + content.count(b"[")


def _depth(value: object) -> int:
    depth = 0
    level = [value]
    while level:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
        if depth > JSON_DEPTH:
            break
    return depth
