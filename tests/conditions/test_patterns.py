"""Patterns of texts: how they are read, what is refused, and that Postgres' LIKE matches the same texts."""

from __future__ import annotations

from random import Random

import pytest

from audience_gql.conditions.base import InvalidCondition
from audience_gql.conditions.filters.pattern import Wildcard, alternatives, fits, like_pattern
from tests.conditions.world import Connection, condition_of

ANY, ONE = Wildcard.ANY, Wildcard.ONE


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("", [()]),
        ("a*b?|c", [("a", ANY, "b", ONE), ("c",)]),
        (r"a\*b\?\|\\c", [(r"a*b?|\c",)]),
        ("|", [(), ()]),
        ("**\n", [(ANY, ANY, "\n")]),
    ],
)
def test_reading(pattern, parts):
    assert alternatives(pattern) == tuple(parts)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (
            "a\\",
            ("MALFORMED", r"a backslash can only stand before *, ?, | or another backslash, not at the end"),
        ),
        (
            r"\d+",
            ("MALFORMED", "a backslash can only stand before *, ?, | or another backslash, not before d"),
        ),
        ("|" * 20, ("TOO_MANY", "can have at most 20 alternatives, not 21")),
        ("*" * 51 + "?" * 50, ("TOO_MANY", "can have at most 100 of * and ?, not 101")),
        ("a" * 1001, ("OUT_OF_RANGE", "can have at most 1,000 characters, not 1,001")),
    ],
)
def test_what_is_no_pattern(pattern, problem):
    with pytest.raises(InvalidCondition) as refused:
        condition_of({"all": [{"city": {"matches": pattern}}]})

    (found,) = refused.value.problems
    assert (found.code, found.message) == problem
    assert found.path == ("all", "0", "city", "matches")


def test_the_most_that_is_allowed():
    condition_of({"city": {"matches": "|" * 19 + "*" * 50 + "?" * 50}})


async def test_postgres_matches_the_same(connection: Connection) -> None:
    random = Random(7)
    patterns = ["".join(random.choices("ab*?%_\n", k=random.randrange(7))) for _ in range(150)]
    texts = ["".join(random.choices("ab%_\n", k=random.randrange(6))) for _ in range(100)]
    read = {pattern: alternatives(pattern)[0] for pattern in patterns}

    rows = await connection.fetch(
        "SELECT p.original, t FROM unnest($1::text[], $2::text[]) AS p (original, pattern), unnest($3::text[]) AS t "
        "WHERE t LIKE p.pattern",
        list(read),
        [like_pattern(parts) for parts in read.values()],
        sorted(set(texts)),
    )

    matched = {(row["original"], row["t"]) for row in rows}
    assert matched == {(pattern, text) for pattern in read for text in texts if fits(text, read[pattern])}
    assert len(matched) > len(texts)
