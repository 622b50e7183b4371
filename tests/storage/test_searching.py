"""What suggestions take for blank is what all doors do."""

from __future__ import annotations

import sys
from unicodedata import category

import pytest

from audience_gql.conditions.given_values import is_blank
from audience_gql.storage.reads import searching


@pytest.mark.slow
def test_blanks_are_all_that_cannot_be_seen_and_that_postgres_keeps():
    kept = (chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)

    blank = set(filter(is_blank, kept))

    assert blank <= set(searching._BLANKS)
    assert {category(it) for it in set(searching._BLANKS) - blank} <= {"Cn"}  # of a later Unicode
