"""Finds names that are similar to an unknown one, and suggests them at the end of a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

from audience_gql.conditions.values import fold

_MOST_NAMES: Final = 1_000
"""The most names that are compared letter by letter."""
_LONGEST_NAME: Final = 60
_SUGGESTED: Final = 2
_CLOSE: Final = 0.7
_OFF: Final = 3
"""A similar name is at most this many characters longer or shorter than the unknown one, unless it begins with it."""
_BEGINNING: Final = 3


def similar(unknown: str, names: Iterable[str]) -> list[str]:
    """At most two of the names: those that begin with the unknown one, or else those that are almost equal to it."""
    text = fold(unknown.strip())
    if not text or len(text) > _LONGEST_NAME:
        return []
    folded = {fold(name): name for name in names}
    found = sorted(name for name in folded if len(text) >= _BEGINNING and name.startswith(text))[:_SUGGESTED]
    if not found:
        near = (name for name in folded if name[:1] == text[0] and abs(len(name) - len(text)) <= _OFF)
        found = get_close_matches(text, list(islice(near, _MOST_NAMES)), n=_SUGGESTED, cutoff=_CLOSE)
    return [folded[name] for name in found]


def did_you_mean(names: Sequence[str]) -> str:
    """`; did you mean A or B?`; empty without names."""
    return f"; did you mean {' or '.join(names)}?" if names else ""
