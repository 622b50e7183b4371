"""Brings the answers of different servers into one shape, and compares them. Only the data counts: not ids, wrappers of lists, or spellings of instants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

JSON: TypeAlias = Any  # an answer of any server
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_WRAPPERS: Final = ("node", "person", "group", "workspace")
"""Fields that only lead from an entry of a list, or from the viewer, to an object."""


class NotComparable(Exception):
    """A server does not give the same data as the first one, or there are no data. Their times must not be compared."""

    def __init__(self, question: str, server: str, problem: str) -> None:
        super().__init__(f"{question}, {server}: {problem}")
        self.question = question
        self.server = server
        self.problem = problem


def plain(value: JSON) -> JSON:
    """The data of an answer: lists without edges and nodes, entries together with their objects, and instants in UTC."""
    if isinstance(value, Mapping):
        for list_name in ("edges", "nodes"):
            if set(value) == {list_name}:
                return plain(value[list_name])
        return _entry(value)
    if isinstance(value, list):
        return [plain(it) for it in value]
    if isinstance(value, str) and _INSTANT.match(value):
        return datetime.fromisoformat(value).astimezone(UTC).isoformat()
    return value


def _entry(value: Mapping[str, JSON]) -> JSON:
    flat: dict[str, JSON] = {}
    for name, inner in value.items():
        if name in _WRAPPERS and isinstance(inner, Mapping):
            flat |= plain(inner)
        else:
            flat[name] = plain(inner)
    return flat


def require_same(question: str, answers: Mapping[str, Sequence[JSON]]) -> None:
    """Raise NotComparable unless all servers gave the same data. `answers` has, by server, the plain answer to each request."""
    (first, expected), *others = answers.items()
    if not expected or any(it in (None, [], {}) for it in expected):
        raise NotComparable(question, first, "an answer is empty")
    for server, given in others:
        difference = _difference(list(expected), list(given), "")
        if difference is not None:
            raise NotComparable(question, server, difference)


def _difference(one: JSON, other: JSON, path: str) -> str | None:
    """Where the two first differ, and how; None if they do not."""
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        return _first(_difference(one[key], other[key], f"{path}.{key}") for key in one)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return _first(_difference(*pair, f"{path}[{at}]") for at, pair in pairs)
    return None if one == other else f"at {path or 'the root'}, {_short(one)} became {_short(other)}"


def _first(differences: Iterable[str | None]) -> str | None:
    return next((it for it in differences if it is not None), None)


def _short(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
