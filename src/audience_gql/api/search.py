"""The `search` argument of lists: words that must all occur in names, keys or values, regardless of case."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api.errors import BadUserInput
from audience_gql.conditions.addresses import fold_address, fold_end_of_address
from audience_gql.conditions.given_values import BadValue, given_text
from audience_gql.conditions.values import fold
from audience_gql.storage.reads.searching import Word

MOST_WORDS: Final = 10

Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description=f"Up to {MOST_WORDS} words, separated by spaces. Each word must be part of a name, key or value, regardless of case. "
        "Null or blank text means no search."
    ),
]


def words(search: str | None) -> tuple[Word, ...]:
    """The distinct words in the forms that storage compares; empty for no search. Raises BadUserInput."""
    try:
        text = given_text(search or "")
    except BadValue as error:
        raise BadUserInput(f"`search` {error.message}.", argument="search") from error
    found = tuple(dict.fromkeys(map(_forms, (text or "").split())))
    if len(found) > MOST_WORDS:
        raise BadUserInput(f"`search`: at most {MOST_WORDS} words, not {len(found)}.", argument="search")
    return found


def _forms(word: str) -> Word:
    """The forms of a word: as part of a name, as the beginning of an email address, and as its end with the domain."""
    return tuple(dict.fromkeys((fold(word), fold_address(word), fold_end_of_address(word))))
