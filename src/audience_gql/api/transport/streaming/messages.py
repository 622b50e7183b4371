"""The messages of graphql-transport-ws: parses those of clients and builds those of the server.

It knows only the grammar of the protocol. socket.py acts on a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from graphql import GraphQLError

from audience_gql.api.operations.operation_requests import NoOperation, OperationRequest, operation_request
from audience_gql.api.transport.wire import Unreadable, decode, encode

PROTOCOL: Final = "graphql-transport-ws"
ACK: Final = '{"type":"connection_ack"}'
PING: Final = '{"type":"ping"}'
PONG: Final = '{"type":"pong"}'


class Malformed(Exception):
    """Not a message of the protocol. The text says why and fits into a close frame."""


@dataclass(frozen=True, slots=True)
class Init:
    """`connection_init`. Its payload may hold the token."""

    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks whether the server is there."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The client's answer to a ping."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Run an operation under this id."""

    id: str
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class Complete:
    """Stop the operation with this id."""

    id: str


Message: TypeAlias = Init | Ping | Pong | Subscribe | Complete


def parse(text: object) -> Message:
    """The message in a frame. Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed("Messages are text")
    try:
        message = decode(text)
    except Unreadable as error:
        raise Malformed("A message is JSON") from error
    if not isinstance(message, dict):
        raise Malformed("A message is an object")
    payload = message.get("payload") or {}
    if not isinstance(payload, dict):
        raise Malformed("A payload is an object")
    match message.get("type"):
        case "connection_init":
            return Init(payload)
        case "ping":
            return Ping()
        case "pong":
            return Pong()
        case "complete":
            return Complete(_id(message))
        case "subscribe":
            return Subscribe(_id(message), _request(payload))
    raise Malformed("Unknown type of message")


def opening(id_: str) -> str:
    """The part of a `next` message before the result. A closing brace follows the result."""
    return f'{{"id":{encode(id_).decode()},"type":"next","payload":'


def errors(id_: str, causes: Sequence[GraphQLError]) -> str:
    """The operation has failed and ended."""
    return encode({"id": id_, "type": "error", "payload": [error.formatted for error in causes]}).decode()


def complete(id_: str) -> str:
    """The operation has ended."""
    return encode({"id": id_, "type": "complete"}).decode()


def _id(message: Mapping[str, object]) -> str:
    value = message.get("id")
    if not isinstance(value, str) or not value:
        raise Malformed("An operation needs an id")
    return value


def _request(payload: Mapping[str, object]) -> OperationRequest:
    try:
        request = operation_request(payload)
    except NoOperation as error:
        raise Malformed(str(error)) from error
    if payload.get("query") is None and request.name is None:
        raise Malformed("A subscribe needs a query")
    return request
