"""SQL conditions of searches: a row matches when each word is in one of its texts. Also finds texts that are blank.

It must not fold: words and texts are already folded. A word has several forms if names and addresses fold it differently.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

from audience_gql.storage.reads.slices import bind

Word: TypeAlias = tuple[str, ...]
"""The forms of one word. A text has the word if it has one of the forms."""

_BLANK_RANGES: Final = (
    *((0x1, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x34F, 0x34F), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F)),
    *((0x890, 0x891), (0x8E2, 0x8E2), (0x115F, 0x1160), (0x1680, 0x1680), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x2064), (0x2066, 0x206F), (0x3000, 0x3000), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD)),
    *((0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F), (0xE0100, 0xE01EF)),
)  # fmt: skip
"""The characters that `is_blank` treats as blank, except those that Postgres cannot store. They are listed here because testing every
character at startup takes seconds."""
_BLANKS: Final = "".join(chr(code) for first, last in _BLANK_RANGES for code in range(first, last + 1))


def has_words(words: Collection[Word], texts: Collection[str], values: list[object]) -> str:
    """A condition: each word is part of one of the texts, which are SQL expressions. Without words it is true, even if all texts are null.

    Appends the words to the statement's values.
    """
    return " AND ".join(_has_word([bind(form, values) for form in word], texts) for word in words) or "true"


def is_not_blank(text: str, values: list[object]) -> str:
    """A condition: the text has a visible character. It is not true for null."""
    return f"btrim({text}, {bind(_BLANKS, values)}) <> ''"


def _has_word(forms: Collection[str], texts: Collection[str]) -> str:
    return f"({' OR '.join(f'strpos({text}, {form}) > 0' for text in texts for form in forms)})"
