"""Says a condition in lines of words, one for each node, and finds the lines that an edit adds and removes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from audience_gql.conditions.base import Condition, Names
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not

_INDENT = "  "


def outline(condition: Condition, names: Names) -> list[str]:
    """The condition's lines from top to bottom, indented by two spaces for each level."""
    return [*_lines(condition, names, "")]


def difference(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines that are only in the second outline, and those that are only in the first, each in their order."""
    added: list[str] = []
    removed: list[str] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, j, k, n in matcher.get_opcodes():
        if tag != "equal":
            removed += before[i:j]
            added += after[k:n]
    return added, removed


def _lines(condition: Condition, names: Names, indent: str) -> Iterator[str]:
    match condition:
        case All(conditions=()):
            yield f"{indent}everyone"
        case AnyOf(conditions=()):
            yield f"{indent}no one"
        case All():
            yield f"{indent}people who match all of these:"
        case AnyOf():
            yield f"{indent}people who match at least one of these:"
        case Not():
            yield f"{indent}people who do not match this:"
        case _:
            yield f"{indent}people {condition.summary(names)}"
            return
    for child in condition.children:
        yield from _lines(child, names, indent + _INDENT)
