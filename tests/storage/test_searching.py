"""What a search takes for blank is what Python does."""

from __future__ import annotations

import sys

from audience_gql.storage.reads import searching


def test_blanks_are_all_that_python_takes_for_space():
    assert set(searching._BLANKS) == {it for it in map(chr, range(sys.maxunicode + 1)) if it.isspace()}
