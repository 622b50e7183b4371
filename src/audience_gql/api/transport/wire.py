"""JSON on the wire: read with suspicion, written fast, the same on every transport."""

from __future__ import annotations

import json
import re
from typing import Final

import orjson
from strawberry.types import ExecutionResult

from audience_gql.conditions.values import read_number

JSON_DEPTH: Final = 64
_KINDS: Final = bytes.maketrans(b"123456789.E]} \t\r\n", b"0000000000e,,,,,,")
"""Digits and points become 0, what ends a number becomes a comma."""
_LONG: Final = b"0" * 16
_LONG_NUMBER: Final = re.compile(rb"0000000000000000[0e]*(,)?")
_EXPONENTS: Final = (b"0e000,", b"0e0000")
"""Of more than two digits: with a shorter one, a number of up to 15 digits is exactly a double."""
_MAY_BE_INEXACT: Final = re.compile(rb"(?<=[:,\[\s])-?(?:[0-9.]{16,}|[0-9.]+[eE])[0-9.eE+-]*")
"""Numbers of more than 15 digits or with an exponent; also what looks like one inside a text."""


class Unreadable(Exception):
    """Not JSON, or JSON that nobody means well with. The message says which."""


def decode(raw: bytes | str) -> object:
    """The value of a JSON text: UTF-8, no half characters, no deep nesting. Raises Unreadable.

    A number that no double is exactly comes as Inexact, never as its neighbour.
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
    """Whether something that may be a number is long or has an exponent. It costs next to nothing for most texts."""
    marked = content.translate(_KINDS, delete=b"+-")
    if any(exponent in marked for exponent in _EXPONENTS):
        return True
    return _LONG in marked and any(found[1] for found in _LONG_NUMBER.finditer(marked))


def _decode_exactly(content: bytes) -> object:
    """The value of what is JSON but, perhaps, for its numbers: slower, and without rounding."""
    try:
        value: object = json.loads(content.decode(), parse_int=read_number, parse_float=read_number)
    except ValueError as error:
        raise Unreadable(_fault(content, error)) from error
    return value


def _fault(raw: bytes | str, error: ValueError) -> str:
    """What keeps a text from being JSON. The decoder counts in bytes as well as characters, so that no column is told."""
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        text.encode()
    except UnicodeError:
        return "This is not UTF-8, which JSON is written in."
    if not text.strip():
        return "This is empty, and no JSON."
    where = f"; line {error.lineno} is where it goes wrong" if isinstance(error, json.JSONDecodeError) else ""
    return f"This is not JSON{where}."


def encode(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, which a client's own JSON may hold
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def body_of(result: ExecutionResult) -> dict[str, object]:
    """A result as clients get it; without `data` when nothing of the operation ran."""
    errors = result.errors or []
    body: dict[str, object] = {"errors": [error.formatted for error in errors]} if errors else {}
    if result.data is not None or any(error.path is not None for error in errors):
        body["data"] = result.data
    return body


def _openings(content: bytes) -> int:
    """No text nests deeper than it has brackets, which are counted in no time."""
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
