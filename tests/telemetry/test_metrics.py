"""Web processes and workers measure what they do, and the dashboard and the alerts name only metrics that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.patience import PATIENCE_SECONDS, until
from tests.telemetry.conftest import Observed

pytestmark = pytest.mark.faults

DEPLOY = Path(__file__).parents[2] / "deploy"
Sample: TypeAlias = tuple[str, frozenset[tuple[str, str]]]
"""A name and its labels."""
NAMED = r"\b(?:audience|process)_[a-z_]+"
SEGMENT = """mutation { createSegment(input: {name: "All of them", condition: {all: []}}) {
  ... on Segment { id } ... on UserError { message } } }"""
UPSERT = """mutation { upsertSubscribers(input: {subscribers: [{externalId: "measured"}]}) {
  ... on UpsertSubscribersPayload { created } } }"""
STATE = "query ($id: ID!) { node(id: $id) { ... on Segment { state } } }"


async def read(url: str, accept: str = "") -> httpx.Response:
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(url, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer


async def samples(url: str) -> dict[Sample, float]:
    page = (await read(url)).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read_text(page)
        for sample in family.samples
    }


def named(name: str, /, **labels: str) -> Sample:
    return name, frozenset(labels.items())


async def test_what_the_processes_do_is_measured(observed: Observed):
    segment = (await observed.ask(SEGMENT))["createSegment"]["id"]
    await observed.ask(UPSERT)
    await observed.until({"node": {"state": "READY"}}, STATE, id=segment)

    operations = "audience_operation_duration_seconds_count"
    measured_last = (
        named("audience_tick_latency_seconds_count", urgency="live"),
        named("audience_tick_duration_seconds_count", outcome="done"),
        named("audience_fill_duration_seconds_count", outcome="done"),
        named("audience_job_duration_seconds_count", name="sweep", outcome="done"),
    )
    """The worker measures after it has committed."""

    async def measured() -> dict[Sample, float] | None:
        found = await samples(observed.worker_metrics)
        is_idle = found[named("audience_buckets_waiting")] == 0
        return found if is_idle and all(found.get(name, 0) >= 1 for name in measured_last) else None

    worker = await until(measured)
    web = await samples(f"{observed.product.origin}/metrics")

    assert web[named(operations, type="mutation", outcome="success")] >= 2
    assert web[named(operations, type="query", outcome="success")] >= 1
    assert web[named(operations, type="query", outcome="server_error")] == 0
    assert web[named("audience_pool_most_connections", pool="general")] == 10
    assert worker[named("audience_pool_most_connections", pool="ticks")] == 4


async def test_both_pages_are_openmetrics_for_whoever_asks_and_explain_each_metric(observed: Observed):
    for url in (f"{observed.product.origin}/metrics", observed.worker_metrics):
        page = await read(url, "application/openmetrics-text; version=1.0.0")

        assert page.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        families = list(read_openmetrics(page.text))
        assert len(families) > 10
        assert all(
            family.documentation.endswith((".", "bytes", "seconds", "descriptors")) for family in families
        )


async def test_every_metric_that_the_dashboard_or_an_alert_names_exists(observed: Observed):
    pages = [
        (await read(url)).text for url in (f"{observed.product.origin}/metrics", observed.worker_metrics)
    ]
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", "\n".join(pages), re.MULTILINE))
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    rules = (DEPLOY / "prometheus-rules.yml").read_text(encoding="utf-8")

    names = {name for text in (*asked, rules) for name in re.findall(NAMED, text)}

    histograms = {name for name, kind in kinds.items() if kind == "histogram"}
    there = kinds.keys() - histograms
    there |= {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    assert names - there == set()
    # Nothing that is measured is missing from the dashboard.
    assert {name for name in kinds if name.startswith("audience_")} <= {
        re.sub("_(bucket|count)$", "", name) for name in names
    }


async def test_a_worker_answers_nobody_else_and_nothing_else(observed: Observed):
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        far = await client.get(observed.worker_metrics, headers={"x-forwarded-for": "203.0.113.7"})
        other = await client.get(observed.worker_metrics.replace("/metrics", "/graphql"))

    assert (far.status_code, other.status_code) == (403, 404)
