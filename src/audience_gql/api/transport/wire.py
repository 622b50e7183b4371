"""JSON on the wire: read with suspicion, written fast, the same on every transport."""

from __future__ import annotations

import json
from typing import Final

import orjson
from strawberry.types import ExecutionResult

JSON_DEPTH: Final = 64


class Unreadable(Exception):
    """Not JSON, or JSON that nobody means well with. The message says which."""


def decode(raw: bytes | str) -> object:
    """The value of a JSON text: UTF-8, finite numbers, no half characters, no deep nesting. Raises Unreadable."""
    try:
        value: object = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"This is not JSON: {error}.") from error
    if _openings(raw) > JSON_DEPTH and _depth(value) > JSON_DEPTH:
        raise Unreadable(f"The JSON nests deeper than {JSON_DEPTH} levels.")
    return value


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


def _openings(raw: bytes | str) -> int:
    """No text nests deeper than it has brackets, which are counted in no time."""
    return raw.count("{") + raw.count("[") if isinstance(raw, str) else raw.count(b"{") + raw.count(b"[")


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
