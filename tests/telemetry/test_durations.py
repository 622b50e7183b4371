"""Our own histogram writes what the library's histogram writes after the same observations."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest
from prometheus_client import CollectorRegistry, Histogram

from audience_gql.telemetry.durations import Durations
from audience_gql.telemetry.exposition import written
from audience_gql.telemetry.metrics import WEB, Outcome, note_operation, outcome_of

BOUNDS = (0.001, 0.25, 1, 30)
TYPES = ("query", "mutation", "subscription", "unknown")
OUTCOMES: tuple[Outcome, ...] = (
    "success",
    "client_error",
    "overloaded",
    "timeout",
    "unavailable",
    "server_error",
)
COMBINATIONS = [(type_, outcome) for type_ in TYPES for outcome in OUTCOMES]
ON_THE_BOUNDS_AND_BESIDE_THEM = (0.0, 0.0009, 0.001, 0.0011, 0.25, 1.0, 1.5, 30.0, 30.5, 1e6)
COUNTED = re.compile(r'audience_operation_duration_seconds_count{outcome="(.*)",type="(.*)"} (.*)')


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_our_histogram_writes_what_that_of_the_library_writes(accept: str):
    ours = Durations("taken_seconds", "How long it takes.", ("type", "outcome"), BOUNDS, COMBINATIONS)
    registry = CollectorRegistry()
    theirs = Histogram(
        "taken_seconds", "How long it takes.", ("type", "outcome"), buckets=BOUNDS, registry=registry
    )
    for combination in COMBINATIONS:
        theirs.labels(*combination)
    drawn = Random(1)

    for _ in range(2_000):
        combination = drawn.choice(COMBINATIONS[:-1])  # the last one has none
        seconds = drawn.choice((*ON_THE_BOUNDS_AND_BESIDE_THEM, drawn.expovariate(1)))
        ours.series[combination].observe(seconds)
        theirs.labels(*combination).observe(seconds)

    assert written(accept, ours) == written(accept, registry)


def test_every_type_and_outcome_of_operations_is_counted_apart():
    before = counted()

    for times, (type_, outcome) in enumerate(COMBINATIONS, start=1):
        for _ in range(times):
            note_operation(None if type_ == "unknown" else type_, 0.02, outcome)

    assert counted() - before == Counter({it: times for times, it in enumerate(COMBINATIONS, start=1)})


def counted() -> Counter[tuple[str, str]]:
    found = COUNTED.findall(written("", WEB)[0].decode())
    return Counter({(type_, outcome): int(float(number)) for outcome, type_, number in found})


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ([], "success"),
        (["NOT_FOUND", "BAD_USER_INPUT"], "client_error"),
        (["NOT_FOUND", "RATE_LIMITED"], "overloaded"),
        (["OVERLOADED", "TIMEOUT", "FORBIDDEN"], "timeout"),
        (["TIMEOUT", "UNAVAILABLE", "OVERLOADED"], "unavailable"),
        (["UNAVAILABLE", "NOT_FOUND", "INTERNAL"], "server_error"),
        (["", "TIMEOUT"], "server_error"),
    ],
)
def test_the_worst_error_of_an_operation_is_its_outcome(codes: list[str], outcome: str):
    assert outcome_of(codes) == outcome_of(reversed(codes)) == outcome


def test_every_series_of_operations_exists_before_the_first_operation():
    text = written("", WEB)[0].decode()

    series = [it for it in text.splitlines() if it.startswith("audience_operation_duration_seconds_count{")]
    assert len(series) == 4 * 6
