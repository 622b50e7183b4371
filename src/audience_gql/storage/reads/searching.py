"""Which rows a search finds: those that have each of its words in some of their texts, and which texts are blank.

It must not fold: words and texts come folded. A word has several forms where names and addresses are folded differently.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

from audience_gql.storage.reads.slices import bind

Word: TypeAlias = tuple[str, ...]
"""The forms of one word, any of which may be found."""

_BLANKS: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""All that Python takes for space. Postgres, in the "C" locale, knows ASCII's alone."""


def has_words(words: Collection[Word], texts: Collection[str], values: list[object]) -> str:
    """A condition: each word is part of one of the texts, which are expressions. True for no words, also where all texts are null.

    It appends the words to the statement's values.
    """
    return " AND ".join(_has_word([bind(form, values) for form in word], texts) for word in words) or "true"


def is_not_blank(text: str, values: list[object]) -> str:
    """A condition: the text is more than space. It is not true of null."""
    return f"btrim({text}, {bind(_BLANKS, values)}) <> ''"


def _has_word(forms: Collection[str], texts: Collection[str]) -> str:
    return f"({' OR '.join(f'strpos({text}, {form}) > 0' for text in texts for form in forms)})"
