"""The input of a peer's algorithm: a segment, as our statements for the people whom it matches.

All peers use the same SQL for the condition, so that only their ways to maintain the members differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.sql.compiler import Fragment, Statement, compile_filter, compile_range
from audience_gql.conditions.vocabulary import PLAIN_IDS, Vocabulary
from audience_gql.storage.postgres.database import Connection

END = 2**63 - 1

WINDOW = "opened in 7 days"
SUBJECTS: Mapping[str, dict[str, Any]] = {  # Any: a condition's JSON
    WINDOW: {"event": {"name": "email_opened", "within": {"last": {"days": 7}}}},
    "opened thrice, no order": {
        "all": [
            {"event": {"name": "email_opened", "times": {"atLeast": 3}, "within": {"last": {"days": 30}}}},
            {"not": {"event": {"name": "order_placed", "within": {"last": {"days": 30}}}}},
        ]
    },
    "nested": {
        "any": [
            {
                "all": [
                    {
                        "event": {
                            "name": "page_visited",
                            "times": {"atLeast": 2},
                            "within": {"last": {"days": 14}},
                        }
                    },
                    {"event": {"name": "email_clicked", "within": {"last": {"days": 30}}}},
                ]
            },
            {
                "all": [
                    {"event": {"name": "order_placed", "within": {"last": {"days": 90}}}},
                    {"not": {"event": {"name": "email_opened", "within": {"last": {"days": 14}}}}},
                ]
            },
        ]
    },
}
"""An event in a window, a count with a negation, and both kinds nested. Each is false for a person without events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One segment in the forms that the peers use."""

    id: int
    name: str
    json: dict[str, Any]  # Any: a condition's JSON
    condition: Condition
    of_range: Statement
    of_person: Fragment
    """A conjunct on `subscribers s`. Its first parameter is `$3`."""
    event_names: Mapping[str, int]

    @classmethod
    def made(cls, id_: int, name: str, vocabulary: Vocabulary) -> Subject:
        json = SUBJECTS[name]
        condition = parse(json, vocabulary=vocabulary, ids=PLAIN_IDS)
        return cls(
            id=id_,
            name=name,
            json=json,
            condition=condition,
            of_range=compile_range(condition, inner={}, vocabulary=vocabulary),
            of_person=compile_filter(
                condition, bucket="s.bucket_id", first_parameter=3, inner={}, vocabulary=vocabulary
            ),
            event_names=vocabulary.event_names,
        )

    def names_read(self) -> set[int]:
        """The ids of the event names that its condition reads."""
        return {self.event_names[str(read.ref)] for read in reads(self.condition) if read.source == "event"}

    async def members(self, connection: Connection, bucket_id: int, now: datetime) -> set[int]:
        """The correct members: the people whom the segment matches at an instant."""
        rows = await connection.fetch(self.of_range.sql, bucket_id, -1, END, *self.of_range.bind(now))
        return {row["subscriber_id"] for row in rows}
