"""Figures that the pages promise are those of the code, or of the benchmarks' reports.

A page that is worded anew, and a constant that changes, both fail here, so that neither is forgotten. The limits of files are compared in
tests/audience/test_imports.py, codes in tests/api/test_error_page.py, and what reading a document may cost in tests/api/test_dearest_documents.py.
"""

from __future__ import annotations

import json
import re
from inspect import signature

import pytest

from audience_gql.api import documents, limits
from audience_gql.api.introspection import OWN_DEPTH
from audience_gql.api.transport import socket
from audience_gql.audience.imports.lifecycle import MESSAGE_DAYS
from audience_gql.audience.log import tails
from audience_gql.audience.people import buckets, events
from audience_gql.config import Settings, settings_from_environment
from audience_gql.demo import cdnow
from audience_gql.storage import presence
from audience_gql.storage.engine.tick_pool import TickPool
from tests.pages import ROOT

SETTINGS = settings_from_environment({"DATABASE_URL": "given", "REDIS_URL": "given"})
FILL_CONNECTIONS = signature(TickPool.open).parameters["fill_size"].default
ENGINE = "docs/benchmarks/engine.json"
LIMITS = {
    "characters": limits.LENGTH,
    "tokens: names, values and punctuation marks": limits.TOKENS,
    "operations": limits.OPERATIONS,
    "aliases": limits.ALIASES,
    "fragments, inline ones included": limits.FRAGMENTS,
    "directives": limits.DIRECTIVES,
    "levels of fields": limits.DEPTH,
    "levels of lists and objects in a value": limits.VALUE_DEPTH,
    "characters of a number": limits.DIGITS,
    "pairs of fields with the same response name, which must be compared": limits.COMPARISONS,
    "objects that the answer can contain (`COST_LIMIT`)": limits.COST,
}


def measured(what: str) -> float:
    """A figure of the engine's report on a million people, in milliseconds."""
    runs = json.loads((ROOT / ENGINE).read_text(encoding="utf-8"))
    (found,) = [
        figure["value"]
        for run in runs
        if run["people"] == 1_000_000
        for figure in run["figures"]
        if figure["what"] == what
    ]
    return found


SENTENCES = [
    ("README.md", f"{cdnow.PURCHASES:,} purchases by {cdnow.CUSTOMERS:,} people"),
    ("README.md", f"{measured('1 person changed, 100 segments, median'):.1f} ms after its tick began"),
    (
        "README.md",
        f"10,000 people's, six memberships each, in {measured('10000 people changed, 100 segments, median') / 1000:.1f} s",
    ),
    ("docs/api.md", f"the log is kept for {SETTINGS.retention_days} days"),
    ("docs/api.md", f"A comment comes every {SETTINGS.stream_heartbeat_seconds:.0f} s"),
    ("docs/api.md", f"introspection is counted apart: {OWN_DEPTH}"),
    ("docs/api.md", f"as many as fit into {documents.REMEMBERED_BYTES // 2**20} MiB"),
    ("docs/api.md", f"({SETTINGS.body_bytes // 2**20} MiB unless the server is configured otherwise)"),
    ("docs/errors.md", f"it is older than {SETTINGS.retention_days} days"),
    (
        "docs/errors.md",
        f"more than {tails.QUEUED_CHANGES:,} changes wait for a client, or one result for {SETTINGS.slow_client_seconds:.0f} s",
    ),
    ("docs/errors.md", f"more than {socket.MESSAGES_A_SECOND} messages came in a second"),
    ("docs/howto/import.md", f"{MESSAGE_DAYS} days after"),
    ("docs/howto/scale-out.md", f"`AUDIENCE_POOL_SIZE` connections ({SETTINGS.pool_size})"),
    (
        "docs/howto/scale-out.md",
        f"`AUDIENCE_TICK_POOL_SIZE` ({SETTINGS.tick_pool_size}), and {FILL_CONNECTIONS} for fills",
    ),
    ("docs/howto/scale-out.md", f"seen within the last {presence.SILENT_SECONDS:.0f} seconds"),
    ("docs/howto/scale-out.md", f"A bucket has about {buckets.PEOPLE_A_BUCKET:,} people"),
]


def page(name: str) -> str:
    """In one line, for a page breaks its sentences where they are long."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("name", "sentence"), SENTENCES)
def test_a_figure_is_that_of_the_code(name, sentence):
    assert sentence in page(name)


def test_the_limits_of_a_document():
    written = re.findall(r"\| ([^|]+) \| ([\d,]+) \| [^|]*\|", page("docs/api.md"))

    assert {what: int(number.replace(",", "")) for what, number in written} == LIMITS


def test_a_future_event_is_at_most_a_day_ahead():
    assert events.LATEST_AHEAD.total_seconds() == 86_400
    assert "An event in the **future**, at most a day ahead" in page("docs/api.md")


def test_every_setting_is_what_the_page_says_without_it():
    rows = re.findall(
        r"^\| ((?:`AUDIENCE_\w+`(?:, )?)+) \| [^|]+ \| ([\d, ]+) \|$",
        (ROOT / "docs/howto/operate.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    written = {
        name.strip("`").removeprefix("AUDIENCE_").lower(): int(number)
        for names, numbers in rows
        for name, number in zip(names.split(", "), numbers.split(", "), strict=True)
    }

    assert written.keys() > {"pool_size", "tick_pool_size", "retention_days", "sockets_per_token"}
    assert written == {name: getattr(SETTINGS, name) for name in written}
    assert written == {name: Settings.__dataclass_fields__[name].default for name in written}
