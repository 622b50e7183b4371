"""GraphQL errors: each has a code, and none reveals internals.

Failures that callers must expect are types of the schema instead: see failures.py.
"""

from __future__ import annotations

import logging
import secrets
from typing import Final

from graphql import FieldNode, GraphQLError, GraphQLSyntaxError

from audience_gql.api.paths import spelled
from audience_gql.audience.budgets import OutOfPoints
from audience_gql.audience.failures import Failure, InvalidInput, NotFound
from audience_gql.audience.log.cursors import CursorExpired, CursorInvalid
from audience_gql.conditions.values import instant_text
from audience_gql.storage.insights.log_positions import LogExpired
from audience_gql.storage.postgres.database import UNREACHABLE, OutcomeUnknown
from audience_gql.storage.reads.person_facts import TooManyEvents
from audience_gql.storage.turns.fair_queue import Overloaded

RETRY_AFTER_SECONDS: Final = 1
_LONGEST_MESSAGE: Final = 300
_PLACES: Final = 5
"""The most positions in the document that one error names."""
_TIMED_OUT: Final = frozenset({"57014", "55P03"})
"""The SQLSTATEs of a statement that exceeded its time limit, and of a lock that did not become free in time."""
_CODES: Final = {CursorInvalid: "CURSOR_INVALID", TooManyEvents: "COST_LIMIT"}
_COME_AGAIN: tuple[type[Exception], ...] = (OutOfPoints, Overloaded, *UNREACHABLE)
_TOO_MUCH: Final = "The token or its workspace asks for too much at a time. Nothing was changed. Ask for less at a time, or try again later."

logger = logging.getLogger(__name__)


class ApiError(GraphQLError):
    """An error with a code, as clients may see it."""

    def __init__(self, code: str, message: str, **extensions: object) -> None:
        super().__init__(message, extensions={"code": code, **extensions})


class BadUserInput(ApiError):
    """An argument or request that has the right types, but is refused."""

    def __init__(self, message: str, **extensions: object) -> None:
        super().__init__("BAD_USER_INPUT", message, **extensions)


def for_client(error: GraphQLError) -> GraphQLError:
    """The error as a client may see it: a message for people, a code for programs, and the position.

    An unexpected error is logged with its traceback, under an id that the client receives.
    """
    extensions = error.extensions or {}
    if "code" not in extensions:
        message, extensions = _told(error)
    else:
        message = error.message
    if extensions["code"] != "INTERNAL":
        logger.debug("refused with %s", extensions["code"])  # the message may quote what the client has sent
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=dict(extensions)
    )


def masked(error: Exception) -> GraphQLError:
    """The error that a client sees for any exception."""
    return for_client(error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error))


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """A library's error about a document, with a code, a message of limited length, and no nodes of the document."""
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    positions = list(error.positions or ())[:_PLACES]
    extensions = {"code": code, **(error.extensions or {})}
    return GraphQLError(message, source=error.source, positions=positions, extensions=extensions)


def code_of(error: GraphQLError) -> str:
    return str((error.extensions or {}).get("code", ""))


def _told(error: GraphQLError) -> tuple[str, dict[str, object]]:
    """The message and extensions that clients see for an error without a code."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    match cause:
        case None | GraphQLError():
            code = "GRAPHQL_PARSE_FAILED" if isinstance(error, GraphQLSyntaxError) else "BAD_USER_INPUT"
            told: tuple[str, dict[str, object]] = error.message, {"code": code}
        case CursorInvalid() | TooManyEvents():
            told = str(cause), {"code": _CODES[type(cause)]}
        case CursorExpired() | LogExpired():
            told = str(cause), _expired(cause)
        case NotFound():
            told = cause.message, {"code": "NOT_FOUND", **_argument(cause)}
        case InvalidInput():
            told = cause.message, {"code": "BAD_USER_INPUT", "issues": _issues(cause)}
        case Failure():
            told = cause.message, {"code": "BAD_USER_INPUT"}
        case _ if getattr(cause, "sqlstate", None) in _TIMED_OUT:
            told = "The database did not answer in time. Ask for less, or try again.", {"code": "TIMEOUT"}
        case _ if isinstance(cause, _COME_AGAIN):
            told = _unavailable(cause)
        case _:
            told = _unexpected(cause, error)
    return told


def _expired(cause: CursorExpired | LogExpired) -> dict[str, object]:
    if isinstance(cause, LogExpired):
        return {"code": "LOG_EXPIRED", "completeSince": instant_text(cause.complete_since)}
    return {"code": "CURSOR_EXPIRED", "oldestCursor": cause.oldest}


def _unavailable(cause: Exception) -> tuple[str, dict[str, object]]:
    if isinstance(cause, OutOfPoints):
        cost = {"requested": cause.cost, "remaining": cause.remaining, "restoreRate": cause.per_second}
        return str(cause), {"code": "RATE_LIMITED", "retryAfter": cause.retry_after_seconds, "cost": cost}
    if isinstance(cause, Overloaded):
        logger.info("overloaded: %s", cause)
        return _TOO_MUCH, {"code": "OVERLOADED", "retryAfter": RETRY_AFTER_SECONDS}
    logger.warning("the database is not reachable: %s", cause)
    extensions: dict[str, object] = {"code": "UNAVAILABLE", "retryAfter": RETRY_AFTER_SECONDS}
    if isinstance(cause, OutcomeUnknown):
        message = "The connection to the database was lost during a commit. It is unknown whether anything was changed."
        return message, {**extensions, "outcome": "UNKNOWN"}
    return "The database is not reachable at the moment. Nothing was changed. Try again.", extensions


def _unexpected(cause: Exception, error: GraphQLError) -> tuple[str, dict[str, object]]:
    error_id = secrets.token_hex(8)
    logger.error("error %s at %s", error_id, _field_of(error), exc_info=cause)
    message = f"An unexpected error occurred on the server. Give the error id {error_id} to the operator of the server."
    return message, {"code": "INTERNAL", "errorId": error_id}


def _field_of(error: GraphQLError) -> str:
    """The field of the schema at which an error occurred. The error's path is not for the log: clients choose the aliases in it."""
    node = error.nodes[0] if error.nodes else None
    return node.name.value if isinstance(node, FieldNode) else "no field"


def _argument(failure: NotFound) -> dict[str, object]:
    """The argument that a failure is about, and the position in it if the argument is a list."""
    match failure.path:
        case (name, int(index), *_):
            return {"argument": spelled((name,))[0], "index": index}
        case (name, *_):
            return {"argument": spelled((name,))[0]}
    return {}


def _issues(failure: InvalidInput) -> list[dict[str, object]]:
    return [
        {"code": issue.code, "message": issue.message, "path": spelled(issue.path)}
        for issue in failure.issues
    ]
