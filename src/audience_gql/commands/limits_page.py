"""The page docs/limits.md: every number that bounds a caller, from the constants and settings that the code uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from audience_gql.api import nodes, pagination, search, trusted_documents
from audience_gql.api.documents import batch_items, limits
from audience_gql.api.documents.introspection import OWN_DEPTH
from audience_gql.api.errors import RETRY_AFTER_SECONDS
from audience_gql.api.inputs.problems import MOST_PROBLEMS
from audience_gql.api.insights import comparisons, overlaps, performance, similarities, sizes
from audience_gql.api.people import memberships
from audience_gql.api.transport import paying, wire
from audience_gql.api.transport.streaming import socket
from audience_gql.audience import budgets, callers, names, signing_in
from audience_gql.audience.acting import decisions, given
from audience_gql.audience.acting.editing import AUTOMATIONS_A_WORKSPACE
from audience_gql.audience.answers import explanations, previews
from audience_gql.audience.definitions import definition_limits, fields, groups, reviews, splitting
from audience_gql.audience.definitions.trusted_documents import DOCUMENTS_LIMIT
from audience_gql.audience.exports import lifecycle as exports
from audience_gql.audience.exports.plans import COLUMNS_LIMIT as EXPORTED_COLUMNS
from audience_gql.audience.imports import headers, records
from audience_gql.audience.imports import lifecycle as imports
from audience_gql.audience.imports.plans import COLUMNS_LIMIT as IMPORTED_COLUMNS
from audience_gql.audience.log import tails
from audience_gql.audience.people import event_items, events, profiles, subscribers, value_checks
from audience_gql.audience.webhooks import endpoints, messages, schedule, trials
from audience_gql.conditions import limits as conditions
from audience_gql.config import LEAST_POINTS, Settings
from audience_gql.storage.reads.person_facts import MOST_EVENTS
from audience_gql.webhooks import exchange, sender

Row: TypeAlias = tuple[str, float | str, str, str]
"""What is bounded, with its unit; the default; the setting that changes it, if there is one; and what the caller gets beyond it."""

USUAL: Final = Settings(database_url="", redis_url="", secret_keys=())
_FIXED: Final = ""
_VALIDATION: Final = "`GRAPHQL_VALIDATION_FAILED`"
_INPUT: Final = "`BAD_USER_INPUT`"
_TOO_MANY: Final = "`InvalidInput`: `TOO_MANY`"
_RANGE: Final = "`InvalidInput`: `OUT_OF_RANGE`"
_REJECT: Final = "`Reject`: `OUT_OF_RANGE`"
_HEAD: Final = """<!-- Written by `python3 dev docs` from the code; do not edit. -->

# Limits

Every number that bounds a caller, with its default. The setting changes it for a whole installation ([operate](howto/operate.md)); a limit without a setting is fixed. The last column says what a caller gets beyond it; [errors.md](errors.md)
explains the codes. The message of each error contains the number. Where nothing is refused, the column says what happens instead.
"""
_COLUMNS: Final = "| what | at most | setting | beyond it |\n|---|---|---|---|\n"


def limits_page() -> str:
    """The whole page."""
    sections = {
        "Documents": _documents(),
        "Points": _points(),
        "Requests and answers": _requests(),
        "Operations at a time": _at_a_time(),
        "Times": _times(),
        "Sockets and streams": _sockets(),
        "Writing": _writing(),
        "Values": _values(),
        "Definitions": _definitions(),
        "Conditions": _conditions(),
        "Questions about audiences": _insights(),
        "Files": _files(),
        "Automations and webhooks": _webhooks(),
    }
    return _HEAD + "".join(f"\n## {title}\n\n{''.join(_table(rows))}" for title, rows in sections.items())


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield _COLUMNS
    for what, most, setting, beyond in rows:
        number = most if isinstance(most, str) else f"{most:,.15g}"
        yield f"| {what} | {number} | {f'`{setting}`' if setting else ''} | {beyond} |\n"


def _documents() -> Sequence[Row]:
    return (
        ("characters of a document", limits.LENGTH, _FIXED, _VALIDATION),
        ("tokens of a document", limits.TOKENS, _FIXED, "`GRAPHQL_PARSE_FAILED`"),
        ("operations", limits.OPERATIONS, _FIXED, _VALIDATION),
        ("aliases", limits.ALIASES, _FIXED, _VALIDATION),
        ("directives", limits.DIRECTIVES, _FIXED, _VALIDATION),
        ("fragments, inline ones included", limits.FRAGMENTS, _FIXED, _VALIDATION),
        ("levels of fields", limits.DEPTH, _FIXED, _VALIDATION),
        ("levels of fields of introspection", OWN_DEPTH, _FIXED, _VALIDATION),
        ("levels of a value", limits.VALUE_DEPTH, _FIXED, _VALIDATION),
        ("characters of a number", limits.DIGITS, _FIXED, _VALIDATION),
        ("pairs of fields with the same response name", limits.COMPARISONS, _FIXED, _VALIDATION),
        ("objects that the response can hold", limits.COST, _FIXED, "`COST_LIMIT`"),
        ("trusted documents of a workspace", DOCUMENTS_LIMIT, _FIXED, _TOO_MANY),
        ("trusted documents in one call", trusted_documents.DOCUMENTS_A_CALL, _FIXED, _TOO_MANY),
    )


def _points() -> Sequence[Row]:
    out = "`RATE_LIMITED` with `retryAfter`"
    return (
        ("points in a token's full budget", USUAL.points, "AUDIENCE_POINTS", out),
        ("points that a budget gets in a second", USUAL.points_per_second, "AUDIENCE_POINTS_PER_SECOND", out),
        ("points that one operation costs", LEAST_POINTS, _FIXED, "it costs no more"),
        ("points that a subscription costs, once", limits.SUBSCRIPTION, _FIXED, "it costs no more"),
        ("characters of a refused document for a point", limits.CHARACTERS_A_POINT, _FIXED, "another point"),
        ("items of one list that cost a point each", batch_items.MOST, _FIXED, "the list is refused"),
        (
            "points that a process counts before it tells the others",
            max(budgets.LEAST_CREDIT, USUAL.points // budgets.CREDIT_SHARE),
            "AUDIENCE_POINTS",
            f"it waits for Redis, for up to {budgets.WAIT_SECONDS:g} s",
        ),
    )


def _requests() -> Sequence[Row]:
    return (
        ("bytes of a request's body", USUAL.body_bytes, _FIXED, "`BAD_USER_INPUT`, 413"),
        ("levels of JSON", wire.JSON_DEPTH, _FIXED, _INPUT),
        ("entries of a page: `first`", pagination.LARGEST_PAGE, _FIXED, _INPUT),
        ("entries of a page without `first`, in most lists", pagination.PAGE_SIZE, _FIXED, "the next page has more"),
        ("ids in `nodes`", nodes.MOST_AT_ONCE, _FIXED, _INPUT),
        ("different words in `search`", search.MOST_WORDS, _FIXED, _INPUT),
        ("segments in `memberOf`", memberships.MOST_SEGMENTS, _FIXED, _INPUT),
        ("problems that one answer lists", MOST_PROBLEMS, _FIXED, "the rest is left out"),
        ("problems that the refusal of one condition lists", conditions.MAX_PROBLEMS, _FIXED, "the rest is left out"),
    )  # fmt: skip


def _at_a_time() -> Sequence[Row]:
    waits = "waits for its turn"
    return (
        ("queries and mutations of a process", USUAL.operations_at_once, "AUDIENCE_OPERATIONS_AT_ONCE", waits),
        ("of these, of one token while others need them", USUAL.operations_per_token, "AUDIENCE_OPERATIONS_PER_TOKEN", waits),
        (
            "further ones of a token that wait",
            USUAL.operations_waiting_per_token,
            "AUDIENCE_OPERATIONS_WAITING_PER_TOKEN",
            "`OVERLOADED`, 429",
        ),
        ("seconds of waiting", USUAL.queue_seconds, _FIXED, "`OVERLOADED`, 429"),
        (
            f"queries of a process that may return more than {USUAL.heavy_cost:,} objects, one per token",
            USUAL.heavy_operations_at_once,
            _FIXED,
            waits,
        ),
        ("connections of a process to Postgres", USUAL.pool_size, "AUDIENCE_POOL_SIZE", waits),
        ("connections for heavy reads", USUAL.heavy_pool_size, "AUDIENCE_HEAVY_POOL_SIZE", waits),
        ("seconds until `OVERLOADED` and a lack of points are told", paying.REFUSAL_SECONDS, _FIXED, ""),
        ("seconds in `retryAfter` after `OVERLOADED` and `UNAVAILABLE`", RETRY_AFTER_SECONDS, _FIXED, ""),
    )  # fmt: skip


def _times() -> Sequence[Row]:
    return (
        ("seconds of a query or mutation", USUAL.operation_seconds, _FIXED, "`TIMEOUT`"),
        ("seconds of one statement in Postgres", USUAL.statement_timeout_seconds, _FIXED, "`TIMEOUT`"),
        ("seconds of waiting for a lock in Postgres", USUAL.lock_timeout_seconds, _FIXED, "`TIMEOUT`"),
        ("seconds of counting for a preview or funnel", USUAL.preview_seconds, _FIXED, "the answer is an estimate"),
        (
            "seconds for the head of a request, and for its body",
            USUAL.request_seconds,
            "AUDIENCE_REQUEST_SECONDS",
            "the connection is closed, 408",
        ),
        ("days for which the log is complete", USUAL.retention_days, "AUDIENCE_RETENTION_DAYS", "`CURSOR_EXPIRED`, `LOG_EXPIRED`"),
    )  # fmt: skip


def _sockets() -> Sequence[Row]:
    ping = USUAL.socket_ping_seconds
    return (
        ("sockets and streams of a token in a process", USUAL.sockets_per_token, "AUDIENCE_SOCKETS_PER_TOKEN", "`RATE_LIMITED`, 429, 1013"),
        ("operations at a time on a socket", USUAL.subscriptions_per_socket, _FIXED, "`RATE_LIMITED`"),
        ("messages a second from a client", socket.MESSAGES_A_SECOND, _FIXED, "closed with 1013"),
        ("bytes of a message from a client", USUAL.frame_bytes, _FIXED, "closed with 1009"),
        ("seconds until `connection_init`", USUAL.socket_init_seconds, _FIXED, "closed with 4408"),
        (f"seconds without anything from a client, which is pinged every {ping:g} s", socket.SILENT_PINGS * ping, _FIXED, "closed with 4408"),
        ("changes that wait for a client", tails.QUEUED_CHANGES, _FIXED, "`SLOW_CLIENT`, 4413"),
        ("seconds for which a client leaves a result unread", USUAL.slow_client_seconds, "AUDIENCE_SLOW_CLIENT_SECONDS", "`SLOW_CLIENT`, 4413"),
    )  # fmt: skip


def _writing() -> Sequence[Row]:
    return (
        ("people in `upsertSubscribers`", subscribers.BATCH_LIMIT, _FIXED, _TOO_MANY),
        ("events in `trackEvents`", events.BATCH_LIMIT, _FIXED, _TOO_MANY),
        ("people in `addToGroup` and `removeFromGroup`", groups.MEMBERS_A_CALL, _FIXED, _TOO_MANY),
        (
            "different names of events in a workspace",
            events.NAMES_PER_WORKSPACE,
            _FIXED,
            "`Reject`: `TOO_MANY`",
        ),
        ("segments in `markReviewed`", reviews.MOST_REVIEWED, _FIXED, _TOO_MANY),
        ("shares in `splitSegment`", splitting.MOST_SHARES, _FIXED, _RANGE),
    )


def _values() -> Sequence[Row]:
    return (
        ("characters of a text of a person, and of most other texts", conditions.MAX_TEXT, _FIXED, _REJECT),
        ("characters of an email address", value_checks.LONGEST_ADDRESS, _FIXED, "`Reject`: `MALFORMED`"),
        ("texts in a list of a person", profiles.LIST_LIMIT, _FIXED, _REJECT),
        ("characters of an event's name", event_items.NAME_LIMIT, _FIXED, _REJECT),
        ("characters of an event's key", event_items.KEY_LIMIT, _FIXED, _REJECT),
        ("properties of an event", event_items.PROPERTY_KEYS, _FIXED, "`Reject`: `TOO_MANY`"),
        ("bytes of an event's properties", event_items.PROPERTY_BYTES, _FIXED, _REJECT),
        ("levels of an event's properties", event_items.PROPERTY_DEPTH, _FIXED, _REJECT),
        ("characters of a text in an event's properties", event_items.PROPERTY_TEXT, _FIXED, _REJECT),
        ("years of a date", f"{conditions.FIRST_YEAR} to {conditions.LAST_YEAR}", _FIXED, _REJECT),
    )


def _definitions() -> Sequence[Row]:
    return (
        ("characters of a name", names.NAME_LIMIT, _FIXED, _RANGE),
        ("characters of a description", names.DESCRIPTION_LIMIT, _FIXED, _RANGE),
        ("characters of a custom field's label", fields.LABEL_LIMIT, _FIXED, _RANGE),
        ("options of a custom field", profiles.LIST_LIMIT, _FIXED, _TOO_MANY),
        ("segments of a workspace", definition_limits.SEGMENTS_A_WORKSPACE, _FIXED, _TOO_MANY),
        ("segments that read each other, one inside the other", definition_limits.SEGMENT_DEPTH, _FIXED, _TOO_MANY),
        ("networks of a token", callers.NETWORKS_LIMIT, _FIXED, _TOO_MANY),
        (f"sign-in links of a token in {signing_in.CODE_SECONDS // 60} minutes", signing_in.MOST_CODES, _FIXED, "429"),
    )  # fmt: skip


def _conditions() -> Sequence[Row]:
    return (
        ("levels of a condition", conditions.MAX_DEPTH, _FIXED, _RANGE),
        ("leaves of a condition", conditions.MAX_LEAVES, _FIXED, _TOO_MANY),
        ("leaves of a condition and the segments that it reads", definition_limits.LEAVES_WITH_INNER, _FIXED, _TOO_MANY),
        ("values or ids in one list", conditions.MAX_VALUES, _FIXED, _TOO_MANY),
        ("characters of a text", conditions.MAX_TEXT, _FIXED, _RANGE),
        ("alternatives of a pattern", conditions.MAX_ALTERNATIVES, _FIXED, _TOO_MANY),
        ("`*` and `?` of a pattern", conditions.MAX_WILDCARDS, _FIXED, _TOO_MANY),
        ("property filters of a leaf", conditions.MAX_PROPERTY_FILTERS, _FIXED, _TOO_MANY),
        ("steps of a sequence", conditions.MAX_STEPS, _FIXED, _TOO_MANY),
        ("days of a window", conditions.MAX_WINDOW.days, _FIXED, _RANGE),
    )  # fmt: skip


def _insights() -> Sequence[Row]:
    return (
        ("people in the `sample` of a preview", previews.LARGEST_SAMPLE, _FIXED, _RANGE),
        ("segments in `segmentOverlap`", overlaps.MOST_SEGMENTS, _FIXED, _INPUT),
        ("intervals of a size history", sizes.MOST_SIZES, _FIXED, _INPUT),
        ("names of events in a performance", performance.MOST_EVENTS, _FIXED, _INPUT),
        ("days of a comparison: `withinDays`", comparisons.MOST_DAYS, _FIXED, _INPUT),
        ("similar segments: `first`", similarities.MOST_SIMILAR, _FIXED, _INPUT),
        ("events of one person that an explanation or export reads", MOST_EVENTS, _FIXED, "`COST_LIMIT`"),
        ("evaluations of events in one explanation", explanations.MOST_LOOKS, _FIXED, "`COST_LIMIT`"),
    )


def _files() -> Sequence[Row]:
    return (
        ("bytes of an imported file", imports.FILE_BYTES, _FIXED, "413"),
        ("bytes of a record", records.RECORD_BYTES, _FIXED, "the import fails"),
        ("lines of a record", records.RECORD_LINES, _FIXED, "the import fails"),
        ("columns of an imported file", headers.FILE_COLUMNS, _FIXED, "the import fails"),
        ("columns that an import uses", IMPORTED_COLUMNS, _FIXED, _TOO_MANY),
        ("characters of a file's name", imports.FILE_NAME_LIMIT, _FIXED, _RANGE),
        ("refused rows that an import keeps", imports.REJECTS_KEPT, _FIXED, "the rest is only counted"),
        ("seconds without progress of an upload", USUAL.request_seconds, "AUDIENCE_REQUEST_SECONDS", "408"),
        ("exports of a workspace at a time", exports.OPEN_LIMIT, _FIXED, _TOO_MANY),
        ("exported files of a workspace", exports.FILES_LIMIT, _FIXED, _TOO_MANY),
        ("columns of an exported file", EXPORTED_COLUMNS, _FIXED, _TOO_MANY),
        ("bytes of an exported file", exports.FILE_BYTES, _FIXED, "the export fails"),
    )


def _webhooks() -> Sequence[Row]:
    return (
        ("automations of a workspace", AUTOMATIONS_A_WORKSPACE, _FIXED, _TOO_MANY),
        ("actions of an automation", given.MOST_ACTIONS, _FIXED, _TOO_MANY),
        ("values of a person in a message", given.MOST_FIELDS, _FIXED, _TOO_MANY),
        ("automations that start each other for one person", decisions.DEEPEST, _FIXED, "the run is cut off"),
        ("runs of an automation for one person in a minute", decisions.MOST_A_MINUTE, _FIXED, "the run is cut off"),
        ("webhook endpoints of a workspace", endpoints.ENDPOINTS_A_WORKSPACE, _FIXED, _TOO_MANY),
        ("characters of an endpoint's URL", endpoints.URL_LIMIT, _FIXED, _RANGE),
        ("test messages of a process at a time", trials.TRIALS_AT_ONCE, _FIXED, "`WebhookTestRunning`"),
        ("changes in a message", messages.CHANGES_A_MESSAGE, _FIXED, "another message"),
        ("bytes of a message, unless one change is larger", messages.MESSAGE_BYTES, _FIXED, "another message"),
        ("seconds of an attempt to send a message", sender.ATTEMPT_SECONDS, _FIXED, "the attempt has failed"),
        ("bytes of a receiver's answer", exchange.BODY_BYTES, _FIXED, "the rest is not read"),
        ("attempts to send a message", len(schedule.DELAYS) + 1, _FIXED, "the message has failed"),
        ("days for which an endpoint may fail everything", schedule.FAILING_LIMIT.days, _FIXED, "it is disabled"),
    )  # fmt: skip
