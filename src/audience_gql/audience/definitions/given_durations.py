"""Reads a length of time that a caller gives, outside of a condition."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, Path, Verbatim
from audience_gql.conditions.filters.duration import DURATION, Duration
from audience_gql.conditions.input.coercion import coerce_shape
from audience_gql.conditions.input.parsing import Parsing
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary

_NO_NAMES: Final = Vocabulary(fields={}, group_ids=(), segment_ids=(), event_names={}, timezone="UTC")


def read_duration(given: object, path: Path) -> tuple[Duration | None, list[Issue]]:
    """The duration in the shape of the input Duration, or None and its problems."""
    parsing = Parsing(vocabulary=_NO_NAMES, ids=PLAIN_IDS, allow_empty=False)
    duration: Duration | None = coerce_shape(given, DURATION, parsing)
    issues = [
        Issue(code=it.code, message=it.message, path=(*path, *map(Verbatim, it.path)))
        for it in parsing.problems
    ]
    return (None if issues else duration), issues


def given_length(given: object, path: Path) -> timedelta:
    """The length, in the shape of the input Duration. Raises InvalidInput."""
    duration, issues = read_duration(given, path)
    if duration is None:
        raise InvalidInput(tuple(issues))
    return duration.length
