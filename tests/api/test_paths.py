"""Paths of problems: the application's words become those of the schema, and what a caller chose stays as it is."""

from __future__ import annotations

from audience_gql.api.paths import INPUT, spelled
from audience_gql.audience.failures import Verbatim


def test_words_and_positions_are_spelled_as_clients_write_them():
    assert spelled(("subscribers", 10, "add_to_group_ids", 0), INPUT) == [
        "input", "subscribers", "10", "addToGroupIds", "0",
    ]  # fmt: skip
    assert spelled(("compared_to",)) == ["comparedTo"]
    assert spelled(()) == []


def test_what_a_caller_chose_stays_as_it_is():
    assert spelled(("properties", Verbatim("first_seen_at"), 3)) == ["properties", "first_seen_at", "3"]
