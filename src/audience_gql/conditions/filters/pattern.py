r"""Patterns: `*` stands for any characters, `?` for exactly one, and `|` separates alternatives. `\` makes the next character literal.

They are not regular expressions: the time that a comparison takes is at most the product of the lengths of pattern and text.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, TypeAlias

from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.limits import MAX_ALTERNATIVES, MAX_WILDCARDS

_TOKEN: Final = re.compile(r"\\(?P<escaped>.?)|(?P<special>[*?|])|(?P<plain>[^\\*?|]+)", re.DOTALL)
_SPECIAL: Final = frozenset("*?|\\")
_SPECIAL_IN_LIKE: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


class Wildcard(Enum):
    """A part of a pattern that is not literal."""

    ANY = "*"
    ONE = "?"


Alternative: TypeAlias = tuple[str | Wildcard, ...]
"""The parts of one alternative. No two literal parts follow each other."""

_LIKE: Final = {Wildcard.ANY: "%", Wildcard.ONE: "_"}


class BadPattern(ValueError):
    """The text is not a pattern. The message says why."""


def alternatives(pattern: str) -> tuple[Alternative, ...]:
    """The alternatives in a pattern. Raises BadPattern."""
    found: list[list[str | Wildcard]] = [[]]
    for token in _TOKEN.finditer(pattern):
        special = token["special"]
        if special == "|":
            found.append([])
        elif special:
            found[-1].append(Wildcard(special))
        else:
            _append(_literal(token), found[-1])
    return tuple(map(tuple, found))


def checked_pattern(pattern: str, parsing: Parsing) -> str:
    """The check of input: notes what is wrong with a pattern."""
    try:
        found = alternatives(pattern)
    except BadPattern as error:
        parsing.problem("MALFORMED", str(error))
        return pattern
    wildcards = sum(isinstance(part, Wildcard) for alternative in found for part in alternative)
    if len(found) > MAX_ALTERNATIVES:
        parsing.problem("TOO_MANY", f"can have at most {MAX_ALTERNATIVES} alternatives, not {len(found):,}")
    if wildcards > MAX_WILDCARDS:
        parsing.problem("TOO_MANY", f"can have at most {MAX_WILDCARDS} of * and ?, not {wildcards:,}")
    return pattern


def like_pattern(alternative: Alternative) -> str:
    """The pattern of LIKE that the same texts match."""
    return "".join(
        _LIKE[part] if isinstance(part, Wildcard) else part.translate(_SPECIAL_IN_LIKE)
        for part in alternative
    )


def fits(text: str, alternative: Alternative) -> bool:
    """Whether the whole text matches."""
    ends = {0}  # where in the text the parts so far can end
    for part in alternative:
        match part:
            case Wildcard.ANY:
                ends = set(range(min(ends), len(text) + 1)) if ends else ends
            case Wildcard.ONE:
                ends = {end + 1 for end in ends if end < len(text)}
            case str():
                ends = {end + len(part) for end in ends if text.startswith(part, end)}
    return len(text) in ends


def _literal(token: re.Match[str]) -> str:
    escaped = token["escaped"]
    if escaped is None:
        return token["plain"]
    if escaped not in _SPECIAL:  # an empty text is not in it
        where = f"before {escaped}" if escaped else "at the end"
        raise BadPattern(f"a backslash can only stand before *, ?, | or another backslash, not {where}")
    return escaped


def _append(literal: str, parts: list[str | Wildcard]) -> None:
    if parts and isinstance(parts[-1], str):
        literal = parts.pop() + literal  # type: ignore[operator]  # just seen to be a text
    parts.append(literal)
