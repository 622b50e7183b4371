"""The search of lists: words, each of which is part of a name or key, upper and lower case aside."""

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
        description="Words, separated by spaces: only what has each of them as part of a name, key or value, upper and lower case "
        f"aside. At most {MOST_WORDS} words; blank text is no search."
    ),
]


def words(search: str | None) -> tuple[Word, ...]:
    """The words as they are compared, each once; none for no search. Raises BadUserInput."""
    try:
        text = given_text(search or "")
    except BadValue as error:
        raise BadUserInput(f"`search` {error.message}.", argument="search") from error
    found = tuple(dict.fromkeys(map(_forms, (text or "").split())))
    if len(found) > MOST_WORDS:
        raise BadUserInput(f"`search`: at most {MOST_WORDS} words, not {len(found)}.", argument="search")
    return found


def _forms(word: str) -> Word:
    """As a part of a name is compared, and as a part of an address is: its beginning, or its domain."""
    return tuple(dict.fromkeys((fold(word), fold_address(word), fold_end_of_address(word))))
