"""GraphQL errors: a code for every one, and nothing of the inside in any.

What a caller can run into in the normal course of things is a type of the schema instead: see failures.py.
"""

from __future__ import annotations

import logging
import secrets
from contextvars import ContextVar
from typing import Final

from graphql import GraphQLError, GraphQLSyntaxError

from audience_gql.audience.failures import Failure, InvalidInput, NotFound
from audience_gql.audience.log.cursors import CursorExpired, CursorInvalid
from audience_gql.storage.database import UNREACHABLE, OutcomeUnknown
from audience_gql.storage.fair_queue import Overloaded
from audience_gql.storage.reads.person_facts import TooManyEvents

RETRY_AFTER_SECONDS: Final = 1
_LONGEST_MESSAGE: Final = 300
_PLACES: Final = 5
"""In the document, that one error points to."""
_TIMED_OUT: Final = frozenset({"57014", "55P03"})
"""SQLSTATEs of a statement that ran out of time, and of a lock that did not become free in time."""
_CODES: Final = {CursorInvalid: "CURSOR_INVALID", TooManyEvents: "COST_LIMIT"}
_COME_AGAIN: tuple[type[Exception], ...] = (Overloaded, *UNREACHABLE)
_TOO_MUCH: Final = "Too much is asked of this server at a time. Nothing was changed; ask for less at a time, or try again later."

REQUEST_ID: Final = ContextVar("request_id", default="")
"""The id of the HTTP request that is answered, which the client has too; empty on a websocket."""

logger = logging.getLogger(__name__)


class ApiError(GraphQLError):
    """An error with its code, ready for a client."""

    def __init__(self, code: str, message: str, **extensions: object) -> None:
        super().__init__(message, extensions={"code": code, **extensions})


class BadUserInput(ApiError):
    """An argument that the schema's types cannot refuse, but the field does."""

    def __init__(self, message: str, **extensions: object) -> None:
        super().__init__("BAD_USER_INPUT", message, **extensions)


def for_client(error: GraphQLError) -> GraphQLError:
    """What a client is told of an error: a message for people, a code for programs, and where.

    An unexpected error is logged here with its traceback, under an id that the client can quote.
    """
    extensions = error.extensions or {}
    if "code" not in extensions:
        message, extensions = _told(error)
    else:
        message = error.message
    if extensions["code"] != "INTERNAL":
        logger.debug("%s: %s", extensions["code"], message)
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=dict(extensions)
    )


def masked(error: Exception) -> GraphQLError:
    """What a client is told of an exception that escaped from wherever."""
    return for_client(GraphQLError("", original_error=error))


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """An error of the library about a document: not longer than it helps, and without any part of the document's tree."""
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    positions = list(error.positions or ())[:_PLACES]
    extensions = {"code": code, **(error.extensions or {})}
    return GraphQLError(message, source=error.source, positions=positions, extensions=extensions)


def code_of(error: GraphQLError) -> str:
    return str((error.extensions or {}).get("code", ""))


def _told(error: GraphQLError) -> tuple[str, dict[str, object]]:
    """The message and extensions for an error that was not made for clients."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    match cause:
        case None | GraphQLError():
            code = "GRAPHQL_PARSE_FAILED" if isinstance(error, GraphQLSyntaxError) else "BAD_USER_INPUT"
            told: tuple[str, dict[str, object]] = error.message, {"code": code}
        case CursorInvalid() | TooManyEvents():
            told = str(cause), {"code": _CODES[type(cause)]}
        case CursorExpired():
            told = str(cause), {"code": "CURSOR_EXPIRED", "oldestCursor": cause.oldest}
        case NotFound():
            told = cause.message, {"code": "NOT_FOUND"}
        case InvalidInput():
            told = cause.message, {"code": "BAD_USER_INPUT", "issues": _issues(cause)}
        case Failure():
            told = cause.message, {"code": "BAD_USER_INPUT"}
        case _ if getattr(cause, "sqlstate", None) in _TIMED_OUT:
            told = "The database took too long. Ask for less, or try again.", {"code": "TIMEOUT"}
        case _ if isinstance(cause, _COME_AGAIN):
            told = _unavailable(cause)
        case _:
            told = _unexpected(cause, error)
    return told


def _unavailable(cause: Exception) -> tuple[str, dict[str, object]]:
    if isinstance(cause, Overloaded):
        logger.info("overloaded: %s", cause)
        return _TOO_MUCH, {"code": "OVERLOADED", "retryAfter": RETRY_AFTER_SECONDS}
    logger.warning("the database is away: %s", cause)
    extensions: dict[str, object] = {"code": "UNAVAILABLE", "retryAfter": RETRY_AFTER_SECONDS}
    if isinstance(cause, OutcomeUnknown):
        message = "The database went away while it was writing. It is not known whether anything was changed."
        return message, {**extensions, "outcome": "UNKNOWN"}
    return "The database is away for the moment. Nothing was changed; try again.", extensions


def _unexpected(cause: Exception, error: GraphQLError) -> tuple[str, dict[str, object]]:
    error_id = secrets.token_hex(8)
    logger.error("error %s at %s of request %s", error_id, error.path, REQUEST_ID.get(), exc_info=cause)
    message = f"Something went wrong on our side. Quote {error_id} to whoever runs this server."
    return message, {"code": "INTERNAL", "errorId": error_id}


def _issues(failure: InvalidInput) -> list[dict[str, object]]:
    return [
        {"code": issue.code, "message": issue.message, "path": list(issue.path)} for issue in failure.issues
    ]
