"""deploy/prometheus-rules.yml is what Prometheus reads, and names only metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
import yaml

from tests.patience import PATIENCE_SECONDS

TEXT = (Path(__file__).parents[2] / "deploy/prometheus-rules.yml").read_text(encoding="utf-8")
GROUPS = yaml.safe_load(TEXT)["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
FUNCTIONS = {"and", "deriv", "increase", "job", "max", "min_over_time", "time", "up"}


@pytest.fixture
async def metrics(server) -> set[str]:
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, base_url=server.url) as client:
        page = (await client.get("/metrics")).text
    return {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE audience_")}


async def test_every_metric_that_a_rule_names_exists(metrics):
    for rule in RULES:
        words = set(re.findall(r"[a-zA-Z_]\w*", re.sub(r'"[^"]*"|\b\d+\w*', "", rule["expr"])))
        assert words <= metrics | FUNCTIONS, rule["alert"]


async def test_what_the_page_says_to_watch_has_an_alert(metrics):
    named = {name for rule in RULES for name in re.findall(r"audience_\w+", rule["expr"])}

    unwatched = {
        "audience_audited_people_total",
        "audience_audited_slices_total",
        "audience_deliveries_delivered_last_hour",
        "audience_deliveries_dropped_last_hour",
        "audience_deliveries_waiting",
        "audience_feed_batches_total",
        "audience_feed_changes_total",
        "audience_live_connections",
        "audience_live_operations",
        "audience_operation_duration_seconds",
        "audience_operations_running",
        "audience_operations_waiting",
        "audience_pool_connections",
        "audience_pool_most_connections",
        "audience_pool_waiting",
        "audience_runs_cancelled_last_hour",
        "audience_runs_done_last_hour",
        "audience_runs_skipped_last_hour",
        "audience_runs_waiting",
    }
    assert metrics - named == unwatched


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_complete(rule):
    assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"Audience[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert all(text.endswith(".") for text in rule["annotations"].values())
    for opening, closing in ("()", "[]", "{}"):
        assert rule["expr"].count(opening) == rule["expr"].count(closing)


def test_the_names_differ():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
