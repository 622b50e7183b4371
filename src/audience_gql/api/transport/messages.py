"""The messages of graphql-transport-ws: what clients send, read with suspicion, and what they are sent.

What is done about a message is the connection's; this knows the protocol's grammar alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from graphql import GraphQLError

from audience_gql.api.transport.told import Asked, Unaskable, asked_of
from audience_gql.api.transport.wire import Unreadable, decode, encode

PROTOCOL: Final = "graphql-transport-ws"
ACK: Final = '{"type":"connection_ack"}'
PING: Final = '{"type":"ping"}'
PONG: Final = '{"type":"pong"}'


class Malformed(Exception):
    """Not a message of the protocol. The text says why, and fits into the reason of a close."""


@dataclass(frozen=True, slots=True)
class Init:
    """Who is there."""

    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


@dataclass(frozen=True, slots=True)
class Pong:
    """I am."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Run this operation."""

    id: str
    asked: Asked


@dataclass(frozen=True, slots=True)
class Complete:
    """Run it no longer."""

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
            return Subscribe(_id(message), _asked(payload))
    raise Malformed("Unknown type of message")


def opening(id_: str) -> str:
    """What comes before the result in a `next` message; a closing brace comes after it."""
    return f'{{"id":{encode(id_).decode()},"type":"next","payload":'


def errors(id_: str, told: Sequence[GraphQLError]) -> str:
    """The operation is over, for it failed."""
    return encode({"id": id_, "type": "error", "payload": [error.formatted for error in told]}).decode()


def complete(id_: str) -> str:
    """The operation is over."""
    return encode({"id": id_, "type": "complete"}).decode()


def _id(message: Mapping[str, object]) -> str:
    value = message.get("id")
    if not isinstance(value, str) or not value:
        raise Malformed("An operation needs an id")
    return value


def _asked(payload: Mapping[str, object]) -> Asked:
    try:
        asked = asked_of(payload)
    except Unaskable as error:
        raise Malformed(str(error)) from error
    if payload.get("query") is None and not asked.is_hash:
        raise Malformed("A subscribe needs a query")
    return asked
