"""The metrics that a process measures itself: how long its operations, ticks and jobs take, and how they end.

Every label has few values, which are written here. No label names a token, a workspace or a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from audience_gql.telemetry.durations import Durations

Outcome: TypeAlias = Literal[
    "success", "client_error", "overloaded", "timeout", "unavailable", "server_error"
]

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here. These are a time for each series, and double the page

WEB: Final = CollectorRegistry()
"""The metrics of a web process."""
WORKER: Final = CollectorRegistry()
"""The metrics of a worker."""
for _registry in (WEB, WORKER):
    ProcessCollector(registry=_registry)

_SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG: Final = (0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)

FEED_BATCHES: Final = Counter(
    "audience_feed_batches", "Batches of changes that this web process has read from the log.", registry=WEB
)
FEED_CHANGES: Final = Counter(
    "audience_feed_changes", "Changes of memberships in those batches.", registry=WEB
)

TICK_DURATION: Final = Histogram(
    "audience_tick_duration_seconds",
    "How long a tick takes, with the wait for the bucket's lock and a connection.",
    ("outcome",),
    buckets=_SHORT,
    registry=WORKER,
)
TICK_LATENCY: Final = Histogram(
    "audience_tick_latency_seconds",
    "The time from the instant when the worker learns that facts of a bucket were committed, or that something is due, "
    "to the commit of the memberships.",
    ("urgency",),
    buckets=_SHORT,
    registry=WORKER,
)
MEMBERSHIP_CHANGES: Final = Counter(
    "audience_membership_changes", "Memberships that ticks of this worker have changed.", registry=WORKER
)
FILL_DURATION: Final = Histogram(
    "audience_fill_duration_seconds",
    "How long one turn of a fill takes.",
    ("outcome",),
    buckets=_SHORT,
    registry=WORKER,
)
ACTING_DURATION: Final = Histogram(
    "audience_acting_duration_seconds",
    "How long a look at the automations of one bucket takes.",
    ("outcome",),
    buckets=_SHORT,
    registry=WORKER,
)
ATTEMPT_DURATION: Final = Histogram(
    "audience_webhook_attempt_duration_seconds",
    "How long an attempt to send a webhook message takes. `refused`: the receiver answered with another status than 2xx.",
    ("outcome",),
    buckets=_SHORT,
    registry=WORKER,
)
JOB_DURATION: Final = Histogram(
    "audience_job_duration_seconds",
    "How long a job takes.",
    ("name", "outcome"),
    buckets=_LONG,
    registry=WORKER,
)

_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "": "server_error",
    "INTERNAL": "server_error",
    "OVERLOADED": "overloaded",
    "RATE_LIMITED": "overloaded",
    "TIMEOUT": "timeout",
    "UNAVAILABLE": "unavailable",
}
"""By the code of an error. All other codes are the client's."""
_ORDER: Final[tuple[Outcome, ...]] = ("server_error", "unavailable", "timeout", "overloaded", "client_error")
_OPERATIONS: Final = Durations(
    "audience_operation_duration_seconds",
    "The time from a request for a query or mutation to its response, with the wait for a place. Streams do not count.",
    ("type", "outcome"),
    _SHORT,
    [
        (type_, outcome)
        for type_ in ("query", "mutation", "subscription", "unknown")
        for outcome in ("success", *_ORDER)
    ],
)
WEB.register(_OPERATIONS)


def note_operation(type_: str | None, seconds: float, outcome: Outcome) -> None:
    """Count an operation. The type is None if the request has no document that can be read."""
    _OPERATIONS.series[type_ or "unknown", outcome].observe(seconds)


def outcome_of(codes: Iterable[str]) -> Outcome:
    """How an operation with errors of these codes ended: the worst of them counts."""
    found = {_OUTCOMES.get(code, "client_error") for code in codes}
    return next((outcome for outcome in _ORDER if outcome in found), "success")
