"""Our own histogram writes what the library's histogram writes after the same observations."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram

from audience_gql.telemetry.durations import Durations
from audience_gql.telemetry.exposition import written
from audience_gql.telemetry.metrics import WEB

BOUNDS = (0.001, 0.25, 1, 30)
COMBINATIONS = [("query", "success"), ("query", "timeout"), ("mutation", "success")]
ON_THE_BOUNDS_AND_BESIDE_THEM = (0.0, 0.0009, 0.001, 0.0011, 0.25, 1.0, 1.5, 30.0, 30.5, 1e6)


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_our_histogram_writes_what_that_of_the_library_writes(accept: str):
    ours = Durations("taken_seconds", "How long it takes.", ("type", "outcome"), BOUNDS, COMBINATIONS)
    registry = CollectorRegistry()
    theirs = Histogram(
        "taken_seconds", "How long it takes.", ("type", "outcome"), buckets=BOUNDS, registry=registry
    )
    for combination in COMBINATIONS:
        theirs.labels(*combination)

    for number, seconds in enumerate(ON_THE_BOUNDS_AND_BESIDE_THEM):
        combination = COMBINATIONS[number % 2]
        ours.series[combination].observe(seconds)
        theirs.labels(*combination).observe(seconds)

    assert written(accept, ours) == written(accept, registry)


def test_every_series_of_operations_exists_before_the_first_operation():
    text = written("", WEB)[0].decode()

    series = [it for it in text.splitlines() if it.startswith("audience_operation_duration_seconds_count{")]
    assert len(series) == 4 * 6
