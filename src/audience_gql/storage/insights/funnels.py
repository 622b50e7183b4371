"""Counts which verdicts the leaves of a condition have together, for everybody or for a random sample.

It only reads, in the caller's snapshot. It must not know how the leaves are combined.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from audience_gql.conditions.sql.compiler import compile_combinations
from audience_gql.conditions.sql.over_range import BITS
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.reads.counting import Budget, Counted, count_people
from audience_gql.storage.reads.pages import Filter


@dataclass(slots=True, kw_only=True)
class Combinations:
    """Among the people seen: how many have each combination, an integer with one bit for the verdict on each leaf."""

    seen: int = 0
    people: Counter[int] = field(default_factory=Counter)

    def add(self, other: Combinations) -> None:
        self.seen += other.seen
        self.people.update(other.people)


async def count_combinations(
    connection: Connection, workspace_id: int, matching: Filter, *, budget: Budget
) -> Counted[Combinations]:
    """Count as many people of the workspace as the budget allows.

    The connection must hold a snapshot. Raises asyncpg.QueryCanceledError only if not even a tiny share can be counted.
    """
    statement = compile_combinations(matching.condition, inner=matching.inner, vocabulary=matching.vocabulary)
    values = statement.bind(matching.now)

    async def count(bucket_id: int, after: int, through: int) -> Combinations:
        found = Combinations()
        for *words, people in await connection.fetch(statement.sql, bucket_id, after, through, *values):
            found.people[sum(word << BITS * place for place, word in enumerate(words))] += people
            found.seen += people
        return found

    return await count_people(connection, workspace_id, count, Combinations, budget)
