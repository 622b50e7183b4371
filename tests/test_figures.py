"""Figures that the pages promise are those of the code, or of the benchmarks' reports.

A page that is worded anew, and a constant that changes, both fail here, so that neither is forgotten. The limits of files are compared in
tests/audience/test_imports.py, codes in tests/api/test_error_page.py, and what reading a document may cost in tests/api/test_dearest_documents.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from inspect import signature

import pytest

from audience_gql.api.documents import documents, limits
from audience_gql.api.documents.introspection import OWN_DEPTH
from audience_gql.api.transport.streaming import socket
from audience_gql.audience.definitions.definition_limits import SEGMENTS_A_WORKSPACE
from audience_gql.audience.exports import lifecycle
from audience_gql.audience.imports.lifecycle import MESSAGE_DAYS
from audience_gql.audience.insights import advice, coming_changes, size_forecasts
from audience_gql.audience.log import tails
from audience_gql.audience.people import buckets, events
from audience_gql.config import Settings, settings_from_environment
from audience_gql.demo import cdnow
from audience_gql.storage.engine.nodes import Nodes
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres import presence
from tests.pages import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SETTINGS = settings_from_environment({"DATABASE_URL": "given", "REDIS_URL": "given"})
NODES = signature(Nodes.__init__).parameters
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


def million() -> dict[str, float]:
    """What the engine's report has measured on a million people, by name; times are in the report's units."""
    runs = json.loads((ROOT / ENGINE).read_text(encoding="utf-8"))
    return {
        figure["what"]: figure["value"]
        for run in runs
        if run["people"] == 1_000_000
        for figure in run["figures"]
    }


MILLION = million()
WRONG_PEOPLE = re.compile(
    r"Mautic every 900 s, “opened in 7 days” of (\d+): wrong people, mean over a period"
)
((MAUTIC, MEMBERS),) = [(what, int(found[1])) for what in MILLION if (found := WRONG_PEOPLE.fullmatch(what))]


def longer(peer: str) -> str:
    return f"{peer}'s first fill relative to audience-gql's, median"


def reported(page: str, row: str) -> str:
    """The measured value in the row of a benchmark's report that begins like this."""
    text = (ROOT / "docs/benchmarks" / page).read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {row}")]
    return line.split("|")[2 if page == "workspaces.md" else 3].strip()


def times_postgraphile() -> list[float]:
    """Requests per second relative to PostGraphile, for each question of the report on reads."""
    text = (ROOT / "docs/benchmarks/reads.md").read_text(encoding="utf-8")
    return [float(found) for found in re.findall(r"^\| T\d\w?: [^|]+\| ([\d.]+) \|", text, re.MULTILINE)]


SENTENCES = [
    (
        "README.md",
        f"{min(times_postgraphile()):.1f} to {max(times_postgraphile()):.1f} times as many requests a second as PostGraphile",
    ),
    ("README.md", f"{cdnow.PURCHASES:,} purchases by {cdnow.CUSTOMERS:,} people"),
    ("README.md", f"into every membership in {MILLION['1 person changed, 100 segments, median']:.1f} ms"),
    ("README.md", f"{MILLION[MAUTIC]:.0f} people wrong on average in one segment of {MEMBERS:,}"),
    ("README.md", f"within {reported('fanout.md', 'p99 at 2,000 deliveries/s, 1,000 sockets')}, and each"),
    ("README.md", f"costs {reported('fanout.md', 'CPU per delivery, 1,000 sockets')} less CPU"),
    ("README.md", f"needs {reported('workspaces.md', 'peak memory of the worker')} at its peak"),
    (
        "README.md",
        f"{reported('workspaces.md', 'no writes for 30 s: share')} of a core while nobody writes",
    ),
    (
        "README.md",
        f"{MILLION['10000 people changed, 100 segments, changed memberships per person']:.2f} memberships for each",
    ),
    ("README.md", f"exact again in {MILLION['10000 people changed, 100 segments, median'] / 1000:.1f} s"),
    ("README.md", f"takes {MILLION['first fill, per member']:.1f} µs for each member"),
    (
        "README.md",
        f"takes {MILLION['no writes for 30 s: share of a core used by worker and Postgres']:.2f} % of a core",
    ),
    (
        "README.md",
        f"with {MILLION['memberships that the clock changed in this time']:.1f} membership changes a second",
    ),
    (
        "README.md",
        f"costs {MILLION['recomputing every 15 minutes, relative to that']:.2f} times as much as to stay exact",
    ),
    ("README.md", f"{1 / MILLION[longer('PostHog')]:.1f} times as fast as ours"),
    ("README.md", f"{MILLION[longer('Dittofeed')]:.1f} times as fast as Dittofeed's"),
    ("README.md", f"{MILLION[longer('Mautic')]:.1f} times as fast as Mautic's"),
    ("README.md", f"at most {SEGMENTS_A_WORKSPACE:,} segments"),
    ("README.md", f"kept for {SETTINGS.retention_days} days"),
    ("README.md", f"This is version {VERSION}"),
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
    ("docs/howto/export.md", f"| exports of a workspace that wait or run | {lifecycle.OPEN_LIMIT} |"),
    ("docs/howto/export.md", f"| files of a workspace | {lifecycle.FILES_LIMIT} |"),
    ("docs/howto/export.md", f"| size of a file | {lifecycle.FILE_BYTES:,} bytes |"),
    ("docs/howto/export.md", f"deleted {lifecycle.KEPT.total_seconds() / 3600:.0f} hours after"),
    ("docs/insights.md", f"The log is complete for {SETTINGS.retention_days} days"),
    ("docs/insights.md", f"may move more than {size_forecasts.MOST_MOVING:,} people"),
    ("docs/insights.md", f"looked at about {coming_changes.MOST_LOOKED_AT:,} people"),
    ("docs/insights.md", f"compares the {advice.MOST_COMPARED} largest segments"),
    ("docs/howto/scale-out.md", f"`AUDIENCE_POOL_SIZE` connections ({SETTINGS.pool_size})"),
    (
        "docs/howto/scale-out.md",
        f"`AUDIENCE_TICK_POOL_SIZE` ({SETTINGS.tick_pool_size}), and {FILL_CONNECTIONS} for fills",
    ),
    (
        "docs/howto/scale-out.md",
        f"A bucket that moves is found within {NODES['kept_seconds'].default:.0f} seconds",
    ),
    ("docs/howto/scale-out.md", f"tried again after {NODES['avoided_seconds'].default:.0f} seconds"),
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
