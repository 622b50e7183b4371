"""What the people of two segments did since they joined, read from the log and the events in the caller's snapshot.

It must not interpret the numbers: audience/insights/comparisons.py does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from audience_gql.storage import definitions
from audience_gql.storage.insights.log_positions import positions_at
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)
_NO_EVENT: Final = 0
"""No event has this name: ids begin at 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whom to compare, and which of their events count: those in [start, end) from when each person joined."""

    segment_ids: tuple[int, int]
    event: str
    start: datetime
    end: datetime
    within: timedelta | None
    """How long events count after a person joined. Then only people count for whom this time is over at `end`. None: up to `end`."""


@dataclass(slots=True)
class Outcomes:
    """What some people did."""

    people: int = 0
    converted: int = 0
    """How many of them have at least one event."""
    events: int = 0
    value: Fraction = Fraction()
    squares: Fraction = Fraction()
    """The sum of the squares of each person's value."""


@dataclass(frozen=True, slots=True)
class Sides:
    """People who are only in the first segment, only in the second one, and in both."""

    a: Outcomes
    b: Outcomes
    both: Outcomes
    is_event_known: bool


async def sides(connection: Connection, workspace_id: int, question: Question) -> Sides:
    """The outcomes of all people of the workspace who were in one of the segments at some time within [start, end). Raises LogExpired."""
    positions = await positions_at(connection, workspace_id, question.start)
    names = await definitions.event_names(connection, workspace_id)
    found = (Outcomes(), Outcomes(), Outcomes())
    for bucket_id in positions:
        rows = await connection.fetch(
            _SQL["outcomes"],
            bucket_id,
            *question.segment_ids,
            names.get(question.event, _NO_EVENT),
            question.start,
            question.end,
            question.within,
        )
        for row in rows:
            side = found[row["side"]]
            side.people += row["people"]
            side.converted += row["converted"]
            side.events += row["events"]
            side.value += Fraction(row["value"])
            side.squares += Fraction(row["squares"])
    return Sides(*found, is_event_known=question.event in names)
