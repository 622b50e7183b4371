"""Subqueries that answer the questions of several leaves about the same rows, with one column per different question.

Building expressions fills them. Render them only after all expressions are built.
"""

from __future__ import annotations

from audience_gql.conditions.sql.days import local_day_join
from audience_gql.conditions.sql.questions import Aggregate, all_of


class EventColumns:
    """Aggregates over the events of one name up to one instant."""

    def __init__(self, *, alias: str, name_id: str, upto: str, is_of_days: bool) -> None:
        self.alias = alias
        self.is_of_days = is_of_days
        """Whether the aggregates use local days."""
        self._name_id = name_id
        self._upto = upto
        self._aggregates: list[Aggregate] = []
        self._numbers: dict[tuple[str, str | None], int] = {}

    def column(self, aggregate: Aggregate) -> str:
        """The column that holds an aggregate. Equal aggregates share a column."""
        number = self._numbers.setdefault((aggregate.function, aggregate.where), len(self._aggregates))
        if number == len(self._aggregates):
            self._aggregates.append(aggregate)
        return f"{self.alias}.a{number}"

    def select_list(self) -> str:
        return ", ".join(
            f"{aggregate.function}{self._filter(aggregate)} AS a{number}"
            for number, aggregate in enumerate(self._aggregates)
        )

    def day_join(self) -> str:
        """The join with the local day of each event, if the aggregates use it."""
        return f" {local_day_join()}" if self.is_of_days else ""

    def rows(self) -> str:
        """The predicate on the events, alias `e`, that the subquery reads: a single column's own, or all that several columns need."""
        starts = list(dict.fromkeys(aggregate.since for aggregate in self._aggregates))
        known = [start for start in starts if start is not None]
        since = f"e.occurred_at >= LEAST({', '.join(known)})" if len(known) == len(starts) else None
        wanted = self._aggregates[0].where if len(self._aggregates) == 1 else since
        return all_of(f"e.name_id = {self._name_id} AND e.occurred_at <= {self._upto}", wanted) or "TRUE"

    def _filter(self, aggregate: Aggregate) -> str:
        return (
            ""
            if aggregate.where is None or len(self._aggregates) == 1
            else f" FILTER (WHERE {aggregate.where})"
        )


class RowColumns:
    """Columns that say whether any of the subscriber's rows in a table passes; null when the subscriber has no row there."""

    def __init__(self, table: str, alias: str) -> None:
        self.name = f"{table}_rows"
        self.rows = f"{table} {alias}"
        self.alias = alias
        self._numbers: dict[str, int] = {}

    def column(self, where: str) -> str:
        return f"{self.name}.r{self._numbers.setdefault(where, len(self._numbers))}"

    def select_list(self) -> str:
        return ", ".join(f"bool_or({where}) AS r{number}" for where, number in self._numbers.items())
